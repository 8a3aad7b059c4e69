"""One run: evaluate what is planned, decide its gates, write its folder."""

import asyncio
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from clinhallu_gate.config.thresholds import MEAN, GateSpec
from clinhallu_gate.errors import BadInput, EvaluationFailed, GateError
from clinhallu_gate.events import CallFailed, CallFinished, CallRetried, Event, InstanceBegan, Listener
from clinhallu_gate.gate.decide import decide_all
from clinhallu_gate.gate.labelled import Reviews
from clinhallu_gate.gate.release import EXIT_NO_DECISION, EXIT_NOT_COMPLETED, EXIT_PASS, Release, release
from clinhallu_gate.gate.result import GateResult, gate_result
from clinhallu_gate.gate.watch import Watch
from clinhallu_gate.hosting.host import ModelHost
from clinhallu_gate.judge.examination import Examination
from clinhallu_gate.judge.review import NoSample, Review, ReviewSample, review_samples, review_seed
from clinhallu_gate.pipeline.asked import Asked
from clinhallu_gate.pipeline.baseline import baseline_texts
from clinhallu_gate.pipeline.hosts import Hosts, Listeners
from clinhallu_gate.pipeline.plan import Plan
from clinhallu_gate.pipeline.prepared import Prepared
from clinhallu_gate.pipeline.stopping import Stopping, asked_of
from clinhallu_gate.planning.certify import Capability, capability
from clinhallu_gate.records import Reading
from clinhallu_gate.redaction import redacted
from clinhallu_gate.report.decision import Stopped
from clinhallu_gate.report.pictures import ASSETS, PICTURES, Pictures
from clinhallu_gate.results import Results
from clinhallu_gate.scan import Findings, KnownValues, ScanResult
from clinhallu_gate.shelf import Shelf
from clinhallu_gate.unquoted import place_of
from clinhallu_gate.vocabulary import Decision, Detail

FAILURE_FILE: Final = "failure.txt"
"""In the private folder: why a run was not completed, with what was said by others."""


@dataclass(slots=True)
class Tally:
    """What a run's calls came to."""

    made: int = 0
    from_store: int = 0
    failed: int = 0
    retried: int = 0

    def add(self, event: Event) -> None:
        """Count an event of the engine."""
        if isinstance(event, CallFinished):
            self.from_store += event.from_store
            self.made += not event.from_store
        elif isinstance(event, CallFailed):
            self.failed += 1
        elif isinstance(event, CallRetried):
            self.retried += 1


