"""From rows and pictures to a data set: every row checked, every problem noted, nothing skipped."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import date
from sys import intern
from typing import Any, Final

from clinhallu_gate.datasets.check import Unfit, options_of
from clinhallu_gate.datasets.checked import Checked, RowsByPlace
from clinhallu_gate.datasets.clusters import components
from clinhallu_gate.datasets.dataset import Dataset, Selected, content_digest
from clinhallu_gate.datasets.frozen_list import Frozen
from clinhallu_gate.datasets.intake import Intakes, Pictures, Refused
from clinhallu_gate.datasets.period import Period, said_day
from clinhallu_gate.datasets.problems import Problem, shown, told
from clinhallu_gate.datasets.reading import RawRow
from clinhallu_gate.datasets.row import REPORTS, TAGGED, Row
from clinhallu_gate.datasets.signed import GoldBeside, Laid
from clinhallu_gate.datasets.study import Headers, Studies
from clinhallu_gate.keeping import Keeper, Kept, KeptList, KeptMap
from clinhallu_gate.records import Image, Instance
from clinhallu_gate.vocabulary import GoldSource, Stage

_NAMED: Final = ("source_id", "id", "original_index")
_DEEPEST: Final = 100
_NO_NUMBER: Final = 2**63
"""Sorts after every number, which sorts by its length and then its digits."""


@dataclass(frozen=True, slots=True)
class Part:
    """What was made of one data set."""

    dataset: Dataset
    problems: tuple[Problem, ...]
    rows: int
    """How many there were."""


@dataclass(slots=True)
class Choosing:
    """Which rows are taken, and how many were not."""

    period: Period | None = None
    frozen: Frozen | None = None
    outside: int = 0
    unlisted: int = 0

    @property
    def active(self) -> bool:
        """Whether anything is chosen at all."""
        return self.period is not None or self.frozen is not None

    def wants(self, uid: str, day: date | None) -> bool:
        """Whether a row of which all is known is taken; a row without a day has no place in any period."""
        listed = self.frozen is None or self.frozen.name_of(uid) is not None
        return listed and (self.period is None or (day is not None and day in self.period))

    def leaves_out(self, uid: str, day: date | None) -> bool:
        """Whether a row is not taken, and count it."""
        if self.frozen is not None and self.frozen.name_of(uid) is None:
            self.unlisted += 1
            return True
        if self.period is not None and day is not None and day not in self.period:
            self.outside += 1
            return True
        return False


@dataclass(slots=True)
class Assembly:
    """The making of one data set."""

    name: str
    check: Callable[[Mapping[str, Any]], Row]
    pictures: Pictures
    intakes: Intakes
    taken: KeptMap[Image | Refused] = field(init=False)
    """Images by name; those that came embedded in rows are there before."""
    problems: list[Problem] = field(default_factory=list)
    patients: set[str] = field(default_factory=set)
    """Files with a row that is a patient's, or might be: of such a file no problem tells a row's values."""
    studies: Studies | None = None
    """Draws DICOM, where rows may name any."""
    choosing: Choosing = field(default_factory=Choosing)
    beside: GoldBeside | None = None
    """Gold that was drafted or signed for a user's own rows; None for data that come with theirs."""
    sort: bool = False
    """Whether the rows' order is of no meaning, and that of their identities is taken."""

    def __post_init__(self) -> None:
        """Begin with no image."""
        self.taken = KeptMap(self.intakes.keeper)

    def make(self, raws: Iterable[RawRow], sources: Mapping[str, str]) -> Part:
        """Check all rows and their images."""
        total, checked = self._rows(raws)
        checked = [item for item in checked if not self._is_elsewhere(item)]
        headers = self._headers(checked)
        checked = [item for item in self._drawn(checked, headers) if self._is_chosen(item)]
        checked = self._without_twins(checked)
        self._take(checked)
        usable = [item for item in checked if self._has_images(item)]
        if self.sort:
            usable.sort(key=lambda item: (len(item.id), item.id) if item.id.isdecimal() else (_NO_NUMBER, item.id))
        made = self._made(usable)
        problems = sorted(
            replace(problem, text=told(problem.text, withhold=problem.file in self.patients))
            for problem in self.problems
        )
        chosen = self.choosing
        selected = Selected(total, outside=chosen.outside, unlisted=chosen.unlisted) if chosen.active else None
        dataset = Dataset(
            self.name,
            content_digest(made.instances),
            made.instances,
            rows=made.rows,
            sources=sources,
            left_out=tuple(problems),
            files=headers.files,
            identifiers=headers.identifiers,
            patient_ids={item.id: item.study.patient_id for item in usable if item.study and item.study.patient_id},
            pictured={item.id: self._pictured(item, item.row) for item in usable if item.study},
            drawn=tuple(
                replace(image, instance=item.id) for item in usable if item.study for image in item.study.drawn
            ),
            notes=headers.notes,
            selected=selected,
            gold_of=made.gold_of,
            unsigned=tuple(made.unsigned),
        )
        return Part(dataset, dataset.left_out, total)

    def _made(self, usable: Sequence[Checked]) -> "_Made":
        """Return the instances, with the gold that was laid over them."""
        clusters = components((item.id, self._connecting(item)) for item in usable)
        made = _Made(self.intakes.keeper)
        for item in usable:
            row = item.row
            instance = instance_of(self.name, row, self._images(row), clusters[item.id])
            laid = None if self.beside is None else self.beside.lay(instance, self._pictured(item, row))
            made.add(item, instance, laid)
        return made

    def _images(self, row: Row) -> tuple[Image, ...]:
        """Return what is sent for a row's images."""
        return tuple(image for name in row.images if isinstance(image := self.taken[name], Image))

    def _connecting(self, item: Checked) -> Iterator[Hashable]:
        """Yield what makes a row and others with it one cluster: a patient, a video, an image."""
        row, study = item.row, item.study
        yield from ((kind, value) for kind, value in (("group", row.group), ("video", row.video_id)) if value)
        yield from study.shared if study else ()
        # Images of one brightness others have by chance.
        yield from {image.sha256 for image in self._images(row)} - (study.blank if study else frozenset())

    def _pictured(self, item: Checked, row: Row) -> tuple[str, ...]:
        """Return what tells which images a row speaks of: a study as a whole, of others what is sent."""
        if item.study is None:
            return tuple(image.sha256 for image in self._images(row))
        plain = (self.taken[name] for name in row.images if name not in item.study.images)
        return (item.study.source, *(image.sha256 for image in plain if isinstance(image, Image)))

    def _rows(self, raws: Iterable[RawRow]) -> tuple[int, list[Checked]]:
        checked: list[Checked] = []
        total = 0
        for total, raw in enumerate(raws, 1):  # noqa: B007 - counted
            if raw.content.get("phi", False) not in (False, None):
                self.patients.add(raw.file)
            try:
                checked.append(Checked.of(raw, self._fit(raw), self.intakes.keeper))
            except Unfit as unfit:
                if self._is_none_of_ours(raw):
                    continue
                self.problems += [Problem(raw.file, raw.number, line) for line in unfit.lines]
        return total, checked

    def _without_twins(self, taken: Sequence[Checked]) -> list[Checked]:
        """Return the first row of each identity; rows that are not taken, such as last year's, are in nobody's way."""
        first: dict[str, Checked] = {}
        for item in taken:
            other = first.setdefault(item.id, item)
            if other is not item:
                self.problems.append(item.problem(f"{shown(item.id)} is already the identity of {other.place}"))
        return list(first.values())

    def _headers(self, checked: Sequence[Checked]) -> Headers:
        """Read what rows name of DICOM, and draw it for rows that are taken."""
        if self.studies is None:
            return Headers()
        rows = RowsByPlace(checked)
        return self.studies.read(
            rows, lambda place, row: self.choosing.wants(f"{self.name}/{rows.items_at[place].id}", row.study_date)
        )

    def _is_elsewhere(self, item: Checked) -> bool:
        """Whether what the row itself says leaves it out: then none of its files is read."""
        return self.choosing.active and self.choosing.leaves_out(f"{self.name}/{item.id}", item.row.study_date)

    def _is_chosen(self, item: Checked) -> bool:
        """Whether a row whose headers were read is to be taken; one without a day has no place in any period."""
        if self.choosing.period is not None and item.row.study_date is None:
            self.problems.append(item.problem("study_date: is missing, which --since and --until need"))
            return False
        return not self._is_elsewhere(item)

    def _is_none_of_ours(self, raw: RawRow) -> bool:
        """Whether a row that cannot be used would not have been taken anyway."""
        if not self.choosing.active:
            return False
        said = next((raw.content[name] for name in _NAMED if raw.content.get(name)), "")
        return self.choosing.leaves_out(f"{self.name}/{str(said).strip()}", said_day(raw.content))

    def _fit(self, raw: RawRow) -> Row:
        if raw.trouble:
            raise Unfit(raw.trouble)
        if _is_deep(raw.content):
            raise Unfit(f"is nested more than {_DEEPEST} deep")
        return self.check(raw.content)

    def _drawn(self, checked: Sequence[Checked], headers: Headers) -> list[Checked]:
        """Return the rows with drawn images in the place of DICOM, without those that could not be drawn."""
        found: list[Checked] = []
        for item in checked:
            study = headers.studies.get(item.place)
            if isinstance(study, Unfit):
                self.problems += map(item.problem, study.lines)
            elif study is None:
                found.append(item)
            else:
                self.taken.put_all(study.images.items())
                found.append(item.drawn(study))
        return found

    def _take(self, checked: Sequence[Checked]) -> None:
        """Check images. Where one row is a patient's all of them are private: any other may turn out to be, too."""
        names: dict[str, None] = {}
        phi = False
        for row in (item.row for item in checked):
            names.update(dict.fromkeys(row.images))
            phi = phi or row.phi
        wanted = [name for name in names if name not in self.taken]
        if wanted:
            with closing(self.intakes.of(phi=phi).take_all(self.pictures.each(wanted))) as taken:
                self.taken.put_all(taken)

    def _has_images(self, item: Checked) -> bool:
        row = item.row
        found = [self.taken[name] for name in row.images]
        lines = [
            f"images[{place}]: {shown(row.images[place])} {image.trouble}"
            for place, image in enumerate(found)
            if isinstance(image, Refused)
        ]
        doubt = self.pictures.doubt(row.question, row.original_index, row.images)
        lines += [doubt] if doubt and not lines else []
        self.problems += map(item.problem, lines)
        return not lines


