"""``clinhallu-gate draft-gold``: from a manifest with reports to drafts and the sheets that they are reviewed on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from clinhallu_gate.datasets.signed import DRAFT_FILE, DraftedRow, draft_folder, filled_up, read_lines
from clinhallu_gate.engine.retry import RetryPolicy
from clinhallu_gate.errors import BadInput, EvaluationFailed
from clinhallu_gate.events import Listener, ignore
from clinhallu_gate.gold.drafting import Asking, drafts_of
from clinhallu_gate.gold.folder import CSV_FILE, FAILURE_FILE, HTML_FILE
from clinhallu_gate.gold.prompt import Draft, draft_prompt
from clinhallu_gate.gold.rows import GoldRow, Reading, gold_rows, source_named
from clinhallu_gate.gold.sheet import SheetRow, csv_sheet, html_sheet
from clinhallu_gate.pipeline.asked import Asked, asked_model
from clinhallu_gate.pipeline.options import RunOptions
from clinhallu_gate.pipeline.run import utc_now
from clinhallu_gate.private import demand_private, take_private, write_whole
from clinhallu_gate.report.figures import plural
from clinhallu_gate.vocabulary import GoldSource

_LISTED: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftOptions:
    """What the command was told."""

    model: RunOptions
    """Who is asked, in the words of a run."""
    out: Path | None = None
    limit: int | None = None
    with_images: bool = False
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    emit: Listener = ignore


@dataclass(frozen=True, slots=True)
class Drafted:
    """What was drafted, and what was not."""

    folder: Path
    manifest: Path
    rows: tuple[DraftedRow, ...]
    left_alone: int
    """Rows with whole gold: the manifest's own, or signed."""
    left_for_later: int
    """Rows beyond ``--limit``."""
    lost: int
    """Rows of which the server gave no reply."""

    @property
    def text(self) -> str:
        """Return it for a terminal: one line, then a line for each row without a draft."""
        bare = [row for row in self.rows if row.gold is None]
        counts = [f"{plural(len(self.rows) - len(bare), 'row')} drafted", f"{len(bare)} without a draft"]
        counts += [f"{self.left_alone} left alone, as their gold is whole"] if self.left_alone else []
        counts += [f"{self.left_for_later} beyond --limit"] if self.left_for_later else []
        lines = [f"{self.manifest.name}:{row.row}: {row.trouble}" for row in bare[:_LISTED]]
        more = [f"and {len(bare) - _LISTED} more, in {DRAFT_FILE}"] if len(bare) > _LISTED else []
        steps = f"Review them in {self.folder / HTML_FILE}, save, then: clinhallu-gate sign-gold {self.manifest} SAVED"
        return "\n".join([f"{self.folder}: {', '.join(counts)}.", *lines, *more, f'{steps} --reviewer "NAME"'])


def draft_gold(spec: str, options: DraftOptions) -> Drafted:
    """Draft what a manifest's rows lack, and write ``draft.jsonl``, ``review.html`` and ``review.csv``.

    Args:
        spec: The manifest, a folder with one, or a DICOMweb server and a manifest, as ``--data`` takes them.
        options: Who is asked, and where the drafts lie (by default beside the manifest).

    Raises:
        BadInput: A manifest, a row, a model or a folder that cannot be used.
        EvaluationFailed: The server died, refuses everything, or gave no reply to some rows: then what could be
            drafted is written, and the same command goes on. Or no reply could be read.
    """
    _demand_numbers(options)
    source = source_named(spec)
    manifest = source.manifest
    # Reports are of patients, whatever the rows say: nobody is asked but this machine and hosts that are allowed.
    asked = asked_model(options.model, look_only=False, patients=True)
    folder = options.out or draft_folder(manifest)
    _make(folder)
    if options.model.private_cache is not None:
        demand_private(options.model.private_cache)
    rows = gold_rows(source, Reading(options.model.private_cache or folder, options.model.allow_hosts))
    wanted = [row for row in rows if row.laid.source in (GoldSource.ABSENT, GoldSource.UNSIGNED)]
    chosen = wanted[: options.limit]
    drafts = _drafts(chosen, options, asked, folder)
    before = _before(folder)
    lines = _lines(chosen, drafts, asked, before)
    sheet = [SheetRow(row, line, drafts[row.instance.id].warning) for row, line in zip(chosen, lines, strict=True)]
    write_private(folder / CSV_FILE, csv_sheet(sheet))
    write_private(folder / HTML_FILE, html_sheet(manifest.name, sheet, with_images=options.with_images))
    write_private(folder / DRAFT_FILE, _with_earlier(lines, before))
    drafted = Drafted(
        folder,
        manifest,
        tuple(lines),
        left_alone=len(rows) - len(wanted),
        left_for_later=len(wanted) - len(chosen),
        lost=sum(draft.lost for draft in drafts.values()),
    )
    _demand_replies(drafted, drafts)
    return drafted


