"""Cuts a batch that comes in pieces into its items: lines of NDJSON, or elements of an array.

Both work the same way: `feed` each piece as it comes, then `end`; both give the items that are
whole by then, None for one that is longer than `item_bytes_max` (its bytes are dropped, the rest
goes on). Where the form itself is broken, `fault` says what and where, and nothing more comes. What
an item holds is not looked at: brackets and strings are followed only to find where it ends. At
most one item's bytes are kept. Pure.
"""

import re
from typing import Protocol

_WHITE = b" \t\r\n"
_OUTSIDE_STRINGS = re.compile(rb'["\[\]{},]')
_INSIDE_STRINGS = re.compile(rb'["\\]')
_QUOTE, _BACKSLASH, _COMMA = b'"\\,'
_OPENING, _CLOSING = b"[{", b"]}"
_END = b"]"[0]
Items = list[bytes | None]


class Cutter(Protocol):
    """See the module."""

    fault: str

    def feed(self, data: bytes) -> Items: ...

    def end(self) -> Items: ...


class _Kept:
    """The bytes of one item, as long as they are not too many."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._bytes = bytearray()
        self.too_long = False

    def add(self, data: bytes) -> None:
        if self.too_long or len(self._bytes) + len(data) > self._bytes_max:
            self.too_long = True
            self._bytes.clear()
        else:
            self._bytes += data

    def take(self) -> bytes | None:
        """The item, without the white space around it; None if it was too long."""
        item = None if self.too_long else bytes(self._bytes.strip(_WHITE))
        self.too_long = False
        self._bytes.clear()
        return item


class Lines:
    """NDJSON. Empty lines are passed over; the last line need not end."""

    def __init__(self, item_bytes_max: int) -> None:
        self.fault = ""
        self._kept = _Kept(item_bytes_max)

    def feed(self, data: bytes) -> Items:
        items: Items = []
        begin = 0
        while (at := data.find(b"\n", begin)) >= 0:
            self._kept.add(data[begin:at])
            self._line(items)
            begin = at + 1
        self._kept.add(data[begin:])
        return items

    def end(self) -> Items:
        items: Items = []
        self._line(items)
        return items

    def _line(self, items: Items) -> None:
        line = self._kept.take()
        if line != b"":
            items.append(line)


class Elements:
    """A JSON array."""

    def __init__(self, item_bytes_max: int) -> None:
        self.fault = ""
        self._kept = _Kept(item_bytes_max)
        self._bytes_before = 0
        self._opened = False
        self._closed = False
        self._depth = 0
        self._in_string = False
        self._escaped = False
        self._count = 0

    def feed(self, data: bytes) -> Items:
        items: Items = []
        if self.fault:
            return items
        begin = 0 if self._opened else self._open(data)
        while not self._closed and not self.fault:
            at = self._separator(data, begin)
            if at < 0:
                self._kept.add(data[begin:])
                break
            self._kept.add(data[begin:at])
            begin = at + 1
            self._element(items, self._bytes_before + at, last=data[at] == _END)
        if self._closed and (left := data[begin:].lstrip(_WHITE)):
            at = self._bytes_before + len(data) - len(left)
            self.fault = f"something stands behind the array, from byte {at}"
        self._bytes_before += len(data)
        return items

    def end(self) -> Items:
        if not self._opened:
            self.fault = self.fault or "the body is empty; it has to be a JSON array"
        elif not self._closed and not self.fault:
            self.fault = f"the array ends in the middle, after byte {self._bytes_before}"
        return []

    def _open(self, data: bytes) -> int:
        """Go behind the array's own bracket; to the end of the piece where it has not come."""
        left = data.lstrip(_WHITE)
        at = len(data) - len(left)
        if left and left[:1] != b"[":
            self.fault = f"this is no JSON array: at byte {self._bytes_before + at} is no bracket"
        self._opened = bool(left) and not self.fault
        return at + 1 if self._opened else len(data)

    def _separator(self, data: bytes, at: int) -> int:
        """Where the next comma between elements or the end of the array is; -1: further on."""
        if self._escaped and at < len(data):
            self._escaped = False
            at += 1
        while True:
            found = (_INSIDE_STRINGS if self._in_string else _OUTSIDE_STRINGS).search(data, at)
            if found is None:
                return -1
            at = found.end()
            byte = data[found.start()]
            if byte == _QUOTE:
                self._in_string = not self._in_string
            elif byte == _BACKSLASH:
                self._escaped = at == len(data)
                at += 1
            elif byte in _OPENING:
                self._depth += 1
            elif self._depth:
                self._depth -= byte in _CLOSING
            elif byte in (_COMMA, _END):
                return found.start()

    def _element(self, items: Items, at: int, *, last: bool) -> None:
        element = self._kept.take()
        self._closed = last
        if element != b"":
            self._count += 1
            items.append(element)
        elif not last or self._count:
            self.fault = f"an element is missing before byte {at}"
