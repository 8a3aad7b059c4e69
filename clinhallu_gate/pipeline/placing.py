"""Where a run's figures stand among the published ones: by the paper's scoring, with what sampling allows."""

from collections.abc import Iterator
from typing import Final

from clinhallu_gate.pipeline.prepared import Prepared
from clinhallu_gate.published import Estimate, Placement, load_table, place
from clinhallu_gate.results import Results
from clinhallu_gate.scoring.events import has_row, paper_event
from clinhallu_gate.scoring.figures import SCORED
from clinhallu_gate.stats import Sample, lower_limit_of_mean, upper_limit_of_mean
from clinhallu_gate.vocabulary import ANSWER, STAGE_METRIC, Arm, Metric, Part, Stage

#: One-sided error of each limit of a two-sided 95 % interval.
ERROR: Final = 0.025


def placement_of(prepared: Prepared, results: Results) -> Placement | None:
    """Return the place of each figure that was published; None without a whole set of the benchmark."""
    if not prepared.complete:
        return None
    published = prepared.entry.published
    figures = [
        figure
        for dataset in prepared.datasets
        if dataset.released and not dataset.left_out
        for figure in _figures(dataset.name, results)
    ]
    if not figures:
        return None
    return place(figures, model_published=published if published in load_table().models else None)


def _figures(dataset: str, results: Results) -> Iterator[Estimate]:
    """Yield the figures of one data set for which every instance was asked; questions on one image are one draw."""
    instances = [instance for instance in results.instances if instance.dataset == dataset]
    for reading in SCORED:
        other_arm = reading.part == ANSWER and reading.arm is not Arm.BASELINE
        if other_arm or not all(has_row(results.found[instance.uid], reading) for instance in instances):
            continue
        events = [
            (event, instance.cluster)
            for instance in instances
            if (event := paper_event(results.found[instance.uid], reading)) is not None
        ]
        if not events:
            continue
        codes = {cluster: code for code, cluster in enumerate(dict.fromkeys(cluster for _, cluster in events))}
        sample = Sample.of([event for event, _ in events], cluster=[codes[cluster] for _, cluster in events])
        value = float(sample.y.mean())
        yield Estimate(
            dataset=dataset,
            metric=_metric(reading.part),
            value=value,
            low=min(value, lower_limit_of_mean(sample, ERROR)),
            high=max(value, upper_limit_of_mean(sample, ERROR)),
            n=sample.n,
        )


def _metric(part: Part) -> Metric:
    return Metric.ANSWER_ACCURACY if part == ANSWER else STAGE_METRIC[Stage(part)]
