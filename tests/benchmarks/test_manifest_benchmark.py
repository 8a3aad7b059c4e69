"""The benchmark of manifests runs, and one more row costs no more than it may in any phase."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "manifest.py"
#: As of the rows that come after those that stay in memory.
ON_DISK = ("--at-hand", "0")
#: kB. With so few rows a figure also holds what grows up to a bound: buffers, caches, a batch of a table.
MAX_LOADED, MAX_ASKED = {"jsonl": 3.5, "csv": 3.5, "parquet": 6}, 4.5


def _found(few: int, many: int, *options: str) -> dict[str, Any]:
    command = [sys.executable, str(BENCHMARK), "--rows", str(few), str(many), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.stdout, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_row_of_any_format_is_loaded_in_little_memory() -> None:
    """JSON Lines, CSV and Parquet: names and places; its texts, of 1.6 kB, would come on top several times."""
    per_row = _found(500, 2_500, "--load-only", *ON_DISK)["kb_per_row"]
    assert set(per_row) == set(MAX_LOADED)
    assert all(0 < phases["load"]["peak"] < MAX_LOADED[kind] for kind, phases in per_row.items()), per_row


def test_asking_keeps_names_and_verdicts_alone_in_memory() -> None:
    """Neither its own texts nor those of its four traces, of 10 kB, nor what a judge says of them, of 2."""
    per_row = _found(300, 3_300, "--formats", "jsonl", *ON_DISK)["kb_per_row"]["run"]
    assert list(per_row) == ["load", "look", "plan", "ask", "decide", "write"]
    assert max(phase["peak"] for name, phase in per_row.items() if name != "write") < MAX_ASKED, per_row
