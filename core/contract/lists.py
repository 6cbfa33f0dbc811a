"""Lists of messages, dead letters, sending again and replaying, as callers and /openapi.json see
them."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from core.contract.requests import MessageClass
from core.contract.resources import Name, Page, Status, Timestamp

REPLAY_IDS_MAX = 10_000
DEAD_STATUSES = ("failed", "unknown")

MessageIdText = Annotated[str, Meta(min_length=1, max_length=64)]
Cursor = Annotated[str, Meta(max_length=400, description="`next_cursor` of the page before")]
TimeText = Annotated[
    str, Meta(max_length=40, description="RFC 3339", examples=["2026-01-31T12:00:00Z"])
]
DeadStatus = Literal["failed", "unknown", "expired"]
ListedChannel = Annotated[
    Literal["sms", "email", "webhook", "event"],
    Meta(description="`event` is what was told to the tenant's own webhook endpoints"),
]


class MessageRow(Struct, frozen=True, rename={"class_": "class"}):
    """A message in a list. `at` is when its status was seen; more at GET /v1/messages/{id}."""

    id: str
    channel: ListedChannel
    status: Status
    reason: str
    class_: MessageClass
    created_at: Timestamp
    at: Timestamp
    possible_duplicate: bool
    final: bool


class MessagePage(Page, frozen=True):
    """Newest first. A page may be short, or empty, and still have a `next_cursor`."""

    data: list[MessageRow]


class SearchIn(Struct, frozen=True, forbid_unknown_fields=True):
    """Messages to one recipient; `since` left out means the last 7 days."""

    recipient: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=2048,
            description="a phone number, an e-mail address or a URL",
            examples=["+447700900123"],
        ),
    ]
    since: TimeText | None = None
    until: TimeText | None = None
    cursor: Cursor | None = None
    limit: Annotated[int, Meta(ge=1, le=1000)] | None = None
    tenant: Annotated[Name, Meta(description="another tenant: scope `admin`")] | None = None


class ResendIn(Struct, frozen=True, forbid_unknown_fields=True):
    """`expires_in` in seconds; left out, it follows from the message's class."""

    expires_in: Annotated[int, Meta(ge=1, le=31_536_000, description="seconds")] | None = None


class ResendOut(Struct, frozen=True):
    """The new message: durable, under way."""

    id: str
    status: str
    region: str
    resend_of: str


class ReplayIn(Struct, frozen=True, forbid_unknown_fields=True):
    """What to send again: `ids`, or what a list of dead letters with these filters shows.

    `since` left out means the last 7 days, `until` left out means now.
    """

    ids: Annotated[list[MessageIdText], Meta(min_length=1, max_length=REPLAY_IDS_MAX)] | None = None
    status: Annotated[list[DeadStatus], Meta(min_length=1, max_length=3)] | None = None
    channel: Annotated[list[ListedChannel], Meta(min_length=1, max_length=4)] | None = None
    since: TimeText | None = None
    until: TimeText | None = None
    per_second: Annotated[float, Meta(gt=0, le=1000, description="new messages a second")] = 10
    tenant: Annotated[Name, Meta(description="another tenant: scope `admin`")] | None = None


class ReplayOut(Struct, frozen=True):
    """A replay as it stands. `passed_over` counts by reason what was not sent again; `trouble`
    says why it waits, if it does."""

    id: str
    state: Literal["running", "done", "canceled"]
    per_second: float
    created_at: Timestamp
    updated_at: Timestamp
    sent: int
    passed_over: dict[str, int]
    trouble: str
