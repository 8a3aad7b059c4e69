"""A site's own gold, from draft to decision: refused unsigned, shouted where that is allowed, accepted signed."""

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from gate_run import Outcome, Rig
from PIL import Image as Pillow

from clinhallu_gate.gold.draft import DraftOptions, draft_gold
from clinhallu_gate.gold.signing import sign_gold
from clinhallu_gate.pipeline.options import RunOptions
from clinhallu_gate.private import private_folder
from clinhallu_gate.pseudonym import SITE_KEY
from clinhallu_gate.testing import Request, ScriptedServer

ROWS = 12
POLICY = """
schema_version: 1
target: benchmark
max_unjudged: 1.0
judge: {probes: 4, min_sensitivity: 0.0, min_specificity: 0.0}
gates:
  - {metric: visual_hallucination_rate, max: 0.9}
  - {metric: knowledge_hallucination_rate, max: 0.9, severity: advisory}
  - {metric: answer_accuracy, min: 0.5}
"""
TRACE = (
    "[Visual Recognition]\nAn opacity in the left lower zone.\n[Knowledge Recall]\nAn opacity may be a consolidation.\n"
    "[Reasoning]\nThe opacity is seen, so the answer is yes.\n[Answer] yes"
)
REPORT = "FINDINGS: opacity, left lower zone. Mrs Okonkwo, study {}."
REVIEWER = "Dr. Wrzesniak"
SHOUT = "UNSIGNED GOLD: {} of 12 instances have gold that nobody signed"
STAGES = ("visual_recognition", "knowledge_recall", "reasoning_integration")


def model(request: Request) -> str:
    """Write a trace; it must never be shown a report."""
    assert "FINDINGS" not in request.text
    return TRACE


def judge(request: Request) -> str:
    """Say what is wanted of a stage."""
    word = "correct" if "final answer" in request.text else "hallucinated"
    return json.dumps({"reason": "as it is", word: word == "correct"})


@dataclass(frozen=True)
class Site:
    """A ward's manifest, and how to gate a model with it."""

    rig: Rig
    manifest: Path
    model: ScriptedServer
    judge: ScriptedServer

    def draft(self) -> None:
        """Draft gold for every row that lacks it."""
        with ScriptedServer(reply=TRACE, model="drafter") as drafter:
            asked = RunOptions(endpoints=(drafter.base_url,), model="drafter", model_revision="1")
            draft_gold(str(self.manifest), DraftOptions(model=asked))

    def sign(self, decisions: Mapping[str, str]) -> None:
        """Sign as a reviewer who filled in the table."""
        with (self.manifest.with_name("ward.gold") / "review.csv").open(encoding="utf-8-sig", newline="") as file:
            lines = [{**line, "decision": decisions.get(line["id"], "")} for line in csv.DictReader(file)]
        saved = self.manifest.with_name("filled.csv")
        with saved.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, lines[0])
            writer.writeheader()
            writer.writerows(lines)
        sign_gold(str(self.manifest), saved, reviewer=REVIEWER)

    def gate(self, *more: str) -> Outcome:
        """Gate the model."""
        options = {
            "--endpoint": self.model.base_url,
            "--model": self.model.model,
            "--judge": self.judge.model,
            "--judge-endpoint": self.judge.base_url,
            "--judge-revision": "1",
            "--data": str(self.manifest),
            "--thresholds": str(self.manifest.with_name("policy.yaml")),
        }
        words = [word for pair in options.items() for word in pair]
        return self.rig.run("suites/", *words, "-q", *more, env={SITE_KEY: str(self.manifest.with_name("site.key"))})


@pytest.fixture(autouse=True)
def _own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLINHALLU_GATE_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def site(rig: Rig, tmp_path: Path) -> Iterator[Site]:
    """Twelve patients with reports and no gold."""
    rows: list[dict[str, Any]] = []
    for number in range(ROWS):
        Pillow.new("L", (24, 16), number).save(tmp_path / f"{number}.png")
        rows.append(
            {
                "id": f"mrn-{number}",
                "question": f"Is there an opacity in study {number}?",
                "question_type": "yes_no",
                "answer": "yes",
                "images": [f"{number}.png"],
                "report": REPORT.format(number),
            }
        )
    manifest = tmp_path / "ward.jsonl"
    manifest.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    (tmp_path / "policy.yaml").write_text(POLICY)
    with ScriptedServer(reply=model, model="model") as first, ScriptedServer(reply=judge, model="judge") as second:
        yield Site(rig, manifest, first, second)


