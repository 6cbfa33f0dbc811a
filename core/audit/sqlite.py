"""Reading a data folder's journal for an audit, without its processes or beside them."""

import sqlite3
from pathlib import Path

from core.audit.judge import Found
from core.stores import JOURNAL
from sync.store.port import StoreError


def read(data: Path) -> Found:
    """All that the journal has, as of one moment; StoreError if there is no readable one."""
    path = data / JOURNAL
    if not path.exists():
        raise StoreError(f"there is no journal in {data}; is this a data folder of `goutong up`?")
    found = Found()
    try:
        db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
        db.execute("BEGIN")
        for home, body in db.execute("SELECT home, body FROM floors"):
            found.floor(home, body)
        for log, row, body in db.execute("SELECT log, row, body FROM log_rows ORDER BY log, row"):
            found.log_row(log, row, body)
        for message_id, epoch, body in db.execute("SELECT id, epoch, body FROM by_id"):
            found.by_id(message_id, epoch, body)
        for message_id, bucket in db.execute("SELECT id, MAX(bucket) FROM open_set GROUP BY id"):
            found.open_entry(message_id, bucket)
    except sqlite3.Error as error:
        raise StoreError(f"the journal in {data} cannot be read: {error}") from error
    return found
