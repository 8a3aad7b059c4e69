"""The same run again, and the same run over xdist: one evaluation, one decision."""

from pathlib import Path

import pytest
from gate_run import GATES, Outcome, Rig, gated
from replay import GoldReplay, errors_at

from clinhallu_gate.testing import ScriptedServer
from clinhallu_gate.vocabulary import ANSWER, Stage

VR, KR, RI = Stage
ERRORS = errors_at({VR: 0.2, KR: 0.1, RI: 0.05, ANSWER: 0.2})
#: The first two start from empty stores; the others from that of the second.
WAYS = {"plain": (), "n2": ("-n", "2"), "n0": ("-n", "0"), "no-xdist": ("-p", "no:xdist")}


@pytest.fixture(scope="module")
def whole(rig: Rig, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Outcome, int]]:
    """All gates and one suite in each way, and the number of requests that each way made."""
    stores = tmp_path_factory.mktemp("stores")
    found: dict[str, tuple[Outcome, int]] = {}
    with ScriptedServer(reply=GoldReplay(ERRORS), model="again") as server:
        for name, args in WAYS.items():
            before = server.requests
            store = ("--store", str(stores / ("first" if name == "plain" else "second")))
            outcome = rig.gate(server, "suites/test_visual_recognition.py", *GATES[1:], *args, *store)
            found[name] = outcome, server.requests - before
        assert set(server.stats().counts.values()) == {2}, "each call once per store"
    return found


def test_a_repetition_asks_nothing(whole: dict[str, tuple[Outcome, int]]) -> None:
    """From an empty store each call is made once, by the controller where there are workers; then none."""
    requests = {name: asked for name, (_, asked) in whole.items()}
    assert requests["plain"] == requests["n2"] > 700
    assert requests["n0"] == requests["no-xdist"] == 0


@pytest.mark.parametrize("way", [name for name in WAYS if name != "plain"])
def test_every_way_gives_the_same_bytes(whole: dict[str, tuple[Outcome, int]], way: str) -> None:
    """``decision.json`` is the same to the byte, and so are verdicts, counts of tests and exit status."""
    first, other = whole["plain"][0], whole[way][0]
    assert (other.folder / "decision.json").read_bytes() == (first.folder / "decision.json").read_bytes()
    assert other.verdicts == first.verdicts
    assert other.counts == first.counts
    assert other.status == first.status == 0
    assert (other.err, other.left) == ("", ())


def test_the_counts_are_those_of_the_verdicts(whole: dict[str, tuple[Outcome, int]]) -> None:
    """A hallucinated instance is xfailed, and so is an advisory gate that did not pass; nothing fails."""
    outcome = whole["plain"][0]
    advisory = sum(gate["severity"] == "advisory" and gate["decision"] != "PASS" for gate in outcome.decision["gates"])
    assert outcome.counts == {"passed": 240 - 48 + 7 - advisory, "xfailed": 48 + advisory}


def test_nothing_stays_in_the_temporary_folder(rig: Rig, whole: dict[str, tuple[Outcome, int]]) -> None:
    """What controller and workers talk through is gone."""
    assert whole
    assert list((rig.root / "tmp").glob("clinhallu-gate-*")) == []


def test_fresh_asks_anew_and_says_so(rig: Rig, tmp_path: Path) -> None:
    """``--fresh`` makes every call again, and manifest and report do not hide it."""
    store = ("--store", str(tmp_path / "store.sqlite"), "--limit", "8")
    with ScriptedServer(reply=GoldReplay(), model="fresh") as server:
        rig.gate(server, GATES[0], *store)
        outcome = rig.gate(server, GATES[0], *store, "--fresh")
        assert server.requests == 16
    assert outcome.manifest["fresh"] is True
    assert "asked for anew" in (outcome.folder / "summary.md").read_text()


def test_an_endpoint_without_a_revision_shares_nothing(rig: Rig) -> None:
    """A mere name says nothing of tomorrow's replies: they stay in the run's own folder, and the report says so."""
    with ScriptedServer(reply=GoldReplay(), model="nameless") as server:
        args = (GATES[0], "--endpoint", server.base_url, "--data", "phantom", "--judge", "oracle", "--limit", "8")
        shared = rig.root / "shared.sqlite"
        for _ in range(2):
            outcome = rig.run(*args, "--thresholds", "thresholds/phantom.yaml", "--store", str(shared))
        assert server.requests == 16
    assert (outcome.folder / "store.sqlite").exists()
    assert not shared.exists()
    assert "--store was not used" in (outcome.folder / "summary.md").read_text()


def test_a_step_summary_that_cannot_be_written_changes_nothing(rig: Rig, tmp_path: Path) -> None:
    """The run is whole and decided, its exit status its own, and one line says what could not be written."""
    with ScriptedServer(reply=GoldReplay()) as server:
        more = ("--store", str(tmp_path / "store.sqlite"))
        nowhere = {"GITHUB_STEP_SUMMARY": str(tmp_path / "none" / "summary.md")}
        outcome = rig.run(*GATES, *gated(server), *more, env=nowhere)
        (tmp_path / "summary.md").write_text("before\n")
        written = rig.run(*GATES, *gated(server), *more, env={"GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md")})
    assert (outcome.status, outcome.decision["decision"]) == (0, "PASS")
    assert outcome.err.startswith(f"$GITHUB_STEP_SUMMARY: {tmp_path}/none/summary.md cannot be written: No such file")
    assert (written.status, written.err) == (0, "")
    assert (tmp_path / "summary.md").read_text().startswith("before\n## RELEASED")


def test_trying_again_is_not_silent(rig: Rig, tmp_path: Path) -> None:
    """A run of the same model on the same data names the one before, in terminal, report and manifest."""
    with ScriptedServer(reply=GoldReplay(ERRORS), model="twice") as server:
        store = ("--store", str(tmp_path / "store.sqlite"))
        first = rig.gate(server, GATES[0], *store, "--run-dir", str(rig.root / "reports" / "twice" / "first"))
        second = rig.gate(server, GATES[0], *store)
    note = "this model was held against these data before: an earlier run, first (no decision)"
    assert note in " ".join(second.out.split())
    assert note in (second.folder / "report.html").read_text()
    assert second.manifest["earlier"] == ["first (no decision)"]
    assert "held against these data before" not in first.out
    assert (first.folder / "decision.json").read_bytes() == (second.folder / "decision.json").read_bytes()
