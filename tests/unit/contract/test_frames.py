"""Frames survive any way in which a socket hands them out."""

import struct

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace

from core.contract.frames import (
    AcceptBatch,
    AcceptCall,
    AcceptReplies,
    AcceptReply,
    Frame,
    FrameError,
    FrameReader,
    Hello,
    HelloOk,
    Leaving,
    MapServes,
    encode_frame,
)
from sync.placement import TenantRule, world_map

texts = st.text(st.characters(blacklist_categories=["Cs"]), max_size=20)
numbers = st.integers(0, 2**63)
WORLD = world_map(("eu", "us", "ap"), 64)
RULED = replace(
    WORLD,
    version=7,
    countries={"DE": "eu", "US": "us"},
    tenants={"acme": TenantRule({"JP": "ap"}, "us", "world")},
)
calls = st.builds(
    AcceptCall,
    numbers,
    texts,
    st.none() | texts,
    texts,
    st.lists(texts, max_size=3),
    st.lists(texts, max_size=3),
    texts,
    st.binary(max_size=300),
    repeat=st.booleans(),
    map_version=numbers,
)
replies = st.builds(
    AcceptReply,
    numbers,
    st.integers(200, 599),
    st.binary(max_size=300),
    st.dictionaries(texts, texts, max_size=2),
)
frames = st.one_of(
    st.builds(Hello, texts, texts, st.booleans()),
    st.builds(HelloOk, texts, numbers, numbers, texts, st.sampled_from([None, WORLD, RULED])),
    st.builds(MapServes, st.sampled_from([WORLD, RULED])),
    st.builds(AcceptBatch, st.lists(calls, max_size=4)),
    st.builds(AcceptReplies, st.lists(replies, max_size=4)),
    st.just(Leaving()),
)


@given(st.lists(frames, max_size=6), st.lists(st.integers(0, 4000), max_size=20))
def test_any_split_of_the_bytes_gives_the_same_frames(sent: list[Frame], cuts: list[int]) -> None:
    data = b"".join(encode_frame(frame) for frame in sent)
    ends = sorted({min(cut, len(data)) for cut in cuts} | {len(data)})
    reader = FrameReader()
    got: list[Frame] = []
    start = 0
    for end in ends:
        got += reader.feed(data[start:end])
        start = end
    assert got == sent


def test_byte_by_byte() -> None:
    sent = [
        Hello("s", "e"),
        AcceptBatch([AcceptCall(1, "t", None, "n", ["i"], ["GB"], "x", b"{}")]),
    ]
    reader = FrameReader()
    data = b"".join(encode_frame(frame) for frame in sent)
    got = [frame for at in range(len(data)) for frame in reader.feed(data[at : at + 1])]
    assert got == sent


def test_a_body_stays_bytes_whatever_it_is() -> None:
    body = bytes(range(256))
    (frame,) = FrameReader().feed(
        encode_frame(AcceptBatch([AcceptCall(1, "t", "k", "n", [], [], "x", body)]))
    )
    assert isinstance(frame, AcceptBatch)
    assert frame.calls[0].body == body


def test_a_frame_over_the_limit_is_refused_before_it_is_read() -> None:
    reader = FrameReader(frame_bytes_max=100)
    with pytest.raises(FrameError, match="limit 100"):
        reader.feed(struct.pack(">I", 101))


@given(st.binary(max_size=200))
def test_rubbish_is_a_frame_error_and_nothing_else(data: bytes) -> None:
    reader = FrameReader(frame_bytes_max=1 << 20)
    try:
        reader.feed(struct.pack(">I", len(data)) + data)
    except FrameError:
        return


@pytest.mark.parametrize("data", [b"", b"\xc1", b"\x91\x2a", b"\x80", b"\x91\x01", b"\x93" * 5000])
def test_known_rubbish(data: bytes) -> None:
    with pytest.raises(FrameError):
        FrameReader().feed(struct.pack(">I", len(data)) + data)


def framed(body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + body


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ([1, "s", "e"], Hello("s", "e", maps=False)),
        ([2, "eu", 64, 1, "i"], HelloOk("eu", 64, 1, "i", None)),
        (
            [3, [[1, "t", None, "n", ["i"], ["GB"], "x", b"{}", [], False]]],
            AcceptBatch([AcceptCall(1, "t", None, "n", ["i"], ["GB"], "x", b"{}", map_version=0)]),
        ),
    ],
)
def test_what_an_older_release_says_is_read(sent: list[object], read: Frame) -> None:
    """These are its very bytes: it knew no placement map."""
    assert FrameReader().feed(framed(msgspec.msgpack.encode(sent))) == [read]


class OldHello(Struct, tag=1, array_like=True):
    secret: str
    edge: str


class OldHelloOk(Struct, tag=2, array_like=True):
    region: str
    shards: int
    map_version: int
    incarnation: str


class OldCall(Struct, array_like=True):
    seq: int
    tenant: str
    key: str | None
    ntf: str
    ids: list[str]
    countries: list[str]
    trace: str
    body: bytes
    rejected: list[object]
    repeat: bool


class OldBatch(Struct, tag=3, array_like=True):
    calls: list[OldCall]


def test_an_older_release_reads_what_it_knows_of_a_newer_one() -> None:
    """It skips what stands behind; so nothing may ever be put in between."""
    call = AcceptCall(1, "t", None, "n", ["i"], ["GB"], "x", b"{}", repeat=True, map_version=7)
    sent = [
        Hello("s", "e", maps=True),
        HelloOk("eu", 64, 7, "i", RULED),
        AcceptBatch([call]),
    ]
    old = msgspec.msgpack.Decoder(OldHello | OldHelloOk | OldBatch)
    assert [old.decode(encode_frame(frame)[4:]) for frame in sent] == [
        OldHello("s", "e"),
        OldHelloOk("eu", 64, 7, "i"),
        OldBatch([OldCall(1, "t", None, "n", ["i"], ["GB"], "x", b"{}", [], True)]),
    ]
