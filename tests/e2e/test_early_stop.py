"""Early stopping, whole commands: the same decisions for fewer calls, whatever arrives when and whoever is killed."""

import os
import re
import signal
import sqlite3
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from gate_run import CHECKOUT, GATES, Outcome, Rig
from policy import BUDGETS, policy
from replay import GoldReplay, errors_at, instances, read

from clinhallu_gate.cli import main
from clinhallu_gate.gate import Frame
from clinhallu_gate.testing import Fault, Request, ScriptedReply, ScriptedServer
from clinhallu_gate.vocabulary import ANSWER, Stage, Unit

VR, KR, RI = Stage
ERRORS = errors_at({VR: 0.1, KR: 0.05, ANSWER: 0.1})
SUITE = ("suites/test_visual_recognition.py", *GATES[1:])
VISUAL = "visual_hallucination_rate[mean]"
STRATA = {instance.uid: instance.stratum for instance in instances()}


def model(**more: Any) -> ScriptedServer:  # noqa: ANN401 - of the server
    """Return the planted model: by name, revision and data the same one, so always visited in the same order."""
    return ScriptedServer(**{"reply": GoldReplay(ERRORS), "model": "planted", **more})


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedServer]:
    """The model that all tests share, with what is known of it."""
    with model() as server:
        yield server


@pytest.fixture(scope="module")
def stopped(rig: Rig, server: ScriptedServer) -> Outcome:
    """A run that ends when every gate is decided."""
    return rig.gate(server, *SUITE, *policy(rig, *BUDGETS), "-rs")


@pytest.fixture(scope="module")
def full(rig: Rig, server: ScriptedServer, stopped: Outcome) -> Outcome:
    """The same run to its end."""
    assert stopped.status == 0
    return rig.gate(server, *SUITE, *policy(rig, *BUDGETS), "--no-early-stop")


def decided(outcome: Outcome) -> dict[str, tuple[str, int]]:
    """Return decision and n of each gate."""
    return {gate["id"]: (gate["decision"], gate["n"]) for gate in outcome.decision["gates"]}


def blocking(outcome: Outcome) -> dict[str, str]:
    """Return the decision of each blocking gate."""
    return {gate["id"]: gate["decision"] for gate in outcome.decision["gates"] if gate["severity"] == "blocking"}


def gate_of(outcome: Outcome, gate_id: str) -> dict[str, Any]:
    """Return one gate."""
    found: dict[str, Any] = next(gate for gate in outcome.decision["gates"] if gate["id"] == gate_id)
    return found


def calls(outcome: Outcome) -> int:
    """Return how many calls the run needed, the store's among them."""
    return int(outcome.manifest["calls"]["made"] + outcome.manifest["calls"]["from_store"])


def asked(outcome: Outcome) -> set[tuple[str, str, str]]:
    """Return what has a verdict, by uid, arm and part."""
    return {key for key, said in outcome.verdicts.items() if said[0] != "not_asked"}


# --- what it decides -------------------------------------------------------------------------------------------------


def test_the_full_run_decides_the_same_for_more_calls(stopped: Outcome, full: Outcome) -> None:
    """Every blocking gate decides as it does on the complete list, and more than half of the calls are saved."""
    assert blocking(stopped) == blocking(full)
    assert set(blocking(full).values()) == {"PASS"}
    assert (stopped.status, full.status) == (0, 0)
    assert calls(stopped) < calls(full) / 2
    assert calls(full) == 3 * len(instances())


@pytest.mark.parametrize("how", [(), ("-n", "2"), ("-n", "0"), ("-p", "no:xdist")], ids=["plain", "n2", "n0", "none"])
def test_a_repetition_asks_nothing(
    rig: Rig, server: ScriptedServer, stopped: Outcome, full: Outcome, how: tuple[str, ...]
) -> None:
    """Whatever the store has come to hold, the same decision to the byte, the same verdicts and counts of tests."""
    before = server.requests
    again = rig.gate(server, *SUITE, *policy(rig, *BUDGETS), *how)
    assert server.requests == before
    assert full.status == 0, "the store holds every reply by now"
    assert (again.folder / "decision.json").read_bytes() == (stopped.folder / "decision.json").read_bytes()
    assert again.verdicts == stopped.verdicts
    assert (again.counts, again.status, again.err) == (stopped.counts, stopped.status, "")


