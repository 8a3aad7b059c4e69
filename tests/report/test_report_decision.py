"""``decision.json``: its names, its bytes, and what is refused."""

import json
import math
from pathlib import Path

import pytest
from planted_run import PLANS, not_started, run_named

from clinhallu_gate.errors import BadInput
from clinhallu_gate.report.decision import HELD_BACK, DecisionDocument, load

FIELDS = [
    *("schema_version", "decision", "exit_status", "model", "judge", "baseline", "protocol", "thresholds"),
    *("datasets", "model_sha256", "failure_budget", "gates", "scorings"),
    *("judge_sha256", "judge_examination", "judge_agreement", "published"),
    *("repeats", "early_stop", "noise", "gold"),
]
GATE_FIELDS = [
    *("id", "metric", "scope", "arm", "severity", "target", "threshold", "estimate", "interval", "interval_levels"),
    *("n", "failed", "unjudged", "decision", "reason", "tag", "unit", "method", "of", "further", "judge_defined"),
    *("confidence_sequence", "flips", "adjusted"),
]


def test_it_has_the_published_names_in_their_order() -> None:
    """Other programs read these names."""
    content = json.loads(run_named("fail").decision.to_json())
    assert list(content) == FIELDS
    assert list(content["gates"][0]) == GATE_FIELDS
    assert list(content["failure_budget"]) == ["visual_recognition", "knowledge_recall", "reasoning_integration"]
    assert math.isclose(sum(content["failure_budget"].values()), 1)
    assert (content["decision"], content["exit_status"], list(content["scorings"])) == ("FAIL", 1, ["paper", "strict"])


@pytest.mark.parametrize("name", PLANS)
def test_what_is_written_is_read_back(name: str, tmp_path: Path) -> None:
    """Reading a file and writing it again gives the same bytes."""
    written = run_named(name).decision.to_json()
    (tmp_path / "decision.json").write_bytes(written)
    assert load(tmp_path / "decision.json").to_json() == written
    assert written.endswith(b"}\n")


def test_a_run_that_was_not_completed_keeps_its_counts_and_no_rate() -> None:
    """No figure of such a run can be taken for a result, not even of a gate that had all it needs."""
    document = run_named("not_completed").decision
    assert (document.decision, document.exit_status, document.failure_budget) == (None, 11, None)
    assert all(gate.estimate is None and gate.interval is None and gate.decision is None for gate in document.gates)
    assert [gate.n for gate in document.gates] == [96] * 6
    knowledge = document.gates[1]
    assert (knowledge.reason, knowledge.unjudged) == (HELD_BACK, 0)
    with pytest.raises(ValueError, match="has no rate"):
        DecisionDocument.model_validate(
            {**not_started().decision.model_dump(), "failure_budget": {"knowledge_recall": 1}}
        )


def test_a_number_that_is_none_is_never_written() -> None:
    """NaN and infinity are not JSON."""
    document = run_named("pass").decision
    broken = document.gates[0].model_copy(update={"estimate": math.nan})
    with pytest.raises(ValueError, match="JSON compliant"):
        document.model_copy(update={"gates": (broken,)}).to_json()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("not json", "is not a decision.json: Expecting value"),
        ('{"schema_version": 2}', "schema_version: 2 cannot be read. Valid: 1."),
        ("[]", "schema_version: None cannot be read. Valid: 1."),
        ('{"schema_version": 1}', "is not a decision.json: decision: Field required."),
        ('{"schema_version": 1, "failure_budget": NaN}', "is not a decision.json: NaN is not a number."),
    ],
)
def test_another_file_is_refused_in_one_line(content: str, says: str, tmp_path: Path) -> None:
    """The line names the file, the key and what is valid."""
    path = tmp_path / "decision.json"
    path.write_text(content)
    with pytest.raises(BadInput) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_refused_in_one_line(tmp_path: Path) -> None:
    """A run folder without a decision is bad input, not a crash."""
    with pytest.raises(BadInput, match="No such file"):
        load(tmp_path / "decision.json")
