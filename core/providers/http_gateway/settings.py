"""How a gateway is described: the request it wants, what its answers mean, how it reports back.

Data only; nothing of it is run. Secrets are kept apart and named in templates: `{password}`,
`{token}`, `{callback_secret}`. What settings mean together is checked by `check.problems` when
the account is written.
"""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from core.providers.http_gateway.pointer import Scalar
from core.providers.http_places import HttpPlace, Line, Url
from core.providers.port import ReceiptStatus

Form = Literal["json", "form", "query"]
ErrorClass = Literal[
    "retryable", "throttled", "permanent", "invalid_target", "account_fault", "unknown"
]
_Pointer = Annotated[str, Meta(max_length=256)]
_Pattern = Annotated[str, Meta(max_length=512)]
_HeaderName = Annotated[str, Meta(max_length=64, pattern="^[A-Za-z0-9-]*$(?!\n)")]
_Status = Annotated[int, Meta(ge=100, le=599)]
_Templated = Annotated[str, Meta(max_length=4_096)]


class Auth(Struct, frozen=True, forbid_unknown_fields=True):
    """How calls prove who they are: `basic` with `username` and the secret `password`, `bearer`
    with the secret `token`, `header` with that token in the header `header`."""

    kind: Literal["none", "basic", "bearer", "header"] = "none"
    username: Line = ""
    header: _HeaderName = ""


class Success(Struct, frozen=True, forbid_unknown_fields=True):
    """When a message was taken: the status is one of these, and, where `pointer` is set, what it
    points to is one of `values`; of answers in plain text: they fit `matches`."""

    statuses: list[_Status] = field(default_factory=lambda: [200, 201, 202])
    pointer: _Pointer = ""
    values: list[Scalar] = field(default_factory=list)
    matches: _Pattern = ""


class IdPlace(Struct, frozen=True, forbid_unknown_fields=True):
    """Where the provider's id of a message stands: at `pointer`, or at `{id}` of `matches`."""

    pointer: _Pointer = ""
    matches: _Pattern = ""


class ErrorRule(
    Struct, frozen=True, forbid_unknown_fields=True, rename={"in_": "in", "class_": "class"}
):
    """What an answer means that has this status, and at `pointer` this value (`equals`, one of
    `in`, or a text that fits `matches`); without pointer `matches` is of the whole text.
    `wait_pointer` says where a throttling answer names its seconds."""

    class_: ErrorClass
    status: _Status | None = None
    pointer: _Pointer = ""
    equals: Scalar = None
    in_: list[Scalar] = field(default_factory=list)
    matches: _Pattern = ""
    wait_pointer: _Pointer = ""


class Verification(Struct, frozen=True, forbid_unknown_fields=True):
    """How a report proves where it comes from, always with the secret `callback_secret`.

    `header` and `query`: it stands there (`name`), behind `prefix`. `hmac_sha256`: the header
    `name` holds a signature of the body, or of "timestamp.body" where `timestamp_header` is set;
    one whose timestamp (seconds since 1970) is further off than `tolerance_s` is refused. `none`:
    whoever knows the address may report; only for networks that are closed.
    """

    kind: Literal["none", "header", "query", "hmac_sha256"]
    name: Annotated[str, Meta(max_length=64, pattern="^[A-Za-z0-9_.-]*$(?!\n)")] = ""
    prefix: Line = ""
    encoding: Literal["hex", "base64"] = "hex"
    timestamp_header: _HeaderName = ""
    tolerance_s: Annotated[int, Meta(ge=1, le=86_400)] = 300


class Reply(Struct, frozen=True, forbid_unknown_fields=True):
    """What the provider wants to hear when its report was taken."""

    status: Annotated[int, Meta(ge=200, le=299)] = 200
    body: Annotated[str, Meta(max_length=4_096)] = ""
    content_type: Line = "text/plain"


class Callbacks(Struct, frozen=True, forbid_unknown_fields=True):
    """How the provider reports: pointers into each report, of a form or query into its fields.

    `reports` points to the list of them in a JSON body, which may also be a single one. The
    attempt's name is at `ref`, or in the address's query under `ref_query`. `statuses` says what
    the provider's words mean; one that is not there counts as "unknown" and is kept.
    """

    form: Form
    verification: Verification
    status: _Pointer
    statuses: dict[str, ReceiptStatus]
    id: _Pointer = ""
    ref: _Pointer = ""
    ref_query: Line = ""
    code: _Pointer = ""
    reports: _Pointer = ""
    reports_max: Annotated[int, Meta(ge=1, le=10_000)] = 1_000
    reply: Reply = Reply()


class Coding(Struct, frozen=True, forbid_unknown_fields=True):
    """What `{coding}` becomes for a text that fits GSM 7-bit, and for any other."""

    gsm: Line = "0"
    unicode: Line = "8"


class HttpGatewaySettings(HttpPlace, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One gateway, and how each message is handed to it."""

    url: Url
    method: Literal["GET", "POST", "PUT"] = "POST"
    body: Form = "json"
    """Where `fields` go: a JSON body, a form, or the address's query."""

    fields: dict[str, Any]
    """Names and values; texts may hold placeholders. Only JSON has other values than texts."""

    headers: dict[_HeaderName, _Templated] = field(default_factory=dict)
    auth: Auth = Auth()
    sender: Line = ""
    """What `{sender}` becomes for a message that names no sender."""

    coding: Coding = Coding()
    text_chars_max: Annotated[int, Meta(ge=1, le=10_000)] = 1_600
    success: Success = field(default_factory=Success)
    id: IdPlace = IdPlace()
    errors: Annotated[list[ErrorRule], Meta(max_length=200)] = field(default_factory=list)
    """Looked at in order, before `success`; the first that fits says what an answer means."""

    code: _Pointer = ""
    detail: _Pointer = ""
    """Where the provider's own error code and words stand, to be shown."""

    callbacks: Callbacks | None = None
