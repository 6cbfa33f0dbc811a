"""Messages by id, and asking to cancel one.

A cancel is a request in the log; the owner of the message decides. The answer waits a moment for
that decision and then says what is true: `canceled`, or the state that the message has. Of a
fallback chain everything that may follow is cancelled with the message.

Any core answers for any message: it asks the owner, wherever that is, and reads the store when the
owner is away (PROTOCOL.md 3).
"""

import asyncio

from aiohttp import web
from msgspec import Struct

from core.api.internal_auth import caller_of
from core.api.peers import Peers
from core.api.wire import answer
from core.clock import Clock
from core.contract.ids import parse_id
from core.contract.problems import problem
from core.contract.resources import CancelOut, MessageOut
from core.engine.logs import Logs
from core.engine.payload import decode_payload
from core.engine.whereabouts import Whereabouts
from core.messages.cancel import cancel_all
from core.messages.reader import Reader
from core.messages.view import Facts, LookedAfter, Windows, show
from sync.lattice import RANK

YOUNG_MINUTES = 2
DECIDE_WAIT_S = 2.0
LOOK_EVERY_S = 0.02


class MessageDeps(Struct, frozen=True):
    """What the handlers need."""

    reader: Reader
    logs: Logs
    clock: Clock
    region: str
    windows: Windows
    peers: Peers
    where: Whereabouts


def routes(deps: MessageDeps) -> list[web.RouteDef]:
    """The routes of messages."""

    async def get(request: web.Request) -> web.Response:
        caller = caller_of(request, "read")
        passed = await deps.peers.ask_owner(request, request.match_info["id"])
        if passed is not None:
            return passed
        facts = await find_message(
            deps.reader,
            deps.where,
            deps.clock,
            request.match_info["id"],
            caller.tenant,
            caller.is_admin,
        )
        return answer(_show(deps, facts))

    async def cancel(request: web.Request) -> web.Response:
        caller = caller_of(request, "send")
        message_id = request.match_info["id"]
        passed = await deps.peers.ask_owner(request, message_id)
        if passed is not None:
            return passed
        facts = await find_message(
            deps.reader, deps.where, deps.clock, message_id, caller.tenant, caller.is_admin
        )
        if RANK[facts.state] < RANK["unknown"]:
            await cancel_all(deps.logs, facts.message, deps.clock.wall_ms(), caller.trace)
            facts = await _decided(deps, message_id, facts)
        elif facts.message.until:
            await cancel_all(
                deps.logs, facts.message, deps.clock.wall_ms(), caller.trace
            )  # nothing more follows from it
        shown = _show(deps, facts)
        return answer(CancelOut(message_id, shown.status, shown.final))

    return [web.get("/v1/messages/{id}", get), web.post("/v1/messages/{id}/cancel", cancel)]


async def find_message(
    reader: Reader,
    where: Whereabouts,
    clock: Clock,
    message_id: str,
    tenant: str,
    admin: bool,
) -> Facts:
    """The message, if it is the tenant's; the same 404 for another's as for none.

    One that may still become visible gets a 404 of its own: a young id, one whose age its id does
    not say, and any while a region is silent that may have taken it in.
    """
    named = parse_id(message_id)
    missing = problem("not_found", f"There is no message `{message_id[:80]}`.")
    if named is None or not where.knows_home(message_id):
        raise missing
    facts = await reader.find(message_id)
    if facts is not None and (admin or decode_payload(facts.message.payload).tenant == tenant):
        return facts
    minute = clock.wall_ms() // 60_000
    if named.minute is None or minute - named.minute <= YOUNG_MINUTES:
        detail = "It is not visible here yet, or it was never accepted. Ask again in a moment."
        raise problem("not_yet_visible", detail, headers={"Retry-After": "1"})
    silent = where.silent_regions(message_id)
    if silent:
        detail = f"It may have been accepted in {', '.join(silent)}, of which nothing is heard."
        raise problem("not_yet_visible", detail, headers={"Retry-After": "5"})
    raise missing


async def _decided(deps: MessageDeps, message_id: str, facts: Facts) -> Facts:
    """What the owner made of it, or how far the message is when it took too long."""
    until = deps.clock.boot() + DECIDE_WAIT_S
    while deps.clock.boot() < until:
        facts = await deps.reader.find(message_id) or facts
        if RANK[facts.state] >= RANK["unknown"]:
            break
        await asyncio.sleep(LOOK_EVERY_S)
    return facts


def _show(deps: MessageDeps, facts: Facts) -> MessageOut:
    owner, epoch = deps.where.owner_of(facts.message.id)
    looked_after = LookedAfter(owner, epoch, deps.where.region_of_log)
    return show(facts, deps.region, deps.windows, deps.clock.wall_ms(), looked_after)
