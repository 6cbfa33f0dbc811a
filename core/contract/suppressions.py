"""Suppressions: contact points that are not sent to, for which classes, and why."""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from core.contract.requests import ChannelName, MessageClass
from core.contract.resources import Page, Timestamp

SuppressionReason = Literal["bounce", "complaint", "unsubscribe", "invalid", "manual"]
AddressText = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=2048,
        description="a phone number, an e-mail address or a URL, as the channel needs it",
        examples=["ada@example.com"],
    ),
]


class SuppressionIn(Struct, frozen=True, forbid_unknown_fields=True):
    """A contact point that is not to be sent to. Without `classes`: for those that the reason
    stops, which are all but for a complaint (transactional and bulk) and an unsubscribe (bulk)."""

    channel: ChannelName
    address: AddressText
    classes: Annotated[list[MessageClass], Meta(max_length=4)] = field(default_factory=list)
    reason: SuppressionReason = "manual"
    detail: Annotated[str, Meta(max_length=200)] = ""


class SuppressionEntry(Struct, frozen=True):
    """One cause. `message` is the message that it came from, "" for none."""

    reason: SuppressionReason
    classes: list[MessageClass]
    at: Timestamp
    detail: str
    message: str


class SuppressionOut(Struct, frozen=True):
    """A suppressed contact point with all causes; `version` is its ETag."""

    id: str
    channel: ChannelName
    address: str
    entries: list[SuppressionEntry]
    version: int


class SuppressionPage(Page, frozen=True):
    data: list[SuppressionOut]


class SuppressionSearch(Struct, frozen=True, forbid_unknown_fields=True):
    """Asks whether a contact point is suppressed; nothing personal stands in a URL."""

    channel: ChannelName
    address: AddressText
