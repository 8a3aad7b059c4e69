"""A gate that is killed or interrupted in the middle of its evaluation."""

import os
import random
import signal
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from gate_run import GATES, Outcome, Rig, Started
from replay import FIRST, GoldReplay, instances, read

from clinhallu_gate.testing import Request, ScriptedReply, ScriptedServer
from clinhallu_gate.vocabulary import Arm

KILLS = 20
FEW = ("--concurrency", "4", "-q")
SUBSET = ("--limit", "60", *FEW)
CALLS = 3 * len(instances())
"""``replace_kr`` asks of a model without errors what ``replace_vr_kr`` asks."""


class Watched:
    """Gold replies, and which calls were asked for: uid and first stage, one call each."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, request: Request) -> ScriptedReply:
        """Note the call and answer it."""
        asked = read(request)
        self.asked.append(f"{asked.instance.uid} {asked.first}")
        return GoldReplay()(request)


@pytest.fixture
def slow() -> Iterator[tuple[ScriptedServer, Watched]]:
    """A server that takes 20 ms for a reply."""
    watched = Watched()
    with ScriptedServer(reply=watched, latency=lambda _: 0.02, model="slow") as server:
        yield server, watched


def held(store: Path) -> set[str]:
    """Return the calls whose replies are in the store."""
    if not store.exists():
        return set()
    with sqlite3.connect(store) as db:
        labels = [row[0].split(" ") for row in db.execute("SELECT label FROM replies")]
    db.close()
    return {f"{uid} {FIRST[Arm(arm)]}" for uid, arm in labels}


def wait_for(watched: Watched, calls: int, started: Started) -> None:
    """Return when so many calls were asked, or the run is over."""
    while len(watched.asked) < calls and not started.over():
        time.sleep(0.002)


def test_sigkill_at_twenty_points(rig: Rig, slow: tuple[ScriptedServer, Watched], tmp_path: Path) -> None:
    """Killed twenty times: no rerun asks what the store holds, the last one completes and decides as if unhurt."""
    server, watched = slow
    draw, store = random.Random(5), tmp_path / "store.sqlite"
    before: set[str] = set()
    for _ in range(KILLS):
        watched.asked.clear()
        started = rig.start_gate(server, *GATES, *FEW, "--store", str(store))
        wait_for(watched, draw.randint(1, 20), started)
        time.sleep(draw.uniform(0, 0.06))
        os.kill(started.pid, signal.SIGKILL)
        killed = started.end()
        assert killed.status == -signal.SIGKILL
        assert not (killed.folder / "decision.json").exists()
        assert not before & set(watched.asked), "asked although the store held it"
        assert before <= held(store)
        before = held(store)
    watched.asked.clear()
    last = rig.gate(server, *GATES, *FEW, "--store", str(store))
    assert 0 < len(watched.asked) < CALLS
    assert not before & set(watched.asked)
    assert len(held(store)) == CALLS
    unhurt = rig.gate(server, *GATES, "--store", str(tmp_path / "other.sqlite"))
    assert (last.folder / "decision.json").read_bytes() == (unhurt.folder / "decision.json").read_bytes()
    assert last.verdicts == unhurt.verdicts


@pytest.mark.parametrize("rest", [(), ("-n", "2")], ids=["plain", "xdist"])
def test_ctrl_c_ends_with_2_and_leaves_nothing(
    rig: Rig, slow: tuple[ScriptedServer, Watched], rest: tuple[str, ...]
) -> None:
    """Interrupted while it evaluates: exit status 2, no decision, no process, no folder; what was had is kept."""
    server, watched = slow
    started = rig.start_gate(server, *GATES, *SUBSET, *rest)
    wait_for(watched, 20, started)
    os.killpg(started.pid, signal.SIGINT)
    outcome = started.end()
    assert outcome.status == 2
    assert "KeyboardInterrupt" in outcome.out
    assert "Traceback" not in outcome.out + outcome.err
    assert outcome.left == ()
    assert not (outcome.folder / "decision.json").exists()
    assert list((rig.root / "tmp").glob("clinhallu-gate-*")) == []
    kept = set(watched.asked)
    watched.asked.clear()
    again: Outcome = rig.gate(server, *GATES, *SUBSET)
    assert again.status in (0, 10)
    assert len(kept & set(watched.asked)) <= 4, "no more than was in flight is asked again"