def test_workers_decide_the_same_from_an_empty_store(rig: Rig, stopped: Outcome, tmp_path: Path) -> None:
    """With two workers the controller stops where a run without workers does."""
    with model() as other:
        outcome = rig.gate(other, *SUITE, *policy(rig, *BUDGETS), "-n", "2", "--store", str(tmp_path / "store.sqlite"))
        assert other.requests == stopped.manifest["calls"]["made"]
    assert (outcome.folder / "decision.json").read_bytes() == (stopped.folder / "decision.json").read_bytes()


# --- what it shows ---------------------------------------------------------------------------------------------------


def test_instances_that_were_not_needed_are_skipped_tests_and_rows(stopped: Outcome) -> None:
    """Each has its reason, in pytest's summary and in ``results.parquet``; the gate itself rests on fewer."""
    rows = {uid: said for (uid, arm, part), said in stopped.verdicts.items() if (arm, part) == ("baseline", VR)}
    skipped = [said for said in rows.values() if said[0] == "not_asked"]
    assert len(rows) == len(instances())
    assert 100 < len(skipped) == stopped.counts["skipped"]
    assert all(said[2] == skipped[0][2] for said in skipped)
    assert str(skipped[0][2]).startswith("early_stop: not needed")
    assert "not asked: early_stop" in stopped.out
    assert gate_of(stopped, VISUAL)["n"] < len(rows) - len(skipped)


def test_everybody_is_told_how_many_were_asked(stopped: Outcome) -> None:
    """Terminal, summary and report say how many instances were asked, and of how many."""
    told = stopped.decision["early_stop"]
    assert (told["of"], told["asked"]) == (240, len({uid for uid, _, _ in asked(stopped)}))
    words = f"early stopping: {told['asked']} of 240 instances were asked"
    texts = [stopped.out, *((stopped.folder / name).read_text() for name in ("summary.md", "report.html"))]
    assert all(words in " ".join(text.split()) for text in texts)
    n = gate_of(stopped, VISUAL)["n"]
    assert f"| {n} of 240 instances |" in texts[1]
    assert stopped.manifest["early_stop"] is True
    assert stopped.manifest["order_seed"] == told["seed"]


def test_limits_are_shown_and_no_estimate(stopped: Outcome) -> None:
    """The mean at the stop is no estimate: gates show the limits of the test that holds at every n.

    And neither a repair nor a group has a figure.
    """
    page = (stopped.folder / "report.html").read_text()
    assert "What each repair is worth" not in page
    assert "Where it is good and bad" not in page
    for gate in stopped.decision["gates"]:
        assert (gate["estimate"], gate["method"], gate["of"]) == (None, "betting", 240)
        low, high = gate["interval"]
        assert low < high
    low, high = gate_of(stopped, VISUAL)["interval"]
    assert 0 < low < 0.1 < high <= 0.3
    assert f"PASS            {VISUAL}     -     " in stopped.out


def test_nothing_is_claimed_of_a_part(stopped: Outcome, full: Outcome) -> None:
    """A run that stopped has no failure budget, no scorings, no rates by stratum; the full run has them all."""
    assert stopped.decision["failure_budget"] is None
    assert stopped.decision["scorings"] == {}
    assert full.decision["failure_budget"]["visual_recognition"] > 0.6
    assert set(full.decision["scorings"]) == {"paper", "strict"}
    pages = [(outcome.folder / "report.html").read_text() for outcome in (stopped, full)]
    for words in ("Failure budget", "By two rules of scoring", "By stratum"):
        assert [words in page for page in pages] == [False, True]
    assert "failure budget" not in stopped.out


