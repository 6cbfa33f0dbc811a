"""Show how the regions are; take one out, let it come back; force ownership where most are lost.

list: each region's state, share, shards, and how far behind it the one that answers is (default).
drain NAME --reason TEXT: nothing new goes there, its shards are given away.
return NAME: it comes back, a growing share at a time.
force-own NAME --i-accept-duplicates: this region owns alone. What the lost regions still held may
go out twice, and is marked. Asked of an edge of that region.
join NAME --repaired A,B,...: the regions own together again, once their stores were repaired. Asked
twice of the region that was alone: first all pause, then they join.
"""

import argparse
from typing import Any

from core.cli.client import Api, add_action, add_where, reach, segment
from core.cli.out import OK, CommandError, json_line, note, table


def add(parser: argparse.ArgumentParser) -> None:
    """The arguments of `goutong regions`."""
    add_where(parser)
    actions = parser.add_subparsers(dest="action", metavar="list|drain|return|force-own|join")
    add_action(actions, "list", "how the regions are (the default)")
    drain = add_action(actions, "drain", "take a region out")
    drain.add_argument("name")
    drain.add_argument("--reason", required=True, help="why; shown wherever its state is")
    add_action(actions, "return", "let a region come back").add_argument("name")
    force = add_action(actions, "force-own", "let a region own alone")
    force.add_argument("name")
    force.add_argument(
        "--i-accept-duplicates",
        action="store_true",
        help="say that what the lost regions still held may go out twice",
    )
    join = add_action(actions, "join", "let regions own together again")
    join.add_argument("name")
    join.add_argument(
        "--repaired",
        required=True,
        metavar="A,B,...",
        help="regions whose stores were repaired since, and the repair checked",
    )


def run(given: argparse.Namespace) -> int:
    """Do what was asked."""
    api = reach(given, admin=True, region=getattr(given, "name", ""))
    if given.action in (None, "list"):
        _list(api, given.json)
    elif given.action in ("drain", "return"):
        _serving(api, given)
    else:
        _ownership(api, given)
    return OK


def _list(api: Api, as_json: bool) -> None:
    found = api.call("GET", "/v1/regions")
    if as_json:
        json_line(found)
        return
    rows = [
        (
            one["region"],
            one["state"],
            one["share_pct"],
            one["shards"],
            len(one["cores"]),
            _shown(one["lag_rows"]),
            _shown(one["heard_s"]),
            one["reason"],
        )
        for one in found["data"]
    ]
    table(rows, ("REGION", "STATE", "SHARE %", "SHARDS", "CORES", "LAG", "HEARD S", "REASON"))
    note(f"As region {found['region']} knows them, by version {found['map_version']} of the map.")
    if found["isolated"]:
        note("It is cut off from the others: what it knows of them may be old.")


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:g}"


def _serving(api: Api, given: argparse.Namespace) -> None:
    body = {"reason": given.reason} if given.action == "drain" else None
    found = api.call("POST", f"/v1/regions/{segment(given.name)}/{given.action}", body)
    if given.json:
        json_line(found)
        return
    rows = [(one["name"], one["state"], one["share_pct"], one["reason"]) for one in found["data"]]
    table(rows, ("REGION", "STATE", "SHARE %", "REASON"))


def _ownership(api: Api, given: argparse.Namespace) -> None:
    body: dict[str, Any]
    if given.action == "force-own":
        if not given.i_accept_duplicates:
            what = "what the lost regions still held may go out twice"
            raise CommandError(what, "Say that you accept it with --i-accept-duplicates.")
        body = {"accept_duplicates": True}
    else:
        body = {"repaired": [name for name in given.repaired.split(",") if name]}
    found = api.call("POST", f"/v1/regions/{segment(given.name)}/{given.action}", body)
    if given.json:
        json_line(found)
    elif found["alone"]:
        note(f"Region {found['regions'][0]} owns alone, under force {found['number']}.")
    elif found["regions"]:
        note(f"{', '.join(found['regions'])} own together, under force {found['number']}.")
    else:
        note(f"All pause under force {found['number']}; ask once more when the cores are back.")
