"""Results that the benchmark's own code wrote: gated without a model, scored as it scores, and given back."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from gate_run import CHECKOUT, Outcome, Rig

from clinhallu_gate.cli import main
from clinhallu_gate.testing import Request, ScriptedServer
from clinhallu_gate.vocabulary import Arm

TREE = CHECKOUT / "tests" / "tree" / "reference-tree"
HOME = Path("results/vqa-rad-test/eval/stub")
KNOWLEDGE = "suites/test_knowledge_recall.py::test_knowledge_is_grounded"


def gate_tree(rig: Rig, *args: str, tests: str = "suites/", tree: Path = TREE) -> Outcome:
    """Gate a result tree by the paper's protocol."""
    return rig.run(tests, "--from-results", str(tree), "--data-root", str(tree), "--protocol", "paper", *args)


@pytest.fixture(scope="module")
def outcome(rig: Rig) -> Outcome:
    """What the default policy makes of the tree."""
    return gate_tree(rig)


def theirs(name: str) -> dict[str, Any]:
    """Return a summary that the benchmark's own code wrote."""
    found: dict[str, Any] = json.loads((TREE / HOME / name).read_bytes())
    return found


def test_its_own_figures_are_given_to_the_last_digit(outcome: Outcome) -> None:
    """Paper scoring of the tree is what its summaries say."""
    paper = outcome.decision["scorings"]["paper"]
    arms = theirs("replace/summary.json")
    wanted = {"baseline": arms["baseline"]["acc"]} | {arm: one["acc"] for arm, one in arms["experiments"].items()}
    assert paper["answer_accuracy"] == wanted
    for name, target, step in (
        ("visual_hallucination_rate", "replace_kr", "visual_recognition"),
        ("knowledge_hallucination_rate", "replace_vr", "knowledge_recall"),
        ("reasoning_hallucination_rate", "replace_vr_kr", "reasoning"),
    ):
        summary = theirs(f"replace/{target}_step_hallucination_judge_summary.json")
        assert paper[name] == summary["steps"][step]["hallucination_rate"]
    assert paper["datasets"]["vqa-rad"] == {key: value for key, value in paper.items() if key != "datasets"}


def test_judge_failures_of_the_tree_are_no_verdicts(outcome: Outcome) -> None:
    """With more of them than the policy allows there is no decision, and no gate has a rate."""
    assert outcome.status == 11
    assert outcome.decision["decision"] is None
    assert all(gate["estimate"] is None for gate in outcome.decision["gates"])
    assert (outcome.decision["model"], outcome.decision["judge"]) == ("stub", "stub")
    assert outcome.manifest["calls"]["made"] == 0
    strict = outcome.decision["scorings"]["strict"]
    assert strict["answer_accuracy"]["baseline"] == round(32 / 57, 4)
    said = " ".join(outcome.out.split())
    assert "answers: strict 56.14 %, paper 66.67 % (9 format failures: +10.53 points" in said
    assert "Name a judge (--judge)" in said


def test_a_policy_that_allows_them_decides(rig: Rig, tmp_path: Path) -> None:
    """Bounded both ways, the open verdicts do not keep a clear failure from being one."""
    policy = tmp_path / "policy.yaml"
    text = (CHECKOUT / "thresholds" / "default.yaml").read_text()
    before, _, after = text.partition("  - metric: visual_hallucination_rate\n    max_drop:")
    text = before + after[after.index("  - metric: recovery") :]  # one gate fewer that a FAIL is divided by
    policy.write_text(text.replace("max_unjudged: 0.02", "max_unjudged: 0.2"))
    outcome = gate_tree(rig, "--thresholds", str(policy))
    assert outcome.status == 1
    decided = {gate["id"]: gate["decision"] for gate in outcome.decision["gates"]}
    assert decided["answer_accuracy[mean]"] == "FAIL"
    assert outcome.decision["published"]["figures"][0]["of"] == 12


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["plain", "xdist"])
def test_export_gives_the_tree_back(rig: Rig, tmp_path: Path, workers: tuple[str, ...]) -> None:
    """Every file has equal rows when parsed, the step judgements that nobody reports among them."""
    outcome = gate_tree(rig, *workers)
    assert main(["export", str(outcome.folder), "--out", str(tmp_path)]) == 0
    for file in (path for path in sorted((TREE / "results").rglob("*")) if path.is_file()):
        assert parsed(tmp_path / file.relative_to(TREE)) == parsed(file), file


