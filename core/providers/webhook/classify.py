"""What an endpoint's answer means for a message. Pure.

Standard Webhooks retry everything but success until the schedule ends, for an endpoint that is
misconfigured is mended sooner or later. So:

* 2xx: accepted, whatever the body says.
* 410: the endpoint is gone, and no message to it will be taken.
* 413: this message will never be taken; another one may.
* 429, and 503 with Retry-After: nothing was done; come back after that time.
* 502 and 504: a gateway does not know what became of the call: in doubt, and the repetition is
  recognised by its `webhook-id`.
* 3xx: redirects are not followed, as they could lead anywhere; a failure that may be mended.
* All else, 400, 401 and 404 included, may be mended, too.
"""

from email.utils import parsedate_to_datetime

from core.providers.http import Answered, HttpResult, NotSent, Refused, Unknown
from core.providers.port import Outcome

_GONE, _TOO_LARGE, _TOO_MANY, _UNAVAILABLE = 410, 413, 429, 503
_GATEWAYS = frozenset({502, 504})
_WITHDRAWN = Outcome("withdrawn")


def outcome_of(
    result: HttpResult, message_id: str, wall_ms: int, wait_ms: int, wait_max_ms: int
) -> Outcome:
    """The outcome of one call; `wait_ms` is for a throttling answer that names no time."""
    if isinstance(result, Answered):
        status = result.status
        if 200 <= status < 300:
            return Outcome("accepted", provider_id=message_id, code=str(status))
        told_ms = retry_after_ms(result.headers.get("retry-after", ""), wall_ms)
        wait_ms = min(wait_ms if told_ms is None else told_ms, wait_max_ms)
        return refused(status, told_ms is not None, wait_ms)
    if isinstance(result, Refused):
        return Outcome("permanent", detail=result.detail)
    if isinstance(result, NotSent):
        return Outcome("not_sent", detail=result.detail)
    if isinstance(result, Unknown):
        return Outcome("unknown", detail=result.detail)
    return _WITHDRAWN


def refused(status: int, told: bool, wait_ms: int) -> Outcome:
    """The outcome of an answer that is no success; `told`: it has a Retry-After."""
    code = str(status)
    if 300 <= status < 400:
        detail = f"the endpoint redirects ({code}); redirects are not followed"
        return Outcome("retryable", code=code, detail=detail)
    if status == _GONE:
        return Outcome("invalid_target", code=code, detail="the endpoint said gone (410)")
    if status == _TOO_LARGE:
        return Outcome("permanent", code=code, detail="the body is too large for the endpoint")
    if status == _TOO_MANY or (status == _UNAVAILABLE and told):
        detail = f"the endpoint asked to wait ({code})"
        return Outcome("throttled", code=code, detail=detail, wait_ms=wait_ms)
    if status in _GATEWAYS:
        return Outcome("unknown", code=code, detail=f"a gateway before the endpoint said {code}")
    return Outcome("retryable", code=code, detail=f"the endpoint answered {code}")


def retry_after_ms(value: str, wall_ms: int) -> int | None:
    """The time that Retry-After names, in seconds or as a date; None if it names none."""
    value = value.strip()
    if value.isascii() and value.isdigit():
        return int(value[:10]) * 1_000
    try:
        at = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return max(0, int(at.timestamp() * 1_000) - wall_ms)
