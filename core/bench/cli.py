"""`goutong bench`: the command line of the benches.

Exit code 0: measured. 1: something could not be measured, or with `--check` a bound was missed
(of `day` always: its bounds are promises).
2: wrong arguments. Figures go to standard output, everything else to standard error.
"""

import argparse
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from core.bench.accept import accept
from core.bench.backlog import backlog
from core.bench.cycle import cycle
from core.bench.day import day
from core.bench.mail_cycle import email
from core.bench.plan import BenchError, Plan
from core.bench.report import Report, as_json, as_table
from core.bench.route import route
from core.bench.store import store
from core.bench.urgent import urgent
from core.bench.webhook import webhook
from core.supervisor.cassandra.programs import CassandraError

BENCHES: dict[str, tuple[str, Callable[[Plan], Report]]] = {
    "cycle": ("accept, SMPP submit, receipt, end; beside Kannel", cycle),
    "accept": ("durable accepts: through the edge, without it, and at the log port", accept),
    "email": ("the same cycle over SMTP; beside plain aiosmtplib", email),
    "route": ("one routing decision among 8 accounts, with its explanation", route),
    "webhook": ("accept, durable, webhook; beside Prometheus Alertmanager", webhook),
    "backlog": ("what a message costs while many others wait", backlog),
    "day": ("a day of mixed traffic in minutes, providers with bad habits", day),
    "store": ("the log port on three Cassandra datacentres; beside one row an insert", store),
    "urgent": ("how long an otp takes while bulk messages wait", urgent),
}


def parser() -> argparse.ArgumentParser:
    """All arguments, with the defaults that README's figures were made with."""
    top = argparse.ArgumentParser(prog="goutong bench", description=__doc__)
    commands = top.add_subparsers(dest="bench", required=True)
    for name, (purpose, _) in BENCHES.items():
        one = commands.add_parser(name, help=purpose, description=purpose)
        _common(one)
    return top


def _common(one: argparse.ArgumentParser) -> None:
    count = one.add_argument
    count("--messages", type=_positive, default=10_000, help="messages a run (%(default)s)")
    count("--connections", type=_positive, default=64, help="HTTP connections (%(default)s)")
    count("--window", type=_positive, default=100, help="SMPP window, both sides (%(default)s)")
    count("--smtp-sessions", type=_positive, default=32, help="SMTP sessions (%(default)s)")
    count("--receipt-delay-ms", type=int, default=50, help="SMSC's delay (%(default)s)")
    count("--runs", type=_positive, default=5, help="runs a side, taking turns (%(default)s)")
    count("--warmup-messages", type=_positive, default=2_000, help="not counted (%(default)s)")
    count("--backlog", type=_positive, default=100_000, help="messages waiting (%(default)s)")
    count("--log-depth", type=_positive, default=512, help="appends under way (%(default)s)")
    count("--timeout-s", type=float, default=180.0, help="for one run (%(default)s)")
    count("--settle-s", type=float, default=1.5, help="CPU counted after a run (%(default)s)")
    count("--cores", type=_positive, default=1, help="core processes of ours (%(default)s)")
    count("--minutes", type=_more_than_none, default=10.0, help="of a day (%(default)s)")
    count("--per-second", type=_more_than_none, default=100.0, help="mean of a day (%(default)s)")
    count("--no-peer", action="store_true", help="measure our side alone")
    count("--peer-spool", choices=("disk", "memory", "both"), default="both")
    count("--no-wait", action="store_true", help="do not wait for the owner's first whole minute")
    count("--folder", type=Path, help="where the temporary folder is made (TMPDIR)")
    count("--check", action="store_true", help="exit 1 when a bound is missed")
    count("--json", action="store_true", help="one JSON object instead of the table")


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


def _more_than_none(text: str) -> float:
    number = float(text)
    if not 0 < number < 100_000:
        raise argparse.ArgumentTypeError("must be more than 0 and less than 100000")
    return number


def plan_of(given: argparse.Namespace, folder: Path) -> Plan:
    """The fixed arguments of this bench."""
    return Plan(
        messages=given.messages,
        connections=given.connections,
        window=given.window,
        smtp_sessions=given.smtp_sessions,
        receipt_delay_ms=given.receipt_delay_ms,
        runs=given.runs,
        warmup_messages=given.warmup_messages,
        backlog=given.backlog,
        log_depth=given.log_depth,
        timeout_s=given.timeout_s,
        settle_s=given.settle_s,
        cores=given.cores,
        peer=not given.no_peer,
        peer_spool=given.peer_spool,
        wait_for_minute=not given.no_wait,
        minutes=given.minutes,
        per_second=given.per_second,
        folder=folder,
    )


def main(argv: list[str]) -> int:
    """Run one bench; see the module for the exit codes."""
    try:
        given = parser().parse_args(argv)
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else 2
    # Everything that was started hangs on context managers: let SIGTERM unwind them.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        with tempfile.TemporaryDirectory(prefix="goutong-bench-", dir=given.folder) as folder:
            report = BENCHES[given.bench][1](plan_of(given, Path(folder)))
    except (BenchError, CassandraError, OSError) as error:
        print(f"goutong bench {given.bench}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"goutong bench {given.bench}: interrupted", file=sys.stderr)
        return 1
    print(as_json(report).decode() if given.json else as_table(report))
    missed = report.failed()
    for bound in missed:
        print(f"missed: {bound.name}: {bound.value:.2f}", file=sys.stderr)
    return 1 if missed and (given.check or report.strict) else 0
