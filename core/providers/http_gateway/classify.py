"""What a gateway's answer means for a message, by the account's own rules. Pure.

The rules are looked at in order and the first that fits decides. Then comes the account's idea of
success. A good status whose body says otherwise is an error; one whose body is not of the form
that was described (a proxy's page, an answer without the id that it must have) leaves the message
in doubt. Everything else is judged by its status.
"""

import math
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

import msgspec

from core.providers.http_answers import kind_of_status, scrubbed
from core.providers.http_gateway.pointer import (
    TEXT_CHARS_MAX,
    Pattern,
    alike,
    as_text,
    find,
    is_missing,
)
from core.providers.http_gateway.settings import ErrorRule, HttpGatewaySettings
from core.providers.port import Outcome, OutcomeKind

ID_CHARS_MAX = 128
CODE_CHARS_MAX = 64


class Answer:
    """An answer as rules look at it: JSON where it is, and always text."""

    def __init__(self, status: int, body: bytes) -> None:
        self.status = status
        self.text = body[: TEXT_CHARS_MAX * 4].decode("utf-8", "replace")
        try:
            self.json: Any = msgspec.json.decode(body)
            self.is_json = isinstance(self.json, (dict, list))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            self.json, self.is_json = None, False

    def at(self, pointer: str) -> Any:
        """What stands there in a JSON answer; `is_missing` otherwise."""
        return find(self.json if self.is_json else None, pointer or "/")


class Rule:
    """One rule, ready to be tried."""

    def __init__(self, written: ErrorRule) -> None:
        self.kind: OutcomeKind = written.class_
        self.wait_pointer = written.wait_pointer
        self._written = written
        self._pattern = Pattern(written.matches) if written.matches else None
        self._values = [*written.in_]
        if written.equals is not None:
            self._values.append(written.equals)

    def fits(self, answer: Answer) -> bool:
        written = self._written
        if written.status is not None and written.status != answer.status:
            return False
        if not written.pointer:
            return self._pattern is None or self._pattern.fits(answer.text)
        value = answer.at(written.pointer)
        if is_missing(value):
            return False
        if self._values and not any(alike(value, each) for each in self._values):
            return False
        return self._pattern is None or self._pattern.fits(as_text(value))


class Classifier:
    """The account's rules. `hidden` are texts that no answer may bring into what people read."""

    def __init__(self, settings: HttpGatewaySettings, hidden: Iterable[str] = ()) -> None:
        self._settings = settings
        self._hidden = [each for each in hidden if len(each) > 2]
        self._rules = [Rule(each) for each in settings.errors]
        success = settings.success
        self._success = Pattern(success.matches) if success.matches else None
        self._id = Pattern(settings.id.matches) if settings.id.matches else None

    def outcome(self, status: int, body: bytes, throttle_wait_ms: int) -> Outcome:
        """The outcome of a call; `throttle_wait_ms` is the wait that its headers ask for."""
        answer = Answer(status, body)
        code = self._code(answer)
        for rule in self._rules:
            if rule.fits(answer):
                held_ms = self._wait_ms(rule, answer, throttle_wait_ms)
                return Outcome(rule.kind, "", code, self._words(answer), held_ms)
        if status not in self._settings.success.statuses:
            kind = kind_of_status(status)
            held_ms = throttle_wait_ms if kind == "throttled" else 0
            return Outcome(kind, "", code, self._words(answer), held_ms)
        return self._judged(answer, code)

    def _judged(self, answer: Answer, code: str) -> Outcome:
        """An answer whose status is one of success."""
        success = self._settings.success
        if success.pointer:
            value = answer.at(success.pointer)
            if is_missing(value):
                return Outcome("unknown", "", code, "the answer has not the form of one")
            if not any(alike(value, each) for each in success.values):
                return Outcome(
                    "permanent", "", as_text(value)[:CODE_CHARS_MAX], self._words(answer)
                )
        if self._success is not None and not self._success.fits(answer.text):
            return Outcome("unknown", "", code, "the answer has not the form of one")
        provider_id = self._provider_id(answer)
        if self._wants_id and not provider_id:
            return Outcome("unknown", "", code, "the answer names no id")
        return Outcome("accepted", provider_id, code)

    @property
    def _wants_id(self) -> bool:
        return bool(self._settings.id.pointer or self._id)

    def _provider_id(self, answer: Answer) -> str:
        if self._id is not None:
            found = self._id.wanted(answer.text)
        else:
            found = as_text(answer.at(self._settings.id.pointer)) if self._wants_id else ""
        return provider_id(found)

    def _code(self, answer: Answer) -> str:
        if self._settings.code:
            found = as_text(answer.at(self._settings.code))[:CODE_CHARS_MAX]
            if found:
                return found
        return str(answer.status)

    def _words(self, answer: Answer) -> str:
        """The gateway's words for a person; the whole answer where nothing says where they are."""
        text = as_text(answer.at(self._settings.detail)) if self._settings.detail else answer.text
        for each in self._hidden:
            text = text.replace(each, "(secret)").replace(quote(each, safe=""), "(secret)")
        return scrubbed(text)

    def _wait_ms(self, rule: Rule, answer: Answer, throttle_wait_ms: int) -> int:
        if rule.kind != "throttled":
            return 0
        if rule.wait_pointer:
            told = as_text(answer.at(rule.wait_pointer))
            try:
                seconds = float(told)
            except ValueError:
                return throttle_wait_ms
            if math.isfinite(seconds) and seconds >= 0:
                longest_ms = self._settings.throttle_wait_max_ms
                return max(1, min(int(min(seconds, 1e6) * 1_000), longest_ms))
        return throttle_wait_ms


def provider_id(text: str) -> str:
    """An id in the form in which ids are compared: as it is, for gateways write them alike in
    answers and reports. The comma parts ids in our records, so one with a comma is none."""
    text = text.strip()
    fit = len(text) <= ID_CHARS_MAX and text.isprintable() and "," not in text
    return text if fit else ""


def _words(answer: Answer) -> str:
    return scrubbed(answer.text)
