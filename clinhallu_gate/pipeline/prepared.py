"""A run that can start: what was found and checked, and what follows from it."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from clinhallu_gate.config.registry import ModelEntry
from clinhallu_gate.config.thresholds import (
    GateSpec,
    Thresholds,
)
from clinhallu_gate.datasets.frozen_list import Frozen
from clinhallu_gate.datasets.load import Dataset
from clinhallu_gate.datasets.period import Period
from clinhallu_gate.deidentification.findings import Preflight
from clinhallu_gate.gate.decide import Rules, count_blocking
from clinhallu_gate.gate.frame import Frame
from clinhallu_gate.gate.metrics import VerdictOf
from clinhallu_gate.hosting.identity import ModelIdentity
from clinhallu_gate.judge.labels import LabelFile
from clinhallu_gate.pipeline.asked import ORACLE, Asked
from clinhallu_gate.pipeline.options import RunOptions
from clinhallu_gate.pipeline.recorded import Recorded
from clinhallu_gate.private import private_folder
from clinhallu_gate.protocol.spec import Protocol
from clinhallu_gate.records import Instance
from clinhallu_gate.report.beside_public import Rates
from clinhallu_gate.report.gold import GoldCounts
from clinhallu_gate.scan.values import Accepted
from clinhallu_gate.vocabulary import Detail


@dataclass(frozen=True, slots=True)
class Prepared:
    """A run that can start: everything was found and checked, nothing was asked or written yet."""

    options: RunOptions
    model: Asked
    judge_model: Asked | None
    """None for the oracle, and for a result tree whose judgements have to do."""
    protocol: Protocol
    datasets: tuple[Dataset, ...]
    instances: Sequence[Instance]
    """What may be evaluated, after ``--limit``, in order of the data."""
    patient_data: bool
    """Whether any instance of the data is of a patient, also if ``--limit`` leaves it out."""
    thresholds: Thresholds
    gates: tuple[GateSpec, ...]
    frame: Frame
    labels: LabelFile | None
    """What people say of stages and answers."""
    recorded: Recorded | None
    """Results that were made elsewhere and are gated instead of a model."""
    baseline_of: VerdictOf | None
    """The verdicts of the release in use, if a baseline run was given."""
    run_dir: Path
    earlier: tuple[str, ...]
    """Runs of this very model on these very data that lie where they are kept by default."""
    gold: GoldCounts | None
    """Whose word the gold of the instances is; None for data that come with theirs."""
    preflight: Preflight | None
    """What patients' files tell of them; None without any, and where tests are only collected."""
    seed: str
    """Of what follows from the data alone: ``--limit``, and the probes of the judge."""
    public: Rates | None = None
    """The rates of the same model on public data, if a run of it was given."""
    period: Period | None = None
    """The days of the studies that were taken."""
    frozen: Frozen | None = None
    """The list of the instances that were taken."""
    accepted: tuple[Accepted, ...] = field(default=(), repr=False)
    """What of patients is no hit in one file that may be shared, as it is found there by chance."""

    @property
    def entry(self) -> ModelEntry:
        """The registry's entry of the examined model."""
        return self.model.entry

    @property
    def identity(self) -> ModelIdentity:
        """What decides the examined model's replies."""
        return self.model.identity

    @property
    def endpoints(self) -> tuple[str, ...]:
        """Base URLs of running servers of the model; empty if it is to be hosted."""
        return self.model.endpoints

    @property
    def judge(self) -> str:
        """The judge's name."""
        return _judge_name(self.options, self.judge_model, self.recorded)

    @property
    def by_oracle(self) -> bool:
        """Whether the oracle judges, or what a result tree leaves open."""
        return self.judge_model is None and (self.recorded is None or self.options.judge == ORACLE)

    @property
    def complete(self) -> bool:
        """Whether the instances are all of the data."""
        return self.options.limit is None

    @property
    def order_seed(self) -> str:
        """Seed of the order in which instances are visited: a function of data and weights, so that nobody chooses it.

        How the model is served does not enter, or one could serve it otherwise until an order suits.
        """
        who = self.identity
        model = f"{who.weights_sha256}:{who.source}:{who.revision}"
        return hashlib.sha256(f"{self.seed}:{model}".encode()).hexdigest()

    @property
    def early_stop(self) -> bool:
        """Whether evaluation ends when every gate is decided.

        Never of a part, nor of what is there already; and a review sheet is of a run that asked everything.
        """
        wanted = self.thresholds.early_stop and not self.options.no_early_stop
        reviewed = self.labels is not None and self.labels.sample is not None
        return wanted and self.complete and self.recorded is None and not reviewed

    @property
    def rules(self) -> Rules:
        """What holds for all gates of the run."""
        return Rules(
            alpha=self.thresholds.alpha,
            blocking_gates=count_blocking(self.gates),
            complete=self.complete,
            repeats=self.options.repeats,
            judge_defined=self.judge_model is not None or self.recorded is not None,
        )

    @property
    def unsampled(self) -> int:
        """How many strata of the data ``--limit`` left without an instance."""
        everything = Frame.of(instance for dataset in self.datasets for instance in dataset.instances)
        return sum(map(len, everything.strata.values())) - sum(map(len, self.frame.strata.values()))

    @property
    def detail(self) -> Detail:
        """How much of the data the run's documents show; by default all of public data, and no word of patients'."""
        if self.options.report_detail is not None:
            return Detail(self.options.report_detail)
        return Detail.REDACTED if self.patient_data else Detail.FULL

    @property
    def confidential(self) -> bool:
        """Whether texts and pixels lie apart, and neither terminal nor test reports nor summary may hold any."""
        return self.patient_data or self.detail is not Detail.FULL

    @property
    def kept_dir(self) -> Path:
        """Where the run keeps what holds texts and pixels: its own folder, or the private one beside it."""
        return private_folder(self.run_dir) if self.confidential else self.run_dir

    def store_of(self, asked: Asked) -> Path:
        """Return where a model's replies are kept: shared by runs if its identity lasts, else with the run's texts.

        What is said of patients stays there too.
        """
        if not asked.identity.lasting or self.patient_data:
            return self.kept_dir / "store.sqlite"
        return self.options.store or self.options.root / "reports" / "store.sqlite"


def _judge_name(options: RunOptions, judge: Asked | None, recorded: Recorded | None) -> str:
    """Return the judge's name: of a result tree its own, and whoever judges what it leaves open."""
    named = judge.entry.name if judge is not None else ORACLE
    if recorded is None:
        return named
    return f"{recorded.judge} + {named}" if judge is not None or options.judge == ORACLE else recorded.judge
