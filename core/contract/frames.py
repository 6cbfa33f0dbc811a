"""The link between an edge and a core: frames of msgpack behind a four-byte length.

The edge opens the connection and says `Hello`; the core answers `HelloOk` or closes. Then the
edge sends `AcceptBatch` and the core `AcceptReplies`, each call answered once by its `seq`, in
any order. `Leaving` says that the core takes no new calls soon: the edge stops choosing it, and
the core still answers what crossed. `MapServes` says that the core accepts by another version of
the placement map from then on, before it answers anything by it. A frame that is too long or cannot
be read raises `FrameError`; the link is closed then, since nothing behind it can be trusted.

Edge and core may be of different releases. What was added stands behind what was there, with a
default; and `MapServes` is sent to those alone that said in their `Hello` that they know it.
"""

from collections.abc import Sequence
from struct import Struct as Packing

import msgspec
from msgspec import Struct, field

from core.contract.recipients import Rejected
from sync.placement import PlacementMap

FRAME_BYTES_MAX = 32 * 1024 * 1024
_LENGTH = Packing(">I")


class FrameError(Exception):
    """The other side sent what is no frame."""


class Hello(Struct, tag=1, array_like=True, frozen=True, gc=False):
    """First frame of the edge. `edge` names it in logs; with `maps` it mints by the placement
    map that it is told, and knows `MapServes`."""

    secret: str
    edge: str
    maps: bool = False


class HelloOk(Struct, tag=2, array_like=True, frozen=True, gc=False):
    """The core's answer: where it is, and how ids are to be minted for it.

    `placement` is the map that the core accepts by. One of an older release says none: its region
    is then the home of everything.
    """

    region: str
    shards: int
    map_version: int
    incarnation: str
    placement: PlacementMap | None = None


class AcceptCall(Struct, array_like=True, frozen=True, gc=False):
    """One request. `ids` and `countries` stand in the order of those recipients that are good.

    `body` is the caller's JSON as it came, already checked by the edge. `countries` are ISO
    3166 alpha-2 codes of the recipients' phone numbers, "ZZ" where there is none or it does not
    say. `rejected` are recipients that only the edge can tell to be wrong. `repeat` says that a
    core may have had this call before: it was counted against limits then. `map_version` is the
    version of the placement map by which the ids were minted, 0 where the edge knows of none.
    """

    seq: int
    tenant: str
    key: str | None
    ntf: str
    ids: list[str]
    countries: list[str]
    trace: str
    body: bytes
    rejected: list[Rejected] = field(default_factory=list)
    repeat: bool = False
    map_version: int = 0


class AcceptBatch(Struct, tag=3, array_like=True, frozen=True, gc=False):
    """What an edge passes on in one turn."""

    calls: Sequence[AcceptCall]


class AcceptReply(Struct, array_like=True, frozen=True, gc=False):
    """The answer to one call, relayed to the caller byte for byte."""

    seq: int
    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


class AcceptReplies(Struct, tag=4, array_like=True, frozen=True, gc=False):
    """Answers, in any order."""

    replies: Sequence[AcceptReply]


class Leaving(Struct, tag=5, array_like=True, frozen=True, gc=False):
    """The core is stopping: choose another one for what comes now."""


class MapServes(Struct, tag=6, array_like=True, frozen=True, gc=False):
    """The core accepts by this version of the placement map from now on."""

    placement: PlacementMap


Frame = Hello | HelloOk | AcceptBatch | AcceptReplies | Leaving | MapServes
_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Frame] = msgspec.msgpack.Decoder(Frame)


def encode_frame(frame: Frame) -> bytes:
    """The frame as it goes over the wire, its length in front."""
    out = bytearray(4)
    _encoder.encode_into(frame, out, 4)
    _LENGTH.pack_into(out, 0, len(out) - 4)
    return bytes(out)


class FrameReader:
    """Puts frames together from whatever pieces the socket hands out."""

    def __init__(self, frame_bytes_max: int = FRAME_BYTES_MAX) -> None:
        self._frame_bytes_max = frame_bytes_max
        self._kept = bytearray()

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that are whole now. The rest is kept; at most one frame's worth."""
        kept = self._kept
        kept += data
        frames: list[Frame] = []
        start = 0
        have = len(kept)
        view = memoryview(kept)
        try:
            while have - start >= 4:
                (length,) = _LENGTH.unpack_from(view, start)
                if length > self._frame_bytes_max:
                    raise FrameError(f"a frame of {length} bytes, limit {self._frame_bytes_max}")
                if have - start - 4 < length:
                    break
                frames.append(_decode(view[start + 4 : start + 4 + length]))
                start += 4 + length
        finally:
            view.release()
        del kept[:start]
        return frames


def _decode(view: memoryview) -> Frame:
    try:
        return _decoder.decode(view)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise FrameError(f"a frame that cannot be read: {error}") from None
    finally:
        view.release()
