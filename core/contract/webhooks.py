"""A tenant's own webhook endpoints: where it is told what became of its messages."""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from core.contract.lists import TimeText
from core.contract.requests import UrlText
from core.contract.resources import Page, Timestamp

EventType = Literal[
    "message.sent",
    "message.delivered",
    "message.failed",
    "message.expired",
    "message.canceled",
    "message.suppressed",
    "message.skipped",
    "message.unknown",
    "message.seen",
    "message.complained",
]


class EndpointIn(Struct, frozen=True, forbid_unknown_fields=True):
    """An endpoint. Without `events`: all of them."""

    url: UrlText
    events: Annotated[list[EventType], Meta(max_length=16)] = field(default_factory=list)
    enabled: bool = True
    description: Annotated[str, Meta(max_length=200)] = ""


class EndpointOut(Struct, frozen=True, omit_defaults=True):
    """An endpoint. `secret` stands only in the answer that made it; `problem` says why it was
    switched off. `version` is its ETag."""

    id: str
    url: str
    events: list[EventType]
    enabled: bool
    description: str
    created_at: Timestamp
    version: int
    secrets: Annotated[int, Meta(description="how many are in force; two while one rotates out")]
    problem: str = ""
    secret: str = ""


class EndpointPage(Page, frozen=True):
    data: list[EndpointOut]


class RotateIn(Struct, frozen=True, forbid_unknown_fields=True):
    """Makes a new secret; the old one signs too for so long."""

    keep_old_s: Annotated[int, Meta(ge=0, le=2_592_000)] = 86_400


class EndpointTestOut(Struct, frozen=True):
    """A test event was journaled; its delivery is the message of that id."""

    id: str


class EndpointReplayIn(Struct, frozen=True, forbid_unknown_fields=True):
    """Sends again what was to be told since then: what failed, expired or is unknown, and what
    was taken too where `all` is asked for."""

    since: TimeText
    until: TimeText | None = None
    all: bool = False
    per_second: Annotated[float, Meta(gt=0, le=1000, description="events a second")] = 10
