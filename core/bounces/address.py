"""Mails to a return path that hold no report in a standard form. Pure, and it never fails.

The address alone proves which message they are about, and not that it failed: out-of-office
answers and answers of people come to it too. A bounce is only what a known server writes in its
old form (Exim's header, qmail's first words), or what a mail system sends with an enhanced status
code of the failing class in its text.
"""

import re

from core.bounces.dsn import enhanced_status
from core.bounces.parts import Part
from core.bounces.verdict import Ignored, Said, Verdict
from core.providers.port import ReceiptStatus
from core.providers.smtp.classify import scrubbed

_TEXT_CHARS_MAX = 8_192
_DEPTH_MAX = 3
_QMAIL = re.compile(r"^\s*Hi\. (?:This is|I'm) the ", re.MULTILINE)
_SYSTEMS = re.compile(r"(?:mailer-daemon|postmaster|mail delivery (?:sub)?system)", re.IGNORECASE)
_REPLY_LINE = re.compile(r"(?m)^.*(?<![\d.])[45]\.\d{1,3}\.\d{1,3}(?![\d.]).*$")


def read_plain(mail: Part) -> Verdict:
    """What a mail without a report says."""
    text = _first_text(mail, 0)[:_TEXT_CHARS_MAX]
    failed_for = mail.header("X-Failed-Recipients")
    answered = mail.header("Auto-Submitted").lower()
    from_system = bool(_SYSTEMS.search(mail.header("From")))
    code = enhanced_status(text)
    if failed_for or _QMAIL.match(text):
        return _said(code or "5.0.0", text)
    if from_system and code.startswith("5."):
        return _said(code, text)
    if answered.startswith("auto-") or mail.header("X-Autoreply") or _is_vacation(mail):
        return Ignored("auto_reply")
    return Ignored("not_a_bounce")


def _said(code: str, text: str) -> Said:
    line = _REPLY_LINE.search(text)
    # These forms are written when a server has given up; a code that may pass says that it tried.
    status: ReceiptStatus = "failed" if code.startswith("5.") else "expired"
    return Said(status, code, scrubbed(line[0].strip()) if line else "")


def _is_vacation(mail: Part) -> bool:
    return mail.header("Precedence").lower() in ("auto_reply", "bulk", "junk")


def _first_text(part: Part, depth: int) -> str:
    if part.kind == "text/plain":
        return part.text()
    if depth < _DEPTH_MAX:
        for inner in part.parts():
            text = _first_text(inner, depth + 1)
            if text:
                return text
    return ""
