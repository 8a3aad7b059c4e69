"""From ``--data`` to instances."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Final

from clinhallu_gate.datasets.assemble import Part
from clinhallu_gate.datasets.benchmark import load_released
from clinhallu_gate.datasets.cache import ImageCache, default_cache
from clinhallu_gate.datasets.dataset import DataOptions, Dataset, content_digest, nothing
from clinhallu_gate.datasets.dicomweb.spec import DicomwebSpec, dicomweb_spec
from clinhallu_gate.datasets.frozen import (
    FrozenData,
    demand_same_sets,
    frozen_set,
    held,
)
from clinhallu_gate.datasets.frozen_list import fingerprint
from clinhallu_gate.datasets.intake import Intake, Intakes
from clinhallu_gate.datasets.manifest import load_manifest, manifest_at
from clinhallu_gate.datasets.patients import protect
from clinhallu_gate.datasets.phantom.generate import phantom_instances
from clinhallu_gate.datasets.problems import BadRows, Problem
from clinhallu_gate.datasets.released import ALL, SETS
from clinhallu_gate.errors import BadInput, about, not_one_of
from clinhallu_gate.keeping import Keeper
from clinhallu_gate.pseudonym import site_key
from clinhallu_gate.records import Instance

__all__ = ["NAMES", "SOURCES", "BadRows", "DataOptions", "Dataset", "Problem", "content_digest", "load_data", "nothing"]

#: Data that are generated.
SOURCES: Final[Mapping[str, Callable[[], tuple[Instance, ...]]]] = MappingProxyType({"phantom": phantom_instances})
#: What ``--data`` takes beside a path.
NAMES: Final = ("phantom", *SETS, ALL)


def load_data(specs: Sequence[str], options: DataOptions | None = None) -> tuple[Dataset, ...]:
    """Load each of ``specs`` once, in order; ``clinhallu`` is four data sets. Patients come under other names.

    Raises:
        BadInput: A name that is no data set, data that cannot be found, or two instances of one id; ``BadRows`` with
            all that is wrong with single rows, unless so many may be left out. Of patients' rows no value is told.
    """
    options = options or DataOptions()
    intakes = _intakes(options)
    loaded = _loaded(specs, options, intakes)
    return protect(loaded, options.named, partial(site_key, create=True), intakes.keeper)


def freeze_data(specs: Sequence[str], options: DataOptions) -> FrozenData:
    """Load data as a run would and return their frozen sets, under the site's key if there are patients.

    Raises ``BadInput`` as ``load_data`` does.
    """
    intakes = _intakes(options)
    loaded = _loaded(specs, options, intakes)
    patients = any(instance.phi for dataset in loaded for instance in dataset.instances)
    key = site_key(create=True) if patients else b""
    protected = protect(loaded, frozenset(), lambda: key, intakes.keeper)
    sets = tuple(frozen_set(now, before, key) for now, before in zip(protected, loaded, strict=True))
    clusters = len({(i.dataset, i.cluster) for dataset in protected for i in dataset.instances})
    return FrozenData(sets, fingerprint(key) if patients else None, clusters)


def _loaded(specs: Sequence[str], options: DataOptions, intakes: Intakes) -> Sequence[Dataset]:
    """Return the data, of which everything was checked, under their own names still."""
    if options.allow_bad_rows < 0:
        raise BadInput(f"--allow-bad-rows: {options.allow_bad_rows} is not a number of rows. Valid: 0 or more.")
    parts = tuple(_parts(tuple(dict.fromkeys(_spelled_out(specs))), options, intakes))
    _refuse_bad_rows(parts, options)
    if not options.allow_unsigned_gold:
        _refuse_unsigned(parts)
    loaded: Sequence[Dataset] = [part.dataset for part in parts]
    if options.frozen is not None:
        demand_same_sets([dataset.name for dataset in loaded], options.frozen)
        loaded = held(loaded, options.frozen, allowed=options.allow_bad_rows)
    _refuse_twins(loaded)
    return loaded


def _spelled_out(specs: Sequence[str]) -> Iterator[str]:
    for spec in specs:
        yield from SETS if spec == ALL else [spec]


def _parts(specs: Sequence[str], options: DataOptions, intakes: Intakes) -> Iterator[Part]:
    """Load everything, and give it in order; data of the benchmark at once, as they share files.

    They come last: beside data of patients the hub is not asked for them.
    """
    sources = {spec: own_source(spec) for spec in specs if spec not in (*SOURCES, *SETS)}
    if options.period is not None and not sources:
        raise BadInput(f"{options.period}: only manifests have study dates, and --data names none.")
    parts = {spec: _own(source, intakes, options) for spec, source in sources.items()}
    offline = any(instance.phi for part in parts.values() for instance in part.dataset.instances)
    if names := [spec for spec in specs if spec in SETS]:
        parts |= zip(names, load_released(names, options.data_root, intakes, offline=offline), strict=True)
    return (_generated(spec) if spec in SOURCES else parts[spec] for spec in specs)


@dataclass(frozen=True, slots=True)
class OwnSource:
    """Where a user's own data are."""

    manifest: Path
    server: DicomwebSpec | None
    """The DICOMweb server that has the studies; None for files beside the manifest."""


