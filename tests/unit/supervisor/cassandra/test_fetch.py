"""Cassandra is fetched once, whole, and what stands in the way is said."""

import os
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from core.supervisor.cassandra.fetch import VERSION, FetchError, default_folder, installed
from core.supervisor.cassandra.programs import MissingError, find_java

# A Maven that makes jars: an empty zip is 22 bytes. It notes each run in the file RUNS.
MAKES_JARS = f"""#!/bin/sh
echo run >> "$RUNS"
for word in "$@"; do case "$word" in -DoutputDirectory=*) out="${{word#*=}}";; esac; done
mkdir -p "$out"
sleep 0.3
for name in cassandra-all-{VERSION} $(seq 1 60); do
  printf 'PK\\005\\006\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0' > "$out/$name.jar"
done
"""


def program(path: Path, text: str) -> str:
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def environ(tmp_path: Path) -> dict[str, str]:
    return {**os.environ, "RUNS": str(tmp_path / "runs")}


def runs(tmp_path: Path) -> int:
    path = tmp_path / "runs"
    return len(path.read_text().splitlines()) if path.exists() else 0


def test_it_is_fetched_once_and_told(tmp_path: Path) -> None:
    maven = program(tmp_path / "mvn", MAKES_JARS)
    told: list[str] = []
    place = installed(tmp_path / "kept", maven, environ(tmp_path), told.append)
    assert (place / f"cassandra-all-{VERSION}.jar").exists()
    assert f"fetching Cassandra {VERSION}" in told[0]
    assert "61 jars" in told[-1]
    told.clear()
    assert installed(tmp_path / "kept", maven, environ(tmp_path), told.append) == place
    assert (told, runs(tmp_path)) == ([], 1)


def test_an_installation_needs_no_maven(tmp_path: Path) -> None:
    (tmp_path / "kept" / VERSION).mkdir(parents=True)
    assert installed(tmp_path / "kept", "no-such-mvn", {"PATH": ""}, print).is_dir()


def test_two_at_once_fetch_once(tmp_path: Path) -> None:
    maven = program(tmp_path / "mvn", MAKES_JARS)
    told: list[str] = []
    places: list[Path] = []

    def fetch() -> None:
        places.append(installed(tmp_path / "kept", maven, environ(tmp_path), told.append))

    threads = [threading.Thread(target=fetch) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert places == [tmp_path / "kept" / VERSION] * 3
    assert runs(tmp_path) == 1
    assert sum("waiting for it" in text for text in told) == 2


@pytest.mark.parametrize(
    ("script", "says"),
    [
        (
            "#!/bin/sh\necho '[ERROR] Could not resolve it: no route to host'\nexit 1\n",
            "no route to host",
        ),
        (MAKES_JARS.replace("seq 1 60", "seq 1 5"), "6 jars only"),
        (MAKES_JARS + 'printf abc > "$out/7.jar"\n', "not whole: 7.jar"),
        ("#!/bin/sh\nexit 0\n", "0 jars only"),
    ],
    ids=["no network", "too few", "cut short", "none"],
)
def test_what_is_not_whole_is_no_installation(tmp_path: Path, script: str, says: str) -> None:
    maven = program(tmp_path / "mvn", script)
    kept = tmp_path / "kept"
    with pytest.raises(FetchError, match=says) as raised:
        installed(kept, maven, environ(tmp_path), print)
    assert "try again" in raised.value.mend
    assert [path.name for path in kept.iterdir()] == [f"{VERSION}.lock"]
    good = program(tmp_path / "good", MAKES_JARS)
    assert installed(kept, good, environ(tmp_path), print).is_dir()


def test_a_maven_that_hangs_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    script = f"#!/bin/sh\nsleep 60 &\necho $! > {tmp_path}/child\nwait\n"
    maven = program(tmp_path / "mvn", script)
    with pytest.raises(FetchError, match="said nothing"):
        installed(tmp_path / "kept", maven, environ(tmp_path), print, silent_s=0.5)
    child = int((tmp_path / "child").read_text())
    until = time.monotonic() + 5
    while Path(f"/proc/{child}").exists() and time.monotonic() < until:
        time.sleep(0.02)
    assert not Path(f"/proc/{child}").exists()


def test_what_a_killed_fetch_left_is_no_installation_and_goes(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    slow = program(tmp_path / "slow", MAKES_JARS.replace("sleep 0.3", "sleep 30"))
    code = (
        "import os, pathlib\n"
        "from core.supervisor.cassandra.fetch import installed\n"
        f"installed(pathlib.Path({str(kept)!r}), {slow!r}, dict(os.environ), print)\n"
    )
    killed = subprocess.Popen(
        [sys.executable, "-c", code], env=environ(tmp_path), stdout=subprocess.DEVNULL
    )
    until = time.monotonic() + 30
    while not list(kept.glob(f".{VERSION}.*/lib")) and time.monotonic() < until:
        time.sleep(0.02)
    killed.kill()
    killed.wait()
    assert not (kept / VERSION).exists()
    assert len(list(kept.glob(f".{VERSION}.*"))) == 1
    maven = program(tmp_path / "mvn", MAKES_JARS)
    installed(kept, maven, environ(tmp_path), print)
    assert not list(kept.glob(f".{VERSION}.*"))


def test_without_maven_it_is_said_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="Maven is needed") as raised:
        installed(tmp_path / "kept", "", {"PATH": str(tmp_path)}, print)
    assert "apt-get install maven" in raised.value.mend


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    maven = program(tmp_path / "mvn", MAKES_JARS)
    (tmp_path / "file").write_text("")
    with pytest.raises(FetchError, match="cannot be kept there"):
        installed(tmp_path / "file" / "kept", maven, environ(tmp_path), print)


def test_the_default_folder_is_in_the_users_cache() -> None:
    assert default_folder({"HOME": "/h"}) == Path("/h/.cache/goutong/cassandra")
    assert default_folder({"HOME": "/h", "XDG_CACHE_HOME": "/c"}) == Path("/c/goutong/cassandra")
    with pytest.raises(FetchError, match="neither HOME"):
        default_folder({})


def java(path: Path, version: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    return program(path, f"#!/bin/sh\necho 'openjdk version \"{version}\" 2025' >&2\n")


def test_java_is_the_first_of_the_right_version(tmp_path: Path) -> None:
    usual = tmp_path / "jvm"
    wanted = java(usual / "java-17-openjdk" / "bin" / "java", "17.0.15")
    java(tmp_path / "bin" / "java", "21.0.1")
    java(tmp_path / "home" / "bin" / "java", "1.8.0_402")
    given = {"PATH": f"{tmp_path / 'bin'}:/bin", "JAVA_HOME": str(tmp_path / "home")}
    assert find_java("", given, str(usual)) == wanted
    java(tmp_path / "home" / "bin" / "java", "17")
    assert find_java("", given, str(usual)) == str(tmp_path / "home" / "bin" / "java")


def test_a_java_of_another_version_is_refused_with_what_was_found(tmp_path: Path) -> None:
    found = java(tmp_path / "java", "21.0.1")
    nowhere = str(tmp_path / "none")
    with pytest.raises(MissingError, match="version 21"):
        find_java(found, os.environ, nowhere)
    with pytest.raises(MissingError, match="does not run"):
        find_java(str(tmp_path / "missing"), os.environ, nowhere)
    with pytest.raises(MissingError, match="no java was found") as raised:
        find_java("", {"PATH": nowhere}, nowhere)
    assert "openjdk-17" in raised.value.mend
