"""Sending a message again, as a new one: POST /v1/messages/{id}/resend.

Only what has ended is sent again, whatever its end: an open message is still going to be sent by
itself (409 `not_ended`), and cancelling it comes first. The answer 202 goes out after the new
message is durable. An Idempotency-Key gives the same new message for the same call. Any core of a
region that may journal the message answers: a message has ended when its by-id row says so, whoever
owns it. Cores of other regions ask one of those.
"""

from collections.abc import Callable

import msgspec
from aiohttp import web
from msgspec import Struct

from core.accept.keys import Keys
from core.api.internal_auth import Caller, caller_of
from core.api.messages import find_message
from core.api.peers import Peers
from core.api.wire import missing, read_body
from core.clock import Clock
from core.contract.idempotency import checked_key
from core.contract.ids import (
    UNKEYED_RANDOM_BYTES,
    MessageId,
    body_hash,
    mint_derived,
    mint_unkeyed,
    parse_id,
)
from core.contract.keys import SEND
from core.contract.lists import ResendIn, ResendOut
from core.contract.pointers import FieldProblem
from core.contract.problems import invalid, problem
from core.contract.sections.core import LimitsSettings
from core.engine.payload import Payload, decode_payload
from core.engine.whereabouts import Whereabouts
from core.messages.reader import Reader
from core.messages.view import Facts
from core.replay.again import Again, has_ended, state_now

NOT_ENDED = "It is still going to be sent by itself (`{}`). Cancel it first, or wait for its end."


class ResendDeps(Struct, frozen=True):
    """What the handler needs."""

    reader: Reader
    again: Again
    keys: Keys
    clock: Clock
    random_bytes: Callable[[int], bytes]
    region: str
    limits: LimitsSettings
    horizon_s: int
    where: Whereabouts
    peers: Peers


def routes(deps: ResendDeps) -> list[web.RouteDef]:
    """The route of sending again."""
    resender = Resender(deps)

    async def resend(request: web.Request) -> web.Response:
        caller = caller_of(request, SEND)
        return await resender.answer(request, caller, request.match_info["id"])

    return [web.post("/v1/messages/{id}/resend", resend)]


class Resender:
    """Answers requests to send one message again."""

    def __init__(self, deps: ResendDeps) -> None:
        self._deps = deps

    async def answer(
        self,
        request: web.Request,
        caller: Caller,
        message_id: str,
        fits: Callable[[Payload], bool] = lambda _: True,
    ) -> web.Response:
        """Send it again; 404 as for one that is not there unless it `fits`."""
        deps = self._deps
        passed = await deps.peers.ask_elsewhere(request, message_id)
        if passed is not None:
            return passed
        key = checked_key(request.headers.getall("Idempotency-Key", []))
        given = ResendIn()
        if await request.read():
            given = await read_body(request, ResendIn, deps.limits)
        if given.expires_in is not None and given.expires_in > deps.horizon_s:
            hint = f"Use at most {deps.horizon_s} seconds."
            raise invalid([FieldProblem("/expires_in", "beyond the horizon", hint)])
        named = parse_id(message_id)
        if key is None or named is None:
            return _accepted(await self._send(message_id, caller, given, fits))
        return await self._once(message_id, named, caller, given, fits, key)

    async def _once(
        self,
        message_id: str,
        named: MessageId,
        caller: Caller,
        given: ResendIn,
        fits: Callable[[Payload], bool],
        key: str,
    ) -> web.Response:
        """The same answer for the same key and call; 409 and 422 as with notifications."""
        keys, tenant = self._deps.keys, caller.tenant
        hashed = body_hash(f"resend {message_id} {given.expires_in}".encode())
        known = keys.begin(tenant, key, hashed)
        if known is not None:
            return _accepted(known, replayed=True)
        try:
            known = await keys.look_up(tenant, key, hashed)
            if known is not None:
                keys.accepted(tenant, key, hashed, known)
                return _accepted(known, replayed=True)
            new_id = mint_derived(named.home, named.shard, b"resend", tenant, key, message_id)
            return _accepted(await self._send(message_id, caller, given, fits, new_id, key, hashed))
        except BaseException as error:
            # A row that may still come to stand keeps its key until that is known.
            if getattr(error, "code", "") != "accept_unknown":
                keys.ended(tenant, key)
            raise

    async def _send(
        self,
        message_id: str,
        caller: Caller,
        given: ResendIn,
        fits: Callable[[Payload], bool],
        new_id: str = "",
        key: str = "",
        hashed: bytes = b"",
    ) -> bytes:
        deps = self._deps
        facts = await find_message(
            deps.reader, deps.where, deps.clock, message_id, caller.tenant, caller.is_admin
        )
        payload = decode_payload(facts.message.payload)
        if not fits(payload):
            raise missing("such message", message_id[:80])
        if not has_ended(facts):
            raise problem("not_ended", NOT_ENDED.format(state_now(facts)))
        new_id = new_id or self._mint(facts)
        body = msgspec.json.encode(ResendOut(new_id, "accepted", deps.region, message_id))

        def told(stands: bool) -> None:
            if key and stands:
                deps.keys.accepted(caller.tenant, key, hashed, body)
            elif key:
                deps.keys.ended(caller.tenant, key)

        await deps.again.send(
            facts.message,
            payload,
            new_id,
            trace=caller.trace,
            expires_in_s=given.expires_in,
            key_row=deps.keys.row(caller.tenant, key, hashed, body) if key else None,
            told=told,
        )
        return body

    def _mint(self, facts: Facts) -> str:
        named = parse_id(facts.message.id)
        assert named is not None
        minute = self._deps.clock.wall_ms() // 60_000
        rnd = self._deps.random_bytes(UNKEYED_RANDOM_BYTES)
        return mint_unkeyed(named.home, named.shard, minute, rnd)


def _accepted(body: bytes, replayed: bool = False) -> web.Response:
    headers = {"Idempotent-Replayed": "true"} if replayed else {}
    return web.Response(status=202, body=body, content_type="application/json", headers=headers)
