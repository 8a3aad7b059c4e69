"""From rows that name DICOM to rows with drawn images, with facts of the study and the patient of the headers."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from pydicom.uid import UID

from clinhallu_gate.datasets.check import Unfit
from clinhallu_gate.datasets.dataset import DrawnImage, Identifier
from clinhallu_gate.datasets.dicom.header import Header
from clinhallu_gate.datasets.dicom.layout import syntax_name
from clinhallu_gate.datasets.dicom.patients import notes_on, patient_of, shared_by
from clinhallu_gate.datasets.dicom.planning import Entry, Plan, Reader
from clinhallu_gate.datasets.dicom.quiet import quiet
from clinhallu_gate.datasets.dicom.series import Shot
from clinhallu_gate.datasets.dicom.taking import Taken, Want, take
from clinhallu_gate.datasets.dicom.told import stratum_of, tags_of
from clinhallu_gate.datasets.entries import Kind
from clinhallu_gate.datasets.intake import Intakes
from clinhallu_gate.datasets.problems import shown
from clinhallu_gate.datasets.row import Row
from clinhallu_gate.datasets.study import Headers, Study, Wanted


def read_rows(
    root: Path, rows: Mapping[str, Row], kinds: Mapping[str, Kind], intakes: Intakes, *, most: int, wanted: Wanted
) -> Headers:
    """Read what ``rows`` name of DICOM, and draw it.

    Args:
        root: Folder of the manifest.
        rows: All rows, by where each stands: several may bear one identity until it is known which are taken.
        kinds: What the names in rows lead to, where that is DICOM.
        intakes: Where drawn images are kept.
        most: Images that the model takes at once.
        wanted: Tells rows that are taken, and so are drawn.
    """
    reader = Reader(root.resolve(), kinds, most)
    with quiet():
        studies: dict[str, Study | Unfit] = {}
        drawn: dict[str, Plan] = {}
        for place, found in _plans(reader, rows):
            if isinstance(found, Unfit):
                studies[place] = found
            elif wanted(place, found.row):
                drawn[place] = found
            else:
                studies[place] = Study(found.row)
        taken = _taken(drawn.values(), intakes)
    studies |= {place: _study(place, plan, taken, reader.root) for place, plan in drawn.items()}
    read = [header for header in reader.known.values() if isinstance(header, Header)]
    return Headers(
        files=tuple(reader.known),
        identifiers=_identifiers(read) if any(row.phi for row in rows.values()) else frozenset(),
        notes=tuple(notes_on((plan.row, plan.headers) for plan in drawn.values())),
        studies=studies,
    )


def _plans(reader: Reader, rows: Mapping[str, Row]) -> Iterator[tuple[str, Plan | Unfit]]:
    for place, row in rows.items():
        if any(name in reader.kinds for name in row.images):
            try:
                yield place, reader.plan(row)
            except Unfit as unfit:
                yield place, unfit


def _taken(plans: Iterable[Plan], intakes: Intakes) -> dict[Want, Taken | str]:
    """Draw everything once; what any patient's row shows goes where patients' images go."""
    private: set[Want] = set()
    every: set[Want] = set()
    for plan in plans:
        every.update(plan.wants)
        private.update(plan.wants if plan.row.phi else ())
    return {**take(every - private, intakes, phi=False), **take(private, intakes, phi=True)}


def _identifiers(headers: Sequence[Header]) -> frozenset[Identifier]:
    return frozenset().union(*(header.identifiers for header in headers))


def _study(place: str, plan: Plan, taken: Mapping[Want, Taken | str], root: Path) -> Study | Unfit:
    """Put what was drawn in the place of the entries, or say what could not be drawn."""
    row, facts = plan.row, [header.facts for header in plan.headers]
    names = tuple(name for entry in plan.entries for name in _names(entry, plan))
    lines = [*_undrawn(plan, taken)]
    if lines:
        return Unfit(*lines)
    try:
        drawn = replace(row, images=names, tags=tags_of(row, facts), stratum=stratum_of(row, facts))
    except Unfit as unfit:
        return unfit
    patient = patient_of(plan.headers)
    found = {want: kept for want in plan.wants if isinstance(kept := taken[want], Taken)}
    return Study(
        row=drawn,
        images={want.name: kept.image for want, kept in found.items()},
        shared=shared_by(plan.headers),
        patient_id=patient.id if patient is not None else "",
        drawn=tuple(_drawn(place, shot, found[plan.want(shot)], root) for shot in plan.shots),
        blank=frozenset(kept.image.sha256 for kept in found.values() if kept.blank),
        source=_source(plan),
    )


def _source(plan: Plan) -> str:
    """Return the digest of a row's SOP instances in their order, and of the frames and the window that it names."""
    told = [f"{header.sop or header.path.name} {header.frames}" for header in plan.headers]
    asked = [*map(str, plan.row.frames or ()), f"window {plan.row.window or ''}"]
    return sha256("\n".join([*told, *asked]).encode()).hexdigest()


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


def _drawn(place: str, shot: Shot, kept: Taken, root: Path) -> DrawnImage:
    return DrawnImage(
        instance=place,
        file=shot.header.path.relative_to(root).as_posix(),
        frame=shot.frame,
        sop_instance_uid=shot.header.sop,
        transfer_syntax=syntax_name(UID(shot.header.syntax)),
        window=kept.window,
        steps=kept.steps,
        sha256=kept.image.sha256,
    )
