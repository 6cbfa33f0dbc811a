"""Every path of the API, once: what it takes, what it answers, which scope it needs.

The edge serves, refuses and forwards by this table, and /openapi.json is made from it. Pure.
"""

import re
from typing import Any

from msgspec import Struct

from core.contract.keys import KEYS, PROVIDERS, READ, SEND, TEMPLATES, Scope
from core.contract.requests import BatchOutcome, NotificationAnswer, NotificationRequest
from core.contract.resources import (
    CancelOut,
    KeyIn,
    KeyOut,
    KeyPage,
    MessageOut,
    ProviderIn,
    ProviderOut,
    ProviderPage,
    TemplateIn,
    TemplateOut,
    TemplatePage,
)

_PARAMETER = re.compile(r"\{([a-z_]+)\}")
# Only what needs no quoting: a path means the same to the edge and to the core behind it.
_VALUE = r"[A-Za-z0-9][A-Za-z0-9_.~-]{0,127}"
COMMON_CODES = ("unauthenticated", "key_revoked", "forbidden_scope", "overloaded", "internal")
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
    """One method of one path. `codes` are the problems that it adds to the common ones; with
    `items`, `body` and `answer` are those of one item of a stream or array."""

    method: str
    path: str
    summary: str
    scope: Scope
    answer: Any
    status: int = 200
    body: Any = None
    codes: tuple[str, ...] = ()
    query: tuple[str, ...] = ()
    versioned: bool = False
    items: bool = False

    @property
    def parameters(self) -> list[str]:
        return _PARAMETER.findall(self.path)


_LIST = ("limit", "cursor")
_MISSING = ("not_found",)
_EDITED = ("not_found", "stale_version")

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
        "idempotency_running",
        "idempotency_conflict",
        "rate_limited",
        "recipient_limited",
        "accept_unknown",
        "storage_full",
        "no_core",
    ),
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
    items=True,
)


def _collection(name: str, scope: Scope, kinds: tuple[Any, Any, Any]) -> list[Route]:
    """The usual methods of a collection of named things that have versions."""
    given, one, page = kinds
    path, item = f"/v1/{name}s", f"/v1/{name}s/{{{'name' if name == 'template' else 'id'}}}"
    return [
        Route("GET", path, f"List {name}s", scope, page, query=_LIST),
        Route("POST", path, f"Create a {name}", scope, one, 201, given, ("already_exists",)),
        Route("GET", item, f"Read a {name}", scope, one, codes=_MISSING, versioned=True),
        Route("PUT", item, f"Replace a {name}", scope, one, 200, given, _EDITED, versioned=True),
        Route("DELETE", item, f"Delete a {name}", scope, None, 204, codes=_EDITED, versioned=True),
    ]


FORWARDED: tuple[Route, ...] = (
    Route(
        "GET",
        "/v1/messages/{id}",
        "Read a message: state, events, attempts and the route's explanation",
        READ,
        MessageOut,
        codes=("not_found", "not_yet_visible"),
    ),
    Route(
        "POST",
        "/v1/messages/{id}/cancel",
        "Ask that a message is not sent",
        SEND,
        CancelOut,
        202,
        codes=("not_found", "not_yet_visible"),
    ),
    *_collection("template", TEMPLATES, (TemplateIn, TemplateOut, TemplatePage)),
    *_collection("provider", PROVIDERS, (ProviderIn, ProviderOut, ProviderPage)),
    Route("GET", "/v1/keys", "List API keys", KEYS, KeyPage, query=_LIST),
    Route("POST", "/v1/keys", "Make an API key; it is shown once", KEYS, KeyOut, 201, KeyIn),
    Route("DELETE", "/v1/keys/{id}", "Revoke an API key", KEYS, None, 204, codes=_MISSING),
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
                pattern = _PARAMETER.sub(_VALUE, path)
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
