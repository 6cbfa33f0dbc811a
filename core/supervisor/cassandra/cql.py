"""Asks a node over CQL whether it is ready and which others it knows, with nothing but a socket.

The supervisor keeps nodes running; loading a driver with its threads for one question would cost
it more memory than all else that it does. Frames are those of the native protocol, version 4.
"""

import socket
import struct

_VERSION = 0x04
_ANSWER = 0x84
_ERROR, _STARTUP, _READY, _QUERY, _RESULT = 0x00, 0x01, 0x02, 0x07, 0x08
_ONE = 1
_ROWS = 2
_HEADER = struct.Struct(">BBhBi")
_OWN = "SELECT schema_version FROM system.local"
_PEERS = "SELECT data_center, tokens, schema_version FROM system.peers_v2"
_GLOBAL_TABLES, _NO_METADATA = 1, 4


class CqlError(Exception):
    """The node did not answer, or answered with an error; the text says which."""


def known_datacenters(address: str, port: int, timeout_s: float = 2.0) -> set[str]:
    """The datacentres of the other nodes that this node knows well enough to change the schema.

    Only where it knows their tokens a keyspace can be replicated, and only where their schema is
    its own a change of it arrives. Raises CqlError while the node does not answer.
    """
    try:
        with socket.create_connection((address, port), timeout_s) as wire:
            _exchange(wire, _STARTUP, _startup(), _READY)
            own = _rows(_exchange(wire, _QUERY, _query(_OWN), _RESULT))[0][0]
            peers = _rows(_exchange(wire, _QUERY, _query(_PEERS), _RESULT))
    except (OSError, struct.error, IndexError) as error:
        raise CqlError(f"{address}:{port}: {error}") from None
    return {name.decode() for name, tokens, schema in peers if name and tokens and schema == own}


def _startup() -> bytes:
    return struct.pack(">H", 1) + _short("CQL_VERSION") + _short("3.0.0")


def _query(text: str) -> bytes:
    data = text.encode()
    return struct.pack(">i", len(data)) + data + struct.pack(">HB", _ONE, 0)


def _short(text: str) -> bytes:
    return struct.pack(">H", len(text)) + text.encode()


def _exchange(wire: socket.socket, opcode: int, body: bytes, wanted: int) -> bytes:
    wire.sendall(_HEADER.pack(_VERSION, 0, 0, opcode, len(body)) + body)
    version, _, _, got, length = _HEADER.unpack(_read(wire, _HEADER.size))
    answer = _read(wire, length)
    if version != _ANSWER or got != wanted:
        said = answer[6:].decode(errors="replace") if got == _ERROR else f"opcode {got}"
        raise CqlError(f"answered {said}")
    return answer


def _read(wire: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = wire.recv(size - len(data))
        if not piece:
            raise ConnectionError("closed in the middle of an answer")
        data += piece
    return data


def _rows(body: bytes) -> list[list[bytes | None]]:
    """The cells of a RESULT of kind rows; the types are known from the query."""
    reader = _Reader(body)
    if reader.number() != _ROWS:
        return []
    flags, columns = reader.number(), reader.number()
    if flags & _GLOBAL_TABLES:
        reader.text()
        reader.text()
    for _ in range(0 if flags & _NO_METADATA else columns):
        reader.text()
        reader.type()
    return [[reader.cell() for _ in range(columns)] for _ in range(reader.number())]


class _Reader:
    """Takes one value after the other off a body."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = 0

    def number(self) -> int:
        return int(struct.unpack(">i", self._take(4))[0])

    def text(self) -> str:
        return self._take(struct.unpack(">H", self._take(2))[0]).decode()

    def type(self) -> None:
        """Pass over a column's type: a scalar, or a list or set of one."""
        kind = struct.unpack(">H", self._take(2))[0]
        if kind in (0x20, 0x22):
            self.type()

    def cell(self) -> bytes | None:
        length = self.number()
        return None if length < 0 else self._take(length)

    def _take(self, size: int) -> bytes:
        self._at += size
        return self._body[self._at - size : self._at]
