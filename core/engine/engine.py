"""The engine of a core, put together: what the process has once, and the work of each home.

Made once from the settings by the composition root; nothing here decides anything.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from functools import partial
from itertools import chain
from random import Random
from typing import Any, Protocol

from core.clock import Clock
from core.contract.ids import parse_id
from core.contract.log import Log
from core.contract.settings import Settings
from core.decide.fair import weights_of
from core.engine.accounts import Account
from core.engine.agreed import Agreed
from core.engine.answering_rows import AnsweringRows
from core.engine.asking_rows import AskingRows
from core.engine.bounds import limits_of
from core.engine.day_rights import DayRights
from core.engine.dispatch import Dispatcher, TurnRules
from core.engine.homes import HomeWork, Shared
from core.engine.logs import Logs
from core.engine.membership import Membership
from core.engine.pace import Pace
from core.engine.payload import content_of, placing_country
from core.engine.pressure import Pressure
from core.engine.receipts import Receipts
from core.engine.signals import Beat
from core.engine.whereabouts import Whereabouts
from core.providers.port import Outcome
from sync.forced import PLAIN, Ruling
from sync.hlc import Hlc
from sync.keeper.balance import Place as HomePlace
from sync.keeper.members import Timing
from sync.lease import Holder
from sync.naming import home_of, log_name
from sync.owner.asking import Asking
from sync.owner.owner import Owner
from sync.owner.state import Limits, Msg
from sync.placement import PlacementMap, may_act, regions_of, world_map
from sync.records import Place, Record
from sync.store.entities import EntityStore
from sync.store.port import JournalStore

DAY_MS = 86_400_000


class Host(Protocol):
    """The process that the engine works in: tasks that run beside, and its end."""

    def spawn(self, work: Awaitable[Any]) -> None:
        """Run something beside; its unforeseen failure ends the process."""

    def lost(self, why: str) -> None:
        """The right to work is gone."""


class Engine:
    """Its parts are public: the composition root wires them to doors, numbers and accounts.

    `homes` are the homes whose messages it accepts and whose shards it may own, the own region
    among them; none given stands for the own region alone. `first_map` is the placement map where
    the store has none: without one every home is a region's, served by all of them. `home` is the
    own region's work, and `shell` and `behind` are parts of it that serve any message. `under` is
    the ruling on forced ownership that holds as the process starts, and under which `store` is.
    `shards` is how many each home has in the store, which counts whatever the settings say today.
    `on_map` is told the map that serves whenever what is known of maps changed.
    """

    def __init__(
        self,
        store: JournalStore,
        settings: Settings,
        incarnation: str,
        url: str,
        clock: Clock,
        random: Random,
        process: Host,
        log: Log,
        homes: Sequence[str] = (),
        limits: Limits | None = None,
        pace: Pace | None = None,
        first_map: PlacementMap | None = None,
        under: Ruling = PLAIN,
        shards: int = 0,
    ) -> None:
        self.store = store
        self._settings = settings
        self._clock = clock
        self._random = random
        self._log = log
        self._spawn = process.spawn
        self._pace = pace or Pace()
        self._limits = limits or limits_of(settings)
        names = self._names = tuple(homes) or (settings.region.name,)
        self._under = under
        self._first_map = first_map or world_map(names, shards or settings.region.home_shards)
        protocol = settings.protocol
        self.logs = self._make_logs(names, incarnation)
        self.accounts: dict[str, Account] = {}
        self.holder = Holder(protocol.lease_ms / 1000, protocol.renew_ms / 1000)
        self.pressure = Pressure(lambda: self.logs.waiting_share)
        self.dispatcher = self._make_dispatcher()
        self.receipts = self._make_receipts(incarnation)
        self.hlc = Hlc()
        self.membership = self._make_membership(incarnation, url)
        members = self.membership.members
        self.asking = AskingRows(Asking(members.region, self._pace.asking), members, clock)
        self.answering = AnsweringRows(store, members, log, process.spawn)
        shared = self._shared()
        self.homes = {name: HomeWork(name, shared) for name in names}
        self.home = self.homes[settings.region.name]
        self.where = Whereabouts(self.homes, self.membership)
        self.shell, self.behind = self.home.shell, self.home.behind
        self.on_row = _unheard
        self.on_map: Callable[[PlacementMap], None] = lambda _: None
        self._wire(process)

    def _wire(self, process: Host) -> None:
        self._works = {name: self.homes[log_name(name).home] for name in self.logs.names}
        self.membership.homes = [work.ownership for work in self.homes.values()]
        self.membership.on_lost = process.lost
        self.membership.maps.on_changed = self._map_changed
        self.membership.force.settle = lambda: self.receipts.look_again(list(self.accounts))
        self._open_to_homes()
        self.logs.on_revoked = lambda: process.lost("the lease was revoked")
        self.logs.on_row = self._row
        self.logs.on_effect = self._effects
        self.dispatcher.on_outcome = self._outcome
        self.dispatcher.after = self._drain
        self.receipts.account_of = self._account_of
        self.home.clockwork.on_late = self.pressure.ticked
        for work in self.homes.values():
            work.shell.on_missed = partial(self._missed, work)

    # Running

    def start(self) -> None:
        """Take the lease and the shards, and work, until the process ends. Register first."""
        self._spawn(self.membership.renew_forever())
        self._spawn(self.membership.watch_forever())
        self._spawn(self.membership.register_again_forever())
        if self.store.forces is not None:
            self._spawn(self.membership.force.watch_forever())
        for work in self.homes.values():
            self._spawn(work.clockwork.run())

    def seal(self) -> None:
        """Write provider ids and by-id rows of what ended, of all homes."""
        for work in self.homes.values():
            work.shell.seal()

    @property
    def busy(self) -> bool:
        """Whether some home's shell does something beside the loop's turns."""
        return any(work.shell.busy for work in self.homes.values())

    def beat(self) -> tuple[int, dict[str, int], bool]:
        """What others are told: the lease's counter, how far the logs are, whether it drains."""
        return self.holder.counter, self.logs.last_rows(), self.membership.draining

    def heard(self, beat: Beat) -> None:
        """Another core said that it lives, and how far its logs are."""
        self.membership.heard(beat)
        for work in self.homes.values():
            work.clockwork.heard(beat)

    def _missed(self, work: HomeWork, log: str, row: int, named: bool) -> None:
        """A read found no such row; `named`: somebody who read it wrote of it."""
        self.asking.missed(log, row, row if named else work.clockwork.told_row(log))

    # What is asked of all homes

    def lease_left_s(self) -> float:
        """How long the own lease still gives the right to act."""
        return self.holder.left_s(self._clock.boot())

    def owner_of(self, home: str) -> Owner:
        """The owner of a home, which must be one of `homes`."""
        return self.homes[home].owner

    def find(self, message_id: str) -> Msg | None:
        """A message in memory; None also for one of a home that is not worked for."""
        work = self.homes.get(home_of(message_id))
        return None if work is None else work.owner.find(message_id)

    @property
    def owners(self) -> list[Owner]:
        """The owner of each home."""
        return [work.owner for work in self.homes.values()]

    def open_messages(self) -> Iterable[Msg]:
        """All open messages in memory, oldest first within each home."""
        return chain.from_iterable(owner.msgs.values() for owner in self.owners)

    def late(self, message_id: str, attempt: str, account: str, outcome: Outcome) -> None:
        """A provider's answer that came after its time-out was told."""
        work, named = self.homes.get(home_of(message_id)), parse_id(message_id)
        if work is not None and named is not None:
            work.shell.answers.late(message_id, named.shard, attempt, account, outcome)

    def day_rights(self, entities: EntityStore, account_id: str, per_day: int) -> DayRights:
        """The rights of a day of an account that has such a limit."""
        arm = self.dispatcher.arm
        return DayRights(account_id, per_day, entities, self._clock, self._log, self._spawn, arm)

    def _account_of(self, message_id: str, attempt: str) -> str:
        """The account that an attempt went to, "" where it is not in memory."""
        msg = self.find(message_id)
        return msg.account_of(attempt) if msg is not None else ""

    # Events, each to its home

    def _row(self, log: str, row: int, records: list[Record]) -> None:
        self.on_row(log, row, records)
        self._works[log].shell.row(log, row, records)

    def _effects(self, log: str, places: list[Place], records: list[Record]) -> None:
        self._works[log].shell.effects_durable(places, records)

    def _outcome(self, msg: Msg, attempt: str, account: Account, outcome: Outcome) -> None:
        self.homes[msg.home].shell.answers.outcome(msg, attempt, account, outcome)

    def _drain(self) -> None:
        for work in self.homes.values():
            work.shell.drain()

    # The placement map

    def _map_changed(self) -> None:
        """Other versions are kept, or another one serves."""
        self._open_to_homes()
        several = len(self.membership.maps.book.kept) > 1
        for work in self.homes.values():
            work.owner.homes_of = self._homes_of if several else None
            work.ownership.shards.place = self._place_of(work.home)
        self.on_map(self.placement)

    @property
    def placement(self) -> PlacementMap:
        """The placement map that is accepted by."""
        return self.membership.maps.book.accepting

    def _open_to_homes(self) -> None:
        serving, region = self.membership.maps.book.accepting, self._settings.region.name
        homes = [home for home in self._names if may_act(serving, home, region)]
        self.logs.open_to(homes, globally=not self.membership.force.alone)

    def _homes_of(self, msg: Msg) -> Collection[str]:
        """What follows from another message has its id from that one, whose home it shares."""
        payload = content_of(msg)
        if payload.kind or payload.parent:
            return ()
        return self.membership.maps.book.homes_of_key(payload.tenant, placing_country(payload))

    # Making

    def _shared(self) -> Shared:
        return Shared(
            self.store,
            self._settings,
            self._limits,
            self._pace,
            self.logs,
            self.dispatcher,
            self.receipts,
            self.membership,
            self.hlc,
            self._clock,
            self._random,
            self._log,
            self._spawn,
            self._place_of,
        )

    def _place_of(self, home: str) -> HomePlace:
        """By the map in use; distances come with several regions' settings."""
        serving = self.membership.maps.book.accepting
        return HomePlace(home, serving.homes[home].region, regions_of(serving, home))

    def _make_dispatcher(self) -> Dispatcher:
        dispatch = self._settings.dispatch
        return Dispatcher(
            self.owner_of,
            self.accounts,
            self._clock,
            self._random,
            self.lease_left_s,
            self._settings.protocol.write_timeout_ms / 1000,
            TurnRules(weights_of(dispatch.tenant_weights), dispatch.bulk_ratio),
            self._pace.tick_s,
        )

    def _make_logs(self, homes: Sequence[str], incarnation: str) -> Logs:
        store = self._settings.store
        return Logs(
            self.store,
            homes,
            incarnation,
            self._log,
            store.row_records_max,
            store.row_bytes_max,
            store.records_waiting_max,
        )

    def _make_receipts(self, incarnation: str) -> Receipts:
        core = self._settings.core
        return Receipts(
            self.store,
            self.logs,
            self._clock,
            self._log,
            incarnation,
            core.provider_ids_max,
            core.receipt_buckets_back,
            self._spawn,
            self._limits.bucket_ms,
        )

    def _make_membership(self, incarnation: str, url: str) -> Membership:
        protocol = self._settings.protocol
        lease_s, epsilon_s = protocol.lease_ms / 1000, protocol.epsilon_ms / 1000
        return Membership(
            self.store,
            self.logs,
            self.holder,
            Timing(lease_s, epsilon_s, lease_s * self._pace.unborn_leases),
            self._clock,
            self._random,
            self._log,
            incarnation,
            self._settings.region.name,
            url,
            min(self._pace.look_s, protocol.shards_poll_ms / 1000),
            self._pace,
            self._make_agreed(lease_s + epsilon_s),
        )

    def _make_agreed(self, right_s: float) -> Agreed:
        protocol = self._settings.protocol
        return Agreed(
            self.store,
            self._clock,
            self._random,
            self._log,
            self._settings.region.name,
            self._names,
            self._pace,
            self._first_map,
            protocol.ttl_days * DAY_MS + protocol.clock_bound_ms,
            self._under,
            right_s,
        )


def _unheard(log: str, row: int, records: list[Record]) -> None:
    """Nobody wants to hear of accept rows."""
