"""Telling the parts of a process which entities changed, by asking the store again and again.

`EntityFeed(store)` asks every `poll_ms`; each watcher of a kind is called on the event loop's
thread with the id of what changed, whoever changed it, in this process or another. A change is told
at least once, within a poll of becoming visible; several changes of one entity may be told as one.
When the store turns out to be another one, watchers are told to forget everything.

A store that fails is asked again after the next pause, and `on_error` hears of it; nothing is
missed, for the feed goes on from where it was. It also hears of what a watcher raises.
"""

import asyncio
import contextlib
from collections.abc import Callable

from sync.store.entities import EntityStore
from sync.store.port import StoreError

Changed = Callable[[str], None]


class EntityFeed:
    """One feed for all the watchers of a process."""

    def __init__(
        self,
        store: EntityStore,
        on_error: Callable[[Exception], None],
        *,
        poll_ms: int = 300,
        batch_max: int = 1000,
    ) -> None:
        self._store = store
        self._on_error = on_error
        self._poll_s = poll_ms / 1000
        self._batch_max = batch_max
        self._watchers: dict[str, list[Changed]] = {}
        self._forget: list[Callable[[], None]] = []
        self._seq = -1
        self._task: asyncio.Task[None] | None = None

    def watch(self, kind: str, changed: Changed, forget: Callable[[], None]) -> None:
        """From now on call `changed(id)`; `forget()` where anything may have changed."""
        self._watchers.setdefault(kind, []).append(changed)
        self._forget.append(forget)

    async def start(self) -> None:
        """Begin with what changes after this; watchers read what there is after this returns."""
        self._seq = await self._store.head()
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Ask no more."""
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def poll(self) -> None:
        """Ask now and tell all that changed; for whoever cannot wait for the next round."""
        while True:
            since = self._seq
            seq, names = await self._store.changes(since, self._batch_max)
            if self._seq != since:
                continue  # another poll was faster; what this one read may be older
            self._seq = seq
            if seq < since:
                for forget in self._forget:
                    self._tell(forget)
            for kind, name in names:
                for changed in self._watchers.get(kind, ()):
                    self._tell(changed, name)
            if len(names) < self._batch_max:
                return

    def _tell(self, watcher: Callable[..., None], *names: str) -> None:
        try:
            watcher(*names)
        except Exception as error:
            # One watcher's mistake must not keep the others from hearing of changes.
            self._on_error(error)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._poll_s)
            try:
                await self.poll()
            except StoreError as error:
                self._on_error(error)
