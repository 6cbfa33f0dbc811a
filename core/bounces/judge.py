"""What a mail to a return path says about its message. Pure, and it never fails.

Only the first 128 KiB are looked at: a report comes before the returned mail. Nothing in it is
believed about which message it means; that is the address's, which nobody can make up.
"""

from core.bounces.address import read_plain
from core.bounces.arf import read_arf
from core.bounces.dsn import read_dsn
from core.bounces.parts import Part, read_part
from core.bounces.verdict import Ignored, Verdict

LOOKED_AT_BYTES = 131_072
_DEPTH_MAX = 3
_READERS = {
    "message/delivery-status": read_dsn,
    "message/global-delivery-status": read_dsn,
    "message/feedback-report": read_arf,
}


def judge(data: bytes) -> Verdict:
    """The verdict about a whole mail."""
    mail = read_part(data[:LOOKED_AT_BYTES])
    report = _find(mail, 0)
    if report is not None:
        return _READERS[report.kind](report)
    if mail.kind == "multipart/report":
        return Ignored("malformed")
    return read_plain(mail)


def _find(part: Part, depth: int) -> Part | None:
    """The first report, not looked for inside of mails that are attached."""
    if part.kind in _READERS:
        return part
    if depth < _DEPTH_MAX:
        for inner in part.parts():
            found = _find(inner, depth + 1)
            if found is not None:
                return found
    return None
