"""Who lives, who is gone, whose lease may be revoked, and where the logs of the gone end.

One machine a process, for all homes (PROTOCOL.md 2, 4, 7). It promises:

- A lease is revoked only when this process has itself seen the same counter for the lease's length
  and epsilon, and only if it is still that row. Only a higher counter starts the wait anew: a late
  beat that did would keep a dead core's shards from everybody, and one that put the counter back
  would let the wait of an old counter count for a new one.
- A beat counts only with a higher sequence than the last one of its incarnation. Silence keeps
  shards from being given to a core, and never takes any from it.
- `revoked` and `left` are final: a late row or beat brings nobody back.
- One that registered and never took a lease gets a revoked one, so that its logs can end; not
  while it beats, for a core may start where no majority can be reached and go on accepting.
- The logs of one that left end where its lease says; those of a revoked one only where the store
  refuses its late rows, or once its region was repaired or declared gone. Else a row that landed
  late would be passed over.

Times must be read *after* the reading that they come with: the wait begins when something was seen.
Whoever carries out a command answers it, also with "unknown"; until then it is not given again.
"""

from collections.abc import Iterable

from msgspec import Struct

from sync.keeper.balance import Core
from sync.lease import Holder, Lease, Renew, Watch
from sync.store.port import Registered


class Beat(Struct, frozen=True):
    """What a core says of itself. `counter` is 0 before its first lease."""

    incarnation: str
    seq: int
    counter: int
    region: str
    draining: bool = False


class Timing(Struct, frozen=True):
    """`unborn_s` is how long one may be registered without a lease; `silence_s` without a beat."""

    lease_s: float = 4.0
    epsilon_s: float = 0.25
    unborn_s: float = 20.0
    silence_s: float = 2.0


class Revoke(Struct, frozen=True):
    """Command: swap `expect` for `lease`, which is revoked; None where no row may be there."""

    expect: Lease | None
    lease: Lease


class ReadLease(Struct, frozen=True):
    """Command: read one lease at SERIAL."""

    incarnation: str


class ReadEnd(Struct, frozen=True):
    """Command: read the number of a log's last row, which can never change any more."""

    log: str


Command = Revoke | ReadLease | ReadEnd


