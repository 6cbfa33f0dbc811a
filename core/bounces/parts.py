"""A mail that a stranger wrote, taken apart within bounds. Pure, and it never fails.

`read_part` gives the headers and the body; `Part.parts` those inside of a multipart. Headers are
read by the standard library, of which only as much as the bounds allow is shown to it; the parts
are found here, in one pass for each level, because its parser goes as deep as a stranger wants.
A part that is cut off, or whose boundary never comes, has what is there.
"""

import binascii
from email.errors import MessageError
from email.message import Message
from email.parser import BytesHeaderParser

_HEAD_BYTES_MAX = 32_768
_HEADER_CHARS_MAX = 2_000
_PARTS_MAX = 20
_BOUNDARY_CHARS_MAX = 200  # RFC 2046 says 70
# The newer policies of this parser raise on some headers, and take ten times as long.
_parser = BytesHeaderParser()


class Part:
    """Headers and body. Values of headers are unfolded; one that is too long reads as ""."""

    def __init__(self, head: Message, body: bytes) -> None:
        self._head = head
        self.body = body

    def header(self, name: str) -> str:
        """The first header of that name, or ""."""
        wanted = name.lower()
        for found, value in self._head.raw_items():
            if found.lower() == wanted:
                text = " ".join(str(value).split())
                return text if len(text) <= _HEADER_CHARS_MAX else ""
        return ""

    @property
    def kind(self) -> str:
        """The content type in lower case."""
        return self.header("Content-Type").partition(";")[0].strip().lower() or "text/plain"

    def parameter(self, name: str) -> str:
        """A parameter of the content type, or ""."""
        if not self.header("Content-Type"):
            return ""
        try:
            value = self._head.get_param(name, "", "content-type")
        except (MessageError, ValueError, LookupError, TypeError):
            return ""
        return value if isinstance(value, str) else ""

    def text(self) -> str:
        """The body as text, its transfer encoding undone as far as that goes."""
        encoding = self.header("Content-Transfer-Encoding").lower()
        body = self.body
        if encoding == "quoted-printable":
            body = binascii.a2b_qp(body)
        elif encoding == "base64":
            try:
                body = binascii.a2b_base64(body)
            except binascii.Error:
                body = b""
        return body.decode("utf-8", "replace")

    def parts(self) -> list["Part"]:
        """The parts of a multipart, at most twenty; none of anything else."""
        boundary = self.parameter("boundary")
        if not self.kind.startswith("multipart/") or not boundary:
            return []
        if len(boundary) > _BOUNDARY_CHARS_MAX:
            return []
        sign = b"\n--" + boundary.encode("utf-8", "surrogateescape")
        body = b"\n" + self.body
        found: list[Part] = []
        at = body.find(sign)
        while at >= 0 and len(found) < _PARTS_MAX:
            begin = body.find(b"\n", at + len(sign))
            if begin < 0 or body.startswith(b"--", at + len(sign)):
                break
            at = body.find(sign, begin)
            found.append(read_part(body[begin + 1 : at if at >= 0 else len(body)]))
        return found


def read_part(data: bytes) -> Part:
    """Headers up to the first empty line, and what follows."""
    data = data.replace(b"\r\n", b"\n") if b"\r" in data else data
    if data.startswith(b"\n"):
        return Part(Message(), data[1:])
    head, _, body = data.partition(b"\n\n")
    head = head[:_HEAD_BYTES_MAX]
    try:
        return Part(_parser.parsebytes(head + b"\n\n"), body)
    except (MessageError, ValueError, LookupError, TypeError):
        return Part(Message(), body)


def groups(text: str, groups_max: int) -> list[Part]:
    """The groups of headers of a report, which empty lines separate."""
    found = []
    for block in text.replace("\r\n", "\n").split("\n\n"):
        if block.strip():
            found.append(read_part(block.strip("\n").encode("utf-8", "replace") + b"\n\n"))
            if len(found) == groups_max:
                break
    return found
