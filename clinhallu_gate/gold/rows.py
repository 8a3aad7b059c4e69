"""A manifest's rows as gold is drafted, reviewed and signed for them: under their own ids, with their reports."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from clinhallu_gate.datasets.check import manifest_row
from clinhallu_gate.datasets.dataset import DataOptions
from clinhallu_gate.datasets.load import OwnSource, load_own, own_source
from clinhallu_gate.datasets.manifest import read_manifest
from clinhallu_gate.datasets.names import Misplaced, file_below
from clinhallu_gate.datasets.problems import BadRows, told
from clinhallu_gate.datasets.row import Row
from clinhallu_gate.datasets.signed import Laid
from clinhallu_gate.records import Instance

#: A manifest is named by no option of these commands.
_ARGUMENT: Final = ""
LARGEST_FILE: Final = 2**20
"""Bytes of a report's file."""


@dataclass(frozen=True, slots=True)
class Report:
    """The text of a radiology report, or why there is none."""

    text: str = ""
    trouble: str = ""

    @property
    def sha256(self) -> str:
        """Digest of the text; empty without one."""
        return sha256(self.text.encode("utf-8", "surrogatepass")).hexdigest() if self.text else ""


@dataclass(frozen=True, slots=True)
class GoldRow:
    """A row, and what its gold is now."""

    number: int
    """Line of a text file, or number of the record, from 1."""
    instance: Instance
    report: Report
    laid: Laid
    own: Row
    """As the manifest has it."""

    @property
    def content_sha256(self) -> str:
        """Digest of what gold is for."""
        return self.laid.content_sha256


@dataclass(frozen=True, slots=True)
class Reading:
    """How the data are read."""

    cache: Path
    """Folder for images of patients that have to be redrawn, and for studies that are fetched."""
    allow_hosts: tuple[str, ...] = ()
    """Hosts other than this machine that may be asked for studies."""


def source_named(spec: str) -> OwnSource:
    """Return the data that ``spec``, an argument of a command, leads to. Raises ``BadInput``."""
    return own_source(spec, option=_ARGUMENT)


def gold_rows(source: OwnSource, reading: Reading) -> list[GoldRow]:
    """Return the rows of a manifest, in its order.

    Raises:
        BadInput: A row that cannot be used, or a file that cannot be read; of patients' rows no value is told.
    """
    manifest = source.manifest
    part = load_own(source, DataOptions(option=_ARGUMENT, private_cache=reading.cache, allow_hosts=reading.allow_hosts))
    if part.problems:
        raise BadRows(part.problems, rows=part.rows)
    instances = {instance.id: instance for instance in part.dataset.instances}
    root = manifest.parent.resolve()
    rows = []
    for raw in read_manifest(manifest):
        own = manifest_row(_plain(raw.content))
        instance = instances[str(own.identity)]
        rows.append(GoldRow(raw.number, instance, _report(own, root), part.dataset.gold_of[instance.id], own))
    return rows


def _plain(content: Mapping[str, object]) -> Mapping[str, object]:
    """Return a row with a name in the place of images that are embedded or fetched: they were taken in before."""
    images = content.get("images")
    named = isinstance(images, list) and all(isinstance(entry, str) for entry in images)
    return content if named else {**content, "images": ["elsewhere"]}


def _report(row: Row, root: Path) -> Report:
    if row.report is not None or row.report_file is None:
        return Report(row.report) if row.report is not None else Report(trouble="the row has no report")
    try:
        text = _file_text(file_below(root, row.report_file))
    except Misplaced as error:
        return Report(trouble=f"report_file: {told(str(error), withhold=True)}")
    return Report(text) if text.strip() else Report(trouble="report_file: is empty")


def _file_text(path: Path) -> str:
    """Return the text of a report's file. Raises ``Misplaced`` where that is none."""
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise Misplaced(f"has more than {LARGEST_FILE // 2**20} MiB")
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Misplaced("is not UTF-8") from None
    except OSError as error:
        raise Misplaced(f"cannot be read: {error.strerror}") from None
