"""The mails that come back for a mail: bounces, complaints, and what is neither. Pure.

Each writer takes the return path and recipient of the mail, its headers, and the time as a Date
header writes it, and gives a whole mail with CRLF lines. They are written as the world's servers
write them.
"""

from random import Random

from msgspec import Struct


class Returned(Struct, frozen=True):
    """The mail that something comes back for. `head` are its headers, CRLF lines, no empty one."""

    path: str
    recipient: str
    head: bytes


_BOUNDARY = "=_sandbox_report"
_HOST = "mx.sandbox.example"


def failure(mail: Returned, date: str) -> bytes:
    """There is no such mailbox, as Postfix reports it."""
    diagnostic = f"smtp; 550 5.1.1 <{mail.recipient}>: Recipient address rejected: User unknown"
    return _dsn(mail, date, "failed", "5.1.1", diagnostic)


def delay(mail: Returned, date: str) -> bytes:
    """It was not delivered yet."""
    diagnostic = f"smtp; 451 4.4.1 connect to {_HOST}: Connection timed out"
    return _dsn(mail, date, "delayed", "4.4.1", diagnostic)


def complaint(mail: Returned, date: str) -> bytes:
    """The recipient says that it is spam (RFC 5965)."""
    report = (
        "Feedback-Type: abuse\r\nUser-Agent: GouTong-Sandbox/1\r\nVersion: 1\r\n"
        f"Original-Mail-From: <{mail.path}>\r\nArrival-Date: {date}\r\n"
    )
    return _report(mail, date, "feedback-report", "complaint", report)


def auto_reply(mail: Returned, date: str) -> bytes:
    """Somebody is out of office."""
    return (
        f"From: <{mail.recipient}>\r\nTo: <{mail.path}>\r\nSubject: Out of office\r\n"
        f"Date: {date}\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n\r\n"
        "I am away until Monday. 550 5.1.1 is not my number.\r\n"
    ).encode()


def malformed(mail: Returned, date: str, random: Random) -> bytes:
    """A report that was damaged: cut off, without its fields, within itself, or noise."""
    whole = failure(mail, date)
    match random.randrange(4):
        case 0:
            return whole[: whole.index(b"message/delivery-status") + 23]
        case 1:
            return whole.replace(b"Action:", b"Axion:").replace(b"Status:", b"Stratus:")
        case 2:
            nest = 'Content-Type: multipart/report; boundary="x"\r\n\r\n--x\r\n' * 500
            return nest.encode()
        case _:
            return b"Content-Type: multipart/report; boundary=\r\n\r\n" + random.randbytes(2_000)


def forged_path(path: str, random: Random) -> str:
    """The return path with one character of its local part changed."""
    local, _, domain = path.rpartition("@")
    at = random.randrange(2, len(local)) if len(local) > 2 else 0
    other = random.choice([c for c in "0123456789abcdef" if c != local[at : at + 1]])
    return f"{local[:at]}{other}{local[at + 1 :]}@{domain}"


def _dsn(mail: Returned, date: str, action: str, status: str, diagnostic: str) -> bytes:
    report = (
        f"Reporting-MTA: dns; {_HOST}\r\nArrival-Date: {date}\r\n\r\n"
        f"Final-Recipient: rfc822; {mail.recipient}\r\nAction: {action}\r\nStatus: {status}\r\n"
        f"Remote-MTA: dns; {_HOST}\r\nDiagnostic-Code: {diagnostic}\r\n"
    )
    return _report(mail, date, "delivery-status", action, report)


def _report(mail: Returned, date: str, kind: str, what: str, report: str) -> bytes:
    begin = (
        f"From: Mail Delivery System <MAILER-DAEMON@{_HOST}>\r\nTo: <{mail.path}>\r\n"
        f"Subject: Mail delivery report: {what}\r\nDate: {date}\r\n"
        "Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
        f"Content-Type: multipart/report; report-type={kind};\r\n"
        f'\tboundary="{_BOUNDARY}"\r\n\r\n'
        f"--{_BOUNDARY}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
        f"This is the sandbox's mail server. About your mail: {what}.\r\n\r\n"
        f"--{_BOUNDARY}\r\nContent-Type: message/{kind}\r\n\r\n{report}\r\n"
        f"--{_BOUNDARY}\r\nContent-Type: text/rfc822-headers\r\n\r\n"
    )
    return begin.encode() + mail.head + f"\r\n--{_BOUNDARY}--\r\n".encode()
