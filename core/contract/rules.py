"""What a request may ask for beyond what its types say: the rules of the whole, not of a recipient.

`request_faults` gives everything that is wrong, each with pointer and hint; `content_errors` what
ready text lacks for a channel. Pure: the time comes in.
"""

import re
from collections.abc import Mapping

from msgspec import Struct

from core.contract.pointers import FieldProblem
from core.contract.requests import (
    ChannelName,
    Content,
    NotificationRequest,
    expires_in_s,
)
from core.contract.times import TimeFault, send_at_ms

_LINE_BREAKS = re.compile(r"[\r\n\0]")


class Rules(Struct, frozen=True):
    """The bounds: `horizon_s` is how far ahead a message may expire, `expires_in_s` what holds for
    each class where a request says nothing."""

    recipients_max: int
    horizon_s: int
    expires_in_s: Mapping[str, int]


def request_faults(
    request: NotificationRequest, rules: Rules, now_ms: int
) -> tuple[list[FieldProblem], int]:
    """What is wrong with the request, and when it is to be sent (milliseconds; 0: now)."""
    errors = []
    if request.template is None and request.content is None:
        hint = "Name a `template`, or give `content` with the ready text."
        errors.append(FieldProblem("", "neither template nor content", hint))
    elif request.template is not None and request.content is not None:
        hint = "Leave out one of `template` and `content`."
        errors.append(FieldProblem("/content", "both template and content", hint))
    # What is not asked for follows from the class, and the settings keep that within the horizon.
    if request.expires_in is not None and request.expires_in > rules.horizon_s:
        hint = f"Use at most {rules.horizon_s} seconds."
        errors.append(FieldProblem("/expires_in", "beyond the horizon", hint))
    channel = request.channel
    if isinstance(channel, list):
        errors += [*_repeated(channel), *_never(request, rules)]
    elif request.until is not None or request.escalate_after is not None:
        errors += _lonely(request)
    if request.send_at is None and request.time_zone is None:
        return errors, 0
    try:
        at_ms = send_at_ms(request.send_at, request.time_zone)
    except TimeFault as fault:
        return [*errors, fault.problem], 0
    ahead_ms = at_ms - now_ms
    if ahead_ms <= 0:
        return errors, 0
    within_ms = (rules.horizon_s - expires_in_s(request, rules.expires_in_s)) * 1000
    if not errors and ahead_ms > within_ms:
        hint = f"It may expire at most {rules.horizon_s} seconds from now, counted from `send_at`."
        errors.append(FieldProblem("/send_at", "beyond the horizon", hint))
    return errors, at_ms


def _repeated(channels: list[ChannelName]) -> list[FieldProblem]:
    return [
        FieldProblem(f"/channel/{place}", f"{name} stands there twice", "Name each channel once.")
        for place, name in enumerate(channels)
        if name in channels[:place]
    ]


def _never(request: NotificationRequest, rules: Rules) -> list[FieldProblem]:
    """What has expired is followed by nothing: a wait that ends later would never end."""
    lives_s = expires_in_s(request, rules.expires_in_s)
    if request.escalate_after is None or request.escalate_after < lives_s:
        return []
    hint = f"Use less than {lives_s} seconds, or a later `expires_in`."
    return [FieldProblem("/escalate_after", "not before the message expires", hint)]


def _lonely(request: NotificationRequest) -> list[FieldProblem]:
    """`until` and `escalate_after` say when the next channel is used; there has to be one."""
    hint = 'Write `channel` as a list in order of fallback, as in ["sms", "email"].'
    return [
        FieldProblem(f"/{name}", "only with a list of channels", hint)
        for name in ("until", "escalate_after")
        if getattr(request, name) is not None
    ]


def content_errors(content: Content, channel: ChannelName) -> list[FieldProblem]:
    """What the channel needs and the ready text does not have."""
    errors = []
    if channel != "email":
        if not content.text:
            hint = f"The channel {channel} needs `text`."
            errors.append(FieldProblem("/content/text", "missing or empty", hint))
        return errors
    if not content.subject:
        errors.append(FieldProblem("/content/subject", "missing or empty", "Add a subject."))
    elif _LINE_BREAKS.search(content.subject):
        hint = "Write the subject in one line."
        errors.append(FieldProblem("/content/subject", "line break in a subject", hint))
    if not content.text and not content.html:
        hint = "An e-mail needs `text` or `html`, or both."
        errors.append(FieldProblem("/content", "neither text nor html", hint))
    return errors
