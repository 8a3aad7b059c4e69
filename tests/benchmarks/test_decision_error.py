"""The simulation of decision errors runs, its bounds hold in a short version, and the committed table is its own."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
SEED = 20260101


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], str]:
    """What the quick mode finds, and its table."""
    out = tmp_path_factory.mktemp("short") / "table.md"
    command = [sys.executable, str(BENCHMARKS / "decision_error.py"), "--quick"]
    done = subprocess.run(
        [*command, "--seed", str(SEED), "--out", str(out)], capture_output=True, text=True, check=False, timeout=900
    )
    assert done.stdout, done.stderr
    assert json.loads(done.stdout) == json.loads(out.with_suffix(".json").read_text())
    return json.loads(done.stdout), out.read_text()


def _missed(found: dict[str, Any]) -> set[tuple[str, str]]:
    return {(it["kind"], it["name"]) for it in found["cases"] if not it["holds"]}


def test_errors_at_the_boundary(short: tuple[dict[str, Any], str]) -> None:
    """Every kind of decision errs no more often than it may."""
    kinds = {it["kind"] for it in short[0]["cases"]}
    assert len(kinds) == 11
    assert _missed(short[0]) == set()


def test_decisions_do_not_depend_on_the_chunk(short: tuple[dict[str, Any], str]) -> None:
    """A look after every instance, every 64 or every 256 finds what the whole order holds."""
    assert [(it["chunk"], it["differed"]) for it in short[0]["chunks"]] == [(1, 0), (64, 0), (256, 0)]
    assert all(it["compared"] >= 300 for it in short[0]["chunks"])


def test_naive_ways_err_and_the_gate_does_not(short: tuple[dict[str, Any], str]) -> None:
    """Order of completion, dropped rows, instances taken for patients and pooled sets say PASS far too often."""
    wrong = [it["false_pass"] for it in short[0]["naive"]]
    assert min(wrong[0], wrong[2], wrong[3], wrong[4]) > 0.15
    assert max(wrong[1], wrong[5]) < 0.3  # few repetitions


def test_published_models_are_decided_early(short: tuple[dict[str, Any], str]) -> None:
    """At most a tenth of the list in the median over models and stages, whatever the target; close gates cost a run."""
    for target in ("benchmark", "population"):
        found = short[0]["published"][target]
        assert found["median_over_models_and_stages"] <= 0.10
        assert found["median_run_close_advisory"] < found["median_run"]
        assert len(found["decisions"]) == 44


def test_committed_table() -> None:
    """It was made with 4,000 repetitions at least and two standard errors, and misses what is known to be open."""
    found = json.loads((BENCHMARKS / "decision_error.json").read_text())
    assert found["repetitions"] >= 4000
    assert (found["seed"], found["standard_errors"]) == (SEED, 2.0)
    assert _missed(found) == set()
    assert not any(it["differed"] for it in found["chunks"])
    assert found["cases"][0]["name"] in (BENCHMARKS / "decision_error.md").read_text()


def test_order_of_completion(monkeypatch: pytest.MonkeyPatch) -> None:
    """With one in flight it is the order of sending; with all in flight it is that of the latencies."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from decision_naive import completion_order  # noqa: PLC0415 - a script beside its siblings, not a package

    latency = np.array([3.0, 1.0, 2.0, 0.5])
    assert completion_order(latency, 1).tolist() == [0, 1, 2, 3]
    assert completion_order(latency, 4).tolist() == [3, 1, 2, 0]
    assert completion_order(latency, 2).tolist() == [1, 0, 2, 3]
