"""Rules about what each node says: its commit log, Paxos, hints, clock, release, doors."""

import re
from collections.abc import Iterator

from sync.store.cassandra.check.seen import (
    Finding,
    Node,
    Rule,
    Seen,
    Wanted,
    by_value,
    hint_window_of,
    places,
    speaking,
)

TESTED = (5, 0)
OLDEST = (4, 1)


def _silent_nodes(seen: Seen, _: Wanted) -> Iterator[Finding]:
    answering = {node.datacenter for node in speaking(seen)}
    for node in (each for each in seen.nodes if each.silent):
        yield Finding(
            "warn" if node.datacenter in answering else "refuse",
            "node_silent",
            places([node]),
            f"the node does not answer, so its settings and clock are unknown: {node.silent}",
            "Start it, or open the way to its CQL port from here; then check again.",
        )


def _commit_log(seen: Seen, _: Wanted) -> Iterator[Finding]:
    for value, where in by_value(seen, "commitlog_sync"):
        if value not in ("group", "batch"):
            yield Finding(
                *("refuse", "commitlog_sync", where),
                f"commitlog_sync is {value or 'unknown'}: writes are confirmed before they are on "
                "disk, and a power cut loses what was accepted",
                "Set commitlog_sync: group and commitlog_sync_group_window: 2ms in cassandra.yaml, "
                "and restart the nodes one by one.",
            )
    for value, where in by_value(seen, "commit_failure_policy"):
        if value == "ignore":
            yield Finding(
                *("refuse", "commit_failure_policy", where),
                "commit_failure_policy is ignore: writes are confirmed when the disk refuses them",
                "Set commit_failure_policy: stop in cassandra.yaml, and restart the nodes.",
            )


def _paxos(seen: Seen, _: Wanted) -> Iterator[Finding]:
    for value, where in by_value(seen, "paxos_variant"):
        if value != "v2":
            yield Finding(
                *("refuse", "paxos_variant", where),
                f"paxos_variant is {value or 'unknown'}: leases and shards rest on v2",
                "Set paxos_variant: v2 in cassandra.yaml on all nodes, and restart them.",
            )
    for value, where in by_value(seen, "paxos_repair_enabled"):
        if value != "true":
            yield Finding(
                *("warn", "paxos_repair", where),
                f"paxos_repair_enabled is {value or 'unknown'}: a change of replication is not "
                "safe for leases without Paxos repair",
                "Set paxos_repair_enabled: true in cassandra.yaml.",
            )


def _hints(seen: Seen, wanted: Wanted) -> Iterator[Finding]:
    asked = speaking(seen)
    unknown = [node for node in asked if hint_window_of(node) is None]
    if unknown:
        yield Finding(
            *("refuse", "hint_window", places(unknown)),
            "max_hint_window is unknown, so nobody can tell whether a region that was away has "
            "missed something",
            "Set max_hint_window in cassandra.yaml (3h is its default), and restart the nodes.",
        )
    windows = {window for node in asked if (window := hint_window_of(node)) is not None}
    if len(windows) > 1:
        yield Finding(
            *("warn", "hint_windows_differ", places(asked)),
            f"max_hint_window is from {min(windows) // 1000} to {max(windows) // 1000} s; the "
            "least counts",
            "Give all nodes the same in cassandra.yaml.",
        )
    off = [node for node in asked if node.setting("hinted_handoff_enabled") == "false"]
    off += [node for node in asked if _hints_off_for(node) & _datacenters_of(wanted)]
    if off:
        yield Finding(
            *("warn", "hints_off", places(off)),
            "no hints are kept: a region that was away has to be repaired each time before it may "
            "own anything",
            "Set hinted_handoff_enabled: true, and no hinted_handoff_disabled_datacenters.",
        )


def _hints_off_for(node: Node) -> set[str]:
    listed = node.setting("hinted_handoff_disabled_datacenters") or ""
    return set(re.findall(r"[^\s\[\],]+", listed))


def _datacenters_of(wanted: Wanted) -> set[str]:
    return {name for counts in wanted.keyspaces.values() for name in counts}


def _clocks(seen: Seen, wanted: Wanted) -> Iterator[Finding]:
    bound = wanted.clock_bound_ms
    for node in speaking(seen):
        if node.clock_ms is None or node.clock_ms[1] - node.clock_ms[0] > 2 * bound:
            yield Finding(
                *("refuse", "clock_unknown", places([node])),
                f"the node's clock could not be told to within {bound} ms",
                "Check again from nearer, or when the node is less busy.",
            )
            continue
        low, high = node.clock_ms
        if low > bound or high < -bound:
            off_ms = low if low > 0 else -high
            yield Finding(
                *("refuse", "clock", places([node])),
                f"the node's clock is at least {off_ms:.0f} ms "
                f"{'ahead of' if low > 0 else 'behind'} this machine's; {bound} ms are allowed",
                "Let NTP set both clocks; [protocol] clock_bound_ms is the bound.",
            )


def _releases(seen: Seen, _: Wanted) -> Iterator[Finding]:
    nodes: dict[str, list[Node]] = {}
    for node in speaking(seen):
        nodes.setdefault(node.release, []).append(node)
    for release, having in nodes.items():
        numbers = tuple(int(each) for each in re.findall(r"\d+", release)[:2])
        if numbers < OLDEST:
            yield Finding(
                *("refuse", "release", places(having)),
                f"Cassandra {release or 'of an unknown release'} has no Paxos v2",
                f"Upgrade to {'.'.join(map(str, TESTED))}.",
            )
        elif numbers != TESTED:
            yield Finding(
                *("warn", "release_untested", places(having)),
                f"Cassandra {release} is not what GouTong is tested with",
                f"Use {'.'.join(map(str, TESTED))}.",
            )


def _open_doors(seen: Seen, wanted: Wanted) -> Iterator[Finding]:
    if not wanted.production:
        return
    for value, where in by_value(seen, "authenticator", "authenticator.class_name"):
        if value is None or value.endswith("AllowAllAuthenticator"):
            yield Finding(
                *("warn", "no_passwords", where),
                "whoever reaches the CQL port may do everything",
                "Set authenticator: PasswordAuthenticator in cassandra.yaml, and [cassandra] user "
                "and password.",
            )
    for value, where in by_value(seen, "client_encryption_options.enabled"):
        if value != "true":
            yield Finding(
                *("warn", "no_encryption", where),
                "clients talk to the node in the clear",
                "Set client_encryption_options in cassandra.yaml, and [cassandra] tls.",
            )


RULES: tuple[Rule, ...] = (
    _silent_nodes,
    _commit_log,
    _paxos,
    _hints,
    _clocks,
    _releases,
    _open_doors,
)