class Members:
    """See the module's docstring. `closes_revoked`: the store refuses log rows of the revoked."""

    def __init__(self, incarnation: str, region: str, timing: Timing, closes_revoked: bool) -> None:
        self.incarnation = incarnation
        self.region = region
        self._timing = timing
        self._closes_revoked = closes_revoked
        self._watch = Watch(timing.lease_s, timing.epsilon_s)
        self._beats: dict[str, tuple[Beat, float]] = {}
        self._unborn: dict[str, float] = {}
        self._unknown: set[str] = set()
        self._asked: set[str] = set()
        self._closed: set[str] = set()
        self.registry: dict[str, Registered] = {}
        self.leases: dict[str, Lease] = {}
        self.gone: dict[str, Lease] = {}
        self.ends: dict[str, int] = {}

    # What was seen

    def registry_read(self, entries: Iterable[Registered]) -> None:
        """Entries of the registry. Nobody leaves it: one that a reading missed is kept."""
        self.registry.update({entry.incarnation: entry for entry in entries})
        self._wonder(self.registry)

    def leases_read(self, leases: Iterable[Lease], now: float) -> None:
        """All active leases were read; any level will do. Who is missing is read by itself."""
        missing = set(self.leases)
        for lease in leases:
            missing.discard(lease.incarnation)
            self._saw(lease, now)
        self._unknown |= missing - {self.incarnation}

    def owners_read(self, owners: Iterable[str]) -> None:
        """Who stands in shard rows."""
        self._wonder(owners)

    def lease_read(self, incarnation: str, lease: Lease | None, now: float) -> None:
        """The answer to `ReadLease`; None where there is no row."""
        self._asked.discard(incarnation)
        if lease is not None:
            self._saw(lease, now)
        elif incarnation not in self.leases and incarnation not in self.gone:
            self._unborn.setdefault(incarnation, now)

    def lease_not_read(self, incarnation: str) -> None:
        """The store could not be read: it is asked again."""
        self._asked.discard(incarnation)
        self._unknown.add(incarnation)

    def revoke_answered(self, revoke: Revoke, shown: Lease | None, now: float) -> None:
        """The row as it is after the compare-and-set, applied or not; None: the answer is unknown.

        What became of an unknown one is read: it may have been applied, or be applied later still.
        """
        incarnation = revoke.lease.incarnation
        self._asked.discard(incarnation)
        if shown is not None:
            self._saw(shown, now)
        else:
            self._unknown.add(incarnation)

    def end_read(self, log: str, row: int | None) -> None:
        """The answer to `ReadEnd`; None where the store could not be read: it is asked again."""
        self._asked.discard(log)
        if row is not None:
            self.ends[log] = row

    def heard(self, beat: Beat, now: float) -> bool:
        """A beat came in; whether it is fresh. A stale or repeated one changes nothing."""
        known = self._beats.get(beat.incarnation)
        if beat.incarnation in self.gone or (known is not None and beat.seq <= known[0].seq):
            return False
        self._beats[beat.incarnation] = (beat, now)
        if beat.counter > 0 and beat.incarnation != self.incarnation:
            self._watch.saw(Lease(beat.incarnation, beat.counter, "", "active"), now)
        if beat.incarnation in self._unborn:
            self._unborn[beat.incarnation] = now
        return True

    def region_closed(self, region: str) -> None:
        """The region was repaired, checked, or declared gone: no row of its lost cores can turn up.

        This holds for those that are gone now; a core that is lost later needs another word.
        """
        self._closed |= {one for one in self.gone if self.region_of(one) == region}

    # What is to be done, and what is so

    def step(self, now: float) -> list[Command]:
        """What to do now: each fraction of a second."""
        commands: list[Command] = []
        for incarnation, counter in self._watch.expired(now):
            self._revoke(incarnation, counter, commands)
        for incarnation, since in self._unborn.items():
            if now - since >= self._timing.unborn_s and incarnation not in self._asked:
                self._asked.add(incarnation)
                commands.append(Revoke(None, Lease(incarnation, 0, "", "revoked")))
        told = self.gone.keys() | self._asked
        for incarnation in sorted(self._unknown - told):
            self._asked.add(incarnation)
            commands.append(ReadLease(incarnation))
        self._unknown.clear()
        for incarnation, lease in self.gone.items():
            self._find_ends(incarnation, lease, commands)
        return commands

    def dead(self, incarnation: str) -> bool:
        """Nobody, or one whose lease is revoked or left. One without a lease yet lives."""
        return incarnation == "" or incarnation in self.gone

    def cores(self, now: float) -> list[Core]:
        """The living with their regions, this process among them once it has a lease.

        One whose region nobody told is left out, and so is given nothing.
        """
        found = []
        for incarnation in sorted(self.leases):
            region = self.region_of(incarnation)
            beat, at = self._beats.get(incarnation, (None, 0.0))
            silent = beat is not None and now - at >= self._timing.silence_s
            draining = beat is not None and beat.draining
            if region:
                own = incarnation == self.incarnation
                found.append(Core(incarnation, region, draining, silent and not own))
        return found

    def map_versions(self) -> list[int]:
        """What the active leases name."""
        return [lease.map_version for lease in self.leases.values()]

    def _saw(self, lease: Lease, now: float) -> None:
        incarnation = lease.incarnation
        if incarnation in self.gone:
            return
        self._unborn.pop(incarnation, None)
        self._unknown.discard(incarnation)
        if lease.state != "active":
            self._watch.saw(lease, now)
            self.leases.pop(incarnation, None)
            self.gone[incarnation] = lease
            return
        known = self.leases.get(incarnation)
        if known is None or known.counter <= lease.counter:
            self.leases[incarnation] = lease
        if incarnation != self.incarnation:
            self._watch.saw(lease, now)

    def _wonder(self, names: Iterable[str]) -> None:
        """Those of whom nothing is known but their name: their lease is read once."""
        told = self.leases.keys() | self.gone.keys() | self._unborn.keys()
        self._unknown |= set(names) - told - {"", self.incarnation}

    def _revoke(self, incarnation: str, counter: int, commands: list[Command]) -> None:
        """Only with the row in hand whose counter was waited for; a beat alone does not show it."""
        if incarnation in self._asked or incarnation in self._unknown:
            return
        lease = self.leases.get(incarnation)
        if lease is None or lease.counter != counter:
            self._unknown.add(incarnation)
            return
        self._asked.add(incarnation)
        gone = Lease(
            incarnation,
            counter,
            lease.nonce,
            "revoked",
            lease.map_version,
            lease.last_rows,
            lease.replication_version,
        )
        commands.append(Revoke(lease, gone))

    def _find_ends(self, incarnation: str, lease: Lease, commands: list[Command]) -> None:
        entry = self.registry.get(incarnation)
        for log in entry.logs if entry else ():
            if log in self.ends or log in self._asked:
                continue
            if lease.state == "left" and log in lease.last_rows:
                self.ends[log] = lease.last_rows[log]
            elif self._closes_revoked or incarnation in self._closed:
                self._asked.add(log)
                commands.append(ReadEnd(log))

    def region_of(self, incarnation: str) -> str:
        """Where a core runs, as the registry or its beats say; "" where nobody said it yet."""
        if incarnation == self.incarnation:
            return self.region
        entry = self.registry.get(incarnation)
        if entry is not None:
            return entry.region
        beat = self._beats.get(incarnation)
        return beat[0].region if beat else ""


# The own lease


def renewal(own: Lease, renew: Renew, map_version: int, replication_version: int = 0) -> Lease:
    """The row that a renewal writes. It never names an older map than before, nor an older row of
    a change of replication."""
    return Lease(
        own.incarnation,
        renew.counter,
        renew.nonce,
        "active",
        max(own.map_version, map_version),
        replication_version=max(own.replication_version, replication_version),
    )


def leaving(own: Lease, last_rows: dict[str, int]) -> Lease:
    """The row of one that leaves properly: its logs end there."""
    version, replication = own.map_version, own.replication_version
    return Lease(own.incarnation, own.counter, own.nonce, "left", version, last_rows, replication)


def isolated(holder: Holder, started_at: float, now: float, after_s: float) -> bool:
    """Whether this core is cut off but alive: no renewal was applied for so long (PROTOCOL.md 7).

    It accepts `local` then and says `region_isolated`. `after_s` is at least the lease's length:
    as long as the right lasts, what is accepted is sent. A revoked core is not cut off; it ends.
    """
    applied_at = max(started_at, holder.valid_until - holder.length_s)
    return not holder.lost and now - applied_at >= after_s
