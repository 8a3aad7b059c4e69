"""One file that tells what was decided, on what, and that nothing of it was changed since."""

from clinhallu_gate.evidence.packing import Packed, pack
from clinhallu_gate.evidence.verifying import Verified, verify

__all__ = ["Packed", "Verified", "pack", "verify"]
