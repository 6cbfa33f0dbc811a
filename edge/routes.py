"""Every path of the API, once: what it takes, what it answers, which scope it needs.

The edge serves, refuses and forwards by this table, and /openapi.json is made from it. Pure.
"""

import re
from typing import Any

from msgspec import Struct

from core.contract.keys import ADMIN, KEYS, PROVIDERS, READ, SEND, TEMPLATES, WEBHOOKS, Scope
from core.contract.lists import (
    MessagePage,
    ReplayIn,
    ReplayOut,
    ResendIn,
    ResendOut,
    SearchIn,
)
from core.contract.policies import PolicyIn, PolicyOut, PolicyPage
from core.contract.providers import ProviderIn, ProviderOut, ProviderPage
from core.contract.region_changes import DrainIn, ForcedOut, ForceIn, JoinIn, ServingSetOut
from core.contract.regions import RegionsOut
from core.contract.requests import BatchOutcome, NotificationAnswer, NotificationRequest
from core.contract.resources import (
    CancelOut,
    KeyIn,
    KeyOut,
    KeyPage,
    MessageOut,
)
from core.contract.route import RouteAnswer, RouteAsk
from core.contract.templates import (
    DiffOut,
    DraftOut,
    PreviewIn,
    PreviewOut,
    PublishIn,
    RollbackIn,
    TemplateCreate,
    TemplateOut,
    TemplatePage,
    VersionOut,
    VersionPage,
)

_PARAMETER = re.compile(r"\{([a-z_]+)\}")
# Only what needs no quoting: a path means the same to the edge and to the core behind it.
_VALUE = r"[A-Za-z0-9][A-Za-z0-9_.~-]{0,127}"
_VALUES = {"token": r"[A-Za-z0-9_-]{1,1024}"}
PUBLIC_CODES = ("overloaded", "internal")
COMMON_CODES = ("unauthenticated", "key_revoked", "forbidden_scope", *PUBLIC_CODES)
BODY_CODES = (
    "bad_json",
    "invalid_request",
    "too_deep",
    "body_too_large",
    "unsupported_media_type",
    "request_timeout",
)
FORWARDING_CODES = ("no_core", "core_failed", "core_timeout")


class Route(Struct, frozen=True):
    """One method of one path. `codes` are the problems that it adds to the common ones; `keyed`
    says that an Idempotency-Key is taken; a route without a scope needs no key. With `items`,
    `body` and `answer` are those of one item of a stream or array; `html` answers are pages."""

    method: str
    path: str
    summary: str
    scope: Scope | None
    answer: Any
    status: int = 200
    body: Any = None
    codes: tuple[str, ...] = ()
    query: tuple[str, ...] = ()
    versioned: bool = False
    items: bool = False
    keyed: bool = False
    optional_body: Any = None
    html: bool = False

    @property
    def parameters(self) -> list[str]:
        return _PARAMETER.findall(self.path)


LIST = ("limit", "cursor")
_MESSAGES = ("status", "channel", "since", "until", *LIST, "tenant")
MISSING = ("not_found",)
EDITED = ("not_found", "stale_version")
RESENT = (
    "bad_json",
    "invalid_request",
    "invalid_idempotency_key",
    "not_found",
    "not_yet_visible",
    "not_ended",
    "home_elsewhere",
    "idempotency_running",
    "idempotency_conflict",
    "accept_unknown",
    "storage_full",
)

NOTIFY = Route(
    "POST",
    "/v1/notifications",
    "Send a notification to one or many recipients",
    SEND,
    NotificationAnswer,
    202,
    NotificationRequest,
    codes=(
        "invalid_idempotency_key",
        "unknown_template",
        "template_failed",
        "template_data_invalid",
        "idempotency_running",
        "idempotency_conflict",
        "rate_limited",
        "recipient_limited",
        "accept_unknown",
        "storage_full",
        "no_core",
        "home_elsewhere",
    ),
    keyed=True,
)


