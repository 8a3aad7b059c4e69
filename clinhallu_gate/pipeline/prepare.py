"""Look at everything a run needs before anything is asked: model, data, protocol, thresholds, folder."""

import hashlib
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

from clinhallu_gate.config.registry import ModelEntry
from clinhallu_gate.config.thresholds import (
    Thresholds,
    demand_baseline,
    demand_tags,
    expand,
    load_thresholds,
    named_groups,
)
from clinhallu_gate.datasets.dataset import MAX_IMAGES
from clinhallu_gate.datasets.frozen_list import Frozen, read_frozen
from clinhallu_gate.datasets.load import NAMES, DataOptions, load_data, nothing
from clinhallu_gate.datasets.period import Period
from clinhallu_gate.deidentification.findings import Depth
from clinhallu_gate.egress import allowed_host
from clinhallu_gate.errors import BadInput, not_one_of
from clinhallu_gate.gate.frame import Frame
from clinhallu_gate.hosting.identity import endpoint_identity
from clinhallu_gate.judge.labels import load_label_file
from clinhallu_gate.judge.oracle import phantom_of
from clinhallu_gate.keeping import joined
from clinhallu_gate.pipeline.asked import Asked, asked_judge, asked_model, entry_of, known_entry
from clinhallu_gate.pipeline.baseline import JudgedBy, baseline_verdicts, check_baseline
from clinhallu_gate.pipeline.earlier import earlier_runs
from clinhallu_gate.pipeline.gold_use import gold_counts
from clinhallu_gate.pipeline.looking import look_at_files
from clinhallu_gate.pipeline.options import RunOptions
from clinhallu_gate.pipeline.prepared import Prepared
from clinhallu_gate.pipeline.public import public_rates
from clinhallu_gate.pipeline.recorded import lay_over, recorded_data, recorded_model
from clinhallu_gate.pipeline.sampling import random_part
from clinhallu_gate.private import demand_private, private_folder
from clinhallu_gate.protocol.load import load_protocol
from clinhallu_gate.protocol.spec import Protocol
from clinhallu_gate.pseudonym import site_key
from clinhallu_gate.records import Instance
from clinhallu_gate.report.beside_public import Rates
from clinhallu_gate.scan.accepted import read_accepted
from clinhallu_gate.scan.values import Accepted
from clinhallu_gate.vocabulary import Detail

DEFAULT_THRESHOLDS: Final = "thresholds/default.yaml"


def prepare(options: RunOptions, *, look_only: bool = False, tell: Callable[[str], None] = nothing) -> Prepared:
    """Look at everything. Raises ``BadInput``: one line on what cannot be used.

    Data are loaded first: no server and no hub is asked anything before it is known whether they are of patients.
    With ``look_only`` (to collect tests and run none) no server and no hub is asked who the model is.
    ``tell`` hears how far a long fetch of data is.
    """
    named = _named(options, look_only=look_only)
    try:
        return _beside_others(_with_data(options, named, look_only=look_only, tell=tell))
    except BaseException:
        _forget(options, named.run_dir)
        raise


class _Named(NamedTuple):
    """What options name beside the data."""

    protocol: Protocol
    model: Asked | None
    """None if it is not asked before the data are known."""
    entry: ModelEntry
    thresholds: Thresholds
    run_dir: Path
    private_cache: Path
    chosen: "_Chosen"
    accepted: tuple[Accepted, ...]


def _named(options: RunOptions, *, look_only: bool) -> _Named:
    """Read it. Raises ``BadInput``."""
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
    chosen, private_cache = _chosen(options), _private_cache(options, run_dir)
    accepted = read_accepted(options.accepted_values, run_dir=run_dir) if options.accepted_values else ()
    return _Named(protocol, model, entry, thresholds, run_dir, private_cache, chosen, tuple(accepted))


def forget_images(prepared: Prepared) -> None:
    """Remove what was drawn for a run that never was, unless somebody named its folder, and may come back to it."""
    _forget(prepared.options, prepared.run_dir)


def _forget(options: RunOptions, run_dir: Path) -> None:
    if options.run_dir is None:
        shutil.rmtree(private_folder(run_dir), ignore_errors=True)
        with suppress(OSError):  # there are other runs of the model
            run_dir.parent.rmdir()


