"""Settings as text: the commented example, and what is in force, both as TOML."""

import json
import textwrap
from collections.abc import Mapping
from typing import Any

import msgspec

from core.contract.sections.kinds import Section
from core.contract.settings import Settings, default_of, section_types

_HEAD = """\
# Every setting of GouTong with its default. Copy what you change into a file of your own and name
# it with --config or GOUTONG_CONFIG. The environment comes on top: GOUTONG_<SECTION>_<KEY>, for
# example GOUTONG_PROTOCOL_LEASE_MS=4000; lists are separated by commas.
# `goutong config check` reads a file and says what is wrong with it.
"""
_WIDTH = 98


def example() -> str:
    """goutong.example.toml: every section and key with its explanation and default."""
    blocks = [_HEAD]
    for name, kind in section_types().items():
        lines = [*_comment((kind.__doc__ or "").strip()), f"[{name}]"]
        for each in msgspec.structs.fields(kind):
            about = msgspec.json.schema(each.type)
            lines += _comment(str(about.get("description", "")) + _bounds(about))
            lines.append(f"{each.name} = {toml_value(default_of(each))}")
        blocks.append("\n".join(lines) + "\n")
    return "\n".join(blocks)


def shown(settings: Settings) -> str:
    """What is in force; secrets are named but not shown."""
    blocks = []
    for name, section in as_dict(settings).items():
        lines = [f"[{name}]", *(f"{key} = {toml_value(value)}" for key, value in section.items())]
        blocks.append("\n".join(lines) + "\n")
    return "\n".join(blocks)


def as_dict(settings: Settings) -> dict[str, dict[str, Any]]:
    """Every section's keys and values, secrets replaced by stars."""
    told = {}
    for name, kind in section_types().items():
        section: Section = getattr(settings, name)
        hidden = {
            each.name
            for each in msgspec.structs.fields(kind)
            if msgspec.json.schema(each.type).get("writeOnly")
        }
        told[name] = {
            key: "***" if key in hidden and value else value
            for key, value in section.asdict().items()
        }
    return told


def toml_value(value: Any) -> str:
    """A value as TOML writes it; JSON's text and lists are TOML's too."""
    return json.dumps(value, ensure_ascii=False)


def _bounds(about: Mapping[str, Any]) -> str:
    least, most = about.get("minimum"), about.get("maximum")
    if about.get("enum"):
        return f" One of: {', '.join(map(str, about['enum']))}."
    if least is not None and most is not None:
        return f" {least} to {most}."
    return ""


def _comment(text: str) -> list[str]:
    return [f"# {line}" for line in textwrap.wrap(" ".join(text.split()), _WIDTH)]
