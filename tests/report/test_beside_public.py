"""Local patients beside public data."""

from dataclasses import replace

from planted_run import ALONE, KNOWLEDGE, REASONING, VISUAL, Plan, PlantedRun, planted_run

from clinhallu_gate.gate.estimate import Figures
from clinhallu_gate.gate.frame import Frame
from clinhallu_gate.records import Instance
from clinhallu_gate.report.beside_public import Rate, Rates, public_table, rates_of
from clinhallu_gate.results import Results
from clinhallu_gate.vocabulary import Metric, Unit

BAD = Plan(bad={VISUAL: 300, KNOWLEDGE: 40, REASONING: 60, ALONE: 190}, studies=40)
GOOD = Plan(bad={VISUAL: 100, KNOWLEDGE: 40, REASONING: 60, ALONE: 60}, studies=40)


def local(run: PlantedRun, places: range | None = None) -> Results:
    """Return the results with all instances, or some, of patients."""

    def ward(place: int, instance: Instance) -> Instance:
        return replace(instance, phi=places is None or place in places)

    results = Results([ward(place, instance) for place, instance in enumerate(run.results.instances)])
    results.found = run.results.found
    return results


def rates(run: PlantedRun) -> Rates:
    """Return the rates of a public run."""
    return rates_of("atlas", Figures(Frame.of(run.results.instances), run.results.verdict, unit=Unit.INSTANCE))


def test_a_worse_rate_is_said_in_words() -> None:
    """The camera is worse here, answers too; where the interval holds zero, no difference is shown."""
    table = public_table(local(planted_run(BAD)), rates(planted_run(GOOD)), unit=Unit.INSTANCE, repeats=1)
    assert table is not None
    assert table.sentence.startswith("Here the model reads images worse and answers worse than on the public data.")
    said = {row.cells[0]: row for row in table.rows}
    assert said["Visual hallucination rate"].tone == "bad"
    assert said["Visual hallucination rate"].cells[1].startswith("62.5 % (")
    assert said["Visual hallucination rate"].cells[2].startswith("20.8 % (")
    assert said["Visual hallucination rate"].cells[3].startswith("+41.7 points (")
    assert said["Answer accuracy"].cells[4] == "worse here"
    assert said["Knowledge hallucination rate"].cells[4] == "not shown"
    better = public_table(local(planted_run(GOOD)), rates(planted_run(BAD)), unit=Unit.INSTANCE, repeats=1)
    assert better is not None
    assert "answers better than" in better.sentence
    assert better.lines[0].endswith("reads images better here than on the public data")


def test_a_run_may_hold_both() -> None:
    """Then its own data without patients stand beside those of patients; one kind alone has no table."""
    run = planted_run(BAD)
    half = range(len(run.results.instances) // 2)
    table = public_table(local(run, half), None, unit=Unit.INSTANCE, repeats=1)
    assert table is not None
    assert len(table.rows) == 4
    assert public_table(run.results, None, unit=Unit.INSTANCE, repeats=1) is None
    assert public_table(local(run), None, unit=Unit.INSTANCE, repeats=1) is None
    assert public_table(run.results, rates(run), unit=Unit.INSTANCE, repeats=1) is None


def test_few_patients_have_no_rate() -> None:
    """Their number, and the limits; the difference has limits alone."""
    run = planted_run(BAD)
    table = public_table(local(run, range(6)), None, unit=Unit.INSTANCE, repeats=1)
    assert table is not None
    for row in table.rows:
        assert row.cells[1].startswith("uncertain: ")
        assert "(" not in row.cells[3]


def test_rates_that_one_side_lacks_are_left_out() -> None:
    """A public run that ended early has some of them, or none."""
    camera = Rate(estimate=0.2, low=0.1, high=0.3, n=200, clusters=100, few=False)
    some = Rates(name="atlas", rates={Metric.VISUAL_HALLUCINATION_RATE: camera})
    table = public_table(local(planted_run(BAD)), some, unit=Unit.INSTANCE, repeats=1)
    assert table is not None
    assert [row.cells[0] for row in table.rows] == ["Visual hallucination rate"]
    assert public_table(local(planted_run(BAD)), Rates(name="x", rates={}), unit=Unit.INSTANCE, repeats=1) is None
