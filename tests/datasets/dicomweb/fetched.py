"""Fetch from a server without waiting."""

from pathlib import Path

from clinhallu_gate._scripted.phantom_dicom import PhantomStudy
from clinhallu_gate.datasets.dicomweb.archive import Archive
from clinhallu_gate.datasets.dicomweb.faults import Fault
from clinhallu_gate.datasets.dicomweb.fetch import THREADS, Fetching, Found
from clinhallu_gate.datasets.dicomweb.server import Server
from clinhallu_gate.datasets.dicomweb.session import ArchiveSession, Limits
from clinhallu_gate.datasets.dicomweb.uids import Wanted


def fetched(url: str, root: Path, *wanted: Wanted, limits: Limits | None = None) -> list[Found | Fault]:
    """Return what came of each."""
    archive = Archive(root)
    archive.make()
    with ArchiveSession(limits or Limits(), threads=THREADS, sleep=lambda _: None) as session:
        found = Fetching(Server(url, session), archive, lambda _: None).all_of(wanted)
    return [found[each] for each in wanted]


def whole_series(study: PhantomStudy) -> Wanted:
    """Ask for a study's series."""
    return Wanted(str(study.files[0].StudyInstanceUID), str(study.files[0].SeriesInstanceUID), ())


def kept(root: Path) -> list[Path]:
    """Return the DICOM files in a cache."""
    return sorted(path for path in root.rglob("*.dcm"))
