"""How completely a run could be judged, and why the rest was not."""

from collections import Counter

from clinhallu_gate.records import NotAsked, Reading
from clinhallu_gate.report.figures import plural
from clinhallu_gate.report.model import Completeness, LackView, ReadingView
from clinhallu_gate.report.names import ARM_TITLE, LACK_TITLE, NOT_ASKED_TITLE, part_title
from clinhallu_gate.report.tally import lacks, sought, tally
from clinhallu_gate.report.visible import one_line
from clinhallu_gate.results import Results
from clinhallu_gate.vocabulary import NotAskedReason


def completeness(results: Results, *, named: bool = True) -> Completeness:
    """Return what was had, reading by reading, and why the rest was not; with examples if instances are ``named``."""
    views = tuple(_reading_view(results, reading) for reading in sought(results))
    return Completeness(
        sentence=_completeness_sentence(views),
        not_asked=tuple(f"{plural(count, 'verdict')} not sought: {why}" for why, count in _not_asked(results)),
        readings=views,
        lacks=tuple(
            LackView(
                kind=lack.kind,
                reason=lack.reason,
                why=LACK_TITLE[lack.reason],
                count=lack.count,
                example=one_line(lack.example) if named else "",
            )
            for lack in lacks(results)
        ),
    )


def _reading_view(results: Results, reading: Reading) -> ReadingView:
    counted = tally(results, reading, results.instances)
    return ReadingView(
        title=f"{part_title(reading.part)}, {ARM_TITLE[reading.arm]}",
        judged=counted.good + counted.bad,
        failed=counted.failed,
        unjudged=counted.unjudged,
        not_asked=counted.not_asked,
    )


def _not_asked(results: Results) -> list[tuple[str, int]]:
    """Return why verdicts were not sought, and how many; what nobody selected is no lack."""
    counted = Counter(
        verdict.reason
        for _, _, verdict in results.bare_rows()
        if isinstance(verdict, NotAsked) and verdict.reason is not NotAskedReason.NOT_SELECTED
    )
    return [(NOT_ASKED_TITLE[reason], count) for reason, count in counted.most_common()]


def _completeness_sentence(views: tuple[ReadingView, ...]) -> str:
    total = sum(view.judged + view.failed + view.unjudged for view in views)
    failed, unjudged = sum(view.failed for view in views), sum(view.unjudged for view in views)
    if not total:
        return "No verdict was reached."
    lost = (
        f"{unjudged:,} unjudged, as the judge or a server gave nothing that can be used; each counts as bad where a "
        "gate would pass, and as good where it would fail"
    )
    return (
        f"{plural(total, 'verdict')} sought: {total - failed - unjudged:,} judged; {failed:,} not delivered by the "
        f"model, which count against it; {lost if unjudged else 'none unjudged'}."
    )
