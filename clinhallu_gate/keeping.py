"""What was read of data, kept so that a hundred thousand rows need little memory: the first in it, others on disk."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias, TypeVar, overload

from clinhallu_gate.errors import BadInput, EvaluationFailed
from clinhallu_gate.shelf import Shelf

Item = TypeVar("Item")
#: Values that stay in memory before others go to disk: those of the benchmark's own sets do. Tests set it to 0.
AT_HAND = 65_536


class Place(int):
    """Where on the shelf a value lies."""

    __slots__ = ()


Kept: TypeAlias = Item | Place


class Keeper:
    """Keeps values: so many in memory, the rest on disk.

    Args:
        folder: Where the rest lies (``Shelf``).
        at_hand: How many values stay in memory.
    """

    def __init__(self, folder: Path, *, at_hand: int | None = None) -> None:
        self._shelf = Shelf(folder)
        self._left = AT_HAND if at_hand is None else at_hand

    def keep(self, value: Item) -> Kept[Item]:
        """Keep a value; what is returned stands for it. Raises ``BadInput`` if there is no room on disk."""
        if self._left > 0:
            self._left -= 1
            return value
        try:
            return Place(self._shelf.write(value))
        except EvaluationFailed as error:
            raise BadInput(f"{error}; rows of the data lie there while they are read.") from error

    def get(self, kept: Kept[Item]) -> Item:
        """Return a value: the very one, or the like of it."""
        if not isinstance(kept, Place):
            return kept
        value: Item = self._shelf.read(kept)
        return value


class KeptList(Sequence[Item]):
    """A sequence of values that are read when they are asked for."""

    __slots__ = ("keeper", "kept")

    def __init__(self, keeper: Keeper, kept: Iterable[Kept[Item]] = ()) -> None:
        self.keeper = keeper
        self.kept = list(kept)

    def append(self, value: Item) -> None:
        """Keep one more. Raises ``BadInput``."""
        self.kept.append(self.keeper.keep(value))

    @overload
    def __getitem__(self, place: int) -> Item: ...

    @overload
    def __getitem__(self, place: slice) -> "KeptList[Item]": ...

    def __getitem__(self, place: int | slice) -> "Item | KeptList[Item]":
        if isinstance(place, slice):
            return KeptList(self.keeper, self.kept[place])
        return self.keeper.get(self.kept[place])

    def __iter__(self) -> Iterator[Item]:
        return map(self.keeper.get, self.kept)

    def __len__(self) -> int:
        return len(self.kept)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or len(other) != len(self):
            return False
        return all(one == another for one, another in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"KeptList({len(self)} values)"


class KeptMap(Mapping[str, Item]):
    """A mapping of names to values that are read when they are asked for."""

    __slots__ = ("keeper", "kept")

    def __init__(self, keeper: Keeper, kept: Mapping[str, Kept[Item]] | None = None) -> None:
        self.keeper = keeper
        self.kept = dict(kept or {})

    def put(self, name: str, value: Item) -> None:
        """Keep one more, or another. Raises ``BadInput``."""
        self.kept[name] = self.keeper.keep(value)

    def put_kept(self, name: str, kept: Kept[Item]) -> None:
        """Let a name stand for what the same keeper keeps."""
        self.kept[name] = kept

    def put_all(self, values: Iterable[tuple[str, Item]]) -> None:
        """Keep more. Raises ``BadInput``."""
        for name, value in values:
            self.put(name, value)

    def __getitem__(self, name: str) -> Item:
        return self.keeper.get(self.kept[name])

    def __contains__(self, name: object) -> bool:
        return name in self.kept

    def __iter__(self) -> Iterator[str]:
        return iter(self.kept)

    def __len__(self) -> int:
        return len(self.kept)

    def __repr__(self) -> str:
        return f"KeptMap({len(self)} values)"


# --- of what is kept, or of what never was ----------------------------------------------------------------------------


def joined(parts: Sequence[Sequence[Item]]) -> Sequence[Item]:
    """Return all values one after the other; what is kept must be so by one keeper."""
    keepers = {id(part.keeper): part.keeper for part in parts if isinstance(part, KeptList)}
    if not keepers:
        return tuple(value for part in parts for value in part)
    (keeper,) = keepers.values()
    return KeptList(keeper, (kept for part in parts for kept in (part.kept if isinstance(part, KeptList) else part)))


def selected(values: Sequence[Item], places: Iterable[int]) -> Sequence[Item]:
    """Return the values at ``places``, in their order."""
    if isinstance(values, KeptList):
        return KeptList(values.keeper, (values.kept[place] for place in places))
    return tuple(values[place] for place in places)


def renamed_keys(names: Mapping[str, str], values: Mapping[str, Item]) -> Mapping[str, Item]:
    """Return the same values under other names."""
    if isinstance(values, KeptMap):
        return KeptMap(values.keeper, {names[name]: kept for name, kept in values.kept.items()})
    return {names[name]: value for name, value in values.items()}


def only(names: Iterable[str], values: Mapping[str, Item]) -> Mapping[str, Item]:
    """Return those of ``names`` that there are, in this order."""
    if isinstance(values, KeptMap):
        return KeptMap(values.keeper, {name: values.kept[name] for name in names if name in values.kept})
    return {name: values[name] for name in names if name in values}
