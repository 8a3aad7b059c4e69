"""The store file: what it keeps, what it refuses, and who may use it at once."""

import multiprocessing
import sqlite3
import stat
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from clinhallu_gate.errors import BadInput, EvaluationFailed
from clinhallu_gate.records import Attempt
from clinhallu_gate.store import SqliteStore
from clinhallu_gate.store.sqlite import BATCH
from clinhallu_gate.testing import MemoryStore, a_call, a_completion


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "reports" / "store.sqlite"


def test_a_reply_comes_back_whole(path: Path) -> None:
    """Every field of a completion survives the file, None and Unicode included."""
    replies = {
        "a": a_completion("β-Läsion\x00", cached_tokens=None, finish_reason="length", latency_s=0.1 + 0.2),
        "b": a_completion("", cached_tokens=0, refused=True),
    }
    with SqliteStore(path) as store:
        for key, reply in replies.items():
            store.put(a_call(key=key), reply)
        assert store.get("a") == replies["a"]
    with SqliteStore(path) as store:
        assert {key: store.get(key) for key in replies} == replies
        assert store.get("c") is None
        assert len(store) == 2


def test_the_first_finished_reply_wins(path: Path) -> None:
    """Neither in one batch, nor in a later run, nor in the memory store does a second reply replace the first."""
    with SqliteStore(path) as store:
        store.put(a_call(key="a"), a_completion("first"))
        store.put(a_call(key="a"), a_completion("second"))
        store.flush()
        store.put(a_call(key="a"), a_completion("third"))
    memory = MemoryStore()
    memory.put(a_call(key="a"), a_completion("first"))
    memory.put(a_call(key="a"), a_completion("second"))
    with SqliteStore(path) as store:
        assert store.get("a") == memory.get("a") == a_completion("first")


def test_fresh_asks_anew_and_replaces(path: Path) -> None:
    """Under ``fresh`` old replies are not seen, the first new one replaces the old, and later runs see the new."""
    with SqliteStore(path) as store:
        for key in "ab":
            store.put(a_call(key=key), a_completion("old"))
    with SqliteStore(path, fresh=True) as store:
        assert (store.get("a"), store.get("b"), len(store)) == (None, None, 0)
        store.put(a_call(key="a"), a_completion("new"))
        store.flush()
        store.put(a_call(key="a"), a_completion("newer"))
        store.flush()
        assert store.get("a") == a_completion("new")
    with SqliteStore(path) as store:
        assert [store.get(key) for key in "ab"] == [a_completion("new"), a_completion("old")]


def test_fresh_sees_what_others_finish_meanwhile(path: Path) -> None:
    """Only what was there at the opening is outdated, even if somebody deleted the newest reply before."""
    with SqliteStore(path) as store:
        store.put(a_call(key="a"), a_completion())
    database = sqlite3.connect(path)
    database.execute("DELETE FROM replies")
    database.commit()
    database.close()
    with SqliteStore(path, fresh=True) as fresh, SqliteStore(path) as other:
        other.put(a_call(key="a"), a_completion("theirs"))
        other.flush()
        assert fresh.get("a") == a_completion("theirs")


def test_attempts_are_logged_apart_from_replies(path: Path) -> None:
    """What the transport did is kept in order, also where no reply came of it."""
    with SqliteStore(path) as store:
        store.log(a_call(key="a"), [Attempt("HTTP 500", 500, 0.5), Attempt("", 200, 1.0)])
        store.flush()
        assert store.get("a") is None
        assert store.attempts("a") == [Attempt("HTTP 500", 500, 0.5), Attempt("", 200, 1.0)]


def test_a_full_batch_is_written_without_a_flush(path: Path) -> None:
    """Others see a batch as soon as it is full; a part of one only after a flush."""
    with SqliteStore(path) as store, SqliteStore(path) as other:
        for n in range(BATCH + 1):
            store.put(a_call(key=str(n)), a_completion())
        assert len(other) == BATCH
        store.flush()
        assert len(other) == BATCH + 1


