"""The acceptor: one request in, its messages durable in a log, one answer out.

The answer 202 goes out after the rows stand and never before. A request that is wrong is refused
whole, with nothing written. One that is not durable in `accept_timeout_ms` is answered 503
`accept_unknown` with its message ids: it may have been accepted. With too little free disk, too
much waiting, or while stopping, requests are refused at once, so that what was accepted can end.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from core.accept.keys import Keys
from core.clock import Clock
from core.contract.frames import AcceptCall, AcceptReply
from core.contract.ids import body_hash, canonical_request
from core.contract.log import Log
from core.contract.problems import ProblemError, decode_json, problem
from core.contract.recipients import Recipient, recipients_of
from core.contract.requests import (
    MessageBrief,
    NotificationAnswer,
    NotificationRequest,
    expires_in_s,
)
from core.engine.logs import Logs, Ticket
from core.engine.payload import Payload, encode_payload
from core.templates.render import Renderer, TemplateNotLoaded
from core.templates.rendered import Rendered, single_line
from sync.hlc import Hlc
from sync.naming import id_facts
from sync.records import Message, Place
from sync.store.port import PutKey, StoreError

Reply = Callable[[AcceptReply], None]
URGENT = frozenset({"otp", "alert"})
SWEEP_S = 0.25
_encode = msgspec.json.Encoder().encode


class Bounds(Struct, frozen=True):
    """What one core takes in at most."""

    recipients_max: int
    horizon_s: int
    depth_max: int
    waiting_max: int
    accept_timeout_s: float
    expires_in_s: Mapping[str, int]  # by class, where the request says nothing


class _Request:
    """One request under way."""

    __slots__ = ("answer", "call", "channels", "deadline", "hash", "left", "reply", "request")

    def __init__(
        self, call: AcceptCall, reply: Reply, request: NotificationRequest, hashed: bytes
    ) -> None:
        self.call = call
        self.reply = reply
        self.request = request
        self.hash = hashed
        self.left = 0
        self.channels: list[str] = []
        self.deadline = 0.0
        self.answer = b""


class Acceptor:
    """See the module's docstring. `refusal` says why nothing may be taken in now."""

    def __init__(
        self,
        logs: Logs,
        keys: Keys,
        renderer: Renderer,
        region: str,
        bounds: Bounds,
        clock: Clock,
        hlc: Hlc,
        log: Log,
        refusal: Callable[[], ProblemError | None],
        spawn: Callable[[Awaitable[None]], None],
    ) -> None:
        self._logs = logs
        self._keys = keys
        self._renderer = renderer
        self._region = region
        self._bounds = bounds
        self._clock = clock
        self._hlc = hlc
        self._log = log
        self._refusal = refusal
        self._spawn = spawn
        self._waiting: dict[int, _Request] = {}
        self._next = 0
        self.on_accepted: Callable[[str, str], None] = lambda *_: None
        self.on_refused: Callable[[str], None] = lambda _: None

    @property
    def waiting(self) -> int:
        """Requests whose rows do not stand yet."""
        return len(self._waiting)

    def handle(self, call: AcceptCall, reply: Reply) -> None:
        """Take one request in; `reply` is called once, now or later."""
        try:
            refused = self._refusal()
            if refused is not None:
                raise refused
            if len(self._waiting) >= self._bounds.waiting_max:
                raise problem(
                    "overloaded", "too many requests wait here", headers={"Retry-After": "1"}
                )
            request = decode_json(call.body, NotificationRequest, max_depth=self._bounds.depth_max)
            hashed = body_hash(canonical_request(request))
            under_way = _Request(call, reply, request, hashed)
            if call.key is None:
                self._go_on(under_way)
                return
            answer = self._keys.begin(call.tenant, call.key, hashed)
            if answer is not None:
                reply(AcceptReply(call.seq, 202, answer, {"Idempotent-Replayed": "true"}))
                return
            self._spawn(self._look_up(under_way))
        except ProblemError as error:
            self._refuse(call, reply, error)

    def sweep(self) -> None:
        """Answer those whose time is over; called every now and then."""
        now = self._clock.boot()
        for number, request in list(self._waiting.items()):
            if request.deadline > now:
                break
            del self._waiting[number]
            self._unknown(request)

    # Keys

    async def _look_up(self, request: _Request) -> None:
        call = request.call
        assert call.key is not None
        try:
            answer = await self._keys.look_up(call.tenant, call.key, request.hash)
        except ProblemError as error:
            self._keys.ended(call.tenant, call.key)
            self._refuse(call, request.reply, error)
        except StoreError as error:
            self._keys.ended(call.tenant, call.key)
            self._log.error("keys cannot be read", error=str(error), trace=call.trace)
            busy = problem("overloaded", "the store cannot be read", headers={"Retry-After": "1"})
            self._refuse(call, request.reply, busy)
        else:
            if answer is None:
                self._go_on(request)
                return
            self._keys.accepted(call.tenant, call.key, request.hash, answer)
            replayed = {"Idempotent-Replayed": "true"}
            request.reply(AcceptReply(call.seq, 202, answer, replayed))

    # Rendering

    def _go_on(self, request: _Request) -> None:
        try:
            recipients = recipients_of(
                request.request,
                recipients_max=self._bounds.recipients_max,
                horizon_s=self._bounds.horizon_s,
            )
            if len(recipients) != len(request.call.ids):
                detail = "the edge sent another number of ids than there are recipients"
                raise problem("internal", detail)
            parts: dict[str, Rendered] = {
                r.channel: self._render(request, r.channel) for r in _each(recipients)
            }
        except TemplateNotLoaded as need:
            self._spawn(self._load(request, need))
        except ProblemError as error:
            self._fail(request, error)
        else:
            self._journal(request, recipients, parts)

    async def _load(self, request: _Request, need: TemplateNotLoaded) -> None:
        try:
            await self._renderer.load(need)
        except ProblemError as error:
            self._fail(request, error)
        except StoreError as error:
            self._log.error("templates cannot be read", error=str(error))
            why = "templates cannot be read now"
            self._fail(request, problem("overloaded", why, headers={"Retry-After": "1"}))
        else:
            self._go_on(request)

    def _render(self, request: _Request, channel: str) -> Rendered:
        wanted = request.request
        if wanted.template is not None:
            return self._renderer.render(
                request.call.tenant, wanted.template, wanted.locale, channel, wanted.data
            )
        content = wanted.content
        assert content is not None
        subject = single_line(content.subject or "")
        return Rendered("", 0, "", content.text or "", subject, content.html or "")

    # Journaling

    def _journal(
        self, request: _Request, recipients: list[Recipient], parts: dict[str, Rendered]
    ) -> None:
        call, wanted = request.call, request.request
        urgent, globally = wanted.class_ in URGENT, wanted.durability == "global"
        if self._logs.room(urgent, globally) < len(recipients):
            busy = problem("overloaded", "the log is behind", headers={"Retry-After": "1"})
            self._fail(request, busy)
            return
        briefs = [
            MessageBrief(mid, r.channel, "accepted", self._region)
            for mid, r in zip(call.ids, recipients, strict=True)
        ]
        request.answer = _encode(NotificationAnswer(call.ntf, briefs))
        request.left = len(recipients)
        request.channels = [r.channel for r in recipients]
        request.deadline = self._clock.boot() + self._bounds.accept_timeout_s
        number = self._next = self._next + 1
        self._waiting[number] = request

        def told(place: Place | None) -> None:
            request.left -= 1
            if place is None:
                request.left = -1
            if request.left == 0 or place is None:
                self._done(number, request, place is not None)

        for index, recipient in enumerate(recipients):
            message = self._message(request, index, recipient, parts[recipient.channel], urgent)
            last = index == len(recipients) - 1
            key_row = self._key_row(request) if last else None
            self._logs.accept(message, urgent, globally, Ticket(told, key_row))

    def _message(
        self, request: _Request, index: int, recipient: Recipient, part: Rendered, urgent: bool
    ) -> Message:
        call, wanted = request.call, request.request
        now_us = self._clock.wall_us()
        payload = Payload(
            call.tenant,
            call.ntf,
            recipient.channel,
            recipient.address,
            call.countries[index],
            wanted.class_,
            wanted.durability,
            call.trace,
            part.text,
            part.subject,
            part.html,
            part.template,
            part.version,
            part.locale,
            call.key or "",
            _encode(wanted.data) if wanted.data else b"",
        )
        facts = id_facts(call.ids[index])
        if facts is None:
            raise problem("internal", "the edge minted something that is no id")
        return Message(
            call.ids[index],
            facts.shard,
            request.hash,
            self._hlc.stamp(now_us),
            urgent,
            wanted.delivery == "at_most_once",
            now_us // 1000 + expires_in_s(wanted, self._bounds.expires_in_s) * 1000,
            now_us // 1000,
            encode_payload(payload),
        )

    def _key_row(self, request: _Request) -> PutKey | None:
        call = request.call
        if call.key is None:
            return None
        return self._keys.row(call.tenant, call.key, request.hash, request.answer)

    # Answers

    def _done(self, number: int, request: _Request, stands: bool) -> None:
        waited_for = self._waiting.pop(number, None) is not None
        call = request.call
        if not stands:
            if call.key is not None:
                self._keys.ended(call.tenant, call.key)
            if waited_for:
                self._unknown(request)
            return
        if call.key is not None:
            self._keys.accepted(call.tenant, call.key, request.hash, request.answer)
        if waited_for:
            request.reply(AcceptReply(call.seq, 202, request.answer))
        for mid, channel in zip(call.ids, request.channels, strict=True):
            self.on_accepted(channel, request.request.class_)
            self._log.info("accepted", message=mid, trace=call.trace, tenant=call.tenant)

    def _unknown(self, request: _Request) -> None:
        """Not durable in time, or the log was closed under it: it may have been accepted.

        Its key stays taken while its row is under way: another body must not slip in beside it.
        """
        call = request.call
        detail = "not known to be durable in time; it may have been accepted"
        self._refuse(call, request.reply, problem("accept_unknown", detail, message_ids=call.ids))

    def _refuse(self, call: AcceptCall, reply: Reply, error: ProblemError) -> None:
        self.on_refused(error.code)
        reply(AcceptReply(call.seq, error.status, error.body(call.trace), dict(error.headers)))

    def _fail(self, request: _Request, error: ProblemError) -> None:
        call = request.call
        if call.key is not None:
            self._keys.ended(call.tenant, call.key)
        self._refuse(call, request.reply, error)


def _each(recipients: list[Recipient]) -> list[Recipient]:
    """One recipient of each channel: all of a channel get the same text."""
    return list({r.channel: r for r in recipients}.values())


async def sweep_forever(acceptor: Acceptor) -> Any:
    """Look for overdue requests until cancelled."""
    while True:
        acceptor.sweep()
        await asyncio.sleep(SWEEP_S)