def parsed(file: Path) -> object:
    """Return rows without their order, or a summary."""
    if file.suffix != ".jsonl":
        return json.loads(file.read_bytes())
    return sorted(json.dumps(json.loads(line), sort_keys=True) for line in file.read_text().splitlines())


def test_a_judge_is_asked_for_what_the_tree_leaves_open_and_for_nothing_else(rig: Rig, outcome: Outcome) -> None:
    """Its verdicts stand beside those of the tree."""
    asked: list[str] = []

    def reply(request: Request) -> str:
        asked.append(request.text)
        return json.dumps({"reason": "as planted", "hallucinated": True})

    with ScriptedServer(reply=reply, model="second") as judge:
        options = ("--judge", "second", "--judge-endpoint", judge.base_url, "--protocol", "standard")
        second = gate_tree(rig, *options, tests=KNOWLEDGE)
        requests = judge.requests
    knowledge = ("replace_vr", "knowledge_recall")
    opened = {key for key, said in outcome.verdicts.items() if key[1:] == knowledge and said[0] == "unjudged"}
    assert requests == len(opened) == 1
    assert {key: second.verdicts[key][:3] for key in opened} == dict.fromkeys(
        opened, ("judged", "hallucinated", "as planted")
    )
    before = {key: said for key, said in outcome.verdicts.items() if key[1:] == knowledge and key not in opened}
    assert {key: second.verdicts[key] for key in before} == before
    assert second.decision["judge"] == "stub + second"


# --- what cannot be used ---------------------------------------------------------------------------------------------


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A tree that a test may spoil."""
    return Path(shutil.copytree(TREE, tmp_path / "tree"))


def refused(outcome: Outcome) -> str:
    """Return what was said to input that cannot be used."""
    assert outcome.status == 4, outcome.out + outcome.err
    assert not outcome.folder.exists()
    return outcome.err


def test_a_line_that_is_cut_off_is_named(rig: Rig, copy: Path) -> None:
    """Nothing is skipped silently."""
    file = copy / HOME / "replace" / "replace_vr.jsonl"
    file.write_bytes(file.read_bytes()[:-40])
    assert "replace_vr.jsonl:60: " in refused(gate_tree(rig, tree=copy))


def test_traces_alone_are_gated_as_far_as_they_go(rig: Rig, copy: Path) -> None:
    """A tree without judgements says so: every verdict is open, and the missing files are named."""
    for file in (copy / HOME).rglob("*judge*"):
        file.unlink()
    outcome = gate_tree(rig, tree=copy)
    assert outcome.status == 11
    assert "judge_details.jsonl" in outcome.out
    kinds = {said[0] for (_, arm, part), said in outcome.verdicts.items() if (arm, part) == (Arm.BASELINE, "answer")}
    assert kinds == {"failed", "unjudged"}


def test_several_models_need_a_name(rig: Rig, copy: Path) -> None:
    """One of them is gated, and it has to be said which."""
    shutil.copytree(copy / HOME, copy / HOME.with_name("other"))
    assert "holds results of other, stub. Name one with --model." in refused(gate_tree(rig, tree=copy))
    assert gate_tree(rig, "--model", "other", tree=copy).decision["model"] == "other"


def test_an_endpoint_beside_a_tree_is_refused(rig: Rig) -> None:
    """Two sources of replies are one too many."""
    assert "it asks no --endpoint" in refused(gate_tree(rig, "--endpoint", "http://127.0.0.1:9"))


def test_a_tree_without_its_data_says_what_is_missing(rig: Rig, copy: Path) -> None:
    """Gold traces and images are needed to gate."""
    shutil.rmtree(copy / "data")
    assert "no images of vqa-rad under" in refused(gate_tree(rig, tree=copy))
