"""API keys over HTTP: for tenants under /v1/keys, and for edges under /internal.

A caller with the scope `keys` sees and makes keys of its own tenant, with no scope that it lacks
itself; keys of other tenants, and keys with the scope `admin`, are for holders of `admin`.
"""

import msgspec
from aiohttp import web

from core.api.internal_auth import Caller, caller_of
from core.api.wire import (
    ConfigDeps,
    answer,
    cut,
    missing,
    number_asked,
    page_asked,
    read_body,
)
from core.contract.internal import ChangesAnswer, KeyAnswer
from core.contract.keys import ADMIN, KEYS, Scope, grants
from core.contract.pointers import FieldProblem
from core.contract.problems import problem
from core.contract.resources import KeyIn, KeyOut, KeyPage
from core.contract.times import rfc3339
from core.tenants.keys import KIND, KeyRecord

_CHANGES_MAX = 1000
_ROUNDS_MAX = 20


def routes(deps: ConfigDeps) -> list[web.RouteDef]:
    """The handlers of keys."""
    keys = _Keys(deps)
    return [
        web.get("/v1/keys", keys.list, allow_head=False),
        web.post("/v1/keys", keys.create),
        web.delete("/v1/keys/{id}", keys.revoke),
        web.get("/internal/keys/{id}", keys.look_up, allow_head=False),
        web.get("/internal/changes", keys.changes, allow_head=False),
    ]


class _Keys:
    def __init__(self, deps: ConfigDeps) -> None:
        self._deps = deps

    async def list(self, request: web.Request) -> web.Response:
        caller = caller_of(request, KEYS)
        asked = page_asked(request, self._deps.limits)
        tenant = None if caller.is_admin else caller.tenant
        found = await self._deps.keys.list(tenant, asked.after, asked.limit + 1)
        page, cursor = cut(found, asked, lambda one: one.id)
        return answer(KeyPage(cursor, [_shown(record) for record in page]))

    async def create(self, request: web.Request) -> web.Response:
        caller = caller_of(request, KEYS)
        given = await read_body(request, KeyIn, self._deps.limits)
        _check_may_grant(caller, given)
        record, text = await self._deps.keys.create(given.tenant or caller.tenant, given.scopes)
        return answer(msgspec.structs.replace(_shown(record), key=text), 201)

    async def revoke(self, request: web.Request) -> web.Response:
        caller = caller_of(request, KEYS)
        key_id = request.match_info["id"]
        record = await self._deps.keys.get(key_id)
        if record is None or (record.tenant != caller.tenant and not caller.is_admin):
            raise missing("key", key_id)
        if ADMIN in record.scopes and not caller.is_admin:
            raise problem("forbidden_scope", "A key with the scope `admin` is revoked by another.")
        await self._deps.keys.revoke(key_id)
        return web.Response(status=204)

    async def look_up(self, request: web.Request) -> web.Response:
        record = await self._deps.keys.get(request.match_info["id"])
        if record is None:
            raise missing("key", request.match_info["id"])
        scopes = [str(scope) for scope in record.scopes]
        return answer(KeyAnswer(record.id, record.tenant, record.hash, scopes, record.revoked))

    async def changes(self, request: web.Request) -> web.Response:
        seq = number_asked(request, "since")
        keys: list[str] = []
        for _ in range(_ROUNDS_MAX):
            seq, names = await self._deps.entities.changes(seq, _CHANGES_MAX)
            keys = [name for kind, name in names if kind == KIND]
            # Changes of other kinds are passed over here, so that no answer is empty but the last.
            if keys or len(names) < _CHANGES_MAX:
                break
        return answer(ChangesAnswer(seq, keys))


def _check_may_grant(caller: Caller, given: KeyIn) -> None:
    if caller.is_admin:
        return
    if given.tenant not in (None, caller.tenant):
        raise problem("forbidden_scope", "Keys of another tenant need the scope `admin`.")
    lacking: list[Scope] = [one for one in given.scopes if not grants(caller.scopes, one)]
    if lacking:
        detail = f"A key cannot get scopes that the one that makes it lacks: {', '.join(lacking)}."
        pointer = f"/scopes/{given.scopes.index(lacking[0])}"
        error = FieldProblem(pointer, "not granted to the caller", "Leave it out.")
        raise problem("forbidden_scope", detail, errors=[error])


def _shown(record: KeyRecord) -> KeyOut:
    return KeyOut(
        record.id,
        record.tenant,
        record.scopes,
        rfc3339(record.created_ms),
        record.revoked,
    )
