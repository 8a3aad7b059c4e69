"""The benchmarks run and say what they measure; their bounds hold on a quiet machine, here only loosely."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


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
    """Four tests per instance and four gates, over a full store."""
    found = _quick("items.py")
    assert found["items"] == 604
    assert found["ratio"] < 3
