"""The Java and the Maven of this machine, or words that say what is missing and how to mend it."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

JAVA = 17  # Cassandra 5.0 runs on 11 and 17; what it opens of the JDK differs in every other.
_ASK_S = 20
_USUAL = "/usr/lib/jvm"
_MEND = (
    f"Install JDK {JAVA} (Debian: apt-get install openjdk-{JAVA}-jre-headless), or set JAVA_HOME "
    "or [cassandra] java to one that is installed."
)


class CassandraError(Exception):
    """No local Cassandra: what went wrong, where, and how to mend it."""

    def __init__(self, what: str, mend: str) -> None:
        super().__init__(f"{what}\n{mend}")
        self.what = what
        self.mend = mend


class MissingError(CassandraError):
    """Java or Maven is not on this machine."""


def find_java(named: str, environ: Mapping[str, str], usual: str = _USUAL) -> str:
    """A `java` of the right version: the one named, of JAVA_HOME, of the path, or as Debian has."""
    seen: dict[str, int | None] = {}
    for each in _javas(named, environ, usual):
        if each not in seen:
            seen[each] = _version_of(each)
        if seen[each] == JAVA:
            return each
        if named:
            break
    if not seen:
        raise MissingError(f"Java {JAVA} is needed to run Cassandra, and no java was found.", _MEND)
    found = ", ".join(
        f"{path} ({'does not run' if version is None else f'version {version}'})"
        for path, version in seen.items()
    )
    raise MissingError(f"Java {JAVA} is needed to run Cassandra; found: {found}.", _MEND)


def find_maven(named: str, environ: Mapping[str, str]) -> str:
    """The `mvn` that fetches Cassandra."""
    found = shutil.which(named or "mvn", path=environ.get("PATH"))
    if found is None:
        raise MissingError(
            f"Maven is needed to fetch Cassandra, and {named or 'mvn'} was not found.",
            "Install it (Debian: apt-get install maven), or set [cassandra] maven to it.",
        )
    return found


def _javas(named: str, environ: Mapping[str, str], usual: str) -> list[str]:
    if named:
        return [shutil.which(named, path=environ.get("PATH")) or named]
    home = environ.get("JAVA_HOME")
    places = [str(Path(home) / "bin" / "java")] if home else []
    on_path = shutil.which("java", path=environ.get("PATH"))
    places += [on_path] if on_path else []
    places += sorted(map(str, Path(usual).glob(f"*{JAVA}*/bin/java")))
    return [each for each in places if os.access(each, os.X_OK)]


def _version_of(java: str) -> int | None:
    """The feature version that this program says it is."""
    try:
        asked = subprocess.run(  # noqa: S603 - the user's own java
            [java, "-version"], capture_output=True, text=True, timeout=_ASK_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r'version "(\d+)(?:\.(\d+))?', asked.stderr + asked.stdout)
    if found is None:
        return None
    major = int(found[1])
    return int(found[2] or 0) if major == 1 else major  # 1.8 was the form before 9
