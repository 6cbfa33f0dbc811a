"""Feedback reports of mailbox providers (RFC 5965): complaints. Pure, and it never fails."""

from core.bounces.parts import Part, groups
from core.bounces.verdict import Ignored, Said, Verdict
from core.providers.smtp.classify import scrubbed

_COMPLAINTS = frozenset({"abuse", "fraud", "opt-out", "opt-out-list"})
_KNOWN_CHARS_MAX = 40


def read_arf(report: Part) -> Verdict:
    """What the body of a `message/feedback-report` says."""
    found = next(iter(groups(report.text(), 1)), None)
    kind = found.header("Feedback-Type").strip().lower() if found else ""
    if found is None or not kind or len(kind) > _KNOWN_CHARS_MAX:
        return Ignored("malformed")
    if kind not in _COMPLAINTS:
        return Ignored("other_feedback")
    path = found.header("Original-Mail-From").strip("<> ")
    return Said("complained", kind, scrubbed(found.header("User-Agent")), path)
