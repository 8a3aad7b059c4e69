"""Whose word the gold of a run is: counted for everybody, and by name for the site alone."""

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from clinhallu_gate.datasets.dataset import Dataset
from clinhallu_gate.datasets.signed import NOBODY
from clinhallu_gate.pipeline.prepared import Prepared
from clinhallu_gate.records import Instance
from clinhallu_gate.report.gold import UNSIGNED, GoldCounts, unsigned_note
from clinhallu_gate.vocabulary import GoldSource, Stage

SIGNATURES_FILE: Final = "signatures.csv"
_NAMED: Final = 10


def gold_counts(datasets: Sequence[Dataset], instances: Sequence[Instance]) -> GoldCounts | None:
    """Return of how many instances the gold is whose word; None for data that come with theirs.

    Args:
        datasets: All data.
        instances: Those of the run.
    """
    gold_of = {dataset.name: dataset.gold_of for dataset in datasets}
    if not any(gold_of.values()):
        return None
    source: Counter[GoldSource] = Counter()
    reviewers: set[str] = set()
    for each in instances:
        laid = gold_of[each.dataset].get(each.id)
        source[laid.source if laid else _as_released(each)] += 1
        if laid is not None and laid.signed is not None:
            reviewers.add(laid.signed.reviewer)
    return GoldCounts(
        instances=len(instances),
        **{str(each): source[each] for each in GoldSource},
        reviewers=len(reviewers),
        note=unsigned_note(source[GoldSource.UNSIGNED], len(instances)),
    )


def _as_released(instance: Instance) -> GoldSource:
    whole = all(instance.gold.text(stage) is not None for stage in Stage)
    return GoldSource.SUPPLIED if whole else GoldSource.ABSENT


def alarms(prepared: Prepared) -> tuple[str, ...]:
    """Return what has to be said of gold before any figure is."""
    counts = prepared.gold
    return (f"{UNSIGNED}: {counts.note}",) if counts is not None and counts.note else ()


def notes_on_gold(prepared: Prepared) -> Iterator[str]:
    """Say who stands for the gold of a site's own data, and which signatures do not hold."""
    counts = prepared.gold
    if counts is None:
        return
    said = {
        f"{counts.signed:,} signed by {counts.reviewers} reviewer{'s' if counts.reviewers > 1 else ''}": counts.signed,
        f"{counts.supplied:,} as the manifest has it": counts.supplied,
        f"{counts.unsigned:,} drafted and not signed": counts.unsigned,
        f"{counts.absent:,} without gold for a stage at least": counts.absent,
    }
    yield f"gold of {counts.instances:,} instances: {', '.join(words for words, count in said.items() if count)}"
    lapsed = [problem for dataset in prepared.datasets for problem in dataset.unsigned if problem.text != NOBODY]
    yield from (f"gold not signed: {problem}" for problem in lapsed[:_NAMED])
    if len(lapsed) > _NAMED:
        yield f"gold not signed: {len(lapsed) - _NAMED} more rows, named in manifest.json"


def write_signatures(prepared: Prepared) -> None:
    """Write who signed the gold of each instance, where the run keeps what is not handed on. Raises ``OSError``.

    Where nobody signed anything there is no such file.
    """
    if not any(laid.signed for dataset in prepared.datasets for laid in dataset.gold_of.values()):
        return
    with (prepared.kept_dir / SIGNATURES_FILE).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("instance", "gold", "reviewer", "signed", "edited", "drafted_by"))
        for dataset in prepared.datasets:
            for id_, laid in dataset.gold_of.items():
                row = laid.signed
                by = (row.reviewer, row.signed, str(row.edited).lower(), row.drafted_by) if row else ("",) * 4
                writer.writerow((f"{dataset.name}/{id_}", laid.source, *by))
