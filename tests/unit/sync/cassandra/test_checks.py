"""What is refused and what is warned of, for everything that a cluster may say."""

from typing import Any

import msgspec
import pytest

from sync.store.cassandra.check.findings import findings, refused
from sync.store.cassandra.check.seen import (
    Keyspace,
    Node,
    Seen,
    Wanted,
    hint_window_ms,
    milliseconds,
)

REGIONS = ("eu", "us", "ap")
GOOD = {
    "commitlog_sync": "group",
    "commit_failure_policy": "stop",
    "paxos_variant": "v2",
    "paxos_repair_enabled": "true",
    "max_hint_window": "3h",
    "hinted_handoff_enabled": "true",
    "hinted_handoff_disabled_datacenters": "[]",
    "authenticator.class_name": "PasswordAuthenticator",
    "client_encryption_options.enabled": "true",
}


def node(region: str, number: int, **changed: Any) -> Node:
    settings = {**GOOD, **changed.pop("settings", {})}
    said = {"release": "5.0.6", "settings": settings, "clock_ms": (-1.0, 2.0), **changed}
    return Node(region, f"10.0.{number}.1", **said)


def seen(**changed: Any) -> Seen:
    """Three regions of three nodes each; `changed` is of the first node."""
    nodes = [node(region, number) for number, region in enumerate(REGIONS * 3)]
    nodes[0] = node("eu", 0, **changed)
    made = Keyspace(dict.fromkeys(REGIONS, 3), True, {"log_rows": "BLOCKING"})
    return Seen(tuple(nodes), {"goutong": made}, 4)


def wanted(**changed: Any) -> Wanted:
    given = {
        "region": "eu",
        "keyspaces": {"goutong": dict.fromkeys(REGIONS, 3)},
        "production": True,
        "clock_bound_ms": 500,
        "version": 4,
    }
    return Wanted(**{**given, **changed})


def rules(what: Seen, asked: Wanted | None = None) -> dict[str, str]:
    return {each.rule: each.level for each in findings(what, asked or wanted())}


def test_a_good_cluster_has_no_findings() -> None:
    assert findings(seen(), wanted()) == []
    assert hint_window_ms(seen()) == 10_800_000


@pytest.mark.parametrize(
    ("changed", "rule", "level"),
    [
        ({"settings": {"commitlog_sync": "periodic"}}, "commitlog_sync", "refuse"),
        ({"settings": {"commitlog_sync": None}}, "commitlog_sync", "refuse"),
        ({"settings": {"commit_failure_policy": "ignore"}}, "commit_failure_policy", "refuse"),
        ({"settings": {"paxos_variant": "v1"}}, "paxos_variant", "refuse"),
        (
            {"settings": {"paxos_variant": "v2_without_linearizable_reads"}},
            "paxos_variant",
            "refuse",
        ),
        ({"settings": {"paxos_variant": None}}, "paxos_variant", "refuse"),
        ({"settings": {"paxos_repair_enabled": "false"}}, "paxos_repair", "warn"),
        ({"settings": {"max_hint_window": None}}, "hint_window", "refuse"),
        ({"settings": {"max_hint_window": "soon"}}, "hint_window", "refuse"),
        ({"settings": {"max_hint_window": "1h"}}, "hint_windows_differ", "warn"),
        ({"settings": {"hinted_handoff_enabled": "false"}}, "hints_off", "warn"),
        (
            {"settings": {"hinted_handoff_disabled_datacenters": "[us, moon]"}},
            "hints_off",
            "warn",
        ),
        ({"settings": {"authenticator.class_name": None}}, "no_passwords", "warn"),
        ({"settings": {"client_encryption_options.enabled": "false"}}, "no_encryption", "warn"),
        ({"clock_ms": None}, "clock_unknown", "refuse"),
        ({"clock_ms": (-900.0, 900.0)}, "clock_unknown", "refuse"),
        ({"clock_ms": (501.0, 503.0)}, "clock", "refuse"),
        ({"clock_ms": (-10_003.0, -10_000.0)}, "clock", "refuse"),
        ({"release": "4.0.11"}, "release", "refuse"),
        ({"release": ""}, "release", "refuse"),
        ({"release": "4.1.3"}, "release_untested", "warn"),
        ({"release": "5.1-alpha1"}, "release_untested", "warn"),
        ({"silent": "connection refused"}, "node_silent", "warn"),
    ],
)
def test_one_node_is_enough_to_say_so(changed: dict[str, Any], rule: str, level: str) -> None:
    found = findings(seen(**changed), wanted())
    assert [(each.rule, each.level) for each in found] == [(rule, level)]
    assert "10.0.0.1" in found[0].where
    assert found[0].what
    assert found[0].mend


@pytest.mark.parametrize("clock_ms", [(-400.0, 600.0), (499.0, 505.0), (-505.0, -499.0)])
def test_a_clock_that_may_be_right_is_not_refused(clock_ms: tuple[float, float]) -> None:
    assert rules(seen(clock_ms=clock_ms)) == {}


def test_batch_mode_is_as_good_as_group() -> None:
    assert rules(seen(settings={"commitlog_sync": "batch"})) == {}


