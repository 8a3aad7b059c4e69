"""The known-value scan: who patients are, searched in everything that may be shared."""

from clinhallu_gate.scan.found import UNSEARCHED, Finding, Findings, Hit, ScanResult, Searched
from clinhallu_gate.scan.search import Search
from clinhallu_gate.scan.values import KnownValues, known_values

__all__ = [
    "UNSEARCHED",
    "Finding",
    "Findings",
    "Hit",
    "KnownValues",
    "ScanResult",
    "Search",
    "Searched",
    "known_values",
]
