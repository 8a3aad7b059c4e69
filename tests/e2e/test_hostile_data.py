"""Hostile text from end to end: rows, file names, replies and reasons that were written to do harm."""

import json
from pathlib import Path

import pyarrow.parquet as pq
from canaries import echo, judge
from gate_run import GATES, Rig
from payloads import PAYLOADS, UNSHOWN

from clinhallu_gate.datasets.phantom.generate import phantom_instances
from clinhallu_gate.testing import ScriptedServer

HOSTILE = [*PAYLOADS, *(text for text in UNSHOWN if text.strip() and "\ud800" not in text)]
"""Without half surrogate pairs: no manifest and no reply in UTF-8 holds them."""
POLICY = """
schema_version: 1
target: benchmark
max_unjudged: 1.0
judge: {probes: 4, min_sensitivity: 0.0, min_specificity: 0.0}
gates:
  - {metric: visual_hallucination_rate, max: 0.5}
  - {metric: knowledge_hallucination_rate, max: 0.5}
  - {metric: reasoning_hallucination_rate, max: 0.5}
  - {metric: answer_accuracy, min: 0.2}
  - {metric: recovery, arm: replace_vr, min: 0.0, severity: advisory}
"""


def write_data(folder: Path) -> Path:
    """Write a manifest of which every text is hostile, with images whose names are."""
    image = phantom_instances(studies=1)[0].images[0].read()
    rows = []
    for number, text in enumerate(HOSTILE):
        name = f"{number} {text[:60]}.png".translate(str.maketrans("/\\\0", "___"))
        (folder / name).write_bytes(image)
        long = text[:100_000]
        rows.append(
            {
                "source_id": f"{number} {text[:2_000]}",
                "phi": False,
                "question": long,
                "answer": f"yes {text[:500]}",
                "question_type": "open_ended",
                "images": [name],
                "tags": [text[:40]],
                **{
                    f"gold_{stage}": f"A nodule. {long}"
                    for stage in ("visual_recognition", "knowledge_recall", "reasoning")
                },
            }
        )
    file = folder / "hostile.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    (folder / "policy.yaml").write_text(POLICY, "utf-8")
    return file


def test_a_hostile_data_set_is_gated_like_any_other(rig: Rig, tmp_path: Path) -> None:
    """Each row has its verdicts or a reason for none; no control reaches the terminal, no markup the page."""
    file = write_data(tmp_path)
    with ScriptedServer(reply=echo, model="echo") as model, ScriptedServer(reply=judge, model="judge") as judging:
        outcome = rig.run(
            *(*GATES, "-rA", "-vv", "--endpoint", model.base_url, "--model", "echo", "--judge", "judge"),
            *("--judge-endpoint", judging.base_url, "--data", str(file), "--thresholds", str(tmp_path / "policy.yaml")),
        )
    said = outcome.out + outcome.err
    assert outcome.status in {0, 1, 10}, said[-4_000:]
    assert "INTERNALERROR" not in said
    assert "Traceback" not in said
    assert not set("\x07\x00\u202e\u2066\u2028\x85") & set(said)
    rows = pq.read_table(outcome.folder / "results.parquet").to_pylist()
    assert len({row["id"] for row in rows}) == len(HOSTILE)
    assert any(row["kind"] == "judged" and "window.pwned" in row["reason"] for row in rows)
    page = (outcome.folder / "report.html").read_text("utf-8")
    block = page.partition('<script type="application/json" id="instances">')[2].partition("</script>")[0]
    assert len(json.loads(block)["rows"]) == len(HOSTILE)
    for markup in (
        "<script>window",
        "<img",
        "<iframe",
        "<link",
        "<base",
        "<animate",
        "<style>*",
        'http-equiv="refresh',
    ):
        assert markup not in page
