"""Routing policies over HTTP: /v1/policies.

They belong to the installation, as provider accounts do, and need the same scope. The version is
the ETag, as with templates, and stands in the explanation of each decision that a policy made.
"""

from collections.abc import Set

from aiohttp import web
from msgspec.structs import asdict

from core.api.internal_auth import caller_of
from core.api.wire import (
    ConfigDeps,
    answer,
    checked_name,
    cut,
    expected_version,
    in_force,
    missing,
    page_asked,
    read_body,
)
from core.contract.keys import PROVIDERS
from core.contract.pointers import FieldProblem
from core.contract.policies import PolicyIn, PolicyOut, PolicyPage, PolicyPut
from core.contract.problems import invalid, problem
from core.contract.resources import Name
from core.policies.check import names_of
from core.policies.store import PolicyStore, StoredPolicy
from sync.store.entities import StaleVersion


def routes(deps: ConfigDeps, store: PolicyStore) -> list[web.RouteDef]:
    """The handlers of policies."""
    policies = _Policies(deps, store)
    one = "/v1/policies/{name}"
    return [
        web.get("/v1/policies", policies.list, allow_head=False),
        web.post("/v1/policies", policies.create),
        web.get(one, policies.get, allow_head=False),
        web.put(one, policies.replace),
        web.delete(one, policies.delete),
    ]


class _Policies:
    def __init__(self, deps: ConfigDeps, store: PolicyStore) -> None:
        self._deps = deps
        self._store = store

    async def list(self, request: web.Request) -> web.Response:
        caller_of(request, PROVIDERS)
        asked = page_asked(request, self._deps.limits)
        found = await self._store.list(asked.after, asked.limit + 1)
        page, cursor = cut(found, asked, lambda one: one.policy.name)
        accounts = await self._store.accounts.ids()
        return answer(PolicyPage(cursor, [_shown(one, accounts) for one in page]))

    async def create(self, request: web.Request) -> web.Response:
        caller_of(request, PROVIDERS)
        given = await read_body(request, PolicyIn, self._deps.limits)
        try:
            return await self._put(given, 0, 201)
        except StaleVersion:
            detail = f"There is a policy `{given.name}` already; replace it with PUT."
            raise problem("already_exists", detail) from None

    async def get(self, request: web.Request) -> web.Response:
        caller_of(request, PROVIDERS)
        name = request.match_info["name"]
        found = await self._store.get(name)
        if found is None:
            raise missing("policy", name)
        return await self._answer(found, 200)

    async def replace(self, request: web.Request) -> web.Response:
        caller_of(request, PROVIDERS)
        name = checked_name(request.match_info["name"], Name, "/name")
        put = await read_body(request, PolicyPut, self._deps.limits)
        if put.name not in (None, name):
            hint = f"Write `{name}`, or leave it out."
            raise invalid([FieldProblem("/name", "not the name in the path", hint)])
        current = await self._store.get(name)
        expect = expected_version(request, current.version if current else 0)
        return await self._put(PolicyIn(**{**asdict(put), "name": name}), expect, 200)

    async def delete(self, request: web.Request) -> web.Response:
        caller_of(request, PROVIDERS)
        name = request.match_info["name"]
        current = await self._store.get(name)
        expect = expected_version(request, current.version if current else 0)
        if not await self._store.delete(name, expect):
            raise missing("policy", name)
        await in_force(self._deps)
        return web.Response(status=204)

    async def _put(self, given: PolicyIn, expect: int | None, status: int) -> web.Response:
        stored = await self._store.put(given, expect)
        await in_force(self._deps)
        return await self._answer(stored, status)

    async def _answer(self, stored: StoredPolicy, status: int) -> web.Response:
        accounts = await self._store.accounts.ids()
        return answer(_shown(stored, accounts), status, stored.version)


def _shown(stored: StoredPolicy, accounts: Set[str]) -> PolicyOut:
    missing_now = sorted(names_of(stored.policy) - accounts)
    return PolicyOut(**asdict(stored.policy), missing=missing_now, version=stored.version)
