"""The benchmarks run and say what they measure; their bounds hold on a quiet machine, here only loosely."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from installed import program

from clinhallu_gate.config.thresholds import load_thresholds
from clinhallu_gate.vocabulary import Metric

ROOT = Path(__file__).parents[2]
BENCHMARKS = ROOT / "benchmarks"


def _quick(name: str) -> dict[str, Any]:
    command = [sys.executable, str(BENCHMARKS / name), "--quick"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode in (0, 1), done.stderr
    assert done.stdout, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_pipeline_keeps_up_with_a_bare_loop() -> None:
    """Every call of every arm is made, judged and stored, at a rate of the bare loop's order."""
    found = _quick("engine.py")
    assert found["calls"] == 1_000
    assert found["ratio"] > 0.2


def test_a_gated_test_costs_little_more_than_an_empty_one() -> None:
    """Four tests per instance and one per gate of the shipped policy on those metrics, over a full store."""
    found = _quick("items.py")
    recovery = Metric.RECOVERY  # its suite is not run
    gates = [gate for gate in load_thresholds(ROOT / "thresholds" / "phantom.yaml").gates if gate.metric != recovery]
    assert found["items"] == 4 * 150 + len(gates)
    assert found["ratio"] < 3


def test_headers_are_looked_at_within_a_minute_per_ten_thousand() -> None:
    """Headers, the whole profile, OCR and copies are timed apart, and what was looked at is not looked at again."""
    program("tesseract")
    found = _quick("preflight.py")
    assert (found["headers_files"], found["full_files"], found["ocr_images"]) == (200, 20, 2)
    assert found["headers_s_per_10000"] < 600
    assert found["ocr_again_s"] < found["ocr_s"]


def test_headers_of_dicom_files_are_read_in_bounded_time() -> None:
    """Two hundred files in two layouts: each header once, few drawings of a series, none of them twice."""
    found = _quick("dicom.py")
    assert found["series"]["headers"]["files"] == found["single"]["first"]["files"] == 200
    assert found["series"]["first"]["drawn"] == 10
    assert found["single"]["second"]["patients"] == found["single"]["headers"]["to_draw"] == 200
    assert found["single"]["headers"]["cpu_s"] < 6
