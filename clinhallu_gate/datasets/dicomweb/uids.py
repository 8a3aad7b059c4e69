"""What rows ask for by the unique identifiers of DICOM."""

from collections.abc import Iterator
from dataclasses import dataclass

from clinhallu_gate.datasets.row import Row


@dataclass(frozen=True, slots=True, order=True)
class SeriesPlace:
    """A series by its UIDs."""

    study: str
    series: str


@dataclass(frozen=True, slots=True, order=True)
class InstancePlace:
    """An instance (a file) by its UIDs."""

    within: SeriesPlace
    sop: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a row asks for: a study of one series, a series, or some instances of it."""

    study: str
    series: str | None
    sops: tuple[str, ...]

    @classmethod
    def of(cls, row: Row) -> "Wanted":
        """Read a row that was checked."""
        return cls(str(row.study_uid), row.series_uid, row.sop_uid)

    def instances(self) -> Iterator[InstancePlace]:
        """Yield what is named by itself."""
        if self.series is not None:
            within = SeriesPlace(self.study, self.series)
            yield from (InstancePlace(within, sop) for sop in self.sops)
