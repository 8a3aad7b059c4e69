"""Evaluation results for a model card, read back by the hub's own library."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import EvalResult, ModelCard

from clinhallu_gate.errors import BadInput
from clinhallu_gate.report.model_card import model_card

SAMPLE = Path(__file__).parents[2] / "reports/sample"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
Make = Callable[..., Path]


def _content(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((SAMPLE / name).read_text("utf-8"))
    return content


@pytest.fixture
def made(tmp_path: Path) -> Make:
    """Makes a run folder like the sample's, with other content."""

    def make(*, manifest: dict[str, object] | None = None, **changed: object) -> Path:
        (tmp_path / "decision.json").write_text(json.dumps({**_content("decision.json"), **changed}))
        (tmp_path / "manifest.json").write_text(json.dumps({**_content("manifest.json"), **(manifest or {})}))
        return tmp_path

    return make


def _gate(place: int = 0, **changed: object) -> dict[str, Any]:
    return {**_content("decision.json")["gates"][place], **changed}


def _read(yaml: str) -> list[EvalResult]:
    """Return the results as the hub's library reads them of a card, and writes them again."""
    card = ModelCard(f"---\n{yaml}\n---\n# A model\n", ignore_metadata_errors=False)
    again = ModelCard(str(card))
    assert again.data.get("eval_results") == card.data.get("eval_results")
    results: list[EvalResult] = card.data.get("eval_results")
    return results


def test_the_committed_run() -> None:
    """Every rate that a gate measured, under its name; no drop, and nothing called verified."""
    yaml = model_card(SAMPLE)
    results = _read(yaml)
    assert ModelCard(f"---\n{yaml}\n---\n").data.get("model_name") == "phantom-vlm"
    assert {result.task_type for result in results} == {"visual-question-answering"}
    assert {(result.dataset_type, result.dataset_name) for result in results} == {("phantom", "phantom")}
    assert [(result.metric_type, result.metric_name, result.metric_value) for result in results] == [
        ("visual_hallucination_rate", "Visual hallucination rate", 0.266667),
        ("knowledge_hallucination_rate", "Knowledge hallucination rate", 0.0),
        ("reasoning_hallucination_rate", "Reasoning hallucination rate", 0.120833),
        ("accuracy", "Answer accuracy", 0.883333),
        ("recovery", "Recovery with the image read for it", -0.004167),
        ("recovery", "Recovery with the knowledge given", 0.008333),
        ("recovery", "Recovery with image and knowledge given", 0.0),
    ]
    rests_on = {"scope": "mean", "arm": "baseline", "judge": "oracle", "protocol": "standard", "instances": 240}
    (camera, *_) = json.loads((SAMPLE / "decision.json").read_bytes())["gates"]
    lower, upper = (round(limit, 6) for limit in camera["interval"])
    limits = {"lower_limit": lower, "upper_limit": upper, "limit_errors": camera["interval_levels"]}
    assert results[0].metric_args == rests_on | limits
    assert "verif" not in yaml


def test_several_data_sets(made: Make) -> None:
    """The mean over them, and each that a gate is of, by repository and commit where it came from the hub."""
    data = [{"name": name, "sha256": name[0] * 64, "instances": 10} for name in ("pathvqa", "films")]
    sources = [{"name": "pathvqa", "sources": {"org/gold": COMMIT, "org/images": COMMIT}}, {"name": "films"}]
    gates = [_gate(), _gate(scope="pathvqa", id="b"), _gate(scope="films", id="c"), _gate(scope="ct", id="d")]
    results = _read(model_card(made(datasets=data, gates=gates, manifest={"datasets": sources})))
    assert [
        (result.dataset_type, result.dataset_name, result.dataset_config, result.dataset_revision) for result in results
    ] == [
        ("pathvqa+films", "Unweighted mean over pathvqa, films", None, None),
        ("org/gold", "pathvqa", "pathvqa", COMMIT),
        ("films", "films", None, None),
    ]


