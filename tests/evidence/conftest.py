"""A run folder in a few kilobytes, with the policy that decided it."""

import hashlib
import json
from pathlib import Path

import pytest

from clinhallu_gate.gate import Release
from clinhallu_gate.report import DatasetDigest, FileDigest, NamedDigest
from clinhallu_gate.report.decision import build
from clinhallu_gate.report.files import file_digests
from clinhallu_gate.vocabulary import Decision

POLICY = b"schema_version: 1\ngates: []\n"
MODEL, JUDGE, PROTOCOL, DATA = "e" * 64, "a" * 64, "b" * 64, "d" * 64


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a run that passed, below a project whose policy it names by a relative path."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "thresholds").mkdir()
    (tmp_path / "thresholds/board.yaml").write_bytes(POLICY)
    policy = hashlib.sha256(POLICY).hexdigest()
    folder = tmp_path / "run"
    (folder / "report_assets").mkdir(parents=True)
    document = build(
        Release(Decision.PASS, 0, ""),
        [],
        model="my-model",
        model_sha256=MODEL,
        judge="my-judge",
        judge_sha256=JUDGE,
        protocol=NamedDigest(name="standard", sha256=PROTOCOL),
        thresholds=FileDigest(file="thresholds/board.yaml", sha256=policy),
        datasets=[DatasetDigest(name="films", sha256=DATA, instances=12)],
    )
    manifest = {
        "command": "pytest suites/ --model my-model",
        "started": "2026-11-23T02:46:35Z",
        "finished": "2026-11-23T02:47:59Z",
        "model": {"name": "my-model", "weights_sha256": "c" * 64, "revision": None, "digest": MODEL},
        "judge": {"name": "my-judge", "model": {"revision": "f" * 40, "digest": JUDGE}},
        "protocol": {"name": "standard", "sha256": PROTOCOL},
        "thresholds": {"file": "thresholds/board.yaml", "sha256": policy},
        "datasets": [{"name": "films", "sha256": DATA}],
        "versions": {"clinhallu-gate": "0.1.0"},
    }
    (folder / "decision.json").write_bytes(document.to_json())
    for name in ("results.parquet", "traces.parquet", "instances.jsonl", "report.html", "summary.md"):
        (folder / name).write_text(f"the content of {name}\n")
    (folder / "report_assets/film 1.png").write_bytes(bytes(range(256)))
    (folder / "manifest.json").write_text(json.dumps({**manifest, "files": file_digests(folder)}))
    (folder / "server.log").write_text("a secret of the server")
    (folder / "store.sqlite").write_text("every reply")
    return folder
