"""What a seed stands for: how many cores, which faults and how often, which limits."""

from random import Random

from msgspec import Struct

from sync.owner.state import Limits

HOME = "h"
SHARDS = 4
BUCKET_MS = 4_000  # ten minutes would be longer than a run
LEASE_S, RENEW_S, WRITE_TIMEOUT_S = 4.0, 1.0, 1.0
CALL_TIMEOUT_S = 1.5


class Plan(Struct, frozen=True):
    """One run. Probabilities are for each write, read, call or command; times in seconds."""

    seed: int
    cores: int
    faults_s: float
    messages: int
    start_ms: int
    epsilon_s: float
    write_fault: float
    read_fault: float
    read_slow: float
    crash_at_command: float
    crashes: int
    freezes: int
    no: float
    answer_lost: float
    keyed: float
    copies: float
    other_body: float
    cancels: float
    at_most_once: float
    receipt_first: float
    skew_ms: int
    chains: float
    scheduled: float
    suppressed: float
    events: bool
    limits: Limits


def plan_of(seed: int) -> Plan:
    """The plan of a seed; half of the seeds have many more faults than the other half."""
    chance = Random(f"plan {seed}")
    boosted = seed % 2 == 1
    limits = Limits(
        open_messages_max=chance.choice((6, 10, 40)),
        recent_messages_max=chance.choice((2, 6, 100)),
        remembered_ids_max=chance.choice((8, 1000)),
        early_max=chance.choice((1, 3, 50)),
        clock_bound_ms=500,
        dedupe_margin_ms=1_000,
        park_after_ms=chance.choice((500, 1_200, 2_500, 60_000)),
        by_id_rows_max=chance.choice((2, 100)),
        bucket_ms=BUCKET_MS,
        park_waiting_ms=chance.choice((900, 60_000)),
        set_aside_ms=chance.choice((700, 2_000)),
        await_in_memory_ms=chance.choice((300, 2_000)),
    )
    faults_s = chance.uniform(14, 24)
    return Plan(
        seed=seed,
        cores=chance.choice((1, 2, 2, 3)),
        faults_s=faults_s,
        messages=chance.randint(8, 26),
        start_ms=1_800_000_000_000 - 1000 * chance.randint(0, 25),
        epsilon_s=0.25,
        write_fault=chance.choice((0.02, 0.08, 0.2)) if boosted else 0.01,
        read_fault=chance.choice((0.0, 0.05)) if boosted else 0.0,
        read_slow=chance.choice((0.0, 0.03, 0.15)) if boosted else 0.0,
        crash_at_command=chance.choice((0.0, 0.002, 0.01)) if boosted else 0.001,
        crashes=chance.randint(0, 4) if boosted else chance.randint(0, 1),
        freezes=chance.randint(0, 4) if boosted else chance.randint(0, 1),
        no=chance.choice((0.05, 0.3, 0.6)),
        answer_lost=chance.choice((0.05, 0.3, 0.7)) if boosted else 0.03,
        keyed=chance.choice((0.2, 0.6)),
        copies=chance.choice((0.1, 0.5)),
        other_body=chance.choice((0.0, 0.5)),
        cancels=chance.choice((0.05, 0.4)),
        at_most_once=chance.choice((0.1, 0.5)),
        receipt_first=chance.choice((0.05, 0.4)),
        skew_ms=chance.choice((0, 240)),
        limits=limits,
        chains=chance.choice((0.0, 0.2, 0.6)),
        scheduled=chance.choice((0.0, 0.1, 0.4)),
        suppressed=chance.choice((0.0, 0.3)),
        events=chance.random() < 0.4,
    )
