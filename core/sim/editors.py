"""Editors of the configuration: they ask some core to change an account, a policy, a suppression.

Each does what the API does for them: reads what there is with its version, thinks for a moment, and
asks for the change with that version (If-Match), mostly. An editor whose core dies, or whose
question could not be answered, knows nothing; all are kept in `edits`, for
`core.sim.checks.edits`. Each has a number, which stands in what is written.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from random import Random
from typing import TYPE_CHECKING, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import asdict, replace

from core.accounts.model import ProviderAccount
from core.accounts.service import KIND as ACCOUNT
from core.contract.policies import PolicyIn, PolicyMatch
from core.contract.providers import AccountLimits, Price, ProviderIn
from core.contract.requests import ChannelName
from core.policies.store import KIND as POLICY
from core.sim.editplan import MAIL
from core.sim.mapplan import TENANT
from core.sim.node import Node
from core.sim.steps import Step
from core.suppress.rules import entry_of
from core.suppress.store import KIND as SUPPRESSION
from core.suppress.store import name_of
from sync.store.entities import StaleVersion
from sync.store.port import StoreError

if TYPE_CHECKING:
    from core.sim.world import World

THINKS_MAX_S = 0.6
WITHOUT_A_CONDITION = 0.2
AGAIN_S = 1.0
LIMITS = (
    AccountLimits(),
    AccountLimits(per_second=3.0),
    AccountLimits(concurrency=1),
    AccountLimits(per_day=1_000),
)
POLICY_NAME = "p"


class Edit(Struct):
    """One edit. `if_match` is the version asked for, None for whichever. `answer` is None until
    the editor was told; `version` is then the one that was written, 0 for none."""

    kind: str
    name: str
    what: str
    number: int
    process: str
    if_match: int | None = None
    answer: Literal["done", "refused"] | None = None
    version: int = 0


Work = Callable[[Node, Edit], Awaitable[int]]


class Editors:
    """See the module's docstring."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._chance = Random(f"{world.plan.seed}:editors")
        self.edits: list[Edit] = []

    def edit_account(self, step: Step) -> None:
        """Switch it off or on, change its limits, its place, or its price alone."""
        for node in self._asked(step):
            self._start(node, Edit(ACCOUNT, step.id, step.other, 0, ""), self._account)

    def edit_policy(self, step: Step) -> None:
        """The policy for text messages: forbid an account, put one first, or take it away."""
        for node in self._asked(step):
            self._start(node, Edit(POLICY, POLICY_NAME, step.other, 0, ""), self._policy)

    def edit_suppression(self, step: Step) -> None:
        """Add a contact point, or take it away."""
        for node in self._asked(step):
            self._start(node, Edit(SUPPRESSION, step.id, step.other, 0, ""), self._suppression)

    def enable_all(self) -> None:
        """Ask until no account is disabled any more."""
        off = [name for name in self._world.providers if not self._enabled(name)]
        nodes = [node for node in self._world.living() if node.ready]
        for name in off:
            for node in nodes[:1]:
                self._start(node, Edit(ACCOUNT, name, "enable", 0, ""), self._account)
        if off:
            self._world.scheduler.after(AGAIN_S, self.enable_all)

    def _enabled(self, account: str) -> bool:
        stored = self._world.store.entities.newest((ACCOUNT, account))
        assert stored is not None
        return msgspec.json.decode(stored.body, type=ProviderAccount).enabled

    def _asked(self, step: Step) -> list[Node]:
        """The core that is asked, and with an amount another one at once, or the same one twice."""
        first = self._world.slots[(step.region, step.number)]
        if first is None or not first.ready or first.process.dead:
            return []
        others = [n for n in self._world.living() if n.ready and n is not first]
        second = [self._chance.choice(others or [first])] if step.amount else []
        return [first, *second]

    def _start(self, node: Node, edit: Edit, work: Work) -> None:
        self.edits.append(edit)
        edit.number, edit.process = len(self.edits), node.process.name

        async def asked() -> None:
            try:
                edit.version = await work(node, edit)
            except StaleVersion:
                edit.answer = "refused"
            except StoreError:
                return
            else:
                edit.answer = "done"
                with suppress(StoreError):
                    await node.config.feed.poll()
            what = f"{edit.what} {edit.kind} {edit.name} at {edit.if_match}"
            node.note("editor", f"{what}: {edit.answer} {edit.version or ''}".strip())

        node.process.start(asked)

    async def _think(self, edit: Edit, version: int) -> None:
        """What the editor saw is of that version; perhaps nothing depends on it."""
        edit.if_match = None if self._chance.random() < WITHOUT_A_CONDITION else version
        await asyncio.sleep(self._chance.uniform(0.0, THINKS_MAX_S))

    async def _account(self, node: Node, edit: Edit) -> int:
        found = await node.config.accounts.get(edit.name)
        assert found is not None
        await self._think(edit, found.version)
        wanted = ProviderIn(**(asdict(found.account) | {"secrets": None}))
        wanted = replace(wanted, price=Price(float(edit.number)))
        if edit.what in ("disable", "enable"):
            wanted = replace(wanted, enabled=edit.what == "enable")
        elif edit.what == "limits":
            wanted = replace(wanted, limits=self._chance.choice(LIMITS))
        elif edit.what == "order":
            wanted = replace(wanted, priority=edit.number % 3)
        return (await node.config.accounts.put(wanted, edit.if_match)).version

    async def _policy(self, node: Node, edit: Edit) -> int:
        store = node.config.policies.store
        found = await store.get(edit.name)
        await self._think(edit, found.version if found else 0)
        account = self._chance.choice(("plain", "keyed"))
        if edit.what == "delete":
            await store.delete(edit.name, edit.if_match)
            return 0
        given = PolicyIn(
            name=edit.name,
            match=PolicyMatch(channels=["sms"]),
            order=[account],
            forbid=[account] if edit.what == "forbid" else [],
            price_max=float(100_000 + edit.number),
        )
        return (await store.put(given, edit.if_match)).version

    async def _suppression(self, node: Node, edit: Edit) -> int:
        suppressions = node.config.suppressions
        channel: ChannelName = "email" if edit.name == MAIL else "sms"
        if edit.what == "add":
            entry = entry_of("manual", node.process.wall_ms(), detail=str(edit.number))
            stored = await suppressions.add(TENANT, channel, edit.name, entry)
            self._world.checks.suppressed(node, channel, edit.name, stored.version)
            return stored.version
        name = name_of(channel, edit.name)
        found = await suppressions.store.get(TENANT, name)
        if found is None:
            return 0
        await self._think(edit, found.version)
        await suppressions.remove(TENANT, name, edit.if_match)
        return 0
