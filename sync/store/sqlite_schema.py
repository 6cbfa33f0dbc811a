"""The journal's tables on SQLite: the same tables as on any store."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from sync.store.port import StoreError

VERSION = 6
UPGRADED = ("2", "3", "4", "5")  # what lacks tables that `TABLES` adds, or `LATER` columns

TABLES = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS log_rows (log TEXT NOT NULL, row INTEGER NOT NULL, body BLOB NOT NULL,
  at_s INTEGER NOT NULL);
CREATE UNIQUE INDEX IF NOT EXISTS log_rows_key ON log_rows (log, row);
CREATE TABLE IF NOT EXISTS by_id (part TEXT NOT NULL, id TEXT NOT NULL, epoch INTEGER NOT NULL,
  body BLOB NOT NULL, at_s INTEGER NOT NULL, stamp INTEGER NOT NULL);
CREATE UNIQUE INDEX IF NOT EXISTS by_id_key ON by_id (id, epoch);
CREATE TABLE IF NOT EXISTS open_set (home TEXT NOT NULL, shard INTEGER NOT NULL,
  bucket INTEGER NOT NULL, id TEXT NOT NULL, epoch INTEGER NOT NULL, due_ms INTEGER NOT NULL,
  body BLOB NOT NULL, at_s INTEGER NOT NULL);
CREATE UNIQUE INDEX IF NOT EXISTS open_set_key ON open_set (home, bucket, shard, id, epoch);
CREATE INDEX IF NOT EXISTS open_set_due ON open_set (home, bucket, due_ms, id);
CREATE TABLE IF NOT EXISTS floors (home TEXT NOT NULL, owner TEXT NOT NULL, body BLOB NOT NULL,
  at_s INTEGER NOT NULL);
CREATE UNIQUE INDEX IF NOT EXISTS floors_key ON floors (home, owner);
CREATE TABLE IF NOT EXISTS keys (tenant TEXT NOT NULL, key TEXT NOT NULL, body BLOB NOT NULL,
  at_s INTEGER NOT NULL);
CREATE UNIQUE INDEX IF NOT EXISTS keys_key ON keys (tenant, key);
CREATE TABLE IF NOT EXISTS provider_segments (account TEXT NOT NULL, bucket INTEGER NOT NULL,
  writer TEXT NOT NULL, seq INTEGER NOT NULL, body BLOB NOT NULL, at_s INTEGER NOT NULL);
CREATE UNIQUE INDEX IF NOT EXISTS provider_segments_key
  ON provider_segments (account, bucket, writer, seq);
CREATE TABLE IF NOT EXISTS pending (account TEXT NOT NULL, provider_id TEXT NOT NULL,
  body BLOB NOT NULL, at_s INTEGER NOT NULL);
CREATE UNIQUE INDEX IF NOT EXISTS pending_key ON pending (account, provider_id, body);
CREATE TABLE IF NOT EXISTS views (part TEXT NOT NULL, kind TEXT NOT NULL, at_ms INTEGER NOT NULL,
  writer TEXT NOT NULL, seq INTEGER NOT NULL, body BLOB NOT NULL, at_s INTEGER NOT NULL);
CREATE UNIQUE INDEX IF NOT EXISTS views_key ON views (part, kind, at_ms, writer, seq);
CREATE TABLE IF NOT EXISTS registry (incarnation TEXT NOT NULL, region TEXT NOT NULL,
  url TEXT NOT NULL, logs TEXT NOT NULL, at_s INTEGER NOT NULL);
CREATE UNIQUE INDEX IF NOT EXISTS registry_key ON registry (incarnation);
CREATE TABLE IF NOT EXISTS leases (incarnation TEXT NOT NULL, counter INTEGER NOT NULL,
  nonce TEXT NOT NULL, state TEXT NOT NULL, map_version INTEGER NOT NULL, last_rows TEXT NOT NULL,
  at_s INTEGER NOT NULL, replication_version INTEGER NOT NULL DEFAULT 0);
CREATE UNIQUE INDEX IF NOT EXISTS leases_key ON leases (incarnation);
CREATE INDEX IF NOT EXISTS leases_active ON leases (incarnation) WHERE state = 'active';
CREATE TABLE IF NOT EXISTS shards (home TEXT NOT NULL, shard INTEGER NOT NULL, owner TEXT NOT NULL,
  epoch INTEGER NOT NULL, PRIMARY KEY (home, shard)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS serving (one INTEGER PRIMARY KEY CHECK (one = 1), body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS maps (one INTEGER PRIMARY KEY CHECK (one = 1), body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS replication (one INTEGER PRIMARY KEY CHECK (one = 1),
  body BLOB NOT NULL);
"""

# Table, column and kind of what tables got later; they come last in it.
LATER = (("leases", "replication_version", "INTEGER NOT NULL DEFAULT 0"),)

EXPIRING = (
    "log_rows",
    "by_id",
    "open_set",
    "keys",
    "provider_segments",
    "pending",
    "views",
    "registry",
    "floors",
    "leases",
)


def connect(path: Path, busy_timeout_ms: int) -> sqlite3.Connection:
    """One connection; WAL, and a commit is on the disk when it returns."""
    try:
        db = sqlite3.connect(
            path, timeout=busy_timeout_ms / 1000, isolation_level=None, check_same_thread=False
        )
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        db.execute("PRAGMA wal_autocheckpoint=0")
        db.execute("PRAGMA cache_size=-16000")
    except sqlite3.Error as error:
        raise StoreError(f"cannot open the journal {path.name}: {error}") from error
    return db


def create(db: sqlite3.Connection, homes: Sequence[str], shards: int) -> int:
    """Make the tables and the homes' shards where they are not there; the first one's number.

    The number of shards never changes: what the store was made with is what counts. A journal of
    an older version gets the tables and columns that it lacks; one of a version unknown here is
    refused.
    """
    try:
        db.executescript(TABLES)
        db.execute("BEGIN IMMEDIATE")
        db.execute("INSERT OR IGNORE INTO meta VALUES ('version', ?)", (str(VERSION),))
        version = db.execute("SELECT value FROM meta WHERE name='version'").fetchone()[0]
        if version in UPGRADED:
            _add_columns(db)
            version = str(VERSION)
            db.execute("UPDATE meta SET value=? WHERE name='version'", (version,))
        counts = [_shards_of(db, home, shards) for home in homes]
        db.execute("COMMIT")
    except sqlite3.Error as error:
        raise StoreError(f"cannot prepare the journal: {error}") from error
    if version != str(VERSION):
        raise StoreError(
            f"the journal has schema version {version}, this program knows {VERSION}: "
            "start the version that wrote it"
        )
    return counts[0]


def _add_columns(db: sqlite3.Connection) -> None:
    for table, column, kind in LATER:
        there = {row[1] for row in db.execute(f"PRAGMA table_info({table})")}
        if column not in there:
            db.execute(f"ALTER TABLE {table} ADD COLUMN {column} {kind}")


def _shards_of(db: sqlite3.Connection, home: str, shards: int) -> int:
    name = f"shards.{home}"
    db.execute("INSERT OR IGNORE INTO meta VALUES (?, ?)", (name, str(shards)))
    count = int(db.execute("SELECT value FROM meta WHERE name=?", (name,)).fetchone()[0])
    db.executemany(
        "INSERT OR IGNORE INTO shards VALUES (?, ?, '', 0)", [(home, s) for s in range(count)]
    )
    return count
