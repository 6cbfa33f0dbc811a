"""`goutong bench route`: what one routing decision costs, with its explanation, in process.

Eight accounts with prices, destinations, distances and limits under a policy that weighs all of
them; each decision has other facts (room, success, chance), as at work. Timed one by one, warm.
"""

import gc
import time
from collections.abc import Callable
from random import Random

from msgspec.structs import replace

from core.bench.machine import machine
from core.bench.plan import Plan
from core.bench.report import Report
from core.bench.stats import at_most, figure, median
from core.contract.providers import Price
from core.decide.policy import Policy, scaled
from core.decide.route import Candidate, Reach, Wanted, choose
from core.process import GC_THRESHOLDS

ACCOUNTS = 8
P99_US_MAX = 50.0
SETS = 64

Facts = tuple[Wanted, list[Candidate]]


def route(plan: Plan) -> Report:
    """Run the bench; `messages` is the number of decisions in a run."""
    # As a core does when it starts.
    gc.collect()
    gc.freeze()
    before = gc.get_threshold()
    gc.set_threshold(*GC_THRESHOLDS)
    try:
        took, cpu = measure(plan)
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
    p99 = [at(run, 0.99) for run in took]
    name = "decision with explanation"
    return Report(
        "route",
        machine(plan.folder),
        {"accounts": ACCOUNTS, "decisions": plan.messages, "warm-up": plan.warmup_messages},
        [
            figure(f"{name}: p50", "us", [at(run, 0.50) for run in took]),
            figure(f"{name}: p99", "us", p99),
            figure(f"{name}: CPU p99", "us", [at(run, 0.99) for run in cpu]),
        ],
        [at_most("decision among 8 accounts: p99, us", median(p99), P99_US_MAX)],
        ["CPU: without the time that other processes took; on a quiet machine both are the same"],
        [],
    )


def measure(plan: Plan) -> tuple[list[list[int]], list[list[int]]]:
    """The times of each run: by the clock, and of the processor."""
    random = Random(8)
    facts = [facts_of(random) for _ in range(SETS)]
    policy = Policy(
        name="bench",
        version=1,
        rank={f"account-{n}": n for n in range(0, ACCOUNTS, 2)},
        millionths=scaled(3.0, 1.0, 2.0, 1.0, 2.0),
        explore=0.05,
        forbid=frozenset({"account-x"}),
    )

    def runs(clock: Callable[[], int]) -> list[list[int]]:
        decide(facts, policy, plan.warmup_messages, random, clock)
        return [decide(facts, policy, plan.messages, random, clock) for _ in range(plan.runs)]

    return runs(time.perf_counter_ns), runs(time.thread_time_ns)


def facts_of(random: Random) -> Facts:
    """Facts as they may be at one moment."""
    plain = Candidate("", "sms", destinations=Reach(deny=frozenset({"KP"})), text_chars_max=1600)
    accounts = [
        replace(
            plain,
            id=f"account-{n}",
            priority=100 + n % 3,
            success=random.uniform(0.8, 0.99),
            latency_ms=random.uniform(20, 400),
            price=Price(random.uniform(0.02, 0.08), {"GB": random.uniform(0.02, 0.08)}),
            distance_km=random.uniform(10, 9000),
            room=random.choice((0, 10, 100)),
            quota_left=random.choice((None, 5000)),
        )
        for n in range(ACCOUNTS)
    ]
    wanted = Wanted("sms", "default", "otp", random.choice(("GB", "DE")), random.randint(1, 3), 60)
    return wanted, accounts


def decide(
    facts: list[Facts], policy: Policy, count: int, random: Random, clock: Callable[[], int]
) -> list[int]:
    """How long each decision took, in nanoseconds, shortest first."""
    took = []
    for n in range(count):
        wanted, accounts = facts[n % SETS]
        chance = random.random()
        began = clock()
        choose(wanted, accounts, policy, chance)
        took.append(clock() - began)
    took.sort()
    return took


def at(took_ns: list[int], share: float) -> float:
    """This share of the decisions took no longer, in microseconds."""
    return took_ns[min(len(took_ns) - 1, int(len(took_ns) * share))] / 1000
