"""An e-mail as its recipient reads it: subject and text. Pure, and it never fails.

Whatever a mail is made of, there is something to show: a part that cannot be decoded is shown with
replacement characters, a mail without a text part as its HTML without the tags.
"""

import re
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from html.parser import HTMLParser

from msgspec import Struct

HEADER_REFERENCE = "X-GouTong-Ref"

_UNSEEN = frozenset({"script", "style", "head", "title", "template"})
_BLOCKS = frozenset({"p", "div", "br", "tr", "li", "h1", "h2", "h3", "h4", "h5", "h6", "table"})
_BLANKS = re.compile(r"[ \t\r\f\v\n]+")
_EMPTY_LINES = re.compile(r"\n{3,}")
_parser = BytesParser(policy=policy.SMTP)


class MailText(Struct, frozen=True):
    """What the history shows of a mail."""

    text: str
    ref: str | None


def read_mail(data: bytes) -> MailText:
    """Subject, empty line, text; and the attempt's name from its header."""
    try:
        mail = _parser.parsebytes(data)
        subject = str(mail["Subject"] or "")
        ref = str(mail[HEADER_REFERENCE]).strip() if HEADER_REFERENCE in mail else None
        body = _body(mail)
    except Exception:  # the parser raises many things on broken mails
        return MailText("\n\n" + data.decode("utf-8", "replace"), None)
    return MailText(f"{subject}\n\n{body}", ref)


def strip_html(html: str) -> str:
    """The visible text; block elements begin new lines."""
    stripper = _Stripper()
    stripper.feed(html)
    stripper.close()
    lines = [_BLANKS.sub(" ", line).strip() for line in "".join(stripper.pieces).split("\n")]
    return _EMPTY_LINES.sub("\n\n", "\n".join(lines)).strip("\n")


def _body(mail: EmailMessage) -> str:
    part = mail.get_body(("plain", "html"))
    if part is None:
        return ""
    octets = part.get_payload(decode=True)
    assert isinstance(octets, bytes)
    text = _decoded(octets, part.get_content_charset("utf-8")).replace("\r\n", "\n")
    if part.get_content_subtype() == "html":
        return strip_html(text)
    # A mail's last line is always ended; that newline is the wire's, not the writer's.
    return text.rstrip("\n")


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
