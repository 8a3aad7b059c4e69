"""A new release against the one in use, whole commands: paired gates, flips, and baselines that cannot serve."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from gate_run import GATES, Outcome, Rig
from policy import policy
from replay import GoldReplay, errors_at

from clinhallu_gate.testing import ScriptedServer
from clinhallu_gate.vocabulary import Stage

VR, KR, RI = Stage
#: The seed of the second is another, so that it gets other images wrong and a few of the first's right.
SHARP, DULL = errors_at({VR: 0.05, KR: 0.05, RI: 0.05}), errors_at({VR: 0.35, KR: 0.05, RI: 0.05}, seed=1)
RISE = "visual_hallucination_rate-drop[mean]"
PAIRED = (
    "{metric: visual_hallucination_rate, max: 0.5}",
    "{metric: knowledge_hallucination_rate, max: 0.5}",
    "{metric: reasoning_hallucination_rate, max: 0.5}",
    "{metric: visual_hallucination_rate, max_drop: 0.1}",
    "{metric: answer_accuracy, max_drop: 0.1}",
)


@pytest.fixture(scope="module")
def sharp() -> Iterator[ScriptedServer]:
    """A model that misreads one image in twenty."""
    with ScriptedServer(reply=GoldReplay(SHARP), model="sharp") as server:
        yield server


@pytest.fixture(scope="module")
def dull() -> Iterator[ScriptedServer]:
    """A model that misreads seven in twenty."""
    with ScriptedServer(reply=GoldReplay(DULL), model="dull") as server:
        yield server


def against(rig: Rig, server: ScriptedServer, baseline: Path | None, *more: str, **keys: object) -> Outcome:
    """Gate a model by the paired policy, on the whole list unless told otherwise."""
    beside = () if baseline is None else ("--baseline", str(baseline))
    return rig.gate(server, *GATES, *policy(rig, *PAIRED, **{"early_stop": "false", **keys}), *beside, *more)


@pytest.fixture(scope="module")
def sharp_in_use(rig: Rig, sharp: ScriptedServer) -> Outcome:
    """The sharp model's own run."""
    return against(rig, sharp, None)


@pytest.fixture(scope="module")
def dull_in_use(rig: Rig, dull: ScriptedServer) -> Outcome:
    """The dull model's own run."""
    return against(rig, dull, None)


@pytest.fixture(scope="module")
def worse(rig: Rig, dull: ScriptedServer, sharp_in_use: Outcome) -> Outcome:
    """The dull model after the sharp one."""
    return against(rig, dull, sharp_in_use.folder)


@pytest.fixture(scope="module")
def better(rig: Rig, sharp: ScriptedServer, dull_in_use: Outcome) -> Outcome:
    """The sharp model after the dull one."""
    return against(rig, sharp, dull_in_use.folder)


def gate_of(outcome: Outcome, gate_id: str) -> dict[str, Any]:
    """Return one gate."""
    found: dict[str, Any] = next(gate for gate in outcome.decision["gates"] if gate["id"] == gate_id)
    return found


def blocking(outcome: Outcome) -> dict[str, str]:
    """Return the decision of each blocking gate."""
    return {gate["id"]: gate["decision"] for gate in outcome.decision["gates"]}


GAINED = set(DULL) - {uid for uid, parts in DULL.items() if VR not in parts}
LOST = {uid for uid, parts in SHARP.items() if VR in parts}


# --- paired gates ----------------------------------------------------------------------------------------------------


def test_without_a_baseline_paired_gates_wait(sharp_in_use: Outcome) -> None:
    """They are not applicable, and a release does not need them."""
    assert sharp_in_use.status == 0
    assert gate_of(sharp_in_use, RISE)["decision"] == "not_applicable"


