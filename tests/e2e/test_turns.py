"""Model and judge that must not be up at once: few large chunks, and between two of them one makes room."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from gate_run import GATES, Outcome, Rig
from judge_replay import JudgeReplay
from policy import BUDGETS, policy
from replay import GoldReplay
from turn_hosts import ERRORS

from clinhallu_gate.testing import ScriptedServer

TURN = ["planted up", "planted down", "judge up", "judge down"]
Servers = tuple[ScriptedServer, ScriptedServer]


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    """Model and judge behind addresses: what is hosted in their place says the same."""
    with (
        ScriptedServer(reply=GoldReplay(ERRORS), model="planted") as model,
        ScriptedServer(reply=JudgeReplay(), model="judge") as judge,
    ):
        yield model, judge


def gate(rig: Rig, servers: Servers, store: Path, *args: str, turns: Path | None = None) -> Outcome:
    """Gate the model by the judge; with ``turns`` both are hosted, one at a time, and the file tells of it."""
    model, judge = servers
    by = ("--judge", "judge", "--judge-endpoint", judge.base_url, "--judge-revision", "1", "--store", str(store))
    served = ("--endpoint", model.base_url, "--model", "planted", "--model-revision", "1", "--data", "phantom")
    hosted = ("-p", "turn_hosts") if turns else ()
    return rig.run(*GATES, *served, *by, *args, *hosted, env={"TURNS": str(turns)})


@pytest.fixture(scope="module")
def side_by_side(rig: Rig, servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """Both are there all the time, and the gates look at every 32 instances."""
    return gate(rig, servers, tmp_path_factory.mktemp("beside") / "store.sqlite", *policy(rig, *BUDGETS))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the hosted servers' replies are kept."""
    return tmp_path_factory.mktemp("turns") / "store.sqlite"


@pytest.fixture(scope="module")
def in_turn(rig: Rig, servers: Servers, store: Path) -> tuple[Outcome, list[str]]:
    """The same run with both hosted, and who came and went."""
    before, turns = [server.requests for server in servers], store.with_name("turns")
    outcome = gate(rig, servers, store, *policy(rig, *BUDGETS), turns=turns)
    assert [server.requests for server in servers] == before, "what is hosted is not asked elsewhere"
    return outcome, turns.read_text().splitlines()


def test_one_makes_room_for_the_other(in_turn: tuple[Outcome, list[str]]) -> None:
    """Two chunks decide every gate: each is written by one server of the model and judged by one of the judge."""
    outcome, turns = in_turn
    assert outcome.status == 0, outcome.out
    assert outcome.decision["judge_examination"]["fit"]
    assert turns == TURN * 2


def test_how_often_gates_look_decides_nothing(in_turn: tuple[Outcome, list[str]], side_by_side: Outcome) -> None:
    """The blocking gates stop where they do side by side, to the instance; what was asked in vain differs."""
    for ours, theirs in zip(in_turn[0].decision["gates"], side_by_side.decision["gates"], strict=True):
        if ours["severity"] == "blocking":
            assert ours == theirs
    assert in_turn[0].decision["early_stop"]["seed"] == side_by_side.decision["early_stop"]["seed"]
    assert in_turn[0].decision["early_stop"]["asked"] == 60


def test_a_repetition_starts_no_server(
    rig: Rig, servers: Servers, store: Path, in_turn: tuple[Outcome, list[str]], tmp_path: Path
) -> None:
    """Everything is in the store, so neither comes up."""
    again = gate(rig, servers, store, *policy(rig, *BUDGETS), turns=tmp_path / "turns")
    assert not (tmp_path / "turns").exists()
    assert (again.folder / "decision.json").read_bytes() == (in_turn[0].folder / "decision.json").read_bytes()


def test_to_the_end_there_are_four_turns(rig: Rig, servers: Servers, store: Path, tmp_path: Path) -> None:
    """A gate that stays open is looked at four times, the chunks growing; without early stopping there is one turn."""
    close, turns = policy(rig, "{metric: visual_hallucination_rate, max: 0.11}"), tmp_path / "turns"
    early = gate(rig, servers, store, *close, "--fresh", turns=turns)
    assert turns.read_text().splitlines() == TURN * 4
    assert early.decision["gates"][0]["method"] == "complete_list"
    turns.unlink()
    whole = gate(rig, servers, store, *close, "--fresh", "--no-early-stop", turns=turns)
    assert turns.read_text().splitlines() == TURN
    assert whole.decision["gates"] == early.decision["gates"]
