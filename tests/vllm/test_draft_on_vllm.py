"""``draft-gold`` with a model that is hosted for it on real vLLM."""

import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from gold_files import row, ward

from clinhallu_gate.datasets.signed import DraftedRow, read_lines

pytestmark = pytest.mark.vllm


def draft(manifest: Path) -> "subprocess.CompletedProcess[str]":
    """Run the command."""
    words = [sys.executable, "-m", "clinhallu_gate.cli", "draft-gold", str(manifest), "--model", "phantom-vlm"]
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=600)


def test_a_hosted_model_drafts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server comes up, drafts and is gone; its log holds no report, and a repeated draft starts none."""
    monkeypatch.setenv("CLINHALLU_GATE_CACHE", str(tmp_path / "cache"))
    report = "An opacity on the left, of Mrs Okonkwo."
    manifest = ward(tmp_path / "ward", [row(1, report=report), row(2, report=report)])
    first = draft(manifest)
    assert first.returncode == 0, first.stderr
    folder = manifest.with_name("ward.gold")
    lines = list(read_lines(folder / "draft.jsonl", DraftedRow))
    assert [line.id for line in lines] == ["mrn-001", "mrn-002"]
    for line in lines:  # a model that has learned phantoms may write something else, and then it is said
        assert (line.gold is None) == bool(line.trouble)
        assert line.gold is None or "phantom-vlm (weights " in line.drafted_by
    assert "Okonkwo" not in (folder / "server.log").read_text(errors="replace")
    assert not [
        each for each in psutil.process_iter(["cmdline"]) if str(folder) in " ".join(each.info["cmdline"] or [])
    ]
    (folder / "server.log").unlink()
    drafts = (folder / "draft.jsonl").read_bytes()
    assert draft(manifest).returncode == 0
    if all(line.gold for line in lines):
        assert not (folder / "server.log").exists()
        assert (folder / "draft.jsonl").read_bytes() == drafts
