"""A mixture of faults: what a plan is drawn from."""

from msgspec import Struct

from core.sim.store.store import FAR_READS


class Profile(Struct, frozen=True):
    """`boosted` is the share of seeds with many faults. `kinds` are the scheduled faults and how
    many of each there are at most, `sure` those that no boosted seed leaves out; `drift` how far
    clocks run off, None for within epsilon, with `clocks_apart` all of them so far. One of `no` is
    how often providers refuse, one of `answer_lost` how often a boosted run loses their answers.
    `store` multiplies how often writes and reads fail where they do. `shares` replaces what
    `core.sim.workload` draws a share from, by its name there. `replicas` is how many each of
    several regions has; what missed one by more than `hint_window_s` comes by repair alone; `torn`
    of the writes stand on too few of them, with an answer that says so. `struck` of the writes are
    followed at once by a freeze, and as many by a cut, in boosted runs; one of `crash_at_write` is
    how often a process ends beside a write. With `readers` somebody in each region asks for states
    all the time; with `maps` the placement map may change; `events` of the runs have somebody who
    is told of events. `chains` are chains of faults (`core.sim.chainplan`), one `again_s` after
    the other, and `busy` how many messages come in around each at most. `far_s` is how many seconds
    regions are from each other.
    With `forces` ownership may be forced. `faults_s` is how long faults go on, at least and at
    most. One of `alone` is how many rows of local lanes (or of one region's level at all) stand, in
    a boosted run, in their writer's region and go nowhere from there by themselves. With
    `repair_late` nothing is repaired before all that was accepted is read. `far_reads` of the reads
    ask the replicas of far regions rather than those of near ones. With `replication` it may change
    how many replicas a region has: up to as many as `replicas` says, and in `leaves` of the runs a
    region goes away where one can; with `edits` the configuration is edited; with `mistakes`
    operators ask for what cannot be. `call_slow` of the calls take long. `limits` are the owner's
    that a profile draws for itself, by their names. `burst` is how many more messages come in at
    once at most. One of `receipt_first` is how many receipts come about when the answer does.
    `garbled` of the receipts that name their attempt come back with another name; a tick sweeps
    through `swept_at_once` messages. `log_limits` are settings of the store that bound logs, by
    their names. With `tenants` the changes of the map are a tenant's, too; with `made_up` clients
    cancel what nobody minted."""

    boosted: float
    regions: tuple[int, ...]
    cores: tuple[int, ...]
    kinds: dict[str, int]
    drift: float | None = None
    no: tuple[float, ...] = (0.05, 0.3, 0.6)
    answer_lost: tuple[float, ...] = (0.05, 0.3, 0.7)
    store: float = 1.0
    shares: dict[str, tuple[float, ...]] = {}
    sure: tuple[str, ...] = ()
    replicas: tuple[int, ...] = (1, 1, 3)
    hint_window_s: float = 60.0
    torn: float = 0.0
    struck: float = 0.0
    readers: bool = False
    maps: bool = False
    forces: bool = False
    faults_s: tuple[float, float] = (12.0, 20.0)
    alone: tuple[float, ...] = (0.0,)
    repair_late: bool = False
    far_reads: float = FAR_READS
    replication: bool = False
    leaves: float = 0.25
    edits: bool = False
    chains: tuple[str, ...] = ()
    again_s: tuple[float, float] = (4.0, 9.0)
    busy: int = 20
    clocks_apart: bool = False
    crash_at_write: tuple[float, ...] = (0.0, 0.01, 0.03)
    events: float = 0.3
    far_s: tuple[float, float] = (0.020, 0.100)
    mistakes: bool = False
    call_slow: float = 0.1
    limits: dict[str, tuple[int, ...]] = {}
    burst: int = 0
    receipt_first: tuple[float, ...] = (0.05, 0.4)
    garbled: float = 0.0
    swept_at_once: int = 500
    log_limits: dict[str, int] = {}
    tenants: bool = False
    made_up: bool = False
