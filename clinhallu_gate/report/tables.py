"""What a run found beside its gates, as tables: the judge, the published figures, the two scorings."""

from collections.abc import Iterator
from typing import Final

from clinhallu_gate.judge.agreement import Agreement, StageAgreement
from clinhallu_gate.judge.examination import Examination, StageExamination
from clinhallu_gate.judge.probes import Truth
from clinhallu_gate.judge.rates import Rate
from clinhallu_gate.published import Placed, Placement, load_table
from clinhallu_gate.published.table import MACRO
from clinhallu_gate.report.beside_public import Rates, public_table
from clinhallu_gate.report.decision import DecisionDocument
from clinhallu_gate.report.figures import lower_limit, percent, plural
from clinhallu_gate.report.flips import flips_table
from clinhallu_gate.report.model import TableRow, TableView, Tone
from clinhallu_gate.report.names import ARM_TITLE, METRIC_TITLE, nickname, part_title
from clinhallu_gate.report.noise import RunNoise
from clinhallu_gate.report.placed import dataset_title, dot_groups
from clinhallu_gate.report.visible import one_line
from clinhallu_gate.results import HEADLINE_READINGS, Results
from clinhallu_gate.scoring import Shift, compare
from clinhallu_gate.vocabulary import ANSWER, METRIC_STAGE, Arm, Part, Stage, Unit

_NONE: Final = "-"
_PROBE: Final = {Truth.BROKEN: "broken", Truth.REWORDED: "reworded"}


def tables(
    document: DecisionDocument,
    results: Results,
    *,
    named: bool = True,
    public: Rates | None = None,
    max_without_gold: float = 0.0,
) -> tuple[TableView, ...]:
    """Return the tables of a run; one that was not completed has at most an unfit judge's, and a tree's figures.

    Instances are ``named`` in them, or only counted; ``public`` are the rates of the same model on public data, and up
    to the share ``max_without_gold`` of a rate's instances may lack gold.
    """
    found = tuple(_tables(document, results, named=named))
    if not document.completed:
        return found
    unit = Unit.PATIENT if any(gate.unit is Unit.PATIENT for gate in document.gates) else Unit.INSTANCE
    beside = public_table(results, public, unit=unit, repeats=document.repeats, max_without_gold=max_without_gold)
    return found if beside is None else (beside, *found)


def _tables(document: DecisionDocument, results: Results, *, named: bool) -> Iterator[TableView]:
    if document.published is not None:
        yield _published(document.published)
    if (flips := flips_table(document, results, named=named)) is not None:
        yield flips
    if document.noise is not None:
        yield _noise(document.noise, named=named)
    examination = document.judge_examination
    if examination is not None and (document.completed or not examination.fit):
        yield _examination(document.judge, examination)
    if document.judge_agreement is not None:
        yield _agreement(document.judge_agreement)
    if document.scorings:
        yield _scorings(compare(results))


# --- noise ------------------------------------------------------------------------------------------------------------


def _noise(noise: RunNoise, *, named: bool) -> TableView:
    return TableView(
        id="noise",
        title="How steady the model is",
        sentence=f"{noise.repeats} traces of each instance. Limits of the gates rest on instances, not on traces; the "
        "scorings and the listed instances show the first trace.",
        columns=("", "instances", "variance between", "within", "two traces differ", "expected rate within"),
        rows=tuple(
            TableRow(
                cells=(
                    part_title(each.part),
                    str(each.instances),
                    f"{each.between:.4f}",
                    f"{each.within:.4f}",
                    percent(each.flip),
                    f"{100 * each.guard:.2f} points",
                )
            )
            for each in noise.readings
        ),
        notes=tuple(_noise_notes(noise, named=named)),
        label="noise",
        lines=tuple(
            f"{part_title(each.part).lower()}: two traces differ in {percent(each.flip)}" for each in noise.readings
        ),
    )


def _noise_notes(noise: RunNoise, *, named: bool) -> Iterator[str]:
    if noise.judge is not None:
        share = percent(noise.judge.flipped / noise.judge.judged) if noise.judge.judged else "unknown"
        yield (
            f"The judge was asked {plural(noise.judge.asked, 'question')} twice and changed its verdict on "
            f"{noise.judge.flipped} of the {noise.judge.judged} that it answered again ({share})."
        )
    for each in noise.readings:
        if named and each.unsteady:
            names = ", ".join(one_line(name) for name in each.unsteady)
            yield f"{part_title(each.part)}, most unsteady (probability that two traces differ): {names}"


# --- the judge --------------------------------------------------------------------------------------------------------


