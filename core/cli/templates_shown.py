"""Templates, versions, differences and previews as people read them. Pure."""

from collections.abc import Iterator
from typing import Any

import msgspec

_EDITED = ("name", "kind", "default_locale", "schema")
_ENCODINGS = {"gsm7": "GSM 7-bit", "ucs2": "UCS-2"}


def template_row(each: dict[str, Any]) -> tuple[Any, ...]:
    """NAME, KIND, VERSION, DRAFT, LOCALE, CHANNELS."""
    return (
        each["name"],
        each.get("kind", "message"),
        each["version"] or "-",
        "yes" if each.get("draft") else "-",
        each["default_locale"],
        " ".join(sorted(each["bodies"])),
    )


def version_row(each: dict[str, Any]) -> tuple[Any, ...]:
    """VERSION, whether it is in force, PUBLISHED, BY, USES."""
    uses = " ".join(f"{used['name']}@{used['version']}" for used in each["uses"])
    in_force = "in force" if each["in_force"] else ""
    return (each["version"], in_force, each["published_at"], each["published_by"], uses)


def editable(found: dict[str, Any]) -> str:
    """The content as JSON that `put` takes back."""
    content = {name: found[name] for name in _EDITED if found.get(name) is not None}
    content["bodies"] = {
        channel: {
            locale: {name: value for name, value in body.items() if value is not None}
            for locale, body in locales.items()
        }
        for channel, locales in found["bodies"].items()
    }
    return msgspec.json.format(msgspec.json.encode(content), indent=2).decode()


def difference_lines(found: dict[str, Any]) -> Iterator[str]:
    """One block for each change."""
    yield f"--- {_side(found['from'])}"
    yield f"+++ {_side(found['to'])}"
    for change in found["changes"]:
        yield f"{change['pointer']}: {change['change']}"
        yield from (f"  {each}" for each in change.get("diff", ()))
        for mark, name in (("-", "before"), ("+", "after")):
            if name in change:
                yield f"  {mark}{msgspec.json.encode(change[name]).decode()}"


def preview_lines(found: dict[str, Any]) -> Iterator[str]:
    """One block for each channel, then what is wrong with the data."""
    for channel in found["channels"]:
        locale = f" ({channel['locale']})" if channel["locale"] else ""
        yield f"{channel['channel']}{locale}"
        if channel["errors"]:
            yield from _errors(channel["errors"])
            continue
        if channel["subject"]:
            yield f"  Subject: {channel['subject']}"
        if channel["text_from_html"]:
            yield "  Text, made from the HTML:"
        yield from (f"    {each}" for each in channel["text"].splitlines())
        if channel["html"]:
            yield f"  HTML: {len(channel['html'])} characters (--json shows it)"
        if channel["sms"]:
            yield f"  {_parts(channel['sms'])}"
        for price in channel["prices"]:
            yield f"  {price['account']}: {price['total']:g} ({price['per_part']:g} a part)"
    if found["data_errors"]:
        yield "The data does not fit the template's schema:"
        yield from _errors(found["data_errors"])


def _parts(sms: dict[str, Any]) -> str:
    parts = f"{sms['parts']} part{'s' if sms['parts'] > 1 else ''}"
    text = f"{parts}, {_ENCODINGS[sms['encoding']]}, room for {sms['left']} more"
    if sms["forces_ucs2"]:
        text += f"; not in GSM 7-bit: {' '.join(sms['forces_ucs2'])}"
    return text


def _errors(errors: list[dict[str, Any]]) -> Iterator[str]:
    for each in errors:
        yield f"  {each['pointer']}: {each['detail']} {each['hint']}"


def _side(text: str) -> str:
    return text if text == "draft" else f"version {text}"
