"""Edits of configuration without one of the rules that make them count.

The rules are those of the ports and parts that follow the configuration, not of PROTOCOL.md: `rule`
names where each is promised.
"""

import asyncio
from contextlib import AbstractContextManager
from typing import Any

from msgspec.structs import replace

from core.accounts.model import StoredAccount
from core.accounts.service import Accounts
from core.contract.providers import ProviderIn
from core.decide.policy import Policy
from core.decide.route import Decision
from core.engine import dispatch
from core.engine.adapters import Workforce
from core.engine.dispatch import Dispatcher
from core.engine.payload import Payload, content_of
from core.sim.store.entities import EntityView
from core.suppress.table import Suppressed
from sync.owner.state import Msg
from sync.store.entities import StaleVersion
from sync.store.feed import EntityFeed
from sync.store.follow import Follower
from sync.store.port import StoreError
from tests.support.mutations import Mutation, patched

Context = AbstractContextManager[None]


def disabled_still_chosen() -> Context:
    """A disabled account is brought to work like any other."""
    begin = Workforce._begin

    async def blind(self: Workforce, stored: StoredAccount, protection: Any) -> None:
        enabled = replace(stored.account, enabled=True)
        await begin(self, StoredAccount(stored.version, enabled), protection)

    return patched((Workforce, "_begin", blind))


def disabled_account_stays_open() -> Context:
    """The adapter of an account that was edited is not told to stop."""
    apply = Workforce._apply

    async def left_open(self: Workforce, account_id: str, stored: StoredAccount | None) -> None:
        spawn, self._spawn = self._spawn, lambda work: work.close()  # type: ignore[attr-defined]
        try:
            await apply(self, account_id, stored)
        finally:
            self._spawn = spawn

    return patched((Workforce, "_apply", left_open))


def nobody_waits_for_an_account() -> Context:
    """With every account disabled a message ends, whatever its policy says."""

    def at_once(decision: Decision, _policy: Policy) -> bool:
        return not decision.candidates and not any(each.passing for each in decision.removed)

    return patched((dispatch, "ends_at_once", at_once))


def condition_not_heeded() -> Context:
    """An account is replaced whatever version the editor asked for."""
    put = Accounts.put

    async def any_version(self: Accounts, given: ProviderIn, _expect: int | None) -> StoredAccount:
        return await put(self, given, None)

    return patched((Accounts, "put", any_version))


def written_without_comparing() -> Context:
    """The condition is looked at when the entity is read, and no more when it is written."""
    put = EntityView.put

    async def blind(self: EntityView, kind: str, name: str, body: bytes, _: int | None) -> int:
        return await put(self, kind, name, body, None)

    return patched((EntityView, "put", blind))


def lost_edit_is_refused() -> Context:
    """An edit whose answer was lost counts as one that was not made."""
    put = Accounts.put

    async def refused(self: Accounts, given: ProviderIn, expect: int | None) -> StoredAccount:
        try:
            return await put(self, given, expect)
        except StoreError:
            raise StaleVersion(0) from None

    return patched((Accounts, "put", refused))


def feed_skips_a_change() -> Context:
    """Of several changes that are read at once only the latest is told."""

    async def poll(self: EntityFeed) -> None:
        self._seq, names = await self._store.changes(self._seq, self._batch_max)
        for kind, name in names[-1:]:
            for changed in self._watchers.get(kind, ()):
                self._tell(changed, name)

    return patched((EntityFeed, "poll", poll))


def feed_goes_on_from_the_head() -> Context:
    """After a read that failed the feed goes on with what changes from then on."""
    poll = EntityFeed.poll

    async def from_the_head(self: EntityFeed) -> None:
        try:
            await poll(self)
        except StoreError:
            self._seq = await self._store.head()

    return patched((EntityFeed, "poll", from_the_head))


def feed_begins_late() -> Context:
    """What changes while everything is read for the first time is not told."""
    run = EntityFeed._run

    async def start(self: EntityFeed) -> None:
        async def late() -> None:
            await asyncio.sleep(self._poll_s)
            self._seq = await self._store.head()
            await run(self)

        self._task = asyncio.create_task(late())

    return patched((EntityFeed, "start", start))


def unread_change_forgotten() -> Context:
    """What cannot be read when it was changed is not read again."""

    async def once(self: Follower) -> None:
        entity_id = next(iter(self._changed), None)
        self._all = False
        try:
            if entity_id is None:
                await self.load()
            else:
                del self._changed[entity_id]
                await self.read(entity_id)
        except StoreError:
            return

    return patched((Follower, "_next", once))


def suppressions_looked_up_when_offered() -> Context:
    """Whether its recipient is suppressed is looked up once, when a message begins to wait."""
    offer = Dispatcher.offer

    class Early:
        """The answers that were had then."""

        def __init__(self, look: Any) -> None:
            self.look = look
            self.known: dict[tuple[str, int], str] = {}

        def __call__(self, payload: Payload) -> str:
            return self.known.get((payload.notification, payload.step), "")

    def early(self: Dispatcher, msg: Msg) -> None:
        if not isinstance(self.hooks.suppressed, Early):
            self.hooks.suppressed = Early(self.hooks.suppressed)
        payload, asked = content_of(msg), self.hooks.suppressed
        asked.known.setdefault((payload.notification, payload.step), asked.look(payload))
        offer(self, msg)

    return patched((Dispatcher, "offer", early))


def suppression_told_before_it_is_known() -> Context:
    """Who adds a suppression is told so before this process goes by it."""

    async def later(self: Suppressed, tenant: str, name: str) -> None:
        """The feed will tell it."""

    return patched((Suppressed, "refresh", later))


EDITS: tuple[Mutation, ...] = (
    Mutation("disabled_still_chosen", "accounts", "edits", disabled_still_chosen),
    Mutation("disabled_account_stays_open", "adapter", "edits", disabled_account_stays_open),
    Mutation("nobody_waits_for_an_account", "accounts", "edits", nobody_waits_for_an_account),
    Mutation("condition_not_heeded", "If-Match", "edits", condition_not_heeded),
    Mutation("written_without_comparing", "entities", "edits", written_without_comparing),
    Mutation("lost_edit_is_refused", "entities", "edits", lost_edit_is_refused),
    Mutation("feed_skips_a_change", "feed", "edits", feed_skips_a_change),
    Mutation("feed_goes_on_from_the_head", "feed", "edits", feed_goes_on_from_the_head),
    Mutation("feed_begins_late", "feed", "edits", feed_begins_late),
    Mutation("unread_change_forgotten", "follow", "edits", unread_change_forgotten),
    Mutation(
        "suppressions_looked_up_when_offered", "6", "edits", suppressions_looked_up_when_offered
    ),
    Mutation(
        "suppression_told_before_it_is_known",
        "suppress",
        "edits",
        suppression_told_before_it_is_known,
    ),
)
