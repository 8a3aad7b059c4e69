"""``clinhallu-gate sign-gold``: who approved which gold, for what, and when; nothing is signed if anything is wrong."""

import fcntl
import math
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from clinhallu_gate.datasets.signed import (
    SignedRow,
    draft_folder,
    filled_up,
    read_lines,
    signature,
    signed_file,
    trace_sha256,
)
from clinhallu_gate.errors import BadInput
from clinhallu_gate.gold.prompt import cleaned
from clinhallu_gate.gold.reviewed import Reviewed, ReviewedRow, read_reviewed
from clinhallu_gate.gold.rows import GoldRow, Reading, gold_rows, source_named
from clinhallu_gate.pipeline.passing import cache_or_passing
from clinhallu_gate.pipeline.run import utc_now
from clinhallu_gate.records import GoldTrace
from clinhallu_gate.report.figures import plural
from clinhallu_gate.vocabulary import Stage

_LISTED: Final = 50
_AS_SHOWN: Final = 1e-5
"""Six digits are what a spreadsheet shows, and saves, of a long number."""


@dataclass(frozen=True, slots=True)
class Signed:
    """What was recorded."""

    file: Path
    approved: int
    edited: int
    rejected: int
    left_open: int
    before: int
    """Rows that were signed so already, by the same person."""

    @property
    def line(self) -> str:
        """Return it as one line."""
        counts = [f"{self.approved} signed ({self.edited} of them edited)", f"{self.rejected} rejected"]
        counts += [f"{self.left_open} left open", *([f"{self.before} as they were before"] if self.before else [])]
        return f"{self.file}: {', '.join(counts)}."


@dataclass(frozen=True, slots=True)
class SignOptions:
    """Where what is signed lies."""

    out: Path | None = None
    """File to append to; by default beside the manifest, where the gate finds it."""
    private_cache: Path | None = None
    """Folder with drawn images and fetched studies; by default that of the drafts."""
    allow_hosts: tuple[str, ...] = ()
    """Hosts other than this machine that may be asked for studies."""


def sign_gold(spec: str, reviewed: Path, *, reviewer: str, options: SignOptions | None = None) -> Signed:
    """Record what a reviewer decided.

    Args:
        spec: The manifest, a folder with one, or a DICOMweb server and a manifest, as ``--data`` takes them.
        reviewed: What the review sheet saved.
        reviewer: Who stands for it, by name.
        options: Where it lies.

    Raises:
        BadInput: All that is wrong with the rows, without a value of any; nothing is recorded then.
    """
    options = options or SignOptions()
    source = source_named(spec)
    name = _name(reviewer)
    read = read_reviewed(reviewed)
    _demand_same_person(reviewed, read, name)
    file = options.out or signed_file(source.manifest)
    with _cache(source.manifest, file, options.private_cache) as cache:
        rows = {row.content_sha256: row for row in gold_rows(source, Reading(cache, options.allow_hosts))}
    wrong = list(_problems(read, rows))
    if wrong:
        more = [f"and {len(wrong) - _LISTED} more"] if len(wrong) > _LISTED else []
        count = f"{reviewed}: nothing was signed, as {plural(len(wrong), 'row')} cannot be:"
        raise BadInput("\n".join([count, *wrong[:_LISTED], *more]))
    decided = [_signed(row, rows[row.content_sha256], name) for _, row in read.rows if row.decision != "open"]
    fresh = _append(file, decided)
    return Signed(
        file,
        approved=sum(row.decision == "approved" for row in fresh),
        edited=sum(row.edited for row in fresh),
        rejected=sum(row.decision == "rejected" for row in fresh),
        left_open=len(read.rows) - len(decided),
        before=len(decided) - len(fresh),
    )


def _name(reviewer: str) -> str:
    name = cleaned(reviewer).replace("\n", " ")
    if not name:
        raise BadInput('--reviewer: is empty. Name who stands for the gold, as in --reviewer "Dr. N. Name".')
    return name


def _demand_same_person(path: Path, read: Reviewed, name: str) -> None:
    """Raise ``BadInput`` if the sheet says that somebody else reviewed it."""
    others = sorted(one for one in read.reviewers if one.casefold() != name.casefold())
    if others:
        raise BadInput(
            f"{path}: was reviewed by {others[0]!r}, and --reviewer names {name!r}: nobody signs for another."
        )


