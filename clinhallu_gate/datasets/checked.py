"""Rows that make sense, read again when they are asked for."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from clinhallu_gate.datasets.problems import Problem
from clinhallu_gate.datasets.reading import RawRow
from clinhallu_gate.datasets.row import Row
from clinhallu_gate.datasets.study import Study
from clinhallu_gate.keeping import Keeper, Kept


@dataclass(frozen=True, slots=True)
class Checked:
    """A row that makes sense, and where it stands."""

    id: str
    """Its identity within the data set."""
    file: str
    number: int
    """As ``RawRow``."""
    kept_content: Kept[Mapping[str, Any]]
    kept_row: Kept[Row]
    keeper: Keeper
    study: Study | None = None
    """What DICOM files gave for it."""

    @classmethod
    def of(cls, raw: RawRow, row: Row, keeper: Keeper) -> "Checked":
        """Keep a row."""
        return cls(str(row.identity), raw.file, raw.number, keeper.keep(raw.content), keeper.keep(row), keeper)

    def drawn(self, study: Study) -> "Checked":
        """Return the row with drawn images in the place of DICOM."""
        return replace(self, kept_row=self.keeper.keep(study.row), study=study)

    @property
    def content(self) -> Mapping[str, Any]:
        """The row as it was read."""
        return self.keeper.get(self.kept_content)

    @property
    def row(self) -> Row:
        """The row as it was checked, or drawn."""
        return self.keeper.get(self.kept_row)

    @property
    def place(self) -> str:
        """Which row it is: several may bear one identity until it is known which of them are taken."""
        return f"{self.file}:{self.number}"

    def problem(self, text: str) -> Problem:
        """Say what is wrong with it."""
        return Problem(self.file, self.number, text)


class RowsByPlace(Mapping[str, Row]):
    """Rows by their place, read when they are asked for."""

    def __init__(self, items: Iterable[Checked]) -> None:
        self.items_at: Final = {item.place: item for item in items}

    def __getitem__(self, place: str) -> Row:
        return self.items_at[place].row

    def __iter__(self) -> Iterator[str]:
        return iter(self.items_at)

    def __len__(self) -> int:
        return len(self.items_at)
