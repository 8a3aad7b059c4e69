"""Training studies, drawn once by several processes and held in memory as bytes; noise is added afresh at each use."""

import random
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from clinhallu_gate.datasets.phantom.atlas import STRATA
from clinhallu_gate.datasets.phantom.draw import draw, to_bytes
from clinhallu_gate.datasets.phantom.study import Study, random_study


@dataclass(frozen=True)
class Drawn:
    """A study and its pictures: uint8, shape (frames, 112, 112, 3)."""

    study: Study
    pictures: npt.NDArray[np.uint8]


def make_pool(seed: str, per_stratum: int, *, processes: int) -> list[Drawn]:
    """Draw ``per_stratum`` studies of every stratum. ``seed`` must begin with ``training``."""
    if not seed.startswith("training"):
        raise ValueError("training never draws from evaluation seeds")
    jobs = [(seed, place, number) for place in range(len(STRATA)) for number in range(per_stratum)]
    with ProcessPoolExecutor(processes) as workers:
        return list(workers.map(_draw_one, jobs, chunksize=64))


def _draw_one(job: tuple[str, int, int]) -> Drawn:
    seed, place, number = job
    rng = random.Random(f"{seed}:{STRATA[place].name}:{number}")
    study = random_study(STRATA[place], rng)
    return Drawn(study, np.stack([to_bytes(picture) for picture in draw(study, rng)]))


def pixels(pictures: npt.NDArray[np.uint8], generator: torch.Generator) -> torch.Tensor:
    """Return float32 pixels as the processor normalises them, (n, 3, 112, 112), with fresh noise and brightness."""
    values = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1
    noise = torch.randn(values.shape[0], 1, *values.shape[2:], generator=generator) * 0.06
    shift = torch.randn(values.shape[0], 1, 1, 1, generator=generator) * 0.04
    return (values + noise + shift).clamp(-1, 1)
