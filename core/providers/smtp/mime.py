"""From a rendered message to the bytes of an RFC 5322 mail. Pure.

Promises:
* no header can be injected: a control character in a header field is refused, never escaped into
  something else;
* every line ends in CRLF, no bare CR or LF is left, no line is longer than 998 bytes, and all
  bytes are ASCII, except the addresses of a mail marked `utf8`;
* what a reader decodes is what went in; line ends become CRLF, and a last one is added.

The standard library's generator takes some hundred microseconds a mail, so the few forms that are
needed are written here; a test reads them back with the standard parser.

`Message-ID` names the message, not the attempt: should a message in doubt be sent again, mailboxes
that drop repeated Message-IDs show it once. `X-GouTong-Ref` names the attempt.
"""

import binascii
import re

from msgspec import Struct

from core.providers.port import OutcomeKind, OutMessage
from core.providers.smtp import unsubscribe
from core.providers.smtp.address import BadAddressError, Mailbox, parse_mailbox, parse_sender

_LINE_MAX = 990
_HEADER_FIRST_MAX = 66  # of a subject's first line, beside the word "Subject: "
_NAME_PLAIN_MAX = 60
_ENCODED_WORD_BYTES = 39  # in base64 with its frame this leaves room for "Subject: " in 76
_REF = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*")
_REF_MAX = 200
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_ATOMS = re.compile(rf"{_ATOM}(?: {_ATOM})*")
_ASCII = bytes(range(128))
# QP and base64 bodies cannot hold this text, and a 7bit body with it is encoded: so a boundary
# that begins with "=_" never stands inside a part.
_BOUNDARY_SIGN = "--=_"


class UnsendableError(Exception):
    """This message cannot become a mail; `kind` is the outcome to tell."""

    def __init__(self, kind: OutcomeKind, detail: str) -> None:
        super().__init__(detail)
        self.kind: OutcomeKind = kind
        self.detail = detail


class Mail(Struct, frozen=True, gc=False):
    """A mail, ready but for what the wire adds (dot-stuffing and the final dot)."""

    sender: str
    recipient: str
    data: bytes
    message_id: str
    utf8: bool


class Origin(Struct, frozen=True, gc=False):
    """What an account contributes to each of its mails."""

    sender: Mailbox
    from_header: str
    domain: str
    unsubscribe_mailto: str = ""


def origin(
    from_address: str, from_name: str, message_id_domain: str, unsubscribe_mailto: str = ""
) -> Origin:
    """Made once for each account; raises BadAddressError or UnsendableError on bad settings."""
    sender = parse_mailbox(from_address)
    from_header = _from_header(sender, from_name)
    return Origin(sender, from_header, message_id_domain or sender.domain, unsubscribe_mailto)


def compose(message: OutMessage, account: Origin, date: str) -> Mail:
    """The mail for one attempt; `date` is the text of the Date header. Raises UnsendableError."""
    ref = message.ref
    if len(ref) > _REF_MAX or not _REF.fullmatch(ref):
        raise UnsendableError("permanent", "the attempt's reference cannot stand in a header")
    try:
        to = parse_mailbox(message.to)
    except BadAddressError as error:
        raise UnsendableError("invalid_target", f"the recipient's address: {error}") from None
    sender, from_header = account.sender, account.from_header
    if message.sender:
        sender, from_header = _own_sender(message.sender)
    message_id = f"<{ref.partition('.')[0]}@{account.domain}>"
    try:
        subject = f"Subject: {_subject(message.subject)}\r\n" if message.subject else ""
        head = (
            f"From: {from_header}\r\nTo: {to.address}\r\n{subject}Date: {date}\r\n"
            f"Message-ID: {message_id}\r\nX-GouTong-Ref: {ref}\r\n"
            f"{_unsubscribe(message, account)}MIME-Version: 1.0\r\n"
        ).encode()
        data = head + _content(message)
    except UnicodeEncodeError:
        raise UnsendableError("permanent", "the text holds half of a surrogate pair") from None
    utf8 = to.utf8 or sender.utf8 or not account.domain.isascii()
    return Mail(sender.address, to.address, data, message_id, utf8)


