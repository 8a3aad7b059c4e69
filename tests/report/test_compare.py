"""Runs side by side: their rates, what keeps them apart, and no estimate where there is none."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clinhallu_gate.errors import BadInput
from clinhallu_gate.report.compare import as_json, as_markdown, as_text, compare

SAMPLE = Path(__file__).parents[2] / "reports/sample"
Make = Callable[..., Path]


def _document() -> dict[str, Any]:
    document: dict[str, Any] = json.loads((SAMPLE / "decision.json").read_text("utf-8"))
    return document


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Makes run folders like the sample's, with other content."""
    monkeypatch.chdir(tmp_path)

    def make(name: str, **changed: object) -> Path:
        Path(name).mkdir()
        (Path(name) / "decision.json").write_text(json.dumps({**_document(), **changed}))
        return Path(name)

    return make


def _gates(**changed: object) -> list[dict[str, Any]]:
    """Return the sample's gates, the first one changed."""
    first, *others = _document()["gates"]
    return [{**first, **changed}, *others]


def _row(text: str, label: str) -> list[str]:
    line = next(line for line in text.splitlines() if line.startswith(label))
    return [cell for cell in line.split("  ") if cell][1:]


def test_two_runs(made: Make) -> None:
    """Rates in people's words, what a gate allows once, and that they may be compared."""
    other = made("b", model="other", decision="FAIL", exit_status=1, gates=_gates(estimate=0.5, decision="FAIL"))
    compared = compare([made("a"), other])
    text = as_text(compared)
    assert compared.comparable
    cells = {
        label: [cell.strip() for cell in _row(text, label)] for label in ("model", "decision", "camera", "answers")
    }
    assert cells == {
        "model": ["phantom-vlm", "other"],
        "decision": ["PASS", "FAIL"],
        "camera": ["26.7 %", "50.0 %"],
        "answers": ["88.3 %", "88.3 %"],
    }
    assert [c.strip() for c in _row(text, "visual_hall")] == ["PASS 26.7 %", "FAIL 50.0 %"]
    assert "visual_hallucination_rate[mean], at most 40 %" in text
    assert [c.strip() for c in _row(text, "recovery-replace_vr[")] == ["(INCONCLUSIVE) -0.4 points"] * 2
    assert text.splitlines()[-1].startswith("Comparable: the same data, protocol and judge.")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            {"protocol": {"name": "paper", "sha256": "9" * 64}},
            "Protocols differ: standard (5688f962f932): a, c; paper (9999",
        ),
        (
            {"datasets": [{"name": "p", "sha256": "9" * 64, "instances": 2}]},
            "Data differ: phantom (60be7813edf6) 240 inst",
        ),
        ({"judge": "j", "judge_sha256": "9" * 64}, "Judges differ: oracle: a, c; j (999999999999): b"),
    ],
)
def test_what_cannot_be_compared(made: Make, changed: dict[str, object], said: str) -> None:
    """It is said plainly, with what differs and in which run."""
    compared = compare([made("a"), made("b", **changed), made("c")])
    assert not compared.comparable
    (difference,) = compared.differences
    assert difference.startswith(said)
    assert f"NOT COMPARABLE: {said}" in as_text(compared)
    assert "NOT COMPARABLE: " in as_markdown(compared)


def test_the_same_data_in_part(made: Make) -> None:
    """A limited run is of fewer instances of the same data set."""
    part = [{**_document()["datasets"][0], "instances": 60}]
    assert compare([made("a"), made("b", datasets=part)]).differences[0].startswith("Data differ: ")


def test_a_run_that_ended_early(made: Make) -> None:
    """It has limits and no estimate, and the cell says after how many instances."""
    early = _gates(estimate=None, interval=[0.161, 0.298], n=96, of=240)
    compared = compare([made("a"), made("b", gates=early, scorings={}, failure_budget=None)])
    text = as_text(compared)
    assert [c.strip() for c in _row(text, "camera")] == ["26.7 %", "within 16.1 % to 29.8 %"]
    assert "PASS within 16.1 % to 29.8 % after 96 of 240" in text
    assert "b ended early: its gates have limits and no estimate." in text
    assert compared.runs[1].figures["camera"] is not None
    assert compared.runs[1].figures["camera"].estimate is None


