"""Write the summary of a run to pytest's terminal."""

import pytest

from clinhallu_gate.report.model import ReportView
from clinhallu_gate.report.terminal import terminal_lines


def write_summary(reporter: pytest.TerminalReporter, view: ReportView, *, run_dir: str) -> None:
    """Write what was decided, why, where the report is and what to run next."""
    reporter.section("clinhallu-gate")
    for line in terminal_lines(view, width=reporter._tw.fullwidth, run_dir=run_dir):  # noqa: SLF001 - no public width
        reporter.write_line(line.text, **{line.style: True} if line.style else {})
