"""`goutong bench store`: the log port on Cassandra, against one row an insert by the same driver.

Three datacentres of one node each on this machine, which the bench starts and ends. Grouped: the
log writer's machine and the journal, as in `log_port`, at LOCAL_QUORUM and at QUORUM. One by one:
the driver's own way to insert many rows, with as many requests under way as the journal may have;
one record is one row of the same table, at LOCAL_QUORUM. They take turns.
"""

import asyncio
import os
import sys
import time
from typing import TYPE_CHECKING, Any

import uvloop

from core.bench.log_port import RUN_TIMEOUT_S, GroupedRun, record
from core.bench.machine import machine
from core.bench.plan import BenchError, Plan
from core.bench.report import Report
from core.bench.stats import at_least, figure, median
from core.contract.sections.cassandra import CassandraSettings
from core.supervisor.cassandra.cluster import LocalCluster, prepare
from sync.naming import accept_log
from sync.records import encode
from sync.store.port import StoreError

if TYPE_CHECKING:
    from sync.store.cassandra.settings import CassandraSettings as StoreSettings

HOME = "bench"
SHARDS = 64
REGIONS = ["eu", "us", "ap"]
SINGLE_SHARE = 5  # one by one writes so many times fewer records
RATIO = 10.0  # what group commit has to be worth at least
SLOW_S = 10.0  # a request may take longer here than the protocol allows


def store(plan: Plan) -> Report:
    """Run the bench; all nodes have ended when it returns."""
    settings = CassandraSettings()
    launch = prepare(settings, os.environ, lambda text: print(text, file=sys.stderr))
    with LocalCluster(plan.folder / "cassandra", REGIONS, launch) as cluster:
        cluster.wait_ready(settings.ready_timeout_ms / 1000)
        place = cluster.nodes[REGIONS[0]].place
        try:
            rates = measure(place.address, place.cql_port, plan)
        except StoreError as error:
            raise BenchError(str(error)) from error
    local, quorum, single = rates
    name = "log port on Cassandra"
    ratio = median(local) / median(single)
    return Report(
        "store",
        machine(plan.folder),
        {"records": plan.messages, "appends under way": plan.log_depth, "regions": len(REGIONS)},
        [
            figure(f"{name}: grouped, LOCAL_QUORUM", "rec/s", local),
            figure(f"{name}: grouped, QUORUM", "rec/s", quorum),
            figure(f"{name}: one row an insert, LOCAL_QUORUM", "rec/s", single),
        ],
        [at_least(f"{name}: grouped over one row an insert", ratio, RATIO)],
        ["three nodes, replica in each; they share this machine's processors with the bench"],
        [],
    )


def measure(address: str, port: int, plan: Plan) -> tuple[list[float], list[float], list[float]]:
    """Records a second of each way: grouped local, grouped at quorum, one by one."""
    from sync.store.cassandra.making import make  # noqa: PLC0415 # the driver takes a moment
    from sync.store.cassandra.settings import (  # noqa: PLC0415
        CassandraSettings as StoreSettings,
    )

    store_settings = StoreSettings(
        addresses=(address,),
        region=REGIONS[0],
        replication=dict.fromkeys(REGIONS, 1),
        port=port,
        keyspace="bench",
        request_timeout_s=SLOW_S,
    )
    make(store_settings, [HOME], SHARDS)
    few = max(1, plan.messages // SINGLE_SHARE)
    local: list[float] = []
    quorum: list[float] = []
    single: list[float] = []
    for run in range(plan.runs + 1):
        count, alone = (plan.warmup_messages,) * 2 if run == 0 else (plan.messages, few)
        rates = [
            uvloop.run(grouped_rate(store_settings, lane, count, plan.log_depth))
            for lane in ("normal_local", "normal_global")
        ]
        rates.append(single_rate(store_settings, alone))
        if run:  # the first warms the nodes
            for of_way, rate in zip((local, quorum, single), rates, strict=True):
                of_way.append(rate)
    return local, quorum, single


async def grouped_rate(settings: "StoreSettings", lane: str, count: int, depth: int) -> float:
    """Records a second through the log writer and the journal."""
    from sync.store.cassandra.journal import open_journal  # noqa: PLC0415

    journal = await open_journal(settings, _wall_us)
    try:
        async with asyncio.timeout(RUN_TIMEOUT_S):
            begin = time.perf_counter()
            await GroupedRun(journal, fresh_log(lane), count, depth).finished
            return count / (time.perf_counter() - begin)
    except BenchError as error:
        raise BenchError(f"{error}: {journal.last_error}") from error
    finally:
        await journal.close()


def single_rate(settings: "StoreSettings", count: int) -> float:
    """Records a second, each a row of its own, by the driver's way to insert many."""
    from cassandra.concurrent import execute_concurrent_with_args  # noqa: PLC0415

    from sync.store.cassandra.levels import LOCAL  # noqa: PLC0415
    from sync.store.cassandra.session import cluster_of  # noqa: PLC0415

    cluster = cluster_of(settings)
    try:
        session = cluster.connect(settings.keyspace)
        text = "INSERT INTO log_rows (log, part, row, body) VALUES (?, ?, ?, ?)"
        insert: Any = session.prepare(text)
        insert.consistency_level = LOCAL
        log = fresh_log("normal_local")
        rows = [(log, n // 1024, n, encode([record(n)])) for n in range(1, count + 1)]
        begin = time.perf_counter()
        while rows:
            answers = execute_concurrent_with_args(
                session, insert, rows, settings.requests_max, raise_on_first_error=False
            )
            # What failed is written again, as the journal does.
            rows = [row for row, (stands, _) in zip(rows, answers, strict=True) if not stands]
            if time.perf_counter() - begin > RUN_TIMEOUT_S:
                raise BenchError(f"{len(rows)} of {count} inserts do not come to stand")
        return count / (time.perf_counter() - begin)
    finally:
        cluster.shutdown()


def fresh_log(lane: str) -> str:
    """A log that no earlier run wrote."""
    return accept_log(HOME, lane, f"{time.time_ns():x}", 1)


def _wall_us() -> int:
    return time.time_ns() // 1000