def test_the_file_is_its_owners_alone(path: Path) -> None:
    """Replies may quote patients: mode 0600 for the file and its companions, also when it was laxer."""
    with SqliteStore(path) as store:
        store.put(a_call(), a_completion())
        store.flush()
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert modes == dict.fromkeys(["store.sqlite", "store.sqlite-wal", "store.sqlite-shm"], 0o600)
    path.chmod(0o644)
    SqliteStore(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_an_empty_file_becomes_a_store(path: Path) -> None:
    """A file that was only touched is as good as none."""
    path.parent.mkdir()
    path.touch()
    with SqliteStore(path) as store:
        assert len(store) == 0


def bad(path: Path) -> str:
    with pytest.raises(BadInput) as caught:
        SqliteStore(path)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{path}: ")
    return message.removeprefix(f"{path}: ")


def as_it_is(path: Path) -> tuple[bytes, int]:
    """Return a file's content and its mode."""
    return path.read_bytes(), stat.S_IMODE(path.stat().st_mode)


def test_what_is_no_store_is_refused(path: Path) -> None:
    """A text file, a directory, another program's database: one line each, and the file is left as it is."""
    path.parent.mkdir()
    path.write_text("question,answer\n" * 100)
    path.chmod(0o644)
    before = as_it_is(path)
    assert bad(path) == "cannot be used as a store: file is not a database"
    assert as_it_is(path) == before
    assert bad(path.parent) == "cannot be opened as a store: unable to open database file"
    foreign = path.parent / "foreign.sqlite"
    database = sqlite3.connect(foreign)
    database.execute("CREATE TABLE patients (name TEXT)")
    database.close()
    foreign.chmod(0o644)
    before = as_it_is(foreign)
    assert bad(foreign) == "is a database of another program, not a store: give another file with --store"
    assert as_it_is(foreign) == before
    assert {file.name for file in path.parent.iterdir()} == {"store.sqlite", "foreign.sqlite"}


def test_another_version_is_refused(path: Path) -> None:
    """A store of a later program is not guessed at."""
    SqliteStore(path).close()
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version = 2")
    database.close()
    assert bad(path) == "is a store of version 2, and this program reads version 1: give another file with --store"


def test_a_place_that_cannot_be_written_is_refused(path: Path) -> None:
    """A folder that is a file, and a file system that takes no files."""
    path.parent.write_text("in the way")
    assert bad(path).startswith("cannot be opened as a store: [Errno 17]")
    assert bad(Path("/proc/clinhallu/store.sqlite")).startswith("cannot be opened as a store: [Errno 2]")


def test_a_write_that_fails_ends_the_run(path: Path) -> None:
    """What cannot be made durable is an error of the evaluation, and nothing is dropped silently."""
    store = SqliteStore(path)
    store.put(a_call(), a_completion())
    store._db.execute("PRAGMA query_only = ON")
    with pytest.raises(EvaluationFailed, match="cannot be written: attempt to write a readonly database"):
        store.flush()
    store._db.execute("PRAGMA query_only = OFF")
    store.close()
    with SqliteStore(path) as again:
        assert len(again) == 1


def _write(path: Path, name: str, count: int, start: Barrier) -> None:
    """Write in a process of its own, one small batch after the other."""
    start.wait(60)
    with SqliteStore(path) as store:
        for n in range(count):
            store.put(a_call(key=str(n), label=name), a_completion(f"{name} {n}"))
            store.log(a_call(key=str(n), label=name), [Attempt("", 200, 0.1)])
            if n % 7 == 0:
                store.flush()


def test_processes_make_and_write_a_store_at_once(path: Path) -> None:
    """Three processes that race for making the tables lose nothing, and each address has one reply."""
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(3)
    writers = [context.Process(target=_write, args=(path, name, 700, start)) for name in ("one", "two", "three")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    with SqliteStore(path) as store:
        assert len(store) == 700
        assert all(len(store.attempts(str(n))) == 3 for n in range(700))
        texts = {store.get(str(n)).text.split()[1] for n in range(700)}  # type: ignore[union-attr]
    assert len(texts) == 700
