"""Trees for tests: the one that the benchmark's own code wrote, and ways to write, run and read others."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from clinhallu_gate.pipeline.verdict_table import write_results
from clinhallu_gate.records import GoldTrace, Image, Instance
from clinhallu_gate.results import Results
from clinhallu_gate.tree import ResultTree, fill, read_tree
from clinhallu_gate.tree.evidence import About, about_tree, write_evidence

REFERENCE = Path(__file__).parent / "reference-tree"
MODEL = REFERENCE / "results" / "vqa-rad-test" / "eval" / "stub"
GOLD = REFERENCE / "results" / "vqa-rad-test" / "gold" / "qwen3.5-plus" / "gold_cot.jsonl"
Row = dict[str, Any]


def lines(path: Path) -> list[Row]:
    """Return the rows of a file."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def write_lines(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write a file of rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


def same_rows(one: Path, other: Path) -> bool:
    """Whether two files hold equal rows, in whatever order."""
    return _sorted(lines(one)) == _sorted(lines(other))


def _sorted(rows: list[Row]) -> list[str]:
    return sorted(json.dumps(row, sort_keys=True) for row in rows)


def by_id(rows: Sequence[Row]) -> dict[str, Row]:
    """Return rows under the ids of their instances."""
    return {str(row.get("source_id") or row["original_index"]): row for row in rows}


def instance_of(row: Row, dataset: str = "vqa-rad") -> Instance:
    """Return the instance that a gold row describes."""
    cot, id_ = row["gold_cot"], str(row.get("source_id") or row["original_index"])
    return Instance(
        dataset=dataset,
        id=id_,
        stratum=dataset,
        cluster=id_,
        images=(Image.from_bytes(id_.encode()),),
        question=row["question"],
        question_type=row["question_type"],
        options=tuple(row.get("options", ())),
        answer=row["answer"],
        gold=GoldTrace(
            visual_recognition=cot["visual_recognition"]["text"],
            knowledge_recall=cot["knowledge_recall"]["text"],
            reasoning_integration=cot["reasoning"]["text"],
        ),
    )


def reference_rows() -> dict[str, dict[str, Row]]:
    """Return the rows of the reference tree's data, as a loader would."""
    return {"vqa-rad": by_id(lines(GOLD))}


def empty_results(rows: Mapping[str, Mapping[str, Row]]) -> Results:
    """Return results without anything found."""
    return Results([instance_of(row, name) for name, held in rows.items() for row in held.values()])


def filled(folder: Path, rows: Mapping[str, Mapping[str, Row]]) -> tuple[Results, ResultTree]:
    """Return the results that a tree fills."""
    tree = read_tree(folder, datasets=list(rows))
    results = empty_results(rows)
    fill(results, tree, rows)
    return results, tree


def finished_run(folder: Path, results: Results, rows: Mapping[str, Mapping[str, Row]], about: About) -> Path:
    """Write what export reads of a run folder."""
    folder.mkdir(parents=True, exist_ok=True)
    write_results(folder, results)
    write_evidence(folder, results, rows, about)
    return folder


def reference_run(folder: Path) -> Path:
    """Write the run folder of the reference tree."""
    results, tree = filled(REFERENCE, reference_rows())
    return finished_run(folder, results, reference_rows(), about_tree(tree))
