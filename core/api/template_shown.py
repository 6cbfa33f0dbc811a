"""Stored templates, drafts and versions in the form that the API answers."""

from core.contract.templates import (
    DraftBrief,
    DraftOut,
    Move,
    TemplateOut,
    Used,
    VersionBrief,
    VersionOut,
)
from core.contract.times import rfc3339
from core.templates.drafts import StoredDraft
from core.templates.versions import Moved, Pins, Published, StoredTemplate


def shown(found: StoredTemplate, draft: StoredDraft | None) -> TemplateOut:
    """The template in force, and that there is a draft."""
    template = found.template
    return TemplateOut(
        name=template.name,
        bodies=template.bodies,
        version=found.version,
        default_locale=template.default_locale,
        kind=template.kind,
        schema=template.schema,
        uses=_uses(found.pins),
        latest=found.latest,
        revision=found.revision,
        published_at=_at(found.stamp.at_ms),
        published_by=found.stamp.by,
        draft=brief(draft),
    )


def only_drafted(draft: StoredDraft) -> TemplateOut:
    """A template of which there is a draft and nothing in force."""
    template = draft.template
    return TemplateOut(
        name=template.name,
        bodies={},
        version=0,
        default_locale=template.default_locale,
        kind=template.kind,
        draft=brief(draft),
    )


def brief(draft: StoredDraft | None) -> DraftBrief | None:
    """That there is a draft."""
    if draft is None:
        return None
    return DraftBrief(draft.version, _at(draft.stamp.at_ms), draft.stamp.by, draft.base)


def draft_shown(draft: StoredDraft) -> DraftOut:
    """The draft whole."""
    template = draft.template
    return DraftOut(
        name=template.name,
        bodies=template.bodies,
        version=draft.version,
        default_locale=template.default_locale,
        kind=template.kind,
        schema=template.schema,
        saved_at=_at(draft.stamp.at_ms),
        saved_by=draft.stamp.by,
        base=draft.base,
    )


def version_brief(number: int, content: Published, in_force: int) -> VersionBrief:
    """One line of a list of versions."""
    stamp = content.stamp
    return VersionBrief(number, number == in_force, _at(stamp.at_ms), stamp.by, _uses(content.pins))


def version_shown(number: int, content: Published, in_force: int) -> VersionOut:
    """A version whole."""
    template = content.template
    return VersionOut(
        name=template.name,
        bodies=template.bodies,
        version=number,
        in_force=number == in_force,
        default_locale=template.default_locale,
        kind=template.kind,
        schema=template.schema,
        uses=_uses(content.pins),
        published_at=_at(content.stamp.at_ms),
        published_by=content.stamp.by,
    )


def move_shown(moved: Moved) -> Move:
    """One change of what is in force."""
    return Move(_at(moved.stamp.at_ms), moved.stamp.by, moved.action, moved.version)


def _uses(pins: Pins) -> list[Used]:
    return [Used(name, pins[name].version) for name in sorted(pins)]


def _at(wall_ms: int) -> str:
    """Empty where a release before drafts did not take it down."""
    return rfc3339(wall_ms) if wall_ms else ""