class _Made:
    """What becomes of rows, row by row."""

    def __init__(self, keeper: Keeper) -> None:
        self.keeper: Final = keeper
        self.instances: Final[KeptList[Instance]] = KeptList(keeper)
        self.rows: Final[KeptMap[Mapping[str, Any]]] = KeptMap(keeper)
        self.gold_of: Final[KeptMap[Laid]] = KeptMap(keeper)
        self.unsigned: Final[list[Problem]] = []

    def add(self, item: Checked, instance: Instance, laid: Laid | None) -> None:
        """Keep one instance, its row, and whose word its gold is."""
        self.instances.append(_with_gold(instance, laid))
        self.rows.put_kept(item.id, _kept(item, laid))
        if laid is not None:
            self.gold_of.put(item.id, laid)
            self.unsigned.extend([item.problem(laid.doubt)] if laid.doubt else [])


def _is_deep(content: Mapping[str, Any]) -> bool:
    """Whether lists and objects lie in each other so often that they could not be written again."""
    level: list[Any] = [content]
    for _ in range(_DEEPEST):
        inner = [each.values() if isinstance(each, Mapping) else each for each in level]
        level = [each for values in inner for each in values if isinstance(each, Mapping | list | tuple)]
        if not level:
            return False
    return True


def _with_gold(instance: Instance, laid: Laid | None) -> Instance:
    return instance if laid is None or laid.gold == instance.gold else replace(instance, gold=laid.gold)


