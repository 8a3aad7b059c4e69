"""Measures what rows of a user's manifest cost: memory per row and seconds of every phase of a run over many patients.

Writes manifests of patients' rows (a question of 200 characters, three gold stages of 400, an image of 1 kB with bytes
of its own) as JSON Lines, CSV and Parquet, in a few and in many rows. Each format is loaded in a process of its own:
read, validated, images checked, patients renamed. A further process does a whole run over the JSON Lines, without
pytest and without a network: a scripted endpoint in the process answers for model and judge. Its phases are the load,
the look at patients' files, the plan, the asking (evaluator, engine, store, judge), the decision of the gates, and the
run folder. Before a phase begins the kernel's high-water mark of the process is set back, so each has a peak of its
own.

Prints JSON: for each number of rows seconds and memory in MB per phase (at its peak, and at its end), and from the two
numbers of rows what one more row costs, in kB: that is free of what Python and libraries take once. Exit status 1 if a
row costs more than it may.
"""

import argparse
import csv
import gc
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from clinhallu_gate import keeping

FEW, MANY = 10_000, 100_000
#: What one more row may cost at the peak of any phase, in kB; its own texts come to 1.6.
MAX_KB_PER_ROW: Final = 8.0
FORMATS: Final = ("jsonl", "csv", "parquet")
ROOT: Final = Path(__file__).parents[1]
_QUESTION, _STAGE, _REASON = 200, 400, 160
"""Characters."""
_IMAGE_BYTES: Final = 1024
_ROWS_PER_PATIENT: Final = 4
_PER_FOLDER: Final = 1000
_SAID: Final = (
    "the left lower zone shows a rounded opacity with smooth margins and no effusion while heart and bones are normal "
    "an old fracture of the seventh rib has healed and there is no sign of a mass in the upper abdomen"
)
_WORDS: Final = _SAID.split()


# --- what is loaded ---------------------------------------------------------------------------------------------------


def rows(number: int) -> Iterator[dict[str, Any]]:
    """Yield the rows of a manifest."""
    rng = random.Random("manifest")  # noqa: S311 - a load, no secret
    for place in range(number):
        yield {
            "id": f"study-{place:07d}",
            "question": _text(rng, _QUESTION - 24) + f" Is it so in case {place}?",
            "answer": "yes" if place % 3 else "no",
            "images": [_image_name(place)],
            "question_type": "yes_no",
            "patient_id": f"patient-{place // _ROWS_PER_PATIENT}",
            "gold_visual_recognition": _text(rng, _STAGE),
            "gold_knowledge_recall": _text(rng, _STAGE),
            "gold_reasoning": _text(rng, _STAGE),
            "tags": [f"modality:{('ct', 'mr', 'xr')[place % 3]}"],
        }


