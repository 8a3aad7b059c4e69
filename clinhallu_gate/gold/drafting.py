"""Ask a local model for the drafts: through the engine and a store of their own, so that a killed draft goes on."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from clinhallu_gate.address import address
from clinhallu_gate.engine.core import Engine
from clinhallu_gate.engine.limiter import Limits
from clinhallu_gate.engine.retry import RetryPolicy
from clinhallu_gate.engine.window import each
from clinhallu_gate.errors import RequestRefused
from clinhallu_gate.events import Listener, ignore
from clinhallu_gate.gold.folder import LOG_FILE, STORE_FILE
from clinhallu_gate.gold.prompt import Draft, DraftPrompt
from clinhallu_gate.gold.rows import GoldRow
from clinhallu_gate.hosting.host import ModelHost
from clinhallu_gate.pipeline.asked import Asked
from clinhallu_gate.pipeline.asking import WINDOW, endpoints_of
from clinhallu_gate.records import Call, CallFailure, Completion, Reply
from clinhallu_gate.store.sqlite import SqliteStore

LONGEST_REPORT: Final = 20_000
"""Characters of a report that a model is asked about: ten times a long one."""
_HOPELESS: Final = 20
"""Requests that a server may refuse before it has taken one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """Who is asked, and how."""

    asked: Asked
    prompt: DraftPrompt
    folder: Path
    """Where store and log lie, for its owner alone."""
    concurrency: int | None = None
    timeout_s: float = 600.0
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    emit: Listener = ignore


def drafts_of(rows: Sequence[GoldRow], asking: Asking) -> dict[str, Draft]:
    """Return a draft of each row, or why there is none, by id.

    Raises:
        EvaluationFailed: The server cannot be started, died, or refuses everything, or the store cannot be written.
    """
    host = None
    if asking.asked.hosted:
        asked, log = asking.asked, asking.folder / LOG_FILE
        host = ModelHost(asked.entry, asked.identity, log_path=log, offline=asked.offline)
    try:
        return asyncio.run(_Drafting(asking, host).run(rows))
    finally:
        if host is not None:
            host.stop()


@dataclass(slots=True)
class _Drafting:
    asking: Asking
    host: ModelHost | None
    drafts: dict[str, Draft] = field(default_factory=dict)
    answered: bool = False
    refused: int = 0

    async def run(self, rows: Iterable[GoldRow]) -> dict[str, Draft]:
        asking, host = self.asking, self.host
        endpoints = endpoints_of(asking.asked, host, timeout_s=asking.timeout_s)
        with SqliteStore(asking.folder / STORE_FILE) as store:
            engine = Engine(
                endpoints,
                store,
                retry=asking.retry,
                limits=Limits.up_to(asking.concurrency) if asking.concurrency else Limits(),
                emit=asking.emit,
                alive=host.dead if host else lambda: None,
            )
            try:
                async with engine:
                    await each(rows, lambda row: self._draft(engine, row), window=WINDOW)
            finally:
                for endpoint in endpoints:
                    await endpoint.close()
        return self.drafts

    async def _draft(self, engine: Engine, row: GoldRow) -> None:
        self.drafts[row.instance.id] = self._trouble(row) or await self._ask(engine, row)

    @staticmethod
    def _trouble(row: GoldRow) -> Draft | None:
        """Return why a row cannot be asked about."""
        report = row.report
        if report.trouble:
            return Draft(None, report.trouble)
        if len(report.text) > LONGEST_REPORT:
            long = f"the report has {len(report.text):,} characters. Valid: at most {LONGEST_REPORT:,}"
            return Draft(None, long)
        return None

    async def _ask(self, engine: Engine, row: GoldRow) -> Draft:
        try:
            reply = await engine.ask(self._call(row))
        except RequestRefused as error:
            self.refused += 1
            if not self.answered and self.refused >= _HOPELESS:
                raise
            return Draft(None, f"the server refused the request (HTTP {error.status}); its report may be too long")
        return self._read(row, reply)

    def _read(self, row: GoldRow, reply: Reply) -> Draft:
        if isinstance(reply, CallFailure):
            return Draft(None, _no_reply(reply), lost=True)
        self.answered = True
        return self.asking.prompt.read(row.instance, reply)

    def _call(self, row: GoldRow) -> Call:
        """Return the call; a reply that cannot be read is not kept, so that the next draft asks again."""
        asked, prompt = self.asking.asked, self.asking.prompt
        kwargs: Mapping[str, object] = asked.entry.chat_template_kwargs
        request = prompt.request(row.instance, row.report.text, dict(kwargs))
        key = address(f"{asked.identity.digest}:{prompt.sha256}", request)

        def usable(reply: Completion) -> bool:
            return prompt.read(row.instance, reply).gold is not None

        return Call(key, f"row {row.number}", key, request, usable)


def _no_reply(failure: CallFailure) -> str:
    """Say in our own words why there was no reply: a server's may repeat the report."""
    status = failure.attempts[-1].status if failure.attempts else None
    return f"the server gave no reply ({f'HTTP {status}' if status else 'no connection, or not in time'})"
