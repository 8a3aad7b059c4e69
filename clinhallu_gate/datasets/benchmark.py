"""The benchmark's data sets: gold traces joined with the images of the source sets."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from clinhallu_gate.datasets.assemble import Assembly, Part
from clinhallu_gate.datasets.check import benchmark_row
from clinhallu_gate.datasets.gold import Gold, stray_trouble
from clinhallu_gate.datasets.intake import Intakes
from clinhallu_gate.datasets.places import FolderPlace, HubPlace, Place
from clinhallu_gate.datasets.problems import Problem
from clinhallu_gate.datasets.released import SETS


def load_released(names: Sequence[str], root: Path | None, intakes: Intakes, *, offline: bool = False) -> list[Part]:
    """Load data sets of the benchmark from ``root``, or from the hub without one; rows are read once for all.

    With ``offline`` the hub's local cache has to do.

    Raises ``BadInput`` if rows or images cannot be found.
    """
    place: Place = HubPlace(offline=offline) if root is None else FolderPlace(root)
    gold = place.gold()
    return [_load(name, gold, place, intakes, strays=not number) for number, name in enumerate(names)]


def _load(name: str, gold: Gold, place: Place, intakes: Intakes, *, strays: bool) -> Part:
    """Load one; rows of which nobody knows whose they are count with the first."""
    rows, found = gold.of(name), place.pictures(SETS[name])
    assembly = Assembly(name, benchmark_row, found.pictures, intakes, sort=True)
    lost = list(gold.strays) if strays else []
    assembly.problems += [Problem(raw.file, raw.number, stray_trouble(raw)) for raw in lost]
    part = assembly.make(rows, {**place.sources, **found.sources})
    dataset = replace(part.dataset, gold_model=gold.author(name), released=True)
    return Part(dataset, part.problems, part.rows + len(lost))
