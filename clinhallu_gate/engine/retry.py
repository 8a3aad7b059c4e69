"""When to try again, and after how long."""

from dataclasses import dataclass
from zlib import crc32

from clinhallu_gate.ports import TransportFault
from clinhallu_gate.records import Call


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential backoff, bounded by a number of attempts and by time.

    The defaults wait up to about a minute in all between eight attempts, which outlasts a server's restart, and start
    no attempt later than ``patience_s`` after the first, so that a server that hangs costs two or three timeouts.
    """

    attempts: int = 8
    base_s: float = 0.5
    cap_s: float = 30.0
    patience_s: float = 900.0

    def wait_s(self, call: Call, fault: TransportFault, *, attempt: int, spent_s: float) -> float | None:
        """Return how long to wait after the failed ``attempt`` (the first is 1), or None to give the call up.

        A ``Retry-After`` is honoured: never less is waited, and a call is given up if it asks for more than is left
        of the patience.
        """
        if not fault.retryable or attempt >= self.attempts:
            return None
        wait = self._backoff_s(call, attempt)
        if fault.retry_after_s is not None:
            wait = max(wait, fault.retry_after_s)
        return wait if spent_s + wait <= self.patience_s else None

    def _backoff_s(self, call: Call, attempt: int) -> float:
        """Return half to all of the exponential step; which, the call and the attempt decide, so runs repeat."""
        share = crc32(f"{call.key}:{attempt}".encode()) / 2**32
        step: float = min(self.cap_s, self.base_s * 2 ** (attempt - 1))
        return step * (0.5 + 0.5 * share)
