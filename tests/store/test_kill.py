"""A store whose writer is killed at any moment."""

import json
import subprocess
import sys
from pathlib import Path

KILLS = 20
#: Forks writers, one after the other, that go on where the store ends and tell after each flush what is durable; kills
#: each at a random moment; prints what was told and what is found. A process of its own, so that forking is cheap.
KILLER = """
import json, os, random, signal, sys, time
from dataclasses import replace
from clinhallu_gate.store import SqliteStore
from clinhallu_gate.testing import a_call, a_completion

path, draw, call, reply = sys.argv[1], random.Random(7), a_call(), a_completion("reply " * 200)

def write(told, batch):
    store = SqliteStore(path)
    n = len(store)
    while True:
        os.write(told, b"%d\\n" % n)
        for n in range(n + 1, n + 1 + batch):
            store.put(replace(call, key=str(n)), reply)
        store.flush()

for _ in range(int(sys.argv[2])):
    reader, writer = os.pipe()
    batch, moment = draw.choice([3, 50, 400]), draw.uniform(0.0, 0.08)
    child = os.fork()
    if child == 0:
        os.close(reader)
        write(writer, batch)
    os.close(writer)
    up = os.read(reader, 1)
    time.sleep(moment)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with open(reader, "rb") as pipe:
        lines = (up + pipe.read()).splitlines(keepends=True)
    told = [int(line) for line in lines if line.endswith(b"\\n")]
    with SqliteStore(path) as store:
        kept = len(store)
        sound = store._db.execute("PRAGMA integrity_check").fetchone()[0]
        last = kept == 0 or store.get(str(kept)) == reply
    print(json.dumps({"told": max(told, default=0), "kept": kept, "sound": sound, "last": last}))
"""


def test_what_was_flushed_survives_sigkill(tmp_path: Path) -> None:
    """Killed twenty times at random points: the file opens, nothing flushed is missing, and nothing is half there."""
    command = [sys.executable, "-c", KILLER, str(tmp_path / "store.sqlite"), str(KILLS)]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    kills = [json.loads(line) for line in found.stdout.splitlines()]
    assert (found.stderr, len(kills)) == ("", KILLS)
    for kill in kills:
        assert kill["kept"] >= kill["told"]
        assert (kill["sound"], kill["last"]) == ("ok", True)
    assert kills[-1]["kept"] > KILLS
