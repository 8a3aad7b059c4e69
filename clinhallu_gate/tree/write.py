"""Write a run as a result tree of the benchmark's own code."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from clinhallu_gate.errors import BadInput
from clinhallu_gate.records import Failed, NotAsked, Reading, Unjudged, Verdict
from clinhallu_gate.results import Found, PaperMark, TraceRecord
from clinhallu_gate.scoring.events import endpoint_failed, mark_of, row_of
from clinhallu_gate.tree import layout
from clinhallu_gate.tree.cot import failed_record, trace_record
from clinhallu_gate.tree.evidence import About, Entry, Evidence, read_evidence
from clinhallu_gate.tree.faults import faults
from clinhallu_gate.tree.rows import Fields, answer_row, completed, gold_text, steps_row, trace_row
from clinhallu_gate.tree.schema import RowKind
from clinhallu_gate.tree.summary import answer_metrics, replace_summary, step_summary
from clinhallu_gate.tree.verdicts import as_fields, implied, same
from clinhallu_gate.vocabulary import ANSWER, Arm, FailReason, NotAskedReason, Part, Stage

_FILES: Final = {
    RowKind.TRACE: layout.traces_file,
    RowKind.ANSWER: layout.answers_file,
    RowKind.STEPS: layout.steps_file,
}
Files = Mapping[tuple[Arm, RowKind], list[Fields]]


def write_tree(run_folder: Path, out: Path) -> tuple[Path, ...]:
    """Write the run in ``run_folder`` as a tree below ``out``; return the files.

    Raises:
        BadInput: The folder holds no finished run, lacks a reply, or ``out`` holds such a tree or cannot be written.
    """
    evidence = read_evidence(run_folder)
    _demand_whole(run_folder, evidence)
    model = _folder_name(evidence.about.model)
    written: list[Path] = []
    for dataset in dict.fromkeys(entry.dataset for entry in evidence.entries):
        entries = [entry for entry in evidence.entries if entry.dataset == dataset]
        rows = [row for entry in entries for row in _entry_rows(entry, evidence.about)]
        files = {key: [fields for arm, kind, fields in rows if (arm, kind) == key] for key in _keys()}
        home = out / layout.eval_folder(dataset, model)
        gold_model = _folder_name(evidence.about.gold_models.get(dataset) or _gold_model(entries), lacking="gold")
        contents = {
            out / layout.gold_file(dataset, gold_model): _lines(entry.origin.row for entry in entries),
            **{home / _FILES[kind](arm): _lines(found) for (arm, kind), found in files.items() if found},
            **{home / name: _json(summary) for name, summary in _summaries(dataset, files, evidence.about, gold_model)},
        }
        written += [_write(path, content, below=out) for path, content in contents.items()]
    return tuple(written)


def _demand_whole(run_folder: Path, evidence: Evidence) -> None:
    """Raise ``BadInput`` if the run ended early: its summaries would be rates of a part, at a stop that looked good."""
    verdicts = (verdict for entry in evidence.entries for verdict in entry.found.verdicts.values())
    if any(isinstance(verdict, NotAsked) and verdict.reason is NotAskedReason.EARLY_STOP for verdict in verdicts):
        raise BadInput(f"{run_folder}: ended early, so its summaries would be of a part. Run it with --no-early-stop.")


def _keys() -> list[tuple[Arm, RowKind]]:
    return [(arm, kind) for arm in Arm for kind in RowKind]


def _entry_rows(entry: Entry, about: About) -> Iterable[tuple[Arm, RowKind, Fields]]:
    """Yield the rows of one instance."""
    found = entry.found
    extra = {arm: found.extra.get(arm, {}) for arm in Arm}
    traces: dict[Arm, Fields] = {}
    for arm in Arm:
        record = _record(entry, arm)
        traces[arm] = trace_row(entry.origin, arm, record, model=about.model)
        if record is not None:
            traces[arm] = completed(traces[arm], extra[arm].get("trace", {}))
            yield arm, RowKind.TRACE, traces[arm]
    marks = _marks(found)
    own = _own_verdicts(found, {arm: trace if "cot_valid" in trace else None for arm, trace in traces.items()}, marks)
    for arm in Arm:
        here = {reading.part: mark for reading, mark in marks.items() if reading.arm is arm}
        if ANSWER in here:
            row = completed(answer_row(traces[arm], arm, here.pop(ANSWER)), extra[arm].get("answer", {}))
            yield arm, RowKind.ANSWER, _with_own(row, own, [Reading(arm, ANSWER)])
        if here:
            stages = {Stage(part): mark for part, mark in here.items()}
            row = completed(steps_row(traces[arm], arm, stages), extra[arm].get("steps", {}))
            yield arm, RowKind.STEPS, _with_own(row, own, [Reading(arm, stage) for stage in stages])


def _record(entry: Entry, arm: Arm) -> TraceRecord | None:
    """Return the reply in ``arm``; one that was sought and not had as what it is. Raises ``BadInput`` if it is lost."""
    found = entry.found
    if arm in found.traces:
        return found.traces[arm]
    if any(reading.arm is arm for reading in (*found.paper, *found.no_row)):
        return None  # it comes from a tree, which has no trace of it
    sought = [found.verdicts[reading] for reading in found.verdicts if reading.arm is arm]
    if all(isinstance(verdict, NotAsked) for verdict in sought):
        return None
    if any(isinstance(verdict, Failed) and verdict.reason is FailReason.UPSTREAM_FAILED for verdict in sought):
        return trace_record(
            "", {Stage.KNOWLEDGE_RECALL: gold_text(entry.origin.row, Stage.KNOWLEDGE_RECALL)}, attempts=0
        )
    if any(endpoint_failed(verdict) for verdict in sought):
        return failed_record({})
    raise BadInput(f"the run keeps no reply of {entry.dataset}/{entry.id} in {arm}: {layout.traces_file(arm)}.")


def _marks(found: Found) -> dict[Reading, PaperMark]:
    """Return every judgement by the row that is to hold it."""
    marks = dict(found.paper)
    for reading, verdict in found.verdicts.items():
        row = row_of(reading)
        lacking = row in found.no_row and isinstance(verdict, Unjudged | Failed)
        if row in marks or reading in marks or lacking or isinstance(verdict, NotAsked):
            continue
        marks[row] = _written(mark_of(found, reading), verdict)
    return marks


def _written(mark: PaperMark, verdict: Verdict) -> PaperMark:
    """Return the mark with the words that the benchmark uses where no judge spoke."""
    if isinstance(verdict, Failed) and mark.value == 1:
        return PaperMark(1, layout.EMPTY, mark.valid)
    return PaperMark(-1, layout.JUDGE_FAILED, mark.valid) if mark.value not in (0, 1) else mark


def _own_verdicts(
    found: Found, traces: Mapping[Arm, Fields | None], marks: Mapping[Reading, PaperMark]
) -> dict[Reading, tuple[Part, Verdict]]:
    """Return the verdicts that the benchmark's fields would not give back, by the row that is to hold them."""
    held: dict[Reading, tuple[Part, Verdict]] = {}
    as_read = _as_read(marks)
    for reading, verdict in found.verdicts.items():
        row = row_of(reading)
        of_a_tree = row in found.paper or reading in found.paper or row in found.no_row
        if not of_a_tree and row in marks and not same(verdict, implied(reading, traces, as_read)):
            held[row] = (reading.part, verdict)
    return held


