"""What each table of the journal needs to keep the protocol's promises."""

from sync.store.cassandra.schema import (
    NEVER_EXPIRING,
    OF_ALL,
    OF_HOMES,
    ONLY_ADDED,
    create_table,
    statements,
)

REPLICAS = {"eu": 3, "us": 3, "ap": 3}
DAY_S = 86_400


def test_rows_that_are_overwritten_or_swapped_are_not_compacted_by_time() -> None:
    tables = {name: create_table("k", name, "", 45 * DAY_S) for name in {**OF_HOMES, **OF_ALL}}
    by_time = {name for name, text in tables.items() if "TimeWindow" in text}
    assert by_time == ONLY_ADDED
    for name in ("floors", "leases", "shards", "agreed", "registry", "forced", "log_heads"):
        assert name not in by_time
    assert all("read_repair = 'BLOCKING'" in text for text in tables.values())


def test_what_nobody_would_write_again_does_not_expire() -> None:
    for name in {**OF_HOMES, **OF_ALL}:
        text = create_table("k", name, "", 45 * DAY_S)
        assert ("default_time_to_live = 3888000" in text) == (name not in NEVER_EXPIRING)
    assert {"shards", "forced", "agreed", "meta"} <= NEVER_EXPIRING


def test_a_table_has_about_as_many_windows_whatever_its_time_to_live() -> None:
    day = create_table("k", "log_rows", "", 45 * DAY_S)
    assert "'compaction_window_unit': 'MINUTES', 'compaction_window_size': 1440" in day
    assert "'compaction_window_size': 1}" in create_table("k", "log_rows", "", 60)


def test_a_further_placement_group_has_the_tables_of_its_homes_only() -> None:
    main, further = statements("k", REPLICAS), statements("g", {"eu": 3}, main=False)
    assert len(main) == 1 + len(OF_HOMES) + len(OF_ALL)
    assert len(further) == 1 + len(OF_HOMES)
    assert "'eu': 3" in further[0]
    assert "'us'" not in further[0]
    assert all("IF NOT EXISTS" in text for text in (*main, *further))
