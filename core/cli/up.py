"""Start one region on this machine: an edge, cores, a NATS server and the sandbox.

Stays until Ctrl-C, which ends everything in order. A start with the same --data goes on where the
last one stopped, at the same addresses and with the same two keys. With --json the first line on
standard output is one object, printed when everything answers.

With --regions it starts several, each with a supervisor, an edge, cores, a NATS server that is
joined to the others, and a Cassandra node, which is fetched by Maven on first use (needs JDK 17).
A region that dies does not end the others; SIGUSR1 has the launcher start it again.
"""

import argparse
import asyncio
import os
import re
import shutil
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from core.cli.out import FAILED, CommandError, json_line, line, note

if TYPE_CHECKING:
    from core.supervisor.site import Site
    from core.supervisor.up import Running

    Making = Callable[[], Awaitable[Site]]

DEFAULT_DATA = Path("goutong-data")
Then = Callable[["Running"], Awaitable[int | None]]


def add(parser: argparse.ArgumentParser) -> None:
    """The arguments of `goutong up`."""
    add_site(parser)
    parser.add_argument(
        "--regions", type=_regions, default=[], help="names of several regions, as in eu,us,ap"
    )
    parser.add_argument("--demo", action="store_true", help="send a first e-mail and text message")


def add_site(parser: argparse.ArgumentParser) -> None:
    """The arguments that say where and how a region is started."""
    parser.add_argument("--data", type=Path, help=f"data folder (default: {DEFAULT_DATA})")
    parser.add_argument("--config", type=Path, help="settings, a TOML file")
    parser.add_argument("--cores", type=_cores, help="core processes")


def run(given: argparse.Namespace) -> int:
    """Stay up until told to stop."""

    async def then(running: "Running") -> int | None:
        if given.json:
            json_line(msgspec.to_builtins(running))
        else:
            word = "Region" if len(running.regions) == 1 else "Regions"
            line(f"GouTong is up. {word}: {', '.join(running.regions)}. Ctrl-C ends everything.")
            line()
        if given.demo:
            await _demonstrate(running, note if given.json else line)
        if not given.json:
            _show_addresses(running, given.data or DEFAULT_DATA)
        return None

    return launch(given, given.data or DEFAULT_DATA, then)


def launch(given: argparse.Namespace, data: Path, then: Then) -> int:
    """Bring a region up in this folder, do `then`, and stay up unless that answers."""
    from core.contract.log import Log  # noqa: PLC0415 - `goutong --help` needs none of these
    from core.contract.settings import SettingsError  # noqa: PLC0415
    from core.supervisor.cassandra.programs import CassandraError  # noqa: PLC0415
    from core.supervisor.folder import FolderError  # noqa: PLC0415
    from core.supervisor.up import Launcher, UpError  # noqa: PLC0415

    async def work(making: "Making") -> int:
        site = await making()
        log = Log(site.folder.logs / "up.log", site.settings.log.level, role="up")
        try:
            return await Launcher(site, log, _tell).run(then)
        finally:
            log.close()
            site.held.release()

    try:
        return asyncio.run(work(_making(given, data)))
    except SettingsError as error:
        raise CommandError(
            str(error), "`goutong config schema` describes every setting.", FAILED
        ) from None
    except CassandraError as error:
        raise CommandError(error.what, error.mend, FAILED) from None
    except (FolderError, UpError) as error:
        raise CommandError(str(error)) from None


def _making(given: argparse.Namespace, data: Path) -> "Making":
    """What makes the folder ready. What several regions need is fetched before the loop begins, so
    that Ctrl-C ends it at once."""
    from core.supervisor import several  # noqa: PLC0415 - `goutong --help` needs none of these
    from core.supervisor.site import prepare  # noqa: PLC0415

    names = several.names_of(data, getattr(given, "regions", []))
    if not names:
        return partial(prepare, data, given.config, given.cores, os.environ)
    settings = several.checked(given.config, names, os.environ)
    launch = several.fetched(settings, os.environ, _tell)
    return partial(
        several.prepare_several,
        *(data, given.config, given.cores, names, os.environ, launch, _tell),
    )


def _tell(text: str) -> None:
    note(f"goutong: {text}")


async def _demonstrate(running: "Running", say: Callable[[str], None]) -> None:
    """The first two messages. Where they fail, the region stays up to be looked at."""
    from core.cli.demo import show  # noqa: PLC0415 - only asked for

    try:
        await asyncio.to_thread(show, running, say)
    except CommandError as error:
        note(f"goutong: {error.what}\n  {error.mend}")
    say("")


def _cores(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 64:
        raise argparse.ArgumentTypeError("must be between 1 and 64")
    return number


def _regions(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if not re.fullmatch("[a-z][a-z0-9]{0,15}", name):
            raise argparse.ArgumentTypeError(
                f"{name!r} is no name of a region: a small letter, then small letters or digits"
            )
        if names.count(name) > 1:
            raise argparse.ArgumentTypeError(f"{name} is named twice")
    return names


def _show_addresses(running: "Running", data: Path) -> None:
    url = running.url()
    for name, region in running.regions.items():
        of = "" if len(running.regions) == 1 else f"{name}, "
        line(f"  API        {region['url']}    ({of}also /status, /openapi.json, /metrics)")
    if running.sandbox:
        line(f"  Sandbox    {running.sandbox}/sandbox/history")
    line(f"  API key    {running.api_key}")
    line(f"  Admin key  {running.admin_key}")
    line(f"  Data       {data.absolute()}    (logs/ has a file for each process)")
    line()
    line("Send a text message; the sandbox takes it:")
    line(f"  curl -s {url}/v1/notifications -H 'Authorization: Bearer {running.api_key}' \\")
    line("    -H 'Content-Type: application/json' \\")
    line(
        """    -d '{"to": {"phone": "+447700900123"}, "content": {"text": "Hello from GouTong"}}'"""
    )
    if running.sandbox:
        line("See what reached the provider:")
        line(f"  curl -s {running.sandbox}/sandbox/history")
    line("Follow a message, in another terminal:")
    where = "" if data == DEFAULT_DATA else f" --data {data}"
    line(f"  {_program()} trace{where} MESSAGE_ID")
    line()


def _program() -> str:
    """How this program is called from here."""
    if shutil.which("goutong"):
        return "goutong"
    called = Path(sys.argv[0])
    return os.path.relpath(called) if called.name == "goutong" else "python -m core.cli"
