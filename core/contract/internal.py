"""What a core answers to an edge on its internal HTTP (never to a caller)."""

from msgspec import Struct

INTERNAL_SECRET_HEADER = "X-GouTong-Internal"  # noqa: S105 - a header's name
TENANT_HEADER = "X-GouTong-Tenant"
SCOPES_HEADER = "X-GouTong-Scopes"
KEY_ID_HEADER = "X-GouTong-Key-Id"
TRACE_HEADER = "X-GouTong-Trace"


class KeyAnswer(Struct, frozen=True):
    """GET /internal/keys/{id}. `hash` is the hex of `keys.secret_hash`."""

    id: str
    tenant: str
    hash: str
    scopes: list[str]
    revoked: bool = False


class ChangesAnswer(Struct, frozen=True):
    """GET /internal/changes?since=SEQ: the keys that changed after SEQ, up to `seq`.

    When not all of them fit in one answer, `seq` is the last one covered; the edge asks on at
    once while `keys` is not empty. A `seq` below SEQ makes the edge forget all keys.
    """

    seq: int
    keys: list[str]


class PlacementAnswer(Struct, frozen=True):
    """GET /internal/placement."""

    region: str
    shards: int
    map_version: int
