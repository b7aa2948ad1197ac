"""``scripts/stack``: up, down, status, env, kill."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence

from servers import packages, probes, processes
from servers.kinds import KINDS, Server
from servers.packages import say
from servers.place import StackError, find_place

_NAMES = [kind.name for kind in KINDS]


def _tell(text: str) -> None:
    print(text, flush=True)


def up(servers: Sequence[Server]) -> None:
    """Start what does not run and wait for all; what runs and answers is left alone."""
    waiting = [server for server in servers if not _runs(server)]
    packages.install_packages(name for server in waiting for name in server.missing_packages())
    for server in waiting:
        processes.stop(server.place, server.name)  # one that runs but does not answer
        if probes.port_answers(server.port):
            raise StackError(
                f"port {server.port} ({server.name}) is taken by something else: "
                "choose another STACK_PORT_BASE"
            )
        server.prepare()
        server.start()
    for server in waiting:
        processes.wait_for(server.place, server.name, server.healthy, seconds=server.start_seconds)
        say(f"{server.name} answers on 127.0.0.1:{server.port}")
    for server in servers:
        # Of those that ran already as well: an earlier start may have been cut short.
        server.finish()


def _runs(server: Server) -> bool:
    return bool(processes.running(server.place, server.name)) and server.healthy()


def down(servers: Sequence[Server]) -> None:
    for server in reversed(servers):
        if processes.stop(server.place, server.name):
            say(f"{server.name} stopped")


def status(servers: Sequence[Server], *, as_json: bool) -> bool:
    found = {
        server.name: {
            "running": bool(processes.running(server.place, server.name)),
            "healthy": _runs(server),
            "port": server.port,
            "log": str(server.place.log(server.name)),
        }
        for server in servers
    }
    if as_json:
        _tell(json.dumps(found))
    else:
        for name, part in found.items():
            word = "healthy" if part["healthy"] else "running" if part["running"] else "stopped"
            _tell(f"{name:14} {word:8} 127.0.0.1:{part['port']}  {part['log']}")
    return all(part["healthy"] for part in found.values())


def environment(servers: Sequence[Server]) -> None:
    """Settings for a shell: ``eval "$(scripts/stack env)"``."""
    for server in servers:
        for name, value in server.exports().items():
            _tell(f"export {name}='{value}'")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="scripts/stack", description=__doc__)
    parser.add_argument("action", choices=["up", "down", "status", "env", "kill"])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(_NAMES)}")
    parser.add_argument("--json", action="store_true", help="status as one JSON object")
    given = parser.parse_args(arguments)
    if unknown := set(given.names) - set(_NAMES):
        parser.error(f"no server {', '.join(sorted(unknown))}; there are {', '.join(_NAMES)}")
    try:
        place = find_place()
        servers = [kind(place) for kind in KINDS if not given.names or kind.name in given.names]
        return _run(given.action, servers, as_json=given.json)
    except StackError as error:
        say(f"stack: {error}")
        return 1


def _run(action: str, servers: Sequence[Server], *, as_json: bool) -> int:
    if action == "up":
        started = time.monotonic()
        up(servers)
        say(
            f"healthy after {time.monotonic() - started:.0f} s; logs in {servers[0].place.root}/log"
        )
        environment(servers)
    elif action == "down":
        down(servers)
    elif action == "kill":
        for server in servers:
            processes.kill(server.place, server.name)
    elif action == "env":
        environment(servers)
    else:
        return 0 if status(servers, as_json=as_json) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