def test_nodes_with_the_same_fault_are_told_together() -> None:
    nodes = tuple(node(region, 1, settings={"commitlog_sync": "periodic"}) for region in REGIONS)
    (found,) = findings(msgspec.structs.replace(seen(), nodes=nodes * 3), wanted())
    assert {name for name in REGIONS if f"{name}: 10.0.1.1" in found.where} == set(REGIONS)


def test_a_datacentre_that_is_silent_altogether_is_refused() -> None:
    all_ = seen().nodes
    nodes = tuple(
        node(each.datacenter, 1, silent="refused") if each.datacenter == "us" else each
        for each in all_
    )
    assert rules(msgspec.structs.replace(seen(), nodes=nodes)) == {"node_silent": "refuse"}


def test_older_nodes_name_the_hint_window_differently() -> None:
    old = {"max_hint_window": None, "max_hint_window_in_ms": "10800000"}
    assert rules(seen(settings=old)) == {}


def test_the_least_hint_window_counts_and_one_unknown_makes_it_unknown() -> None:
    assert hint_window_ms(seen(settings={"max_hint_window": "30m"})) == 1_800_000
    assert hint_window_ms(seen(settings={"max_hint_window": None})) is None
    assert hint_window_ms(Seen(())) is None


def test_few_replicas_are_refused_in_production_only() -> None:
    counts = {"eu": 3, "us": 1, "ap": 3}
    cluster = msgspec.structs.replace(seen(), keyspaces={"goutong": Keyspace(counts)})
    asked = wanted(keyspaces={"goutong": counts})
    assert rules(cluster, asked) == {"replication_small": "refuse"}
    assert "in us:" in findings(cluster, asked)[0].what
    trial = msgspec.structs.replace(asked, production=False)
    assert rules(cluster, trial) == {}


def test_open_doors_are_told_in_production_only() -> None:
    doors = {"authenticator.class_name": None, "client_encryption_options.enabled": "false"}
    assert set(rules(seen(settings=doors))) == {"no_passwords", "no_encryption"}
    assert rules(seen(settings=doors), wanted(production=False)) == {}


def test_two_datacentres_are_a_warning() -> None:
    counts = {"eu": 3, "us": 3}
    cluster = msgspec.structs.replace(seen(), keyspaces={"goutong": Keyspace(counts)})
    assert rules(cluster, wanted(keyspaces={"goutong": counts})) == {"few_datacenters": "warn"}


def test_replication_has_to_fit_the_cluster() -> None:
    cluster = msgspec.structs.replace(seen(), keyspaces={}, version=None)
    counts = {"eu": 4, "us": 3, "ap": 3, "mars": 3}
    asked = wanted(keyspaces={"goutong": counts}, purpose="init")
    assert rules(cluster, asked) == {
        "replication_too_large": "refuse",
        "datacenter_unknown": "refuse",
    }
    asked = wanted(region="mars", purpose="init")
    assert rules(cluster, asked) == {"region_without_replicas": "refuse"}


@pytest.mark.parametrize(
    ("made", "rule"),
    [
        (Keyspace({"eu": 3, "us": 3}), "replication_differs"),
        (Keyspace({"eu": 3, "us": 3, "ap": 2}), "replication_differs"),
        (Keyspace(dict.fromkeys(REGIONS, 3), False), "durable_writes"),
        (Keyspace(dict.fromkeys(REGIONS, 3), True, {"shards": "NONE"}), "read_repair"),
    ],
)
def test_a_keyspace_that_was_altered_is_refused(made: Keyspace, rule: str) -> None:
    cluster = msgspec.structs.replace(seen(), keyspaces={"goutong": made})
    assert rules(cluster) == {rule: "refuse"}


@pytest.mark.parametrize(
    ("there", "purpose", "mend"),
    [
        (None, "use", "store init"),
        (None, "upgrade", "store init"),
        (3, "use", "store upgrade"),
        (3, "init", "store upgrade"),
        (5, "use", "newer release"),
        (5, "init", "newer release"),
        (5, "upgrade", "newer release"),
        (None, "init", ""),
        (3, "upgrade", ""),
        (4, "use", ""),
        (4, "init", ""),
        (4, "upgrade", ""),
    ],
)
def test_the_schema_has_to_fit_the_purpose(there: int | None, purpose: str, mend: str) -> None:
    cluster = msgspec.structs.replace(seen(), version=there)
    found = findings(cluster, wanted(purpose=purpose))
    assert [(each.rule, each.level) for each in found] == ([("schema", "refuse")] if mend else [])
    assert all(mend in each.mend for each in found)


def test_what_is_tolerated_warns_and_says_that_it_is_tolerated() -> None:
    bad = seen(settings={"commitlog_sync": "periodic", "paxos_variant": "v1"})
    found = findings(bad, wanted(tolerated=frozenset({"commitlog_sync"})))
    assert [each.rule for each in refused(found)] == ["paxos_variant"]
    assert found[0].level == "refuse"
    (warned,) = [each for each in found if each.level == "warn"]
    assert warned.what.endswith("(tolerated by setting)")


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("3h", 10_800_000),
        ("2ms", 2),
        ("2.0", 2),
        ("1d", 86_400_000),
        ("90s", 90_000),
        ("5m", 300_000),
        ("500us", 0),
        ("", None),
        (None, None),
        ("3 h", None),
        ("-1s", None),
    ],
)
def test_durations_are_read_as_cassandra_writes_them(text: str | None, ms: int | None) -> None:
    assert milliseconds(text) == ms
