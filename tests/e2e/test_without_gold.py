"""A ward in which some rows lack gold: gated within the share that the policy allows, and not beyond it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from gate_run import Outcome, Rig
from PIL import Image as Pillow

from clinhallu_gate.pseudonym import SITE_KEY
from clinhallu_gate.testing import Request, ScriptedServer

ROWS, BARE = 24, 2
POLICY = """
schema_version: 1
max_unjudged: 0.0
max_without_gold: {share}
early_stop: {early}
judge: {{probes: 4, min_sensitivity: 0.0, min_specificity: 0.0}}
gates:
  - {{metric: visual_hallucination_rate, max: {visual}}}
  - {{metric: knowledge_hallucination_rate, max: 0.5}}
  - {{metric: answer_accuracy, min: 0.5}}
  - {{metric: recovery, arm: replace_vr, min: -0.5}}
"""
GOLD = {
    "gold_visual_recognition": "An opacity in the left lower zone.",
    "gold_knowledge_recall": "An opacity may be a consolidation.",
    "gold_reasoning": "The opacity is seen, so the answer is yes.",
}
TRACE = (
    "[Visual Recognition]\nAn opacity in the left lower zone.\n[Knowledge Recall]\nAn opacity may be a consolidation.\n"
    "[Reasoning]\nThe opacity is seen, so the answer is yes.\n[Answer] yes"
)
VISUAL, KNOWLEDGE = "visual_hallucination_rate[mean]", "knowledge_hallucination_rate[mean]"
RECOVERY, ACCURACY = "recovery-replace_vr[mean]", "answer_accuracy[mean]"


def judge(request: Request) -> str:
    """Call every answer correct, and no stage hallucinated."""
    return json.dumps({"reason": "as it is", "correct" if "final answer" in request.text else "hallucinated": False})


@dataclass(frozen=True)
class Ward:
    """A manifest, and how to gate a model with it."""

    rig: Rig
    manifest: Path
    model: ScriptedServer
    judge: ScriptedServer

    def gate(self, share: float, *, visual: float = 0.3, early: bool = False) -> Outcome:
        """Gate the model by a policy that lets ``share`` of the rows lack gold."""
        policy = self.manifest.with_name("policy.yaml")
        policy.write_text(POLICY.format(share=share, visual=visual, early=str(early).lower()))
        options = {
            "--endpoint": self.model.base_url,
            "--model": self.model.model,
            "--judge": self.judge.model,
            "--judge-endpoint": self.judge.base_url,
            "--judge-revision": "1",
            "--data": str(self.manifest),
            "--thresholds": str(policy),
        }
        words = [word for pair in options.items() for word in pair]
        return self.rig.run("suites/", *words, "-q", env={SITE_KEY: str(self.manifest.with_name("site.key"))})


@pytest.fixture(autouse=True)
def _own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLINHALLU_GATE_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def ward(rig: Rig, tmp_path: Path) -> Iterator[Ward]:
    """A patient for each row; of two there is no gold reading of the image."""
    rows: list[dict[str, Any]] = []
    for number in range(ROWS):
        Pillow.new("L", (24, 16), number).save(tmp_path / f"{number}.png")
        row = {
            "id": f"mrn-{number}",
            "question": f"Is there an opacity in study {number}?",
            "question_type": "yes_no",
            "answer": "yes",
            "images": [f"{number}.png"],
            **GOLD,
        }
        if number < BARE:
            del row["gold_visual_recognition"]
        rows.append(row)
    manifest = tmp_path / "ward.jsonl"
    manifest.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    with ScriptedServer(reply=TRACE, model="model") as first, ScriptedServer(reply=judge, model="judge") as second:
        yield Ward(rig, manifest, first, second)


def gates_of(outcome: Outcome) -> dict[str, dict[str, Any]]:
    """Return the gates of ``decision.json`` by id."""
    return {gate["id"]: gate for gate in outcome.decision["gates"]}


def said(text: str) -> str:
    """Return a document as one line, without what Markdown escapes."""
    return " ".join(text.replace("\\", "").split())


def test_within_the_share_they_are_counted_at_worst(ward: Ward) -> None:
    """Two of 24 lack what three gates need: these decide on all 24, and every document says it."""
    outcome = ward.gate(0.1)
    assert outcome.status == 0, outcome.out
    gates = gates_of(outcome)
    for name in (VISUAL, KNOWLEDGE, RECOVERY):
        assert (gates[name]["decision"], gates[name]["n"], gates[name]["without_gold"]) == ("PASS", ROWS, BARE)
        assert gates[name]["reason"].endswith("; judge-defined: no labels by people stand behind it")
        assert f"{BARE} without gold are counted at worst either way" in gates[name]["reason"]
    assert gates[VISUAL]["estimate"] == 0.0
    assert gates[VISUAL]["interval"] == pytest.approx([0.0, 0.2398], abs=1e-4)  # Clopper-Pearson, 2 of 24
    assert "without_gold" not in gates[ACCURACY]
    printed = said(outcome.out)
    for words in (
        f"{BARE} of {ROWS} in {VISUAL}, counted at worst either way; the estimate is of the others",
        f"counted at worst, H^V: {BARE} of {ROWS} instances have no gold for visual recognition",
        f"counted at worst, H^K: {BARE} of {ROWS} instances have no gold for visual recognition",
    ):
        assert words in printed
    summary = said((outcome.folder / "summary.md").read_text())
    assert f"{ROWS} ({BARE} without gold)" in summary
    assert f"{BARE} without gold counted as bad" in summary
    assert "counted at worst, H^V" in summary
    page = (outcome.folder / "report.html").read_text()
    assert page.count(f", {BARE} without gold; interval") == 3
    assert "counted at worst, H^V" in page
    assert "not gated" not in printed + summary + page


def test_an_instance_is_not_asked_for_what_it_has_no_gold_to_give(ward: Ward) -> None:
    """Its own trace is, and its answer counts; the arm that gives it a gold reading of the image is not."""
    outcome = ward.gate(0.1)
    lacking = {key: verdict[2] for key, verdict in outcome.verdicts.items() if verdict[0] == "not_asked"}
    assert {(arm, part): why for (_, arm, part), why in lacking.items()} == {
        ("baseline", "visual_recognition"): "no_gold: no gold visual_recognition to judge by",
        ("replace_vr", "knowledge_recall"): "no_gold: no gold visual_recognition to give",
        ("replace_vr", "answer"): "no_gold: no gold visual_recognition to give",
    }
    assert len({uid for uid, _, _ in lacking}) == BARE
    assert ward.model.requests == ROWS + (ROWS - BARE)
    own = [verdict for (_, arm, part), verdict in outcome.verdicts.items() if (arm, part) == ("baseline", "answer")]
    assert len(own) == ROWS
    assert {verdict[:2] for verdict in own} == {("judged", "correct")}


def test_what_lacks_may_leave_a_gate_open_and_never_passes_it(ward: Ward) -> None:
    """A budget that the known rows would hold with room to spare is not shown if two may be bad: 12.9 % would be."""
    outcome = ward.gate(0.1, visual=0.2)
    gate = gates_of(outcome)[VISUAL]
    assert outcome.status == 10
    assert (gate["decision"], gate["estimate"]) == ("INCONCLUSIVE", 0.0)


def test_where_gold_alone_decides_it_is_what_to_get_next(ward: Ward) -> None:
    """Two of 24 may be 8.3 %, or none: of a budget of 5 % no further patients like these would tell."""
    outcome = ward.gate(0.1, visual=0.05)
    assert outcome.status == 10
    assert gates_of(outcome)[VISUAL]["decision"] == "INCONCLUSIVE"
    words = f"Get the gold of {BARE} instances: while it is lacking, no number of further instances would likely decide"
    assert words in said(outcome.out)
    assert words in said((outcome.folder / "summary.md").read_text())


def test_over_the_share_the_gates_are_not_applicable(ward: Ward) -> None:
    """Nothing is released, and every document says how many lack gold and how many may."""
    outcome = ward.gate(0.05)
    assert outcome.status == 10
    gates = gates_of(outcome)
    for name in (VISUAL, KNOWLEDGE, RECOVERY):
        assert gates[name]["decision"] == "not_applicable"
        assert gates[name]["reason"] == (
            "2 of 24 instances have no gold trace for it; at most 1 of 24 may lack it (max_without_gold: 0.05)"
        )
    assert gates[ACCURACY]["decision"] == "PASS"
    words = f"not gated, H^V: {BARE} of {ROWS} instances have no gold for visual recognition"
    assert words in said(outcome.out)
    summary = said((outcome.folder / "summary.md").read_text())
    assert words in summary
    assert (
        f"not at all: {BARE} of {ROWS} instances have no gold text for it, more than max_without_gold allows" in summary
    )


def test_an_early_end_is_refused_beside_it(ward: Ward) -> None:
    """The order of the visit would follow from which gold there is; nothing is asked."""
    outcome = ward.gate(0.1, early=True)
    assert outcome.status == 4
    assert "max_without_gold: 0.1 does not go with early_stop: true" in said(outcome.err)
    assert ward.model.requests == 0
