"""The benchmark's four sets, with phantoms in their released formats, gated on real vLLM by a judge model."""

from dataclasses import replace
from pathlib import Path

import pytest
from vllm_run import Ended, run_gate

from clinhallu_gate._scripted.released import suits, write_released
from clinhallu_gate.datasets.phantom.generate import phantom_instances
from clinhallu_gate.records import Image, Instance
from clinhallu_gate.vocabulary import STAGE_METRIC

pytestmark = pytest.mark.vllm
SETS = ("vqa-rad", "pathvqa", "medframeqa", "medxpertqa")
EACH = 14
POLICY = """
schema_version: 1
max_unjudged: 0.2
judge: {probes: 48, min_sensitivity: 0.5, min_specificity: 0.5}
gates:
  - {metric: visual_hallucination_rate, max: 0.9}
  - {metric: knowledge_hallucination_rate, max: 0.9}
  - {metric: reasoning_hallucination_rate, max: 0.9}
  - {metric: answer_accuracy, min: 0.1}
  - {metric: recovery, arm: replace_vr_kr, min: -0.9, severity: advisory}
  - {metric: recovery, arm: replace_kr, min: -0.9, severity: advisory}
  - {metric: recovery, arm: replace_vr, min: -0.9, severity: advisory}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the same data in both layouts, and a policy for so few instances."""
    root = tmp_path_factory.mktemp("released")
    phantoms = phantom_instances(seed="released-1", studies=48)
    for number, name in enumerate(SETS):
        chosen = [instance for instance in phantoms if suits(name, instance)][number % 2 :: 2][:EACH]
        if name == "medframeqa":
            chosen[0] = _with_five_images(chosen[0])
        assert len(chosen) == EACH
        write_released(root / "copy", name, chosen, layout="copy")
        write_released(root / "results", name, chosen, layout="results")
    (root / "policy.yaml").write_text(POLICY)
    return root


def _with_five_images(instance: Instance) -> Instance:
    """Show frames again until there are five, the most that MedFrameQA has."""
    images: tuple[Image, ...] = (instance.images * 5)[:5]
    return replace(instance, images=images)


def _run(folder: Path, layout: str) -> Ended:
    data = ("--data", "clinhallu", "--data-root", str(folder / layout), "--thresholds", str(folder / "policy.yaml"))
    judge = ("--judge", "phantom-judge")
    return run_gate("phantom-vlm", folder / f"run-{layout}", folder / "store.sqlite", *data, *judge)


@pytest.fixture(scope="module")
def ran(folder: Path) -> Ended:
    """A run over copies of the hub's repositories: Parquet with embedded images, and an archive of images."""
    return _run(folder, "copy")


def test_all_four_sets_are_evaluated_end_to_end(ran: Ended) -> None:
    """Every trace was asked of the model and every verdict sought from the judge, one server after the other."""
    assert ran.status in (0, 1, 10), ran.output[-3000:]
    assert {data["name"]: data["instances"] for data in ran.decision["datasets"]} == dict.fromkeys(SETS, EACH)
    assert ran.manifest["calls"]["made"] + ran.manifest["calls"]["from_store"] == 4 * EACH * len(SETS)
    assert ran.decision["judge_examination"]["fit"]
    gates = {gate["id"]: gate for gate in ran.decision["gates"]}
    for metric in (*STAGE_METRIC.values(), "answer_accuracy"):
        assert gates[f"{metric}[mean]"]["n"] == EACH * len(SETS)
        assert gates[f"{metric}[mean]"]["estimate"] is not None
    assert (ran.run_dir / "server.log").exists()
    assert (ran.run_dir / "judge-server.log").exists()


def test_model_and_judge_were_not_up_at_once(ran: Ended) -> None:
    """On one GPU the model makes room before the judge comes."""
    model, judge = (ran.run_dir / name for name in ("server.log", "judge-server.log"))
    assert model.stat().st_mtime <= judge.stat().st_ctime
    assert "Shutting down" in model.read_text() or "shutdown" in model.read_text().lower()


def test_both_scorings_and_the_published_figures_stand_there(ran: Ended) -> None:
    """By data set, and in the mean over the four."""
    assert set(ran.decision["scorings"]["paper"]["datasets"]) == set(SETS)
    assert len(ran.decision["published"]["figures"]) == 4 * (len(SETS) + 1)


def test_the_other_layout_is_the_same_data_and_asks_nothing(ran: Ended, folder: Path) -> None:
    """JSON Lines with a folder of images: the same digests, so every reply is there already."""
    again = _run(folder, "results")
    assert again.decision["datasets"] == ran.decision["datasets"]
    assert again.manifest["calls"]["made"] == again.manifest["judge_calls"]["made"] == 0
    assert again.decision["gates"] == ran.decision["gates"]
