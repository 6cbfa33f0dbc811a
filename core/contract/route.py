"""Asking how a message would go, without sending it: POST /v1/route."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from core.contract.explanation import Decision
from core.contract.providers import Country
from core.contract.requests import ChannelName, MessageClass, Target
from core.contract.resources import Name


class RouteAsk(Struct, frozen=True, forbid_unknown_fields=True, rename={"class_": "class"}):
    """One recipient as for POST /v1/notifications. `channel` left out: each that `to` has an
    address for. `country` left out follows from the number; `text` counts its parts. `tenant` is
    for those with the scope `admin`."""

    to: Target
    channel: ChannelName | Annotated[list[ChannelName], Meta(min_length=1)] | None = None
    class_: MessageClass = "transactional"
    country: Country | None = None
    text: Annotated[str, Meta(max_length=1_000_000)] = ""
    html: Annotated[str, Meta(max_length=10_000_000)] = ""
    tenant: Name | None = None


class ChannelRoute(Struct, frozen=True):
    """How a message would go on one channel now. `why` says what it would wait for, or end for at
    once (`when_none`), where `decision` has no account."""

    channel: ChannelName
    country: str
    parts: int
    explore: float
    when_none: Literal["wait", "end"]
    decision: Decision
    why: str


class RouteAnswer(Struct, frozen=True):
    """In the order of fallback."""

    routes: list[ChannelRoute]