def test_what_a_rate_rests_on_is_in_its_name(made: Make) -> None:
    """A judge's word alone, labels by people, patients instead of instances."""
    adjusted = {"labels": 200, "weight": 0.5, "judge_defined": 0.2}
    gates = [_gate(judge_defined=True), _gate(1, adjusted=adjusted), _gate(2, unit="patient")]
    assert [result.metric_name for result in _read(model_card(made(judge="j", gates=gates)))] == [
        "Visual hallucination rate, judge-defined: what j says, without labels by people",
        "Knowledge hallucination rate, adjusted by 200 labels by people",
        "Reasoning hallucination rate, mean over patients",
    ]


def test_name_and_source(made: Make) -> None:
    """The card's name may be the hub's, and evidence lies somewhere."""
    yaml = model_card(made(), name="org/model: x", source_url="https://example.org/evidence.zip")
    card = ModelCard(f"---\n{yaml}\n---\n")
    assert card.data.get("model_name") == "org/model: x"
    assert {result.source_url for result in card.data.get("eval_results")} == {"https://example.org/evidence.zip"}
    (name,) = {result.source_name for result in card.data.get("eval_results")}
    started = json.loads((SAMPLE / "manifest.json").read_bytes())["started"]
    assert name == f"clinhallu-gate, run of {started}"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"exit_status": 11, "decision": None, "gates": [], "failure_budget": None}, "was not completed"),
        ({"early_stop": {"seed": "s", "asked": 96, "of": 240}}, "ended early, and the mean at a stop is no estimate"),
        ({"gates": [_gate(estimate=None, n=96, of=240)]}, "ended early"),
        ({"manifest": {"limit": 60}}, "was made with --limit"),
        ({"gates": [_gate(tag="side"), _gate(threshold={"max_drop": 0.1}), _gate(scope="ct")]}, "none of its gates"),
    ],
)
def test_runs_without_a_rate_to_publish(made: Make, changed: dict[str, Any], said: str) -> None:
    """It says why."""
    with pytest.raises(BadInput, match=said):
        model_card(made(**changed))


def test_a_run_that_might_have_ended_early_and_did_not(made: Make) -> None:
    """It asked everything, so its means are estimates."""
    assert _read(model_card(made(early_stop={"seed": "s", "asked": 240, "of": 240})))


@pytest.mark.parametrize("content", ["", "[]", "[" * 100_000])
def test_folders_that_are_no_run(made: Make, tmp_path: Path, content: str) -> None:
    """Without a decision, or with a manifest that is none."""
    with pytest.raises(BadInput, match=r"it has no decision.json"):
        model_card(tmp_path)
    (made() / "manifest.json").write_text(content)
    with pytest.raises(BadInput, match=r"manifest.json: (cannot be read|is not a manifest)"):
        model_card(tmp_path)


@pytest.mark.parametrize(
    "url",
    ["javascript:alert(1)", "evidence.zip", "ftp://e.example/x", "https://", "https:///x", "https://e.example/\nx"],
)
def test_an_address_is_one_of_the_web(url: str, tmp_path: Path) -> None:
    """It becomes a link on a model's page."""
    with pytest.raises(BadInput, match=r"^--source-url: .* is no address\. Valid: one that begins with https://\.$"):
        model_card(tmp_path, source_url=url)


def test_gold_that_is_lacking_is_said(made: Make) -> None:
    """In the metric's name, where a reader sees it, and among its fields; else nothing is said of it."""
    yaml = model_card(made(gates=[_gate(without_gold=2), _gate(1)]))
    bare, whole = _read(yaml)
    assert bare.metric_name == (
        "Visual hallucination rate, in which 2 of 240 instances lack gold and stand in the limits alone"
    )
    assert (bare.metric_args["instances"], bare.metric_args["without_gold"]) == (240, 2)
    assert "gold" not in whole.metric_name
    assert "without_gold" not in whole.metric_args