def _with_data(options: RunOptions, named: _Named, *, look_only: bool, tell: Callable[[str], None]) -> Prepared:
    """Load the data, and see that all that is named fits them. Raises ``BadInput``."""
    protocol, entry, thresholds = named.protocol, named.entry, named.thresholds
    loading = replace(_loading(options, named), named=named_groups(thresholds), tell=tell)
    datasets = load_data(options.data or _data_of(options, entry) or _no_data(), loading)
    everything = joined([dataset.instances for dataset in datasets])
    patients = any(instance.phi for instance in everything)
    if options.from_results and patients:
        raise BadInput("--from-results: not possible with patient data (phi), whose ids are pseudonyms here.")
    model = named.model or asked_model(options, look_only=look_only, patients=patients)
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
        patient_data=patients,
        thresholds=thresholds,
        gates=expand(thresholds, Frame.of(everything).strata),
        frame=Frame.of(instances),
        labels=load_label_file(options.labels, everything) if options.labels else None,
        recorded=lay_over(tree, entry.name, datasets, instances) if tree else None,
        baseline_of=None,
        run_dir=named.run_dir,
        earlier=earlier_runs(_runs_of(options.root, entry.name), model_sha256=model.digest, datasets=datasets),
        gold=gold_counts(datasets, instances),
        preflight=look_at_files(options, datasets, named.private_cache) if patients and not look_only else None,
        seed=seed,
        period=named.chosen.period,
        frozen=named.chosen.frozen,
        accepted=named.accepted,
    )
    if prepared.by_oracle:
        for instance in everything:
            phantom_of(instance)
    return prepared


def _loading(options: RunOptions, named: _Named) -> DataOptions:
    """Return how data are loaded for a model."""
    return DataOptions(
        _data_root(options),
        options.allow_bad_rows,
        period=named.chosen.period,
        frozen=named.chosen.frozen,
        private_cache=named.private_cache,
        allow_hosts=options.allow_hosts,
        max_images=named.entry.max_images or MAX_IMAGES,
        allow_unsigned_gold=options.allow_unsigned_gold,
    )


def _beside_others(prepared: Prepared) -> Prepared:
    """Add the runs that this one is held against. Raises ``BadInput`` if they may not stand beside it."""
    options, judge = prepared.options, prepared.judge_model
    by = JudgedBy(prepared.judge, judge.digest if judge else None)
    baseline_of, public = None, None
    if options.baseline:
        datasets, repeats = prepared.datasets, options.repeats
        check_baseline(options.baseline, protocol=prepared.protocol, datasets=datasets, judge=by, repeats=repeats)
        baseline_of = baseline_verdicts(options.baseline)
    if options.public_run:
        public = _public(options.public_run, prepared, by)
    return replace(prepared, baseline_of=baseline_of, public=public)


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


def _public(run: Path, prepared: Prepared, by: JudgedBy) -> Rates:
    """Return the rates of a run on public data. Raises ``BadInput`` if they may not stand beside this run's."""
    if not prepared.patient_data:
        raise BadInput("--public-run: has a meaning only beside patients' data, and --data names none.")
    return public_rates(
        run,
        model_sha256=prepared.model.digest,
        protocol=prepared.protocol,
        judge=by,
        unit=prepared.thresholds.unit,
        max_without_gold=prepared.thresholds.max_without_gold,
    )


class _Chosen(NamedTuple):
    """What is taken of the data on purpose; None for all."""

    period: Period | None
    frozen: Frozen | None


def _chosen(options: RunOptions) -> _Chosen:
    """Read it. Raises ``BadInput``."""
    period = Period.read(options.since, options.until)
    if options.frozen is None:
        return _Chosen(period, None)
    if period is not None:
        raise BadInput(f"--frozen: not possible beside {period}: the list says which instances are taken.")
    return _Chosen(None, read_frozen(options.frozen, site_key))


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


def _limited(instances: Sequence[Instance], limit: int | None, seed: str) -> Sequence[Instance]:
    if limit is None:
        return instances
    if limit < 1:
        raise BadInput(f"--limit: {limit} is not a number of instances. Valid: 1 to {len(instances)}.")
    return random_part(instances, limit, seed)


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
