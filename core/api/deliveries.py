"""Telling a webhook endpoint again: one delivery, or many at a pace.

What is told again is a new message with attempts of its own; its body and its `webhook-id` are
those of the event, so that a receiver recognises what it has taken before. Progress of many is
read at GET /v1/deadletters/replays/{id}, as that of every replay.
"""

from aiohttp import web
from msgspec import Struct

from core.api.asked import asked_of, bad_time, read_time_ms
from core.api.deadletters import DeadDeps, mint_replay, shown_replay
from core.api.internal_auth import Caller, caller_of
from core.api.lists import SEARCH_DAYS
from core.api.resend import Resender
from core.api.wire import answer, missing, read_body
from core.contract.keys import WEBHOOKS
from core.contract.lists import DEAD_STATUSES
from core.contract.pointers import FieldProblem
from core.contract.problems import invalid
from core.contract.webhooks import EndpointReplayIn
from core.engine.payload import Payload
from core.replay.jobs import Job
from core.views.segments import END_STATUSES, EVENT
from core.webhooks.events import EVENT_KIND
from core.webhooks.store import EndpointStore

FAILED_STATUSES = (*DEAD_STATUSES, "expired")


class DeliveryDeps(Struct, frozen=True):
    """What the handlers need."""

    endpoints: EndpointStore
    resender: Resender
    dead: DeadDeps


def routes(deps: DeliveryDeps) -> list[web.RouteDef]:
    """The routes of telling again."""

    async def replay_one(request: web.Request) -> web.Response:
        caller = caller_of(request, WEBHOOKS)
        endpoint = request.match_info["id"]

        def told_it(payload: Payload) -> bool:
            return (payload.kind, payload.to, payload.tenant) == (
                EVENT_KIND,
                endpoint,
                caller.tenant,
            )

        return await deps.resender.answer(request, caller, request.match_info["message"], told_it)

    async def replay_many(request: web.Request) -> web.Response:
        caller = caller_of(request, WEBHOOKS)
        endpoint = request.match_info["id"]
        if await deps.endpoints.get(caller.tenant, endpoint) is None:
            raise missing("webhook endpoint", endpoint)
        given = await read_body(request, EndpointReplayIn, deps.dead.lists.limits)
        job = _job(given, caller, endpoint, deps.dead)
        deps.dead.replays.start(await deps.dead.replays.jobs.create(job, None))
        return answer(shown_replay(job), 202)

    one = "/v1/webhooks/{id}"
    return [
        web.post(one + "/deliveries/{message}/replay", replay_one),
        web.post(one + "/replay", replay_many),
    ]


def _job(given: EndpointReplayIn, caller: Caller, endpoint: str, dead: DeadDeps) -> Job:
    times: dict[str, int | None] = {}
    errors: list[FieldProblem] = []
    for name, text in (("since", given.since), ("until", given.until)):
        times[name] = None if text is None else read_time_ms(text)
        if text is not None and times[name] is None:
            errors.append(bad_time(f"/{name}", "this"))
    if errors:
        raise invalid(errors)
    now_ms, until_ms = dead.lists.clock.wall_ms(), times["until"]
    asked = asked_of(
        caller.tenant,
        (EVENT,),
        END_STATUSES if given.all else FAILED_STATUSES,
        times["since"],
        now_ms if until_ms is None else min(until_ms, now_ms),
        now_ms=now_ms,
        days=SEARCH_DAYS,
        kept_ms=dead.lists.kept_ms,
    )
    return Job(
        mint_replay(dead),
        asked.tenant,
        False,
        sorted(asked.channels),
        sorted(asked.statuses),
        asked.since_ms,
        asked.until_ms,
        given.per_second,
        caller.trace,
        now_ms,
        now_ms,
        dead.replays.me,
        endpoint=endpoint,
    )
