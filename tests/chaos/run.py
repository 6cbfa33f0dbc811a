"""`python -m tests.chaos.run [--faults kill,freeze,...] [--rounds N]`: real regions under faults.

Three regions on real Cassandra and NATS take a load through all edges while one of them suffers.
A line is printed for each round: accepted, lost, sent, in doubt, sent twice, and how long after the
fault everything had its end. Exit code 1 where the bound was broken.
"""

import argparse
import asyncio
import itertools
import sys
import tempfile
import time
from pathlib import Path

import msgspec
from msgspec import Struct

from tests.chaos import faults
from tests.chaos.load import Load
from tests.chaos.reckon import Reckoning, reckoned
from tests.support.regions import Regions

REGIONS = ("eu", "us", "ap")
START_S = 400.0
FAULTS: dict[str, faults.Fault] = {
    "kill": faults.kill,
    "freeze": faults.freeze,
    "core": faults.kill_core,
    "cassandra": faults.kill_cassandra,
    "nats": faults.kill_nats,
}


class Round(Struct):
    """One fault under load."""

    fault: str
    region: str
    reckoning: Reckoning
    answers: dict[str, int]
    seconds: float

    def line(self) -> str:
        """For the table."""
        found = self.reckoning
        return (
            f"{self.fault:<10} {self.region:<3} accepted {found.accepted:>5}"
            f"  lost {len(found.lost)}  sent {found.sent:>5}"
            f"  in doubt {found.in_doubt:>3}  twice {found.twice:>3}"
            f"  wrong {len(found.wrong)}  settled after {self.seconds:5.1f} s"
        )


async def start(data: Path, env: dict[str, str] | None = None) -> Regions:
    """Three regions as a user starts them."""
    up = ("up", "--json", "--data", str(data), "--regions", ",".join(REGIONS))
    words = (sys.executable, "-m", "core.cli", *up)
    return await Regions.spawned(data, words, env or {}, START_S)


async def suffer(
    up: Regions, fault: str, region: str, number: int, count: int, per_second: float
) -> Round:
    """A load with the fault when a third of it was taken; then the reckoning."""
    load = Load(up, REGIONS)
    posting = asyncio.create_task(load.post(count, number, per_second, durability="global"))
    while len(load.accepted) < count // 3 and not posting.done():
        await asyncio.sleep(0.05)
    FAULTS[fault](up, region)
    began = time.monotonic()
    if fault == "freeze":
        await asyncio.sleep(15)
        faults.thaw(up, region)
    await posting
    assert not load.refused, load.refused[:5]
    other = next(name for name in REGIONS if name != region)
    reckoning = await reckoned(up, load.accepted, other)
    return Round(fault, region, reckoning, dict(load.answers), time.monotonic() - began)


async def _main(wanted: list[str], rounds: int, count: int, per_second: float) -> int:
    bad = 0
    with tempfile.TemporaryDirectory() as folder:
        up = await start(Path(folder) / "data")
        try:
            chosen = itertools.islice(itertools.cycle(wanted), rounds)
            for index, fault in enumerate(chosen):
                region = REGIONS[index % len(REGIONS)]
                done = await suffer(up, fault, region, index * count, count, per_second)
                print(done.line(), flush=True)
                if not done.reckoning.holds:
                    bad += 1
                    print(msgspec.json.encode(done).decode(), file=sys.stderr)
                if fault == "kill":
                    await up.start_again(region, START_S)
        finally:
            await up.end()
    return int(bad > 0)


def main() -> int:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faults", default=",".join(FAULTS))
    parser.add_argument("--rounds", type=int, default=len(FAULTS))
    parser.add_argument("--messages", type=int, default=2000)
    parser.add_argument("--per-second", type=float, default=100.0)
    given = parser.parse_args()
    wanted = given.faults.split(",")
    if unknown := set(wanted) - FAULTS.keys():
        parser.error(f"no fault {', '.join(sorted(unknown))}; known: {', '.join(FAULTS)}")
    return asyncio.run(_main(wanted, given.rounds, given.messages, given.per_second))


if __name__ == "__main__":
    sys.exit(main())
