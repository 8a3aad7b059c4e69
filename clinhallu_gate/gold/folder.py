"""The folder of drafts: what lies in it, what of it nobody decided on yet, and its removal."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from clinhallu_gate.datasets.signed import DRAFT_FILE, DraftedRow, SignedRow, read_lines, settles, signed_file
from clinhallu_gate.errors import BadInput
from clinhallu_gate.pipeline.purging import CACHE, Purge, demand_removable, purge_of
from clinhallu_gate.private import private_folder
from clinhallu_gate.report.figures import plural

HTML_FILE: Final = "review.html"
CSV_FILE: Final = "review.csv"
FAILURE_FILE: Final = "failure.txt"
STORE_FILE: Final = "store.sqlite"
LOG_FILE: Final = "server.log"
#: How ``draft_folder`` ends.
_ENDING: Final = ".gold"
_WRITTEN: Final = (DRAFT_FILE, HTML_FILE, CSV_FILE, FAILURE_FILE, STORE_FILE, LOG_FILE)
_STORE: Final = (STORE_FILE, f"{STORE_FILE}-wal", f"{STORE_FILE}-shm")


def is_of_drafts(folder: Path) -> bool:
    """Whether a folder that somebody names is one of drafts, and no run: by a draft in it, or by its name.

    What was killed early has left no draft yet; a run that is called so has its private folder beside it.
    """
    folder = _with_a_name(folder)
    if os.path.lexists(folder / DRAFT_FILE):
        return True
    return folder.suffix == _ENDING and os.path.lexists(folder) and not os.path.lexists(private_folder(folder))


def purge_of_drafts(folder: Path) -> Purge:
    """Return what would be removed of a folder of drafts: all of it.

    Raises:
        BadInput: It is a link, another user's, or others may enter it; or it holds what ``draft-gold`` did not write,
            such as a sheet that somebody saved there.
    """
    folder = _with_a_name(folder)
    demand_removable(folder, f"{folder} is not there")
    entries = tuple(sorted(folder.iterdir()))
    others = [entry.name for entry in entries if not _is_written(entry.name)]
    if others:
        raise BadInput(
            f"{folder}: holds what draft-gold did not write ({others[0]}); move it away. Nothing was removed."
        )
    return purge_of(folder, entries, whole=True, means=_means(folder))


def _with_a_name(folder: Path) -> Path:
    """Return a folder by a name that files can lie beside: of ``.`` and ``..`` its own. No other link is followed."""
    return folder.resolve() if folder.name in ("", "..") else folder


def _is_written(name: str) -> bool:
    part = name.startswith(".") and name.endswith(".part") and any(name.startswith(f".{file}.") for file in _WRITTEN)
    return name in (*_WRITTEN, *_STORE, *CACHE) or part


def _means(folder: Path) -> str:
    rest = (
        "Signed gold stays in its own file. Whether a row was changed since, so that its signature does not hold, is "
        "not looked at here: a run says so. The drafts, what was written on the sheets in the folder, and the model's "
        "replies cannot be had back; studies that were fetched into it are fetched anew."
    )
    return " ".join([*_undecided(folder), rest])


def _undecided(folder: Path) -> Iterator[str]:
    """Say how many drafts nobody signed or rejected, as far as the files beside the folder tell."""
    beside = signed_file(folder)
    try:
        drafts = [line for line in read_lines(folder / DRAFT_FILE, DraftedRow) if line.gold is not None]
        signed = {line.id: line for line in read_lines(beside, SignedRow)}
    except BadInput as error:
        yield f"How many drafts are still open cannot be said: {error}"
        return
    open_ = sum(not settles(signed.get(draft.id), draft) for draft in drafts)
    if folder.suffix != _ENDING:
        yield f"How many of its drafts ({len(drafts):,}) are still open is not known: it lies beside no manifest."
    elif open_:
        yield (
            f"STILL OPEN: {open_:,} of {plural(len(drafts), 'draft')}, neither signed nor rejected in {beside.name}: "
            "runs take those rows as rows without gold then."
        )
    elif drafts:
        yield f"{plural(len(drafts), 'draft')}, each signed or rejected."
