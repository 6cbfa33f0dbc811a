"""Rules about the cluster as a whole: datacentres, replicas, our keyspaces and their schema."""

from collections.abc import Iterator, Mapping

from sync.store.cassandra.check.seen import Finding, Rule, Seen, Wanted

REPLICAS_IN_PRODUCTION = 3
DATACENTERS_IN_PRODUCTION = 3


def _datacenters(seen: Seen, wanted: Wanted) -> Iterator[Finding]:
    nodes: dict[str, int] = {}
    for node in seen.nodes:
        nodes[node.datacenter] = nodes.get(node.datacenter, 0) + 1
    known = ", ".join(sorted(nodes))
    asked = {(name, count) for each in wanted.keyspaces.values() for name, count in each.items()}
    for name, count in sorted(asked):
        if name not in nodes:
            yield Finding(
                *("refuse", "datacenter_unknown", name),
                f"the cluster has no datacentre {name}; it has {known}",
                "Correct [cassandra] replication; a datacentre has the name of its region.",
            )
        elif count > nodes[name]:
            yield Finding(
                *("refuse", "replication_too_large", name),
                f"{count} replicas are wanted, and the datacentre has {nodes[name]} nodes",
                f"Add nodes, or lower {name} in [cassandra] replication.",
            )
    if wanted.region not in {name for name, _ in asked}:
        yield Finding(
            *("refuse", "region_without_replicas", wanted.region),
            f"[cassandra] replication keeps nothing in this region ({wanted.region})",
            "Add it there; a datacentre has the name of its region.",
        )


def _replication(_: Seen, wanted: Wanted) -> Iterator[Finding]:
    for keyspace, counts in wanted.keyspaces.items():
        few = [name for name, count in sorted(counts.items()) if count < REPLICAS_IN_PRODUCTION]
        if few and wanted.production:
            yield Finding(
                *("refuse", "replication_small", keyspace),
                f"fewer than {REPLICAS_IN_PRODUCTION} replicas in {', '.join(few)}: one node that "
                "fails takes its region's majority with it",
                "Raise [cassandra] replication; for a trial set [cassandra] production to false.",
            )
        if len(counts) < DATACENTERS_IN_PRODUCTION and wanted.production:
            yield Finding(
                *("warn", "few_datacenters", keyspace),
                f"replicas in {len(counts)} datacentres: only with {DATACENTERS_IN_PRODUCTION} or "
                "more a majority is left when one is lost",
                "Add a datacentre, or know that what is `global` waits for the lost one.",
            )


def _keyspaces(seen: Seen, wanted: Wanted) -> Iterator[Finding]:
    for name, counts in wanted.keyspaces.items():
        found = seen.keyspaces.get(name)
        if found is None:
            continue
        if dict(found.replication) != dict(counts):
            yield Finding(
                *("refuse", "replication_differs", name),
                f"the keyspace is replicated as {_shown(found.replication)}, the settings say "
                f"{_shown(counts)}",
                "Correct [cassandra] replication. To change a cluster's replication, change one "
                "replica at a time, with rebuild and repair (Paxos too) in between.",
            )
        if not found.durable_writes:
            yield Finding(
                *("refuse", "durable_writes", name),
                "durable_writes is false: nothing reaches the commit log",
                f"ALTER KEYSPACE {name} WITH durable_writes = true.",
            )
        for table, repair in sorted(found.read_repair.items()):
            if repair.upper() != "BLOCKING":
                yield Finding(
                    *("refuse", "read_repair", f"{name}.{table}"),
                    f"read_repair is {repair}: what one reader saw, the next may not see",
                    f"ALTER TABLE {name}.{table} WITH read_repair = 'BLOCKING'.",
                )


def _schema(seen: Seen, wanted: Wanted) -> Iterator[Finding]:
    there, known = seen.version, wanted.version
    if there == known or (there is None and wanted.purpose == "init"):
        return
    if there is None:
        what, mend = "the tables are not there", "`goutong store init` makes them."
    elif there > known:
        what = f"the tables are of schema {there}, this program knows {known}"
        mend = "Start the newer release of GouTong that made them."
    elif wanted.purpose == "upgrade":
        return
    else:
        what = f"the tables are of schema {there}, this program needs {known}"
        mend = "`goutong store upgrade` brings them there."
    yield Finding("refuse", "schema", ", ".join(wanted.keyspaces), what, mend)


def _shown(counts: Mapping[str, int]) -> str:
    return ",".join(f"{name}={count}" for name, count in sorted(counts.items())) or "nothing"


RULES: tuple[Rule, ...] = (
    _datacenters,
    _replication,
    _keyspaces,
    _schema,
)