BATCH = Route(
    "POST",
    "/v1/notifications/batch",
    "Send many notifications, as lines of NDJSON or an array, each with its own outcome",
    SEND,
    BatchOutcome,
    200,
    NotificationRequest,
    codes=("invalid_idempotency_key", "no_core"),
    keyed=True,
    items=True,
)


def _collection(name: str, scope: Scope, kinds: tuple[Any, Any, Any]) -> list[Route]:
    """The usual methods of a collection of named things that have versions."""
    given, one, page = kinds
    names = "policies" if name == "policy" else f"{name}s"
    path, item = f"/v1/{names}", f"/v1/{names}/{{{'id' if name == 'provider' else 'name'}}}"
    return [
        Route("GET", path, f"List {names}", scope, page, query=LIST),
        Route("POST", path, f"Create a {name}", scope, one, 201, given, ("already_exists",)),
        Route("GET", item, f"Read a {name}", scope, one, codes=MISSING, versioned=True),
        Route("PUT", item, f"Replace a {name}", scope, one, 200, given, EDITED, versioned=True),
        Route("DELETE", item, f"Delete a {name}", scope, None, 204, codes=EDITED, versioned=True),
    ]


LISTS: tuple[Route, ...] = (
    Route(
        "GET",
        "/v1/messages",
        "List messages by status, channel and time, newest first",
        READ,
        MessagePage,
        codes=("invalid_request",),
        query=_MESSAGES,
    ),
    Route(
        "POST",
        "/v1/messages/search",
        "List messages to a recipient",
        READ,
        MessagePage,
        200,
        SearchIn,
    ),
    Route(
        "GET",
        "/v1/webhooks/{id}/deliveries",
        "List the events that were told to an endpoint, newest first",
        WEBHOOKS,
        MessagePage,
        codes=("invalid_request",),
        query=tuple(name for name in _MESSAGES if name != "channel"),
    ),
    Route(
        "POST",
        "/v1/messages/{id}/resend",
        "Send a message that has ended again, as a new one",
        SEND,
        ResendOut,
        202,
        codes=RESENT,
        keyed=True,
        optional_body=ResendIn,
    ),
    Route(
        "GET",
        "/v1/deadletters",
        "List what failed, or may or may not have been sent",
        READ,
        MessagePage,
        codes=("invalid_request",),
        query=_MESSAGES,
    ),
    Route(
        "POST",
        "/v1/deadletters/replay",
        "Send many again, so many a second",
        SEND,
        ReplayOut,
        202,
        ReplayIn,
    ),
    Route(
        "GET",
        "/v1/deadletters/replays/{id}",
        "How far a replay is",
        READ,
        ReplayOut,
        codes=MISSING,
        query=("tenant",),
    ),
    Route(
        "POST",
        "/v1/deadletters/replays/{id}/cancel",
        "Stop a replay",
        SEND,
        ReplayOut,
        codes=MISSING,
        query=("tenant",),
    ),
)


def _of_template(method: str, rest: str, summary: str, answer: Any, **more: Any) -> Route:
    return Route(method, f"/v1/templates/{{name}}/{rest}", summary, TEMPLATES, answer, **more)


_OF_TEMPLATES: tuple[Route, ...] = (
    _of_template("GET", "draft", "Read a draft", DraftOut, codes=MISSING, versioned=True),
    _of_template("DELETE", "draft", "Drop a draft", None, status=204, codes=EDITED, versioned=True),
    _of_template(
        "POST",
        "publish",
        "Publish the draft, or what is in force with its partials of now",
        TemplateOut,
        optional_body=PublishIn,
        codes=(*EDITED, "invalid_request"),
        versioned=True,
    ),
    _of_template(
        "GET", "versions", "List published versions", VersionPage, codes=MISSING, query=LIST
    ),
    _of_template("GET", "versions/{version}", "Read a version", VersionOut, codes=MISSING),
    _of_template(
        "POST",
        "rollback",
        "Put an older version in force again",
        TemplateOut,
        body=RollbackIn,
        codes=EDITED,
        versioned=True,
    ),
    _of_template(
        "GET",
        "diff",
        "Compare two versions, or one with the draft",
        DiffOut,
        codes=MISSING,
        query=("from", "to"),
    ),
    _of_template(
        "POST",
        "preview",
        "Render a template without sending",
        PreviewOut,
        body=PreviewIn,
        codes=MISSING,
    ),
)


