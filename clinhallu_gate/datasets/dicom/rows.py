"""From rows that name DICOM to rows with drawn images, with facts of the study and the patient of the headers."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pydicom.uid import UID

from clinhallu_gate.datasets.check import Unfit
from clinhallu_gate.datasets.dataset import DrawnImage, Identifier
from clinhallu_gate.datasets.dicom.header import Header
from clinhallu_gate.datasets.dicom.layout import syntax_name
from clinhallu_gate.datasets.dicom.patients import notes_on, shared_by
from clinhallu_gate.datasets.dicom.planning import Entry, Plan, Reader
from clinhallu_gate.datasets.dicom.quiet import quiet
from clinhallu_gate.datasets.dicom.series import Shot
from clinhallu_gate.datasets.dicom.taking import Taken, Want, take
from clinhallu_gate.datasets.dicom.told import stratum_of, tags_of
from clinhallu_gate.datasets.entries import Kind
from clinhallu_gate.datasets.intake import Intakes
from clinhallu_gate.datasets.problems import shown
from clinhallu_gate.datasets.row import Row
from clinhallu_gate.datasets.study import Headers, Study


def read_rows(
    root: Path, rows: Mapping[str, Row], kinds: Mapping[str, Kind], intakes: Intakes, *, most: int
) -> Headers:
    """Read and draw what ``rows`` name of DICOM.

    Args:
        root: Folder of the manifest.
        rows: All rows, by their identity.
        kinds: What the names in rows lead to, where that is DICOM.
        intakes: Where drawn images are kept.
        most: Images that the model takes at once.
    """
    reader = Reader(root.resolve(), kinds, most)
    plans: dict[str, Plan] = {}
    studies: dict[str, Study | Unfit] = {}
    with quiet():
        for identity, row in rows.items():
            if any(name in kinds for name in row.images):
                try:
                    plans[identity] = reader.plan(row)
                except Unfit as unfit:
                    studies[identity] = unfit
        private = {want for plan in plans.values() if plan.row.phi for want in plan.wants}
        shared = {want for plan in plans.values() for want in plan.wants} - private
        taken = {**take(shared, intakes, phi=False), **take(private, intakes, phi=True)}
    for identity, plan in plans.items():
        try:
            studies[identity] = _study(identity, plan, taken, reader.root)
        except Unfit as unfit:
            studies[identity] = unfit
    read = [header for header in reader.known.values() if isinstance(header, Header)]
    return Headers(
        files=tuple(reader.known),
        identifiers=_identifiers(read) if any(row.phi for row in rows.values()) else frozenset(),
        notes=tuple(notes_on((plan.row, plan.headers) for plan in plans.values())),
        studies=studies,
    )


def _identifiers(headers: Sequence[Header]) -> frozenset[Identifier]:
    return frozenset().union(*(header.identifiers for header in headers))


def _study(identity: str, plan: Plan, taken: Mapping[Want, Taken | str], root: Path) -> Study:
    """Put what was drawn in the place of the entries. Raises ``Unfit`` for what could not be drawn."""
    lines = [*_undrawn(plan, taken)]
    if lines:
        raise Unfit(*lines)
    row, found = plan.row, {want: kept for want in plan.wants if isinstance(kept := taken[want], Taken)}
    names = [name for entry in plan.entries for name in _names(entry, plan)]
    facts = [header.facts for header in plan.headers]
    days = [header.day for header in plan.headers if header.day is not None]
    told = {
        "images": tuple(names),
        "tags": tags_of(row, facts),
        "stratum": stratum_of(row, facts),
        "study_date": row.study_date or max(days, default=None),
    }
    return Study(
        row=row.model_copy(update=told),
        images={want.name: kept.image for want, kept in found.items()},
        content=(
            *sorted(header.sop for header in plan.headers),
            *map(str, row.frames),
            row.window or "",
        ),
        shared=shared_by(plan.headers),
        drawn=tuple(_drawn(identity, shot, found[plan.want(shot)], root) for shot in plan.shots),
        blank=frozenset(kept.image.sha256 for kept in found.values() if kept.blank),
    )


def _undrawn(plan: Plan, taken: Mapping[Want, Taken | str]) -> Iterator[str]:
    """Say once of each entry why it cannot be drawn."""
    for place, entry in enumerate(plan.entries):
        shots = [] if isinstance(entry, str) else entry
        for shot in [shot for shot in shots if isinstance(taken[plan.want(shot)], str)][:1]:
            inside = f"{shown(shot.header.path.name)} " if len({each.header.path for each in shots}) > 1 else ""
            frame = f"(frame {shot.frame}) " if shot.header.frames > 1 else ""
            yield f"images[{place}]: {shown(plan.row.images[place])} {inside}{frame}{taken[plan.want(shot)]}"


def _names(entry: Entry, plan: Plan) -> list[str]:
    return [entry] if isinstance(entry, str) else [plan.want(shot).name for shot in entry]


def _drawn(identity: str, shot: Shot, kept: Taken, root: Path) -> DrawnImage:
    return DrawnImage(
        instance=identity,
        file=shot.header.path.relative_to(root).as_posix(),
        frame=shot.frame,
        sop_instance_uid=shot.header.sop,
        transfer_syntax=syntax_name(UID(shot.header.syntax)),
        window=kept.window,
        steps=kept.steps,
        sha256=kept.image.sha256,
    )
