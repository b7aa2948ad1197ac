"""The five servers: what each needs, how it starts, and when it is healthy."""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
from abc import ABC, abstractmethod
from pathlib import Path

from servers import packages, probes, processes
from servers.place import Place, StackError
from servers.versions import (
    ELASTIC_PEER_PORT_OFFSET,
    EPMD_PORT_OFFSET,
    RABBIT_PEER_PORT_OFFSET,
)

# The servers listen on the loopback only; the compose file takes its own from the environment.
NAME = SECRET = "mall"
_RABBIT_PROGRAMS = Path("/usr/lib/rabbitmq/bin")


class Server(ABC):
    """One of them. ``package`` is Debian's, needed where ``programs`` are not all there."""

    name = ""
    package = ""
    programs: tuple[str, ...] = ()
    start_seconds = 60.0

    def __init__(self, place: Place) -> None:
        self.place = place
        self.port = place.port(self.name)
        self.folder = place.folder(self.name)

    def missing_packages(self) -> list[str]:
        absent = [name for name in self.programs if packages.find_program(name) is None]
        return [self.package] if absent else []

    def prepare(self) -> None:
        """Make data folder and configuration where they are not there yet."""
        self.place.make(self.folder)

    @abstractmethod
    def start(self) -> None:
        """Start it in the background."""

    @abstractmethod
    def healthy(self) -> bool:
        """Whether it answers in its own protocol."""

    def finish(self) -> None:
        """Accounts and databases, once it answers; most need none."""
        return

    @abstractmethod
    def exports(self) -> dict[str, str]:
        """The settings by which it is found."""


def _program(name: str) -> str:
    found = packages.find_program(name)
    if found is None:
        raise StackError(f"{name} is not installed")
    return found


class MariaDb(Server):
    name = "mariadb"
    package = "mariadb-server"
    programs = ("mariadbd", "mariadb", "mariadb-install-db")

    @property
    def _socket(self) -> Path:
        return self.place.root / "run" / "mariadb.sock"

    def prepare(self) -> None:
        data = self.folder / "data"
        if (data / "mysql").is_dir():
            return
        shutil.rmtree(data, ignore_errors=True)
        self.place.make(self.folder)
        command = [
            _program("mariadb-install-db"), "--no-defaults", f"--datadir={data}",
            "--auth-root-authentication-method=socket",
            f"--auth-root-socket-user={getpass.getuser()}", "--skip-test-db",
            "--skip-name-resolve",
        ]  # fmt: skip
        if self.place.user:
            command.append(f"--user={self.place.user}")
        with self.place.log(self.name).open("ab") as log:
            if subprocess.run(command, stdout=log, stderr=log, check=False).returncode:
                raise StackError(f"mariadb-install-db failed; see {self.place.log(self.name)}")

    def start(self) -> None:
        buffer = os.environ.get("STACK_MARIADB_BUFFER", "1G")
        processes.launch(
            self.place,
            self.name,
            [
                _program("mariadbd"), "--no-defaults", f"--datadir={self.folder / 'data'}",
                f"--socket={self._socket}", f"--port={self.port}", "--bind-address=127.0.0.1",
                "--skip-name-resolve", "--character-set-server=utf8mb4",
                "--collation-server=utf8mb4_nopad_bin", "--transaction-isolation=READ-COMMITTED",
                f"--innodb-buffer-pool-size={buffer}", "--innodb-log-file-size=512M",
                # Every commit reaches the disk, as on SQLite.
                "--innodb-flush-log-at-trx-commit=1", "--innodb-flush-method=O_DIRECT",
                "--max-connections=300", "--max-allowed-packet=64M", "--local-infile=1",
            ],
        )  # fmt: skip

    def _ask(self, statements: str) -> subprocess.CompletedProcess[bytes]:
        """Run SQL as the administrator, whom the server knows by the account we run as."""
        client = [_program("mariadb"), "--no-defaults", f"--socket={self._socket}", "--user=root"]
        return subprocess.run([*client, "--execute", statements], capture_output=True, check=False)

    def healthy(self) -> bool:
        return self._socket.exists() and self._ask("SELECT 1").returncode == 0

    def finish(self) -> None:
        done = self._ask(
            f"CREATE DATABASE IF NOT EXISTS {NAME};"
            f"CREATE USER IF NOT EXISTS '{NAME}'@'127.0.0.1' IDENTIFIED BY '{SECRET}';"
            # Tests make databases of their own beside it.
            f"GRANT ALL ON `{NAME}%`.* TO '{NAME}'@'127.0.0.1';"
        )
        if done.returncode:
            raise StackError(f"MariaDB refused its set-up: {done.stderr.decode()}")

    def exports(self) -> dict[str, str]:
        address = f"{NAME}:{SECRET}@127.0.0.1:{self.port}/{NAME}?charset=utf8mb4"
        return {"MALL_DATABASE_URL": f"mysql+pymysql://{address}"}


class Redis(Server):
    name = "redis"
    package = "redis-server"
    programs = ("redis-server",)

    def start(self) -> None:
        processes.launch(
            self.place,
            self.name,
            [
                _program("redis-server"), "--bind", "127.0.0.1", "--port", str(self.port),
                "--dir", str(self.folder), "--maxmemory", "256mb",
                "--maxmemory-policy", "allkeys-lru", "--save", "", "--appendonly", "no",
                # Its title would be written over the environment that carries our mark.
                "--set-proc-title", "no",
            ],
        )  # fmt: skip

    def healthy(self) -> bool:
        return probes.exchange(self.port, b"PING\r\n", b"+PONG")

    def exports(self) -> dict[str, str]:
        return {"MALL_REDIS_URL": f"redis://127.0.0.1:{self.port}/0"}