def _of_region(change: str, summary: str, answer: Any, body: Any = None) -> Route:
    codes = ("not_found", "rule_says_no", "store_unreadable")
    path = f"/v1/regions/{{name}}/{change}"
    return Route("POST", path, summary, ADMIN, answer, body=body, codes=codes)


_OF_REGION: tuple[Route, ...] = (
    _of_region("drain", "Take a region out: its shards are given away", ServingSetOut, DrainIn),
    _of_region("return", "Let a region come back, a growing share at a time", ServingSetOut),
    _of_region("force-own", "Let this region own alone: the others are lost", ForcedOut, ForceIn),
    _of_region("join", "Let regions own together again, once repaired", ForcedOut, JoinIn),
)
FORWARDED: tuple[Route, ...] = (
    Route(
        "GET",
        "/v1/messages/{id}",
        "Read a message: state, events, attempts and the route's explanation",
        READ,
        MessageOut,
        codes=("not_found", "not_yet_visible", "home_elsewhere"),
    ),
    Route(
        "POST",
        "/v1/messages/{id}/cancel",
        "Ask that a message is not sent",
        SEND,
        CancelOut,
        202,
        codes=("not_found", "not_yet_visible", "home_elsewhere"),
    ),
    *LISTS,
    *_collection("template", TEMPLATES, (TemplateCreate, TemplateOut, TemplatePage)),
    *_OF_TEMPLATES,
    *_collection("provider", PROVIDERS, (ProviderIn, ProviderOut, ProviderPage)),
    *_collection("policy", PROVIDERS, (PolicyIn, PolicyOut, PolicyPage)),
    *_OF_REGION,
    Route(
        "POST",
        "/v1/route",
        "Ask how a message would go, with the explanation; nothing is sent",
        SEND,
        RouteAnswer,
        body=RouteAsk,
    ),
    Route(
        "GET",
        "/v1/regions",
        "How the regions are: states, leases, shards, and how far behind each other",
        READ,
        RegionsOut,
    ),
    Route("GET", "/v1/keys", "List API keys", KEYS, KeyPage, query=LIST),
    Route("POST", "/v1/keys", "Make an API key; it is shown once", KEYS, KeyOut, 201, KeyIn),
    Route("DELETE", "/v1/keys/{id}", "Revoke an API key", KEYS, None, 204, codes=MISSING),
)

CALLBACKS: tuple[Route, ...] = tuple(
    Route(
        method,
        "/v1/receipts/{account}",
        "Take what the provider of an account reports; it proves itself in its own way",
        None,
        None,
        codes=("not_found", "body_too_large", "request_timeout"),
    )
    for method in ("GET", "POST")
)


class Table:
    """Finds the route of a request."""

    def __init__(self, routes: tuple[Route, ...]) -> None:
        self._fixed: dict[str, dict[str, Route]] = {}
        self._patterns: list[tuple[re.Pattern[str], dict[str, Route]]] = []
        by_path: dict[str, dict[str, Route]] = {}
        for route in routes:
            by_path.setdefault(route.path, {})[route.method] = route
        for path, methods in by_path.items():
            if _PARAMETER.search(path):
                pattern = _PARAMETER.sub(lambda found: _VALUES.get(found[1], _VALUE), path)
                self._patterns.append((re.compile(pattern), methods))
            else:
                self._fixed[path] = methods

    def methods(self, path: str) -> dict[str, Route]:
        """The routes of a path by method; none where there is no such path."""
        methods = self._fixed.get(path)
        if methods is not None:
            return methods
        for pattern, found in self._patterns:
            if pattern.fullmatch(path):
                return found
        return {}
