"""Say how far the evaluation is: a line that renews itself on a terminal, a line now and then in a log."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import pytest

from clinhallu_gate.events import (
    CallFailed,
    CallFinished,
    CallRetried,
    ConcurrencyChanged,
    Event,
    GatesDecided,
    PhaseBegan,
)

_TERMINAL_S: Final = 0.5
_LOG_S: Final = 10.0
#: Replies of the model before a rate is told: the first one waits for the server to start.
_ENOUGH: Final = 20


def teller(config: pytest.Config) -> Callable[[str], None]:
    """Return what writes a line to pytest's terminal, where it renews itself; nothing with ``-q`` or without one."""
    reporter = config.pluginmanager.getplugin("terminalreporter")
    if reporter is None or config.option.verbose < 0:
        return lambda _: None
    renews = bool(reporter.isatty)

    def write(text: str) -> None:
        reporter.write(f"\r{text}\x1b[K" if renews else f"{text}\n", flush=True)

    return write


class Progress:
    """Listens to the evaluation and writes; one call is one trace, or one judgement."""

    def __init__(
        self, write: Callable[[str], None], *, renews: bool, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._write = write
        self._renews = renews
        self._clock = clock
        self._total = self._done = self._asked = self._failed = self._retried = 0
        self._limit: int | None = None
        self._gates: GatesDecided | None = None
        self._said = self._first = 0.0
        self._phase = ""

    @classmethod
    def of(cls, config: pytest.Config) -> "Progress":
        """Write to pytest's terminal; to nothing with ``-q`` or without one."""
        reporter = config.pluginmanager.getplugin("terminalreporter")
        return cls(teller(config), renews=reporter is not None and bool(reporter.isatty))

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Report until the end of the block."""
        try:
            yield
        finally:
            self._end()

    def _end(self) -> None:
        if self._phase:
            self._write(self._line() + ("\n" if self._renews else ""))

    def _begin(self, phase: PhaseBegan) -> None:
        self._end()
        self._phase, self._total = phase.name, phase.total
        self._done = self._asked = self._failed = self._retried = 0
        self._limit = None
        self._said = self._clock()
        self._write(f"evaluating: {self._total} {self._phase}")

    def heard(self, event: Event) -> None:
        """Take an event of the evaluation."""
        if isinstance(event, PhaseBegan):
            self._begin(event)
            return
        if isinstance(event, CallFinished):
            self._done += 1
            if not event.from_store:
                self._asked += 1
                self._first = self._clock() if self._asked == 1 else self._first
        elif isinstance(event, CallFailed):
            self._done += 1
            self._failed += 1
        elif isinstance(event, CallRetried):
            self._retried += 1
        elif isinstance(event, ConcurrencyChanged):
            self._limit = event.limit
        elif isinstance(event, GatesDecided):
            self._gates = event
        if self._clock() - self._said >= (_TERMINAL_S if self._renews else _LOG_S):
            self._said = self._clock()
            self._write(self._line())

    def _line(self) -> str:
        total = f"{self._total}" if self._gates is None else f"at most {self._total}"
        parts = [f"evaluating: {self._done} of {total} {self._phase}", f"{self._asked} asked of the model"]
        elapsed = self._clock() - self._first
        if self._asked >= _ENOUGH and elapsed > 0:
            rate = (self._asked - 1) / elapsed
            parts.append(f"{rate:.1f}/s")
            if left := self._total - self._done:
                parts.append(f"about {left / rate:.0f} s left")
        if self._gates is not None:
            parts.append(f"{self._gates.decided} of {self._gates.gates} gates decided")
        if self._failed or self._retried:
            parts.append(f"{self._failed} failed, {self._retried} retries")
        if self._limit is not None:
            parts.append(f"{self._limit} in flight at most")
        return ", ".join(parts)