def test_more_visual_errors_fail_the_paired_gate(worse: Outcome) -> None:
    """Thirty points more of the images are misread than allowed: blocked, although the rate itself is within budget."""
    gate = gate_of(worse, RISE)
    assert (worse.status, gate["decision"], gate["estimate"]) == (1, "FAIL", pytest.approx(0.3))
    assert gate_of(worse, "visual_hallucination_rate[mean]")["decision"] == "PASS"
    assert gate_of(worse, "answer_accuracy-drop[mean]")["decision"] == "PASS"
    said = " ".join(worse.out.split())
    assert "rise of visual hallucination rate +30.0 points, a rise of at most 10 points allowed" in said


def test_fewer_pass_it(better: Outcome) -> None:
    """The other way round nothing stands in the way."""
    gate = gate_of(better, RISE)
    assert (better.status, gate["decision"], gate["estimate"]) == (0, "PASS", pytest.approx(-0.3))
    assert better.decision["baseline"] is not None


def test_the_failure_budget_shares_rates_and_not_rises(better: Outcome, sharp_in_use: Outcome) -> None:
    """A paired gate on the same metric stands beside the rate: each stage keeps the share that it has without one."""
    assert better.decision["failure_budget"] == sharp_in_use.decision["failure_budget"]
    assert better.decision["failure_budget"] == pytest.approx({str(stage): 1 / 3 for stage in Stage})
    assert "camera 33 %" in better.out


# --- flips -----------------------------------------------------------------------------------------------------------


def test_flips_are_counted_both_ways(worse: Outcome, better: Outcome) -> None:
    """Worse and better pairs are those that were planted, with McNemar's one-sided p on this list."""
    up, down = GAINED - LOST, LOST - GAINED
    assert down, "the plan has flips in one direction only"
    first, second = gate_of(worse, RISE)["flips"], gate_of(better, RISE)["flips"]
    assert (first["worse"], first["better"]) == (len(up), len(down))
    assert (second["worse"], second["better"]) == (len(down), len(up))
    assert first["p_worse"] < 1e-6
    assert second["p_worse"] > 0.999
    assert (first["regressed"], second["regressed"]) == (True, False)


def test_flips_are_listed_in_terminal_and_report(worse: Outcome) -> None:
    """The terminal counts them by stage, the report names the instances both ways."""
    up, down = GAINED - LOST, LOST - GAINED
    assert f"visual recognition: {len(up)} worse, {len(down)} better" in worse.out
    assert f"flips: visual recognition: {len(up)} worse" in (worse.folder / "summary.md").read_text()
    page = (worse.folder / "report.html").read_text()
    section = page[page.index("What changed against the release in use") :]
    assert '<td class="wrap">phantom/' in section, "the instances stand where a reader sees them"
    table = section[: section.index("</table>")]
    assert f"and {len(up) - 50} more" in table
    assert all(uid in table for uid in down)
    assert "a regression was seen" in section


def test_each_row_says_what_the_baseline_came_to(worse: Outcome, sharp_in_use: Outcome) -> None:
    """The column ``baseline`` of ``results.parquet`` is the outcome there; without a baseline run it is empty."""
    rows = pq.read_table(worse.folder / "results.parquet").to_pylist()
    found = {(f"{row['dataset']}/{row['id']}", row["arm"], row["part"]): row["baseline"] for row in rows}
    assert found == {key: said[1] for key, said in sharp_in_use.verdicts.items()}
    theirs = pq.read_table(sharp_in_use.folder / "results.parquet", columns=["baseline"])
    assert theirs["baseline"].null_count == theirs.num_rows


def test_pairs_in_clusters_have_no_p_value(rig: Rig, dull: ScriptedServer, sharp_in_use: Outcome) -> None:
    """Of patients like these three instances share a study: limits allow for that, McNemar's test does not."""
    outcome = against(rig, dull, sharp_in_use.folder, target="population")
    gate = gate_of(outcome, RISE)
    assert (gate["decision"], gate["method"]) == ("FAIL", "tango_clustered")
    assert gate["flips"]["p_worse"] is None


# --- stopped early ---------------------------------------------------------------------------------------------------


