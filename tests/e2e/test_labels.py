"""Labels by people of a random part of a run: drawn, filled, and read again, so that gates rest on them."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from gate_run import GATES, Outcome, Rig
from judge_replay import JudgeReplay
from replay import GoldReplay, errors_at

from clinhallu_gate.cli import main
from clinhallu_gate.testing import ScriptedServer
from clinhallu_gate.vocabulary import ANSWER, Stage

VR, KR, RI = Stage
ERRORS = errors_at({VR: 0.2, KR: 0.1, RI: 0.05, ANSWER: 0.1})
POLICY = """schema_version: 1
target: benchmark
early_stop: true
gates:
  - metric: visual_hallucination_rate
    max: 0.30
  - metric: reasoning_hallucination_rate
    max: 0.15
  - metric: visual_hallucination_rate
    max_drop: 0.10
"""


@dataclass(frozen=True)
class Judged:
    """A run by a judge that errs, the sheet of it filled with the truth, and the run again with these labels."""

    plain: Outcome
    truth: Outcome
    sheet: Path
    labelled: Outcome


@pytest.fixture(scope="module")
def runs(rig: Rig) -> Iterator[Judged]:
    """Run, label, run again."""
    policy = rig.root / "labels.yaml"
    policy.write_text(POLICY)
    tests = (GATES[0], GATES[2])
    with (
        ScriptedServer(reply=GoldReplay(ERRORS), model="examined") as server,
        ScriptedServer(reply=JudgeReplay(sensitivity=0.85, specificity=0.9), model="judge") as judge,
    ):
        ours = ("--endpoint", server.base_url, "--model", server.model, "--model-revision", "1", "--data", "phantom")
        ours = (*ours, "--thresholds", str(policy), "--store", str(rig.root / "stores" / "labels.sqlite"))
        by_judge = ("--judge", "judge", "--judge-endpoint", judge.base_url, "--judge-revision", "1")
        truth = rig.run(*tests, *ours, "--judge", "oracle", "--no-early-stop")
        plain = rig.run(*tests, *ours, *by_judge, "--no-early-stop")
        sheet = rig.root / "sheet.csv"
        assert main(["sample-for-review", str(plain.folder), "--n", "200", "--out", str(sheet)]) == 0
        fill(sheet, truth)
        labelled = rig.run(*tests, *ours, *by_judge, "--labels", str(sheet), "--baseline", str(plain.folder))
        yield Judged(plain, truth, sheet, labelled)


def fill(sheet: Path, truth: Outcome) -> None:
    """Write into each row what the oracle says of its text."""
    with sheet.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        kind, outcome, *_ = truth.verdicts[row["instance"], row["arm"], row["stage"]]
        assert kind == "judged"
        row["label"] = str(outcome)
    with sheet.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def gate(outcome: Outcome, name: str) -> dict[str, object]:
    """Return a gate of the run."""
    return next(gate for gate in outcome.decision["gates"] if gate["id"] == name)


def test_without_labels_every_rate_is_judge_defined(runs: Judged) -> None:
    """In so many words: in the terminal, the summary, the report and the reason; the oracle's rates are not."""
    for text in (
        " ".join(runs.plain.out.split()),
        (runs.plain.folder / "summary.md").read_text(),
        (runs.plain.folder / "report.html").read_text(),
    ):
        assert "Rates are judge-defined" in text
    assert all(gate["judge_defined"] for gate in runs.plain.decision["gates"] if gate["interval"])
    assert "judge-defined" in str(gate(runs.plain, "visual_hallucination_rate[mean]")["reason"])
    assert not any(gate["judge_defined"] for gate in runs.truth.decision["gates"])
    assert "judge-defined" not in runs.truth.out


def test_labels_bring_the_rates_back_to_the_truth(runs: Judged) -> None:
    """The judge's 0.25 and more becomes a rate whose limits hold the oracle's 0.20; nothing was asked anew."""
    found = gate(runs.labelled, "visual_hallucination_rate[mean]")
    low, high = found["interval"]  # type: ignore[misc]
    assert low <= 0.2 <= high
    assert found["method"] == "ppi"
    assert abs(found["estimate"] - 0.2) < abs(found["adjusted"]["judge_defined"] - 0.2)  # type: ignore[operator,index]
    assert found["adjusted"]["labels"] == 200  # type: ignore[index]
    assert found["adjusted"]["judge_defined"] == gate(runs.plain, "visual_hallucination_rate[mean]")["estimate"]  # type: ignore[index]
    assert not found["judge_defined"]
    rare = gate(runs.labelled, "reasoning_hallucination_rate[mean]")
    assert rare["method"] == "labels"
    assert rare["decision"] == "PASS"
    calls = runs.labelled.manifest
    assert (calls["calls"]["made"], calls["judge_calls"]["made"]) == (0, 0)


def test_a_labelled_run_is_not_ended_early(runs: Judged) -> None:
    """A review sheet is of a run that asked everything, whatever the policy says."""
    assert runs.labelled.decision["early_stop"] is None
    assert gate(runs.labelled, "visual_hallucination_rate[mean]")["n"] == 240


def test_a_regression_margin_shrinks_to_what_the_judge_can_see(runs: Judged) -> None:
    """Held against itself a release passes within less than its margin of 0.10."""
    found = gate(runs.labelled, "visual_hallucination_rate-drop[mean]")
    within, beyond = found["adjusted"]["margins"]  # type: ignore[index]
    assert 0.04 < within < 0.1 * (0.85 + 0.9 - 1) < beyond <= 0.1
    assert found["decision"] == "PASS"
    assert "show how much of a difference the judge can see" in str(found["reason"])


def test_a_sheet_that_is_not_of_this_run_is_refused(rig: Rig, runs: Judged) -> None:
    """Else who does not like a label would delete its row, and be judged by the judge alone."""
    with (
        ScriptedServer(reply=GoldReplay(ERRORS), model="examined") as server,
        ScriptedServer(reply=JudgeReplay(sensitivity=0.85, specificity=0.9), model="judge") as judge,
    ):
        shorter = rig.root / "shorter.csv"
        shorter.write_text("".join(runs.sheet.read_text("utf-8").splitlines(keepends=True)[:-1]), "utf-8")
        outcome = rig.run(
            *(GATES[0], GATES[2], "--endpoint", server.base_url, "--model", "examined", "--model-revision", "1"),
            *("--data", "phantom", "--thresholds", str(rig.root / "labels.yaml"), "--labels", str(shorter)),
            *("--judge", "judge", "--judge-endpoint", judge.base_url, "--judge-revision", "1"),
            *("--store", str(rig.root / "stores" / "labels.sqlite")),
        )
    assert outcome.status == 4
    assert "shorter.csv: is no sheet of this run any more: 1 rows on" in " ".join((outcome.out + outcome.err).split())
    assert not (outcome.folder / "decision.json").exists()
