"""The store in one SQLite file, shared by runs and safe for several processes at once."""

import sqlite3
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Self, TypeAlias

from clinhallu_gate.errors import EvaluationFailed
from clinhallu_gate.records import Attempt, Call, Completion
from clinhallu_gate.store.schema import connect

#: So many replies or attempts are written at once; the engine flushes fewer after a moment.
BATCH: Final = 256

_Row: TypeAlias = tuple[str | int | float | None, ...]
_COLUMNS: Final = "text, finish_reason, prompt_tokens, completion_tokens, cached_tokens, latency_s, refused"
_GET: Final = f"SELECT {_COLUMNS} FROM replies WHERE key = ? AND id > ?"  # noqa: S608 - constants only
#: The first finished reply wins, so that asking until an answer pleases is impossible.
_PUT: Final = f"INSERT OR IGNORE INTO replies (key, label, at, {_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?)"  # noqa: S608
_LOG: Final = "INSERT INTO attempts (key, label, at, error, status, latency_s) VALUES (?,?,?,?,?,?)"


class SqliteStore:
    """Implements ``ports.Store``. Use as a context manager, or ``close`` at the end.

    Write-ahead logging with ``synchronous=NORMAL``: what was flushed survives SIGKILL at any point, and the file opens
    again. (After a power cut the last moments may be missing, never more.) Keep it on a local disk. Not for use from
    two threads at once.

    Args:
        path: The file; made, with its folder, if it is not there. Always of mode 0600, as replies may quote patients.
        fresh: Ask anew: a reply that was there at the opening is not returned, and a new one replaces it.

    Raises:
        BadInput: The file cannot be made, written, or is no store of this version.
    """

    def __init__(self, path: Path | str, *, fresh: bool = False) -> None:
        self.path = Path(path)
        self._db = connect(self.path)
        newest = self._db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'replies'").fetchone()
        self._hidden: int = newest[0] if fresh and newest else 0
        """Replies with ids up to this one are not seen."""
        self._replies: dict[str, tuple[Call, Completion, float]] = {}
        self._attempts: list[tuple[Call, Attempt, float]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Flush, and close the file."""
        try:
            self.flush()
        finally:
            self._db.close()

    def __len__(self) -> int:
        """Return the number of finished replies in the file, flushed by whomever."""
        found: int = self._db.execute("SELECT count(*) FROM replies WHERE id > ?", (self._hidden,)).fetchone()[0]
        return found

    def get(self, key: str) -> Completion | None:
        """Return the finished reply to the call with this address, if there is one."""
        waiting = self._replies.get(key)
        if waiting is not None:
            return waiting[1]
        try:
            row = self._db.execute(_GET, (key, self._hidden)).fetchone()
        except sqlite3.Error as error:
            raise EvaluationFailed(f"{self.path}: the store cannot be read: {error}") from error
        if row is None:
            return None
        text, finish_reason, asked, said, cached, latency_s, refused = row
        return Completion(text, finish_reason, asked, said, cached, latency_s, refused=bool(refused))

    def put(self, call: Call, completion: Completion) -> None:
        """Keep a finished reply (durable after the next flush), unless there is one."""
        self._replies.setdefault(call.key, (call, completion, time.time()))
        if len(self._replies) >= BATCH:
            self.flush()

    def log(self, call: Call, attempts: Iterable[Attempt]) -> None:
        """Keep what the transport did, apart from results."""
        now = time.time()
        self._attempts.extend((call, attempt, now) for attempt in attempts)
        if len(self._attempts) >= 4 * BATCH:  # normally the replies' batch takes them along
            self.flush()

    def flush(self) -> None:
        """Make everything put so far durable. Raises ``EvaluationFailed`` if it cannot be written."""
        if not self._replies and not self._attempts:
            return
        try:
            self._write()
        except sqlite3.Error as error:
            raise EvaluationFailed(f"{self.path}: cannot be written: {error}") from error
        self._replies.clear()
        self._attempts.clear()

    def _write(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            if self._hidden:
                outdated = [(key, self._hidden) for key in self._replies]
                self._db.executemany("DELETE FROM replies WHERE key = ? AND id <= ?", outdated)
            self._db.executemany(_PUT, (_reply_row(*reply) for reply in self._replies.values()))
            self._db.executemany(_LOG, (_attempt_row(*attempt) for attempt in self._attempts))
            self._db.execute("COMMIT")
        finally:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")

    def attempts(self, key: str) -> list[Attempt]:
        """Return what the transport did for the call with this address, in order, all runs together."""
        rows = self._db.execute("SELECT error, status, latency_s FROM attempts WHERE key = ? ORDER BY id", (key,))
        return [Attempt(*row) for row in rows]


def _reply_row(call: Call, reply: Completion, at: float) -> _Row:
    numbers = reply.prompt_tokens, reply.completion_tokens, reply.cached_tokens, reply.latency_s, int(reply.refused)
    return call.key, call.label, at, reply.text, reply.finish_reason, *numbers


def _attempt_row(call: Call, attempt: Attempt, at: float) -> _Row:
    return call.key, call.label, at, attempt.error, attempt.status, attempt.latency_s