class RabbitMq(Server):
    name = "rabbitmq"
    package = "rabbitmq-server"
    programs = (str(_RABBIT_PROGRAMS / "rabbitmq-server"),)

    def _environment(self) -> dict[str, str]:
        base = self.place.port_base
        return {
            "RABBITMQ_NODENAME": f"mall{base}@localhost",
            "RABBITMQ_CONF_ENV_FILE": str(self.folder / "rabbitmq-env.conf"),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "data"),
            "RABBITMQ_LOG_BASE": str(self.place.root / "log"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_DIST_PORT": str(base + RABBIT_PEER_PORT_OFFSET),
            "ERL_EPMD_PORT": str(base + EPMD_PORT_OFFSET),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
        }

    def prepare(self) -> None:
        self.place.make(self.folder)
        self.place.make(self.folder / "data")
        files = {
            "rabbitmq-env.conf": "",
            "enabled_plugins": "[].\n",
            "rabbitmq.conf": (
                f"listeners.tcp.1 = 127.0.0.1:{self.port}\n"
                f"default_user = {NAME}\ndefault_pass = {SECRET}\ndefault_vhost = {NAME}\n"
                "vm_memory_high_watermark.absolute = 1GB\ndisk_free_limit.absolute = 500MB\n"
            ),
        }
        for name, text in files.items():
            self.place.write(self.folder / name, text)

    def start(self) -> None:
        processes.launch(
            self.place,
            self.name,
            [str(_RABBIT_PROGRAMS / "rabbitmq-server")],
            environment=self._environment(),
        )

    def healthy(self) -> bool:
        # It answers the protocol's header with its first method, Connection.Start.
        return probes.exchange(self.port, b"AMQP\x00\x00\x09\x01", b"\x00\x0a\x00\x0a")

    def exports(self) -> dict[str, str]:
        return {"MALL_BROKER_URL": f"amqp://{NAME}:{SECRET}@127.0.0.1:{self.port}/{NAME}"}


class Elasticsearch(Server):
    name = "elasticsearch"
    package = "openjdk-17-jre-headless"
    programs = ("java",)
    start_seconds = 120.0

    def prepare(self) -> None:
        home = packages.fetch_elasticsearch(self.place)
        configuration = self.place.make(self.folder / "config")
        for name in ("data", "logs", "tmp"):
            self.place.make(self.folder / name)
        for name in ("jvm.options", "log4j2.properties"):
            text = (home / "config" / name).read_text(encoding="utf-8")
            self.place.write(configuration / name, text)
        self.place.make(configuration / "jvm.options.d")
        self.place.write(
            configuration / "elasticsearch.yml",
            "cluster.name: mall\nnode.name: mall\nnetwork.host: 127.0.0.1\n"
            f"http.port: {self.port}\n"
            f"transport.port: {self.place.port_base + ELASTIC_PEER_PORT_OFFSET}\n"
            f"path.data: {self.folder / 'data'}\npath.logs: {self.folder / 'logs'}\n"
            "discovery.type: single-node\n"
            # On the loopback only, and the core build has no security module.
            "xpack.security.enabled: false\n"
            "cluster.routing.allocation.disk.threshold_enabled: false\n"
            "action.destructive_requires_name: true\n",
        )

    def start(self) -> None:
        heap = os.environ.get("STACK_ELASTIC_HEAP", "2g")
        java = Path(_program("java")).resolve().parent.parent
        home = packages.fetch_elasticsearch(self.place)
        processes.launch(
            self.place,
            self.name,
            [str(home / "bin" / "elasticsearch")],
            environment={
                "ES_JAVA_HOME": str(java),
                "ES_PATH_CONF": str(self.folder / "config"),
                "ES_JAVA_OPTS": f"-Xms{heap} -Xmx{heap}",
                "ES_TMPDIR": str(self.folder / "tmp"),
            },
        )

    def healthy(self) -> bool:
        # The root path is not there in the core build, so the health of the cluster is asked.
        return probes.get(
            f"http://127.0.0.1:{self.port}/_cluster/health?wait_for_status=yellow&timeout=1s"
        )

    def exports(self) -> dict[str, str]:
        return {"MALL_SEARCH_URL": f"http://127.0.0.1:{self.port}"}


class StripeMock(Server):
    name = "stripe-mock"

    def prepare(self) -> None:
        packages.build_stripe_mock(self.place)

    def start(self) -> None:
        program = packages.build_stripe_mock(self.place)
        processes.launch(
            self.place, self.name, [str(program), "-http-addr", f"127.0.0.1:{self.port}"]
        )

    def healthy(self) -> bool:
        return probes.get(f"http://127.0.0.1:{self.port}/v1/balance", bearer="sk_test_123")

    def exports(self) -> dict[str, str]:
        return {"STACK_STRIPE_MOCK_URL": f"http://127.0.0.1:{self.port}"}


KINDS: tuple[type[Server], ...] = (MariaDb, Redis, RabbitMq, Elasticsearch, StripeMock)
