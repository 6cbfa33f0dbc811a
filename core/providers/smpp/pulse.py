"""Whether a link still lives. Pure: told of times, it says what to do.

An enquire_link is due after a long silence, and after a short one (a quarter of the time in which
an answer must come) while a submit waits for its answer. If the enquiry meets silence for another
such quarter the link is suspect: it gets no new calls, so that a provider that hangs leaves one
window of calls in doubt and not more with every time-out. Anything heard clears it. A link is
dead if the enquiry stays unanswered for the whole time, or if its buffer has stood full for the
write time-out.
"""


class Pulse:
    """The signs of life of one connection; all times in seconds of one clock."""

    def __init__(
        self, now: float, enquire_after_s: float, answer_within_s: float, write_within_s: float
    ) -> None:
        self._enquire_after_s = enquire_after_s
        self._answer_within_s = answer_within_s
        self._quarter_s = answer_within_s / 4
        self._write_within_s = write_within_s
        self._heard_at = now
        self._enquired_at: float | None = None
        self.blocked_since: float | None = None
        self.suspect = False

    def heard(self, now: float) -> bool:
        """Something came from the other side; whether the link was suspect until now."""
        was_suspect = self.suspect
        self._heard_at = now
        self._enquired_at = None
        self.suspect = False
        return was_suspect

    def dead(self, now: float) -> str:
        """Why the link must be given up; "" if it need not be."""
        if self.blocked_since is not None and now - self.blocked_since > self._write_within_s:
            return "the SMSC takes no bytes"
        if self._enquired_at is not None and now - self._enquired_at > self._answer_within_s:
            return "enquire_link was not answered"
        return ""

    def enquire(self, now: float, waiting_since: float | None) -> bool:
        """Whether an enquire_link is due now; says so once for each silence.

        `waiting_since` is when the oldest unanswered submit was written.
        """
        if self._enquired_at is not None:
            self.suspect = now - self._enquired_at > self._quarter_s
            return False
        due = self._heard_at + self._enquire_after_s
        if waiting_since is not None:
            due = min(due, max(self._heard_at, waiting_since) + self._quarter_s)
        if now < due:
            return False
        self._enquired_at = now
        return True
