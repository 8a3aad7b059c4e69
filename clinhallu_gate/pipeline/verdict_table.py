"""``results.parquet``: every verdict that was sought."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from clinhallu_gate.records import Instance, Judged, Reading, Verdict
from clinhallu_gate.results import Results, TraceOf
from clinhallu_gate.tree.parquet import write_parquet

RESULTS_FILE: Final = "results.parquet"
#: Columns of ``results.parquet``: one row per instance, arm, part and repeat; ``baseline`` is what the release in use
#: came to: an outcome, or the kind of a verdict without one.
SCHEMA: Final = pa.schema(
    [
        *((name, pa.string()) for name in ("dataset", "id", "stratum", "cluster", "question_type", "arm", "part")),
        *((name, pa.string()) for name in ("kind", "outcome", "reason", "text")),
        ("latency_s", pa.float64()),
        *((name, pa.int64()) for name in ("prompt_tokens", "completion_tokens", "cached_tokens", "repeat")),
        ("baseline", pa.string()),
    ]
)


def write_results(folder: Path, results: Results) -> None:
    """Write every verdict that was sought as a table; latency and tokens are those of the arm's one call."""
    write_parquet(folder / RESULTS_FILE, SCHEMA, (_row(results, *row) for row in results.rows()))


def _row(results: Results, instance: Instance, reading: Reading, verdict: Verdict) -> Mapping[str, Any]:
    found = results.found[instance.uid]
    cost = found.costs.get(TraceOf(reading.arm, reading.repeat))
    before = found.baseline.get(reading)
    detail = "" if isinstance(verdict, Judged) else verdict.detail
    reason = verdict.reason if not detail else f"{verdict.reason}: {detail}"
    return {
        "dataset": instance.dataset,
        "id": instance.id,
        "stratum": instance.stratum,
        "cluster": instance.cluster,
        "question_type": str(instance.question_type),
        "arm": str(reading.arm),
        "part": str(reading.part),
        "kind": verdict.kind,
        "outcome": str(verdict.outcome) if isinstance(verdict, Judged) else None,
        "reason": str(reason),
        "text": found.texts.get(reading),
        "latency_s": cost.latency_s if cost else None,
        "prompt_tokens": cost.prompt_tokens if cost else None,
        "completion_tokens": cost.completion_tokens if cost else None,
        "cached_tokens": cost.cached_tokens if cost else None,
        "repeat": reading.repeat,
        "baseline": str(before.outcome) if isinstance(before, Judged) else before.kind if before else None,
    }
