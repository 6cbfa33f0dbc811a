"""`python -m edge`: one edge router until SIGTERM or SIGINT.

Exit codes: 0 after a graceful stop, 2 when it cannot start; the reason stands on standard error.
"""

import argparse
import asyncio
import gc
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import uvloop

from core.contract.log import Log
from core.contract.settings import Settings, SettingsError, load
from edge.app import EdgeApp
from edge.config import EdgeConfig
from edge.cores import parse_cores, parse_far

SECRET_VARIABLE = "GOUTONG_INTERNAL_SECRET"  # noqa: S105 - a variable's name
_DAY_S = 86_400
GC_THRESHOLDS = (50_000, 50, 100)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the edge; the process's exit code."""
    arguments = _arguments(argv)
    try:
        settings = load(arguments.config, os.environ)
        config = _config(arguments, settings)
    except (SettingsError, ValueError) as error:
        print(f"edge: {error}", file=sys.stderr)  # noqa: T201 - before there is a log
        return 2
    log = Log(
        settings.log.file or sys.stderr.buffer,
        settings.log.level,
        hash_key=bytes.fromhex(settings.log.hash_key),
        rotate_bytes=settings.log.rotate_bytes,
        flush_ms=settings.log.flush_ms,
        role="edge",
        pid=os.getpid(),
    )
    try:
        # What is loaded by now stays: the collector need not look at it again, nor so often.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)
        return uvloop.run(_serve(config, log))
    finally:
        log.close()


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m edge", description="GouTong's edge router")
    parser.add_argument("--host", help="address to listen on")
    parser.add_argument("--port", type=int, help="port to listen on; 0: any free one")
    parser.add_argument("--cores", help="host:LINKPORT/HTTPPORT,... of this region's cores")
    parser.add_argument("--far", default="", help="REGION=host:LINKPORT/HTTPPORT,...;... elsewhere")
    parser.add_argument("--processes", type=Path, help="file that lists the region's processes")
    parser.add_argument("--config", type=Path, help="settings in TOML")
    return parser.parse_args(argv)


def _config(arguments: argparse.Namespace, settings: Settings) -> EdgeConfig:
    given = {"host": arguments.host, "port": arguments.port, "cores": arguments.cores}
    given = {name: value for name, value in given.items() if value is not None}
    edge = msgspec.structs.replace(settings.edge, **given)
    cores = parse_cores(edge.cores)
    if not cores:
        raise ValueError("no cores are named; give --cores or edge.cores in the settings")
    secret = os.environ.get(SECRET_VARIABLE, "")
    if not secret:
        raise ValueError(f"{SECRET_VARIABLE} is not set; it is what the cores know the edge by")
    return EdgeConfig(
        settings=edge,
        cores=cores,
        secret=secret,
        horizon_s=settings.protocol.horizon_days * _DAY_S,
        expires_in_s=settings.protocol.expires_in_s(),
        batch_bytes_max=settings.limits.batch_bytes_max,
        name=f"edge-{os.getpid()}",
        region=settings.region.name,
        far=parse_far(arguments.far),
        processes_file=arguments.processes,
    )


async def _serve(config: EdgeConfig, log: Log) -> int:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    app = EdgeApp(config, log)
    try:
        await app.start()
    except OSError as error:
        log.error("edge cannot listen", reason=str(error))
        await app.stop()
        return 2
    await stopping.wait()
    await app.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
