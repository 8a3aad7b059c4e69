"""What a run folder keeps beside its verdicts: every reply, the tree's own judgements, and the instances as read."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from clinhallu_gate.errors import BadInput
from clinhallu_gate.private import kept, private_folder
from clinhallu_gate.records import Instance, Reading, Record, Verdict
from clinhallu_gate.results import Found, PaperMark, Results, TraceRecord
from clinhallu_gate.tree.fill import DatasetRows
from clinhallu_gate.tree.parquet import write_parquet
from clinhallu_gate.tree.read import ResultTree
from clinhallu_gate.tree.rows import Origin, origin_of
from clinhallu_gate.tree.verdicts import from_fields
from clinhallu_gate.vocabulary import ANSWER, Arm, Part, Stage

TRACES_FILE: Final = "traces.parquet"
INSTANCES_FILE: Final = "instances.jsonl"
_ABOUT: Final = b"clinhallu_gate.about"
_RECORD: Final = ("reply", "finish_reason", "attempts", "retry_limit", "valid", "why", "status")
_GIVEN: Final = {stage: f"given_{stage}" for stage in (Stage.VISUAL_RECOGNITION, Stage.KNOWLEDGE_RECALL)}
_MARK: Final = pa.struct([("part", pa.string()), ("value", pa.int8()), ("reason", pa.string()), ("valid", pa.bool_())])
#: Columns of ``traces.parquet``: one row per instance and arm; ``reply`` is null where no reply was sought.
SCHEMA: Final = pa.schema(
    [
        *((name, pa.string()) for name in ("uid", "arm", "reply", "finish_reason")),
        *((name, pa.int32()) for name in ("attempts", "retry_limit")),
        ("valid", pa.bool_()),
        *((name, pa.string()) for name in ("why", "status", *_GIVEN.values())),
        ("marks", pa.list_(_MARK)),
        ("no_row", pa.list_(pa.string())),
        ("extra", pa.string()),
    ]
)


class About(Record):
    """Whose results they are."""

    model: str
    judge: str | None = None
    gold_models: Mapping[str, str] = {}
    """What wrote the gold traces, by dataset, where that is known."""
    descriptions: Mapping[str, str] = {}
    """How the tree that the results come from describes its arms."""


def about_tree(tree: ResultTree) -> About:
    """Return whose results a tree holds."""
    held = tree.datasets.values()
    return About(
        model=tree.model,
        judge=next((one.judge for one in held if one.judge), None),
        gold_models={one.name: one.gold_model for one in held if one.gold_model},
        descriptions={arm: text for one in held for arm, text in one.descriptions.items()},
    )


@dataclass(frozen=True, slots=True)
class Entry:
    """One instance of a run with all that was found of it."""

    dataset: str
    id: str
    origin: Origin
    found: Found


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a run folder holds."""

    about: About
    entries: tuple[Entry, ...]


def write_evidence(folder: Path, results: Results, rows: DatasetRows, about: About) -> None:
    """Write ``traces.parquet`` and ``instances.jsonl``.

    Args:
        folder: The run folder.
        results: What was found.
        rows: The rows of the datasets as they were read; an instance without one gets a row that says the same.
        about: Whose results they are.
    """
    schema = SCHEMA.with_metadata({_ABOUT: about.model_dump_json().encode()})
    rows_of_traces = (row for uid, found in results.found.items() for row in _trace_rows(uid, found))
    write_parquet(folder / TRACES_FILE, schema, rows_of_traces)
    with (folder / INSTANCES_FILE).open("w", encoding="utf-8") as file:
        for line in _instance_lines(results.instances, rows):
            file.write(json.dumps(line, ensure_ascii=False) + "\n")


def _instance_lines(instances: Sequence[Instance], rows: DatasetRows) -> Iterator[dict[str, Any]]:
    places = {name: {id_: place for place, id_ in enumerate(held)} for name, held in rows.items()}
    for place, instance in enumerate(instances):
        position = places.get(instance.dataset, {}).get(instance.id, place)
        origin = origin_of(instance, position, rows.get(instance.dataset, {}).get(instance.id))
        names = {"uid": instance.uid, "dataset": instance.dataset, "id": instance.id}
        yield {**names, "position": origin.position, "row": dict(origin.row)}


