"""POST /v1/notifications: the one path that has to be fast.

Checks the caller and the body, finds the recipients' countries, has the ids minted, and hands the
body on as it came. Raises ProblemError for whatever is wrong; a request that was handed on ends
with the core's own answer, relayed byte for byte. Of many recipients the wrong ones are left out:
the core names them in its answer.
"""

import asyncio
from collections.abc import Callable

from aiohttp import web
from msgspec import Struct

from core.contract.frames import AcceptReply
from core.contract.idempotency import checked_key
from core.contract.keys import SEND
from core.contract.pointers import FieldProblem
from core.contract.problems import decode_json, problem
from core.contract.recipients import (
    AddressError,
    Recipient,
    Rejected,
    nobody,
    pointer_to,
    recipients_of,
)
from core.contract.requests import NotificationRequest
from core.contract.rules import Rules
from edge.bodies import Bodies, check_json
from edge.calls import no_core
from edge.country import UNKNOWN, country_of
from edge.dispatch import Dispatcher
from edge.gate import Gate
from edge.minting import Minter, Placement

# The recipients that can be, the country of each one's number, and those that cannot.
Checked = tuple[list[Recipient], list[str], list[Rejected]]


class RequestLimits(Struct, frozen=True):
    """What a notification may be."""

    json_depth_max: int
    no_core_wait_ms: int
    rules: Rules


class Notifications:
    """Takes notifications in."""

    def __init__(
        self,
        gate: Gate,
        bodies: Bodies,
        dispatcher: Dispatcher,
        limits: RequestLimits,
        minter: Minter,
        *,
        wall_ms: Callable[[], int],
    ) -> None:
        self._gate = gate
        self._bodies = bodies
        self._dispatcher = dispatcher
        self._limits = limits
        self._minter = minter
        self._wall_ms = wall_ms

    async def accept(self, request: web.BaseRequest, trace: str) -> AcceptReply:
        """The core's answer, or ProblemError."""
        caller = self._gate.known(request, SEND) or await self._gate.find(request, SEND)
        if self._dispatcher.full:
            detail = "Too many requests are waiting for the cores. Try again."
            raise problem("overloaded", detail, headers={"Retry-After": "1"})
        check_json(request)
        with self._bodies.hold(self._bodies.expected(request)):
            body = await self._bodies.read(request)
            checked = self.check(body)
            key = idempotency_key(request)
            placement = self._dispatcher.placement or await self.placed()
            return await self.hand_on(placement, caller.tenant, key, trace, body, checked)

    def check(self, body: bytes) -> Checked:
        """Who gets what this body asks for; ProblemError for whatever is wrong with it."""
        asked = decode_json(body, NotificationRequest, max_depth=self._limits.json_depth_max)
        found = recipients_of(asked, self._limits.rules, self._wall_ms())
        checked = _countries(asked, found.good)
        recipients, _, rejected = checked
        if not recipients:
            raise nobody(sorted([*found.wrong, *rejected], key=lambda one: one.index))
        return checked

    def hand_on(
        self,
        placement: Placement,
        tenant: str,
        key: str | None,
        trace: str,
        body: bytes,
        checked: Checked,
    ) -> asyncio.Future[AcceptReply]:
        """Mint the ids of a checked request and give it to a core; may end as ProblemError."""
        recipients, countries, rejected = checked
        ids, ntf = self._minter.mint(placement, tenant, key, recipients, countries)
        version = placement.placement.version
        return self._dispatcher.submit(
            tenant, key, ntf, ids, countries, trace, body, rejected, recipients, version
        )

    async def placed(self) -> Placement:
        """What is needed to mint ids; ProblemError `no_core` if no core says it in time."""
        placement = await self._dispatcher.wait_placed(self._limits.no_core_wait_ms)
        if placement is None:
            raise no_core()
        return placement


def idempotency_key(request: web.BaseRequest) -> str | None:
    """The request's key, or None; ProblemError if it cannot be one."""
    return checked_key(request.headers.getall("Idempotency-Key", []))


def _countries(asked: NotificationRequest, recipients: list[Recipient]) -> Checked:
    countries: list[str] = []
    rejected: list[Rejected] = []
    for one in recipients:
        number = one.address if one.channel == "sms" else _later_number(one)
        if number is None:
            countries.append(UNKNOWN)
            continue
        try:
            countries.append(country_of(number))
        except AddressError as error:
            pointer = pointer_to(asked, one.index, "sms")
            wrong = FieldProblem(pointer, error.detail, error.hint)
            rejected.append(Rejected(one.index, [wrong]))
    if rejected:
        out = {one.index for one in rejected}
        recipients = [one for one in recipients if one.index not in out]
    return recipients, countries, rejected


def _later_number(recipient: Recipient) -> str | None:
    return next((step.address for step in recipient.later if step.channel == "sms"), None)
