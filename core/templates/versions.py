"""How templates lie in the entity store. Pure.

The entity of kind `template` holds the version in force whole, so that one read is enough to render
and one conditional write changes which version is in force. The entity of kind `template_version`
holds a version that was in force once. What releases before drafts wrote has no `format`: there the
entity's version is the template's, and its body the bare content.
"""

from typing import Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from core.contract.templates import Bodies, TemplateIn, TemplateKind
from sync.store.entities import Entity

_FORMAT = 2
MOVES_MAX = 100


class Stamp(Struct, frozen=True):
    """When something was changed (milliseconds since 1970), and by which key."""

    at_ms: int = 0
    by: str = ""


class Pin(Struct, frozen=True, omit_defaults=True):
    """A partial or layout in the version that it had when its user was published."""

    version: int
    kind: TemplateKind
    bodies: Bodies
    default_locale: str = "en"


Pins = dict[str, Pin]


class Published(Struct, frozen=True, omit_defaults=True):
    """The content of one version. It never changes."""

    template: TemplateIn
    pins: Pins = {}
    stamp: Stamp = Stamp()

    def same(self, other: "Published") -> bool:
        """Whether both render alike; who published it does not matter."""
        return self.template == other.template and self.pins == other.pins


class Moved(Struct, frozen=True):
    """One change of which version is in force."""

    stamp: Stamp
    action: Literal["publish", "rollback"]
    version: int


class Head(Struct, frozen=True, omit_defaults=True):
    """The template as a whole. `effective` and `latest` are 0 where the entity's own version is
    meant: what is made anew gets a number that no deleted version of its name can have."""

    format: int
    content: Published
    effective: int = 0
    latest: int = 0
    moves: list[Moved] = []


class StoredTemplate(Struct, frozen=True):
    """A template as it is in force. `version` is the published one, `revision` the entity's."""

    version: int
    template: TemplateIn
    source_bytes: int
    pins: Pins = {}
    latest: int = 0
    revision: int = 0
    stamp: Stamp = Stamp()
    moves: list[Moved] = []


class _Filed(Struct, frozen=True):
    format: int
    content: Published


class _Probe(Struct):
    format: int = 1


_encode = msgspec.json.Encoder().encode
_probe = msgspec.json.Decoder(_Probe).decode
_head = msgspec.json.Decoder(Head).decode
_filed = msgspec.json.Decoder(_Filed).decode
_bare = msgspec.json.Decoder(TemplateIn).decode


def read_head(entity: Entity) -> StoredTemplate:
    """What the entity of kind `template` says."""
    if _probe(entity.body).format == 1:
        content = Published(_bare(entity.body))
        moves: list[Moved] = []
        effective = latest = entity.version
    else:
        head = _head(entity.body)
        content = head.content
        effective, latest = head.effective or entity.version, head.latest or entity.version
        moves = [replace(move, version=move.version or effective) for move in head.moves]
    return StoredTemplate(
        effective,
        content.template,
        len(entity.body),
        content.pins,
        latest,
        entity.version,
        content.stamp,
        moves,
    )


def content_of(stored: StoredTemplate) -> Published:
    """The content of the version in force."""
    return Published(stored.template, stored.pins, stored.stamp)


def head_body(
    content: Published, effective: int, latest: int, moves: list[Moved], now: Moved
) -> bytes:
    """The entity's body in which this version is in force."""
    kept = [*moves, now][-MOVES_MAX:]
    return _encode(Head(_FORMAT, content, effective, latest, kept))


def read_filed(body: bytes) -> Published:
    """What the entity of kind `template_version` says."""
    return Published(_bare(body)) if _probe(body).format == 1 else _filed(body).content


def filed_body(content: Published) -> bytes:
    """The body of a version that is filed."""
    return _encode(_Filed(_FORMAT, content))
