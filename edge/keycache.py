"""Who may call: API keys, remembered at the edge, and forgotten as soon as they change.

A key that is not known is asked of a core. Every `poll_ms` the cores are asked which keys changed,
and those are forgotten, so a revoked key stops within a second. While no core answers, what is
remembered stays valid until `max_age_ms` after the last answer; then nobody is let in (503).
Unknown ids are remembered for a moment, so that guessing them is not passed on to the cores. All
bounded. Secrets are compared by their hashes, in constant time.
"""

import asyncio
from collections.abc import Callable
from hashlib import sha256
from hmac import compare_digest
from typing import Any

import msgspec
from msgspec import Struct

from core.contract.internal import ChangesAnswer, KeyAnswer
from core.contract.keys import PREFIX, parse_key, secret_hash
from core.contract.log import Log
from core.contract.problems import ProblemError, problem
from edge.cores import CoreHttp, CoreSilent, CoreUnreachable

_FIRST_PATIENCE_MS = 500
_ID = slice(len(PREFIX), len(PREFIX) + 12)


class KeyLimits(Struct, frozen=True):
    """How much is remembered, for how long."""

    max_age_ms: int
    entries_max: int
    negative_ms: int
    negative_entries_max: int
    poll_ms: int
    lookup_timeout_ms: int
    lookups_max: int


class KnownKey(Struct):
    """A key as the cores gave it, and when they did. `text_hash` is of the whole key as it was
    presented when it was found right; a repeat need not be taken apart again."""

    id: str
    tenant: str
    hash: bytes
    scopes: frozenset[str]
    revoked: bool
    read_at: float
    text_hash: bytes = b""