def test_unsigned_gold_is_refused(site: Site) -> None:
    """In one line with both ways out, exit status 4, before anything is asked."""
    site.draft()
    outcome = site.gate()
    assert outcome.status == 4
    said = " ".join((outcome.out + outcome.err).split())
    assert "12 of 12 rows have gold that nobody signed" in said
    assert "clinhallu-gate sign-gold" in said
    assert "--allow-unsigned-gold" in said
    assert "Okonkwo" not in said
    assert site.model.requests == 0
    assert not outcome.folder.exists()


def test_unsigned_gold_is_shouted(site: Site) -> None:
    """On the first screen of the report, in terminal, summary, decision and manifest."""
    site.draft()
    site.sign({f"mrn-{number}": "approved" for number in range(4)})
    outcome = site.gate("--allow-unsigned-gold")
    assert outcome.status == 0
    shout = SHOUT.format(8)
    assert shout in " ".join(outcome.out.split())
    assert outcome.out.index("UNSIGNED GOLD") < outcome.out.index("RELEASED")
    page = (outcome.folder / "report.html").read_text()
    assert page.index(shout) < page.index("<h1>")
    summary = (outcome.folder / "summary.md").read_text().splitlines()
    assert summary[2].startswith(f"> **{shout}")
    counted = {"instances": 12, "supplied": 0, "signed": 4, "unsigned": 8, "absent": 0, "reviewers": 1}
    assert {name: outcome.decision["gold"][name] for name in counted} == counted
    assert outcome.decision["gold"]["note"].startswith("8 of 12 instances have gold that nobody signed")
    assert outcome.manifest["gold"] == outcome.decision["gold"]
    assert outcome.manifest["allow_unsigned_gold"] is True
    assert len(outcome.manifest["datasets"][0]["unsigned"]) == 8


def test_signed_gold_is_accepted(site: Site) -> None:
    """Without a shout; who signed is told to the site alone, and no report text to anybody."""
    site.draft()
    site.sign({f"mrn-{number}": "approved" for number in range(ROWS)})
    outcome = site.gate()
    assert outcome.status == 0
    assert "UNSIGNED" not in outcome.out
    assert "gold of 12 instances: 12 signed by 1 reviewer" in " ".join(outcome.out.split())
    shared = b"".join(path.read_bytes() for path in outcome.folder.rglob("*") if path.is_file())
    for secret in (REVIEWER.encode(), b"Okonkwo", b"FINDINGS", b"mrn-1"):
        assert secret not in shared
    kept = private_folder(outcome.folder)
    with (kept / "signatures.csv").open(newline="") as file:
        signed = list(csv.DictReader(file))
    assert {(one["gold"], one["reviewer"], one["edited"]) for one in signed} == {("signed", REVIEWER, "false")}
    assert "Okonkwo" not in "".join(path.read_text(errors="ignore") for path in kept.rglob("*") if path.is_file())


def test_what_cannot_be_gated_is_said(site: Site) -> None:
    """A rejected row has no gold: its answer still counts, and the summary says what could not be gated."""
    site.draft()
    site.sign({f"mrn-{number}": "approved" if number else "rejected" for number in range(ROWS)})
    outcome = site.gate()
    assert outcome.status == 10
    said = "not gated, H^V: 1 of 12 instances have no gold for visual recognition"
    assert said in " ".join(outcome.out.split())
    assert said.replace("^", "") in (outcome.folder / "summary.md").read_text().replace("^", "").replace("\\", "")
    assert said in (outcome.folder / "report.html").read_text()
    gates = {gate["metric"]: gate for gate in outcome.decision["gates"]}
    assert gates["visual_hallucination_rate"]["decision"] == "not_applicable"
    assert (gates["answer_accuracy"]["decision"], gates["answer_accuracy"]["n"]) == ("PASS", 12)
    assert outcome.decision["gold"]["absent"] == 1
