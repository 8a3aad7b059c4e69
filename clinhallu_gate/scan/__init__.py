"""The known-value scan: who patients are, searched in everything that may be shared."""

from clinhallu_gate.scan.found import UNSEARCHED, Hit, ScanResult
from clinhallu_gate.scan.search import Search
from clinhallu_gate.scan.values import KnownValues, known_values

__all__ = ["UNSEARCHED", "Hit", "KnownValues", "ScanResult", "Search", "known_values"]
