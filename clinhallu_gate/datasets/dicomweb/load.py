"""From a manifest of UIDs to a data set: what the rows name is fetched, and then read as files beside a manifest."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from clinhallu_gate.datasets.assemble import Choosing, Part
from clinhallu_gate.datasets.check import UID_FIELDS, Unfit, manifest_row
from clinhallu_gate.datasets.dataset import DataOptions
from clinhallu_gate.datasets.dicomweb.archive import Archive
from clinhallu_gate.datasets.dicomweb.faults import Fault, ServerUnusable
from clinhallu_gate.datasets.dicomweb.fetch import THREADS, Fetching, Found
from clinhallu_gate.datasets.dicomweb.server import Server
from clinhallu_gate.datasets.dicomweb.session import ArchiveSession, Limits
from clinhallu_gate.datasets.dicomweb.spec import DicomwebSpec
from clinhallu_gate.datasets.dicomweb.uids import Wanted
from clinhallu_gate.datasets.intake import Intakes
from clinhallu_gate.datasets.manifest import load_manifest, name_of, read_manifest
from clinhallu_gate.datasets.problems import BadRows, Problem, told
from clinhallu_gate.datasets.reading import RawRow
from clinhallu_gate.egress import demand_allowed
from clinhallu_gate.errors import BadInput, about

#: Stands for the images of a row while its other fields are checked.
_PENDING: Final = "pending"


@dataclass(frozen=True, slots=True)
class _Asked:
    """A row, and what it asks for; None if it is at fault or not taken, as its assembly will find, too."""

    raw: RawRow
    wanted: Wanted | None


def load_dicomweb(
    spec: DicomwebSpec, manifest: Path, intakes: Intakes, options: DataOptions, limits: Limits | None = None
) -> Part:
    """Fetch what the rows of a manifest name, and load it. Raises ``BadInput`` as ``fetch_rows`` does."""
    fetched = fetch_rows(spec, manifest, options, limits)
    part = load_manifest(manifest, intakes, options, rows=fetched.rows, folder=fetched.folder)
    return replace(part, dataset=replace(part.dataset, sources={**part.dataset.sources, "dicomweb": spec.url}))


@dataclass(frozen=True, slots=True)
class Fetched:
    """The rows of a manifest, with the files that were fetched for them in the place of UIDs."""

    rows: tuple[RawRow, ...]
    folder: Path
    """What the files are relative to."""


def fetch_usable(spec: DicomwebSpec, manifest: Path, options: DataOptions) -> Fetched:
    """Fetch as ``fetch_rows`` does, where rows that cannot be used are refused: nothing was fetched for them.

    Raises:
        BadInput: As ``fetch_rows``; ``BadRows`` with what is wrong with rows, without a value of any.
    """
    fetched = fetch_rows(spec, manifest, options)
    problems = [
        Problem(raw.file, raw.number, told(line, withhold=True)) for raw in fetched.rows for line in _troubles(raw)
    ]
    if problems:
        raise BadRows(problems, rows=len(fetched.rows))
    return fetched


def _troubles(raw: RawRow) -> tuple[str, ...]:
    if raw.trouble:
        return (raw.trouble,)
    try:
        manifest_row(raw.content)
    except Unfit as unfit:
        return unfit.lines
    return ()


def fetch_rows(spec: DicomwebSpec, manifest: Path, options: DataOptions, limits: Limits | None = None) -> Fetched:
    """Fetch what the rows of a manifest name, as far as they are usable and taken.

    Raises:
        BadInput: The server is neither this machine nor allowed, or nothing can be had from it or be kept.
    """
    demand_allowed(spec.url, options.allow_hosts, option=options.option)
    if options.private_cache is None:
        said = "studies of a DICOMweb server are kept in a private cache, and none was named."
        raise BadInput(about(options.option, said))
    archive = Archive(options.private_cache)
    archive.make()
    name, choosing = name_of(manifest), Choosing(options.period, options.frozen)
    asked = [_asked(raw, name, choosing) for raw in read_manifest(manifest)]
    wanted = [each.wanted for each in asked if each.wanted is not None]
    try:
        with ArchiveSession(limits or Limits(), threads=THREADS) as session:
            found = Fetching(Server(spec.url, session), archive, options.tell).all_of(wanted)
    except ServerUnusable as error:
        raise BadInput(about(options.option, f"{spec.url}: the DICOMweb server {error}.")) from None
    return Fetched(tuple(_with_files(asked, found, archive.files)), archive.files)


def _asked(raw: RawRow, name: str, choosing: Choosing) -> _Asked:
    """Look at what a row asks for; nothing is fetched for one that is not taken."""
    if raw.trouble:
        return _Asked(raw, None)
    if raw.content.get("images") is not None:
        return _Asked(replace(raw, trouble="images: is given, and a manifest of a DICOMweb server names UIDs"), None)
    if raw.content.get("study_uid") is None:
        return _Asked(replace(raw, trouble=f"study_uid: is missing. Valid: {', '.join(UID_FIELDS)}"), None)
    pending = replace(raw, content={**raw.content, "images": [_PENDING]})
    try:
        row = manifest_row(pending.content)
        left_out = choosing.leaves_out(f"{name}/{row.identity}", row.study_date)
        return _Asked(pending, None) if left_out else _Asked(raw, Wanted.of(row))
    except Unfit:
        return _Asked(pending, None)


def _with_files(asked: Sequence[_Asked], found: Mapping[Wanted, Found | Fault], folder: Path) -> Iterator[RawRow]:
    """Yield the rows with the files that they ask for, or with the reason why there are none."""
    for each in asked:
        got = found[each.wanted] if each.wanted is not None else None
        if isinstance(got, Found):
            files = (got.whole_series,) if got.whole_series is not None else got.files
            images = [str(file.relative_to(folder)) for file in files]
            yield replace(each.raw, content={**each.raw.content, "images": images})
        elif isinstance(got, Fault):
            yield replace(each.raw, trouble=f"{_field(each.wanted)}: the server {got}")
        else:
            yield each.raw


def _field(wanted: Wanted | None) -> str:
    """Return the field that names what cannot be had."""
    if wanted is None or wanted.series is None:
        return "study_uid"
    return "sop_uid" if wanted.sops else "series_uid"
