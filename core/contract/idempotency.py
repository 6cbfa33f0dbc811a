"""What may stand in an Idempotency-Key. Pure."""

from core.contract.problems import ProblemError, problem

KEY_CHARS_MAX = 255


def checked_key(given: list[str]) -> str | None:
    """The key that these headers give, None without any; ProblemError (400) if it is none."""
    if not given:
        return None
    if len(given) > 1:
        raise _bad_key("It was sent more than once.")
    key = given[0]
    if not 1 <= len(key) <= KEY_CHARS_MAX:
        raise _bad_key(f"It has to have 1 to {KEY_CHARS_MAX} characters.")
    if not (key.isascii() and key.isprintable() and " " not in key):
        raise _bad_key("It has to be of visible ASCII characters, without spaces.")
    return key


def _bad_key(detail: str) -> ProblemError:
    return problem("invalid_idempotency_key", f"Idempotency-Key: {detail}")
