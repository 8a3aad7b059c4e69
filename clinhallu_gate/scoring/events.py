"""What one instance adds to a figure, by each rule of scoring: true for correct or hallucinated, None for nothing."""

from clinhallu_gate.records import Failed, Judged, NotAsked, Reading, Unjudged, Verdict
from clinhallu_gate.results import PAPER_READING, Found, PaperMark
from clinhallu_gate.vocabulary import ANSWER, Outcome, Stage, UnjudgedReason


def strict_event(found: Found, reading: Reading) -> bool | None:
    """What the model did not deliver counts against it; what the instrument did not deliver counts for nothing."""
    match found.bare_verdict(reading):
        case Judged(outcome=outcome):
            return outcome in (Outcome.CORRECT, Outcome.HALLUCINATED)
        case Failed():
            return reading.part != ANSWER
        case _:
            return None


def paper_event(found: Found, reading: Reading) -> bool | None:
    """An answer counts if its trace is valid and it was judged; a stage that was not judged is hallucinated."""
    if not has_row(found, reading):
        return None
    mark = mark_of(found, reading)
    if reading.part != ANSWER:
        return mark.value != 0
    return mark.value == 1 if mark.valid and mark.value in (0, 1) else None


def middle_event(found: Found, reading: Reading) -> bool | None:
    """Format failures as the paper scores them, failures of the instrument as strict scoring does."""
    return paper_event(found, reading) if is_format_failure(found, reading) else strict_event(found, reading)


def is_format_failure(found: Found, reading: Reading) -> bool:
    """Whether the model did not deliver the part, or (for an answer) the trace that the benchmark wants with it."""
    verdict = found.bare_verdict(reading)
    if isinstance(verdict, Failed):
        return True
    invalid = reading.part == ANSWER and has_row(found, reading) and not mark_of(found, reading).valid
    return invalid and not endpoint_failed(verdict)


def is_judge_failure(found: Found, reading: Reading) -> bool:
    """Whether the judge, or the endpoint before it, did not deliver, here or in the result tree."""
    mark = found.paper.get(row_of(reading))
    failed_there = mark is not None and mark.value not in (0, 1)
    return isinstance(found.bare_verdict(reading), Unjudged) or (failed_there and not is_format_failure(found, reading))


def row_of(reading: Reading) -> Reading:
    """Return where the benchmark's files hold the judgement that ``reading`` is scored by."""
    return reading if reading.part == ANSWER else PAPER_READING[Stage(reading.part)]


def has_row(found: Found, reading: Reading) -> bool:
    """Whether the benchmark's files hold, or would hold, a row of this instance."""
    if row_of(reading) in found.paper:
        return True
    verdict = found.bare_verdict(reading)
    if verdict is None or isinstance(verdict, NotAsked):
        return False
    judged_here = isinstance(verdict, Judged) and reading not in found.paper
    return judged_here or row_of(reading) not in found.no_row


def mark_of(found: Found, reading: Reading) -> PaperMark:
    """Return the judgement as the benchmark's files hold it, or would for this verdict."""
    mark = found.paper.get(row_of(reading))
    if mark is not None:
        return mark
    match found.verdicts[reading]:
        case Judged(outcome=outcome, reason=reason):
            return PaperMark(int(outcome in (Outcome.CORRECT, Outcome.HALLUCINATED)), reason, _valid(found, reading))
        case Failed() as verdict if reading.part != ANSWER:
            return PaperMark(1, str(verdict.reason), _valid(found, reading))
        case verdict:
            return PaperMark(-1, str(verdict.reason), _valid(found, reading))


def _valid(found: Found, reading: Reading) -> bool:
    """Whether the arm's trace is valid; where its reply was not kept, as far as the verdicts tell."""
    trace = found.traces.get(reading.arm)
    if trace is not None:
        return trace.valid
    others = [verdict for other, verdict in found.bare_verdicts.items() if other.arm is reading.arm]
    return not any(isinstance(verdict, Failed) or endpoint_failed(verdict) for verdict in others)


def endpoint_failed(verdict: Verdict | None) -> bool:
    """Whether the endpoint gave no reply to judge."""
    return isinstance(verdict, Unjudged) and verdict.reason is UnjudgedReason.ENDPOINT_FAILED
