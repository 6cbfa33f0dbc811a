"""Checkpoints of a journal in SQLite's WAL mode, beside its commits instead of within them.

A commit that has to checkpoint first copies thousands of pages and waits for the disk twice: what
is urgent would wait with it. So a thread with a connection of its own copies what was committed,
again and again; it never holds up a writer. What it cannot do is end: while there are commits the
WAL always holds a few pages more. Once the WAL has grown to `WAL_PAGES`, the committer itself
copies those few after a commit of its own, and the WAL begins anew.

Nothing depends on a checkpoint but the WAL's size: one that fails is tried again with the next.
"""

import queue
import sqlite3
import threading
from contextlib import suppress

WAL_PAGES = 4_000
EVERY_COMMITS = 256


class Checkpoints:
    """See the module's docstring. `db` is closed by the thread; the committer has its own."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._commits = 0
        self._grown = False
        self._asked: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="journal-checkpoint", daemon=True)
        self._thread.start()

    def committed(self, db: sqlite3.Connection) -> None:
        """After each commit, in the committer's thread and with its connection."""
        if self._grown:
            self._grown = False
            with suppress(sqlite3.Error):
                db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        self._commits += 1
        if self._commits % EVERY_COMMITS == 0 and self._asked.empty():
            self._asked.put(True)

    def close(self) -> None:
        """After the last commit; waits for a checkpoint under way."""
        self._asked.put(False)
        self._thread.join()

    def _run(self) -> None:
        while self._asked.get():
            with suppress(sqlite3.Error):
                found = self._db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
                self._grown = found[1] >= WAL_PAGES
        self._db.close()
