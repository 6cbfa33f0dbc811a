"""What callers send to POST /v1/notifications and what they get back.

The structs refuse unknown fields and wrong types while decoding; what they cannot say (exactly
one of template and content, an address for the channel) is checked by `core.contract.rules` and
`core.contract.recipients`.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

from core.contract.pointers import FieldProblem

ChannelName = Literal["sms", "email", "webhook"]
MessageClass = Literal["otp", "alert", "transactional", "bulk"]
Delivery = Literal["at_least_once", "at_most_once"]
Durability = Literal["local", "global"]
Until = Literal["sent", "delivered", "seen"]

TemplateName = Annotated[
    str,
    Meta(
        pattern="^[a-z0-9][a-z0-9._-]*$",
        max_length=64,
        description="lower-case letters, digits, dot, dash and underscore",
        examples=["otp"],
    ),
]
Locale = Annotated[
    str,
    Meta(
        pattern="^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*$",
        max_length=35,
        description="a language tag",
        examples=["en", "pt-BR"],
    ),
]
PhoneText = Annotated[
    str,
    Meta(
        max_length=40,
        description="E.164, with the plus sign; spaces and dashes are taken away",
        examples=["+447700900123"],
    ),
]
EmailText = Annotated[str, Meta(max_length=254, examples=["ada@example.com"])]
UrlText = Annotated[
    str,
    Meta(
        max_length=2048,
        description="where a webhook is called: http or https, without user and fragment",
        examples=["https://example.com/hooks"],
    ),
]


Channels = Annotated[
    list[ChannelName],
    Meta(
        min_length=1,
        max_length=6,
        description="channels in order of fallback, each once",
        examples=[["sms", "email"]],
    ),
]
TimeText = Annotated[
    str,
    Meta(
        max_length=40,
        description="RFC 3339 with an offset, or a local time without one beside `time_zone`",
        examples=["2026-01-31T09:00:00+01:00", "2026-01-31T09:00:00"],
    ),
]
ZoneName = Annotated[
    str, Meta(max_length=64, description="an IANA time zone", examples=["Europe/Berlin"])
]


class Target(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """One recipient, by one or several addresses."""

    phone: PhoneText | None = None
    email: EmailText | None = None
    url: UrlText | None = None


class Content(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """Ready text, in place of a template. A text message needs `text`; an e-mail needs `subject`
    and one or both of `text` and `html`."""

    text: str | None = None
    subject: Annotated[str, Meta(max_length=998)] | None = None
    html: str | None = None


class NotificationRequest(
    Struct, frozen=True, forbid_unknown_fields=True, rename={"class_": "class"}
):
    """One content for one or many recipients.

    `channel` left out means: the first of sms, email and webhook for which the target has an
    address. As a list it is a chain of fallback: the next channel is used where the one before did
    not come as far as `until` says ("sent" if left out), at its end and at the latest after
    `escalate_after` seconds; a target that lacks an address for a channel of the list skips it.
    Nothing is sent before `send_at`. `expires_in` is in seconds from then; left out, it follows
    from `class`.
    """

    to: Target | list[Target]
    channel: ChannelName | Channels | None = None
    template: TemplateName | None = None
    content: Content | None = None
    locale: Locale | None = None
    data: dict[str, Any] = field(default_factory=dict)
    class_: MessageClass = "transactional"
    delivery: Delivery = "at_least_once"
    durability: Durability = "local"
    expires_in: Annotated[int, Meta(ge=1, le=31_536_000, description="seconds")] | None = None
    until: Until | None = None
    escalate_after: Annotated[int, Meta(ge=1, le=2_592_000, description="seconds")] | None = None
    send_at: TimeText | None = None
    time_zone: ZoneName | None = None


class MessageBrief(Struct, frozen=True, gc=False, kw_only=True):
    """What came of the recipient at `index` of `to` (0 where `to` is one).

    Accepted ones have `id`, `channel` and `region`; more of them at GET /v1/messages/{id}. One
    with the status "rejected" has `code` and `errors` in their place, and `retry_after` (seconds)
    where waiting helps.
    """

    id: str | UnsetType = UNSET
    channel: ChannelName | UnsetType = UNSET
    status: str
    region: str | UnsetType = UNSET
    index: int
    code: str | UnsetType = UNSET
    errors: list[FieldProblem] | UnsetType = UNSET
    retry_after: int | UnsetType = UNSET


class NotificationAnswer(Struct, frozen=True, gc=False):
    """The answer 202: what was accepted is durable. In the order of the recipients, one each."""

    id: str
    messages: list[MessageBrief]


class BatchOutcome(Struct, frozen=True):
    """What came of one item of a batch: the status and body that it would have got alone. The last
    one may be no item's: then it says why the batch ended at this index."""

    index: int
    status: int
    body: dict[str, Any]


def expires_in_s(request: NotificationRequest, by_class_s: Mapping[str, int]) -> int:
    """Seconds after which nothing is sent any more; by the request's class if it says nothing."""
    return by_class_s[request.class_] if request.expires_in is None else request.expires_in
