"""Where the marks of the plots stand."""

import pytest
from planted_run import run_named

from clinhallu_gate.report.model import Plotted
from clinhallu_gate.report.plot import forests, slices


@pytest.mark.parametrize("name", ["pass", "fail", "inconclusive"])
def test_marks_are_in_order_and_on_the_axis(name: str) -> None:
    """Lower limit, estimate and upper limit follow each other; every place is a percentage."""
    for forest in forests(run_named(name).view.gates):
        for row in forest.rows:
            assert row.marks
            places = [float(place or -1) for place in (row.marks.low, row.marks.estimate, row.marks.high)]
            assert places == sorted(places)
            assert all(0 <= place <= 100 for place in (*places, float(row.marks.threshold or -1)))
        assert [float(tick.x) for tick in forest.ticks] == sorted(float(tick.x) for tick in forest.ticks)


@pytest.mark.parametrize("name", ["pass", "fail", "inconclusive"])
def test_the_limit_stands_where_the_decision_says(name: str) -> None:
    """A PASS lies within the allowed zone, a FAIL outside of it, and what is inconclusive across its border."""
    for forest in forests(run_named(name).view.gates):
        for row in forest.rows:
            assert row.marks
            start = float(row.marks.zone or -1)
            end = start + float(row.marks.zone_width or -1)
            below, above = float(row.marks.low) < start - 0.01, float(row.marks.high) > end + 0.01
            wrong_side = above if row.gate.plotted and row.gate.plotted.allowed == "below" else below
            assert wrong_side == (row.gate.word != "PASS")


def test_a_gate_of_a_narrow_band_gets_a_fine_axis() -> None:
    """Small rates are not squeezed to the left."""
    gate = run_named("pass").view.gates[0]
    small = gate.model_copy(
        update={"plotted": Plotted(estimate=0.01, low=0.0, high=0.02, threshold=0.03, allowed="below")}
    )
    (forest,) = forests([small])
    assert [tick.label for tick in forest.ticks] == ["0", "1", "2", "3", "4"]


def test_the_budget_fills_the_bar() -> None:
    """Slices stand side by side and end at the right edge."""
    budget = run_named("fail").view.budget
    assert budget
    found = slices(budget)
    assert [s.stage for s in found] == ["visual_recognition", "knowledge_recall", "reasoning_integration"]
    assert abs(float(found[-1].x) + float(found[-1].width) - 100) < 0.02
    assert [s.label for s in found] == ["camera 82 %", "", ""]
