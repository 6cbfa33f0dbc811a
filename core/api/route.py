"""How a message would go now, without sending it: POST /v1/route.

The same decision as at work, with the accounts as they are at this moment and without exploring;
each channel is decided for itself, in the order of fallback.
"""

from collections.abc import Callable

from aiohttp import web
from msgspec import Struct

from core.api.internal_auth import Caller, caller_of
from core.api.wire import answer, read_body
from core.contract.keys import SEND
from core.contract.pointers import FieldProblem
from core.contract.problems import invalid, problem
from core.contract.recipients import (
    CHANNELS,
    FIELDS,
    AddressError,
    normal_email,
    normal_phone,
    normal_url,
)
from core.contract.requests import ChannelName, Target
from core.contract.route import ChannelRoute, RouteAnswer, RouteAsk
from core.contract.sections.core import LimitsSettings
from core.decide.parts import parts_of
from core.decide.policy import Policy
from core.decide.route import Candidate, Wanted, choose, reasons

UNKNOWN = "ZZ"
# Above every share for exploring: what is asked is where messages go, not where one might.
NO_CHANCE = 0.999
_NORMAL: dict[ChannelName, Callable[[str], str]] = {
    "sms": normal_phone,
    "email": normal_email,
    "webhook": normal_url,
}


class RouteDeps(Struct, frozen=True):
    """What the handler needs: the accounts at work, as facts for a channel, and the policies."""

    candidates: Callable[[str], list[Candidate]]
    serving: Callable[[str, str, str, str], Policy]
    limits: LimitsSettings


def routes(deps: RouteDeps) -> list[web.RouteDef]:
    """The handler of dry runs."""

    async def route(request: web.Request) -> web.Response:
        caller = caller_of(request, SEND)
        asked = await read_body(request, RouteAsk, deps.limits)
        tenant = _tenant(caller, asked)
        return answer(
            RouteAnswer([_route(deps, asked, tenant, channel) for channel in _channels(asked)])
        )

    return [web.post("/v1/route", route)]


def _tenant(caller: Caller, asked: RouteAsk) -> str:
    if asked.tenant not in (None, caller.tenant) and not caller.is_admin:
        detail = "Asking for another tenant needs the scope `admin`."
        raise problem("forbidden_scope", detail, missing_scope="admin")
    return asked.tenant or caller.tenant


def _channels(asked: RouteAsk) -> list[ChannelName]:
    """Those asked for, each with its address; else all that there is an address for."""
    given = [name for name in CHANNELS if getattr(asked.to, FIELDS[name]) is not None]
    if asked.channel is None:
        if not given:
            hint = "Give `phone`, `email` or `url`."
            raise invalid([FieldProblem("/to", "a recipient without address", hint)])
        return given
    channels = [asked.channel] if isinstance(asked.channel, str) else asked.channel
    for name in channels:
        if name not in given:
            hint = f"Add `{FIELDS[name]}`, or choose another channel."
            detail = f"channel {name} needs `{FIELDS[name]}`"
            raise invalid([FieldProblem(f"/to/{FIELDS[name]}", detail, hint)])
    return channels


def _route(deps: RouteDeps, asked: RouteAsk, tenant: str, channel: ChannelName) -> ChannelRoute:
    country = asked.country or _country(asked.to, channel)
    policy = deps.serving(tenant, asked.class_, channel, country)
    wanted = Wanted(
        channel,
        tenant,
        asked.class_,
        country,
        parts_of(channel, asked.text),
        len(asked.text),
        bool(asked.html),
    )
    decision = choose(wanted, deps.candidates(channel), policy, NO_CHANCE)
    why = ""
    if not decision.account:
        full = ", ".join(each.account for each in decision.candidates)
        why = f"no free place at {full}" if full else reasons(decision.removed, channel)
    return ChannelRoute(
        channel, country, wanted.parts, policy.explore, policy.when_none, decision, why
    )


def _country(to: Target, channel: ChannelName) -> str:
    """The country of the channel's address, as an edge finds it; ProblemError for a wrong one."""
    field = FIELDS[channel]
    try:
        address = _NORMAL[channel](getattr(to, field))
        return _of_number(address) if channel == "sms" else UNKNOWN
    except AddressError as error:
        raise invalid([FieldProblem(f"/to/{field}", error.detail, error.hint)]) from None


def _of_number(number: str) -> str:
    # The library is large, and most processes are never asked.
    import phonenumbers  # noqa: PLC0415

    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        hint = "It is written as +, country code, number without a leading zero."
        raise AddressError("there is no such country code", hint) from None
    region = phonenumbers.region_code_for_number(parsed)
    if region is None:
        region = phonenumbers.region_code_for_country_code(parsed.country_code or 0)
    return UNKNOWN if region in ("001", UNKNOWN, None) else str(region)
