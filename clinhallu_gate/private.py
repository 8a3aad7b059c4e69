"""The private folder of a run: beside its run folder and for its owner alone, it keeps what others must not see.

Nor does a process that holds it leave an image of its memory.
"""

import os
import resource
import secrets
import shlex
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from clinhallu_gate.errors import BadInput

_OTHERS: Final = 0o077
_OF_RUNS: Final = "decision.json"
"""What every finished run folder holds."""
_OF_KILLED_RUNS: Final = "store.sqlite"
"""What the private folder of every run of patients holds, finished or not, once it has asked anything."""


def private_folder(run_dir: Path) -> Path:
    """Return where a run keeps texts and pixels that may not lie in ``run_dir``: ``RUN.private``.

    Raises:
        BadInput: It is the root of the file system, beside which nothing lies.
    """
    named = run_dir if run_dir.name not in ("", "..") else run_dir.resolve()
    if not named.name:
        raise BadInput(f"{run_dir}: is no run folder.")
    return named.with_name(f"{named.name}.private")


def kept(run_dir: Path, name: str) -> Path:
    """Return where a finished run keeps the file ``name`` with all its texts; it may not exist."""
    apart = private_folder(run_dir) / name
    return apart if apart.exists() else run_dir / name


def make_private(folder: Path) -> None:
    """Make a folder that only its owner may enter, or see to it that this one is. Raises ``OSError``."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)


def demand_private(folder: Path, run_dir: Path | None = None) -> None:
    """Make a folder that a user named for what others must not see, or see to it that nobody else may enter it.

    Raises:
        BadInput: It is not ours, others may enter it, it is no folder, or it lies in a run folder, which is handed on,
            or in the private folder of another run, which is purged.
    """
    option = f"--private-cache: {folder}"
    resolved = folder.resolve()
    if run := _run_around((resolved, *resolved.parents), run_dir):
        raise BadInput(f"{option}: lies in the run folder {run}, which may be handed on. Name another folder.")
    own = {run_dir.resolve()} if run_dir is not None else set()
    for run in _runs_beside((resolved, *resolved.parents)) - own:
        if _run_around([run]) or (private_folder(run) / _OF_KILLED_RUNS).exists():
            raise BadInput(
                f"{option}: lies in the private folder of the run {run}, which is purged. Name another folder."
            )
    try:
        take_private(folder, option)
    except OSError as error:
        raise BadInput(f"{option}: cannot be made: {error.strerror}.") from error


def _run_around(folders: Iterable[Path], run_dir: Path | None = None) -> Path | None:
    """Return the first of some folders that is one of a run."""
    own = run_dir.resolve() if run_dir is not None else None
    return next((folder for folder in folders if (folder / _OF_RUNS).exists() or folder == own), None)


def _runs_beside(folders: Iterable[Path]) -> set[Path]:
    """Return the folders, of runs or not, whose private folders some folders would be by their names."""
    return {folder.with_name(folder.name.removesuffix(".private")) for folder in folders if folder.suffix == ".private"}


def read_private(file: Path, option: str, *, run_dir: Path) -> bytes:
    """Return what a file holds that a user named and that tells of patients.

    Raises:
        BadInput: It cannot be read, is no file or not ours, others may read it, or it lies in a run folder, which is
            handed on, or in the private folder of a run, which is purged.
    """
    said = f"{option}: {file}"
    try:
        with open(file, "rb", opener=_open_at_once) as opened:
            _demand_own_file(os.fstat(opened.fileno()), file, said)
            _demand_apart(file, run_dir, said)
            return opened.read()
    except OSError as error:
        raise BadInput(f"{said}: cannot be read: {error.strerror}.") from None


def _open_at_once(path: str, flags: int) -> int:
    """Open a file, and wait for nobody who writes to a pipe."""
    return os.open(path, flags | os.O_NONBLOCK)


def _demand_own_file(state: os.stat_result, file: Path, said: str) -> None:
    if not stat.S_ISREG(state.st_mode):
        raise BadInput(f"{said}: is no file.")
    if state.st_uid != os.geteuid():
        raise BadInput(f"{said}: belongs to another user. Name a file of your own.")
    if state.st_mode & _OTHERS:
        raise BadInput(f"{said}: others may read it, and it tells of patients. Try: chmod 600 {shlex.quote(str(file))}")


def _demand_apart(file: Path, run_dir: Path, said: str) -> None:
    folders = file.resolve().parents
    if run := _run_around(folders, run_dir):
        raise BadInput(f"{said}: lies in the run folder {run}, which may be handed on. Keep it elsewhere.")
    if _run_around(_runs_beside(folders), run_dir):
        raise BadInput(f"{said}: lies in the private folder of a run, which is purged. Copy it to a place that stays.")


def take_private(folder: Path, said: str) -> None:
    """Make a folder that a user named, for its owner alone, or take the one that is there if it is so already.

    Raises ``BadInput`` as ``demand_own`` does, and ``OSError``.
    """
    if not folder.exists():
        make_private(folder)
    demand_own(folder, said)


def demand_own(folder: Path, said: str) -> None:
    """See to it that a folder is ours and that nobody else may enter it; its mode may be wanted, and is not changed.

    Args:
        folder: What is there.
        said: How a message begins, as with the option that names the folder.

    Raises:
        BadInput: It is not ours, others may enter it, or it is no folder.
        OSError: It cannot be looked at.
    """
    state = folder.stat()
    if not stat.S_ISDIR(state.st_mode):
        raise BadInput(f"{said}: is no folder.")
    if state.st_uid != os.geteuid():
        raise BadInput(f"{said}: belongs to another user. Name a folder of your own.")
    if state.st_mode & _OTHERS and state.st_mode & stat.S_ISVTX:  # such as /tmp: its mode must stay
        raise BadInput(f"{said}: others may enter it, as many share it. Name a new folder within it.")
    if state.st_mode & _OTHERS:
        raise BadInput(f"{said}: others may enter it, and patients' data would lie there. Try: chmod 700 {folder}")


def write_whole(file: Path, data: bytes) -> None:
    """Write a file for its owner alone that is there whole or not at all, however many write it. Raises ``OSError``."""
    part = file.with_name(f".{file.name}.{os.getpid()}-{secrets.token_hex(4)}.part")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
            opened.write(data)
        part.replace(file)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def open_for_owner(path: str, flags: int) -> int:
    """Open a file that only its owner may read, as ``opener`` of ``open``: it may hold texts of patients."""
    return os.open(path, flags, 0o600)


@contextmanager
def without_core(*, wanted: bool = True) -> Iterator[None]:
    """Let this process, and whatever it starts within the block, dump no core: it would hold what was decoded."""
    if not wanted:
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))


@contextmanager
def for_owner_alone(*, wanted: bool = True) -> Iterator[None]:
    """Let whatever the process makes within the block be readable by its owner alone."""
    if not wanted:
        yield
        return
    before = os.umask(_OTHERS)
    try:
        yield
    finally:
        os.umask(before)
