"""The lines of the terminal."""

import re

import pytest
from planted_run import PLANS, PlantedRun, not_started, run_named, with_text
from syrupy.assertion import SnapshotAssertion

from clinhallu_gate.report import terminal_lines


def printed(run: PlantedRun, width: int = 80) -> list[str]:
    """Return style and text of each line."""
    lines = terminal_lines(run.view, width=width, run_dir=run.context.run_dir)
    return [f"{line.style:6} | {line.text}".rstrip() for line in lines]


@pytest.mark.parametrize("name", PLANS)
def test_the_summary_is_as_it_was(name: str, snapshot: SnapshotAssertion) -> None:
    """What pytest prints at the end of such a run."""
    assert printed(run_named(name)) == snapshot


def test_a_run_without_anything_says_what_happened(snapshot: SnapshotAssertion) -> None:
    """A dead server leaves its reason and the next command."""
    assert printed(not_started()) == snapshot


def test_a_narrow_terminal_gets_two_lines_for_a_gate(snapshot: SnapshotAssertion) -> None:
    """No table is squeezed."""
    assert printed(run_named("inconclusive"), width=60) == snapshot


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("name", PLANS)
def test_lines_fit(name: str, width: int) -> None:
    """All but commands and paths, which must stay copyable."""
    run = run_named(name)
    for line in terminal_lines(run.view, width=width, run_dir=run.context.run_dir):
        assert len(line.text) <= width or "pytest" in line.text or "report.html" in line.text, line.text


@pytest.mark.parametrize("run", [run_named("not_completed"), not_started()], ids=["unjudged", "dead"])
def test_no_rate_of_a_run_that_was_not_completed(run: PlantedRun) -> None:
    """Only what is missing, and why."""
    text = "\n".join(printed(run))
    assert "%" not in text
    assert not re.search(r"\d\.\d", text.replace("status 1.", ""))
    assert "NOT COMPLETED" in text


def test_a_model_cannot_steer_the_terminal() -> None:
    """Escape sequences and line ends in its texts are shown, not obeyed."""
    text = "".join(
        line.text for line in terminal_lines(with_text("\x1b[2J\r\n\u202ex").view, width=80, run_dir="a\x1bb")
    )
    assert not re.search("[\x00-\x1f\x7f-\x9f\u202e]", text)
    assert "\\u001b[2J" in text
