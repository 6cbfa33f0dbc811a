"""The entry point of `goutong`: finds the subcommand and loads nothing else.

A subcommand's module has `add(parser)`, which declares its arguments, and `run(given) -> int`.
"""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from core.cli.out import FAILED, OK, USAGE, CommandError, fail, note

_COMMANDS = {
    "up": ("core.cli.up", "start a region on this machine and stay until Ctrl-C"),
    "demo": ("core.cli.demo", "start a region, send a first e-mail and text message, end"),
    "send": ("core.cli.send", "send a notification"),
    "trace": ("core.cli.trace", "show what happened to a message"),
    "messages": ("core.cli.messages", "list messages, or search them by recipient"),
    "deadletters": ("core.cli.deadletters", "list what failed, send it again"),
    "suppressions": ("core.cli.suppressions", "contact points that are not sent to"),
    "webhooks": ("core.cli.webhooks", "endpoints that are told what became of messages"),
    "keys": ("core.cli.keys", "list, create and revoke API keys"),
    "providers": ("core.cli.providers", "list and change provider accounts"),
    "policies": ("core.cli.policies", "list and change routing policies"),
    "regions": ("core.cli.regions", "take regions out, let them return, force ownership"),
    "route": ("core.cli.route", "ask how a message would go, and why"),
    "templates": ("core.cli.templates", "list and change templates"),
    "audit": ("core.cli.audit", "check the journal of a data folder"),
    "store": ("core.cli.store", "make, upgrade and check the store on Cassandra"),
    "sim": ("core.cli.sim", "run regions under simulated faults, check every rule"),
    "config": ("core.cli.config", "check, show and describe the settings"),
    "sandbox": ("core.cli.passed", "run the provider sandbox alone"),
    "core": ("core.cli.passed", "run a core process"),
    "edge": ("core.cli.passed", "run an edge process"),
    "bench": ("core.cli.passed", "measure beside peers"),
}
_PASSED_ON = {name for name, (module, _) in _COMMANDS.items() if module == "core.cli.passed"}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and answer its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in ("-h", "--help", "help"):
        return _help()
    if words[0] in ("-V", "--version", "version"):
        return _version()
    name, *rest = words
    if name not in _COMMANDS:
        return _unknown(name)
    module: Any = import_module(_COMMANDS[name][0])
    if name in _PASSED_ON:
        return _guarded(lambda: module.run(name, rest), "--json" in rest)
    parser = argparse.ArgumentParser(prog=f"goutong {name}", description=module.__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--json", action="store_true", help="the result as JSON")
    module.add(parser)
    given = parser.parse_args(rest)
    return _guarded(lambda: module.run(given), given.json)


def _guarded(run: Any, as_json: bool) -> int:
    try:
        return int(run())
    except CommandError as error:
        return fail(error, as_json)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return FAILED


def _help() -> int:
    print("usage: goutong COMMAND [ARGUMENT...]     goutong COMMAND --help says more\n")
    for name, (_, what) in _COMMANDS.items():
        print(f"  {name:<12} {what}")
    print("\nExit codes: 0 done, 1 failed, 2 wrong usage, 3 the region is not reachable.")
    return OK


def _version() -> int:
    from importlib.metadata import version  # noqa: PLC0415 - only this command needs it

    print(version("goutong"))
    return OK


def _unknown(name: str) -> int:
    from difflib import get_close_matches  # noqa: PLC0415 - only a mistake needs it

    close = get_close_matches(name, _COMMANDS, n=1)
    note(f"goutong: there is no command {name!r}.")
    note(f"  Did you mean {close[0]!r}?" if close else "  `goutong --help` lists them.")
    return USAGE


if __name__ == "__main__":
    sys.exit(main())
