"""Replies of an SMTP server: bytes in, replies out. Pure.

`ReplyReader` is strict where a mistake would let one reply be taken for another: a line that does
not begin with a code from 200 to 599, a code that changes within a reply, a line or a reply that
never ends, all set `error`, after which nothing more is read and the connection must be given up.
"""

import re

from msgspec import Struct

_LINE_MAX = 2_048
_LINES_MAX = 100
_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?!\d)")


class ReplyError(Exception):
    """What the server said is no SMTP reply."""


class Reply(Struct, frozen=True, gc=False):
    """One reply, its lines joined by newlines."""

    code: int
    text: str

    @property
    def enhanced(self) -> str:
        """The enhanced status code (RFC 3463) at the beginning of the text, or ""."""
        found = _ENHANCED.match(self.text)
        return found.group(1) if found else ""


class ReplyReader:
    """Cuts what arrives into replies."""

    __slots__ = ("_code", "_lines", "_rest", "error")

    def __init__(self) -> None:
        self.error = ""
        self._rest = b""
        self._lines: list[str] = []
        self._code = 0

    @property
    def pending(self) -> bool:
        """Whether something is here that is no complete reply."""
        return bool(self._rest or self._lines or self.error)

    def feed(self, data: bytes) -> list[Reply]:
        """The replies that are complete with `data`."""
        replies: list[Reply] = []
        if self.error:
            return replies
        lines = (self._rest + data if self._rest else data).split(b"\n")
        self._rest = lines.pop()
        try:
            for line in lines:
                reply = self._take(line)
                if reply is not None:
                    replies.append(reply)
            if len(self._rest) > _LINE_MAX:
                raise ReplyError("a line without end")
        except ReplyError as error:
            # What was complete before it stands: it may be the yes to a mail.
            self.error = str(error)
        return replies

    def _take(self, line: bytes) -> Reply | None:
        if len(line) > _LINE_MAX:
            raise ReplyError("a line without end")
        line = line.rstrip(b"\r")
        digits, mark = line[:3], line[3:4]
        if len(digits) != 3 or not digits.isdigit() or not b"2" <= digits < b"6":
            raise ReplyError("a line without a reply code")
        if mark not in (b" ", b"-", b""):
            raise ReplyError("a line without a reply code")
        code = int(digits)
        text = line[4:].decode("utf-8", "replace")
        if not self._lines:
            if mark != b"-":
                return Reply(code, text)
            self._code, self._lines = code, [text]
            return None
        if code != self._code:
            raise ReplyError("a reply with two codes")
        if len(self._lines) >= _LINES_MAX:
            raise ReplyError("a reply without end")
        self._lines.append(text)
        if mark == b"-":
            return None
        text = "\n".join(self._lines)
        self._lines = []
        return Reply(code, text)


class Extensions(Struct, frozen=True, gc=False):
    """What the server offers, from its answer to EHLO. `size_max` 0: no limit is known."""

    pipelining: bool = False
    starttls: bool = False
    smtputf8: bool = False
    size_offered: bool = False
    size_max: int = 0
    auth: frozenset[str] = frozenset()


def read_extensions(text: str) -> Extensions:
    """The extensions in the text of an EHLO reply, whose first line is the greeting."""
    found: dict[str, list[str]] = {}
    auth: set[str] = set()
    for line in text.upper().split("\n")[1:]:
        # Some servers still write the form "AUTH=LOGIN" of a draft.
        keyword, *params = line.replace("=", " ", 1).split() or [""]
        found[keyword] = params
        if keyword == "AUTH":
            auth.update(params)
    size = found.get("SIZE", [])
    return Extensions(
        pipelining="PIPELINING" in found,
        starttls="STARTTLS" in found,
        smtputf8="SMTPUTF8" in found and "8BITMIME" in found,
        size_offered="SIZE" in found,
        size_max=int(size[0]) if size and size[0].isascii() and size[0].isdigit() else 0,
        auth=frozenset(auth),
    )
