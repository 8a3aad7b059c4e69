"""The command ``draft-gold``: its options, and how it says how far it is."""

import argparse
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from clinhallu_gate.errors import EvaluationFailed
from clinhallu_gate.events import CallFailed, CallFinished, CallRetried, Event
from clinhallu_gate.gold.draft import DraftOptions, draft_gold
from clinhallu_gate.hosting.endpoint import API_KEY
from clinhallu_gate.pipeline.options import RunOptions

_EVERY_S: Final = 10.0


def run_draft(arguments: argparse.Namespace) -> str:
    """Draft as the command line says. Raises ``BadInput`` and ``EvaluationFailed``."""
    model = RunOptions(
        model=arguments.model,
        endpoints=tuple(arguments.endpoint),
        model_revision=arguments.model_revision,
        allow_hosts=tuple(arguments.allow_host),
        private_cache=arguments.private_cache,
        concurrency=arguments.concurrency,
        call_timeout_s=arguments.call_timeout,
        api_key=os.environ.get(API_KEY),
        root=Path.cwd(),
    )
    options = DraftOptions(
        model=model,
        out=arguments.out,
        limit=arguments.limit,
        with_images=arguments.with_images,
        emit=Progress(sys.stderr.write),
    )
    try:
        return draft_gold(arguments.manifest, options).text
    except KeyboardInterrupt:
        raise EvaluationFailed("stopped; the same command goes on from what was answered") from None


@dataclass(slots=True)
class Progress:
    """Writes a line now and then; it names no row."""

    write: Callable[[str], object]
    clock: Callable[[], float] = time.monotonic
    answered: int = 0
    failed: int = 0
    retried: int = 0
    _said: float | None = None

    def __call__(self, event: Event) -> None:
        """Count an event of the engine."""
        self.answered += isinstance(event, CallFinished)
        self.failed += isinstance(event, CallFailed)
        self.retried += isinstance(event, CallRetried)
        now = self.clock()
        self._said = now if self._said is None else self._said
        if now - self._said >= _EVERY_S:
            self._said = now
            self.write(f"drafting: {self.answered} replies, {self.failed} without one, {self.retried} retries\n")
