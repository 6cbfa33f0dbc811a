"""The data folder: secrets made once, files that appear whole, locks that die with their holder."""

import socket
from pathlib import Path
from random import Random

import pytest

from core.supervisor.folder import DataFolder, FolderError
from core.supervisor.part import Pace
from core.supervisor.ports import keep_ports


def test_secret_is_made_once_and_private(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "data")
    made = folder.secret("internal.key")
    assert len(bytes.fromhex(made)) == 32
    assert DataFolder(tmp_path / "data").secret("internal.key") == made
    assert folder.secret("hash.key") != made
    assert (folder.path / "internal.key").stat().st_mode & 0o777 == 0o600


def test_json_is_replaced_whole(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    assert folder.read_json("x.json") is None
    folder.write_json("x.json", {"a": 1})
    folder.write_json("x.json", {"a": 2})
    assert folder.read_json("x.json") == {"a": 2}
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["x.json"]


def test_broken_json_says_what_to_do(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    (tmp_path / "ports.json").write_text("{")
    with pytest.raises(FolderError, match=r"is not JSON\. Delete it"):
        folder.read_json("ports.json")


def test_folder_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FolderError, match="Name another with --data"):
        DataFolder(tmp_path / "file" / "data")


def test_lock_is_held_once(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    held = folder.lock("up", 0)
    assert held is not None
    assert folder.lock("up", 30) is None
    assert folder.held() == ["up"]
    held.release()
    assert folder.held() == []
    assert folder.lock("up", 0) is not None


def test_ports_are_kept(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    first, notices = keep_ports(folder, [("edge", 0), ("nats", 0)], Random(1))
    again, _ = keep_ports(folder, [("edge", 0), ("nats", 0), ("core-0-http", 0)], Random(2))
    assert notices == []
    assert len(set(again.values())) == 3
    assert first.items() <= again.items()


def test_ports_are_not_those_of_outgoing_connections(tmp_path: Path) -> None:
    wanted = [(f"port-{number}", 0) for number in range(20)]
    chosen, _ = keep_ports(DataFolder(tmp_path), wanted, Random(1))
    begins = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert all(20_000 <= port < max(begins, 21_000) for port in chosen.values())


def test_fixed_port_is_taken_as_it_is(tmp_path: Path) -> None:
    chosen, _ = keep_ports(DataFolder(tmp_path), [("edge", 8080)], Random(1))
    assert chosen == {"edge": 8080}


def test_port_of_a_stranger_is_replaced_and_told(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    before, _ = keep_ports(folder, [("edge", 0)], Random(1))
    with socket.create_server(("127.0.0.1", before["edge"])):
        now, notices = keep_ports(folder, [("edge", 0)], Random(1))
    assert now["edge"] != before["edge"]
    assert notices == [
        f"port {before['edge']} of edge is taken by another program; it is {now['edge']} now"
    ]
    assert keep_ports(folder, [("edge", 0)], Random(3))[0] == now


def test_pauses_double_up_to_the_longest() -> None:
    pace = Pace(first_ms=100, longest_ms=5000, steady_ms=30_000, lock_wait_ms=0)
    pauses = [pace.pause_ms(deaths) for deaths in range(1, 9)]
    assert pauses == [100, 200, 400, 800, 1600, 3200, 5000, 5000]
    assert pace.pause_ms(10_000) == 5000
