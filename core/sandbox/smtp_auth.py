"""AUTH PLAIN and AUTH LOGIN of the sandbox's SMTP server. Pure.

Nobody has to authenticate; who does has to be `sandbox` with the password `sandbox`.
"""

import base64
import binascii
from collections.abc import Callable

USER = "sandbox"
PASSWORD = "sandbox"  # noqa: S105 - documented, and for tests only

_USERNAME_PROMPT, _PASSWORD_PROMPT = "334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6"
_WRONG_CREDENTIALS = "535 5.7.8 Authentication credentials invalid"
_UNREADABLE = "501 5.5.2 Cannot decode that"


class Auth:
    """The dialogue of one connection. While `waiting`, the next line is for `answer`."""

    def __init__(self) -> None:
        self._authenticated = False
        self._next: Callable[[str], str] | None = None

    @property
    def waiting(self) -> bool:
        """The client was asked for something."""
        return self._next is not None

    def begin(self, argument: str) -> str:
        """The reply to `AUTH argument`."""
        if self._authenticated:
            return "503 5.5.1 Already authenticated"
        mechanism, _, initial = argument.partition(" ")
        match mechanism.upper():
            case "PLAIN":
                return self._ask(self._plain, initial, "334 ")
            case "LOGIN":
                return self._ask(self._user, initial, _USERNAME_PROMPT)
        return "504 5.5.4 Use PLAIN or LOGIN"

    def answer(self, line: str) -> str:
        """The reply to what the client says when asked."""
        answer, self._next = self._next, None
        if answer is None or line == "*":
            return "501 5.7.0 Cancelled"
        return answer(line)

    def _ask(self, then: Callable[[str], str], initial: str, prompt: str) -> str:
        if initial:
            return then(initial)
        self._next = then
        return prompt

    def _plain(self, encoded: str) -> str:
        text = _from_base64(encoded)
        fields = text.split("\0") if text is not None else []
        if len(fields) != 3:
            return _UNREADABLE
        return self._end(fields[1], fields[2])

    def _user(self, encoded: str) -> str:
        user = _from_base64(encoded)
        if user is None:
            return _UNREADABLE
        return self._ask(lambda password: self._password(user, password), "", _PASSWORD_PROMPT)

    def _password(self, user: str, encoded: str) -> str:
        password = _from_base64(encoded)
        return _UNREADABLE if password is None else self._end(user, password)

    def _end(self, user: str, password: str) -> str:
        self._authenticated = (user, password) == (USER, PASSWORD)
        return "235 2.7.0 Welcome" if self._authenticated else _WRONG_CREDENTIALS


def _from_base64(encoded: str) -> str | None:
    """The text, or None if it is not base64. "=" stands for the empty text (RFC 4954)."""
    if encoded == "=":
        return ""
    try:
        return base64.b64decode(encoded, validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return None
