"""From an accepted request to what is journaled: one record for each recipient.

Of a chain of fallback only the first message is journaled; the later channels stand in it,
rendered, and whoever owns the message makes the others from them. Pure.
"""

from collections.abc import Mapping

from msgspec import Struct

from core.accept.plan import Plan
from core.contract.frames import AcceptCall
from core.contract.problems import problem
from core.contract.recipients import Recipient
from core.contract.requests import ChannelName, NotificationRequest, expires_in_s
from core.engine.payload import NO_COUNTRY, Payload, Step, encode_payload
from core.templates.rendered import Rendered
from sync.naming import id_facts
from sync.records import Message

URGENT = frozenset({"otp", "alert"})
Parts = Mapping[ChannelName, Rendered]


class Times(Struct, frozen=True, gc=False):
    """Milliseconds since 1970; `not_before_ms` and `escalate_at_ms` are 0 where there is none."""

    not_before_ms: int
    expires_ms: int
    escalate_at_ms: int


def times_of(
    request: NotificationRequest,
    send_at_ms: int,
    now_ms: int,
    expires_by_class_s: Mapping[str, int],
    escalate_after_s: int,
) -> Times:
    """When the messages may go, expire, and are followed by the next channel. Expiry and
    escalation count from when they may go; what lies in the past by now goes now. Where the caller
    says nothing, each channel gets its share of the time until they expire."""
    not_before_ms = send_at_ms if send_at_ms > now_ms else 0
    begins_ms = not_before_ms or now_ms
    lives_s = expires_in_s(request, expires_by_class_s)
    expires_ms = begins_ms + lives_s * 1000
    after_s, channel = request.escalate_after, request.channel
    if after_s is None and request.until in ("delivered", "seen"):
        channels = len(channel) if isinstance(channel, list) else 1
        after_s = min(escalate_after_s, max(1, lives_s // channels))
    return Times(not_before_ms, expires_ms, begins_ms + after_s * 1000 if after_s else 0)


class Recorder(Struct, frozen=True, gc=False):
    """Makes the records of one request, all accepted in the same millisecond. `data` is the
    request's, encoded."""

    call: AcceptCall
    request: NotificationRequest
    hash: bytes
    parts: Parts
    times: Times
    now_ms: int
    data: bytes

    def message(self, plan: Plan, place: int, stamp: int) -> Message:
        """The record of the recipient at this place of the plan."""
        request, times = self.request, self.times
        recipient, mid = plan.recipients[place], plan.ids[place]
        facts = id_facts(mid)
        if facts is None:
            raise problem("internal", "the edge minted something that is no id")
        later = bool(recipient.later)
        return Message(
            mid,
            facts.shard,
            self.hash,
            stamp,
            request.class_ in URGENT,
            request.delivery == "at_most_once",
            times.expires_ms,
            self.now_ms,
            encode_payload(self._payload(recipient, plan.countries[place])),
            times.not_before_ms,
            (request.until or "sent") if later else "",
            times.escalate_at_ms if later else 0,
        )

    def _payload(self, recipient: Recipient, country: str) -> Payload:
        call, request = self.call, self.request
        channel = recipient.channel
        part = self.parts[channel]
        return Payload(
            call.tenant,
            call.ntf,
            channel,
            recipient.address,
            country if channel == "sms" else NO_COUNTRY,
            request.class_,
            request.durability,
            call.trace,
            part.text,
            part.subject,
            part.html,
            part.template,
            part.version,
            part.locale,
            call.key or "",
            self.data,
            self._steps(recipient, country) if recipient.later else (),
        )

    def _steps(self, recipient: Recipient, country: str) -> tuple[Step, ...]:
        steps = []
        for later in recipient.later:
            part = self.parts[later.channel]
            steps.append(
                Step(
                    later.channel,
                    later.address,
                    country if later.channel == "sms" else NO_COUNTRY,
                    part.text,
                    part.subject,
                    part.html,
                    part.template,
                    part.version,
                    part.locale,
                )
            )
        return tuple(steps)
