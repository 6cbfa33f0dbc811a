"""Edits of the configuration: whether cores go by them, and whether editors are told truly.

- No intent names an account that its core knows as disabled, or a recipient that it knows as
  suppressed; no call begins on a disabled account, and none of those under way sends later than
  the grace.
- An editor who is told that a recipient is suppressed was told by a core that knows it.
- A core whose store answered all the time goes by what arrived in its region `HEARD_WITHIN_S` ago.
- Once faults are over all regions have the same, and all cores go by it.
- While accounts are disabled messages wait, none ends for that; none ends as suppressed whose
  recipient never was.
- Of two edits of the same version at most one is written; one that was refused never is; one that
  was told a version stands there.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from core.accounts.model import ProviderAccount
from core.accounts.service import KIND as ACCOUNT
from core.engine.adapters import STOP_GRACE_MS
from core.engine.payload import Payload, decode_payload
from core.policies.store import KIND as POLICY
from core.sim.editplan import MAIL, PEOPLE
from core.sim.history import ViolationError
from core.suppress.store import KIND as SUPPRESSION
from core.suppress.store import name_of
from sync.records import End, Message
from sync.store.entities import Entity

if TYPE_CHECKING:
    from core.sim.editors import Edit
    from core.sim.node import Node
    from core.sim.world import World

HEARD_WITHIN_S = 2.0
CLOSED_WITHIN_S = STOP_GRACE_MS / 1000 + 0.1
TENANT = "t"
NUMBER_FROM = {ACCOUNT: 0, POLICY: 100_000}


class Edits:
    """See the module's docstring."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._entities = world.store.entities

    # While it runs

    def intends(self, node: "Node", payload: Payload, account_id: str) -> None:
        """A core has just made up its mind to send it through that account."""
        known = node.engine.accounts.get(account_id)
        if known is None or not known.enabled:
            what = f"{node.process.name} intends {payload.notification} for {account_id}"
            raise ViolationError("disabled_chosen", what)
        stopped = self._in_force(node, ACCOUNT, account_id)
        if stopped and all(not is_enabled(one) for one in stopped):
            what = f"{node.process.name} intends {payload.notification} for {account_id}: {stopped}"
            raise ViolationError("disabled_unheard", what)
        if payload.kind:
            return
        if why := node.config.suppressions.why(payload):
            what = f"{node.process.name} intends {payload.notification} to {payload.to}: {why}"
            raise ViolationError("suppressed_intended", what)
        stopped = self._in_force(
            node, SUPPRESSION, f"{TENANT}/{name_of(payload.channel, payload.to)}"
        )
        if stopped and all(one is not None and not one.deleted for one in stopped):
            what = f"{node.process.name} intends {payload.notification} to {payload.to}: {stopped}"
            raise ViolationError("suppressed_unheard", what)

    def suppressed(self, node: "Node", channel: str, address: str, version: int) -> None:
        """An editor is being told that it is suppressed: it is in force there, unless it could not
        be read, or has been taken away since."""
        copy, name = self._entities.copies[node.region], entity_of(channel, address)
        row, now = copy.rows.get((SUPPRESSION, name)), self._world.scheduler.now
        in_trouble = self._entities.troubled_s.get(node.process.name, -1.0) > now - HEARD_WITHIN_S
        same = row is not None and row.version == version
        if same and not in_trouble and not is_known(node, channel, address):
            what = f"{node.process.name} says that {address} is suppressed, and does not know it"
            raise ViolationError("not_in_force", what)

    def call_begins(self, node: "Node", account_id: str, what: str) -> None:
        """An adapter was given a call, or sends the first byte of one."""
        since_s, now = node.config.disabled_s.get(account_id), self._world.scheduler.now
        within_s = CLOSED_WITHIN_S if what == "first byte" else 0.0
        if since_s is not None and now > since_s + within_s * (1.0 + self._world.plan.drift):
            told = f"{node.process.name}: {what} at {account_id}, which is disabled since {since_s}"
            raise ViolationError("call_on_disabled", told)

    def _in_force(self, node: "Node", kind: str, name: str) -> list[Entity | None]:
        """All that the core may go by, from what it must have heard of to the newest of its region.

        Nothing where its reads were in trouble, or it stood still, or it is new.
        """
        process, now = node.process, self._world.scheduler.now
        heard_s = now - HEARD_WITHIN_S
        troubled_s = self._entities.troubled_s.get(process.name, -1.0)
        if max(troubled_s, process.frozen_until, node.ready_s) > heard_s:
            return []
        versions = self._entities.written.get((kind, name), [])
        arrivals = self._entities.arrived.get((process.region, (kind, name)), [])
        oldest = max((version for at_s, version in arrivals if at_s <= heard_s), default=0)
        newest = max((version for _, version in arrivals), default=0)
        found: list[Entity | None] = [None] if oldest == 0 else []
        return [*found, *versions[max(0, oldest - 1) : newest]]

    # Once faults are over

    def settled(self) -> None:
        """Everything had its time: regions and cores agree with the registers."""
        for region, copy in self._entities.copies.items():
            for name, versions in self._entities.written.items():
                if versions and copy.rows.get(name) != versions[-1]:
                    what = f"{region} has {copy.rows.get(name)}, written is {versions[-1]}"
                    raise ViolationError("entities_differ", what)
        for node in self._world.living():
            if node.ready:
                self._goes_by(node)

    def _goes_by(self, node: "Node") -> None:
        for account in self._world.providers:
            stored, known = self._live(ACCOUNT, account), node.engine.accounts.get(account)
            if stored and (known is None or known.version != stored.version):
                has = None if known is None else known.version
                what = f"{node.process.name} has {account} at {has}, written is {stored.version}"
                raise ViolationError("edit_not_followed", what)
        policies = {one.name: one.version for one in node.config.policies.all}
        for (kind, name), versions in self._entities.written.items():
            stood = versions[-1].version if versions and not versions[-1].deleted else None
            if kind == POLICY and policies.get(name) != stood:
                what = f"{node.process.name} has {name} at {policies.get(name)}, written is {stood}"
                raise ViolationError("edit_not_followed", what)
        for channel, person in (*(("sms", one) for one in PEOPLE), ("email", MAIL)):
            stood_there = (
                self._live(SUPPRESSION, f"{TENANT}/{name_of(channel, person)}") is not None
            )
            table = node.config.suppressions.table
            if stood_there != (table.why(TENANT, channel, person, "transactional") is not None):
                what = f"{node.process.name}: {person} is suppressed: {stood_there}"
                raise ViolationError("edit_not_followed", what)

    def _live(self, kind: str, name: str) -> Entity | None:
        found = self._entities.newest((kind, name))
        return None if found is None or found.deleted else found

    def final(self) -> None:
        """What editors were told, beside what was written."""
        for edit in self._world.editors.edits:
            if edit.kind in NUMBER_FROM and edit.what != "delete":
                self._told(edit, list(self._written_by(edit)))
        if self._world.plan.edits:
            for message_id in {one.id for one in self._world.history.submitted}:
                self._ended(message_id)

    def _ended(self, message_id: str) -> None:
        """No policy here lets a message end because no account is left; nobody was suppressed who
        never was."""
        journal = self._world.checks.journal
        ends = [r for _, r in journal.of("effect", message_id) if type(r) is End]
        if any(one.reason == "no_route" for one in ends):
            raise ViolationError("ended_for_no_account", f"{message_id}: {ends}")
        if not any(one.state == "suppressed" for one in ends):
            return
        for _, record in journal.of("accept", message_id):
            if type(record) is Message:
                payload = decode_payload(record.payload)
                name = (SUPPRESSION, entity_of(payload.channel, payload.to))
                if name not in self._entities.written:
                    raise ViolationError("never_suppressed", f"{message_id}: {ends}")

    def _told(self, edit: "Edit", versions: list[int]) -> None:
        if len(versions) > 1:
            raise ViolationError("edit_written_twice", f"{edit}: {versions}")
        if edit.answer == "refused" and versions:
            raise ViolationError("refused_written", f"{edit}: {versions}")
        if edit.answer == "done" and versions != [edit.version]:
            raise ViolationError("edit_lost", f"{edit}: {versions}")
        if edit.if_match is not None and versions not in ([], [edit.if_match + 1]):
            live = self._entities.written[edit.kind, edit.name]
            if edit.if_match or not live[versions[0] - 2].deleted:
                raise ViolationError("condition_not_heeded", f"{edit}: {versions}")

    def _written_by(self, edit: "Edit") -> Iterator[int]:
        for one in self._entities.written.get((edit.kind, edit.name), []):
            if not one.deleted and number_of(one) == edit.number:
                yield one.version


def entity_of(channel: str, address: str) -> str:
    """The id of a suppression."""
    return f"{TENANT}/{name_of(channel, address)}"


def is_known(node: "Node", channel: str, address: str) -> bool:
    """Whether the core knows that it is suppressed."""
    table = node.config.suppressions.table
    return table.why(TENANT, channel, address, "transactional") is not None


def is_enabled(entity: Entity | None) -> bool:
    """Whether the account may be used as it stands there."""
    if entity is None or entity.deleted:
        return False
    return msgspec.json.decode(entity.body, type=ProviderAccount).enabled


def number_of(entity: Entity) -> int:
    """The number of the edit that wrote it; 0 for what was there from the beginning."""
    body = msgspec.json.decode(entity.body)
    price = body["price"]["amount"] if entity.kind == ACCOUNT else body["price_max"]
    return int(price) - NUMBER_FROM[entity.kind]
