"""Measures what a gated test costs, once its verdict is there, against an empty parametrized test.

An evaluation has a test per instance and stage, so that pytest's own selection works on them; that must not make a
session slow. The shipped suites of the four per-instance readings run over synthetic instances, a realistic share of
them hallucinated, with every reply in the store, so that nothing is asked; ``def test(x): pass`` runs as many times in
a session of its own with the same options. The two alternate.

Prints JSON: seconds to collect and to run the items (medians of the rounds), their ratio, the same ratio in processor
time (which other work on the machine disturbs less), the peak memory of both sessions (MB), and apart from the items
what the gated session spent on preparing (loading and checking data, model, thresholds) and on evaluating (reading the
store, judging, deciding, writing the report). Exit status 1 if the bound is missed.
"""

import argparse
import json
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

from synthetic import INSTANCES, instances, replies

from clinhallu_gate.records import Instance
from clinhallu_gate.testing import ScriptedServer

#: A gated test does a look-up and, for some, an expected failure; more than half of pytest's own work would be waste.
MAX_RATIO: Final = 1.5
WRONG: Final = 0.15
"""Share of the parts that the scripted model gets wrong: their tests end as expected failures."""
QUICK: Final = 150
"""Instances of the quick mode."""
ROOT: Final = Path(__file__).parents[1]
#: One test per instance each.
SUITES: Final = (
    "test_visual_recognition.py",
    "test_knowledge_recall.py",
    "test_reasoning_integration.py",
    "test_answer_accuracy.py",
)
_CONFTEST: Final = '''\
"""Turns the gate on, over the benchmark's instances."""

import pickle
from pathlib import Path

from clinhallu_gate.datasets import load

pytest_plugins = ["clinhallu_gate.plugin"]
load.SOURCES = {"phantom": lambda: pickle.loads((Path(__file__).parent / "instances.pickle").read_bytes())}
'''
_EMPTY: Final = '''\
"""As many empty tests."""

import pytest


@pytest.mark.parametrize("x", range(%d))
def test(x):
    pass
'''


@dataclass(frozen=True)
class Times:
    """What the stopwatch wrote of one session."""

    items: int
    prepare_s: float
    collect_s: float
    evaluate_s: float
    tests_s: float
    cpu_s: float
    """Processor time to collect and to run."""
    peak_mb: float
    """The most memory of the session, its preparation and evaluation included."""

    @property
    def items_s(self) -> float:
        """Seconds that the items themselves cost."""
        return self.collect_s + self.tests_s


def session(folder: Path, *options: str) -> Times:
    """Run pytest on ``folder`` in a process of its own; its tests may pass or be decided against."""
    times = folder / "times.json"
    times.unlink(missing_ok=True)
    same = ["-q", "-p", "no:cacheprovider", "-p", "stopwatch", "--stopwatch", str(times)]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *same, *options],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode not in (0, 1, 10) or not times.exists():
        raise RuntimeError(f"pytest ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return Times(**json.loads(times.read_text()))


def lay_out_gated(folder: Path, those: Sequence[Instance]) -> None:
    """Make a folder of suites in which the gate is on, over ``those``."""
    folder.mkdir()
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "conftest.py").write_text(_CONFTEST)
    (folder / "instances.pickle").write_bytes(pickle.dumps(those))
    for file in (*(f"suites/{suite}" for suite in SUITES), "thresholds/phantom.yaml"):
        shutil.copy(ROOT / file, folder)


def lay_out_empty(folder: Path, items: int) -> None:
    """Make a folder of as many empty tests."""
    folder.mkdir()
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "test_empty.py").write_text(_EMPTY % items)


def gated(folder: Path, url: str, *, first: bool = False) -> Times:
    """Run the suites; the ``first`` session fills the store, all others ask nothing."""
    shutil.rmtree(folder / "run", ignore_errors=True)
    endpoint = ["--endpoint", url, "--model-revision", "benchmark", "--judge", "oracle", "--data", "phantom"]
    kept = ["--store", str(folder / "store.sqlite"), "--run-dir", str(folder / "run")]
    times = session(folder, *endpoint, *kept, "--thresholds", "phantom.yaml")
    calls = json.loads((folder / "run" / "manifest.json").read_bytes())["calls"]
    assert not calls["failed"], calls
    assert first or not calls["made"], calls
    return times


def measure(number: int, *, rounds: int) -> dict[str, Any]:
    """Alternate both sessions over ``rounds``."""
    those = instances(number)
    with tempfile.TemporaryDirectory() as scratch, ScriptedServer(reply=replies(those, wrong=WRONG)) as server:
        suites, empty = Path(scratch) / "gated", Path(scratch) / "empty"
        lay_out_gated(suites, those)
        items = gated(suites, server.base_url, first=True).items
        lay_out_empty(empty, items)
        found = [(gated(suites, server.base_url), session(empty)) for _ in range(rounds)]
    gates, plains = [pair[0] for pair in found], [pair[1] for pair in found]
    assert {times.items for times in plains} == {items}
    gated_s, empty_s = median(times.items_s for times in gates), median(times.items_s for times in plains)
    return {
        "items": items,
        "rounds": rounds,
        "gated_s": round(gated_s, 2),
        "gated_collect_s": round(median(times.collect_s for times in gates), 2),
        "empty_s": round(empty_s, 2),
        "empty_collect_s": round(median(times.collect_s for times in plains), 2),
        "ratio": round(gated_s / empty_s, 3),
        "cpu_ratio": round(median(times.cpu_s for times in gates) / median(times.cpu_s for times in plains), 3),
        "gated_peak_mb": round(max(times.peak_mb for times in gates), 1),
        "empty_peak_mb": round(max(times.peak_mb for times in plains), 1),
        "apart": {
            "prepare_s": round(median(times.prepare_s for times in gates), 2),
            "evaluate_s": round(median(times.evaluate_s for times in gates), 2),
        },
        "bounds": {"ratio": MAX_RATIO},
    }


def main() -> int:
    """Read the options, measure, print; return the exit status."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--instances", type=int, default=INSTANCES, help="four items each (default: %(default)s)")
    options.add_argument("--rounds", type=int, default=3, help="how often the two sessions alternate")
    options.add_argument("--quick", action="store_true", help=f"{QUICK} instances in one round, for CI")
    chosen = options.parse_args()
    found = measure(QUICK, rounds=1) if chosen.quick else measure(chosen.instances, rounds=chosen.rounds)
    print(json.dumps(found, indent=2))
    return int(found["ratio"] > MAX_RATIO)


if __name__ == "__main__":
    sys.exit(main())
