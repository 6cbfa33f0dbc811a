"""The acceptor: one request in, its messages durable in a log, one answer out.

The answer 202 goes out after the rows stand and never before. Recipients that are wrong are named
in it; a request that is wrong as a whole is refused with nothing written. One that is not durable
in `accept_timeout_ms` is answered 503 `accept_unknown` with its message ids: it may have been
accepted. With too little free disk, too much waiting, or while stopping, requests are refused at
once, so that what was accepted can end; `Shedding` says whose first, `Limits` who asks too much.

Messages go into logs of the homes that their ids name. What was minted by an older version of the
placement map than serves here is refused (`map_outdated`), and the edge mints anew; but what some
core may have had already keeps its ids: its copies are looked for under older homes, too. What was
minted by a newer one is taken: who owns knows that version, and this core is about to learn it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from msgspec import Struct

from core.accept.keys import Keys
from core.accept.limits import Limits
from core.accept.plan import Plan, answer_of, limited, plan_of
from core.accept.records import URGENT, Parts, Recorder, times_of
from core.accept.shedding import Shedding
from core.accept.under_way import Reply, UnderWay
from core.clock import Clock
from core.contract.frames import AcceptCall, AcceptReply
from core.contract.ids import body_hash, canonical_request
from core.contract.log import Log
from core.contract.problems import ProblemError, decode_json, problem
from core.contract.recipients import channels_of
from core.contract.requests import ChannelName, NotificationRequest
from core.contract.rules import Rules
from core.engine.logs import Logs, Ticket
from core.templates.render import Renderer, TemplateNotLoaded
from core.templates.rendered import Rendered, single_line
from sync.hlc import Hlc
from sync.naming import home_of
from sync.records import Place
from sync.store.port import PutKey, StoreError

SWEEP_S = 0.25
_encode = msgspec.json.Encoder().encode


class Bounds(Struct, frozen=True):
    """What one core takes in at most. `escalate_after_s` is what holds where nothing is said."""

    rules: Rules
    depth_max: int
    waiting_max: int
    accept_timeout_s: float
    escalate_after_s: int


class Acceptor:
    """See the module's docstring. `refusal` says why nothing may be taken in now; `map_version` is
    the version of the placement map that serves here, 0 where there is none."""

    def __init__(
        self,
        logs: Logs,
        keys: Keys,
        renderer: Renderer,
        region: str,
        bounds: Bounds,
        limits: Limits,
        shedding: Shedding,
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
        self._limits = limits
        self._shedding = shedding
        self._clock = clock
        self._hlc = hlc
        self._log = log
        self._refusal = refusal
        self._spawn = spawn
        self._waiting: dict[int, UnderWay] = {}
        self._next = 0
        self.map_version = 0
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
            if 0 < call.map_version < self.map_version and not call.repeat:
                raise _outdated(call.map_version, self.map_version)
            if len(self._waiting) >= self._bounds.waiting_max:
                raise problem(
                    "overloaded", "too many requests wait here", headers={"Retry-After": "1"}
                )
            request = decode_json(call.body, NotificationRequest, max_depth=self._bounds.depth_max)
            refused = self._shedding.refusal(request.class_, len(self._waiting))
            if refused is not None:
                raise refused
            hashed = body_hash(canonical_request(request))
            under_way = UnderWay(call, reply, request, hashed)
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

    async def _look_up(self, request: UnderWay) -> None:
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

    # Planning and rendering

    def _go_on(self, request: UnderWay) -> None:
        try:
            plan = request.plan
            if plan is None:
                plan = request.plan = self._plan(request)
            parts = {one: self._render(request, one) for one in channels_of(plan.recipients)}
        except TemplateNotLoaded as need:
            self._spawn(self._load(request, need))
        except ProblemError as error:
            self._fail(request, error)
        else:
            self._journal(request, plan, parts)

    def _plan(self, request: UnderWay) -> Plan:
        call, wanted, limits = request.call, request.request, self._limits
        counted = limits.on and not call.repeat
        # Clocks are read only for what needs them: most requests need neither.
        now_s = self._clock.boot() if counted else 0.0
        now_ms = 0 if wanted.send_at is None else self._clock.wall_ms()
        if counted:
            refused = limits.tenant_refusal(call.tenant, len(call.ids), now_s)
            if refused is not None:
                raise refused
        plan = plan_of(call, wanted, self._bounds.rules, now_ms)
        return limited(call.tenant, wanted, plan, limits, now_s) if counted else plan

    async def _load(self, request: UnderWay, need: TemplateNotLoaded) -> None:
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

    def _render(self, request: UnderWay, channel: ChannelName) -> Rendered:
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

    def _journal(self, request: UnderWay, plan: Plan, parts: Parts) -> None:
        call, wanted = request.call, request.request
        urgent, globally = wanted.class_ in URGENT, wanted.durability == "global"
        recipients = plan.recipients
        if not self._logs.takes(plan.ids, urgent, globally):
            self._fail(request, self._not_taken(plan.ids))
            return
        now_us = self._clock.wall_us()
        now_ms = now_us // 1000
        bounds = self._bounds
        expires_s = bounds.rules.expires_in_s
        times = times_of(wanted, plan.send_at_ms, now_ms, expires_s, bounds.escalate_after_s)
        status = "scheduled" if times.not_before_ms else "accepted"
        request.answer = _encode(answer_of(call.ntf, plan, status, self._region))
        request.left = len(recipients)
        request.deadline = self._clock.boot() + bounds.accept_timeout_s
        number = self._next = self._next + 1
        self._waiting[number] = request

        def told(place: Place | None) -> None:
            request.left -= 1
            if place is None:
                request.left = -1
            if request.left == 0 or place is None:
                self._done(number, request, plan, place is not None)

        data = _encode(wanted.data) if wanted.data else b""
        recorder = Recorder(call, wanted, request.hash, parts, times, now_ms, data)
        last = len(recipients) - 1
        for place in range(len(recipients)):
            message = recorder.message(plan, place, self._hlc.stamp(now_us))
            key_row = self._key_row(request) if place == last else None
            self._logs.accept(message, urgent, globally, Ticket(told, key_row))

    def _not_taken(self, ids: list[str]) -> ProblemError:
        """Why the logs take no messages of these ids."""
        away = sorted({home_of(each) for each in ids if not self._logs.has_home(each)})
        if away:
            detail = f"this region may not take messages of home {', '.join(away)}"
            return problem("home_elsewhere", detail, headers={"Retry-After": "1"})
        return problem("overloaded", "the log is behind", headers={"Retry-After": "1"})

    def _key_row(self, request: UnderWay) -> PutKey | None:
        call = request.call
        if call.key is None:
            return None
        return self._keys.row(call.tenant, call.key, request.hash, request.answer)

    # Answers

    def _done(self, number: int, request: UnderWay, plan: Plan, stands: bool) -> None:
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
        for mid, one in zip(plan.ids, plan.recipients, strict=True):
            self.on_accepted(one.channel, request.request.class_)
            self._log.info("accepted", message=mid, trace=call.trace, tenant=call.tenant)

    def _unknown(self, request: UnderWay) -> None:
        """Not durable in time, or the log was closed under it: it may have been accepted.

        Its key stays taken while its row is under way: another body must not slip in beside it.
        """
        call, plan = request.call, request.plan
        detail = "not known to be durable in time; it may have been accepted"
        ids = call.ids if plan is None else plan.ids
        self._refuse(call, request.reply, problem("accept_unknown", detail, message_ids=ids))

    def _refuse(self, call: AcceptCall, reply: Reply, error: ProblemError) -> None:
        self.on_refused(error.code)
        reply(AcceptReply(call.seq, error.status, error.body(call.trace), dict(error.headers)))

    def _fail(self, request: UnderWay, error: ProblemError) -> None:
        call = request.call
        if call.key is not None:
            self._keys.ended(call.tenant, call.key)
        self._refuse(call, request.reply, error)


def _outdated(minted_by: int, serves: int) -> ProblemError:
    detail = f"Its ids were minted by version {minted_by} of the placement map; {serves} serves."
    return problem("map_outdated", detail, headers={"Retry-After": "1"})


async def sweep_forever(acceptor: Acceptor) -> Any:
    """Look for overdue requests until cancelled."""
    while True:
        acceptor.sweep()
        await asyncio.sleep(SWEEP_S)
