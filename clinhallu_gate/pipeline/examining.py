"""Examine the judge on the very data, before any of its verdicts counts."""

from typing import Final

from clinhallu_gate.engine.window import each
from clinhallu_gate.errors import EvaluationFailed
from clinhallu_gate.events import Listener, PhaseBegan
from clinhallu_gate.judge.examination import Examination, examine
from clinhallu_gate.judge.probes import Probe, make_probes
from clinhallu_gate.keeping import joined
from clinhallu_gate.pipeline.prepared import Prepared
from clinhallu_gate.pipeline.sampling import random_part
from clinhallu_gate.ports import Judge
from clinhallu_gate.records import Verdict

#: Probes in flight; the engine's own limit is below it.
WINDOW: Final = 128
#: Instances whose gold is read for them: all of the benchmark's. Words and images of so many are held in memory.
MOST: Final = 8192


async def examine_judge(prepared: Prepared, judge: Judge, *, tell: Listener) -> Examination:
    """Put probes whose truth is known to the judge and return what it made of them.

    The probes follow from the data alone, all of them and not only a ``--limit``: so every run with the same judge,
    protocol and data puts the same questions, and the store answers all but the first. Of very large data they are
    drawn from a random part, the same in each of these runs.
    """
    everything = joined([dataset.instances for dataset in prepared.datasets])
    minima = prepared.thresholds.judge
    probes = make_probes(random_part(everything, MOST, prepared.seed), per_stage=minima.probes, seed=prepared.seed)
    tell(PhaseBegan("probes of the judge", len(probes)))
    verdicts: dict[str, Verdict] = {}

    async def put(probe: Probe) -> None:
        verdicts[probe.id] = await judge.stage(probe.instance, probe.stage, probe.text)

    await each(probes, put, window=WINDOW)
    return examine(probes, verdicts, alpha=prepared.thresholds.alpha, minima=minima)


def demand_fit(name: str, examination: Examination) -> None:
    """Raise ``EvaluationFailed`` if the judge may not judge: no verdict of its counts then."""
    if examination.fit:
        return
    lacking = examination.without_verdict[:1]
    if not examination.answered and lacking:
        raise EvaluationFailed(f"the judge {name} could not be examined", f": {lacking[0]}")
    word = "is unfit" if examination.answered else "could not be examined"
    raise EvaluationFailed(
        f"the judge {name} {word}: {'; '.join(examination.reasons)}", "".join(f"; {s}" for s in lacking)
    )