class KeyCache:
    """The keys that this edge knows."""

    def __init__(
        self, cores: CoreHttp, limits: KeyLimits, *, now: Callable[[], float], log: Log
    ) -> None:
        self.lookups = 0
        self._cores = cores
        self._limits = limits
        self._now = now
        self._log = log
        self._known: dict[str, KnownKey] = {}
        self._absent: dict[str, float] = {}
        self._asking: dict[str, asyncio.Task[KnownKey | None]] = {}
        self._changed_meanwhile: set[str] = set()
        self._heard_at = float("-inf")
        self._seq = 0
        self._patience_ms = _FIRST_PATIENCE_MS

    def __len__(self) -> int:
        return len(self._known)

    def known(self, text: str) -> KnownKey | None:
        """The caller of before with this very key, still valid; None: ask `find`."""
        entry = self._known.get(text[_ID])
        if entry is None or not entry.text_hash or entry.revoked or not self._fresh(entry):
            return None
        digest = sha256(text.encode("utf-8", "surrogateescape")).digest()
        return entry if compare_digest(entry.text_hash, digest) else None

    async def find(self, text: str) -> KnownKey:
        """The key, asked of a core if need be; ProblemError 401 or 503."""
        presented = parse_key(text)
        if presented is None:
            raise unauthenticated("This is no API key; a character may be wrong or missing.")
        entry = self._known.get(presented.id)
        if entry is None or not self._fresh(entry):
            if self._now() < self._absent.get(presented.id, 0.0):
                raise unauthenticated("This API key is not known.")
            entry = await self._ask(presented.id)
        if entry is None or not compare_digest(entry.hash, secret_hash(presented.secret)):
            raise unauthenticated("This API key is not known.")
        if entry.revoked:
            detail = "This API key was revoked. Use another one."
            raise problem("key_revoked", detail, headers={"WWW-Authenticate": "Bearer"})
        entry.text_hash = sha256(text.encode()).digest()
        return entry

    def _fresh(self, entry: KnownKey) -> bool:
        heard_at = max(self._heard_at, entry.read_at)
        return (self._now() - heard_at) * 1000 <= self._limits.max_age_ms

    async def _ask(self, key_id: str) -> KnownKey | None:
        task = self._asking.get(key_id)
        if task is None:
            if len(self._asking) >= self._limits.lookups_max:
                detail = "Too many unknown keys are being looked up."
                raise problem("overloaded", detail, headers={"Retry-After": "1"})
            task = asyncio.create_task(self._look_up(key_id))
            self._asking[key_id] = task
            task.add_done_callback(lambda _: self._asking.pop(key_id, None))
        # Many callers wait for one look-up; one that goes away does not take it along.
        return await asyncio.shield(task)

    async def _look_up(self, key_id: str) -> KnownKey | None:
        self.lookups += 1
        for _ in range(5):
            self._changed_meanwhile.discard(key_id)
            read_at = self._now()
            answer = await self._read(key_id)
            # What was read may be older than a change that was heard of while reading.
            if key_id not in self._changed_meanwhile:
                break
        self._changed_meanwhile.discard(key_id)
        if answer is None:
            _make_room(self._absent, self._limits.negative_entries_max)
            self._absent[key_id] = self._now() + self._limits.negative_ms / 1000
            return None
        entry = KnownKey(
            answer.id,
            answer.tenant,
            bytes.fromhex(answer.hash),
            frozenset(answer.scopes),
            answer.revoked,
            read_at,
        )
        self._known.pop(key_id, None)
        _make_room(self._known, self._limits.entries_max)
        self._known[key_id] = entry
        return entry

    async def _read(self, key_id: str) -> KeyAnswer | None:
        timeout_ms = self._limits.lookup_timeout_ms
        try:
            answer = await self._cores.call(
                "GET", f"/internal/keys/{key_id}", timeout_ms=timeout_ms
            )
            if answer.status == 404:
                return None
            if answer.status == 200:
                return msgspec.json.decode(answer.body, type=KeyAnswer)
            reason = f"status {answer.status}"
        except (CoreUnreachable, CoreSilent, ValueError) as error:
            reason = str(error)
        self._log.warning("key cannot be looked up", key_id=key_id, reason=reason)
        detail = "The API key cannot be checked now: no core answers."
        raise problem("no_core", detail, headers={"Retry-After": "1"})

    async def poll(self) -> None:
        """Forget keys as they change, until cancelled."""
        while True:
            more = False
            try:
                more = await self._hear_of_changes()
                self._patience_ms = _FIRST_PATIENCE_MS
            except (CoreUnreachable, CoreSilent, ValueError) as error:
                # One core that hangs must not use up the second within which a revoked key has to
                # stop; but cores that are merely slow are to be heard in the end.
                self._patience_ms = min(2 * self._patience_ms, self._limits.lookup_timeout_ms)
                self._log.debug("changed keys not heard of", reason=str(error))
            if not more:
                await asyncio.sleep(self._limits.poll_ms / 1000)

    async def _hear_of_changes(self) -> bool:
        asked_at = self._now()
        target = f"/internal/changes?since={self._seq}"
        answer = await self._cores.call("GET", target, timeout_ms=self._patience_ms)
        if answer.status != 200:
            raise CoreSilent(f"status {answer.status}")
        changes = msgspec.json.decode(answer.body, type=ChangesAnswer)
        if changes.seq < self._seq:
            self.forget_all()
        for key_id in changes.keys:
            self.forget(key_id)
        more = bool(changes.keys) and changes.seq > self._seq
        self._seq = changes.seq
        if not more:
            self._heard_at = asked_at
        return more

    def forget(self, key_id: str) -> None:
        """The key changed; the next caller asks again."""
        self._known.pop(key_id, None)
        self._absent.pop(key_id, None)
        if key_id in self._asking:
            self._changed_meanwhile.add(key_id)

    def forget_all(self) -> None:
        """The cores' configuration is another one than we knew."""
        for key_id in [*self._known, *self._absent, *self._asking]:
            self.forget(key_id)


def presented_text(authorization: str | None, x_api_key: str | None) -> str:
    """The key as the caller shows it; ProblemError 401 if there is none."""
    if authorization is not None:
        if authorization.startswith("Bearer "):
            return authorization[7:].strip()
        scheme, _, text = authorization.partition(" ")
        if scheme.lower() == "bearer":
            return text.strip()
        raise unauthenticated("Authorization has to be: Bearer <API key>.")
    if x_api_key is not None:
        return x_api_key.strip()
    raise unauthenticated("Send the API key as: Authorization: Bearer gt_live_...")


def unauthenticated(detail: str) -> ProblemError:
    """401 with the scheme that is expected."""
    return problem("unauthenticated", detail, headers={"WWW-Authenticate": "Bearer"})


def _make_room(entries: dict[str, Any], entries_max: int) -> None:
    while len(entries) >= entries_max:
        del entries[next(iter(entries))]