def own_source(spec: str, *, option: str = "--data") -> OwnSource:
    """Return what ``spec`` leads to, which ``option`` says. Raises ``BadInput`` if that is no manifest."""
    server = dicomweb_spec(spec, option=option)
    path = manifest_at(server.manifest if server else spec, option=option)
    if path is None and server is not None:
        raise BadInput(about(option, f"{server.manifest}: there is no such manifest."))
    if path is None:
        raise BadInput(not_one_of(option, spec, NAMES, noun="a dataset") if option else f"{spec}: does not exist.")
    return OwnSource(path, server)


def load_own(source: OwnSource, options: DataOptions) -> Part:
    """Load a user's own data, under their own names still. Raises ``BadInput``."""
    return _own(source, _intakes(options), options)


def _own(source: OwnSource, intakes: Intakes, options: DataOptions) -> Part:
    if source.server is None:
        return load_manifest(source.manifest, intakes, options)
    from clinhallu_gate.datasets import dicom  # noqa: F401, PLC0415 - before pydicom is imported: it says why
    from clinhallu_gate.datasets.dicomweb.load import load_dicomweb  # noqa: PLC0415 - its libraries take 0.4 s to import

    return load_dicomweb(source.server, source.manifest, intakes, options)


def _generated(name: str) -> Part:
    instances = SOURCES[name]()
    return Part(Dataset(name, content_digest(instances), instances), problems=(), rows=0)


def _intakes(options: DataOptions) -> Intakes:
    cache, private = options.cache or default_cache(), options.private_cache
    return Intakes(
        Intake(ImageCache(cache)),
        Intake(ImageCache(private, named_by="with --private-cache")) if private else None,
        Keeper(private or cache),
    )


def _refuse_bad_rows(parts: Sequence[Part], options: DataOptions) -> None:
    allowed = options.allow_bad_rows
    problems = [problem for part in parts for problem in part.problems]
    if len({(problem.file, problem.row) for problem in problems}) > allowed:
        raise BadRows(problems, rows=sum(part.rows for part in parts), allowed=allowed)
    for part in parts:
        selected = part.dataset.selected
        if not part.dataset.instances and selected is not None and (selected.outside or selected.unlisted):
            said = f"{options.period or '--frozen'}: leaves no row of {part.dataset.name}"
            raise BadInput(f"{said}: {selected.outside or selected.unlisted} of {selected.rows} are outside.")
        if not part.dataset.instances:
            raise BadInput(f"--data: no row of {part.dataset.name} can be used.")


def _refuse_unsigned(parts: Sequence[Part]) -> None:
    """Raise ``BadInput`` if gold was drafted that nobody signed, or signed for what is not there any more."""
    unsigned = [problem for part in parts for problem in part.dataset.unsigned]
    if not unsigned:
        return
    rows = sum(len(part.dataset.instances) for part in parts)
    first, more = unsigned[0], f" and {len(unsigned) - 1} more" if len(unsigned) > 1 else ""
    raise BadInput(
        f"--data: {len(unsigned)} of {rows} rows have gold that nobody signed ({first}{more}). Have them reviewed and "
        "signed with clinhallu-gate sign-gold, or take them as they are with --allow-unsigned-gold."
    )


def _refuse_twins(datasets: Sequence[Dataset]) -> None:
    names = [dataset.name for dataset in datasets]
    for name in names:
        if names.count(name) > 1:
            raise BadInput(f"--data: two data sets are called {name!r}; rename a file.")
    seen: set[str] = set()
    for instance in (instance for dataset in datasets for instance in dataset.instances):
        if instance.uid in seen:
            raise BadInput(f"--data: two instances have the id {instance.uid!r}.")
        seen.add(instance.uid)
