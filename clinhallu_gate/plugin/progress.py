"""Say how far the evaluation is: a line that renews itself on a terminal, a line now and then in a log."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import pytest

from clinhallu_gate.events import CallFailed, CallFinished, CallRetried, ConcurrencyChanged, Event

_TERMINAL_S: Final = 0.5
_LOG_S: Final = 10.0


class Progress:
    """Listens to the engine and writes; one call is one trace."""

    def __init__(
        self, write: Callable[[str], None], *, renews: bool, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._write = write
        self._renews = renews
        self._clock = clock
        self._total = self._done = self._asked = self._failed = self._retried = 0
        self._limit: int | None = None
        self._started = self._said = 0.0

    @classmethod
    def of(cls, config: pytest.Config) -> "Progress":
        """Write to pytest's terminal; to nothing with ``-q`` or without one."""
        reporter = config.pluginmanager.getplugin("terminalreporter")
        if reporter is None or config.option.verbose < 0:
            return cls(lambda _: None, renews=False)
        renews = bool(reporter.isatty)

        def write(text: str) -> None:
            reporter.write(f"\r{text}\x1b[K" if renews else f"{text}\n", flush=True)

        return cls(write, renews=renews)

    @contextmanager
    def of_traces(self, total: int) -> Iterator[None]:
        """Report on ``total`` traces, from now until the end of the block."""
        self._total = total
        self._started = self._said = self._clock()
        self._write(f"evaluating: {total} traces")
        try:
            yield
        finally:
            self._write(self._line() + ("\n" if self._renews else ""))

    def heard(self, event: Event) -> None:
        """Take an event of the engine."""
        if isinstance(event, CallFinished):
            self._done += 1
            self._asked += not event.from_store
        elif isinstance(event, CallFailed):
            self._done += 1
            self._failed += 1
        elif isinstance(event, CallRetried):
            self._retried += 1
        elif isinstance(event, ConcurrencyChanged):
            self._limit = event.limit
        if self._clock() - self._said >= (_TERMINAL_S if self._renews else _LOG_S):
            self._said = self._clock()
            self._write(self._line())

    def _line(self) -> str:
        elapsed = max(self._clock() - self._started, 1e-9)
        parts = [f"evaluating: {self._done} of {self._total} traces", f"{self._asked} asked of the model"]
        if self._asked:
            parts.append(f"{self._asked / elapsed:.1f}/s")
        left = self._total - self._done
        if self._asked and left > 0:
            parts.append(f"about {left * elapsed / max(self._done, 1):.0f} s left")
        if self._failed or self._retried:
            parts.append(f"{self._failed} failed, {self._retried} retries")
        if self._limit is not None:
            parts.append(f"{self._limit} in flight at most")
        return ", ".join(parts)
