"""Brings the programs: Debian's packages, the Elasticsearch archive, stripe-mock."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import urllib.request
import zipfile
from collections.abc import Iterable
from pathlib import Path

from servers.place import Place, StackError
from servers.versions import PARTS

_POLICY = Path("/usr/sbin/policy-rc.d")
_ELASTIC = PARTS["elasticsearch"].version
_ELASTIC_SHA256 = "8d943e94cef02cbceb6e39cd00175bb04e5f882fa32783a473880b8691a54376"
_GROUP = "org.elasticsearch.distribution.integ-test-zip"
_ARTIFACT = f"{_GROUP}:elasticsearch:{_ELASTIC}:zip"
_MAVEN_CENTRAL = "https://repo1.maven.org/maven2"
_GO_FOLDERS = ("/usr/local/go/bin", "/usr/lib/go/bin")


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def find_program(*names: str) -> str | None:
    """The first of these programs that is installed; some live outside of the usual path."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin", *_GO_FOLDERS])
    for name in names:
        found = name if Path(name).is_file() else shutil.which(name, path=path)
        if found:
            return found
    return None


def install_packages(packages: Iterable[str]) -> None:
    """Install Debian packages without starting the system's own services.

    Raises :class:`StackError` that says what to install where we may not.
    """
    wanted = sorted(set(packages))
    if not wanted:
        return
    command = f"apt-get install --no-install-recommends {' '.join(wanted)}"
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise StackError(f"these programs are missing; as root run: {command}")
    say(f"installing {', '.join(wanted)}")
    ours = not _POLICY.exists()
    if ours:
        _POLICY.write_text("#!/bin/sh\nexit 101\n", encoding="ascii")
        _POLICY.chmod(0o755)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        for step in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends"]):
            names = wanted if step[0] == "install" else []
            done = subprocess.run(
                ["apt-get", *step, *names], env=environment, capture_output=True, check=False
            )
            if done.returncode:
                raise StackError(f"{command} failed:\n{done.stderr.decode()[-2000:]}")
    finally:
        if ours:
            _POLICY.unlink(missing_ok=True)


def fetch_elasticsearch(place: Place) -> Path:
    """The unpacked server's folder; brought from Maven Central once."""
    home = place.folder("elasticsearch") / f"elasticsearch-{_ELASTIC}"
    if (home / "bin" / "elasticsearch").is_file():
        return home
    archive = _download(place.make(place.root / "download"))
    say("unpacking Elasticsearch")
    unpacking = place.make(place.folder("elasticsearch")) / "unpacking"
    shutil.rmtree(unpacking, ignore_errors=True)
    with zipfile.ZipFile(archive) as bundle:
        for member in bundle.infolist():
            target = Path(bundle.extract(member, unpacking))
            if not member.is_dir():
                # The archive's own rights would let its owner alone read it.
                runs = (member.external_attr >> 16) & 0o100
                target.chmod(0o755 if runs else 0o644)
    shutil.rmtree(home, ignore_errors=True)
    (unpacking / home.name).rename(home)
    shutil.rmtree(unpacking)
    return home


def _download(folder: Path) -> Path:
    archive = folder / f"elasticsearch-{_ELASTIC}.zip"
    if not _is_whole(archive):
        say(f"bringing Elasticsearch {_ELASTIC} (98 MB)")
        if shutil.which("mvn"):
            _by_maven(folder)
        else:
            path = f"{_GROUP.replace('.', '/')}/elasticsearch/{_ELASTIC}/{archive.name}"
            urllib.request.urlretrieve(f"{_MAVEN_CENTRAL}/{path}", archive)  # noqa: S310 -- https
    if not _is_whole(archive):
        archive.unlink(missing_ok=True)
        raise StackError("the Elasticsearch archive did not arrive whole; run it again")
    return archive


def _by_maven(folder: Path) -> None:
    goal = ["dependency:copy", f"-Dartifact={_ARTIFACT}", f"-DoutputDirectory={folder}"]
    done = subprocess.run(
        ["mvn", "-q", "-B", *goal],
        cwd=folder,
        capture_output=True,
        check=False,
    )
    if done.returncode:
        raise StackError(f"Maven could not bring {_ARTIFACT}:\n{done.stdout.decode()[-2000:]}")


def _is_whole(archive: Path) -> bool:
    if not archive.is_file():
        return False
    with archive.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest() == _ELASTIC_SHA256


def build_stripe_mock(place: Place) -> Path:
    """The program; built from its Go module once."""
    program = place.folder("stripe-mock") / "stripe-mock"
    if program.is_file():
        return program
    if find_program("go") is None:
        install_packages(["golang-go"])
    go = find_program("go")
    if go is None:
        raise StackError("stripe-mock needs Go: install it and run this again")
    say("building stripe-mock")
    place.make(program.parent)
    done = subprocess.run(
        [go, "install", f"github.com/stripe/stripe-mock@v{PARTS['stripe-mock'].version}"],
        env={**os.environ, "GOBIN": str(program.parent)},
        capture_output=True,
        check=False,
    )
    if done.returncode:
        raise StackError(f"stripe-mock could not be built:\n{done.stderr.decode()[-2000:]}")
    return program
