"""Replay jobs as they are stored: what is asked, how far it is, and who carries it out.

A job is an entity of its own, `<tenant>/<id>`; its list of ids, where it has one, is another that
never changes. Who carries a job out writes it down about each second: a job whose version stands
still was left, and is taken by whoever puts its own name there first (`StaleVersion` for all
others). `StoreError` goes through to the caller.
"""

from typing import Literal

import msgspec
from msgspec import Struct

from sync.store.entities import Entity, EntityStore, StaleVersion, live

KIND = "replay"
IDS_KIND = "replay_ids"
_PAGE = 200
_TRIES_MAX = 10


class Job(Struct, frozen=True):
    """A replay. With an `endpoint` it is of what was to be told to that one. `place` is how many of
    its ids were passed, or the place in the view (a cursor, "" at the start). `passed_over` counts
    by reason what was not sent again."""

    id: str
    tenant: str
    by_ids: bool
    channels: list[str]
    statuses: list[str]
    since_ms: int
    until_ms: int
    per_second: float
    trace: str
    created_ms: int
    updated_ms: int
    holder: str
    state: Literal["running", "done", "canceled"] = "running"
    place: int | str = ""
    sent: int = 0
    passed_over: dict[str, int] = {}
    trouble: str = ""
    any_tenant: bool = False
    endpoint: str = ""


class Stored(Struct, frozen=True):
    """A job with its version."""

    version: int
    job: Job


_encode = msgspec.json.Encoder().encode
_job = msgspec.json.Decoder(Job)
_ids = msgspec.json.Decoder(list[str])


class Jobs:
    """The jobs in one entity store."""

    def __init__(self, entities: EntityStore) -> None:
        self._entities = entities

    async def create(self, job: Job, ids: list[str] | None) -> Stored:
        """A new job; its ids stand before it does."""
        name = name_of(job)
        if ids is not None:
            await self._entities.put(IDS_KIND, name, _encode(ids), None)
        return Stored(await self._entities.put(KIND, name, _encode(job), 0), job)

    async def get(self, name: str) -> Stored | None:
        """The job of this entity's name (`<tenant>/<id>`)."""
        found = await live(self._entities, KIND, name)
        return _stored(found) if found else None

    async def ids(self, job: Job) -> list[str]:
        """The messages that a job by ids names."""
        found = await live(self._entities, IDS_KIND, name_of(job))
        return _ids.decode(found.body) if found else []

    async def put(self, job: Job, expect: int) -> Stored:
        """Write it down; `StaleVersion` if somebody else did since."""
        return Stored(await self._entities.put(KIND, name_of(job), _encode(job), expect), job)

    async def cancel(self, name: str, now_ms: int) -> Stored | None:
        """End a job that still runs; None if there is none. Doing it again changes nothing."""
        version = 0
        for _ in range(_TRIES_MAX):
            found = await self.get(name)
            if found is None or found.job.state != "running":
                return found
            version = found.version
            job = msgspec.structs.replace(found.job, state="canceled", updated_ms=now_ms)
            try:
                return await self.put(job, version)
            except StaleVersion:
                continue  # it was written down meanwhile
        raise StaleVersion(version)

    async def all_names(self) -> list[str]:
        """Every job, for whoever starts."""
        names: list[str] = []
        while True:
            page = await self._entities.list(KIND, names[-1] if names else "", _PAGE)
            names += [entity.id for entity in page]
            if len(page) < _PAGE:
                return names

    async def forget(self, name: str) -> None:
        """Take an old job away with its ids."""
        await self._entities.delete(IDS_KIND, name, None)
        await self._entities.delete(KIND, name, None)


def name_of(job: Job) -> str:
    """The entity's id. Neither part has a slash."""
    return f"{job.tenant}/{job.id}"


def _stored(entity: Entity) -> Stored:
    return Stored(entity.version, _job.decode(entity.body))
