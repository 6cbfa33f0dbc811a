"""What a seed stands for: the world, what clients ask, which faults happen and how often.

`plan_of(seed, profile)` draws everything that is scheduled beforehand: `steps` are requests and
faults with their times, so that a shorter run can be tried by leaving some out. The rest are
rates: probabilities for each write, read or call. Half of what a profile allows is switched off at
random in each seed (swarm testing), so that rare faults meet each other undiluted.
"""

from random import Random

from msgspec import Struct
from msgspec.structs import replace

from core.sim.chainplan import chains
from core.sim.editplan import with_edits
from core.sim.faultplan import faults
from core.sim.mapplan import with_maps
from core.sim.mistakes import made_up, mistakes
from core.sim.network import NetworkRates
from core.sim.profile import Profile
from core.sim.profiles import PROFILES
from core.sim.replicaplan import with_replication
from core.sim.steps import Step, in_order
from core.sim.store.faults import StoreFaults
from core.sim.workload import burst, requests
from sync.owner.state import Limits

BUCKET_MS = 4_000
START_MS = 1_800_000_000_000
LEASE_S = 4.0
EPSILON_S = 0.25
WRITE_TIMEOUT_S = 1.0
CALL_TIMEOUT_S = 1.5
CLOCK_BOUND_MS = 500
CONTENT_WAIT_MS = 30_000  # longer than any fault lasts
REGIONS = ("eu", "us", "ap")


class EdgeRates(Struct, frozen=True):
    """What goes wrong at edges, for each write to a disk, answer of a core, or spooled message.

    `crash`: the process dies in the middle of a write to its disk. `weaker`: a core takes a
    message at a lower durability than asked, and says so; `later`: it has no room; `refuses`: it
    refuses the message for good. The bounds are those of a spool and of a batch.
    """

    disk_slow: float
    disk_fails: float
    crash: float
    answer_lost: float
    weaker: float
    later: float
    refuses: float
    entries_max: int
    bytes_max: int
    batch_entries_max: int
    batch_bytes_max: int


class Plan(Struct, frozen=True):
    """One run. Rates are for each write, read or call; times in seconds.

    A region has `replicas` places for replicas, of which `counts` are used at first.
    """

    seed: int
    profile: str
    regions: tuple[str, ...]
    cores: int
    shards: int
    replicas: int
    counts: dict[str, int]
    replication: bool
    hint_window_s: float
    faults_s: float
    start_ms: int
    skew_ms: int
    drift: float
    clocks_apart: bool
    store: StoreFaults
    network: NetworkRates
    edge: EdgeRates
    no: float
    answer_lost: float
    call_slow: float
    receipt_first: float
    signals: float
    events: bool
    readers: bool
    maps: bool
    forces: bool
    repair_late: bool
    far_reads: float
    edits: bool
    garbled: float
    swept_at_once: int
    log_limits: dict[str, int]
    limits: Limits
    steps: tuple[Step, ...]


