"""Look at everything a run needs before anything is asked: model, data, protocol, thresholds, folder."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from clinhallu_gate.config.registry import ModelEntry
from clinhallu_gate.config.thresholds import (
    GateSpec,
    Thresholds,
    demand_baseline,
    demand_tags,
    expand,
    load_thresholds,
    named_groups,
)
from clinhallu_gate.datasets.dataset import MAX_IMAGES
from clinhallu_gate.datasets.frozen_list import Frozen, read_frozen
from clinhallu_gate.datasets.load import NAMES, DataOptions, Dataset, load_data, nothing
from clinhallu_gate.datasets.period import Period
from clinhallu_gate.deidentification.findings import Depth, Preflight
from clinhallu_gate.egress import allowed_host
from clinhallu_gate.errors import BadInput, not_one_of
from clinhallu_gate.gate.decide import Rules, count_blocking
from clinhallu_gate.gate.frame import Frame
from clinhallu_gate.gate.metrics import VerdictOf
from clinhallu_gate.hosting.identity import ModelIdentity, endpoint_identity
from clinhallu_gate.judge.labels import LabelFile, load_label_file
from clinhallu_gate.judge.oracle import phantom_of
from clinhallu_gate.pipeline.asked import ORACLE, Asked, asked_judge, asked_model, entry_of, known_entry
from clinhallu_gate.pipeline.baseline import JudgedBy, baseline_verdicts, check_baseline
from clinhallu_gate.pipeline.earlier import earlier_runs
from clinhallu_gate.pipeline.looking import look_at_files
from clinhallu_gate.pipeline.options import RunOptions
from clinhallu_gate.pipeline.public import public_rates
from clinhallu_gate.pipeline.recorded import Recorded, lay_over, recorded_data, recorded_model
from clinhallu_gate.private import demand_private, private_folder
from clinhallu_gate.protocol.load import load_protocol
from clinhallu_gate.protocol.spec import Protocol
from clinhallu_gate.pseudonym import site_key
from clinhallu_gate.records import Instance
from clinhallu_gate.report.beside_public import Rates
from clinhallu_gate.vocabulary import Detail

DEFAULT_THRESHOLDS: Final = "thresholds/default.yaml"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A run that can start: everything was found and checked, nothing was asked or written yet."""

    options: RunOptions
    model: Asked
    judge_model: Asked | None
    """None for the oracle, and for a result tree whose judgements have to do."""
    protocol: Protocol
    datasets: tuple[Dataset, ...]
    instances: tuple[Instance, ...]
    """What may be evaluated, after ``--limit``, in order of the data."""
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
    def patient_data(self) -> bool:
        """Whether any instance of the data is of a patient, also if ``--limit`` leaves it out."""
        return any(instance.phi for dataset in self.datasets for instance in dataset.instances)

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