@dataclass(slots=True)
class Run:
    """A prepared run with what it has found so far."""

    prepared: Prepared
    results: Results = field(init=False)
    tally: Tally = field(default_factory=Tally)
    """Of the calls to the model."""
    judge_tally: Tally = field(default_factory=Tally)
    hosts: Hosts = field(init=False)
    pictures: Pictures = field(init=False)
    """Of the instances that are asked, for the report."""
    examination: Examination | None = None
    """Of the judge; None if no gate is decided on its verdicts."""
    stopping: Stopping | None = None
    """What watches the gates, if evaluation may end early."""
    skipped: int = 0
    """Verdicts that were not needed."""
    reviews: Mapping[Reading, Review] = field(default_factory=dict)
    """By reading, the random sample of this run that people labelled, or why their labels are none."""
    capability: Capability | None = field(init=False)
    """What its patients can show, as was known before anything was asked; None of data without any."""
    selected: tuple[GateSpec, ...] = ()
    gates: tuple[GateResult, ...] = ()
    failure: str = ""
    """Why the evaluation could not be completed; empty if it was. Of confidential data it quotes nobody."""
    failure_in_full: str = ""
    known: KnownValues | None = None
    """What is searched in whatever may be shared; of other data than patients' None."""
    scanned: ScanResult | None = None
    """What a search for patients' names and ids in the run's documents came to; None before it, and of other data."""
    findings: Findings = field(default_factory=Findings)
    """What was hit, for the site alone."""
    started: str = ""
    finished: str = ""
    _without_texts: Results | None = None

    def __post_init__(self) -> None:
        recorded = self.prepared.recorded
        self.results = (
            recorded.results
            if recorded is not None
            else Results(self.prepared.instances, Shelf(self.prepared.kept_dir))
        )
        self.hosts = hosts_of(self.prepared)
        self.capability = capability_of(self.prepared)
        self.pictures = Pictures(self.prepared.run_dir / ASSETS / PICTURES, for_owner_alone=self.prepared.patient_data)

    # --- evaluate --------------------------------------------------------------------------------------------------

    def evaluate(self, plan: Plan, gates: Sequence[GateSpec], *, examine: bool, emit: Callable[[Event], None]) -> None:
        """Seek every reading of ``plan`` and decide ``gates``.

        With ``examine`` the judge has to show first that it may judge.

        What made the evaluation impossible is kept as ``failure``; what it had found by then stays in the store.
        """
        self.selected = tuple(gates)
        self.started = utc_now()
        from clinhallu_gate.pipeline.asking import Asking  # noqa: PLC0415 - a session that asks nothing needs no aiohttp

        tell = Listeners(_each(self.tally.add, self._draw, emit), _each(self.judge_tally.add, emit))
        self.stopping = self._stopping() if gates and self.prepared.early_stop else None
        if self.prepared.recorded is not None and self.prepared.detail is Detail.FULL:
            self.pictures.begin(image for instance in self.prepared.instances for image in instance.images)
        asking = Asking(plan, self.prepared, self.results, hosts=self.hosts, tell=tell, stopping=self.stopping)
        try:
            asyncio.run(asking.run(self._examined, examine=examine))
            if self.stopping is not None:
                self.skipped = self.stopping.note_skipped(self.results, plan.readings)
            self._hold_against_baseline()
            self.gates = self._decide()
        except EvaluationFailed as error:
            self._fail(error)
        except BaseExceptionGroup as group:
            causes, others = group.split(EvaluationFailed)
            if causes is not None and others is None:
                self._fail(_first(causes))
            elif self.prepared.confidential and isinstance(group, Exception):
                self._fail(_internal(group))
            else:
                raise
        except Exception as error:
            if not self.prepared.confidential or isinstance(error, GateError):
                raise
            self._fail(_internal(error))
        self.finished = utc_now()

    def _examined(self, examination: Examination) -> None:
        self.examination = examination

    def _draw(self, event: Event) -> None:
        """Draw the images of an instance for the report while its traces are written."""
        if isinstance(event, InstanceBegan) and self.prepared.detail is Detail.FULL:
            self.pictures.begin(event.instance.images)

    # --- decide ----------------------------------------------------------------------------------------------------

    def _hold_against_baseline(self) -> None:
        """Put beside each verdict what the release in use came to, and beside each text what it wrote."""
        baseline_of, folder = self.prepared.baseline_of, self.prepared.options.baseline
        if baseline_of is None or folder is None:
            return
        texts = baseline_texts(folder, private=self.prepared.confidential)
        for uid, found in self.results.found.items():
            found.baseline = {reading: baseline_of(uid, reading) for reading in found.verdicts}
            found.baseline_texts = texts.get(uid, {})

    def _stopping(self) -> Stopping:
        prepared = self.prepared
        order = prepared.frame.drawn(prepared.order_seed, prepared.thresholds.unit)
        watches = [
            Watch(spec, prepared.frame, order, self.results.bare_verdict, prepared.baseline_of, prepared.rules)
            for spec in self.selected
        ]
        return Stopping(tuple(watches), order, prepared.frame.uids, prepared.options.repeats)

    def _reviewed(self) -> Reviews:
        """Return what people say of a random sample of this run."""
        prepared = self.prepared
        if prepared.labels is None:
            return {}
        digests = [dataset.sha256 for dataset in prepared.datasets]
        seed = review_seed(digests, prepared.model.digest or prepared.entry.name)
        self.reviews = review_samples(prepared.labels, self.results, seed)
        lacking = [found.reason for found in self.reviews.values() if isinstance(found, NoSample)]
        if lacking and prepared.labels.sample is not None:  # or who does not like a label would only delete its row
            raise BadInput(f"--labels: {prepared.options.labels}: is no sheet of this run any more: {lacking[0]}.")
        samples = {reading: found for reading, found in self.reviews.items() if isinstance(found, ReviewSample)}
        return {reading: {**found.bad, **dict.fromkeys(found.without_gold)} for reading, found in samples.items()}

    def _decide(self) -> tuple[GateResult, ...]:
        reviews = self._reviewed()
        if self.stopping is not None:
            return self.stopping.settle()
        decided = decide_all(
            self.selected,
            self.prepared.frame,
            self.results.bare_verdict,
            self.prepared.rules,
            baseline_of=self.prepared.baseline_of,
            reviews=reviews,
        )
        return tuple(map(self._lacking_strata, decided)) if self.prepared.unsampled else decided

    def _lacking_strata(self, gate: GateResult) -> GateResult:
        """Leave a mean open if ``--limit`` left strata out of it: it would be the mean of something else."""
        if gate.scope != MEAN or gate.decision in (None, Decision.NOT_APPLICABLE):
            return gate
        reason = f"{self.prepared.unsampled} strata have no instance under --limit, so this is not the mean over all"
        return gate.model_copy(update={"decision": Decision.INCONCLUSIVE, "reason": f"{gate.reason}; {reason}"})

    def _fail(self, error: EvaluationFailed) -> None:
        self.failure = self.failure_in_full = str(error)
        if self.prepared.confidential and error.message != self.failure:
            where = self.prepared.options.short(self.prepared.kept_dir / FAILURE_FILE)
            self.failure = f"{error.message} (what was said of it is in {where})"
        reason = f"the evaluation was not completed: {self.failure}"
        self.gates = tuple(gate_result(spec, None, reason) for spec in self.selected)

    def withhold(self, found: ScanResult, where: str) -> None:
        """Take the decision back: a file that may be shared holds something of a patient.

        ``where`` ends the sentence, as ``keep_findings`` returns it.
        """
        said = f"known-value scan: {found.sentence}; do not hand it on{where}"
        other = self.failure if self.scanned is None or not self.scanned.hits else ""  # else it is this one, shorter
        self.scanned = found
        self.failure = self.failure_in_full = f"{other}; {said}" if other else said
        self.gates = tuple(gate_result(spec, None, self.failure) for spec in self.selected)

    @property
    def stopped(self) -> Stopped | None:
        """How early evaluation ended; None where it could not."""
        if self.stopping is None:
            return None
        asked = asked_of(self.results)
        return Stopped(seed=self.prepared.order_seed, asked=asked, of=self.stopping.planned)

    @property
    def told(self) -> Results:
        """What was found as the run's documents may show it."""
        return self.results if self.prepared.detail is Detail.FULL else self._redacted()

    @property
    def shown(self) -> Results:
        """What was found as terminal, test reports and summary may show it."""
        return self._redacted() if self.prepared.confidential else self.results

    def _redacted(self) -> Results:
        """Return the results without a text, made once, as nothing is found after an evaluation."""
        if not self.finished:
            return redacted(self.results)
        self._without_texts = self._without_texts or redacted(self.results)
        return self._without_texts

    @property
    def release(self) -> Release:
        """The overall decision of the run."""
        if self.failure:
            return Release(None, EXIT_NOT_COMPLETED, self.failure)
        decided = release(self.prepared.gates, self.gates)
        if self.prepared.options.no_decision and decided.exit_status != EXIT_NOT_COMPLETED:
            return Release(None, EXIT_PASS, "an exploratory run (--no-decision): no gate decides")
        if self.prepared.options.limit is not None and decided.decision is Decision.PASS:
            return Release(None, EXIT_NO_DECISION, "no release decision: --limit evaluates a part of the instances")
        return decided

    def stop(self) -> None:
        """Stop what the run hosts, and what draws its pictures."""
        self.hosts.stop()
        self.pictures.close()