def plan_of(seed: int, profile: str = "swarm") -> Plan:
    """The plan of a seed; raises KeyError for a profile that there is not."""
    rules = PROFILES[profile]
    chance = Random(f"plan {profile} {seed}")
    boosted = chance.random() < rules.boosted
    regions = REGIONS[: chance.choice(rules.regions)]
    faults_s = chance.uniform(*rules.faults_s)
    start_ms = START_MS - 1000 * chance.randint(0, 25)
    shards = max(1, 4 // len(regions))
    cores = chance.choice(rules.cores)
    asked = requests(chance, regions, shards, faults_s, start_ms, rules.shares)
    faulty = faults(chance, rules, regions, cores, faults_s, boosted)
    steps = [
        *asked,
        *faulty,
        *_asked_besides(seed, rules, regions, cores, shards, faults_s, start_ms),
    ]
    if rules.maps:
        steps = with_maps(seed, steps, regions, cores, faults_s, rules.tenants)
    if rules.edits:
        steps = with_edits(seed, steps, regions, cores, faults_s)
    if rules.chains:
        steps += chains(seed, rules, regions, cores, shards, faults_s, start_ms)
    plan = Plan(
        seed=seed,
        profile=profile,
        regions=regions,
        cores=cores,
        shards=shards,
        replicas=1 if len(regions) == 1 else chance.choice(rules.replicas),
        counts={},
        replication=rules.replication,
        hint_window_s=rules.hint_window_s,
        faults_s=faults_s,
        start_ms=start_ms,
        skew_ms=chance.choice((0, 240)),
        drift=chance.choice((0.0, 0.01)) if rules.drift is None else rules.drift,
        store=_store_faults(seed, chance, boosted, rules),
        clocks_apart=rules.clocks_apart,
        network=_network(chance, boosted, rules),
        edge=_edge(chance, boosted),
        no=chance.choice(rules.no),
        answer_lost=chance.choice(rules.answer_lost) if boosted else 0.03,
        call_slow=rules.call_slow,
        receipt_first=chance.choice(rules.receipt_first),
        signals=chance.choice((0.0, 0.5, 0.9)),
        events=chance.random() < rules.events,
        readers=rules.readers,
        maps=rules.maps,
        forces=rules.forces,
        repair_late=rules.repair_late,
        far_reads=rules.far_reads,
        edits=rules.edits,
        garbled=rules.garbled,
        swept_at_once=rules.swept_at_once,
        log_limits=rules.log_limits,
        limits=_narrowed(_limits(chance), seed, rules),
        steps=in_order(steps),
    )
    return with_replication(plan, rules.leaves) if rules.replication else plan


def _asked_besides(
    seed: int,
    rules: Profile,
    regions: tuple[str, ...],
    cores: int,
    shards: int,
    faults_s: float,
    start_ms: int,
) -> list[Step]:
    """What comes in at once, and what is asked by mistake; from streams of their own."""
    steps = []
    if rules.burst:
        steps += burst(seed, regions, shards, faults_s, start_ms, rules.shares, rules.burst)
    if rules.mistakes:
        steps += mistakes(seed, regions, cores, faults_s)
    if rules.made_up:
        steps += made_up(seed, regions, faults_s)
    return steps


def _store_faults(seed: int, chance: Random, boosted: bool, rules: Profile) -> StoreFaults:
    """Half of the kinds of faults, each rare or frequent; few where the run is not boosted."""

    def rate(*rates: float) -> float:
        if not boosted:
            return 0.002
        return rules.store * chance.choice(rates) if chance.random() < 0.5 else 0.0

    return StoreFaults(
        write_lost=rate(0.01, 0.05),
        write_unheard=rate(0.01, 0.05),
        write_late=rate(0.01, 0.05),
        write_torn=rules.torn if boosted else 0.0,
        write_alone=Random(f"plan {seed} alone").choice(rules.alone) if boosted else 0.0,
        write_slow=rate(0.03, 0.1),
        write_full=rate(0.01, 0.05),
        read_fails=rate(0.02, 0.05),
        read_slow=rate(0.03, 0.15),
        swap_lost=rate(0.05, 0.2),
        swap_late=rate(0.05, 0.2),
        crash_at_write=chance.choice(rules.crash_at_write) if boosted else 0.001,
        freeze_at_write=rules.struck if boosted else 0.0,
        cut_at_write=rules.struck if boosted else 0.0,
    )


def _network(chance: Random, boosted: bool, rules: Profile) -> NetworkRates:
    def rate(most: float) -> float:
        return chance.choice((0.0, most, most)) if boosted else 0.0

    far_min_s, far_max_s = rules.far_s
    return NetworkRates(
        loss=rate(0.05),
        duplicate=rate(0.05),
        reorder=rate(0.1),
        far_min_s=far_min_s,
        far_max_s=far_max_s,
    )


def _edge(chance: Random, boosted: bool) -> EdgeRates:
    def rate(*rates: float) -> float:
        return chance.choice((0.0, *rates)) if boosted else 0.0

    return EdgeRates(
        disk_slow=rate(0.1, 0.4),
        disk_fails=rate(0.2, 0.4),
        crash=rate(0.2, 0.4),
        answer_lost=rate(0.05, 0.2),
        weaker=rate(0.2, 0.5),
        later=rate(0.1, 0.3),
        refuses=rate(0.1),
        entries_max=chance.choice((2, 5, 1000)),
        bytes_max=chance.choice((400, 100_000, 100_000)),
        batch_entries_max=chance.choice((1, 3, 20)),
        batch_bytes_max=chance.choice((200, 100_000)),
    )


def _limits(chance: Random) -> Limits:
    return Limits(
        open_messages_max=chance.choice((6, 10, 40)),
        recent_messages_max=chance.choice((2, 6, 100)),
        remembered_ids_max=chance.choice((8, 1000)),
        early_max=chance.choice((1, 3, 50)),
        clock_bound_ms=CLOCK_BOUND_MS,
        dedupe_margin_ms=1_000,
        park_after_ms=chance.choice((500, 1_200, 2_500, 60_000)),
        by_id_rows_max=chance.choice((2, 100)),
        park_waiting_ms=chance.choice((900, 60_000)),
        set_aside_ms=chance.choice((700, 2_000)),
        await_in_memory_ms=chance.choice((300, 2_000)),
        content_wait_ms=CONTENT_WAIT_MS,
        bucket_ms=BUCKET_MS,
    )


def _narrowed(limits: Limits, seed: int, rules: Profile) -> Limits:
    """With the limits that a profile draws for itself, from a stream of its own."""
    chance = Random(f"{seed}:limits")
    return replace(limits, **{name: chance.choice(each) for name, each in rules.limits.items()})