def prepare(options: RunOptions, *, look_only: bool = False, tell: Callable[[str], None] = nothing) -> Prepared:
    """Look at everything. Raises ``BadInput``: one line on what cannot be used.

    Data are loaded first: no server and no hub is asked anything before it is known whether they are of patients.
    With ``look_only`` (to collect tests and run none) no server and no hub is asked who the model is.
    ``tell`` hears how far a long fetch of data is.
    """
    _check_words(options)
    _check_numbers(options)
    protocol = load_protocol(options.protocol, options.prompt_pack)
    model = _recorded_model(options) if options.from_results else None
    entry = model.entry if model is not None else known_entry(options)
    if entry is None:  # its server alone knows what it is
        model = asked_model(options, look_only=look_only, patients=False)
        entry = model.entry
    thresholds = _thresholds(options, entry)
    run_dir = options.run_dir or _run_dir(options.root, entry.name)
    period, frozen = _chosen(options)
    private_cache = _private_cache(options, run_dir)
    datasets = load_data(
        options.data or _data_of(options, entry) or _no_data(),
        DataOptions(
            _data_root(options),
            options.allow_bad_rows,
            period=period,
            frozen=frozen,
            private_cache=private_cache,
            allow_hosts=options.allow_hosts,
            tell=tell,
            named=named_groups(thresholds),
            max_images=entry.max_images or MAX_IMAGES,
            allow_unsigned_gold=options.allow_unsigned_gold,
        ),
    )
    everything = [instance for dataset in datasets for instance in dataset.instances]
    patients = any(instance.phi for instance in everything)
    if options.from_results and patients:
        raise BadInput("--from-results: not possible with patient data (phi), whose ids are pseudonyms here.")
    model = model or asked_model(options, look_only=look_only, patients=patients)
    judge = _judge(options, entry, look_only=look_only, patients=patients)
    _demand_prompts(protocol, model, judge)
    seed = hashlib.sha256(":".join(sorted(dataset.sha256 for dataset in datasets)).encode()).hexdigest()
    demand_tags(thresholds, (tag for instance in everything for tag in instance.tags))
    instances = _limited(everything, options.limit, seed)
    tree = options.from_results
    prepared = Prepared(
        options=options,
        model=model,
        judge_model=judge,
        protocol=protocol,
        datasets=datasets,
        instances=instances,
        thresholds=thresholds,
        gates=expand(thresholds, Frame.of(everything).strata),
        frame=Frame.of(instances),
        labels=load_label_file(options.labels, everything) if options.labels else None,
        recorded=lay_over(tree, entry.name, datasets, instances) if tree else None,
        baseline_of=None,
        run_dir=run_dir,
        earlier=earlier_runs(_runs_of(options.root, entry.name), model_sha256=model.digest, datasets=datasets),
        preflight=look_at_files(options, datasets, private_cache) if patients and not look_only else None,
        seed=seed,
        period=period,
        frozen=frozen,
    )
    if options.baseline:
        by = JudgedBy(prepared.judge, judge.digest if judge else None)
        check_baseline(options.baseline, protocol=protocol, datasets=datasets, judge=by, repeats=options.repeats)
        prepared = replace(prepared, baseline_of=baseline_verdicts(options.baseline))
    if options.public_run:
        prepared = replace(prepared, public=_public(options.public_run, prepared))
    if prepared.by_oracle:
        for instance in everything:
            phantom_of(instance)
    return prepared


def _private_cache(options: RunOptions, run_dir: Path) -> Path:
    """Return where patients' images and fetched studies are kept. Raises ``BadInput`` if others could see them."""
    if options.private_cache is None:
        return private_folder(run_dir)
    demand_private(options.private_cache, run_dir)
    return options.private_cache


def _thresholds(options: RunOptions, entry: ModelEntry) -> Thresholds:
    """Return the policy of the run. Raises ``BadInput`` if the other options do not fit it."""
    thresholds = load_thresholds(_thresholds_file(options, entry))
    demand_baseline(thresholds, given=options.baseline is not None)
    if options.baseline is not None and options.limit is not None:
        raise BadInput("--limit: not possible beside --baseline, as the two runs would hold different instances.")
    return thresholds


def _public(run: Path, prepared: Prepared) -> Rates:
    """Return the rates of a run on public data. Raises ``BadInput`` if they may not stand beside this run's."""
    if not prepared.patient_data:
        raise BadInput("--public-run: has a meaning only beside patients' data, and --data names none.")
    judge = prepared.judge_model
    return public_rates(
        run,
        model_sha256=prepared.model.digest,
        protocol=prepared.protocol,
        judge=JudgedBy(prepared.judge, judge.digest if judge else None),
        unit=prepared.thresholds.unit,
    )


def _chosen(options: RunOptions) -> tuple[Period | None, Frozen | None]:
    """Return what is taken of the data. Raises ``BadInput``."""
    period = Period.read(options.since, options.until)
    if options.frozen is None:
        return period, None
    if period is not None:
        raise BadInput(f"--frozen: not possible beside {period}: the list says which instances are taken.")
    return None, read_frozen(options.frozen, site_key)


def _check_words(options: RunOptions) -> None:
    if options.preflight not in list(Depth):
        raise BadInput(not_one_of("--preflight", options.preflight, Depth, noun="a depth"))
    if options.report_detail is not None and options.report_detail not in list(Detail):
        raise BadInput(not_one_of("--report-detail", options.report_detail, Detail, noun="a level of detail"))
    for host in options.allow_hosts:
        allowed_host(host)


