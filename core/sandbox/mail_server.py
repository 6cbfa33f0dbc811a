"""The sandbox's mail server: what becomes of each e-mail, by the behaviour it was told.

`invalid_target` and `account` are answered at RCPT, where servers know about them; the other
refusals come as the final reply, after the data. Each recipient has an entry of its own, which is
with the operating system before the reply goes out. A reset or a hang comes after the effect. If
the disk takes no more, the reply is 452 and nothing has happened.
"""

from random import Random

from msgspec import Struct

from core.clock import Clock
from core.contract.log import Log
from core.contract.times import rfc3339
from core.sandbox.behaviour import (
    After,
    Behaviour,
    RefuseAs,
    draw_after,
    draw_latency_ms,
    draw_refusal,
)
from core.sandbox.bouncer import Bouncer
from core.sandbox.history import Entry, History
from core.sandbox.limits import SandboxLimits
from core.sandbox.mail_text import MailText, read_mail

PROVIDER = "sandbox-smtp"
WIRE = "smtp"

REFUSED_AT_RCPT: dict[RefuseAs, str] = {
    "invalid_target": "550 5.1.1 No such mailbox",
    "account": "530 5.7.0 Authentication required",
}
REFUSED_AT_END: dict[RefuseAs, str] = {
    "throttled": "450 4.7.1 Too many messages, come back later",
    "temporary": "451 4.3.0 Local error in processing",
    "permanent": "554 5.6.0 Message content rejected",
}
_DISK_FULL = "452 4.3.1 Insufficient system storage"
_TOO_LARGE = "552 5.3.4 Message too big"


class Verdict(Struct, frozen=True):
    """What a session does after the data: answer after a time, or end badly."""

    reply: str
    after: After = "accepted"
    latency_ms: float = 0.0


class MailServer:
    """What all sessions share."""

    def __init__(
        self,
        history: History,
        limits: SandboxLimits,
        clock: Clock,
        random: Random,
        log: Log,
        bounce_to: tuple[str, int] | None = None,
    ) -> None:
        self.limits = limits
        self.behaviour = Behaviour()
        self._history = history
        self._clock = clock
        self._random = random
        self._log = log
        self._last_id = 0
        self._bouncer = Bouncer(bounce_to, limits, clock, random, log)

    async def close(self) -> None:
        """Send no more bounces."""
        await self._bouncer.close()

    def refused_recipient(self, recipient: str) -> str | None:
        """The reply to a RCPT that is refused, None if it is not."""
        reply = REFUSED_AT_RCPT.get(self.behaviour.refuse.as_)
        if reply is None or not draw_refusal(self.behaviour, self._random):
            return None
        return reply if self._enter([recipient], MailText("", None), "refused") else _DISK_FULL

    def too_large(self, recipients: list[str]) -> Verdict:
        """A mail of which only the length was looked at."""
        entered = self._enter(recipients, MailText("", None), "refused")
        return Verdict(_TOO_LARGE if entered else _DISK_FULL)

    def received(self, sender: str, recipients: list[str], data: bytes) -> Verdict:
        """Decide about a whole mail; `sender` is its return path."""
        behaviour = self.behaviour
        mail = read_mail(data)
        latency_ms = draw_latency_ms(behaviour, self._random)
        if behaviour.refuse.as_ in REFUSED_AT_END:
            refused = draw_refusal(behaviour, self._random)
            if refused is not None:
                entered = self._enter(recipients, mail, "refused")
                reply = REFUSED_AT_END[refused] if entered else _DISK_FULL
                return Verdict(reply, latency_ms=latency_ms)
        after = draw_after(behaviour, self._random)
        if not self._enter(recipients, mail, after):
            return Verdict(_DISK_FULL)
        self._bouncer.accepted(behaviour.bounce, sender, recipients, data)
        self._last_id = max(self._last_id + 1, self._clock.wall_us())
        return Verdict(f"250 2.0.0 Ok: queued as {self._last_id:X}", after, latency_ms)

    def _enter(self, recipients: list[str], mail: MailText, outcome: str) -> bool:
        at = rfc3339(self._clock.wall_ms())
        effective = outcome != "refused"
        entries = [
            Entry(
                at,
                PROVIDER,
                WIRE,
                recipient,
                mail.text,
                outcome,
                effective,
                mail.ref,
                unsubscribe=mail.unsubscribe,
            )
            for recipient in recipients
        ]
        try:
            self._history.append(entries)
        except OSError as error:
            self._log.error("sandbox cannot write", error=error.strerror or str(error))
            return False
        return True
