"""Opening a store file: its tables, its version, and what is said of a file that cannot be one."""

import os
import sqlite3
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from clinhallu_gate.errors import BadInput

#: "CHGS": what SQLite keeps in a file's header to say whose it is.
APPLICATION_ID: Final = 0x43484753
VERSION: Final = 1
#: How long to wait for another process that is writing.
BUSY_S: Final = 30.0
#: A checkpoint waits for the disk, while the engine's loop stands still: at 16 MiB it does so rarely.
CHECKPOINT_PAGES: Final = 4096

# AUTOINCREMENT: an id is never used twice, so that ids tell what was there before a moment.
_TABLES: Final = (
    """CREATE TABLE replies (
        id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, label TEXT NOT NULL, text TEXT NOT NULL,
        finish_reason TEXT NOT NULL, prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL,
        cached_tokens INTEGER, latency_s REAL NOT NULL, refused INTEGER NOT NULL, at REAL NOT NULL) STRICT""",
    """CREATE TABLE attempts (
        id INTEGER PRIMARY KEY, key TEXT NOT NULL, label TEXT NOT NULL, error TEXT NOT NULL, status INTEGER,
        latency_s REAL NOT NULL, at REAL NOT NULL) STRICT""",
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {VERSION}",
)


def connect(path: Path) -> sqlite3.Connection:
    """Open or make the store at ``path``, readable by its owner only.

    Raises ``BadInput`` if it cannot be made or written, is no store, or is one of another version.
    """
    try:
        _make(path)
        connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    except (OSError, sqlite3.Error) as error:
        raise BadInput(f"{path}: cannot be opened as a store: {error}") from error
    try:
        _refuse_what_is_no_store(connection, path)
        path.chmod(0o600)
        _prepare(connection)
    except (OSError, sqlite3.Error) as error:
        connection.close()
        raise BadInput(f"{path}: cannot be used as a store: {error}") from error
    except BadInput:
        connection.close()
        raise
    return connection


def _make(path: Path) -> None:
    """Make an empty file, unless there is one.

    An existing file is not opened here: closing it again would drop the locks that SQLite holds on it elsewhere in
    this process (sqlite.org/howtocorrupt.html, 2.2).
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def _refuse_what_is_no_store(connection: sqlite3.Connection, path: Path) -> None:
    """Raise ``BadInput`` for a file that is not ours, before anything of it is changed."""
    connection.execute("BEGIN")  # one view of it: another process may be making the tables
    owner, version, tables = _whose(connection)
    connection.execute("COMMIT")
    if owner == APPLICATION_ID and version != VERSION:
        raise BadInput(
            f"{path}: is a store of version {version}, and this program reads version {VERSION}: "
            "give another file with --store"
        )
    if owner != APPLICATION_ID and (owner or tables):
        raise BadInput(f"{path}: is a database of another program, not a store: give another file with --store")


def _whose(connection: sqlite3.Connection) -> tuple[int, int, int]:
    """Return the file's application id, its user version and its number of tables, all 0 in an empty one."""
    questions = ("PRAGMA application_id", "PRAGMA user_version", "SELECT count(*) FROM sqlite_master")
    owner, version, tables = (connection.execute(question).fetchone()[0] for question in questions)
    return owner, version, tables


def _prepare(connection: sqlite3.Connection) -> None:
    _write_ahead(connection)
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
    connection.execute("BEGIN IMMEDIATE")
    try:
        if _whose(connection)[0] != APPLICATION_ID:  # looked at again: another process may have made the tables
            for statement in _TABLES:
                connection.execute(statement)
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Switch to WAL. SQLite does not wait here while another process switches, so this does."""
    deadline = time.monotonic() + BUSY_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return