def _as_read(marks: Mapping[Reading, PaperMark]) -> dict[Reading, PaperMark]:
    """Return the judgements as a reader of the tree takes them, who knows no more than their rows."""
    read = dict(marks)
    for arm in Arm:
        held = {Stage(one.part): mark for one, mark in marks.items() if one.arm is arm and one.part != ANSWER}
        read |= {Reading(arm, stage): replace(held[stage], value=-1) for stage in faults(held)}
    return read


def _with_own(row: Fields, own: Mapping[Reading, tuple[Part, Verdict]], readings: Sequence[Reading]) -> Fields:
    held = {str(own[reading][0]): as_fields(own[reading][1]) for reading in readings if reading in own}
    return {**row, layout.OWN_FIELD: held} if held else row


def _summaries(dataset: str, files: Files, about: About, gold_model: str) -> Iterable[tuple[str, Mapping[str, Any]]]:
    metrics = {arm: answer_metrics(rows) for arm in Arm if (rows := files[arm, RowKind.ANSWER])}
    replaced = replace_summary(metrics, about.descriptions) if any(arm in metrics for arm in layout.REPLACED) else None
    if replaced is not None:
        yield "replace/summary.json", replaced
    if Arm.BASELINE in metrics:
        home = layout.eval_folder(dataset, _folder_name(about.model))
        config = {
            "dataset": layout.data_name(dataset),
            "gold_model": gold_model,
            "model_name": about.model,
            "input_file": str(home / layout.traces_file(Arm.BASELINE)),
            "judge_model": about.judge,
            "details_file": str(home / layout.answers_file(Arm.BASELINE)),
        }
        judged = {"aggregated_metrics": metrics[Arm.BASELINE], "replace_experiment": replaced}
        yield "judge.json", {"config": config, **judged}
    for arm in Arm:
        if rows := files[arm, RowKind.STEPS]:
            yield layout.steps_summary_file(arm), step_summary(rows, arm)


def _folder_name(model: str, *, lacking: str = "model") -> str:
    """Return a model's name as a folder below ``eval`` or ``gold``, whatever path it is."""
    return "/".join(part for part in model.split("/") if part not in ("", ".", "..")) or lacking


def _gold_model(entries: Sequence[Entry]) -> str:
    """Return what the rows say wrote the gold traces, empty if they say nothing."""
    named = ((entry.origin.row.get("gold_cot_meta") or {}).get("model") for entry in entries)
    return next((str(name) for name in named if name), "")


def _lines(rows: Iterable[Fields]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _json(content: Mapping[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False, indent=2)


def _write(path: Path, content: str, *, below: Path) -> Path:
    """Write a new file. Raises ``BadInput`` if it is there, cannot be written, or names or links lead elsewhere."""
    try:
        if not path.resolve().is_relative_to(below.resolve()):
            raise BadInput(f"--out: {path} is not below {below}.")
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(content)
    except FileExistsError:
        raise BadInput(f"--out: {path} exists already; name another folder.") from None
    except (OSError, ValueError, RuntimeError) as error:
        said = error.strerror if isinstance(error, OSError) else error
        raise BadInput(f"--out: {str(path)!r} cannot be written: {said}.") from None
    return path
