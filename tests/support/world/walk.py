"""`python -m tests.support.world.walk --seeds A-B`: walk these seeds, print what was found."""

import argparse
import time
from collections import Counter

from tests.support.world.history import ViolationError
from tests.support.world.plan import plan_of
from tests.support.world.world import World


def walk(seed: int) -> World:
    """Walk one seed; raises ViolationError."""
    world = World(plan_of(seed))
    world.run()
    return world


def first_found(seeds: range) -> tuple[int, str]:
    """The first seed whose run a checker complains about, and the checker; (-1, "") if none."""
    for seed in seeds:
        try:
            walk(seed)
        except ViolationError as violation:
            return seed, violation.checker
    return -1, ""


def main() -> int:
    """Walk the seeds that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", default="0-200", help="from-to, the last one left out")
    parser.add_argument("--stop", action="store_true", help="stop at the first violation")
    arguments = parser.parse_args()
    first, _, last = arguments.seeds.partition("-")
    found: Counter[str] = Counter()
    seeds = range(int(first), int(last or int(first) + 1))
    began = time.monotonic()
    for seed in seeds:
        try:
            walk(seed)
        except ViolationError as violation:
            found[violation.checker] += 1
            print(f"seed {seed}: {violation}")
            if arguments.stop:
                break
    print(f"{len(seeds)} seeds in {time.monotonic() - began:.1f} s: {dict(found) or 'nothing'}")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
