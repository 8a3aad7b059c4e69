"""What a gated test is given: a verdict or a gate of the run, looked up when the test runs."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import pytest

from clinhallu_gate.config.thresholds import GateSpec
from clinhallu_gate.gate.result import GateResult
from clinhallu_gate.judge.examination import Examination
from clinhallu_gate.judge.rates import Rate
from clinhallu_gate.plugin.view import RunView
from clinhallu_gate.records import Failed, Judged, NotAsked, Reading, Unjudged, Verdict
from clinhallu_gate.vocabulary import Decision, Stage


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
            self._count_against(f"{verdict.outcome}: {verdict.reason}" if verdict.reason else str(verdict.outcome))

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


class Measure(StrEnum):
    """What a judge is examined for in each stage."""

    SENSITIVITY = "sensitivity"
    SPECIFICITY = "specificity"


@dataclass(frozen=True, slots=True)
class JudgeHandle:
    """What the examination of the judge says of one stage."""

    stage: Stage
    measure: Measure
    lookup: Lookup

    @property
    def examination(self) -> Examination:
        """The examination of the judge; skips the test where there was none."""
        found = self.lookup().examination
        if found is None:
            pytest.skip("the judge was not examined: no gate is decided on its verdicts, or it judged elsewhere")
        return found

    @property
    def rate(self) -> Rate:
        """How often the judge was right; skips the test where the data have no gold for the stage."""
        stage = next(found for found in self.examination.stages if found.stage is self.stage)
        if not stage.examined:
            pytest.skip(f"not examined: no instance has a gold {self.stage}")
        return stage.sensitivity if self.measure is Measure.SENSITIVITY else stage.specificity

    def check(self) -> None:
        """Pass if the lower limit reaches the minimum of the thresholds file."""
        rate, examination = self.rate, self.examination
        sensitivity = self.measure is Measure.SENSITIVITY
        least = examination.min_sensitivity if sensitivity else examination.min_specificity
        if rate.lower < least:
            pytest.fail(
                f"{self.stage}: {self.measure}: lower limit {rate.lower:.2f}, at least {least:.2f} wanted",
                pytrace=False,
            )


def _detail(detail: str) -> str:
    return f" ({detail})" if detail else ""
