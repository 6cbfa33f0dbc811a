"""Whether a link still lives. Pure: told of times, it says what to do.

A link is dead if its buffer has stood full for the write time-out, or if an enquire_link, sent
after a silence, met no sign of life in time. Anything heard counts as one.
"""


class Pulse:
    """The signs of life of one connection; all times in seconds of one clock."""

    def __init__(
        self, now: float, enquire_after_s: float, answer_within_s: float, write_within_s: float
    ) -> None:
        self._enquire_after_s = enquire_after_s
        self._answer_within_s = answer_within_s
        self._write_within_s = write_within_s
        self._heard_at = now
        self._enquired_at: float | None = None
        self.blocked_since: float | None = None

    def heard(self, now: float) -> None:
        """Something came from the other side."""
        self._heard_at = now
        self._enquired_at = None

    def dead(self, now: float) -> str:
        """Why the link must be given up; "" if it need not be."""
        if self.blocked_since is not None and now - self.blocked_since > self._write_within_s:
            return "the SMSC takes no bytes"
        if self._enquired_at is not None and now - self._enquired_at > self._answer_within_s:
            return "enquire_link was not answered"
        return ""

    def enquire(self, now: float) -> bool:
        """Whether an enquire_link is due now; says so once for each silence."""
        if self._enquired_at is not None or now - self._heard_at < self._enquire_after_s:
            return False
        self._enquired_at = now
        return True