def _kept(item: Checked, laid: Laid | None) -> Kept[Mapping[str, Any]]:
    """Return a row as a run keeps it: without its report, and with the gold that was laid over it."""
    if laid is None:
        return item.kept_content
    content, laid_over = item.content, laid.source in (GoldSource.SIGNED, GoldSource.UNSIGNED)
    if not laid_over and not any(name in content for name in REPORTS):
        return item.kept_content
    kept = {name: value for name, value in content.items() if name not in REPORTS}
    if laid_over:
        flat = {f"gold_{name}" for name in _NESTED.values()}
        nested = {name: {"text": laid.gold.text(stage)} for stage, name in _NESTED.items()}
        kept = {name: value for name, value in kept.items() if name not in flat} | {"gold_cot": nested}
    return item.keeper.keep(kept)


#: What the benchmark's own rows call each stage.
_NESTED: Final = {
    Stage.VISUAL_RECOGNITION: "visual_recognition",
    Stage.KNOWLEDGE_RECALL: "knowledge_recall",
    Stage.REASONING_INTEGRATION: "reasoning",
}


def instance_of(dataset: str, row: Row, images: tuple[Image, ...], cluster: str) -> Instance:
    """Return the instance of a row whose images were checked; ``cluster`` names the first row of its cluster."""
    return Instance(
        dataset=dataset,
        id=str(row.identity),
        stratum=intern(row.stratum) if row.stratum else dataset,
        cluster=f"{dataset}/{cluster}",
        images=images,
        question=row.question,
        question_type=row.question_type,
        options=tuple(map(str, options_of(row))),
        answer=intern(row.answer),
        answer_letter=row.answer_letter.strip().upper() if row.answer_letter else None,
        gold=row.gold,
        tags=tags_of(row),
        phi=row.phi,
    )


def tags_of(row: Row) -> tuple[str, ...]:
    """Return the row's own tags, and one for each field that says what it is about: ``modality:ct``."""
    said = ((name, getattr(row, name)) for name in TAGGED)
    told = (f"{name}:{'_'.join(value.lower().split())}" for name, value in said if value and value.strip())
    return tuple(map(intern, dict.fromkeys((*row.tags, *told))))
