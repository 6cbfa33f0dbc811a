"""The sandbox as a program: `python -m core.sandbox --data DIR`, or `goutong sandbox`.

Ends on SIGTERM and SIGINT. With --json it prints one line when everything answers:
{"ready": true, "host": ..., "http": PORT, "smpp": PORT, "smtp": PORT, "sms-http": PORT,
"gateway": PORT, "webhook": PORT, "url": ...}. It writes a log to GOUTONG_LOG_FILE where that is
set, else to standard error.
"""

import argparse
import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import TypeVar

import msgspec
import uvloop

from core.contract.log import Log
from core.contract.settings import Settings, SettingsError, load
from core.sandbox.app import FolderInUseError, Sandbox
from core.sandbox.limits import SandboxLimits
from core.sandbox.sms_http import ACCOUNT_SID

_LOG_FILE = "GOUTONG_LOG_FILE"
_DATA = Path("goutong-data/sandbox")
_T = TypeVar("_T")


def main() -> int:
    """Run until told to end; 1 if it cannot start, 2 if the settings or arguments are wrong."""
    arguments = _parser().parse_args()
    # Whoever starts us says by this where to log; it is no setting.
    environ = {name: value for name, value in os.environ.items() if name != _LOG_FILE}
    try:
        settings = load(arguments.config, environ)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    target = Path(os.environ[_LOG_FILE]) if os.environ.get(_LOG_FILE) else sys.stderr.buffer
    log = Log(
        target,
        settings.log.level,
        rotate_bytes=settings.log.rotate_bytes,
        flush_ms=settings.log.flush_ms,
        part="sandbox",
    )
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(arguments, settings, log))
    except (FolderInUseError, OSError) as error:
        sys.stderr.write(f"The sandbox cannot start: {error}\n")
        return 1
    finally:
        log.close()
    return 0


async def _serve(arguments: argparse.Namespace, settings: Settings, log: Log) -> None:
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    defaults = settings.sandbox
    async with Sandbox.start(
        arguments.data,
        host=_given(arguments.host, defaults.host),
        http_port=_given(arguments.http, defaults.http_port),
        smpp_port=_given(arguments.smpp, defaults.smpp_port),
        smtp_port=_given(arguments.smtp, defaults.smtp_port),
        bounce_to=_given(arguments.bounce_to, _where(defaults.bounce_to)),
        sms_http_port=_given(arguments.sms_http, defaults.sms_http_port),
        gateway_port=_given(arguments.gateway, defaults.gateway_port),
        webhook_port=_given(arguments.webhook, defaults.webhook_port),
        seed=arguments.seed,
        limits=SandboxLimits(history_max=defaults.history_max),
        log=log,
    ) as box:
        log.info("sandbox ready", url=box.url, smpp=box.smpp_port, smtp=box.smtp_port)
        sys.stdout.write(_ready(box, arguments.json))
        sys.stdout.flush()
        await ended.wait()
        log.info("sandbox ends")


def _ready(box: Sandbox, as_json: bool) -> str:
    if as_json:
        ready = {
            "ready": True,
            "host": box.host,
            "http": box.http_port,
            "smpp": box.smpp_port,
            "smtp": box.smtp_port,
            "sms-http": box.sms_http_port,
            "gateway": box.gateway_port,
            "webhook": box.webhook_port,
            "url": box.url,
        }
        return msgspec.json.encode(ready).decode() + "\n"
    return (
        f"The sandbox is ready; Ctrl-C ends it.\n"
        f"  Doors  {box.url}/sandbox\n"
        f"  SMPP   {box.host}:{box.smpp_port}  (system_id sandbox, password sandbox)\n"
        f"  SMTP   {box.host}:{box.smtp_port}  (user sandbox, password sandbox, or none)\n"
        f"  Twilio's form  http://{box.host}:{box.sms_http_port}  ({ACCOUNT_SID}, token sandbox)\n"
        f"  Gateway        http://{box.host}:{box.gateway_port}/gateway/json and /gateway/text\n"
        f"  Webhooks       http://{box.host}:{box.webhook_port}/  (any path)\n"
    )


def _given(argument: _T | None, default: _T) -> _T:
    return default if argument is None else argument


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65_535:
        raise ValueError(text)
    return port


def _where(text: str) -> tuple[str, int] | None:
    """host:port, or None for none."""
    host, _, port = text.rpartition(":")
    return (host.strip("[]"), _port(port)) if text else None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m core.sandbox", description="Providers that behave as badly as told."
    )
    parser.add_argument(
        "--data",
        type=Path,
        default=_DATA,
        metavar="DIR",
        help=f"folder of history and receipts (default {_DATA})",
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings file (TOML)")
    parser.add_argument("--host", help="address to listen on (default 127.0.0.1)")
    parser.add_argument("--http", type=_port, metavar="PORT", help="HTTP doors; 0: a free port")
    parser.add_argument("--smpp", type=_port, metavar="PORT", help="SMSC; 0: a free port")
    parser.add_argument("--smtp", type=_port, metavar="PORT", help="mail server; 0: a free port")
    parser.add_argument(
        "--bounce-to", type=_where, metavar="HOST:PORT", help="SMTP server that takes bounces"
    )
    parser.add_argument("--sms-http", type=_port, metavar="PORT", help="Twilio's form; 0: free")
    parser.add_argument("--gateway", type=_port, metavar="PORT", help="HTTP gateway; 0: free")
    parser.add_argument("--webhook", type=_port, metavar="PORT", help="webhooks; 0: a free port")
    parser.add_argument("--seed", type=int, help="seed of the behaviour's randomness")
    parser.add_argument("--json", action="store_true", help="print the ports as one JSON line")
    return parser


if __name__ == "__main__":
    sys.exit(main())