def _check_numbers(options: RunOptions) -> None:
    if options.concurrency is not None and options.concurrency < 1:
        raise BadInput(f"--concurrency: {options.concurrency} is not a number of calls in flight. Valid: 1 or more.")
    if options.repeats < 1:
        raise BadInput(f"--repeats: {options.repeats} is not a number of traces per instance. Valid: 1 or more.")
    if options.repeats > 1 and options.from_results is not None:
        raise BadInput("--repeats: not possible beside --from-results, which holds one trace of each instance.")
    if not options.call_timeout_s > 0:
        raise BadInput(f"--call-timeout: {options.call_timeout_s:g} is not a time in seconds. Valid: more than 0.")


def random_order(instances: Sequence[Instance], seed: str) -> list[Instance]:
    """Return the instances in the order that ``seed`` fixes, the same on every machine."""
    return sorted(instances, key=lambda item: hashlib.sha256(f"{seed}/{item.uid}".encode()).digest())


def _limited(instances: Sequence[Instance], limit: int | None, seed: str) -> tuple[Instance, ...]:
    if limit is None:
        return tuple(instances)
    if limit < 1:
        raise BadInput(f"--limit: {limit} is not a number of instances. Valid: 1 to {len(instances)}.")
    chosen = {instance.uid for instance in random_order(instances, seed)[:limit]}
    return tuple(instance for instance in instances if instance.uid in chosen)


def _recorded_model(options: RunOptions) -> Asked:
    """Return the model whose results are gated; nobody asks it. Raises ``BadInput``."""
    folder = options.from_results
    if folder is None or options.endpoints or options.model_revision:
        raise BadInput("--from-results: gates results that are there; it asks no --endpoint.")
    name = recorded_model(folder, options.model)
    return Asked(entry_of(name, options.root), endpoint_identity(name, None), (), asks=False)


def _judge(options: RunOptions, entry: ModelEntry, *, look_only: bool, patients: bool) -> Asked | None:
    """Return the judge model; for a result tree only one that is named, as its own judgements may do."""
    if options.from_results and not (options.judge or options.judge_endpoints):
        return None
    return asked_judge(options, entry.defaults.judge, look_only=look_only, patients=patients)


def _judge_name(options: RunOptions, judge: Asked | None, recorded: Recorded | None) -> str:
    """Return the judge's name: of a result tree its own, and whoever judges what it leaves open."""
    named = judge.entry.name if judge is not None else ORACLE
    if recorded is None:
        return named
    return f"{recorded.judge} + {named}" if judge is not None or options.judge == ORACLE else recorded.judge


def _demand_prompts(protocol: Protocol, model: Asked, judge: Asked | None) -> None:
    """Raise ``BadInput`` if someone is to be asked and the protocol has no words for it."""
    if not protocol.can_ask and (model.asks or judge is not None):
        raise BadInput(
            f"--protocol: {protocol.name!r} takes its prompts from a checkout of the benchmark's repository. "
            "Name it with --prompt-pack DIR."
        )


def _data_of(options: RunOptions, entry: ModelEntry) -> tuple[str, ...]:
    return recorded_data(options.from_results, entry.name) if options.from_results else entry.defaults.data


def _data_root(options: RunOptions) -> Path | None:
    """Return where the data lie; a result tree may hold its gold traces and images itself."""
    if options.data_root is None and options.from_results is not None and not options.data:
        return options.from_results
    return options.data_root


def _no_data() -> tuple[str, ...]:
    raise BadInput(f"--data: none given, and the model's entry names none. Valid: {', '.join(NAMES)}, or a manifest.")


def _thresholds_file(options: RunOptions, entry: ModelEntry) -> Path:
    if options.thresholds is not None:
        return options.thresholds
    default = Path(entry.defaults.thresholds or DEFAULT_THRESHOLDS)
    return default if default.is_file() else options.root / default


def _runs_of(root: Path, model: str) -> Path:
    return root / "reports" / "".join(char if char.isalnum() or char in "-._" else "_" for char in model)


def _run_dir(root: Path, model: str) -> Path:
    return _runs_of(root, model) / datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