def _demand_replies(drafted: Drafted, drafts: Mapping[str, Draft]) -> None:
    """Raise ``EvaluationFailed`` if rows had no reply, or if none could be read; what there is was written."""
    if drafted.lost:
        again = f"{drafted.lost} of {len(drafts)} rows had no reply; the same command asks for them again"
        raise EvaluationFailed(f"{again}.\n{drafted.text}")
    unread = sum(draft.unread for draft in drafts.values())
    if unread and not any(draft.gold for draft in drafts.values()):
        raise EvaluationFailed(
            f"nothing was drafted, as none of {unread:,} replies could be read: another model may write the form that "
            f"is asked for.\n{drafted.text}"
        )


def _demand_numbers(options: DraftOptions) -> None:
    if options.limit is not None and options.limit < 1:
        raise BadInput(f"--limit: {options.limit} is not a number of rows. Valid: 1 or more.")
    calls = options.model.concurrency
    if calls is not None and calls < 1:
        raise BadInput(f"--concurrency: {calls} is not a number of calls in flight. Valid: 1 or more.")


def _make(folder: Path) -> None:
    try:
        take_private(folder, f"--out: {folder}")
    except OSError as error:
        raise BadInput(f"--out: {folder} cannot be written: {error.strerror or error}.") from None


def _drafts(rows: Sequence[GoldRow], options: DraftOptions, asked: Asked, folder: Path) -> Mapping[str, Draft]:
    asking = Asking(
        asked=asked,
        prompt=draft_prompt(),
        folder=folder,
        concurrency=options.model.concurrency,
        timeout_s=options.model.call_timeout_s,
        retry=options.retry,
        emit=options.emit,
    )
    try:
        return drafts_of(rows, asking)
    except EvaluationFailed as error:
        if str(error) == error.message:
            raise
        write_private(folder / FAILURE_FILE, f"{error}\n".encode())
        said = f"{error.message} (what was said of it is in {folder / FAILURE_FILE})"
        raise EvaluationFailed(f"{said}; the same command goes on from what was answered") from None


def _before(folder: Path) -> Mapping[str, DraftedRow]:
    """Return what was drafted before; a draft that is the same again keeps its time."""
    return {line.id: line for line in read_lines(folder / DRAFT_FILE, DraftedRow)}


def _lines(
    rows: Sequence[GoldRow], drafts: Mapping[str, Draft], asked: Asked, before: Mapping[str, DraftedRow]
) -> list[DraftedRow]:
    now, prompt = utc_now(), draft_prompt()
    who = asked.identity
    revision = who.revision or (f"weights {who.weights_sha256[:12]}" if who.weights_sha256 else "revision not told")
    lines = []
    for row in rows:
        draft, own = drafts[row.instance.id], row.own.gold
        line = DraftedRow(
            id=row.instance.id,
            row=row.number,
            content_sha256=row.content_sha256,
            report_sha256=row.report.sha256,
            gold=filled_up(own, draft.gold) if draft.gold else None,
            trouble=draft.trouble,
            drafted_by=f"{asked.entry.name} ({revision}), prompt {prompt.name} {prompt.version}" if draft.gold else "",
            prompt_sha256=prompt.sha256 if draft.gold else "",
            drafted=now if draft.gold else "",
        )
        old = before.get(line.id)
        lines.append(old if old is not None and _stays(old, line, draft) else line)
    return lines


def _stays(old: DraftedRow, new: DraftedRow, draft: Draft) -> bool:
    """Whether an earlier draft stays: it is the same again, or there was no reply to take its place."""
    if draft.lost:
        return old.gold is not None and old.content_sha256 == new.content_sha256
    return old.model_copy(update={"drafted": new.drafted}) == new


def _with_earlier(lines: Sequence[DraftedRow], before: Mapping[str, DraftedRow]) -> bytes:
    """Return the file: what was drafted now, and of all other rows what was drafted before."""
    now = {line.id for line in lines}
    every = [*lines, *(line for line in before.values() if line.id not in now)]
    return b"".join(line.model_dump_json().encode() + b"\n" for line in sorted(every, key=lambda line: line.row))


def write_private(file: Path, data: bytes) -> None:
    """Write a whole file that its owner alone may read, in place of what was there. Raises ``BadInput``."""
    try:
        write_whole(file, data)
    except OSError as error:
        raise BadInput(f"{file} cannot be written: {error.strerror or error}.") from None
