"""What the API's other resources look like: keys, messages.

The same structs decode requests, encode answers and make /openapi.json.
"""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from core.contract.keys import Scope
from core.contract.requests import (
    ChannelName,
    Delivery,
    Durability,
    MessageClass,
)

Name = Annotated[
    str,
    Meta(
        pattern="^[a-z0-9][a-z0-9_-]*$",
        max_length=64,
        description="lower-case letters, digits, dash and underscore",
    ),
]
Timestamp = Annotated[str, Meta(description="RFC 3339 in UTC", examples=["2026-01-31T12:00:00Z"])]
Status = Literal[
    "accepted",
    "scheduled",
    "queued",
    "sending",
    "sent",
    "delivered",
    "failed",
    "expired",
    "canceled",
    "suppressed",
    "skipped",
    "unknown",
]


class KeyIn(Struct, frozen=True, forbid_unknown_fields=True):
    """A new API key. Without `tenant` it is for the caller's own."""

    scopes: Annotated[list[Scope], Meta(min_length=1, max_length=16)]
    tenant: Name | None = None


class KeyOut(Struct, frozen=True, omit_defaults=True):
    """A key; `key` itself stands only in the answer that made it."""

    id: str
    tenant: str
    scopes: list[Scope]
    created_at: Timestamp
    revoked: bool
    key: str | None = None


class EventOut(Struct, frozen=True):
    """Something that happened to a message. `region` is where it was written down, "" where it is
    what a core sees now."""

    at: Timestamp
    type: str
    detail: str = ""
    region: str = ""


class AttemptOut(Struct, frozen=True):
    """One call to a provider. `attempt` is its name in references and receipts."""

    attempt: str
    account: str
    epoch: int
    at: Timestamp
    outcome: str
    code: str = ""
    detail: str = ""
    provider_id: str = ""
    resend: int = 0
    explanation: Any = None


class MessageOut(Struct, frozen=True, rename={"class_": "class"}):
    """A message with all that is known about it. `final`: its status will not change any more,
    unless evidence of a delivery still comes.

    Of a fallback chain `follows` is the message before, and `next` the channels and ids of those
    that may come after this one. `engagement` is what its recipient did with it.
    """

    id: str
    notification_id: str
    tenant: str
    channel: ChannelName
    status: Status
    reason: str
    final: bool
    region: str
    possible_duplicate: bool
    class_: MessageClass
    delivery: Delivery
    durability: Durability
    created_at: Timestamp
    expires_at: Timestamp
    events: list[EventOut]
    attempts: list[AttemptOut]
    send_at: Timestamp | None = None
    until: str | None = None
    follows: str | None = None
    next: list["NextOut"] = field(default_factory=list)
    resend_of: str | None = None
    engagement: list[str] = field(default_factory=list)
    home: str = ""
    owner: str = ""
    epoch: int = 0


class NextOut(Struct, frozen=True):
    """A message that follows where this one does not come as far as was asked."""

    id: str
    channel: ChannelName


class CancelOut(Struct, frozen=True):
    """The answer to a cancel request: taken down; the message's owner decides."""

    id: str
    status: Status
    final: bool


class Page(Struct, frozen=True):
    """What all lists share; each list has its own type of `data`."""

    next_cursor: str | None


class KeyPage(Page, frozen=True):
    data: list[KeyOut]


class ProblemOut(Struct, frozen=True, omit_defaults=True):
    """RFC 9457, as `core.contract.problems` writes it."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    trace_id: str
    errors: list["FieldProblemOut"] = field(default_factory=list)
    message_ids: list[str] = field(default_factory=list)


class FieldProblemOut(Struct, frozen=True):
    """One thing that is wrong: where (JSON pointer), what, and how to mend it."""

    pointer: str
    detail: str
    hint: str
