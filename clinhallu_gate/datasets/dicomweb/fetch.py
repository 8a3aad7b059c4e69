"""Fetch what rows ask for: lists first, then the instances that are not there yet, a few at a time."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from clinhallu_gate.datasets.dicomweb.archive import Archive
from clinhallu_gate.datasets.dicomweb.faults import Fault, ServerUnusable
from clinhallu_gate.datasets.dicomweb.server import Server, unlogged
from clinhallu_gate.datasets.dicomweb.uids import InstancePlace, SeriesPlace, Wanted

#: An archive serves a clinic first.
THREADS: Final = 4
#: So many faults of a server in trouble in a row, each after its attempts, are no row's problem any more.
_HOPELESS: Final = 8
_TOLD_EACH: Final = 50
Item = TypeVar("Item")
Result = TypeVar("Result")
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Found:
    """The files of a row's images: all of a series, or those that the row names."""

    files: tuple[Path, ...]
    whole_series: Path | None = None
    """The folder that holds them, if they are a series."""


class Fetching:
    """Brings what rows ask for into the cache."""

    def __init__(self, server: Server, archive: Archive, tell: Tell) -> None:
        self._server = server
        self._archive = archive
        self._tell = tell

    def all_of(self, wanted: Iterable[Wanted]) -> dict[Wanted, Found | Fault]:
        """Return what there is for each. Raises ``ServerUnusable``, or ``BadInput`` if nothing can be kept."""
        distinct = tuple(dict.fromkeys(wanted))
        with unlogged(), ThreadPoolExecutor(THREADS, thread_name_prefix="dicomweb") as pool:
            try:
                places = self._each(pool, self._places, distinct, "lists of DICOM series")
                needed = dict.fromkeys(
                    place
                    for found in places.values()
                    if not isinstance(found, Fault)
                    for place in found
                    if not self._archive.file(place).is_file()
                )
                fetched = self._each(pool, self._fetch, tuple(needed), "DICOM instances")
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        return {each: self._found(each, places[each], fetched) for each in distinct}

    def _places(self, wanted: Wanted) -> tuple[InstancePlace, ...]:
        """Return the instances that a row asks for, from the server if they were not listed before."""
        if wanted.sops:
            return tuple(wanted.instances())
        place = SeriesPlace(wanted.study, wanted.series or self._only_series(wanted.study))
        sops = self._archive.instances_of(place)
        if sops is None:
            sops = self._server.instances_of(place)
            if not sops:
                raise Fault("has no such series")
            self._archive.note_instances(place, sops)
        return tuple(InstancePlace(place, sop) for sop in sorted(sops))

    def _only_series(self, study: str) -> str:
        series = self._archive.series_of(study)
        if series is None:
            series = self._server.series_of(study)
            if not series:
                raise Fault("has no such study")
            self._archive.note_series(study, series)
        if len(series) > 1:
            raise Fault(f"has {len(series)} series of this study; name one in series_uid")
        return series[0]

    def _fetch(self, place: InstancePlace) -> None:
        self._archive.keep(place, self._server.instance(place))

    def _found(
        self,
        wanted: Wanted,
        places: Sequence[InstancePlace] | Fault,
        fetched: dict[InstancePlace, Fault | None],
    ) -> Found | Fault:
        if isinstance(places, Fault):
            return places
        faults = [fault for place in places if (fault := fetched.get(place)) is not None]
        if faults:
            return faults[0]
        files = tuple(map(self._archive.file, places))
        if wanted.sops:
            return Found(files)
        folder = self._archive.folder(places[0].within)
        if set(files) < set(folder.glob("*.dcm")):  # fetched by name before the series was listed
            return Fault("does not list instances of this series that it sent before; delete the private cache")
        return Found(files, folder)

    def _each(
        self, pool: ThreadPoolExecutor, work: Callable[[Item], Result], items: Sequence[Item], what: str
    ) -> dict[Item, Result | Fault]:
        """Do the work on each item; what cannot be had of the server stands in its place."""
        done: dict[Item, Result | Fault] = {}
        in_a_row = 0
        for item, result in zip(items, _windowed(pool, _faulted(work), items), strict=True):
            done[item] = result
            in_a_row = in_a_row + 1 if isinstance(result, Fault) and result.strained else 0
            if in_a_row >= _HOPELESS:
                raise ServerUnusable(f"{result}, and so {in_a_row} times in a row")
            if len(items) > _TOLD_EACH and len(done) % _TOLD_EACH == 0:
                self._tell(f"fetching {what}: {len(done):,} of {len(items):,}")
        return done


def _faulted(work: Callable[[Item], Result]) -> Callable[[Item], Result | Fault]:
    def careful(item: Item) -> Result | Fault:
        try:
            return work(item)
        except Fault as fault:
            return fault

    return careful


def _windowed(pool: ThreadPoolExecutor, work: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
    """Map in order, with a bounded number of items in work: what is stopped leaves no queue behind."""
    waiting: deque[Future[Result]] = deque()
    for item in items:
        waiting.append(pool.submit(work, item))
        if len(waiting) >= 2 * THREADS:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
