"""Write the summary of a run to pytest's terminal."""

import pytest

from clinhallu_gate.deidentification.findings import Preflight
from clinhallu_gate.deidentification.wording import preflight_lines
from clinhallu_gate.planning.certify import Capability
from clinhallu_gate.report.capability import capability_lines
from clinhallu_gate.report.model import ReportView
from clinhallu_gate.report.terminal import terminal_lines


def write_summary(reporter: pytest.TerminalReporter, view: ReportView, *, run_dir: str) -> None:
    """Write what was decided, why, where the report is and what to run next."""
    reporter.section("clinhallu-gate")
    for line in terminal_lines(view, width=reporter._tw.fullwidth, run_dir=run_dir):  # noqa: SLF001 - no public width
        reporter.write_line(line.text, **{line.style: True} if line.style else {})


def write_capability(reporter: pytest.TerminalReporter, found: Capability) -> None:
    """Write what the patients can show, before anything is asked."""
    for line in capability_lines(found, width=reporter._tw.fullwidth):  # noqa: SLF001 - no public width
        reporter.write_line(line)


def write_preflight(reporter: pytest.TerminalReporter, found: Preflight) -> None:
    """Write what patients' files tell of them, before anything is asked."""
    for line in preflight_lines(found):
        reporter.write_line(line)


def write_no_decision(reporter: pytest.TerminalReporter) -> None:
    """Write that a model was named and nothing was evaluated."""
    reporter.section("clinhallu-gate")
    reporter.write_line("NO DECISION", yellow=True)
    reporter.write_line("No selected test gates the model, so nothing was evaluated. If that is meant: --no-decision")