def capability_of(prepared: Prepared) -> Capability | None:
    """Return what the patients of a run can show; None of data without any."""
    if not prepared.patient_data:
        return None
    return capability(
        prepared.gates,
        prepared.instances,
        alpha=prepared.rules.alpha,
        baseline=prepared.baseline_of is not None,
        arms=prepared.protocol.arms,
        by_bets=prepared.early_stop,
    )


def hosts_of(prepared: Prepared) -> Hosts:
    """Return what hosts model and judge, nothing started yet."""
    return Hosts(
        _host_of(prepared.model, prepared.kept_dir / "server.log"),
        _host_of(prepared.judge_model, prepared.kept_dir / "judge-server.log"),
    )


def _host_of(asked: Asked | None, log_path: Path) -> ModelHost | None:
    if asked is None or not asked.hosted:
        return None
    return ModelHost(asked.entry, asked.identity, log_path=log_path, offline=asked.offline)


def _each(*listeners: Listener) -> Listener:
    def told(event: Event) -> None:
        for listener in listeners:
            listener(event)

    return told


def _internal(error: Exception) -> EvaluationFailed:
    """Return a fault of ours as a failure that quotes nobody: an error's own words may be a patient's."""
    return EvaluationFailed(f"internal error: {place_of(error)}", "".join(traceback.format_exception(error)))


def _first(group: BaseExceptionGroup[EvaluationFailed]) -> EvaluationFailed:
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first


def utc_now() -> str:
    """Return the time as the run folder writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
