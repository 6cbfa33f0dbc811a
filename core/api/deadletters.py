"""Dead letters: what failed, or is not known to have been sent; listed, and replayed in groups.

The list is a view of messages by status, as /v1/messages is. A replay sends again what a person
chose, as new messages, so many a second; it goes on after a crash and sends nothing twice for it.
"""

from collections.abc import Callable

from aiohttp import web
from msgspec import Struct

from core.api.asked import Query, asked_of, bad_time, read_time_ms, tenant_of
from core.api.internal_auth import Caller, caller_of
from core.api.lists import ListDeps, listing_of, page_of
from core.api.wire import answer, missing, read_body
from core.contract.ids import ALPHABET
from core.contract.keys import READ, SEND
from core.contract.lists import DEAD_STATUSES, ReplayIn, ReplayOut
from core.contract.pointers import FieldProblem
from core.contract.problems import invalid
from core.contract.recipients import CHANNELS
from core.contract.times import rfc3339
from core.replay.jobs import Job
from core.replay.replays import Replays

LISTED_STATUSES = (*DEAD_STATUSES, "expired")
DEAD_DAYS = 7
_ID_BYTES = 20


class DeadDeps(Struct, frozen=True):
    """What the handlers need."""

    lists: ListDeps
    replays: Replays
    random_bytes: Callable[[int], bytes]


def routes(deps: DeadDeps) -> list[web.RouteDef]:
    """The routes of dead letters and replays."""
    dead = _DeadLetters(deps)
    one = "/v1/deadletters/replays/{id}"
    return [
        web.get("/v1/deadletters", dead.listed, allow_head=False),
        web.post("/v1/deadletters/replay", dead.replay),
        web.get(one, dead.show, allow_head=False),
        web.post(one + "/cancel", dead.cancel),
    ]


class _DeadLetters:
    def __init__(self, deps: DeadDeps) -> None:
        self._deps = deps

    async def listed(self, request: web.Request) -> web.Response:
        caller = caller_of(request, READ)
        lists = self._deps.lists
        listing = listing_of(request, caller, lists, LISTED_STATUSES, DEAD_STATUSES, DEAD_DAYS)
        return page_of(await lists.reader.of_tenant(*listing), lists)

    async def replay(self, request: web.Request) -> web.Response:
        caller = caller_of(request, SEND)
        given = await read_body(request, ReplayIn, self._deps.lists.limits)
        job = self._job(given, caller)
        ids = None if given.ids is None else list(dict.fromkeys(given.ids))
        stored = await self._deps.replays.jobs.create(job, ids)
        self._deps.replays.start(stored)
        return answer(shown_replay(job), 202)

    async def show(self, request: web.Request) -> web.Response:
        caller = caller_of(request, READ)
        stored = await self._deps.replays.jobs.get(self._name(request, caller))
        if stored is None:
            raise missing("replay", request.match_info["id"])
        return answer(shown_replay(stored.job))

    async def cancel(self, request: web.Request) -> web.Response:
        caller = caller_of(request, SEND)
        name = self._name(request, caller)
        now_ms = self._deps.lists.clock.wall_ms()
        stored = await self._deps.replays.jobs.cancel(name, now_ms)
        if stored is None:
            raise missing("replay", request.match_info["id"])
        self._deps.replays.changed(name)
        return answer(shown_replay(stored.job))

    def _job(self, given: ReplayIn, caller: Caller) -> Job:
        errors: list[FieldProblem] = []
        filters = ("status", "channel", "since", "until")
        if given.ids is not None:
            errors += [
                FieldProblem(f"/{name}", "both ids and a filter", "Leave one of them out.")
                for name in filters
                if getattr(given, name) is not None
            ]
        times: list[int | None] = []
        for name, text in (("since", given.since), ("until", given.until)):
            times.append(None if text is None else read_time_ms(text))
            if text is not None and times[-1] is None:
                errors.append(bad_time(f"/{name}", "this"))
        if errors:
            raise invalid(errors)
        lists, now_ms = self._deps.lists, self._deps.lists.clock.wall_ms()
        asked = asked_of(
            tenant_of(caller, given.tenant),
            given.channel or CHANNELS,
            given.status or DEAD_STATUSES,
            times[0],
            min(times[1], now_ms) if times[1] is not None else now_ms,
            now_ms=now_ms,
            days=DEAD_DAYS,
            kept_ms=lists.kept_ms,
        )
        return Job(
            mint_replay(self._deps),
            asked.tenant,
            given.ids is not None,
            sorted(asked.channels),
            sorted(asked.statuses),
            asked.since_ms,
            asked.until_ms,
            given.per_second,
            caller.trace,
            now_ms,
            now_ms,
            self._deps.replays.me,
            place=0 if given.ids is not None else "",
            any_tenant=caller.is_admin,
        )

    def _name(self, request: web.Request, caller: Caller) -> str:
        query = Query(request, ("tenant",))
        query.check()
        return f"{query.tenant(caller)}/{request.match_info['id'][:100]}"


def mint_replay(deps: DeadDeps) -> str:
    """The id of a new replay."""
    return "rpl_" + "".join(ALPHABET[b & 31] for b in deps.random_bytes(_ID_BYTES))


def shown_replay(job: Job) -> ReplayOut:
    """The replay as callers see it."""
    return ReplayOut(
        job.id,
        job.state,
        job.per_second,
        rfc3339(job.created_ms),
        rfc3339(job.updated_ms),
        job.sent,
        job.passed_over,
        job.trouble,
    )