def _unsubscribe(message: OutMessage, account: Origin) -> str:
    if not message.unsubscribe_url:
        return ""
    try:
        return unsubscribe.headers(message.unsubscribe_url, account.unsubscribe_mailto)
    except ValueError as error:
        raise UnsendableError("permanent", str(error)) from None


def _own_sender(text: str) -> tuple[Mailbox, str]:
    try:
        sender = parse_sender(text)
    except BadAddressError as error:
        raise UnsendableError("permanent", f"the sender's address: {error}") from None
    return sender, _from_header(sender, sender.name)


def _from_header(sender: Mailbox, name: str) -> str:
    if not name:
        return sender.address
    _refuse_controls(name, "the sender's name")
    if name.isascii() and "=?" not in name and len(name) <= _NAME_PLAIN_MAX:
        if _ATOMS.fullmatch(name):
            return f"{name} <{sender.address}>"
        escaped = name.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}" <{sender.address}>'
    return f"{_encoded_words(name)}\r\n <{sender.address}>"


def _subject(subject: str) -> str:
    """The subject as it may stand after "Subject: "."""
    if subject.isascii() and subject.isprintable() and "=?" not in subject:
        if len(subject) <= _HEADER_FIRST_MAX and subject == subject.strip(" "):
            return subject
        folded = _folded(subject)
        if folded:
            return folded
    _refuse_controls(subject, "the subject")
    return _encoded_words(subject)


def _folded(subject: str) -> str:
    """The subject broken before spaces, or "" where that would not be read back as it was."""
    words = subject.split(" ")
    if "" in words or max(map(len, words)) > _LINE_MAX:
        return ""
    lines, line = [], words[0]
    for word in words[1:]:
        if len(line) + 1 + len(word) > _HEADER_FIRST_MAX:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}"
    lines.append(line)
    return "\r\n ".join(lines)


def _refuse_controls(text: str, what: str) -> None:
    for c in text:
        if (c < " " and c != "\t") or "\x7f" <= c <= "\x9f" or c in "\u2028\u2029":
            raise UnsendableError("permanent", f"{what} holds a line break or a control character")


def _encoded_words(text: str) -> str:
    """RFC 2047 encoded words, cut between characters, one a line."""
    data = text.encode()
    words, start = [], 0
    while start < len(data):
        end = min(start + _ENCODED_WORD_BYTES, len(data))
        while end < len(data) and data[end] & 0xC0 == 0x80:
            end -= 1
        piece = binascii.b2a_base64(data[start:end], newline=False).decode("ascii")
        words.append(f"=?utf-8?b?{piece}?=")
        start = end
    return "\r\n ".join(words)


def _content(message: OutMessage) -> bytes:
    """The content headers, the empty line, and the body."""
    if not message.html:
        return _part("plain", message.text)
    if not message.text:
        return _part("html", message.html)
    boundary = b"=_" + message.ref[-60:].encode()
    return b"".join(
        (
            b'Content-Type: multipart/alternative; boundary="',
            boundary,
            b'"\r\n\r\n--',
            boundary,
            b"\r\n",
            _part("plain", message.text),
            b"\r\n--",
            boundary,
            b"\r\n",
            _part("html", message.html),
            b"\r\n--",
            boundary,
            b"--\r\n",
        )
    )


def _part(subtype: str, text: str) -> bytes:
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.endswith("\n"):
        text += "\n"
    data = text.replace("\n", "\r\n").encode()
    if _fits_7bit(text):
        encoding = "7bit"
    elif len(data.translate(None, _ASCII)) * 6 > len(data):
        encoding, data = "base64", _base64(data)
    else:
        encoding, data = "quoted-printable", binascii.b2a_qp(data, istext=True)
    head = (
        f"Content-Type: text/{subtype}; charset=utf-8\r\n"
        f"Content-Transfer-Encoding: {encoding}\r\n\r\n"
    )
    return head.encode() + data


def _fits_7bit(text: str) -> bool:
    if not text.isascii() or "\0" in text or _BOUNDARY_SIGN in text:
        return False
    return len(text) <= _LINE_MAX or max(map(len, text.split("\n"))) <= _LINE_MAX


def _base64(data: bytes) -> bytes:
    line = binascii.b2a_base64(data, newline=False)
    return b"".join([line[i : i + 76] + b"\r\n" for i in range(0, len(line), 76)])
