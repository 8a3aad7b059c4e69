"""The Markdown summary."""

import re

import pytest
from planted_run import PLANS, not_started, run_named, with_text
from syrupy.assertion import SnapshotAssertion

from clinhallu_gate.report import summary_markdown
from clinhallu_gate.report.summary import code, escaped


@pytest.mark.parametrize("name", PLANS)
def test_the_summary_is_as_it_was(name: str, snapshot: SnapshotAssertion) -> None:
    """A screenful that a build server shows."""
    text = summary_markdown(run_named(name).view)
    assert text == snapshot
    assert len(text.splitlines()) < 50


def test_no_rate_of_a_run_that_was_not_completed() -> None:
    """Only what is missing, and why."""
    for run in (run_named("not_completed"), not_started()):
        assert "%" not in summary_markdown(run.view)


def test_hostile_text_stays_text() -> None:
    """Every table row keeps its columns, and no tag, link, heading or image is made."""
    text = summary_markdown(with_text("a|b\n# c <img src=x> [l](http://e.example) `t` | @x").view)
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) == 8
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {7}
    outside = re.sub(r"(`+)(?!`).+?(?<!`)\1(?!`)", "", text)
    assert not re.search(r"(?<!\\)<img|(?<!\\)\[l|http://", outside)
    assert [line for line in text.splitlines() if line.startswith("#")] == [text.splitlines()[0]]


def test_escapes() -> None:
    """Text is shown as it was, on one line."""
    assert escaped("x_y *z*\n<b> www.a.example") == r"x\_y \*z\* \<b\> www\.a.example"
    assert code("a`b|c") == "`` a`b\\|c ``"
    assert code("plain[mean]") == "`plain[mean]`"


def test_the_worst_case_is_far_below_what_a_build_server_takes() -> None:
    """Long texts and many gates do not blow it up."""
    run = with_text("x" * 20_000)
    many = run.decision.model_copy(update={"gates": run.decision.gates * 100})
    view = run.view.model_copy(update={"gates": tuple(run.view.gates) * (len(many.gates) // 6)})
    assert len(summary_markdown(view).encode()) < 2**18