def _examination(judge: str, found: Examination) -> TableView:
    word = "may judge" if found.fit else "may not judge"
    return TableView(
        id="judge",
        title="The judge, examined",
        sentence=f"{one_line(judge)} {word}: of stages in which one fact was broken it has to call enough hallucinated "
        "(sensitivity), of stages that were only reworded enough grounded (specificity). No rate is adjusted by this.",
        columns=("Stage", "probes", "right", "lower limit", "wanted", "unjudged"),
        rows=tuple(row for stage in found.stages if stage.examined for row in _stage_rows(stage, found)),
        notes=tuple(one_line(text, limit=400) for text in (*found.reasons, *found.without_verdict)),
        label="judge",
        lines=(f"{one_line(judge)} {word}: {_worst(found)}",) if found.fit else (),
    )


def _worst(found: Examination) -> str:
    """Return the least sensitivity and specificity over the stages."""
    stages = [stage for stage in found.stages if stage.examined]
    probes = sum(stage.sensitivity.n + stage.specificity.n for stage in stages)
    sides = (
        ("sensitivity", [stage.sensitivity for stage in stages]),
        ("specificity", [stage.specificity for stage in stages]),
    )
    worst = (f"{name} {_known(min(rates, key=lambda rate: rate.lower))}" for name, rates in sides if rates)
    return f"in its worst stage {' and '.join(worst)}; {plural(probes, 'probe')}"


def _known(rate: Rate) -> str:
    share = "unknown" if rate.estimate is None else percent(rate.estimate)
    return f"{share} (lower limit {lower_limit(rate.lower)})"


def _stage_rows(stage: StageExamination, found: Examination) -> Iterator[TableRow]:
    sides = (
        (Truth.BROKEN, "sensitivity", stage.sensitivity, found.min_sensitivity),
        (Truth.REWORDED, "specificity", stage.specificity, found.min_specificity),
    )
    for truth, name, rate, least in sides:
        tone: Tone = "good" if rate.lower >= least else "bad"
        yield _rate_row(f"{part_title(stage.stage)}: {name}", rate, percent(least), tone=tone)
        for kind in stage.kinds:
            if kind.truth is truth:
                yield _rate_row(f"{_PROBE[truth]}: {kind.kind.replace('_', ' ')}", kind.rate, "", within=True)
    if stage.unchanged.n:
        yield _rate_row(f"{part_title(stage.stage)}: gold, unchanged", stage.unchanged, "")


def _rate_row(name: str, rate: Rate, least: str, *, tone: Tone = "void", within: bool = False) -> TableRow:
    share = _NONE if rate.estimate is None else percent(rate.estimate)
    cells = (name, str(rate.n), share, lower_limit(rate.lower) if rate.n else _NONE, least, str(rate.unjudged or ""))
    return TableRow(cells=cells, tone=tone, within=within)


def _agreement(found: Agreement) -> TableView:
    parts = {"All stages": found.overall, **{part_title(stage): one for stage, one in found.stages.items()}}
    reasons = {one.kappa.reason for one in parts.values() if one.kappa.reason}
    return TableView(
        id="agreement",
        title="The judge beside people",
        sentence="Agreement with the labels that people gave to the same stages.",
        columns=("Stage", "labels", "agreement", "Cohen's kappa", "sensitivity", "specificity", "without verdict"),
        rows=tuple(_agreement_row(name, one) for name, one in parts.items()),
        notes=tuple(sorted(reasons)),
        label="people",
        lines=(_agreement_line(found.overall),),
    )


def _agreement_line(one: StageAgreement) -> str:
    _, _, raw, kappa, sensitivity, specificity, _ = _agreement_row("", one).cells
    rates = f"sensitivity {sensitivity}, specificity {specificity}"
    return f"{plural(one.labels, 'label')}: agreement {raw}, kappa {kappa}, {rates}"


def _agreement_row(name: str, one: StageAgreement) -> TableRow:
    kappa = _NONE if one.kappa.estimate is None else f"{one.kappa.estimate:.2f}"
    if one.kappa.interval is not None:
        kappa += f" ({one.kappa.interval[0]:.2f} to {one.kappa.interval[1]:.2f})"
    without = one.unjudged + one.without_verdict
    raw = _NONE if one.raw is None else percent(one.raw)
    cells = (name, str(one.labels), raw, kappa, _with_interval(one.sensitivity), _with_interval(one.specificity))
    return TableRow(cells=(*cells, str(without or "")))


def _with_interval(rate: Rate) -> str:
    if rate.estimate is None:
        return _NONE
    return f"{percent(rate.estimate)} ({percent(rate.interval[0])} to {percent(rate.interval[1])})"


# --- figures ----------------------------------------------------------------------------------------------------------