def test_other_policies(made: Make) -> None:
    """What a gate allows stands in each cell, and a gate that one run lacks is no zero."""
    gates = _gates(threshold={"max": 0.2}, decision="FAIL")[:1]
    compared = compare([made("a"), made("b", gates=gates, thresholds={"file": "icu.yaml", "sha256": "9" * 64})])
    text = as_text(compared)
    assert compared.comparable
    assert [c.strip() for c in _row(text, "visual_hall")] == ["PASS 26.7 %, at most 40 %", "FAIL 26.7 %, at most 20 %"]
    assert [c.strip() for c in _row(text, "answer_accuracy[")] == ["PASS 88.3 %", "-"]
    assert [c.strip() for c in _row(text, "answers")] == ["88.3 %", "88.3 %"], "the strict scoring's"
    assert "(decisions were made by different policies)." in text


def test_a_run_that_was_not_completed(made: Make) -> None:
    """It has no rate, whatever a result tree says, and it says so."""
    gates = [{**gate, "estimate": None, "interval": None, "interval_levels": None} for gate in _document()["gates"]]
    failed = made("b", exit_status=11, decision=None, gates=gates, failure_budget=None)
    text = as_text(compare([made("a"), failed]))
    assert [c.strip() for c in _row(text, "decision")] == ["PASS", "no decision (11)"]
    assert [c.strip() for c in _row(text, "logic")] == ["12.1 %", "-"]
    assert "b was not completed: it has no rates." in text


def test_labels_repeats_and_unknown_judges_are_noted(made: Make) -> None:
    """They do not forbid a comparison, but a reader has to know."""
    labelled = _gates(adjusted={"labels": 200, "weight": 0.5, "judge_defined": 0.2})
    text = as_text(compare([made("a", judge="j"), made("b", judge="j", gates=labelled, repeats=3)]))
    assert "Repeats differ: 1: a; 3: b." in text
    assert "Labels differ: none: a; 200 labels: b (rates with labels by people are not judge-defined)." in text
    assert "a: its judge j has no digest, so whether another's is the same cannot be told." in text


def test_for_programs(made: Make) -> None:
    """JSON holds figures on their own scale."""
    found = json.loads(as_json(compare([made("a"), made("b")])))
    assert (found["schema_version"], found["comparable"], found["differences"]) == (1, True, [])
    run = found["runs"][0]
    assert run["figures"]["camera"]["estimate"] == pytest.approx(0.26666666)
    assert run["gates"]["answer_accuracy[mean]"]["decision"] == "PASS"


def test_names_steer_nothing(made: Make) -> None:
    """No markup, no terminal codes."""
    compared = compare([made("a"), made("b", model="x|y <script> \x1b[2J")])
    assert "\x1b" not in as_text(compared) + as_markdown(compared)
    assert "x\\|y \\<script\\>" in as_markdown(compared)


def test_what_is_no_comparison(made: Make) -> None:
    """One run alone, and a folder that is none."""
    with pytest.raises(BadInput, match="one run is nothing to compare"):
        compare([made("a")])
    Path("empty").mkdir()
    with pytest.raises(BadInput, match=r"^empty: is not the folder of a finished run \(it has no decision.json\)"):
        compare([Path("a"), Path("empty")])


def test_gold_that_is_lacking_is_said(made: Make) -> None:
    """Beside the rates, in every form: of how many instances, and how many lack it; else nothing is said of it."""
    compared = compare([made("a"), made("b", gates=_gates(without_gold=2)), made("c", gates=_gates(**_UNKNOWN))])
    text, markdown = as_text(compared), as_markdown(compared)
    assert [cell.strip() for cell in _row(text, "camera")][:2] == ["26.7 %", "26.7 % (2 of 240 without gold)"]
    gate = compared.runs[1].gates["visual_hallucination_rate[mean]"]
    assert (gate.n, gate.without_gold) == (240, 2)
    assert f"{gate.decision} 26.7 % (2 of 240 without gold)" in text
    assert "INCONCLUSIVE (240 of 240 without gold)" in text
    assert "26.7 % (2 of 240 without gold)" in markdown
    found = json.loads(as_json(compared))["runs"]
    for run, count in zip(found, (0, 2), strict=False):
        assert (run["figures"]["camera"]["n"], run["figures"]["camera"]["without_gold"]) == (240, count)
        assert run["gates"]["visual_hallucination_rate[mean]"]["without_gold"] == count


_UNKNOWN = {"without_gold": 240, "estimate": None, "interval": None, "decision": "INCONCLUSIVE"}
