"""Remove what is kept of patients: a run's private folder, a cache that runs share, or drafts; no link is followed."""

import os
import shutil
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from clinhallu_gate.deidentification.kept import FILE as PREFLIGHT
from clinhallu_gate.errors import BadInput
from clinhallu_gate.pipeline.ids import IDS_FILE
from clinhallu_gate.pipeline.run import FAILURE_FILE
from clinhallu_gate.pipeline.verdict_table import RESULTS_FILE
from clinhallu_gate.private import private_folder
from clinhallu_gate.scan.kept import HITS_FILE, IDENTIFIERS_FILE
from clinhallu_gate.tree.evidence import INSTANCES_FILE, TRACES_FILE

#: What a cache of patients' images holds; nothing else in the folder is touched.
CACHE: Final = ("checked.jsonl", "dicomweb", "images", PREFLIGHT)
#: One of these is in every private folder of a run, also of one that was killed.
_OF_A_RUN: Final = (
    *CACHE,
    IDS_FILE,
    IDENTIFIERS_FILE,
    RESULTS_FILE,
    TRACES_FILE,
    INSTANCES_FILE,
    FAILURE_FILE,
    HITS_FILE,
    "store.sqlite",
    "server.log",
    "judge-server.log",
)
_MEGABYTE: Final = 1e6


@dataclass(frozen=True, slots=True)
class Purge:
    """What is to be removed, and what that means."""

    folder: Path
    entries: tuple[Path, ...]
    """Files and folders at its top."""
    files: int
    size: int
    """Bytes."""
    whole: bool
    """Whether the folder itself goes, too."""
    means: str
    """What can no longer be done."""

    @property
    def line(self) -> str:
        """Return what would be removed."""
        names = ", ".join(f"{entry.name}/" if entry.is_dir() else entry.name for entry in self.entries)
        if not names:
            return f"{self.folder}: an empty folder"
        return f"{self.folder}: {self.files} files, {self.size / _MEGABYTE:.1f} MB: {names}"

    def remove(self) -> None:
        """Remove it. Raises ``BadInput`` if something of it stays."""
        try:
            for entry in (self.folder,) if self.whole else self.entries:
                shutil.rmtree(entry) if _is_folder(entry) else entry.unlink(missing_ok=True)
        except OSError as error:
            raise BadInput(
                f"{error.filename}: cannot be removed: {error.strerror or error}. The rest may stay."
            ) from None


def purge_of_run(run: Path) -> Purge:
    """Return what would be removed of a run, its folder staying as it is.

    Raises:
        BadInput: It has no private folder, or what is called so is a link, another user's or no such folder.
    """
    folder = private_folder(run)
    demand_removable(folder, f"{run}: has no private folder ({folder})")
    entries = tuple(sorted(folder.iterdir()))
    if entries and not any(entry.name in _OF_A_RUN or entry.name.startswith("exchange-") for entry in entries):
        raise BadInput(f"{folder}: holds nothing that a run leaves ({entries[0].name}); remove it by hand.")
    return purge_of(
        folder,
        entries,
        whole=True,
        means=f"{run} stays as it is. It can no longer be resumed or repeated from its replies, exported, sampled for "
        "review or searched for what is known of its patients, and nobody can say whom its pseudonyms stand for.",
    )


def purge_of_cache(folder: Path) -> Purge:
    """Return what would be removed of a private cache; what else lies in the folder stays.

    Raises:
        BadInput: It is no such cache, a link or another user's.
    """
    demand_removable(folder, f"--private-cache: {folder} is not there")
    entries = tuple(folder / name for name in CACHE if os.path.lexists(folder / name))
    if not {"checked.jsonl", "dicomweb"} & {entry.name for entry in entries}:
        raise BadInput(f"--private-cache: {folder} is no cache of images (it has no checked.jsonl and no dicomweb).")
    return purge_of(
        folder,
        entries,
        whole=False,
        means="Images are read, and studies fetched, anew by the next run that needs them.",
    )


def demand_removable(folder: Path, none: str) -> None:
    """Raise ``BadInput`` unless ``folder`` is a real folder of this user that nobody else may enter.

    Args:
        folder: What is to be removed, or holds it.
        none: What to say if it is not there.
    """
    try:
        found = folder.lstat()
    except OSError:
        raise BadInput(f"{none}.") from None
    if not stat.S_ISDIR(found.st_mode):
        raise BadInput(f"{folder}: is no folder but a link or a file; nothing was removed.")
    if found.st_uid != os.getuid():
        raise BadInput(f"{folder}: belongs to another user; nothing was removed.")
    if found.st_mode & 0o077:
        raise BadInput(f"{folder}: others may enter it, so no run or draft made it; nothing was removed.")


def purge_of(folder: Path, entries: Iterable[Path], *, whole: bool, means: str) -> Purge:
    """Return what the removal of ``entries`` of a folder, or of the whole of it, takes away and means."""
    tops = tuple(entries)
    sizes = [path.lstat().st_size for top in tops for path in (top, *_below(top)) if not _is_folder(path)]
    return Purge(folder, tops, len(sizes), sum(sizes), whole, means)


def _below(top: Path) -> Iterable[Path]:
    return top.rglob("*") if _is_folder(top) else ()


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()
