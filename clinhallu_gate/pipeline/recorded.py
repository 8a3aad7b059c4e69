"""Results that were made elsewhere: a tree of the benchmark's own code in place of a model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from clinhallu_gate.datasets.load import Dataset
from clinhallu_gate.errors import BadInput
from clinhallu_gate.ports import Judge
from clinhallu_gate.records import Instance, NotAsked, Reading, Unjudged, Verdict
from clinhallu_gate.results import Results
from clinhallu_gate.tree import ResultTree, fill, models_in, read_tree
from clinhallu_gate.tree.layout import KEYS, eval_folder
from clinhallu_gate.vocabulary import ANSWER, NotAskedReason, Stage, UnjudgedReason

UNKNOWN_JUDGE: Final = "recorded"
NO_JUDGE: Final = Unjudged(
    UnjudgedReason.JUDGE_FAILED, "the result tree holds no usable judgement, and no judge was named (--judge)"
)


@dataclass(frozen=True, slots=True)
class Recorded:
    """A result tree laid over the data."""

    tree: ResultTree
    results: Results
    opened: Mapping[str, frozenset[Reading]]
    """By instance, the readings of which the tree holds a text without a usable judgement."""

    def open_of(self, uid: str) -> frozenset[Reading]:
        """Return what a judge has still to be asked about an instance."""
        return self.opened.get(uid, frozenset())

    async def judge_open(self, judge: Judge, instance: Instance, readings: frozenset[Reading]) -> None:
        """Seek the verdicts that the tree does not hold."""
        found = self.results.found[instance.uid]
        for reading in sorted(readings, key=str):
            text = found.texts[reading]
            if reading.part == ANSWER:
                found.verdicts[reading] = await judge.answer(instance, text)
            elif instance.gold.text(Stage(reading.part)) is None:
                found.verdicts[reading] = NotAsked(NotAskedReason.NO_GOLD, f"no gold {reading.part} to judge by")
            else:
                found.verdicts[reading] = await judge.stage(instance, Stage(reading.part), text)

    @property
    def judge(self) -> str:
        """Name of the judge whose judgements the tree holds."""
        judges = dict.fromkeys(held.judge for held in self.tree.datasets.values() if held.judge)
        return " and ".join(judges) or UNKNOWN_JUDGE

    @property
    def missing(self) -> tuple[str, ...]:
        """Return the files that the tree lacks."""
        return tuple(f"{held.name}: {name}" for held in self.tree.datasets.values() for name in held.missing)


class NoJudge:
    """Stands where no judge was named: what the tree does not say stays unjudged."""

    async def stage(self, instance: Instance, stage: Stage, text: str) -> Verdict:  # noqa: ARG002 - a judge's signature
        """Say that nobody judges."""
        return NO_JUDGE

    async def answer(self, instance: Instance, text: str) -> Verdict:  # noqa: ARG002 - as above
        """Say that nobody judges."""
        return NO_JUDGE


def recorded_model(folder: Path, name: str | None) -> str:
    """Return the name of the model whose results are gated. Raises ``BadInput`` if that is not clear."""
    if not folder.is_dir():
        raise BadInput(f"--from-results: {folder} is not a folder.")
    models = models_in(folder)
    if name is not None or len(models) != 1:
        found = ", ".join(models) or "no model (results/<dataset>/eval/<model>/model_cot.jsonl)"
        if name not in models:
            raise BadInput(f"--from-results: {folder} holds results of {found}. Name one with --model.")
    return name or models[0]


def recorded_data(folder: Path, model: str) -> tuple[str, ...]:
    """Return the data sets of the benchmark that the tree holds results of the model for."""
    root = folder.parent if folder.name == "results" else folder
    return tuple(dataset for dataset in KEYS if (root / eval_folder(dataset, model)).is_dir())


def lay_over(folder: Path, model: str, datasets: Sequence[Dataset], instances: Sequence[Instance]) -> Recorded:
    """Read the tree and lay it over ``instances``. Raises ``BadInput`` with a list of what does not fit."""
    results = Results(instances)
    tree = read_tree(folder, datasets=[dataset.name for dataset in datasets], model=model)
    opened: dict[str, set[Reading]] = {}
    for item in fill(results, tree, {dataset.name: dataset.rows for dataset in datasets}):
        opened.setdefault(item.uid, set()).add(item.reading)
    return Recorded(tree, results, {uid: frozenset(readings) for uid, readings in opened.items()})
