"""Verify an archive: that nothing in it was changed, and that it tells of one run."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final

from clinhallu_gate.errors import BadInput, DoesNotHold
from clinhallu_gate.evidence.container import Member, Place, checksum, places, written
from clinhallu_gate.evidence.contents import (
    DECISION,
    FILES,
    KEPT_APART,
    LARGEST_TEXT,
    MANIFEST,
    STATEMENT,
    SUMS,
    Told,
    Unreadable,
    disagreements,
    files_of,
    read_json,
    sha256,
    told,
)
from clinhallu_gate.evidence.statement import differences, read_sums, statement, statement_bytes
from clinhallu_gate.report.figures import plural
from clinhallu_gate.report.files import holds_texts, policy_name
from clinhallu_gate.report.pictures import ASSETS
from clinhallu_gate.report.visible import one_line

#: Files that one line names.
_NAMED: Final = 5


@dataclass(frozen=True, slots=True)
class Verified:
    """What an archive that holds is of."""

    model: str
    decision: str
    instances: int
    files: int
    """Without the statement and the list of digests."""
    holds_texts: bool = True

    @property
    def line(self) -> str:
        """Return it as one line."""
        counts = f"{plural(self.instances, 'instance')}, {plural(self.files, 'file')}"
        return f"verified: {one_line(self.model)}, {self.decision}, {counts}"


def verify(path: Path) -> Verified:
    """Check every digest, that nothing is missing or added, that all speak of one run, and every byte of the archive.

    Whoever can make an archive can make another one that holds: this tells that nothing was changed since it was
    packed, not who packed it.

    Raises:
        BadInput: The file cannot be read, or is no archive that may be opened.
        DoesNotHold: It can be read, and is not what was packed; the message names each file and what was expected.
    """
    if path.exists() and not path.is_file():
        raise BadInput(f"{path}: cannot be read: it is no file.")  # a pipe would be waited for
    try:
        with path.open("rb") as file:
            return _Archive(path, file).verified()
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror or error}.") from None


class _Archive:
    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path, self._file = path, file
        self._places: Mapping[str, Place] = {place.name: place for place in places(file, path)}

    def verified(self) -> Verified:
        """Return what it is of; each step rests on those before it."""
        wanted = tuple(name for name in FILES if name not in KEPT_APART)
        self._demand([f"{name}: is missing" for name in (*wanted, STATEMENT, SUMS) if name not in self._places])
        try:
            manifest = read_json(MANIFEST, self._content(MANIFEST))
            self._demand([f"{name}: is missing" for name in files_of(manifest) if name not in self._places])
            digests = self._checked_digests()
            run = told(self._content(DECISION), self._content(MANIFEST))
            self._demand(list(_additions(run, digests)))
            self._demand(list(disagreements(run, digests)))
            self._check_statement(run, digests)
        except Unreadable as error:
            raise DoesNotHold(f"{self._path}: does not hold: {one_line(str(error))}.") from None
        self._demand(list(self._changed_bytes()))
        decided = run.decision
        word = decided.decision or f"no decision (exit status {decided.exit_status})"
        return Verified(
            decided.model,
            str(word),
            sum(one.instances for one in decided.datasets),
            len(digests),
            holds_texts(manifest),
        )

    def _demand(self, faults: Sequence[str]) -> None:
        if faults:
            more = f"; and {len(faults) - _NAMED} more" if len(faults) > _NAMED else ""
            told_of = "; ".join(one_line(fault) for fault in faults[:_NAMED])
            raise DoesNotHold(f"{self._path}: does not hold: {told_of}{more}.")

    def _content(self, name: str) -> bytes:
        place = self._places[name]
        if place.size > LARGEST_TEXT:
            raise BadInput(f"{self._path}: {name} is too large: {place.size:,} bytes. Valid: {LARGEST_TEXT:,}.")
        return b"".join(place.chunks(self._file))

    def _checked_digests(self) -> dict[str, str]:
        """Return the digests of the run's files, which the list says, too."""
        listed = read_sums(SUMS, self._content(SUMS))
        found = {name: sha256(place.chunks(self._file)) for name, place in self._places.items() if name != SUMS}
        self._demand(list(_unlike(found, listed, SUMS)))
        return {name: digest for name, digest in found.items() if name != STATEMENT}

    def _check_statement(self, run: Told, digests: Mapping[str, str]) -> None:
        """Check that the statement says what the files say, in the one form in which it is written."""
        content = self._content(STATEMENT)
        stated, expected = read_json(STATEMENT, content), statement(run, digests)
        self._demand([f"{STATEMENT}: {said}" for said in differences(stated, expected)])
        if content != statement_bytes(expected):
            self._demand([f"{STATEMENT}: is not written as it is packed"])

    def _changed_bytes(self) -> Iterator[str]:
        """Yield the first place at which the archive is not what packing its content gives."""
        members = [
            Member(name, place.size, checksum(place.chunks(self._file)), partial(place.chunks, self._file))
            for name, place in self._places.items()
        ]
        at = 0
        for expected in written(members):
            self._file.seek(at)
            found = self._file.read(len(expected))
            if found != expected:
                differs = next(
                    (i for i, pair in enumerate(zip(found, expected, strict=False)) if pair[0] != pair[1]), 0
                )
                yield f"byte {at + differs} of the archive is not as it is packed"
                return
            at += len(expected)
        if self._file.seek(0, 2) != at:
            yield f"{at} bytes expected, and there are more"


def _unlike(found: Mapping[str, str], listed: Mapping[str, str], source: str) -> Iterator[str]:
    for name in sorted(found.keys() | listed.keys()):
        if name not in found:
            yield f"{name}: is missing, {source} lists it"
        elif name not in listed:
            yield f"{name}: was added, {source} does not list it"
        elif found[name] != listed[name]:
            yield f"{name}: SHA-256 {found[name]} found, {listed[name]} expected"


def _additions(run: Told, digests: Mapping[str, str]) -> Iterator[str]:
    """Yield files that are no part of the evidence of any run."""
    known = {*files_of(run.manifest), policy_name(run.decision.thresholds.file)}
    for name in digests:
        if name not in known and not name.startswith(f"{ASSETS}/"):
            yield f"{name}: is no evidence of a run"
