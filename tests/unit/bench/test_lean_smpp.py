"""The lean SMSC against PDUs that are built and taken apart here, by hand."""

import struct

import pytest

from core.bench.lean.goal import Goal
from core.bench.lean.smpp import BadPduError, Smsc, SmscConnection, read_submit
from tests.unit.bench.fakes import FakeClock, FakeTransport


def pdu(command: int, sequence: int, body: bytes = b"", status: int = 0) -> bytes:
    return struct.pack(">IIII", 16 + len(body), command, status, sequence) + body


def submit(sequence: int, to: bytes = b"447312345678", registered: int = 1) -> bytes:
    text = b"hello"
    body = b"\0\5\0GouTong\0\1\1" + to + b"\0" + b"\0\0\0" + b"\0" + b"000001000000000R\0"
    return pdu(4, sequence, body + bytes([registered, 0, 0, 0, len(text)]) + text)


def pdus(data: bytes) -> list[tuple[int, int, int, bytes]]:
    out = []
    while data:
        length, command, status, sequence = struct.unpack_from(">IIII", data)
        assert 16 <= length <= len(data)
        out.append((command, status, sequence, data[16:length]))
        data = data[length:]
    return out


class Bench:
    def __init__(self, delay_s: float = 0.05) -> None:
        self.clock = FakeClock()
        self.acked = Goal(self.clock.now)
        self.smsc = Smsc(self.acked, 1_000_000_001, self.clock.now, self.clock.call_later)
        self.smsc.begin(delay_s)
        self.connection = SmscConnection(self.smsc)
        self.transport = FakeTransport()
        self.connection.connection_made(self.transport)

    def say(self, data: bytes) -> list[tuple[int, int, int, bytes]]:
        self.connection.data_received(data)
        return pdus(self.transport.take())

    def wait(self, seconds: float) -> list[tuple[int, int, int, bytes]]:
        self.clock.go(seconds)
        return pdus(self.transport.take())


def test_submit_is_read() -> None:
    data = b"xx" + submit(9)
    assert read_submit(data, 2) == (b"GouTong", b"447312345678", True)
    assert read_submit(submit(9, registered=0), 0)[2] is False


def test_binds_links_and_unknown_commands_are_answered() -> None:
    bench = Bench()
    assert bench.say(pdu(9, 1, b"bench\0x\0\0\x34\0\0\0")) == [(0x80000009, 0, 1, b"lean\0")]
    assert bench.say(pdu(0x15, 2)) == [(0x80000015, 0, 2, b"")]
    assert bench.say(pdu(0x77, 3)) == [(0x80000000, 3, 3, b"")]
    assert bench.say(pdu(6, 4)) == [(0x80000006, 0, 4, b"")]


def test_a_chunk_of_submits_is_answered_in_one_write_and_their_receipts_too() -> None:
    bench = Bench()
    bench.connection.data_received(submit(1) + submit(2, b"447300000002"))
    assert len(bench.transport.written) == 1
    answers = pdus(bench.transport.take())
    assert [(a[0], a[1], a[2]) for a in answers] == [(0x80000004, 0, 1), (0x80000004, 0, 2)]
    assert [a[3] for a in answers] == [b"1000000001\0", b"1000000002\0"]
    assert bench.smsc.destinations == {b"447312345678", b"447300000002"}
    assert bench.wait(0.04) == []
    bench.clock.go(0.02)
    assert len(bench.transport.written) == 1
    receipts = pdus(bench.transport.take())
    assert [r[0] for r in receipts] == [5, 5]
    service, source, destination, rest = split_deliver(receipts[1][3])
    assert (service, source, destination) == (b"", b"447300000002", b"GouTong")
    assert rest.startswith(b"\x04\0\0\0\0\0\0\0\0")
    text = rest[10:]
    assert len(text) == rest[9]
    assert text.startswith(b"id:1000000002 ")
    assert b" stat:DELIVRD err:000" in text


def split_deliver(body: bytes) -> tuple[bytes, bytes, bytes, bytes]:
    service, _, rest = body.partition(b"\0")
    source, _, rest = rest[2:].partition(b"\0")
    destination, _, rest = rest[2:].partition(b"\0")
    return service, source, destination, rest


def test_no_receipt_where_none_was_asked_for() -> None:
    bench = Bench()
    bench.say(submit(1, registered=0))
    assert bench.wait(10) == []


def test_an_acknowledged_receipt_counts_once_and_a_refused_one_comes_again() -> None:
    bench = Bench()
    bench.acked.aim(1)
    bench.say(submit(1))
    (first,) = bench.wait(0.1)
    bench.say(pdu(0x80000005, first[2], b"\0", status=0x64))
    assert bench.acked.count == 0
    assert bench.smsc.refused == 1
    (second,) = bench.wait(1.1)
    assert second[3] == first[3]
    assert second[2] != first[2]
    bench.say(pdu(0x80000005, second[2], b"\0"))
    bench.say(pdu(0x80000005, second[2], b"\0"))
    assert bench.acked.count == 1
    assert bench.acked.reached.is_set()


def test_pieces_cut_anywhere_give_the_same_answers() -> None:
    stream = pdu(9, 1, b"b\0p\0\0\x34\0\0\0") + submit(2) + pdu(0x15, 3) + submit(4)
    whole = Bench().say(stream)
    for cut in range(1, len(stream)):
        bench = Bench()
        assert bench.say(stream[:cut]) + bench.say(stream[cut:]) == whole, cut


def test_a_length_that_no_pdu_has_is_refused() -> None:
    with pytest.raises(BadPduError):
        Bench().say(struct.pack(">IIII", 8, 4, 0, 1))
