"""What a gated test is given: a verdict or a gate of the run, looked up when the test runs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from clinhallu_gate.config.thresholds import GateSpec
from clinhallu_gate.gate.result import GateResult
from clinhallu_gate.plugin.view import RunView
from clinhallu_gate.records import Failed, Judged, NotAsked, Reading, Unjudged, Verdict
from clinhallu_gate.vocabulary import Decision


class GateNotPassed(pytest.fail.Exception):  # type: ignore[name-defined,misc]  # pytest types it as Any
    """A gate's test fails because its gate did not pass: the release decision speaks for it already."""

    __module__ = "builtins"  # as pytest's own, so that its summary shows the bare name


#: Gives the results of the run; set up when the test is collected, called when it runs.
Lookup = Callable[[], RunView]


@dataclass(frozen=True, slots=True)
class VerdictHandle:
    """A verdict on one reading of one instance."""

    uid: str
    reading: Reading
    lookup: Lookup
    strict: bool

    @property
    def value(self) -> Verdict:
        """The verdict itself: judged, failed, unjudged or not asked."""
        return self.lookup().verdict(self.uid, self.reading)

    def check(self) -> None:
        """Pass if the part is grounded or correct.

        A part that is not counts against the gate's budget and is an expected failure here (a failure with
        ``--strict-instances``); what was not judged or not asked is skipped.
        """
        verdict = self.value
        if isinstance(verdict, NotAsked | Unjudged):
            word = "not asked" if isinstance(verdict, NotAsked) else "unjudged"
            pytest.skip(f"{word}: {verdict.reason}{_detail(verdict.detail)}")
        if isinstance(verdict, Failed):
            self._count_against(f"failed: {verdict.reason}{_detail(verdict.detail)}")
        elif isinstance(verdict, Judged) and verdict.bad:
            self._count_against(f"{verdict.outcome}: {verdict.reason}")

    def _count_against(self, why: str) -> None:
        outcome: Any = pytest.fail.Exception if self.strict else pytest.xfail.Exception
        raise outcome(why, pytrace=False)


@dataclass(frozen=True, slots=True)
class GateHandle:
    """A gate of the thresholds file, decided."""

    spec: GateSpec
    lookup: Lookup

    @property
    def result(self) -> GateResult:
        """Estimate, interval, decision and reason."""
        return self.lookup().gate(self.spec.id)

    @property
    def decision(self) -> Decision | None:
        """PASS, FAIL or INCONCLUSIVE; skips the test where the gate does not apply or none is wanted."""
        result = self.result
        if self.lookup().exploratory:
            pytest.skip(f"exploratory run, no gate decides: {result.reason}")
        if result.decision is Decision.NOT_APPLICABLE:
            pytest.skip(f"not applicable: {result.reason}")
        return result.decision

    def check(self) -> None:
        """Pass if the gate is decided PASS, or is advisory; else fail with its reason."""
        decision = self.decision
        if decision is Decision.PASS:
            return
        says = f"{self.spec.id} {decision or 'not completed'}: {self.result.reason}"
        if not self.spec.blocking:
            pytest.xfail(f"advisory: {says}")
        raise GateNotPassed(says, pytrace=False)


def _detail(detail: str) -> str:
    return f" ({detail})" if detail else ""