def _trace_rows(uid: str, found: Found) -> Iterator[dict[str, Any]]:
    for arm in Arm:
        trace = found.traces.get(arm)
        marks = [(reading.part, mark) for reading, mark in found.paper.items() if reading.arm is arm]
        no_row = sorted(str(reading.part) for reading in found.no_row if reading.arm is arm)
        if trace is None and not marks and not no_row:
            continue
        yield {
            "uid": uid,
            "arm": str(arm),
            **({name: getattr(trace, name) for name in _RECORD} if trace else {}),
            **({column: trace.given.get(stage) for stage, column in _GIVEN.items()} if trace else {}),
            "marks": [
                {"part": str(part), "value": mark.value, "reason": mark.reason, "valid": mark.valid}
                for part, mark in marks
            ],
            "no_row": no_row,
            "extra": json.dumps(found.extra[arm], ensure_ascii=False) if arm in found.extra else None,
        }


def read_evidence(folder: Path) -> Evidence:
    """Read what ``write_evidence`` and the writer of ``results.parquet`` left.

    Raises:
        BadInput: A file is missing, or is not what it should be. Those with texts may lie in the run's private folder.
    """
    for name in (INSTANCES_FILE, TRACES_FILE, "results.parquet"):
        if not kept(folder, name).is_file():
            raise BadInput(_lacks(folder, name))
    try:
        table = pq.read_table(kept(folder, TRACES_FILE))
        about = About.model_validate_json((table.schema.metadata or {})[_ABOUT])
        with kept(folder, INSTANCES_FILE).open(encoding="utf-8") as lines:
            entries = {line["uid"]: _entry(line) for line in map(json.loads, lines)}
        for row in table.to_pylist():
            _add_trace(entries[row["uid"]].found, row)
        for row in pq.read_table(kept(folder, "results.parquet")).to_pylist():
            found = entries[f"{row['dataset']}/{row['id']}"].found
            if not row.get("repeat"):  # the benchmark's files hold one trace
                found.verdicts[_reading(Arm(row["arm"]), row["part"])] = verdict_of_row(row)
    except (OSError, ValueError, LookupError, TypeError, pa.ArrowException, ValidationError) as error:
        said = " ".join(str(error).split())
        raise BadInput(f"{folder}: its evidence cannot be read: {type(error).__name__}: {said}.") from None
    return Evidence(about, tuple(entries.values()))


def _lacks(folder: Path, name: str) -> str:
    """Say what is missing, and where it is if it was kept apart."""
    if not (folder / "decision.json").is_file():
        return f"{folder}: is not the folder of a finished run (it has no {name})."
    apart = private_folder(folder)
    return f"{folder}: has no {name}. Of patients, and of redacted runs, it lies in {apart} where the run was made."


def _entry(line: Mapping[str, Any]) -> Entry:
    return Entry(line["dataset"], line["id"], Origin(line["row"], line["position"]), Found())


def _add_trace(found: Found, row: Mapping[str, Any]) -> None:
    arm = Arm(row["arm"])
    if row["reply"] is not None:
        given = {stage: row[column] for stage, column in _GIVEN.items() if row[column] is not None}
        found.traces[arm] = TraceRecord(given=given, **{name: row[name] for name in _RECORD})
    for mark in row["marks"]:
        found.paper[_reading(arm, mark["part"])] = PaperMark(mark["value"], mark["reason"], mark["valid"])
    found.no_row |= {_reading(arm, part) for part in row["no_row"]}
    if row["extra"]:
        found.extra[arm] = json.loads(row["extra"])


def _reading(arm: Arm, name: str) -> Reading:
    part: Part = ANSWER if name == ANSWER else Stage(name)
    return Reading(arm, part)


def verdict_of_row(row: Mapping[str, Any]) -> Verdict:
    """Read a verdict of ``results.parquet``, where the detail of what is not judged stands behind its reason."""
    reason, _, detail = (row["reason"], "", "") if row["kind"] == "judged" else row["reason"].partition(": ")
    return from_fields({"kind": row["kind"], "outcome": row["outcome"], "reason": reason, "detail": detail})
