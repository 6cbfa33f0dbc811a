"""The journal's tables on Cassandra: the same as on SQLite, with keys for several regions.

Each placement group has a keyspace with the tables of its homes (`OF_HOMES`); what is no home's
own stands in the main one (`OF_ALL`). A table whose rows are only added has one TTL and
TimeWindowCompactionStrategy, so that whole files expire; no window stands in a key. What its owner
overwrites, and what is under compare-and-set, is compacted by levels. Shard rows, forced ownership
and rows that cores agree on never expire: there are few, and nobody would write them again.

- `log_rows`: see PROTOCOL.md 2. `log_heads` names the newest partition of a log; its timestamp is
  the row's number, so that the highest stays in whatever order they come.
- `by_id`: the stamp stands in the key, so an earlier row that comes late hides nothing; the reader
  takes what counts (`sync.by_id.latest`).
- `open_set` has an entry by its id, where the owner replaces it; `open_due` has their order. Both
  have the same partition key, so that one mutation writes both.
- `keys`, `provider_segments` and `views` have the moment of writing in the key: of rows that are
  written once the earliest counts, whatever is written again later.
- `entities` are under compare-and-set; see `entities` and `entity_changes` for the others.
- `leases`, `shards`: `force` is the force number that has them for itself, 0 for all others.
"""

VERSION = 1
TTL_S = 45 * 86_400
WINDOWS = 45  # files that a table has at least, once it is as old as its TTL
GRACE_S = 86_400  # nothing is deleted, so this only has to be longer than hints are kept

OF_HOMES = {
    "log_rows": "log text, part bigint, row bigint, body blob, PRIMARY KEY ((log, part), row)",
    "log_heads": "home text, log text, row bigint, PRIMARY KEY ((home), log)",
    "by_id": "part text, id text, epoch bigint, stamp bigint, body blob, "
    "PRIMARY KEY ((part), id, epoch, stamp)",
    "open_set": "home text, bucket bigint, shard int, id text, epoch bigint, due_ms bigint, "
    "body blob, PRIMARY KEY ((home, bucket, shard), id, epoch)",
    "open_due": "home text, bucket bigint, shard int, due_ms bigint, id text, "
    "PRIMARY KEY ((home, bucket, shard), due_ms, id)",
    "floors": "home text, owner text, body blob, PRIMARY KEY ((home), owner)",
    "shards": "home text, force bigint, shard int, owner text, epoch bigint, "
    "PRIMARY KEY ((home, force), shard)",
}
OF_ALL = {
    "meta": "one int, name text, value text, PRIMARY KEY ((one), name)",
    "registry": "one int, incarnation text, body blob, PRIMARY KEY ((one), incarnation)",
    "leases": "incarnation text, force bigint, body blob, PRIMARY KEY ((incarnation, force))",
    "lease_names": "force bigint, incarnation text, PRIMARY KEY ((force), incarnation)",
    "forced": "one int, number bigint, alone boolean, regions text, "
    "PRIMARY KEY ((one), number, alone, regions)",
    "agreed": "name text, body blob, PRIMARY KEY ((name))",
    "entities": "kind text, id text, version bigint, deleted boolean, body blob, written text, "
    "PRIMARY KEY ((kind, id))",
    "entity_names": "kind text, id text, PRIMARY KEY ((kind), id)",
    "entity_feed": "writer text, seq bigint, kind text, id text, version bigint, "
    "PRIMARY KEY ((writer), seq)",
    "entity_heads": "one int, writer text, seq bigint, PRIMARY KEY ((one), writer)",
    "keys": "tenant text, key text, at_us bigint, body blob, PRIMARY KEY ((tenant, key), at_us)",
    "provider_segments": "account text, bucket bigint, at_us bigint, writer text, seq bigint, "
    "body blob, PRIMARY KEY ((account, bucket), at_us, writer, seq)",
    "pending": "account text, provider_id text, digest blob, body blob, "
    "PRIMARY KEY ((account), provider_id, digest)",
    "views": "part text, kinds set<text> static, kind text, at_ms bigint, writer text, seq bigint, "
    "at_us bigint, body blob, PRIMARY KEY ((part), kind, at_ms, writer, seq, at_us)",
}
ORDER = {
    "provider_segments": "at_us DESC, writer ASC, seq ASC",
    "views": "kind ASC, at_ms DESC, writer DESC, seq DESC, at_us ASC",
}
ONLY_ADDED = frozenset(
    (
        *("log_rows", "by_id", "open_set", "open_due", "keys", "provider_segments", "pending"),
        *("views", "entity_feed"),
    )
)
NEVER_EXPIRING = frozenset(("shards", "meta", "forced", "agreed", "entities", "entity_names"))
# Longer than hints are kept; whoever was away longer starts anew and reads everything.
TTLS_S = {"entity_feed": 86_400, "entity_heads": 86_400}


def statements(
    keyspace: str, replication: dict[str, int], ttl_s: int = TTL_S, main: bool = True
) -> list[str]:
    """What makes a keyspace and its tables, in order; each does nothing where it was done.

    `main` is the keyspace of what is no home's own; those of further placement groups lack that.
    """
    tables = {**OF_HOMES, **(OF_ALL if main else {})}
    made = [
        create_table(keyspace, name, columns, TTLS_S.get(name, ttl_s))
        for name, columns in tables.items()
    ]
    return [create_keyspace(keyspace, replication), *made]


def create_keyspace(keyspace: str, counts: dict[str, int]) -> str:
    """A keyspace with so many replicas in each datacentre."""
    replicas = "".join(f", '{name}': {count}" for name, count in sorted(counts.items()))
    return (
        f"CREATE KEYSPACE IF NOT EXISTS {keyspace} WITH replication = "
        f"{{'class': 'NetworkTopologyStrategy'{replicas}}} AND durable_writes = true"
    )


def create_table(keyspace: str, table: str, columns: str, ttl_s: int) -> str:
    """A table with what its kind needs."""
    wanted = [
        "read_repair = 'BLOCKING'",
        # A replica that is frozen and not yet known to be down is not waited for.
        "speculative_retry = 'MIN(99p,100ms)'",
    ]
    if table in ORDER:
        wanted.append(f"CLUSTERING ORDER BY ({ORDER[table]})")
    if table not in NEVER_EXPIRING:
        wanted.append(f"default_time_to_live = {ttl_s}")
    if table in ONLY_ADDED:
        minutes = max(1, ttl_s // 60 // WINDOWS)
        wanted.append(f"gc_grace_seconds = {min(GRACE_S, ttl_s)}")
        wanted.append(
            "compaction = {'class': 'TimeWindowCompactionStrategy', "
            f"'compaction_window_unit': 'MINUTES', 'compaction_window_size': {minutes}}}"
        )
    else:
        wanted.append("compaction = {'class': 'LeveledCompactionStrategy'}")
    return f"CREATE TABLE IF NOT EXISTS {keyspace}.{table} ({columns}) WITH " + " AND ".join(wanted)
