"""What callers send to POST /v1/notifications and what they get back.

The structs refuse unknown fields and wrong types while decoding; what they cannot say (exactly
one of template and content, an address for the channel) is checked by `core.contract.recipients`.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

ChannelName = Literal["sms", "email", "webhook"]
MessageClass = Literal["otp", "alert", "transactional", "bulk"]
Delivery = Literal["at_least_once", "at_most_once"]
Durability = Literal["local", "global"]

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

    `channel` left out means: sms where the target has a phone, else email. `expires_in` is in
    seconds; left out, it follows from `class`.
    """

    to: Target | list[Target]
    channel: ChannelName | None = None
    template: TemplateName | None = None
    content: Content | None = None
    locale: Locale | None = None
    data: dict[str, Any] = field(default_factory=dict)
    class_: MessageClass = "transactional"
    delivery: Delivery = "at_least_once"
    durability: Durability = "local"
    expires_in: Annotated[int, Meta(ge=1, le=31_536_000, description="seconds")] | None = None


class MessageBrief(Struct, frozen=True, gc=False):
    """One accepted message; more of it at GET /v1/messages/{id}."""

    id: str
    channel: ChannelName
    status: str
    region: str


class NotificationAnswer(Struct, frozen=True, gc=False):
    """The answer 202: durable, in the order of the recipients."""

    id: str
    messages: list[MessageBrief]


def expires_in_s(request: NotificationRequest, by_class_s: Mapping[str, int]) -> int:
    """Seconds after which nothing is sent any more; by the request's class if it says nothing."""
    return by_class_s[request.class_] if request.expires_in is None else request.expires_in
