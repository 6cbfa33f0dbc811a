"""The history's files: numbers, pages, segments, torn lines, a full disk."""

from pathlib import Path

import msgspec
import pytest

from core.sandbox.appendfile import AppendFile
from core.sandbox.history import Entry, History
from core.sandbox.limits import SandboxLimits

SMALL = SandboxLimits(
    history_max=50, segment_entries_max=20, page_entries_max=1000, segment_bytes_max=10_000
)


def entry(text: str) -> Entry:
    return Entry("2026-01-01T00:00:00.000Z", "p", "smpp", "+1", text, "accepted", True, None)


def texts(history: History, after: int, limit: int = 1000) -> list[str]:
    return [msgspec.json.decode(line)["text"] for line in history.read(after, limit)]


def fill(history: History, start: int, end: int) -> None:
    for number in range(start, end + 1):
        history.append([entry(str(number))])


def test_pages_begin_after_any_number(tmp_path: Path) -> None:
    history = History(tmp_path, SandboxLimits())
    history.append([entry(str(number)) for number in range(1, 301)])
    for after in (0, 1, 63, 64, 65, 128, 299):
        assert texts(history, after, 3) == [str(n) for n in range(after + 1, min(after + 4, 301))]
    assert texts(history, 300) == []
    assert texts(history, 10**12) == []
    history.close()


@pytest.mark.parametrize("stop_at", [1, 19, 20, 21, 45])
def test_opened_again_it_goes_on_where_it_stopped(tmp_path: Path, stop_at: int) -> None:
    history = History(tmp_path, SMALL)
    fill(history, 1, stop_at)
    history.close()
    history = History(tmp_path, SMALL)
    assert history.last_seq == stop_at
    fill(history, stop_at + 1, 48)
    assert texts(history, 0) == [str(number) for number in range(1, 49)]
    history.close()


def test_the_oldest_segments_go_by_entries(tmp_path: Path) -> None:
    history = History(tmp_path, SMALL)
    fill(history, 1, 500)
    kept = texts(history, 0)
    assert kept == [str(number) for number in range(500 - len(kept) + 1, 501)]
    assert 50 <= len(kept) < 50 + 2 * 20
    assert texts(history, 498) == ["499", "500"]
    assert len(list(tmp_path.iterdir())) <= 5
    history.close()


def test_the_oldest_segments_go_by_bytes(tmp_path: Path) -> None:
    limits = SandboxLimits(segment_bytes_max=10_000, history_bytes_max=50_000)
    history = History(tmp_path, limits)
    for _ in range(100):
        history.append([entry("x" * 1000)])
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) < 75_000
    assert len(history.read(0, 1000)) > 30
    history.close()


def test_lines_longer_than_any_chunk(tmp_path: Path) -> None:
    history = History(tmp_path, SandboxLimits())
    long = ["a" * 3_000_000, "b", "c" * 700_000, "d" * 262_144, "e"]
    history.append([entry(text) for text in long])
    history.close()
    history = History(tmp_path, SandboxLimits())
    assert history.last_seq == 5
    assert [texts(history, after, 1) for after in range(5)] == [[text] for text in long]
    assert texts(history, 0) == long
    history.close()


def test_a_torn_line_is_cut_off(tmp_path: Path) -> None:
    history = History(tmp_path, SandboxLimits())
    fill(history, 1, 3)
    history.close()
    [file] = tmp_path.iterdir()
    with file.open("ab") as torn:
        torn.write(b'{"seq":4,"at":"2026')
    history = History(tmp_path, SandboxLimits())
    fill(history, 4, 4)
    assert texts(history, 0) == ["1", "2", "3", "4"]
    history.close()


def test_a_file_that_is_one_torn_line(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 3_000_000)
    file = AppendFile(path)
    assert file.size == path.stat().st_size == 0
    file.close()


def test_an_append_that_fails_leaves_nothing(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    signal = pytest.importorskip("signal")
    file = AppendFile(tmp_path / "file")
    file.append(b"whole line\n")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20, before[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            file.append(b"a second whole line\n")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert file.read(0, 100) == b"whole line\n"
    file.append(b"third\n")
    assert file.read(0, 100) == b"whole line\nthird\n"
    file.close()
