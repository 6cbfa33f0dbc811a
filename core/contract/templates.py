"""Templates as the API takes and shows them: content, drafts, versions, differences, previews.

The same structs decode requests, encode answers, make /openapi.json, and lie in the store.
"""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from core.contract.requests import ChannelName, Locale, TemplateName
from core.contract.resources import FieldProblemOut, Page, Timestamp

TemplateKind = Literal["message", "partial", "layout"]
Version = Annotated[int, Meta(ge=1, le=999_999_999, description="a published version")]


class TemplateBody(Struct, frozen=True, forbid_unknown_fields=True):
    """A body in Liquid for one channel and locale. E-mail needs a subject, and text or html; other
    channels have text only. `layout` names the layout that an e-mail stands in."""

    text: str | None = None
    subject: str | None = None
    html: str | None = None
    layout: TemplateName | None = None


Bodies = dict[ChannelName, dict[Locale, TemplateBody]]
Schema = Annotated[
    dict[str, Any],
    Meta(description="JSON Schema 2020-12 of `data`; references within itself only, no recursion"),
]


class TemplateIn(Struct, frozen=True, forbid_unknown_fields=True):
    """A template's content: a body for each channel and locale. `partial`s are put into other
    templates with `{% render "name" %}`, `layout`s around them where `{{ content }}` stands."""

    name: TemplateName
    bodies: Annotated[Bodies, Meta(min_length=1)]
    default_locale: Locale = "en"
    kind: TemplateKind = "message"
    schema: Schema | None = None


class TemplateCreate(TemplateIn, frozen=True, forbid_unknown_fields=True):
    """A new template. `publish` false keeps it as a draft that nothing is sent with."""

    publish: bool = True


class TemplateReplace(Struct, frozen=True, forbid_unknown_fields=True):
    """A template's next content. The name may be left out, for the path has it. `publish` false
    saves it as the draft (If-Match is about the draft then); what is in force stays."""

    bodies: Annotated[Bodies, Meta(min_length=1)]
    name: TemplateName | None = None
    default_locale: Locale = "en"
    kind: TemplateKind = "message"
    schema: Schema | None = None
    publish: bool = True


class Used(Struct, frozen=True):
    """A partial or layout that a version keeps, in the version that it had when published."""

    name: str
    version: int


class DraftBrief(Struct, frozen=True):
    """That there is a draft. `version` is its ETag; `base` the published version in force then."""

    version: int
    saved_at: Timestamp
    saved_by: str
    base: int


class TemplateOut(Struct, frozen=True, kw_only=True):
    """A template as it is in force. `version` is the published one that messages are rendered
    with, 0 where there is only a draft; `revision` is the ETag and rises with each change."""

    name: str
    bodies: Bodies
    version: int
    default_locale: str
    kind: TemplateKind = "message"
    schema: dict[str, Any] | None = None
    uses: list[Used] = field(default_factory=list)
    latest: int = 0
    revision: int = 0
    published_at: str = ""
    published_by: str = ""
    draft: DraftBrief | None = None


class DraftOut(Struct, frozen=True, kw_only=True):
    """A draft, whole. `version` is its ETag."""

    name: str
    bodies: Bodies
    version: int
    default_locale: str
    kind: TemplateKind = "message"
    schema: dict[str, Any] | None = None
    saved_at: str = ""
    saved_by: str = ""
    base: int = 0


class PublishIn(Struct, frozen=True, forbid_unknown_fields=True, rename={"from_": "from"}):
    """What is published: the draft (If-Match on the draft), or once more what is in force, with
    its partials and layouts as they are in force now (If-Match on the template)."""

    from_: Literal["draft", "in_force"] = "draft"


class RollbackIn(Struct, frozen=True, forbid_unknown_fields=True):
    """The published version that is to be in force again."""

    version: Version


class VersionBrief(Struct, frozen=True):
    """One published version."""

    version: int
    in_force: bool
    published_at: str
    published_by: str
    uses: list[Used]


class VersionOut(Struct, frozen=True, kw_only=True):
    """One published version, whole. It never changes."""

    name: str
    bodies: Bodies
    version: int
    in_force: bool
    default_locale: str
    kind: TemplateKind
    schema: dict[str, Any] | None
    uses: list[Used]
    published_at: str
    published_by: str


class Move(Struct, frozen=True):
    """One change of which version is in force: when, by which key, to which version."""

    at: str
    by: str
    action: Literal["publish", "rollback"]
    version: int


class Change(Struct, frozen=True, omit_defaults=True):
    """One difference: a part of a body, or another field. `diff` has the lines of a unified diff
    for text; `before` and `after` the values of anything else."""

    pointer: str
    change: Literal["added", "removed", "changed"]
    diff: list[str] = field(default_factory=list)
    before: Any = None
    after: Any = None


class DiffOut(Struct, frozen=True, rename={"from_": "from"}):
    """What differs from one version to another, or to the draft."""

    name: str
    from_: str
    to: str
    changes: list[Change]


class PreviewIn(Struct, frozen=True, forbid_unknown_fields=True):
    """What to render: the version in force, or one of `version`, `draft`, `bodies` (which need not
    be stored). `channel` left out means every channel there is. `to` is the recipient's country,
    for the price."""

    data: dict[str, Any] = field(default_factory=dict)
    locale: Locale | None = None
    channel: ChannelName | None = None
    version: Version | None = None
    draft: bool = False
    bodies: Annotated[Bodies, Meta(min_length=1)] | None = None
    default_locale: Locale | None = None
    schema: Schema | None = None
    to: (
        Annotated[
            str,
            Meta(pattern="^[A-Z]{2}$", description="a country in two capitals", examples=["GB"]),
        ]
        | None
    ) = None


class SmsOut(Struct, frozen=True):
    """How a text goes out: `left` characters fit into the last part (of GSM 7-bit, or UTF-16
    units); `forces_ucs2` are the characters that the GSM alphabet lacks."""

    encoding: Literal["gsm7", "ucs2"]
    parts: int
    characters: int
    left: int
    forces_ucs2: list[str]


class PriceOut(Struct, frozen=True):
    """What one account would take for it, in the currency of the settings."""

    account: str
    per_part: float
    total: float


class ChannelPreview(Struct, frozen=True, kw_only=True):
    """One channel's rendered parts, or in `errors` why there are none."""

    channel: ChannelName
    locale: str = ""
    text: str = ""
    subject: str = ""
    html: str = ""
    text_from_html: bool = False
    sms: SmsOut | None = None
    prices: list[PriceOut] = field(default_factory=list)
    errors: list[FieldProblemOut] = field(default_factory=list)


class PreviewOut(Struct, frozen=True, kw_only=True):
    """What would be sent. `version` is 0 where what was rendered is not published."""

    name: str
    version: int
    channels: list[ChannelPreview]
    data_errors: list[FieldProblemOut] = field(default_factory=list)


class TemplatePage(Page, frozen=True):
    data: list[TemplateOut]


class VersionPage(Page, frozen=True):
    """Published versions, oldest first, and the latest changes of what is in force."""

    data: list[VersionBrief]
    history: list[Move]