@contextmanager
def _cache(manifest: Path, file: Path, named: Path | None) -> Iterator[Path]:
    """Give a folder for drawn images and fetched studies: one that is named, that of the drafts, or one for now."""
    if named is None and draft_folder(manifest).is_dir():
        yield draft_folder(manifest)
        return
    with cache_or_passing(named, file) as cache:
        yield cache


def _problems(read: Reviewed, rows: Mapping[str, GoldRow]) -> Iterator[str]:
    """Say of each row why it cannot be signed."""
    numbers = {row.instance.id: row.number for row in rows.values()}
    seen: dict[str, str] = {}
    for where, row in read.rows:
        known = rows.get(row.content_sha256)
        first = seen.setdefault(row.content_sha256, where)
        if known is None and row.id in numbers:
            yield f"{where}: row {numbers[row.id]} has another question, answer or image than was drafted for"
        elif known is None:
            yield f"{where}: is of no row of the manifest"
        elif first != where:
            yield f"{where}: is the same row as {first}"
        elif row.decision != "open":
            if not _is_id(row.id, known.instance.id, numbers):
                yield (
                    f"{where}: has another id than row {known.number}, for which it was drafted; a spreadsheet may "
                    "have changed it, so put it back"
                )
            yield from (f"{where}: {why}" for why in _unfit(row, known))


def _is_id(said: str, own: str, all_ids: Collection[str]) -> bool:
    """Whether a sheet's row bears the id that it had, as a spreadsheet writes numbers if need be: 7, or 2.02603E+16.

    Texts stand beside another id where a column was sorted or copied alone.
    """
    if not said or said == cleaned(own):
        return True
    with suppress(ValueError):
        return said not in all_ids and math.isclose(float(said), float(own), rel_tol=_AS_SHOWN)
    return False


def _unfit(row: ReviewedRow, known: GoldRow) -> Iterator[str]:
    if known.report.sha256 and row.report_sha256 and row.report_sha256 != known.report.sha256:
        yield f"the report of row {known.number} changed since the draft: draft it again"
    if row.decision == "rejected":
        return
    empty = [stage.value for stage in Stage if row.gold.text(stage) is None]
    if empty:
        yield f"approved, but {', '.join(empty)} is empty"
    elif any(cleaned(own) != row.gold.text(stage) for stage in Stage if (own := known.own.gold.text(stage))):
        yield f"row {known.number} holds gold of its own that differs; change it in the manifest"
    if row.too_long:
        yield "a stage is too long for a sheet to keep it whole"


def _signed(row: ReviewedRow, known: GoldRow, reviewer: str) -> SignedRow:
    gold = filled_up(known.own.gold, row.gold) if row.decision == "approved" else GoldTrace()
    return SignedRow(
        id=known.instance.id,  # of the manifest: a spreadsheet makes 7 of 007
        decision="approved" if row.decision == "approved" else "rejected",
        gold=gold,
        note=row.note,
        content_sha256=row.content_sha256,
        sha256=signature(row.content_sha256, gold),
        draft_sha256=row.draft_sha256,
        drafted_by=row.drafted_by,
        edited=row.decision == "approved" and trace_sha256(gold) != row.draft_sha256,
        reviewer=reviewer,
        signed=utc_now(),
    )


def _append(file: Path, decided: Sequence[SignedRow]) -> list[SignedRow]:
    """Append what is new, whole or not at all; return it. What was signed before stays as the rows' history."""
    try:
        handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            last = {line.id: line for line in read_lines(file, SignedRow)}
            fresh = [row for row in decided if not _is_same(row, last.get(row.id))]
            _write_whole(handle, b"".join(row.model_dump_json().encode() + b"\n" for row in fresh))
        finally:
            os.close(handle)
    except OSError as error:
        raise BadInput(f"{file}: cannot be written: {error.strerror or error}.") from None
    return fresh


def _write_whole(handle: int, lines: bytes) -> None:
    """Append ``lines`` on a line of their own, or leave the file as it was. Raises ``OSError``."""
    size = os.fstat(handle).st_size
    unended = lines and size and os.pread(handle, 1, size - 1) != b"\n"  # as an editor may have left it
    rest = memoryview(b"\n" + lines if unended else lines)
    try:
        while rest:
            rest = rest[os.write(handle, rest) :]
        os.fsync(handle)
    except OSError:
        os.ftruncate(handle, size)
        raise


def _is_same(row: SignedRow, last: SignedRow | None) -> bool:
    when = {"signed": ""}
    return last is not None and row.model_copy(update=when) == last.model_copy(update=when)
