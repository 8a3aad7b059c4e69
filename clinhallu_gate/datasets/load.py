"""From ``--data`` to instances."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Final

from clinhallu_gate.datasets.assemble import Part
from clinhallu_gate.datasets.benchmark import load_released
from clinhallu_gate.datasets.cache import ImageCache, default_cache
from clinhallu_gate.datasets.dataset import DataOptions, Dataset, content_digest, nothing
from clinhallu_gate.datasets.dicomweb.spec import DicomwebSpec, dicomweb_spec
from clinhallu_gate.datasets.intake import Intake, Intakes
from clinhallu_gate.datasets.manifest import load_manifest, manifest_at
from clinhallu_gate.datasets.patients import protect
from clinhallu_gate.datasets.phantom.generate import phantom_instances
from clinhallu_gate.datasets.problems import BadRows, Problem
from clinhallu_gate.datasets.released import ALL, SETS
from clinhallu_gate.errors import BadInput, not_one_of
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
    if options.allow_bad_rows < 0:
        raise BadInput(f"--allow-bad-rows: {options.allow_bad_rows} is not a number of rows. Valid: 0 or more.")
    parts = tuple(_parts(tuple(dict.fromkeys(_spelled_out(specs))), options))
    _refuse_bad_rows(parts, options.allow_bad_rows)
    datasets = protect([part.dataset for part in parts], options.named, partial(site_key, create=True))
    _refuse_twins(datasets)
    return datasets


def _spelled_out(specs: Sequence[str]) -> Iterator[str]:
    for spec in specs:
        yield from SETS if spec == ALL else [spec]


def _parts(specs: Sequence[str], options: DataOptions) -> Iterator[Part]:
    """Load everything in order; data of the benchmark at once, as they share files."""
    servers = {spec: server for spec in specs if (server := dicomweb_spec(spec)) is not None}
    manifests = {spec: _manifest(spec, servers.get(spec)) for spec in specs if spec not in (*SOURCES, *SETS)}
    names = [spec for spec in specs if spec in SETS]
    intakes = _intakes(options)
    released = dict(zip(names, load_released(names, options.data_root, intakes), strict=True)) if names else {}
    for spec in specs:
        if spec in SOURCES:
            yield _generated(spec)
        elif spec in servers:
            yield _fetched(servers[spec], manifests[spec], intakes, options)
        else:
            yield (
                released[spec]
                if spec in released
                else load_manifest(manifests[spec], intakes, max_images=options.max_images)
            )


def _fetched(server: DicomwebSpec, manifest: Path, intakes: Intakes, options: DataOptions) -> Part:
    from clinhallu_gate.datasets import dicom  # noqa: F401, PLC0415 - before pydicom is imported: it says why
    from clinhallu_gate.datasets.dicomweb.load import load_dicomweb  # noqa: PLC0415 - its libraries take 0.4 s to import

    return load_dicomweb(server, manifest, intakes, options)


def _manifest(spec: str, server: DicomwebSpec | None) -> Path:
    path = manifest_at(server.manifest if server else spec)
    if path is None and server is not None:
        raise BadInput(f"--data: {server.manifest}: there is no such manifest.")
    if path is None:
        raise BadInput(not_one_of("--data", spec, NAMES, noun="a dataset"))
    return path


def _generated(name: str) -> Part:
    instances = SOURCES[name]()
    return Part(Dataset(name, content_digest(instances), instances), problems=(), rows=0)


def _intakes(options: DataOptions) -> Intakes:
    shared = Intake(ImageCache(options.cache or default_cache()))
    return Intakes(shared, Intake(ImageCache(options.private_cache)) if options.private_cache else None)


def _refuse_bad_rows(parts: Sequence[Part], allowed: int) -> None:
    problems = [problem for part in parts for problem in part.problems]
    if len({(problem.file, problem.row) for problem in problems}) > allowed:
        raise BadRows(problems, rows=sum(part.rows for part in parts), allowed=allowed)
    for part in parts:
        if not part.dataset.instances:
            raise BadInput(f"--data: no row of {part.dataset.name} can be used.")


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
