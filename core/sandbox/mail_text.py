"""An e-mail as its recipient reads it: subject and text. Pure, and it never fails.

Whatever a mail is made of, there is something to show: a part that cannot be decoded is shown with
replacement characters, a mail without a text part as its HTML without the tags.
"""

import re
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesParser
from html.parser import HTMLParser

from msgspec import Struct

HEADER_REFERENCE = "X-GouTong-Ref"

_UNSEEN = frozenset({"script", "style", "head", "title", "template"})
_BLOCKS = frozenset({"p", "div", "br", "tr", "li", "h1", "h2", "h3", "h4", "h5", "h6", "table"})
_BLANKS = re.compile(r"[ \t\r\f\v\n]+")
_EMPTY_LINES = re.compile(r"\n{3,}")
_LINK = re.compile(r"<(https?://[^>]*)>")
_FOLD = re.compile(r"\r?\n([ \t])")
# The newer policies of this parser understand more of a header, and take ten times as long.
_parser = BytesParser()


class MailText(Struct, frozen=True):
    """What the history shows of a mail."""

    text: str
    ref: str | None
    unsubscribe: str = ""


def read_mail(data: bytes) -> MailText:
    """Subject, empty line, text; the attempt's name and the one-click link from their headers."""
    try:
        mail = _parser.parsebytes(data)
        subject = _header(mail, "Subject")
        ref = _header(mail, HEADER_REFERENCE)
        link = _LINK.search(_header(mail, "List-Unsubscribe") or "")
        body = _body(mail)
    except Exception:  # the parser raises many things on broken mails
        return MailText("\n\n" + data.decode("utf-8", "replace"), None)
    return MailText(f"{subject or ''}\n\n{body}", ref, link[1] if link else "")


def strip_html(html: str) -> str:
    """The visible text; block elements begin new lines."""
    stripper = _Stripper()
    stripper.feed(html)
    stripper.close()
    lines = [_BLANKS.sub(" ", line).strip() for line in "".join(stripper.pieces).split("\n")]
    return _EMPTY_LINES.sub("\n\n", "\n".join(lines)).strip("\n")


def _header(mail: Message, name: str) -> str | None:
    """A header as it is read: unfolded, its encoded words decoded; None if it is not there."""
    wanted = name.lower()
    raw = next((value for found, value in mail.raw_items() if found.lower() == wanted), None)
    if raw is None:
        return None
    # Octets above 127 that no encoded word holds are UTF-8, as RFC 6532 has it.
    octets = str(raw).encode("utf-8", "surrogateescape")
    text = _FOLD.sub(r"\1", octets.decode("utf-8", "replace")).strip()
    if "=?" not in text:
        return text
    try:
        return str(make_header(decode_header(text)))
    except (LookupError, ValueError, HeaderParseError):
        return text


def _body(mail: Message) -> str:
    """The first text that is no attachment, else the first HTML."""
    html: Message | None = None
    for part in mail.walk():
        if part.is_multipart() or part.get_content_disposition() == "attachment":
            continue
        kind = part.get_content_type()
        if kind == "text/plain":
            # A mail's last line is always ended; that newline is the wire's, not the writer's.
            return _text(part).rstrip("\n")
        if kind == "text/html" and html is None:
            html = part
    return "" if html is None else strip_html(_text(html))


def _text(part: Message) -> str:
    octets = part.get_payload(decode=True)
    assert isinstance(octets, bytes)
    return _decoded(octets, part.get_content_charset("utf-8")).replace("\r\n", "\n")


def _decoded(octets: bytes, charset: str) -> str:
    try:
        return octets.decode(charset, "replace")
    except LookupError:
        return octets.decode("utf-8", "replace")


class _Stripper(HTMLParser):
    """Collects what is seen."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._unseen = 0

    def handle_starttag(self, tag: str, _attrs: list[tuple[str, str | None]]) -> None:
        if tag in _UNSEEN:
            self._unseen += 1
        elif tag in _BLOCKS:
            self.pieces.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in _UNSEEN:
            self._unseen = max(0, self._unseen - 1)
        elif tag in _BLOCKS and tag != "br":
            self.pieces.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            # A newline inside HTML is a blank.
            self.pieces.append(data.replace("\n", " "))
