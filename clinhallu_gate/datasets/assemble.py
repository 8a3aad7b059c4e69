"""From rows and pictures to a data set: every row checked, every problem noted, nothing skipped."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from clinhallu_gate.datasets.check import Unfit, options_of
from clinhallu_gate.datasets.clusters import components
from clinhallu_gate.datasets.dataset import Dataset, content_digest
from clinhallu_gate.datasets.intake import Intake, Pictures, Refused
from clinhallu_gate.datasets.problems import Problem, shown, told
from clinhallu_gate.datasets.reading import RawRow
from clinhallu_gate.datasets.row import REPORTS, TAGGED, Row
from clinhallu_gate.datasets.signed import GoldBeside, Laid
from clinhallu_gate.errors import BadInput
from clinhallu_gate.records import Image, Instance
from clinhallu_gate.vocabulary import GoldSource, Stage

_NO_NUMBER: Final = 2**63
"""Sorts after every number, which sorts by its length and then its digits."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A row that makes sense, and where it stands."""

    raw: RawRow
    row: Row

    @property
    def id(self) -> str:
        """Its identity within the data set."""
        return str(self.row.identity)

    def problem(self, text: str) -> Problem:
        """Say what is wrong with it."""
        return Problem(self.raw.file, self.raw.number, text)


@dataclass(frozen=True, slots=True)
class Part:
    """What was made of one data set."""

    dataset: Dataset
    problems: tuple[Problem, ...]
    rows: int
    """How many there were."""


@dataclass(slots=True)
class Intakes:
    """Where images are checked and kept: those of patients apart."""

    shared: Intake
    private: Intake | None

    def of(self, *, phi: bool) -> Intake:
        """Return the intake. Raises ``BadInput`` for patients' images that have nowhere to go."""
        if not phi:
            return self.shared
        if self.private is None:
            raise BadInput("phi: images of patients are not kept in the shared cache, and no private one was named.")
        return self.private


@dataclass(slots=True)
class Assembly:
    """The making of one data set."""

    name: str
    check: Callable[[Mapping[str, Any]], Row]
    pictures: Pictures
    intakes: Intakes
    taken: dict[str, Image | Refused] = field(default_factory=dict)
    """Images by name; those that came embedded in rows are there before."""
    problems: list[Problem] = field(default_factory=list)
    patients: set[str] = field(default_factory=set)
    """Files with a row that is a patient's, or might be: of such a file no problem tells a row's values."""
    beside: GoldBeside | None = None
    """Gold that was drafted or signed for a user's own rows; None for data that come with theirs."""
    sort: bool = False
    """Whether the rows' order is of no meaning, and that of their identities is taken."""

    def make(self, raws: Iterable[RawRow], sources: Mapping[str, str]) -> Part:
        """Check all rows and their images."""
        total, checked = self._rows(raws)
        self._take(checked)
        usable = [item for item in checked if self._has_images(item)]
        if self.sort:
            usable.sort(key=lambda item: (len(item.id), item.id) if item.id.isdecimal() else (_NO_NUMBER, item.id))
        instances = self._instances(usable)
        laid = {each.id: self.beside.lay(each) for each in instances} if self.beside is not None else {}
        instances = tuple(_with_gold(each, laid.get(each.id)) for each in instances)
        problems = sorted(
            replace(problem, text=told(problem.text, withhold=problem.file in self.patients))
            for problem in self.problems
        )
        dataset = Dataset(
            self.name,
            content_digest(instances),
            instances,
            rows={item.id: _kept(item.raw.content, laid.get(item.id)) for item in usable},
            sources=sources,
            left_out=tuple(problems),
            gold_of=laid,
            unsigned=tuple(item.problem(laid[item.id].doubt) for item in usable if laid and laid[item.id].doubt),
        )
        return Part(dataset, dataset.left_out, total)

    def _rows(self, raws: Iterable[RawRow]) -> tuple[int, list[Checked]]:
        checked: dict[str, Checked] = {}
        total = 0
        for total, raw in enumerate(raws, 1):  # noqa: B007 - counted
            if raw.content.get("phi", False) not in (False, None):
                self.patients.add(raw.file)
            try:
                item = Checked(raw, self._fit(raw))
            except Unfit as unfit:
                self.problems += [Problem(raw.file, raw.number, line) for line in unfit.lines]
                continue
            first = checked.setdefault(item.id, item)
            if first is not item:
                where = f"{first.raw.file}:{first.raw.number}"
                self.problems.append(item.problem(f"{shown(item.id)} is already the identity of {where}"))
        return total, list(checked.values())

    def _fit(self, raw: RawRow) -> Row:
        if raw.trouble:
            raise Unfit(raw.trouble)
        return self.check(raw.content)

    def _take(self, checked: Sequence[Checked]) -> None:
        private = {name: None for item in checked if item.row.phi for name in item.row.images}
        shared = {name: None for item in checked for name in item.row.images if name not in private}
        for phi, names in ((False, shared), (True, private)):
            wanted = [name for name in names if name not in self.taken]
            if wanted:
                self.taken.update(self.intakes.of(phi=phi).take_all(self.pictures.each(wanted)))

    def _has_images(self, item: Checked) -> bool:
        found = [self.taken[name] for name in item.row.images]
        lines = [
            f"images[{place}]: {shown(item.row.images[place])} {image.trouble}"
            for place, image in enumerate(found)
            if isinstance(image, Refused)
        ]
        doubt = self.pictures.doubt(item.row.question, item.row.original_index, item.row.images)
        lines += [doubt] if doubt and not lines else []
        self.problems += map(item.problem, lines)
        return not lines

    def _instances(self, usable: Sequence[Checked]) -> tuple[Instance, ...]:
        images = {item.id: [self.taken[name] for name in item.row.images] for item in usable}
        sent = {
            identity: tuple(image for image in found if isinstance(image, Image)) for identity, found in images.items()
        }
        clusters = components(
            {item.id: [*_shared(item.row), *(image.sha256 for image in sent[item.id])] for item in usable}
        )
        return tuple(instance_of(self.name, item.row, sent[item.id], clusters[item.id]) for item in usable)


