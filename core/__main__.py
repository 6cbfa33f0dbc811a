"""`python -m core`: one core process, started by the region's supervisor."""

import argparse
import gc
import os
import sys
from pathlib import Path

import uvloop

from core.app import Core
from core.arguments import Arguments
from core.clock import SystemClock
from core.contract.log import open_log
from core.contract.settings import Settings, SettingsError, load
from core.obs.metrics import CoreMetrics
from core.process import GC_THRESHOLDS
from core.stores import open_stores
from sync.store.port import StoreError

SWITCH_INTERVAL_S = 0.0001


def main() -> int:
    """Exit codes: 0 stopped, 1 cannot start, 2 usage, 75 the lease was lost."""
    parser = argparse.ArgumentParser(prog="python -m core", description=__doc__)
    parser.add_argument("--data", required=True, type=Path, help="data folder")
    parser.add_argument("--config", type=Path, help="settings; else GOUTONG_CONFIG")
    parser.add_argument("--region", help="the region's name; else of the settings")
    parser.add_argument("--index", type=int, default=0)
    parser.add_argument("--http", type=int, required=True, help="port of the core's own HTTP")
    parser.add_argument("--link", type=int, required=True, help="port of the link to edges")
    parser.add_argument("--bounce", type=int, help="port of bounces; else of the settings")
    given = parser.parse_args()
    environ = dict(os.environ)
    if given.region:
        environ["GOUTONG_REGION_NAME"] = given.region
    try:
        settings = load(given.config, environ)
    except SettingsError as error:
        print(error, file=sys.stderr)  # noqa: T201 - this is the program's word to its starter
        return 2
    secret = environ.get("GOUTONG_INTERNAL_SECRET", "")
    if not secret:
        print("GOUTONG_INTERNAL_SECRET is missing", file=sys.stderr)  # noqa: T201
        return 2
    arguments = Arguments(
        given.data,
        given.index,
        given.http,
        given.link,
        secret,
        environ.get("GOUTONG_VAULT_KEY", ""),
        settings.core.bounce_port if given.bounce is None else given.bounce,
    )
    return run(arguments, settings)


def run(arguments: Arguments, settings: Settings) -> int:
    """Run a core until it is told to stop."""
    # The committer and the loop share one interpreter lock; shorter turns make commits shorter.
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    # What is loaded by now stays: the collector need not look at it again, nor so often.
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    log = open_log(settings.log, role="core", index=arguments.index)

    async def work() -> None:
        clock, metrics = SystemClock(), CoreMetrics()

        def committed(_: int, seconds: float) -> None:
            metrics.commit_seconds.observe(seconds)

        stores = await open_stores(settings, arguments.data, clock, log, committed)
        await Core(arguments, settings, log, clock, metrics, stores).run()

    try:
        uvloop.run(work())
    except (StoreError, OSError) as error:
        log.error("the core cannot start", error=str(error))
        print(f"the core cannot start: {error}", file=sys.stderr)  # noqa: T201
        return 1
    finally:
        log.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
