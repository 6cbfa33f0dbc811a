"""Idempotency keys: what runs, what was answered, and the key's row for what is older.

Same key and body: the same answer. Another body: 422. Still running: 409. Only accepted requests
are remembered; the row is written in the accept's own transaction (PROTOCOL.md 5).
"""

from collections import OrderedDict

import msgspec
from msgspec import Struct

from core.contract.problems import ProblemError, problem
from sync.store.port import JournalStore, PutKey


class KeyRow(Struct, frozen=True, array_like=True, gc=False):
    """What is remembered of a keyed request."""

    body_hash: bytes
    answer: bytes


_decoder = msgspec.msgpack.Decoder(KeyRow)


class Keys:
    """The keys of one core. `answered_max` bounds the memory; the store has the rest."""

    def __init__(self, store: JournalStore, answered_max: int) -> None:
        self._store = store
        self._answered_max = answered_max
        self._running: set[tuple[str, str]] = set()
        self._answered: OrderedDict[tuple[str, str], KeyRow] = OrderedDict()

    def begin(self, tenant: str, key: str, body_hash: bytes) -> bytes | None:
        """Start a request, or give the answer it had; 409 and 422 as ProblemError."""
        name = (tenant, key)
        if name in self._running:
            raise problem(
                "idempotency_running", "a request with this Idempotency-Key is still running"
            )
        known = self._answered.get(name)
        if known is not None:
            return self._same(known, body_hash)
        self._running.add(name)
        return None

    async def look_up(self, tenant: str, key: str, body_hash: bytes) -> bytes | None:
        """After `begin` said None: what the store remembers of the key. Raises StoreError."""
        row = await self._store.key(tenant, key)
        return None if row is None else self._same(_decoder.decode(row), body_hash)

    def row(self, tenant: str, key: str, body_hash: bytes, answer: bytes) -> PutKey:
        """The key's row, to be written with the accept."""
        return PutKey(tenant, key, msgspec.msgpack.encode(KeyRow(body_hash, answer)))

    def accepted(self, tenant: str, key: str, body_hash: bytes, answer: bytes) -> None:
        """The request was accepted and answered."""
        self._running.discard((tenant, key))
        self._answered[(tenant, key)] = KeyRow(body_hash, answer)
        while len(self._answered) > self._answered_max:
            self._answered.popitem(last=False)

    def ended(self, tenant: str, key: str) -> None:
        """The request came to nothing."""
        self._running.discard((tenant, key))

    @staticmethod
    def _same(known: KeyRow, body_hash: bytes) -> bytes:
        if known.body_hash != body_hash:
            raise different_body()
        return known.answer


def different_body() -> ProblemError:
    """The key was used with another request."""
    return problem(
        "idempotency_conflict",
        "this Idempotency-Key was used with another request; use a new key for a new request",
    )
