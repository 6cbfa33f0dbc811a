"""Brings each accepted request to a core and its answer back, whatever happens to the links.

`submit` gives a future that ends within the request's deadline: with the core's reply, or with
ProblemError `accept_unknown` (it was written to a core at least once, so it may have been accepted)
or `no_core` (it never was). A call keeps its ids through all tries:

* the link dies before the reply: the same core gets it again once it is back; after
  `same_core_wait_ms` any other one does.
* a core stays silent for `try_timeout_ms`: another one gets it, if there is one. If not, it is not
  sent again, since a living connection loses nothing.
* a refusal that answers a *repeated* call (409, 421, 5xx) says nothing about the first try, which
  may have been accepted; so it is repeated until the deadline, and then unknown.

Only where the first core that saw it refuses a call because another version of the placement map
serves by now (421 `map_outdated`), nothing was taken anywhere: the ids are minted anew. The edge
mints by the newest version that any core told it. It never goes back: a version that served once
is known to all who own, while a core that has just started may still accept by an older one.

Where no core of the own region can take a call, one of another region gets it, with the same ids:
`far` names these, in the order in which they are tried, and `region` is the own one's name then.

All of it runs in the event loop's thread; time is passed in.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from msgspec.structs import replace

from core.contract.frames import AcceptCall, AcceptReply, Hello, HelloOk, MapServes
from core.contract.log import Log
from core.contract.problems import CODES, ProblemError
from core.contract.recipients import Recipient, Rejected
from edge.calls import (
    Address,
    DispatchCounts,
    DispatchLimits,
    Pending,
    accept_unknown,
    no_core,
)
from edge.choice import CoreSet, rendezvous
from edge.links import Link, LinkLimits
from edge.minting import Minter, Placement, placement_by, placement_of

_OUTDATED = CODES["map_outdated"][0]
# What says of a repeated call only that this core did not take it now.
_NO_WORD = (409, _OUTDATED)


class Dispatcher:
    """All links of an edge and all calls under way."""

    def __init__(
        self,
        cores: Sequence[Address],
        hello: Hello,
        link_limits: LinkLimits,
        limits: DispatchLimits,
        minter: Minter,
        *,
        now: Callable[[], float],
        log: Log,
        region: str = "",
        far: Mapping[str, Sequence[Address]] | None = None,
    ) -> None:
        self.counts = DispatchCounts()
        self._region = region
        self.placement: Placement | None = None
        self._placed = asyncio.Event()
        self._limits = limits
        self._minter = minter
        self._now = now
        self._log = log
        self._cores = CoreSet(
            Link(core, hello, link_limits, self, log, of)
            for of, addresses in (("", cores), *(far or {}).items())
            for core in addresses
            for _ in range(limits.links_per_core)
        )
        self._seq = 0
        self._pending: dict[int, Pending] = {}
        self._parked: dict[int, Pending] = {}
        self._ticking = False
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def links(self) -> Sequence[Link]:
        return self._cores.links

    @property
    def outstanding(self) -> int:
        return len(self._pending)

    @property
    def full(self) -> bool:
        return len(self._pending) >= self._limits.outstanding_max

    @property
    def connected(self) -> bool:
        """Whether any core can take a call now."""
        return any(link.usable for link in self._cores.links)

    def start(self) -> None:
        """Begin to connect, in the background."""
        self._tasks = [asyncio.create_task(link.keep_connected()) for link in self.links]

    async def stop(self) -> None:
        """Close the links; what is still under way ends as unknown, or as never sent."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for pending in list(self._pending.values()):
            self._give_up(pending)

    async def wait_placed(self, wait_ms: int) -> Placement | None:
        """What the first core says, waited for; None if none has connected by then."""
        try:
            async with asyncio.timeout(wait_ms / 1000):
                await self._placed.wait()
        except TimeoutError:
            return None
        return self.placement

    def submit(
        self,
        tenant: str,
        key: str | None,
        ntf: str,
        ids: list[str],
        countries: list[str],
        trace: str,
        body: bytes,
        rejected: list[Rejected],
        recipients: list[Recipient],
        map_version: int,
    ) -> asyncio.Future[AcceptReply]:
        """Pass a request on. The future also ends with ProblemError; it never hangs."""
        now = self._now()
        seq = self._seq = self._seq + 1
        call = AcceptCall(
            seq, tenant, key, ntf, ids, countries, trace, body, rejected, False, map_version
        )
        future: asyncio.Future[AcceptReply] = asyncio.get_running_loop().create_future()
        order = None if key is None else rendezvous(self._cores.names, tenant, key)
        pending = Pending(call, recipients, future, order, now + self._limits.deadline_ms / 1000)
        self._pending[call.seq] = pending
        self.counts.calls += 1
        self._place(pending, now)
        self._plan_tick()
        return future

    def link_up(self, link: Link, hello: HelloOk) -> bool:
        if link.region and link.region != hello.region:
            self._log.error("core of another region", core=link.name, region=hello.region)
            return False
        known, told = self.placement, placement_of(hello)
        if link.region:
            told = placement_by(self._region, told.placement)
        if known is not None and (known.region, known.shards) != (told.region, told.shards):
            self._log.error("core of another region", core=link.name, region=hello.region)
            return False
        self._learn(told)
        self._placed.set()
        self._cores.heard(link.name)
        asyncio.get_running_loop().call_soon(self._unpark)
        return True

    def map_serves(self, link: Link, told: MapServes) -> None:
        known = self.placement
        assert known is not None  # the core's hello came before
        if known.shards != told.placement.shards:
            self._log.error("a map with other shards", core=link.name, shards=told.placement.shards)
            return
        self._learn(placement_by(known.region, told.placement))

    def _learn(self, told: Placement) -> None:
        """Mint by what a core tells, if it is newer than what is known."""
        known = self.placement
        if known is None or known.version < told.version:
            self.placement = told
            self._log.info("placement map", version=told.version)

    def link_lost(self, link: Link, sent: list[AcceptCall], unsent: list[AcceptCall]) -> None:
        now = self._now()
        for calls, may_be_known in ((sent, True), (unsent, False)):
            for call in calls:
                pending = self._pending.get(call.seq)
                if pending is None or pending.link is not link:
                    continue
                if may_be_known:
                    pending.same_core = link.name
                    self._park(pending, now)
                else:
                    pending.tries -= 1
                    self._place(pending, now)

    def replied(self, link: Link, replies: Sequence[AcceptReply]) -> None:
        self._cores.heard(link.name)
        for reply in replies:
            pending = self._pending.get(reply.seq)
            if pending is None:
                self.counts.late_replies += 1
            elif reply.status == _OUTDATED and pending.tries == 1 and self._mint_again(pending):
                self.counts.minted_again += 1
            elif pending.tries > 1 and (reply.status in _NO_WORD or reply.status >= 500):
                pending.same_core = link.name
                self._park(pending, self._now(), pause_ms=4 * self._limits.retry_pause_ms)
            else:
                self._end(pending)
                if not pending.future.done():
                    pending.future.set_result(reply)

    def _mint_again(self, pending: Pending) -> bool:
        """Give the call to a core with new ids, as if for the first time; False: by which map?"""
        placement, call = self.placement, pending.call
        if placement is None or placement.version <= call.map_version:
            return False
        try:
            pending.call = self._minter.mint_again(placement, call, pending.recipients)
        except ProblemError as error:
            self._end(pending)
            if not pending.future.done():
                pending.future.set_exception(error)
            return True
        pending.tries = 0
        self._place(pending, self._now())
        return True

    def _place(self, pending: Pending, now: float) -> None:
        """Give the call to a core, or park it until there is one."""
        link = self._choose(pending, now)
        if link is None:
            self._park(pending, now)
            return
        self._parked.pop(pending.call.seq, None)
        if pending.tries:
            self.counts.repeats += 1
            pending.call = replace(pending.call, repeat=True)
        if link.region:
            self.counts.passed_on += 1
        pending.link = link
        pending.tries += 1
        pending.tried_at = now
        pending.parked_at = 0.0
        pending.same_core = None
        link.send(pending.call)

    def _choose(self, pending: Pending, now: float) -> Link | None:
        if pending.same_core is not None:
            link = self._cores.best(pending.same_core)
            wait_s = self._limits.same_core_wait_ms / 1000
            if link is not None or now - pending.parked_at < wait_s:
                return link
        return self._cores.choose(pending.order, pending.call.tenant, pending.call.key)

    def _park(self, pending: Pending, now: float, pause_ms: int = 0) -> None:
        pending.link = None
        if not pending.parked_at:
            pending.parked_at = now
        pending.not_before = now + pause_ms / 1000
        self._parked[pending.call.seq] = pending

    def _unpark(self) -> None:
        now = self._now()
        for pending in list(self._parked.values()):
            waited_ms = (now - pending.parked_at) * 1000
            if not pending.tries and waited_ms >= self._limits.no_core_wait_ms:
                self._give_up(pending)
            elif now >= pending.not_before:
                self._place(pending, now)

    def _plan_tick(self) -> None:
        if not self._ticking:
            self._ticking = True
            pause_s = self._limits.retry_pause_ms / 1000
            asyncio.get_running_loop().call_later(pause_s, self._tick)

    def _tick(self) -> None:
        self._ticking = False
        now = self._now()
        # All calls live equally long, so the oldest stand in front.
        expired = []
        for pending in self._pending.values():
            if pending.deadline > now:
                break
            expired.append(pending)
        for pending in expired:
            self._give_up(pending)
        if self._cores.several:
            self._leave_silent_cores(now)
        self._unpark()
        if self._pending:
            self._plan_tick()

    def _leave_silent_cores(self, now: float) -> None:
        """Take calls to another core that wait too long for one that says nothing."""
        oldest = now - self._limits.try_timeout_ms / 1000
        for link in self.links:
            waiting = []
            for seq in link.in_flight:
                pending = self._pending[seq]
                if pending.tried_at > oldest:
                    break  # sent in this order, so all behind it are younger
                waiting.append(pending)
            if not waiting:
                continue
            if not self._cores.leave_silent(link.name):
                continue
            self._log.warning("core is silent", core=link.name, calls=len(waiting))
            for pending in waiting:
                link.forget(pending.call.seq)
                self._place(pending, now)

    def _end(self, pending: Pending) -> None:
        seq = pending.call.seq
        del self._pending[seq]
        self._parked.pop(seq, None)
        if pending.link is not None:
            pending.link.forget(seq)

    def _give_up(self, pending: Pending) -> None:
        self._end(pending)
        if pending.tries:
            self.counts.unknown += 1
            trace, ids = pending.call.trace, pending.call.ids[:10]
            self._log.warning("accept unknown", trace=trace, tries=pending.tries, ids=ids)
            error = accept_unknown(pending.call)
        else:
            self.counts.no_core += 1
            error = no_core()
        if not pending.future.done():
            pending.future.set_exception(error)
