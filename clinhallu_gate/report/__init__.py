"""What a run leaves behind for people and programs: decision, page, summary, and the lines of the terminal."""

from clinhallu_gate.report.context import DataSource, RunContext
from clinhallu_gate.report.decision import DatasetDigest, DecisionDocument, FileDigest, NamedDigest
from clinhallu_gate.report.html import render_html
from clinhallu_gate.report.summary import summary_markdown
from clinhallu_gate.report.terminal import TerminalLine, terminal_lines
from clinhallu_gate.report.view import ReportView, report_view

__all__ = [
    "DataSource",
    "DatasetDigest",
    "DecisionDocument",
    "FileDigest",
    "NamedDigest",
    "ReportView",
    "RunContext",
    "TerminalLine",
    "render_html",
    "report_view",
    "summary_markdown",
    "terminal_lines",
]
