"""Provider accounts over HTTP: /v1/providers.

Secrets go in and never come out: answers name them only. The version is the ETag, as with
templates. Accounts belong to the installation, not to a tenant; the scope `providers` is for those
who run it.
"""

from aiohttp import web
from msgspec.structs import asdict

from core.accounts.model import Fault, StoredAccount
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
from core.contract.problems import invalid, problem
from core.contract.providers import ProviderIn, ProviderOut, ProviderPage, ProviderPut
from core.contract.resources import Name
from sync.store.entities import StaleVersion


def routes(deps: ConfigDeps) -> list[web.RouteDef]:
    """The handlers of provider accounts."""
    providers = _Providers(deps)
    one = "/v1/providers/{id}"
    return [
        web.get("/v1/providers", providers.list, allow_head=False),
        web.post("/v1/providers", providers.create),
        web.get(one, providers.get, allow_head=False),
        web.put(one, providers.replace),
        web.delete(one, providers.delete),
    ]


class _Providers:
    def __init__(self, deps: ConfigDeps) -> None:
        self._deps = deps

    async def list(self, request: web.Request) -> web.Response:
        caller_of(request, PROVIDERS)
        asked = page_asked(request, self._deps.limits)
        found = await self._deps.accounts.list(asked.after, asked.limit + 1)
        page, cursor = cut(found, asked, lambda one: one.account.id)
        return answer(ProviderPage(cursor, [self._shown(one) for one in page]))

    async def create(self, request: web.Request) -> web.Response:
        caller_of(request, PROVIDERS)
        given = await read_body(request, ProviderIn, self._deps.limits)
        try:
            return await self._store(given, 0, 201)
        except StaleVersion:
            detail = f"There is an account `{given.id}` already; replace it with PUT."
            raise problem("already_exists", detail) from None

    async def get(self, request: web.Request) -> web.Response:
        caller_of(request, PROVIDERS)
        account_id = request.match_info["id"]
        found = await self._deps.accounts.get(account_id)
        if found is None:
            raise missing("provider account", account_id)
        return answer(self._shown(found), version=found.version)

    async def replace(self, request: web.Request) -> web.Response:
        caller_of(request, PROVIDERS)
        account_id = checked_name(request.match_info["id"], Name, "/id")
        put = await read_body(request, ProviderPut, self._deps.limits)
        if put.id not in (None, account_id):
            hint = f"Write `{account_id}`, or leave it out."
            raise invalid([FieldProblem("/id", "not the id in the path", hint)])
        given = ProviderIn(**{**asdict(put), "id": account_id})
        current = await self._deps.accounts.get(account_id)
        expect = expected_version(request, current.version if current else 0)
        return await self._store(given, expect, 200)

    async def delete(self, request: web.Request) -> web.Response:
        caller_of(request, PROVIDERS)
        account_id = request.match_info["id"]
        current = await self._deps.accounts.get(account_id)
        expect = expected_version(request, current.version if current else 0)
        if not await self._deps.accounts.delete(account_id, expect):
            raise missing("provider account", account_id)
        await in_force(self._deps)
        return web.Response(status=204)

    async def _store(self, given: ProviderIn, expect: int | None, status: int) -> web.Response:
        stored = await self._deps.accounts.put(given, expect)
        await in_force(self._deps)
        return answer(self._shown(stored), status, stored.version)

    def _shown(self, stored: StoredAccount) -> ProviderOut:
        account = stored.account
        return ProviderOut(
            id=account.id,
            wire=account.wire,
            channel=account.channel,
            enabled=account.enabled,
            settings=account.settings,
            secrets=sorted(account.secrets),
            priority=account.priority,
            price=account.price,
            destinations=account.destinations,
            limits=account.limits,
            location=account.location,
            state=self._state(stored),
            version=stored.version,
        )

    def _state(self, stored: StoredAccount) -> str:
        """As the engine of this process sees it; before it does, what is known from the record."""
        if not stored.account.enabled:
            return "disabled"
        opened = self._deps.accounts.open(stored.account)
        if isinstance(opened, Fault):
            return f"fault: {opened.reason}"
        return self._deps.account_state(stored.account.id) or "connecting"