def _published(found: Placement) -> TableView:
    own = found.model_published
    return TableView(
        id="published",
        title="Among the published models",
        sentence=f"By the paper's scoring, among the {len(load_table().models)} models of {found.source}."
        f"{_against(found)}",
        columns=("Figure", "this run", "rank", "best", "median", "worst", *(("published for it", "") if own else ())),
        rows=tuple(_placed_row(figure, own=own is not None) for figure in found.figures),
        notes=(found.rule,) if own else (),
        label="rank",
        lines=(*_ranks(found), *((_against(found).strip(),) if own else ())),
        dots=dot_groups(found),
    )


def _against(found: Placement) -> str:
    """Say how many figures are not those published for the same model."""
    if found.model_published is None:
        return ""
    count = plural(len(found.differing), "figure")
    return (
        f" Of {len(found.figures)}, {count} lie further from those published for {found.model_published} than sampling "
        "error allows."
    )


def _ranks(found: Placement) -> Iterator[str]:
    """Yield the ranks in the mean over data sets, or in each where there are not all four."""
    names = dict.fromkeys(figure.dataset for figure in found.figures)
    for name in [MACRO] if MACRO in names else names:
        ranks = (
            f"{_short(METRIC_STAGE.get(figure.metric, ANSWER))} {figure.rank} of {figure.of}"
            for figure in found.figures
            if figure.dataset == name
        )
        yield f"{dataset_title(name)}: {', '.join(ranks)}"


def _placed_row(figure: Placed, *, own: bool) -> TableRow:
    cells = (
        f"{dataset_title(figure.dataset)}: {METRIC_TITLE[figure.metric].lower()}",
        f"{percent(figure.value)} ({percent(figure.low)} to {percent(figure.high)})",
        f"{figure.rank} of {figure.of}",
        percent(figure.best.value),
        percent(figure.median),
        percent(figure.worst.value),
    )
    if not own or figure.own is None:
        return TableRow(cells=cells)
    word = "differs" if figure.own.differs else "within sampling error"
    return TableRow(
        cells=(*cells, percent(figure.own.published), word), tone="unsure" if figure.own.differs else "void"
    )


def _scorings(shifts: tuple[Shift, ...]) -> TableView:
    told = [shift for shift in shifts if shift.strict is not None or shift.paper is not None]
    return TableView(
        id="scorings",
        title="By two rules of scoring",
        sentence="Gates decide by strict scoring: what the model did not deliver counts against it, what the "
        "instrument did not deliver is left open. The paper leaves invalid traces out of answer accuracy, and counts "
        "as hallucinated whatever was not judged; its figures are here for comparison.",
        columns=(
            *("Figure", "strict", "paper", "averaging moves it by", "format failures", "move it by"),
            *("judge failures", "move it by"),
        ),
        notes=("Averaging: strict scoring takes the mean over strata, the paper the mean over instances.",)
        if any(_moved(shift.averaging_shift) for shift in told)
        else (),
        rows=tuple(_shift_row(shift) for shift in told),
        label="scoring",
        lines=tuple(_shift_line(shift) for shift in told if shift.reading in HEADLINE_READINGS),
    )


def _shift_line(shift: Shift) -> str:
    """Return a headline figure by both rules, with what moves it."""
    moves = [
        f"{plural(count, f'{kind} failure')}: {_moved(by) or 'no change'}"
        for count, kind, by in (
            (shift.format_failures, "format", shift.format_shift),
            (shift.judge_failures, "judge", shift.judge_shift),
        )
        if count
    ]
    if averaging := _moved(shift.averaging_shift):
        moves.append(f"averaging over instances: {averaging}")
    why = f" ({'; '.join(moves)})" if moves else ""
    return f"{_short(shift.reading.part)}: strict {_share(shift.strict)}, paper {_share(shift.paper)}{why}"


def _short(part: Part) -> str:
    return "answers" if part == ANSWER else nickname(Stage(part))


def _shift_row(shift: Shift) -> TableRow:
    title = part_title(shift.reading.part)
    if shift.reading.part == ANSWER:
        title = "Answer accuracy" + ("" if shift.reading.arm is Arm.BASELINE else f", {ARM_TITLE[shift.reading.arm]}")
    else:
        title = f"{title} hallucinated"
    return TableRow(
        cells=(
            title,
            _share(shift.strict),
            _share(shift.paper),
            _moved(shift.averaging_shift),
            str(shift.format_failures or ""),
            _moved(shift.format_shift),
            str(shift.judge_failures or ""),
            _moved(shift.judge_shift),
        )
    )


def _share(value: float | None) -> str:
    return _NONE if value is None else f"{100 * value:.2f} %"


def _moved(value: float | None) -> str:
    return f"{100 * value:+.2f} points" if value is not None and round(100 * value, 2) else ""
