"""Fetches Cassandra by Maven on first use, into a folder that all of a user's regions share.

An installation is there whole or not at all: Maven copies into a folder beside it, which is looked
at and only then renamed. One process fetches at a time, the others wait and find it done. What a
fetch that was killed left is removed by the next one. The registry is whatever this machine's Maven
is set up to use.
"""

import fcntl
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib import resources
from pathlib import Path

from core.supervisor import tether
from core.supervisor.cassandra.programs import CassandraError, find_maven

VERSION = "5.0.6"
Tell = Callable[[str], None]
_SILENT_S = 180.0
_TOLD_EVERY_S = 3.0
_LOOK_EVERY_S = 0.2
_JARS_AT_LEAST = 50
_ERROR_LINES = 3


class FetchError(CassandraError):
    """Cassandra could not be fetched."""


def default_folder(environ: Mapping[str, str]) -> Path:
    """Where installations are kept unless the settings say otherwise.

    Programs are run from it, so it is never in a folder that others may write to.
    """
    base, home = environ.get("XDG_CACHE_HOME"), environ.get("HOME")
    if not base and not home:
        raise FetchError(
            "nobody says where to keep Cassandra: neither HOME nor XDG_CACHE_HOME is set.",
            "Name a folder in [cassandra] folder.",
        )
    return Path(base or f"{home}/.cache") / "goutong" / "cassandra"


def installed(
    folder: Path, maven: str, environ: Mapping[str, str], tell: Tell, silent_s: float = _SILENT_S
) -> Path:
    """The folder with Cassandra's jars; fetched when it is not there yet."""
    place = folder / VERSION
    if place.is_dir():
        return place
    program = find_maven(maven, environ)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _only_one(folder / f"{VERSION}.lock", tell):
            if not place.is_dir():
                _fetch(folder, place, program, environ, tell, silent_s)
    except OSError as error:
        raise FetchError(
            f"{error.filename or folder}: Cassandra cannot be kept there: {error.strerror}.",
            "Mend the folder's owner, mode or space, or name another in [cassandra] folder.",
        ) from None
    return place


@contextmanager
def _only_one(lock: Path, tell: Tell) -> Iterator[None]:
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    told = False
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not told:
                    tell(f"another process fetches Cassandra {VERSION}; waiting for it")
                told = True
                time.sleep(_LOOK_EVERY_S)
        yield
    finally:
        os.close(descriptor)


def _fetch(
    folder: Path, place: Path, maven: str, environ: Mapping[str, str], tell: Tell, silent_s: float
) -> None:
    for left in folder.glob(f".{VERSION}.*"):
        shutil.rmtree(left, ignore_errors=True)
    work = Path(tempfile.mkdtemp(prefix=f".{VERSION}.", dir=folder))
    try:
        begun = time.monotonic()
        tell(f"fetching Cassandra {VERSION} by Maven into {place}, about 70 MB")
        (work / "pom.xml").write_bytes(
            resources.files("core.supervisor.cassandra").joinpath("pom.xml").read_bytes()
        )
        _run_maven(work, maven, environ, tell, silent_s)
        jars = _whole(work / "lib")
        (work / "lib").rename(place)
        took_s = time.monotonic() - begun
        tell(f"Cassandra {VERSION} is there: {jars} jars, {took_s:.0f} s")
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _run_maven(
    work: Path, maven: str, environ: Mapping[str, str], tell: Tell, silent_s: float
) -> None:
    """Let Maven copy the jars into `lib`, telling how far it is."""
    # The lock is the tether's way to say which program it is; nobody else asks for this one.
    tie = (str(os.getpid()), str(int(signal.SIGKILL)), str(work / "maven.lock"), "1000")
    command = [
        *(sys.executable, "-I", "-S", tether.__file__, *tie, maven, "-B"),
        *("-f", str(work / "pom.xml"), f"-Dcassandra.version={VERSION}"),
        *("dependency:copy-dependencies", "-DincludeScope=runtime"),
        f"-DoutputDirectory={work / 'lib'}",
    ]
    with subprocess.Popen(  # noqa: S603 - the user's own Maven
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=dict(environ),
        start_new_session=True,
    ) as process:
        try:
            said = _listen(process, tell, silent_s)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    if process.returncode != 0:
        raise FetchError(
            f"Maven could not fetch Cassandra {VERSION}: {_reason(said)}", _mend(maven)
        )


def _listen(process: "subprocess.Popen[bytes]", tell: Tell, silent_s: float) -> str:
    """All that Maven says, while counting what it has loaded."""
    assert process.stdout is not None
    descriptor = process.stdout.fileno()
    said = b""
    loaded_before, told_at = 0, time.monotonic()
    while True:
        ready, _, _ = select.select([descriptor], [], [], silent_s)
        if not ready:
            raise FetchError(
                f"Maven has said nothing for {silent_s:.0f} s while fetching Cassandra {VERSION}.",
                _mend("mvn"),
            )
        piece = os.read(descriptor, 65_536)
        if not piece:
            process.wait()
            return said.decode(errors="replace")
        said += piece
        loaded = said.count(b"Downloaded from ")
        if loaded != loaded_before and time.monotonic() - told_at >= _TOLD_EVERY_S:
            tell(f"fetching Cassandra {VERSION}: {loaded} files loaded")
            loaded_before, told_at = loaded, time.monotonic()


def _reason(said: str) -> str:
    plain = re.sub(r"\x1b\[[0-9;]*m", "", said)
    errors = re.findall(r"^\[ERROR\] (?!\[Help|Re-run|To see|For more|$)(.+)$", plain, re.MULTILINE)
    words = errors[:_ERROR_LINES] or plain.strip().splitlines()[-_ERROR_LINES:]
    return " ".join(words) or "it said nothing."


def _mend(maven: str) -> str:
    return (
        "See that this machine reaches a Maven repository (settings.xml, proxy), and try again: "
        f"`{maven} -B dependency:get -Dartifact=org.apache.cassandra:cassandra-all:{VERSION}` "
        "shows what Maven says. Or copy a folder of the jars there by hand."
    )


def _whole(lib: Path) -> int:
    """How many jars there are; refuses a folder in which one is missing or cut short."""
    jars = sorted(lib.glob("*.jar")) if lib.is_dir() else []
    broken = [jar.name for jar in jars if not zipfile.is_zipfile(jar)]
    if broken:
        raise FetchError(
            f"Maven copied jars that are not whole: {', '.join(broken[:3])}.",
            "Delete them from Maven's own repository (~/.m2/repository) and try again.",
        )
    if len(jars) < _JARS_AT_LEAST or not (lib / f"cassandra-all-{VERSION}.jar").exists():
        raise FetchError(
            f"Maven ended well, but copied {len(jars)} jars only; Cassandra {VERSION} has more.",
            "Look for an offline or mirror setting in Maven's settings.xml, and try again.",
        )
    return len(jars)