def test_paired_gates_decide_early_as_they_do_on_the_list(
    rig: Rig, sharp: ScriptedServer, dull: ScriptedServer, worse: Outcome, better: Outcome
) -> None:
    """Both ways round the bets come to the same decisions after fewer instances, and tell no p-value of a part."""
    for server, whole in ((dull, worse), (sharp, better)):
        outcome = against(rig, server, Path(str(whole.decision["baseline"])), early_stop="true")
        assert blocking(outcome) == blocking(whole)
        assert outcome.status == whole.status
        gate = gate_of(outcome, RISE)
        assert (gate["n"] < 240, gate["of"], gate["estimate"]) == (True, 240, None)
        assert gate["flips"]["p_worse"] is None
        assert gate["flips"]["regressed"] == gate_of(whole, RISE)["flips"]["regressed"]
        assert outcome.decision["early_stop"]["asked"] < 240


@pytest.fixture(scope="module")
def stopped_in_use(rig: Rig, sharp: ScriptedServer) -> Outcome:
    """A run of the sharp model that ended early."""
    return against(rig, sharp, None, early_stop="true")


@pytest.mark.parametrize("early", ["false", "true"], ids=["whole", "early"])
def test_a_baseline_that_was_stopped_early_cannot_serve(
    rig: Rig, dull: ScriptedServer, stopped_in_use: Outcome, early: str
) -> None:
    """Pairs that it lacks are unjudged: nothing is decided (11), and the way out is named."""
    assert stopped_in_use.decision["early_stop"]["asked"] < 240
    outcome = against(rig, dull, stopped_in_use.folder, early_stop=early)
    assert (outcome.status, outcome.decision["decision"]) == (11, None)
    assert "run the baseline with --no-early-stop" in " ".join(outcome.out.split())
    assert "run a baseline with --no-early-stop" in gate_of(outcome, RISE)["reason"]
    assert gate_of(outcome, RISE)["unjudged"] > 100
    assert all(gate["estimate"] is None for gate in outcome.decision["gates"])


# --- what cannot be compared -----------------------------------------------------------------------------------------


def altered(run: Path, folder: Path, **fields: object) -> Path:
    """Return a copy of a run whose decision says something else."""
    shutil.copytree(run, folder)
    document = json.loads((folder / "decision.json").read_bytes())
    (folder / "decision.json").write_text(json.dumps({**document, **fields}))
    return folder


OTHERS = {
    "judge": ({"judge": "strict-judge"}, "was judged by 'strict-judge', not by 'oracle'."),
    "revision": ({"judge_sha256": "0" * 64}, "was judged by another revision of 'oracle', or one that is not known."),
    "repeats": ({"repeats": 3}, "has --repeats 3, not 1."),
    "protocol": ({"protocol": {"name": "mine", "sha256": "0" * 64}}, "is of another protocol: 'mine' (000000000000), "),
    "data": ({"datasets": []}, "is of other data: 'phantom' is not the same there."),
}


@pytest.mark.parametrize("case", OTHERS)
def test_a_baseline_of_something_else_is_refused(
    rig: Rig, dull: ScriptedServer, sharp_in_use: Outcome, tmp_path: Path, case: str
) -> None:
    """One line says in what the two runs differ, and nothing is asked."""
    fields, why = OTHERS[case]
    other, before = altered(sharp_in_use.folder, tmp_path / "run", **fields), dull.requests
    outcome = against(rig, dull, other)
    assert (outcome.status, dull.requests) == (4, before)
    (line,) = outcome.err.strip().splitlines()
    assert line.startswith(f"ERROR: --baseline: {other} {why}")


def test_a_baseline_that_is_required_has_to_be_given(rig: Rig, dull: ScriptedServer) -> None:
    """``baseline: required`` without ``--baseline`` is one line that names the gate."""
    gate = "{metric: visual_hallucination_rate, max_drop: 0.1, baseline: required}"
    outcome = rig.gate(dull, *GATES, *policy(rig, gate))
    assert outcome.status == 4
    (line,) = outcome.err.strip().splitlines()
    assert "gates[0].baseline: 'required', but no baseline run is given (--baseline)." in line
