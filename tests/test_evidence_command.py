"""``clinhallu-gate evidence``, ``verify``, ``compare`` and ``model-card``: what they print, and how they end."""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from clinhallu_gate.cli import main

SAMPLE = Path(__file__).parent.parent / "reports" / "sample"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run that pytest made, with a policy of our own in the place of the one that decided it."""
    folder, policy = tmp_path / "run", tmp_path / "policy.yaml"
    shutil.copytree(SAMPLE, folder)
    policy.write_text("schema_version: 1\n")
    thresholds = {"file": str(policy), "sha256": hashlib.sha256(policy.read_bytes()).hexdigest()}
    for name in ("decision.json", "manifest.json"):
        content = json.loads((folder / name).read_text("utf-8"))
        (folder / name).write_text(json.dumps({**content, "thresholds": thresholds}), "utf-8")
    return folder


def test_evidence_and_its_verification(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Packed, verified with 0; with one byte changed 1, and no archive 4."""
    assert main(["evidence", str(run)]) == 0
    file = run / "evidence.zip"
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert capsys.readouterr().out.startswith(f"{file}: 8 files, SHA-256 {digest}. ")
    assert main(["verify", str(file)]) == 0
    assert capsys.readouterr().out == "verified: phantom-vlm, PASS, 240 instances, 8 files\n"
    content = file.read_bytes()
    at = content.index(b"<html")
    file.write_bytes(content[:at] + b"[" + content[at + 1 :])
    assert main(["verify", str(file)]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"clinhallu-gate: {file}: does not hold: report.html: SHA-256 ")
    assert said.count("\n") == 1
    file.write_bytes(b"x")
    assert main(["verify", str(file)]) == 4
    assert capsys.readouterr().err.startswith(f"clinhallu-gate: {file}: is no evidence archive")


def test_evidence_elsewhere(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A policy that was moved is named, and so is the archive."""
    (tmp_path / "policy.yaml").rename(tmp_path / "moved.yaml")
    assert main(["evidence", str(run)]) == 4
    assert "policy.yaml: cannot be read: No such file" in capsys.readouterr().err
    command = ["evidence", str(run), "--thresholds", str(tmp_path / "moved.yaml"), "--out", str(tmp_path / "e.zip")]
    assert main(command) == 0
    assert main(["verify", str(tmp_path / "e.zip")]) == 0


def test_compare(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A table for people, Markdown or JSON; one run alone is refused."""
    runs = [str(SAMPLE), str(run)]
    assert main(["compare", *runs]) == 0
    assert capsys.readouterr().out.startswith("run  ")
    assert main(["compare", *runs, "--markdown"]) == 0
    assert capsys.readouterr().out.startswith("| run |")
    assert main(["compare", *runs, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["comparable"] is True
    assert main(["compare", str(run)]) == 4
    assert "one run is nothing to compare" in capsys.readouterr().err


def test_model_card(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """YAML to be pasted into a card."""
    assert main(["model-card", str(run), "--name", "org/m", "--source-url", "https://example.org/e"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("model-index:\n- name: org/m\n  results:\n")
    assert said.count("    source:\n") == 1


def test_help_loads_nothing() -> None:
    """What the commands need is imported by them."""
    code = (
        "import sys, contextlib, clinhallu_gate.cli as c\n"
        "with contextlib.suppress(SystemExit): c.main(['verify'])\n"
        "print([m for m in ('pydantic', 'yaml', 'pyarrow', 'clinhallu_gate.evidence') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
