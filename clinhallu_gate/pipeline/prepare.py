"""Look at everything a run needs before anything is asked: model, data, protocol, thresholds, folder."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from clinhallu_gate.config.registry import ModelEntry, resolve_model
from clinhallu_gate.config.thresholds import GateSpec, Thresholds, demand_baseline, expand, load_thresholds
from clinhallu_gate.datasets.load import Dataset, load_data
from clinhallu_gate.errors import BadInput, not_one_of
from clinhallu_gate.gate.frame import Frame
from clinhallu_gate.gate.metrics import VerdictOf
from clinhallu_gate.hosting.endpoint import check_endpoint
from clinhallu_gate.hosting.identity import ModelIdentity, endpoint_identity, hosted_identity
from clinhallu_gate.judge.oracle import phantom_of
from clinhallu_gate.pipeline.baseline import baseline_verdicts, check_baseline
from clinhallu_gate.pipeline.options import RunOptions
from clinhallu_gate.protocol.load import load_protocol
from clinhallu_gate.protocol.spec import Protocol
from clinhallu_gate.records import Instance

JUDGES: Final = ("oracle",)
DEFAULT_THRESHOLDS: Final = "thresholds/default.yaml"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A run that can start: everything was found and checked, nothing was asked or written yet."""

    options: RunOptions
    entry: ModelEntry
    identity: ModelIdentity
    endpoints: tuple[str, ...]
    """Base URLs of running servers; empty if the model is to be hosted."""
    judge: str
    protocol: Protocol
    datasets: tuple[Dataset, ...]
    instances: tuple[Instance, ...]
    """What may be evaluated, after ``--limit``, in order of the data."""
    thresholds: Thresholds
    gates: tuple[GateSpec, ...]
    frame: Frame
    baseline_of: VerdictOf | None
    """The verdicts of the release in use, if a baseline run was given."""
    run_dir: Path
    seed: str

    @property
    def complete(self) -> bool:
        """Whether the instances are all of the data."""
        return self.options.limit is None

    @property
    def unsampled(self) -> int:
        """How many strata of the data ``--limit`` left without an instance."""
        everything = Frame.of(instance for dataset in self.datasets for instance in dataset.instances)
        return sum(map(len, everything.strata.values())) - sum(map(len, self.frame.strata.values()))

    @property
    def store(self) -> Path:
        """Where replies are kept: shared by runs if the model's identity lasts, else in the run's own folder."""
        if not self.identity.lasting:
            return self.run_dir / "store.sqlite"
        return self.options.store or self.options.root / "reports" / "store.sqlite"


def prepare(options: RunOptions, *, look_only: bool = False) -> Prepared:
    """Look at everything. Raises ``BadInput``: one line on what cannot be used.

    With ``look_only`` (to collect tests and run none) no server and no hub is asked who the model is.
    """
    _check_numbers(options)
    protocol = load_protocol(options.protocol)
    model = _model(options, look_only=look_only)
    entry, identity = model.entry, model.identity
    judge = options.judge or entry.defaults.judge
    if judge not in JUDGES:
        raise BadInput(not_one_of("--judge", judge, JUDGES, noun="a judge"))
    datasets = load_data(options.data or entry.defaults.data or _no_data())
    thresholds = load_thresholds(_thresholds_file(options, entry))
    if thresholds.early_stop:
        raise BadInput(f"{thresholds.file}: early_stop: true is not possible in this version. Valid: false.")
    demand_baseline(thresholds, given=options.baseline is not None)
    if options.baseline is not None and options.limit is not None:
        raise BadInput("--limit: not possible beside --baseline, as the two runs would hold different instances.")
    baseline = options.baseline
    if baseline is not None:
        check_baseline(baseline, protocol=protocol, datasets=datasets, judge=judge)
    everything = [instance for dataset in datasets for instance in dataset.instances]
    for instance in everything:
        phantom_of(instance)
    seed = hashlib.sha256(":".join(dataset.sha256 for dataset in datasets).encode()).hexdigest()
    instances = _limited(everything, options.limit, seed)
    frame = Frame.of(instances)
    return Prepared(
        options=options,
        entry=entry,
        identity=identity,
        endpoints=options.endpoints,
        judge=judge,
        protocol=protocol,
        datasets=datasets,
        instances=instances,
        thresholds=thresholds,
        gates=expand(thresholds, Frame.of(everything).strata),
        frame=frame,
        baseline_of=baseline_verdicts(baseline) if baseline is not None else None,
        run_dir=options.run_dir or _run_dir(options.root, entry.name),
        seed=seed,
    )


def _check_numbers(options: RunOptions) -> None:
    if options.concurrency is not None and options.concurrency < 1:
        raise BadInput(f"--concurrency: {options.concurrency} is not a number of calls in flight. Valid: 1 or more.")
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


@dataclass(frozen=True, slots=True)
class _Model:
    entry: ModelEntry
    identity: ModelIdentity


def _model(options: RunOptions, *, look_only: bool) -> _Model:
    if options.model_revision is not None and not options.endpoints:
        raise BadInput("--model-revision: says what an --endpoint serves; a hosted model's is in its registry entry.")
    if options.model is None and look_only and options.endpoints:
        raise BadInput("--model: needed beside --endpoint to collect only, as no server is asked then.")
    if options.model is None and (look_only or not options.endpoints):
        raise BadInput("--model: none given. Name a model of the registry, a hub id or a folder, or use --endpoint.")
    if options.model is not None and not options.endpoints:
        entry = _registered(options.model, options.root)
        mere_name = look_only and entry.folder is None
        return _Model(entry, endpoint_identity(entry.source, None) if mere_name else hosted_identity(entry))
    if options.model is not None and look_only:
        return _Model(_endpoint_entry(options, options.model), endpoint_identity(options.model, None))
    served = {_served(options, url) for url in options.endpoints}
    if len(served) > 1:
        raise BadInput(f"--endpoint: the endpoints serve different models: {', '.join(sorted(served))}.")
    name = served.pop()
    return _Model(_endpoint_entry(options, name), endpoint_identity(name, options.model_revision))


def _registered(name: str, root: Path) -> ModelEntry:
    extra = root / "models.yaml"
    return resolve_model(name, extra=extra if extra.is_file() else None)


def _endpoint_entry(options: RunOptions, served: str) -> ModelEntry:
    """Return the registry's entry where there is one, for its defaults; an endpoint may serve any name."""
    try:
        return _registered(options.model or served, options.root)
    except BadInput:
        return ModelEntry(name=options.model or served, source=served)


def _served(options: RunOptions, url: str) -> str:
    """Return the name under which ``url`` serves the model: the model's own, or its source's (a hub id)."""
    if options.model is None:
        return check_endpoint(url, api_key=options.api_key)
    entry = _endpoint_entry(options, options.model)
    try:
        return check_endpoint(url, entry.source, api_key=options.api_key)
    except BadInput:
        return check_endpoint(url, options.model, api_key=options.api_key)


def _no_data() -> tuple[str, ...]:
    raise BadInput("--data: none given, and the model's entry names none. Valid: phantom.")


def _thresholds_file(options: RunOptions, entry: ModelEntry) -> Path:
    if options.thresholds is not None:
        return options.thresholds
    default = Path(entry.defaults.thresholds or DEFAULT_THRESHOLDS)
    return default if default.is_file() else options.root / default


def _run_dir(root: Path, model: str) -> Path:
    name = "".join(char if char.isalnum() or char in "-._" else "_" for char in model)
    return root / "reports" / name / datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