def _with_gold(instance: Instance, laid: Laid | None) -> Instance:
    return instance if laid is None or laid.gold == instance.gold else instance.model_copy(update={"gold": laid.gold})


def _kept(content: Mapping[str, Any], laid: Laid | None) -> Mapping[str, Any]:
    """Return a row as a run keeps it: without its report, and with the gold that was laid over it."""
    if laid is None:
        return content
    kept = {name: value for name, value in content.items() if name not in REPORTS}
    if laid.source not in (GoldSource.SIGNED, GoldSource.UNSIGNED):
        return kept
    flat = {f"gold_{name}" for name in _NESTED.values()}
    nested = {name: {"text": laid.gold.text(stage)} for stage, name in _NESTED.items()}
    return {name: value for name, value in kept.items() if name not in flat} | {"gold_cot": nested}


#: What the benchmark's own rows call each stage.
_NESTED: Final = {
    Stage.VISUAL_RECOGNITION: "visual_recognition",
    Stage.KNOWLEDGE_RECALL: "knowledge_recall",
    Stage.REASONING_INTEGRATION: "reasoning",
}


def _shared(row: Row) -> list[tuple[str, str]]:
    """Return what a row shares with others beside images."""
    return [(kind, value) for kind, value in (("group", row.group), ("video", row.video_id)) if value]


def instance_of(dataset: str, row: Row, images: tuple[Image, ...], cluster: str) -> Instance:
    """Return the instance of a row whose images were checked; ``cluster`` names the first row of its cluster."""
    return Instance(
        dataset=dataset,
        id=str(row.identity),
        stratum=row.stratum or dataset,
        cluster=f"{dataset}/{cluster}",
        images=images,
        question=row.question,
        question_type=row.question_type,
        options=tuple(map(str, options_of(row))),
        answer=row.answer,
        answer_letter=row.answer_letter.strip().upper() if row.answer_letter else None,
        gold=row.gold,
        tags=tags_of(row),
        phi=row.phi,
    )


def tags_of(row: Row) -> tuple[str, ...]:
    """Return the row's own tags, and one for each field that says what it is about: ``modality:ct``."""
    said = ((name, getattr(row, name)) for name in TAGGED)
    told = (f"{name}:{'_'.join(value.lower().split())}" for name, value in said if value and value.strip())
    return tuple(dict.fromkeys((*row.tags, *told)))