def test_a_part_is_not_exported(stopped: Outcome, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The benchmark's files would hold summaries of a part."""
    assert main(["export", str(stopped.folder), "--out", str(tmp_path / "tree")]) == 4
    assert "ended early, so its summaries would be of a part" in capsys.readouterr().err
    assert not (tmp_path / "tree").exists()


def test_the_report_draws_the_confidence_sequence(stopped: Outcome, full: Outcome) -> None:
    """One curve per gate that bets decided, from its first units to the stop; a complete list has none."""
    page = (stopped.folder / "report.html").read_text()
    assert page.count('<figure class="curve">') == len(stopped.decision["gates"])
    for gate in stopped.decision["gates"]:
        points = gate["confidence_sequence"]
        assert points[-1]["n"] == gate["n"]
        assert [points[-1]["lower"], points[-1]["upper"]] == gate["interval"]
        assert all(a["lower"] <= b["lower"] and a["upper"] >= b["upper"] for a, b in pairwise(points))
    assert '<figure class="curve">' not in (full.folder / "report.html").read_text()


def test_the_next_step_is_a_whole_run(stopped: Outcome, full: Outcome) -> None:
    """A release that was decided early is no baseline yet, and the summary says how to make one of it."""
    assert "--no-early-stop" in stopped.out.partition("next ")[2]
    assert "--baseline" in full.out.partition("next ")[2]


def test_a_blocked_run_says_what_is_known(rig: Rig, server: ScriptedServer) -> None:
    """A model clearly beyond a budget is blocked after some instances; the sentence names limits, not a rate."""
    budget = "{metric: visual_hallucination_rate, max: 0.01}"
    outcome = rig.gate(server, GATES[0], *policy(rig, budget))
    gate = gate_of(outcome, VISUAL)
    assert (outcome.status, gate["decision"], gate["estimate"]) == (1, "FAIL", None)
    assert gate["n"] < 60
    assert gate["interval"][0] > 0.01
    said = " ".join(outcome.out.split())
    assert re.search(r"visual hallucination rate between [\d.]+ % and [\d.]+ %, at most 1 % allowed", said)
    assert "unknown" not in said


# --- order and interruption ------------------------------------------------------------------------------------------


def test_slow_replies_change_nothing(rig: Rig, stopped: Outcome, tmp_path: Path) -> None:
    """Hallucinated instances reply last: only the finished beginning of the order counts, so nothing moves."""

    def delay(request: Request) -> float:
        return 0.15 if VR in ERRORS.get(read(request).instance.uid, {}) else 0.0

    with model(latency=delay) as slow:
        outcome = rig.gate(slow, *SUITE, *policy(rig, *BUDGETS), "--store", str(tmp_path / "store.sqlite"))
    assert decided(outcome) == decided(stopped)
    assert asked(outcome) == asked(stopped)
    assert (outcome.folder / "decision.json").read_bytes() == (stopped.folder / "decision.json").read_bytes()


class Watched:
    """The planted replies, and the requests that were made."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, request: Request) -> ScriptedReply:
        """Note the request and answer it."""
        self.asked.append(request.digest)
        return GoldReplay(ERRORS)(request)


def held(store: Path) -> int:
    """Return how many replies are in the store."""
    with sqlite3.connect(store) as db:
        found = int(db.execute("SELECT count(*) FROM replies").fetchone()[0])
    db.close()
    return found


def test_killed_and_resumed(rig: Rig, stopped: Outcome, tmp_path: Path) -> None:
    """After SIGKILL the same command asks what is missing, and stops where a run that nobody disturbed stops."""
    watched, store = Watched(), tmp_path / "store.sqlite"
    command = (*SUITE, *policy(rig, *BUDGETS), "--concurrency", "8", "--store", str(store))
    with model(reply=watched, latency=lambda _: 0.02) as slow:
        started = rig.start_gate(slow, *command)
        while len(watched.asked) < calls(stopped) // 2 and not started.over():
            time.sleep(0.005)
        os.kill(started.pid, signal.SIGKILL)
        killed = started.end()
        kept = held(store)
        watched.asked.clear()
        resumed = rig.gate(slow, *command)
    assert killed.status == -signal.SIGKILL
    assert not (killed.folder / "decision.json").exists()
    assert (resumed.folder / "decision.json").read_bytes() == (stopped.folder / "decision.json").read_bytes()
    assert asked(resumed) == asked(stopped)
    assert 0 < kept < stopped.manifest["calls"]["made"]
    assert len(watched.asked) == resumed.manifest["calls"]["made"] == stopped.manifest["calls"]["made"] - kept


# --- beside other options --------------------------------------------------------------------------------------------


def test_a_limit_stops_nothing_early(rig: Rig, server: ScriptedServer) -> None:
    """A part is evaluated as it was named, at fixed n, and cannot grant a release."""
    outcome = rig.gate(server, *GATES, *policy(rig, *BUDGETS), "--limit", "40")
    assert outcome.status == 10
    assert outcome.decision["early_stop"] is None
    assert {gate["n"] for gate in outcome.decision["gates"]} == {40}
    assert "early stopping" not in outcome.out


def test_a_gate_that_is_selected_alone_stops_by_itself(rig: Rig, stopped: Outcome) -> None:
    """``-k`` on one gate asks for that gate alone, one call per instance, decides it alike and releases nothing."""
    with model() as other:
        outcome = rig.gate(other, *GATES, *policy(rig, *BUDGETS), "-k", "visual")
        assert other.requests == calls(outcome) < calls(stopped)
    assert decided(outcome) == {VISUAL: decided(stopped)[VISUAL]}
    assert (outcome.status, outcome.decision["decision"]) == (10, None)
    assert {key[1:] for key in asked(outcome)} == {("baseline", VR)}


def test_an_exploratory_run_stops_too(rig: Rig, server: ScriptedServer, stopped: Outcome) -> None:
    """With ``--no-decision`` as much is asked, and nothing is decided."""
    outcome = rig.gate(server, *GATES, *policy(rig, *BUDGETS), "--no-decision")
    assert (outcome.status, outcome.decision["decision"]) == (0, None)
    assert outcome.decision["early_stop"] == stopped.decision["early_stop"]


def test_fresh_asks_anew_in_the_same_order(rig: Rig, server: ScriptedServer, stopped: Outcome, full: Outcome) -> None:
    """``--fresh`` makes the calls of the first run again, no others, and comes to the same."""
    assert full.status == 0
    outcome = rig.gate(server, *GATES, *policy(rig, *BUDGETS), "--fresh")
    assert outcome.manifest["calls"]["made"] == stopped.manifest["calls"]["made"]
    assert decided(outcome) == decided(stopped)


def test_results_that_are_there_are_decided_as_a_whole(rig: Rig) -> None:
    """A result tree costs no call, so nothing of it is left out."""
    tree = str(CHECKOUT / "tests" / "tree" / "reference-tree")
    own = policy(rig, "{metric: answer_accuracy, min: 0.75}", max_unjudged=0.2)
    outcome = rig.run(GATES[3], "--from-results", tree, "--data-root", tree, "--protocol", "paper", *own)
    assert outcome.decision["early_stop"] is None
    (gate,) = outcome.decision["gates"]
    assert (gate["method"], gate["of"]) == ("complete_list", None)


# --- who is spoken of ------------------------------------------------------------------------------------------------


def test_patients_in_clusters_are_asked_to_the_end(rig: Rig, server: ScriptedServer) -> None:
    """Three phantoms share a study, and bets on patients like these need independent draws: the note says so."""
    outcome = rig.gate(server, *GATES, *policy(rig, *BUDGETS, target="population"))
    assert outcome.status == 0
    assert outcome.decision["early_stop"]["asked"] == 240
    assert {(gate["method"], gate["n"]) for gate in outcome.decision["gates"]} == {
        ("korn_graubard", 240),
        ("tango_clustered", 240),
    }
    said = " ".join(outcome.out.split())
    assert "240 of 240 instances were asked" in said
    assert "sooner with unit: patient" in said
    assert "no estimate" not in said
    assert "failure budget" in said


def test_patients_as_units_may_stop(rig: Rig, server: ScriptedServer) -> None:
    """With ``unit: patient`` whole studies are drawn, in the order of the seed, and a gate stops between two."""
    gate = "{metric: visual_hallucination_rate, max: 0.4}"
    outcome = rig.gate(server, GATES[0], *policy(rig, gate, target="population", unit="patient"))
    (found,) = outcome.decision["gates"]
    assert (outcome.status, found["unit"], found["target"], found["method"]) == (0, "patient", "population", "betting")
    assert found["n"] < 240
    assert found["n"] % 3 == 0
    assert found["confidence_sequence"][-1]["n"] == found["n"] // 3
    cluster = {instance.uid: instance.cluster for instance in instances()}
    seen = [cluster[uid] for uid, _, _ in asked(outcome)]
    assert all(seen.count(each) == 3 for each in seen), "a study was asked in part"
    assert "the mean over patients" in (outcome.folder / "report.html").read_text()


def test_the_scope_is_what_is_counted(rig: Rig, server: ScriptedServer) -> None:
    """With gates on two strata, only their instances are asked, and they are what the note counts."""
    scoped = "{metric: visual_hallucination_rate, scope: [ct, histology], max: 0.5}"
    outcome = rig.gate(server, *GATES, *policy(rig, scoped))
    told = outcome.decision["early_stop"]
    assert (told["of"], told["asked"]) == (120, len(asked(outcome)))
    assert told["asked"] < 120
    assert {STRATA[uid] for uid, _, _ in outcome.verdicts} == {"ct", "histology"}


def test_an_advisory_gate_holds_up_nothing(rig: Rig, server: ScriptedServer) -> None:
    """What only an advisory gate would need is not asked: it stays open, and the run is decided."""
    scoped = "{metric: visual_hallucination_rate, scope: [ct], max: 0.5}"
    advisory = "{metric: visual_hallucination_rate, max: 0.5, severity: advisory}"
    outcome = rig.gate(server, *GATES, *policy(rig, scoped, advisory))
    assert (outcome.status, outcome.decision["decision"]) == (0, "PASS")
    assert {STRATA[uid] for uid, _, _ in asked(outcome)} == {"ct"}
    assert decided(outcome)[VISUAL][0] == "INCONCLUSIVE"


def test_one_rate_to_its_end_is_no_budget(rig: Rig, server: ScriptedServer) -> None:
    """Where one gate needs the whole list and others do not, no share of failures is told, nor that there were none."""
    close = "{metric: visual_hallucination_rate, max: 0.11}"
    outcome = rig.gate(server, *GATES, *policy(rig, close, *BUDGETS[1:3]))
    assert (gate_of(outcome, VISUAL)["estimate"], gate_of(outcome, VISUAL)["method"]) == (0.1, "complete_list")
    assert outcome.decision["failure_budget"] is None
    assert "failure budget" not in outcome.out
    assert "No stage hallucinated" not in (outcome.folder / "report.html").read_text()


def test_one_verdict_that_is_missing_stops_no_gate(rig: Rig, stopped: Outcome) -> None:
    """One of the first few is a larger share than the policy allows; with the next ones, which are asked, it is not."""
    order = Frame.of(instances()).drawn(stopped.decision["early_stop"]["seed"], Unit.INSTANCE)
    lost = instances()[order[2]]

    def faults(request: Request, _: int) -> Fault | None:
        return Fault.http(503, retry_after=3600) if read(request).instance.uid == lost.uid else None

    with model(faults=faults) as other:
        outcome = rig.gate(other, GATES[0], *policy(rig, "{metric: visual_hallucination_rate, max: 0.5}"))
    gate = gate_of(outcome, VISUAL)
    assert (gate["decision"], gate["unjudged"]) == ("PASS", 1)
    assert 50 <= gate["n"] < 240


# --- never-events ----------------------------------------------------------------------------------------------------

NEVER = "{metric: %s, tag: 'needs:image', max_events: 0}"
TAGGED = [instance for instance in instances() if "needs:image" in instance.tags]


def test_the_first_event_fails_its_gate(rig: Rig, server: ScriptedServer) -> None:
    """A never-event is decided as soon as one is seen: what was seen by then is counted, and no rate is told."""
    outcome = rig.gate(server, *GATES, *policy(rig, NEVER % "visual_hallucination_rate", *BUDGETS[1:]))
    gate = gate_of(outcome, "visual_hallucination_rate-events-needs:image[mean]")
    assert (outcome.status, gate["decision"], gate["threshold"]) == (1, "FAIL", {"max_events": 0})
    assert 0 < gate["n"] < len(TAGGED) == gate["of"]
    assert (gate["estimate"], gate["interval"]) == (None, None)
    assert f"of {gate['n']} instances tagged needs:image" in gate["reason"]
    assert "among needs:image too high, no event allowed" in " ".join(outcome.out.split())


def test_no_event_passes_after_all_tagged_instances(rig: Rig, server: ScriptedServer) -> None:
    """It passes when every tagged instance was asked, although the other gates were decided long before."""
    outcome = rig.gate(server, *GATES, *policy(rig, NEVER % "reasoning_hallucination_rate", *BUDGETS))
    gate = gate_of(outcome, "reasoning_hallucination_rate-events-needs:image[mean]")
    assert (outcome.status, gate["decision"], gate["n"], gate["of"]) == (0, "PASS", len(TAGGED), None)
    assert gate["method"] == "events"
    assert gate["interval"][1] == pytest.approx(1 - 0.05 ** (1 / len(TAGGED)), abs=1e-9)
    others = {key[0] for key in asked(outcome) if key[1:] == ("replace_vr_kr", RI)}
    assert {instance.uid for instance in TAGGED} <= others
    assert len(others) < 240