def _text(rng: random.Random, length: int) -> str:
    return " ".join(rng.choices(_WORDS, k=length // 4)).capitalize()[: length - 1] + "."


def _image_name(place: int) -> str:
    return f"images/{place // _PER_FOLDER:04d}/{place:07d}.png"


def write(folder: Path, number: int) -> None:
    """Write the manifest in every format, and the images."""
    import pyarrow as pa  # noqa: PLC0415 - no part of what is measured
    import pyarrow.parquet as pq  # noqa: PLC0415 - as above

    _write_images(folder, number)
    with (folder / "manifest.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows(number))
    with (folder / "manifest.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, next(rows(1)))
        writer.writeheader()
        writer.writerows({**row, "images": row["images"][0], "tags": row["tags"][0]} for row in rows(number))
    pq.write_table(pa.Table.from_pylist(list(rows(number))), folder / "manifest.parquet", row_group_size=10_000)


def _write_images(folder: Path, number: int) -> None:
    from PIL import Image  # noqa: PLC0415 - as above

    Image.frombytes("L", (24, 24), random.Random("image").randbytes(24 * 24)).save(folder / "one.png")  # noqa: S311
    drawn = (folder / "one.png").read_bytes()
    for place in range(number):
        path = folder / _image_name(place)
        if place % _PER_FOLDER == 0:
            path.parent.mkdir(parents=True)
        path.write_bytes((drawn + b"%d" % place).ljust(_IMAGE_BYTES))  # PNG readers ignore what follows the picture


# --- phases -----------------------------------------------------------------------------------------------------------


class Phases:
    """Times phases, and takes their memory."""

    def __init__(self) -> None:
        self.found: dict[str, dict[str, float]] = {}

    def run(self, name: str, work: Callable[[], Any]) -> Any:  # noqa: ANN401 - what the work returns
        """Do ``work`` as the phase ``name``."""
        gc.collect()
        Path("/proc/self/clear_refs").write_text("5", "ascii")  # sets VmHWM back to what is held now
        begin, cpu_begin = time.perf_counter(), time.process_time()
        made = work()
        seconds, cpu_s = time.perf_counter() - begin, time.process_time() - cpu_begin
        peak = _memory_mb("VmHWM")
        gc.collect()
        self.found[name] = {
            "seconds": round(seconds, 2),
            "cpu_s": round(cpu_s, 2),
            "peak_mb": peak,
            "end_mb": _memory_mb("VmRSS"),
        }
        return made


def _memory_mb(what: str) -> float:
    status = Path("/proc/self/status").read_text("ascii", "replace")
    kib = next(line.split()[1] for line in status.splitlines() if line.startswith(what))
    return round(int(kib) * 1024 / 1e6, 1)


def load(manifest: Path) -> dict[str, Any]:
    """Load one manifest."""
    from clinhallu_gate.datasets.load import DataOptions, load_data  # noqa: PLC0415 - no part of the first phase
    from clinhallu_gate.datasets.tables import read_table  # noqa: PLC0415, F401 - as above

    phases = Phases()
    options = DataOptions(cache=manifest.parent / "cache", private_cache=manifest.parent / f"private-{manifest.suffix}")
    (dataset,) = phases.run("load", lambda: load_data([str(manifest)], options))
    return {"phases": phases.found, "rows": len(dataset.instances), "sha256": dataset.sha256}


class Instant:
    """An endpoint in this process: each reply is a trace of 1.2 kB from the part that is asked for, or a verdict."""

    def __init__(self, *_: object, **__: object) -> None:
        from clinhallu_gate.protocol.load import load_protocol  # noqa: PLC0415 - as above

        self._headers = load_protocol("standard").trace.headers

    async def send(self, call: Any) -> Any:  # noqa: ANN401 - from one call to its completion
        """Answer at once, in words of the call's own."""
        from clinhallu_gate.records import Completion  # noqa: PLC0415 - as above

        own = random.Random(call.label)  # noqa: S311 - a load, no secret
        text = self._trace(call, own) if call.request.response_schema is None else self._verdict(own)
        return Completion(text, "stop", 900, 300, None, 0.5)

    def _trace(self, call: Any, own: random.Random) -> str:  # noqa: ANN401 - as above
        *stages, answer = self._headers.values()
        said = "".join(f"{header}\n{_text(own, _STAGE)}\n\n" for header in stages)
        trace = f"{said}{answer} {own.choice(('yes', 'no'))}"
        prompt = call.request.messages[-1].content[-1]
        return trace[trace.index(prompt[prompt.rindex("[") :].rstrip(".")) :]

    def _verdict(self, own: random.Random) -> str:
        return json.dumps({"reason": _text(own, _REASON), "hallucinated": own.choice((True, False))})

    async def close(self) -> None:
        """Nothing is open."""


def run(folder: Path) -> dict[str, Any]:
    """Do a whole run over the manifest in ``folder``."""
    from clinhallu_gate.gate.decide import decide_all  # noqa: PLC0415 - no part of the first phase
    from clinhallu_gate.pipeline import asking  # noqa: PLC0415 - as above
    from clinhallu_gate.pipeline.folder import begin_folder, write_folder  # noqa: PLC0415 - as above
    from clinhallu_gate.pipeline.looking import look_at_files  # noqa: PLC0415 - as above
    from clinhallu_gate.pipeline.options import RunOptions  # noqa: PLC0415 - as above
    from clinhallu_gate.pipeline.plan import make_plan  # noqa: PLC0415 - as above
    from clinhallu_gate.pipeline.prepare import prepare  # noqa: PLC0415 - as above
    from clinhallu_gate.pipeline.run import Run  # noqa: PLC0415 - as above

    asking.HttpEndpoint = Instant  # type: ignore[assignment,misc]
    options = RunOptions(
        model="scripted",
        endpoints=("http://127.0.0.1:9",),
        judge="scripted-judge",
        judge_endpoints=("http://127.0.0.1:9",),
        data=(str(folder / "manifest.jsonl"),),
        thresholds=ROOT / "thresholds" / "default.yaml",
        run_dir=folder / "run",
        root=folder,
    )
    phases = Phases()
    prepared = phases.run("load", lambda: prepare(options, look_only=True))
    phases.run("look", lambda: look_at_files(options, prepared.datasets, prepared.kept_dir))
    plan = phases.run("plan", lambda: make_plan(prepared.protocol, prepared.frame, prepared.gates, []))
    begin_folder(prepared)
    done = Run(prepared)
    phases.run("ask", lambda: done.evaluate(plan, prepared.gates, examine=False, emit=lambda _: None))
    assert not done.failure, done.failure
    assert not done.tally.failed + done.judge_tally.failed
    phases.run("decide", lambda: decide_all(prepared.gates, prepared.frame, done.results.bare_verdict, prepared.rules))
    phases.run("write", lambda: write_folder(done))
    done.stop()
    return {
        "phases": phases.found,
        "rows": len(prepared.instances),
        "calls": done.tally.made + done.judge_tally.made,
        "decisions": {gate.id: gate.decision for gate in done.gates},
        "folder_mb": {
            path.name: round(path.stat().st_size / 1e6, 1)
            for base in (prepared.run_dir, prepared.kept_dir)
            for path in sorted(base.iterdir())
            if path.is_file()
        },
    }


# --- what comes of it -------------------------------------------------------------------------------------------------


def measure(
    few: int, many: int, own: Sequence[str], *, formats: Sequence[str] = FORMATS, asks: bool = True
) -> dict[str, Any]:
    """Measure with both numbers of rows; ``asks`` does a run, too. ``own`` are options of the measured processes."""
    by_rows = {number: _measured(number, formats, own, asks=asks) for number in (few, many)}
    per_row = {
        name: {
            phase: {
                at: round((by_rows[many][name][phase][f"{at}_mb"] - memory[f"{at}_mb"]) * 1e3 / (many - few), 2)
                for at in ("peak", "end")
            }
            for phase, memory in phases.items()
        }
        for name, phases in by_rows[few].items()
    }
    return {
        "rows": by_rows,
        "kb_per_row": per_row,
        "worst_kb_per_row": max(phase["peak"] for phases in per_row.values() for phase in phases.values()),
        "bounds": {"kb_per_row": MAX_KB_PER_ROW},
    }


def _measured(number: int, formats: Sequence[str], own: Sequence[str], *, asks: bool) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as scratch:
        _in_a_process("--write", scratch, str(number))
        loads = {kind: _in_a_process("--load", f"{scratch}/manifest.{kind}", *own) for kind in formats}
        assert all(found["rows"] == number for found in loads.values()), loads
        assert len({found["sha256"] for found in loads.values()}) == 1, "the same rows have one digest in every format"
        whole = {"run": _in_a_process("--run", scratch, *own)} if asks else {}
    return {name: found["phases"] for name, found in (loads | whole).items()}


def _in_a_process(*arguments: str) -> dict[str, Any]:
    command = [sys.executable, __file__, *arguments]
    scratch = Path(arguments[1])
    home = scratch if scratch.is_dir() else scratch.parent
    own = {"CLINHALLU_GATE_SITE_KEY": str(home / "site.key"), "CLINHALLU_GATE_CACHE": str(home / "cache")}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **own})
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    found: dict[str, Any] = json.loads(done.stdout or "{}")
    return found


def main() -> int:
    """Read the options, measure, print; return the exit status."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rows", nargs=2, type=int, default=(FEW, MANY), metavar=("FEW", "MANY"))
    options.add_argument("--formats", nargs="+", default=FORMATS, choices=FORMATS, help="default: all")
    options.add_argument("--load-only", action="store_true", help="no whole run")
    options.add_argument("--at-hand", type=int, metavar="N", help="values that stay in memory; default: as in any run")
    options.add_argument("--write", nargs=2, metavar=("DIR", "ROWS"), help=argparse.SUPPRESS)
    options.add_argument("--load", type=Path, help=argparse.SUPPRESS)
    options.add_argument("--run", type=Path, help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.write:
        write(Path(chosen.write[0]), int(chosen.write[1]))
        return 0
    if chosen.at_hand is not None:
        keeping.AT_HAND = chosen.at_hand
    if chosen.load or chosen.run:
        print(json.dumps(load(chosen.load) if chosen.load else run(chosen.run)))
        return 0
    own = [] if chosen.at_hand is None else ["--at-hand", str(chosen.at_hand)]
    found = measure(*chosen.rows, own, formats=chosen.formats, asks=not chosen.load_only)
    print(json.dumps(found, indent=2))
    return int(found["worst_kb_per_row"] > MAX_KB_PER_ROW)


if __name__ == "__main__":
    sys.exit(main())
