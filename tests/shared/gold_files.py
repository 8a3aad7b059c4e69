"""A small ward with radiology reports, and a model that drafts from them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from PIL import Image as Pillow

from clinhallu_gate.engine.retry import RetryPolicy
from clinhallu_gate.gold.draft import DraftOptions
from clinhallu_gate.pipeline.options import RunOptions
from clinhallu_gate.testing import Request, ScriptedServer

STAGES: Final = ("visual_recognition", "knowledge_recall", "reasoning_integration")
REPORT: Final = "FINDINGS: An opacity in the left lower zone. Report {} of Mrs Okonkwo."
QUICK: Final = RetryPolicy(attempts=2, base_s=0.01, cap_s=0.02)


def row(number: int, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - any field of a row
    """Return a row of a patient with a report and no gold; None takes a field away."""
    plain = {
        "id": f"mrn-{number:03}",
        "question": f"Is there an opacity in study {number}?",
        "question_type": "yes_no",
        "answer": "yes",
        "images": [f"{number}.png"],
        "patient_id": f"p{number}",
        "report": REPORT.format(number),
    }
    return {name: value for name, value in {**plain, **fields}.items() if value is not None}


GOLD: Final = {
    "gold_visual_recognition": "An opacity is seen here.",
    "gold_knowledge_recall": "An opacity may be pneumonia.",
    "gold_reasoning": "So the answer is yes.",
}


def ward(folder: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """Write a manifest and its images."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in {name for each in rows for name in each["images"]}:
        number = int(Path(name).stem)
        Pillow.new("L", (24, 16), number % 200).save(folder / name)
    path = folder / "ward.jsonl"
    path.write_text("".join(f"{json.dumps(each)}\n" for each in rows), "utf-8")
    return path


def number_of(request: Request) -> int:
    """Return which study a request is about."""
    return int(request.text.partition("in study ")[2].partition("?")[0])


def draft_text(number: int, answer: str = "yes") -> str:
    """Return a whole draft."""
    return (
        f"[Visual Recognition]\nAn opacity in the left lower zone of study {number}.\n"
        "[Knowledge Recall]\nAn opacity may be a consolidation.\n"
        f"[Reasoning]\nThe opacity is seen, so the answer is {answer}.\n[Answer] {answer}"
    )


def drafts(request: Request) -> str:
    """Draft for any row."""
    return draft_text(number_of(request))


def options(server: ScriptedServer, **fields: Any) -> DraftOptions:  # noqa: ANN401 - any option
    """Return options that ask ``server``."""
    model = RunOptions(endpoints=(server.base_url,), model=server.model, model_revision="1")
    return DraftOptions(model=model, **{"retry": QUICK, **fields})


def reviewed(sheet: Mapping[str, Any], decisions: Mapping[str, str], **changes: Mapping[str, str]) -> dict[str, Any]:
    """Return what a reviewer would save of a sheet's data: decisions by id, and texts that were changed, by id."""
    rows = []
    for each in sheet["rows"]:
        texts = dict(zip(STAGES, each["texts"], strict=True))
        kept = {name: each[name] for name in ("id", "content_sha256", "report_sha256", "draft_sha256", "drafted_by")}
        decision = decisions.get(each["id"], "open")
        rows.append({**kept, **texts, "decision": decision, "note": "", **changes.get(each["id"], {})})
    return {"schema_version": 1, "manifest": sheet["manifest"], "reviewer": "Dr. N", "saved": "", "rows": rows}


def sheet_data(folder: Path) -> dict[str, Any]:
    """Return the data within ``review.html``."""
    page = (folder / "review.html").read_text("utf-8")
    block = page.partition('<script type="application/json" id="data">')[2].partition("</script>")[0]
    data: dict[str, Any] = json.loads(block)
    return data


def review(manifest: Path, decisions: Mapping[str, str], **changes: Mapping[str, str]) -> Path:
    """Write what a reviewer saved, beside the manifest."""
    file = manifest.with_name("ward.reviewed.json")
    folder = manifest.with_name("ward.gold")
    file.write_text(json.dumps(reviewed(sheet_data(folder), decisions, **changes)), "utf-8")
    return file
