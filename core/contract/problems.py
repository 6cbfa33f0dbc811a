"""Everything the API can answer that is not a success, as application/problem+json.

`CODES` is the whole list; `problem("code", "detail")` makes the exception that an edge or a core
turns into an answer with `body(trace_id)`. `decode_json` reads a body into a struct and says of
whatever is wrong with it where it is (JSON pointer) and how to mend it. It raises `ProblemError`
and nothing else, whatever the bytes are.
"""

from collections.abc import Hashable
from functools import lru_cache
from typing import Any, TypeVar, cast

import msgspec

from core.contract.pointers import FieldProblem, explain_malformed, explain_mismatch, too_deep

CONTENT_TYPE = "application/problem+json"
TYPE_PREFIX = "https://goutong.dev/problems/"
T = TypeVar("T")

CODES: dict[str, tuple[int, str]] = {
    "bad_request": (400, "The request is not valid HTTP"),
    "bad_json": (400, "The body is not JSON"),
    "invalid_request": (400, "The request is not valid"),
    "too_deep": (400, "The body is nested too deeply"),
    "invalid_idempotency_key": (400, "The Idempotency-Key is not valid"),
    "unknown_template": (400, "There is no such template"),
    "template_failed": (400, "The template cannot be rendered"),
    "template_data_invalid": (400, "The data does not fit the template's schema"),
    "unauthenticated": (401, "An API key is needed"),
    "key_revoked": (401, "This API key was revoked"),
    "forbidden_scope": (403, "The API key lacks a scope"),
    "not_found": (404, "There is nothing here"),
    "not_yet_visible": (404, "Not visible here yet"),
    "method_not_allowed": (405, "The method is not allowed here"),
    "request_timeout": (408, "The request did not come in time"),
    "idempotency_running": (409, "The same request is still running"),
    "not_enabled": (409, "It is switched off"),
    "already_exists": (409, "It exists already"),
    "too_many": (409, "There are as many as there may be"),
    "rule_says_no": (409, "A rule does not allow it now"),
    "not_ended": (409, "The message has not ended"),
    "stale_version": (412, "It was changed meanwhile"),
    "body_too_large": (413, "The body is too large"),
    "unsupported_media_type": (415, "The content type is not supported"),
    "map_outdated": (421, "Minted by an older placement map"),
    "idempotency_conflict": (422, "The Idempotency-Key was used for another request"),
    "rate_limited": (429, "The tenant sends too fast"),
    "recipient_limited": (429, "This recipient gets too much"),
    "internal": (500, "Something went wrong on our side"),
    "core_failed": (502, "A core did not answer properly"),
    "accept_unknown": (503, "It may have been accepted"),
    "storage_full": (503, "The storage is full"),
    "overloaded": (503, "Too much at once"),
    "home_elsewhere": (503, "Another region takes this"),
    "no_core": (503, "No core can be reached"),
    "store_unreadable": (503, "The store cannot be read"),
    "sealed": (503, "Credentials cannot be read without the sealing key"),
    "core_timeout": (504, "A core did not answer in time"),
}


class ProblemError(Exception):
    """An answer that is a problem. `extra` stands beside the fixed members of the body."""

    def __init__(
        self,
        status: int,
        code: str,
        title: str,
        detail: str,
        *,
        errors: list[FieldProblem] | None = None,
        headers: dict[str, str] | None = None,
        extra: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(f"{code}: {detail}")
        self.status = status
        self.code = code
        self.title = title
        self.detail = detail
        self.errors = errors or []
        self.headers = headers or {}
        self.extra = extra or {}

    def body(self, trace_id: str) -> bytes:
        """The JSON of the answer."""
        members: dict[str, Any] = {
            "type": TYPE_PREFIX + self.code,
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            "trace_id": trace_id,
        }
        if self.errors:
            members["errors"] = self.errors
        members.update(self.extra)
        return msgspec.json.encode(members)


def problem(
    code: str,
    detail: str,
    *,
    errors: list[FieldProblem] | None = None,
    headers: dict[str, str] | None = None,
    **extra: Any,
) -> ProblemError:
    """The problem of this code, with the status and title that `CODES` gives it."""
    status, title = CODES[code]
    return ProblemError(status, code, title, detail, errors=errors, headers=headers, extra=extra)


def invalid(errors: list[FieldProblem]) -> ProblemError:
    """The problem of a request that is JSON but breaks the API's rules."""
    first = errors[0]
    where = first.pointer or "the body"
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return problem("invalid_request", f"{where}: {first.detail}{more}", errors=errors)


@lru_cache(maxsize=256)
def decoder_of(target: Hashable) -> msgspec.json.Decoder[Any]:
    """The decoder of a type, made once. The number of types is the program's own."""
    return msgspec.json.Decoder(cast("type[Any]", target))


def decode_json(body: bytes, target: type[T], *, max_depth: int) -> T:
    """The body as `target`; raises ProblemError (400) with pointer and hint otherwise."""
    if too_deep(body, max_depth):
        hint = f"Send at most {max_depth} levels of objects and arrays."
        error = FieldProblem("", f"nested deeper than {max_depth} levels", hint)
        raise problem("too_deep", error.detail, errors=[error])
    try:
        value: T = decoder_of(cast("Hashable", target)).decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _refusal(error, body, target) from None
    return value


def _refusal(error: Exception, body: bytes, target: Any) -> ProblemError:
    """The decoder stops at what it meets first; a body that is no JSON further on is no JSON."""
    malformed: Exception | None = None
    try:
        msgspec.json.decode(body)
    except msgspec.ValidationError:
        pass  # JSON, with a number that nothing can hold
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as found:
        malformed = found
    if malformed is None and isinstance(error, msgspec.ValidationError):
        return invalid([explain_mismatch(str(error), body, target)])
    told = explain_malformed(malformed or error, body)
    return problem("bad_json", told.detail, errors=[told])
