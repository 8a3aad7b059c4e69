"""Pack the evidence of a run into one archive: the same run gives the same bytes."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from clinhallu_gate.errors import BadInput, DoesNotHold
from clinhallu_gate.evidence.container import CHUNK, Member, checksum, name_trouble, written
from clinhallu_gate.evidence.contents import (
    DECISION,
    MANIFEST,
    STATEMENT,
    SUMS,
    Told,
    Unreadable,
    disagreements,
    files_of,
    is_apart,
    read_json,
    sha256,
    told,
)
from clinhallu_gate.evidence.statement import statement, statement_bytes, sums
from clinhallu_gate.evidence.verifying import verify
from clinhallu_gate.private import private_folder
from clinhallu_gate.report.files import holds_texts, policy_name, shows_texts
from clinhallu_gate.report.pictures import ASSETS
from clinhallu_gate.scan import Findings, ScanResult, Search, known_values
from clinhallu_gate.scan.accepted import kept_accepted
from clinhallu_gate.scan.kept import HITS_FILE, places_of, read_identifiers, said_by, write_hits
from clinhallu_gate.vocabulary import Detail

DEFAULT_NAME: Final = "evidence.zip"


@dataclass(frozen=True, slots=True)
class Packed:
    """An archive that was written."""

    file: Path
    files: int
    sha256: str
    holds_texts: bool

    @property
    def line(self) -> str:
        """Return it as one line."""
        return f"{self.file}: {self.files} files, SHA-256 {self.sha256}. " + (
            "It holds the texts of the run: keep it as you keep the data." if self.holds_texts else "It holds no texts."
        )


def pack(run: Path, out: Path | None = None, *, thresholds: Path | None = None) -> Packed:
    """Pack what a run left, with the policy that decided it, and verify the archive.

    Args:
        run: Folder of the run.
        out: The file; by default ``evidence.zip`` in the run's folder. Only its owner may read it.
        thresholds: Where the thresholds file lies now; by default where the run found it.

    Raises:
        BadInput: The run is not finished, its files are not of one run, the thresholds file is gone or was changed, a
            file holds something of a patient, or the archive is there already or cannot be written.
    """
    try:
        members = _members(run, thresholds)
    except Unreadable as error:
        raise BadInput(f"{run / str(error)}.") from None
    except OSError as error:
        raise BadInput(f"{error.filename}: cannot be read: {error.strerror or error}.") from None
    file = out or run / DEFAULT_NAME
    _write(file, members)
    try:
        verified = verify(file)
    except (BadInput, DoesNotHold) as error:
        file.unlink()
        raise BadInput(f"{run}: was changed while it was packed ({error}).") from None
    return Packed(file, verified.files, sha256(_chunks(file)), verified.holds_texts)


def _members(run: Path, thresholds: Path | None) -> list[Member]:
    files = dict(_files(run))
    document = told((run / DECISION).read_bytes(), (run / MANIFEST).read_bytes())
    policy = _policy(run, document, thresholds)
    files[policy_name(document.decision.thresholds.file)] = policy
    for name in files:
        if trouble := name_trouble(name):
            raise BadInput(f"{run}: {name!r} {trouble}, so it cannot be packed.")
    _demand_no_patient(run, document, files)
    digests = {name: sha256(_chunks(file)) for name, file in files.items()}
    for said in disagreements(document, digests):
        raise BadInput(f"{run}: is not of one run: {said}.")
    stated = statement_bytes(statement(document, digests))
    listed = sums({**digests, STATEMENT: sha256([stated])})
    return [*(_file(name, file) for name, file in files.items()), _made(STATEMENT, stated), _made(SUMS, listed)]


def _demand_no_patient(run: Path, document: Told, files: Mapping[str, Path]) -> None:
    """Raise ``BadInput`` if a file holds something that is known of the run's patients, or a scan before said so.

    What is known of them lies in the private folder: where the run folder was handed on, that scan has to do.
    """
    manifest, kept = document.manifest, private_folder(run)
    found = _scanned_before(manifest)
    if not found and (identifiers := read_identifiers(kept)) and is_apart(manifest):
        said = said_by(manifest, document.decision.model_dump(mode="json"))
        known = known_values(identifiers, said=said, places=places_of(manifest), accepted=kept_accepted(kept))
        search = Search(known)
        shown = Detail.FULL if holds_texts(manifest) else Detail.REDACTED
        shared = ((name, file) for name, file in files.items() if not shows_texts(name, shown))
        findings = Findings()
        found = [str(hit) for name, file in shared for hit in findings.add(search.file(file, name))]
        with suppress(OSError):  # where it cannot be written, it is refused all the same
            if found:
                write_hits(kept, findings)
            else:  # what it listed before is mended or accepted
                (kept / HITS_FILE).unlink(missing_ok=True)
    if found:
        where = f" See {kept / HITS_FILE}." if (kept / HITS_FILE).is_file() else ""
        raise BadInput(f"{run}: known-value scan: {'; '.join(found)}: it is not packed.{where}")


def _scanned_before(manifest: Mapping[str, Any]) -> list[str]:
    found = manifest.get("known_values")
    if found is None:
        return []
    try:
        return list(map(str, ScanResult.model_validate(found).hits))
    except ValidationError:
        return [f"{MANIFEST}: known_values: cannot be read"]


def _files(run: Path) -> Iterator[tuple[str, Path]]:
    """Yield what the folder holds of the evidence, by name."""
    manifest = read_json(MANIFEST, (run / MANIFEST).read_bytes()) if (run / MANIFEST).is_file() else {}
    for name in files_of(manifest):
        if not (run / name).is_file():
            raise BadInput(f"{run}: is not the folder of a finished run (it has no {name}).")
        yield name, _no_link(run / name)
    for file in sorted(_no_link(run / ASSETS).rglob("*")):
        if _no_link(file).is_file():
            yield file.relative_to(run).as_posix(), file


def _no_link(file: Path) -> Path:
    if file.is_symlink():
        raise BadInput(f"{file}: is a link, and evidence is packed from files alone.")
    return file


def _policy(run: Path, document: Told, thresholds: Path | None) -> Path:
    """Return the thresholds file that decided the run."""
    decided = document.decision.thresholds
    file = thresholds or Path(decided.file)
    then = f"{run} was decided by the one with SHA-256 {decided.sha256}"
    try:
        found = sha256(_chunks(file))
    except OSError as error:
        raise BadInput(
            f"{file}: cannot be read: {error.strerror}; {then}. --thresholds FILE says where it lies now."
        ) from None
    if found != decided.sha256:
        raise BadInput(f"{file}: is another file now, SHA-256 {found}; {then}. --thresholds FILE says where it lies.")
    return file


def _file(name: str, file: Path) -> Member:
    return Member(name, file.stat().st_size, checksum(_chunks(file)), partial(_chunks, file))


def _made(name: str, content: bytes) -> Member:
    return Member(name, len(content), checksum([content]), lambda: iter([content]))


def _chunks(file: Path) -> Iterator[bytes]:
    with file.open("rb") as opened:
        while chunk := opened.read(CHUNK):
            yield chunk


def _write(file: Path, members: Sequence[Member]) -> None:
    """Write the archive to a new file that only its owner may read; leave none behind that is not whole."""
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise BadInput(f"--out: {file} is there already; name another file.") from None
    except (OSError, ValueError) as error:
        raise BadInput(f"--out: {file} cannot be written: {getattr(error, 'strerror', None) or error}.") from None
    try:
        with os.fdopen(handle, "wb") as opened:
            opened.writelines(written(members))
    except OSError as error:
        file.unlink()
        raise BadInput(f"--out: {file} cannot be written: {error.strerror or error}.") from None
    except BaseException:
        file.unlink()
        raise
