"""Rows as they were read, small enough to keep a hundred thousand of them."""

import pickle
from collections.abc import Iterator, Mapping
from functools import lru_cache
from io import BytesIO
from typing import Any, Final

_LONG: Final = 64
"""Characters from which on a text is kept as the very object that it is, as the row's instance holds it too."""


class KeptRow(Mapping[str, Any]):
    """A row that is packed into bytes, apart from its texts: they are the instance's own, and take no memory twice."""

    __slots__ = ("_names", "_packed", "_texts")

    def __init__(self, content: Mapping[str, Any]) -> None:
        packer = _Packer()
        self._names = _same(tuple(content))
        self._packed = packer.packed(tuple(content.values()))
        self._texts = tuple(packer.texts)

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - JSON
        if name not in self._names:
            raise KeyError(name)
        return _Unpacker(self._packed, self._texts).load()[self._names.index(name)]

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __repr__(self) -> str:
        return f"KeptRow({self.whole()!r})"

    def whole(self) -> dict[str, Any]:
        """Return the row as it was read."""
        return dict(zip(self._names, _Unpacker(self._packed, self._texts).load(), strict=True))


@lru_cache(maxsize=256)
def _same(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return one object for equal names: most rows of a file have the same."""
    return names


class _Packer(pickle.Pickler):
    """Pickles all but long texts, which it lists instead."""

    def __init__(self) -> None:
        self._into = BytesIO()
        super().__init__(self._into, pickle.HIGHEST_PROTOCOL)
        self.texts: list[str] = []

    def packed(self, value: object) -> bytes:
        """Return it pickled."""
        self.dump(value)
        return self._into.getvalue()

    def persistent_id(self, value: object) -> int | None:
        """Return the place of a long text in the list."""
        if not isinstance(value, str) or len(value) < _LONG:
            return None
        self.texts.append(value)
        return len(self.texts) - 1


class _Unpacker(pickle.Unpickler):
    """Reads what ``_Packer`` made in this process."""

    def __init__(self, packed: bytes, texts: tuple[str, ...]) -> None:
        super().__init__(BytesIO(packed))
        self._texts = texts

    def persistent_load(self, place: int) -> str:
        """Return a text."""
        return self._texts[place]
