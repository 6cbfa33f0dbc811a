"""Lets a caller in: the key, and the scope that the path needs."""

from aiohttp import web

from core.contract.keys import grants
from core.contract.problems import problem
from edge.keycache import KeyCache, KnownKey, presented_text


class Gate:
    """Checks callers against the keys that the edge knows."""

    def __init__(self, keys: KeyCache) -> None:
        self._keys = keys

    def known(self, request: web.BaseRequest, scope: str) -> KnownKey | None:
        """The caller, without asking anybody; None if the cores have to be asked. ProblemError
        401 or 403 if it may not."""
        headers = request.headers
        text = presented_text(headers.get("Authorization"), headers.get("X-API-Key"))
        key = self._keys.known(text)
        return None if key is None else _allowed(key, scope)

    async def find(self, request: web.BaseRequest, scope: str) -> KnownKey:
        """The caller; ProblemError 401, 403, or 503 if nobody can say."""
        headers = request.headers
        text = presented_text(headers.get("Authorization"), headers.get("X-API-Key"))
        return _allowed(await self._keys.find(text), scope)


def _allowed(key: KnownKey, scope: str) -> KnownKey:
    if not grants(key.scopes, scope):
        have = ", ".join(sorted(key.scopes)) or "none"
        detail = f"This needs the scope `{scope}`; the key has: {have}."
        raise problem("forbidden_scope", detail, missing_scope=scope)
    return key
