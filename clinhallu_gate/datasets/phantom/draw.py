"""Draw a phantom study: one small picture per frame, with noise, texture and findings of varying contrast."""

import io
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image as PilImage

from clinhallu_gate.datasets.phantom.study import Finding, Study

SIZE: Final = 112
"""Width and height in pixels."""
_CONTRAST: Final = (0.55, 1.0)
"""Range of a finding's contrast, as a share of its full contrast; the low end is what a reader misses."""
Array = npt.NDArray[np.float32]
_Y, _X = (axis.astype(np.float32) for axis in np.mgrid[0:SIZE, 0:SIZE])


@dataclass(frozen=True, slots=True)
class _Field:
    """Where findings may lie, in pixels: the left column's centre, the first and the last row's centre."""

    left: int
    top: int
    bottom: int


_FIELD: Final = {
    "radiograph": _Field(32, 26, 88),
    "ct": _Field(36, 30, 82),
    "ultrasound": _Field(37, 42, 88),
    "histology": _Field(30, 32, 82),
}


def draw(study: Study, rng: random.Random) -> list[Array]:
    """Return one picture per frame: float32, shape (112, 112, 3), values 0..1."""
    return [_frame(study, number, rng) for number in range(1, study.frames + 1)]


def encode(picture: Array) -> bytes:
    """Return a picture as PNG bytes."""
    buffer = io.BytesIO()
    PilImage.fromarray(to_bytes(picture)).save(buffer, "PNG")
    return buffer.getvalue()


def to_bytes(picture: Array) -> npt.NDArray[np.uint8]:
    """Return a picture as uint8, shape (112, 112, 3)."""
    return (picture * 255 + 0.5).astype(np.uint8)


def _frame(study: Study, number: int, rng: random.Random) -> Array:
    canvas = _BACKGROUND[study.stratum](rng)
    for finding in study.findings:
        if finding.frame == number:
            for x, y, radius in _places(study, finding, rng):
                _STAMP[finding.kind](canvas, x, y, radius, rng.uniform(*_CONTRAST))
    return _float32(np.clip(canvas + _noise(rng, 0.05), 0, 1))


def _places(study: Study, finding: Finding, rng: random.Random) -> list[tuple[float, float, float]]:
    """Return centre x, centre y and radius in pixels of each copy of a finding."""
    atlas = study.atlas
    viewer_left = (finding.side == "left") != atlas.mirrored
    field = _FIELD[study.stratum]
    x = (field.left if viewer_left else SIZE - field.left) + rng.uniform(-3, 3)
    row = atlas.zones.index(finding.zone) / (len(atlas.zones) - 1)
    y = field.top + row * (field.bottom - field.top) + rng.uniform(-3, 3)
    if not atlas.kind(finding.kind).countable:
        return [(x, y, rng.uniform(6, 7.5) if finding.size == "small" else rng.uniform(11, 13))]
    radius, step = ((2.2, 2.8), 8) if finding.size == "small" else ((4.2, 5.0), 13)
    offsets = [(copy - (finding.count - 1) / 2) * step for copy in range(finding.count)]
    return [(x + dx, y + rng.uniform(-4, 4), rng.uniform(*radius)) for dx in offsets]


# --- shapes -------------------------------------------------------------------------------------------------------


def _disc(x: float, y: float, radius: float, *, edge: float = 0.8, stretch: float = 1.0) -> Array:
    """Return a soft disc: 1 inside, 0 outside, with an edge of about ``edge`` pixels."""
    distance = np.sqrt((_X - x) ** 2 + ((_Y - y) / stretch) ** 2)
    return _float32(np.clip((radius - distance) / (2 * edge) + 0.5, 0, 1))


def _ring(x: float, y: float, radius: float, width: float) -> Array:
    return _float32(_disc(x, y, radius) - _disc(x, y, radius - width))


def _box(x0: float, x1: float, y0: float, y1: float) -> Array:
    across = np.clip(_X - x0, 0, 1) * np.clip(x1 - _X, 0, 1)
    return _float32(across * np.clip(_Y - y0, 0, 1) * np.clip(y1 - _Y, 0, 1))


def _blend(canvas: Array, mask: Array, colour: tuple[float, float, float], strength: float) -> None:
    """Pull ``canvas`` towards ``colour`` in place, by ``mask`` times ``strength``."""
    weight = (mask * strength)[..., None]
    canvas += weight * (np.asarray(colour, dtype=np.float32) - canvas)


def _noise(rng: random.Random, sigma: float) -> Array:
    """Return noise, shape (112, 112, 1): the same for the same seed on every machine, nearly normal."""
    parts = np.frombuffer(rng.randbytes(4 * SIZE * SIZE), dtype=np.uint8).reshape(4, SIZE, SIZE, 1)
    return _float32((parts.sum(axis=0, dtype=np.float32) / 255 - 2) * (sigma * 3**0.5))


def _texture(rng: random.Random, cells: int, strength: float) -> Array:
    """Return smooth blotches of ``cells`` x ``cells``, shape (112, 112, 1), within plus and minus ``strength``."""
    coarse = np.frombuffer(rng.randbytes(cells * cells), dtype=np.uint8).reshape(cells, cells)
    fine = np.asarray(PilImage.fromarray(coarse).resize((SIZE, SIZE), PilImage.Resampling.BILINEAR), dtype=np.float32)
    return _float32((fine / 127.5 - 1) * strength)[..., None]


def _float32(values: npt.NDArray[np.floating]) -> Array:
    return values.astype(np.float32, copy=False)


def _grey(level: float) -> tuple[float, float, float]:
    return (level, level, level)


def _canvas(colour: tuple[float, float, float]) -> Array:
    return _float32(np.broadcast_to(np.asarray(colour, dtype=np.float32), (SIZE, SIZE, 3)).copy())


# --- backgrounds --------------------------------------------------------------------------------------------------


def _radiograph(rng: random.Random) -> Array:
    canvas = _canvas(_grey(0.62))
    for x in (32, 80):
        _blend(canvas, _disc(x, 57 + rng.uniform(-2, 2), 21, stretch=2.3, edge=1.5), _grey(0.28), 1)
    for y in range(14 + rng.randint(0, 4), 104, 15):
        _blend(canvas, _box(8, 104, y, y + 3), _grey(0.6), 0.22)
    return canvas + _texture(rng, 12, 0.04)


def _ct(rng: random.Random) -> Array:
    canvas = _canvas(_grey(0.03))
    _blend(canvas, _disc(56, 56, 50, stretch=1.08), _grey(0.95), 1)
    _blend(canvas, _disc(56, 56, 45.5, stretch=1.08), _grey(0.42), 1)
    _blend(canvas, _box(55, 57.5, 14, 98), _grey(0.55), 0.7)
    for x in (50, 62):
        _blend(canvas, _disc(x, 57 + rng.uniform(-2, 2), 3.5, stretch=2.4), _grey(0.2), 0.8)
    return canvas + _texture(rng, 16, 0.04)


def _ultrasound(rng: random.Random) -> Array:
    canvas = _canvas(_grey(0.03))
    fan = _disc(56, -8, 116, edge=1.5) * (1 - _disc(56, -8, 18)) * (np.abs(_X - 56) < 0.62 * (_Y + 26))
    _blend(canvas, fan.astype(np.float32), _grey(0.4 + rng.uniform(-0.03, 0.03)), 1)
    return _float32(canvas + fan[..., None] * (_noise(rng, 0.09) + _texture(rng, 20, 0.06)))


def _histology(rng: random.Random) -> Array:
    canvas = _canvas((0.9, 0.7, 0.8))
    for _ in range(34):
        nucleus = _disc(rng.uniform(2, 110), rng.uniform(2, 110), rng.uniform(1.2, 1.9))
        _blend(canvas, nucleus, (0.55, 0.4, 0.65), 0.55)
    return canvas + _texture(rng, 14, 0.05)


_BACKGROUND: Final[dict[str, Callable[[random.Random], Array]]] = {
    "radiograph": _radiograph,
    "ct": _ct,
    "ultrasound": _ultrasound,
    "histology": _histology,
}


# --- findings: stamp(canvas, x, y, radius, contrast) --------------------------------------------------------------


def _bright_disc(canvas: Array, x: float, y: float, radius: float, contrast: float) -> None:
    _blend(canvas, _disc(x, y, radius), _grey(0.95), contrast)


def _effusion(canvas: Array, x: float, y: float, radius: float, contrast: float) -> None:
    _blend(canvas, _box(x - 20, x + 20, y + 12 - 2 * radius, y + 14), _grey(0.85), contrast)


def _pneumothorax(canvas: Array, x: float, y: float, radius: float, contrast: float) -> None:
    crescent = _disc(x, y + 4, radius + 8) * (1 - _disc(x, y + 4 + radius, radius + 8))
    _blend(canvas, crescent, _grey(0.0), contrast)


def _consolidation(canvas: Array, x: float, y: float, radius: float, contrast: float) -> None:
    _blend(canvas, _disc(x, y, radius + 2, edge=6), _grey(0.8), 0.85 * contrast)


def _hematoma(canvas: Array, x: float, y: float, radius: float, contrast: float) -> None:
    _blend(canvas, _disc(x, y, radius, stretch=1.2), _grey(0.85), contrast)


def _infarct(canvas: Array, x: float, y: float, radius: float, contrast: float) -> None:
    wedge = (np.abs(_X - x) < (_Y - y + radius) * 0.55) * (np.abs(_Y - y) < radius)
    _blend(canvas, wedge.astype(np.float32), _grey(0.12), contrast)


def _abscess(canvas: Array, x: float, y: float, radius: float, contrast: float) -> None:
    _blend(canvas, _disc(x, y, radius), _grey(0.85), contrast)
    _blend(canvas, _disc(x, y, radius - 3), _grey(0.15), contrast)


def _dense_dot(canvas: Array, x: float, y: float, radius: float, contrast: float) -> None:
    _blend(canvas, _disc(x, y, radius - 0.4, edge=0.4), _grey(1.0), min(1.0, contrast + 0.1))


def _cyst(canvas: Array, x: float, y: float, radius: float, contrast: float) -> None:
    _blend(canvas, _disc(x, y, radius), _grey(0.02), contrast)


def _gallstone(canvas: Array, x: float, y: float, radius: float, contrast: float) -> None:
    _blend(canvas, _box(x - radius + 1, x + radius - 1, y, y + 16), _grey(0.05), 0.8 * contrast)
    _blend(canvas, _disc(x, y, radius) * (y + 1 > _Y), _grey(1.0), contrast)


def _hemangioma(canvas: Array, x: float, y: float, radius: float, contrast: float) -> None:
    _blend(canvas, _disc(x, y, radius), _grey(0.82), contrast)


def _metastasis(canvas: Array, x: float, y: float, radius: float, contrast: float) -> None:
    _blend(canvas, _ring(x, y, radius, radius * 0.5), _grey(0.05), contrast)
    _blend(canvas, _disc(x, y, radius * 0.5), _grey(0.85), contrast)


def _granuloma(canvas: Array, x: float, y: float, radius: float, contrast: float) -> None:
    _blend(canvas, _ring(x, y, radius, 2.8), (0.3, 0.15, 0.5), contrast)


def _mitosis(canvas: Array, x: float, y: float, radius: float, contrast: float) -> None:
    for dx in (-0.7 * radius, 0.7 * radius):
        _blend(canvas, _disc(x + dx, y, 0.6 * radius, stretch=1.9), (0.15, 0.05, 0.35), contrast)


def _necrosis(canvas: Array, x: float, y: float, radius: float, contrast: float) -> None:
    _blend(canvas, _disc(x, y, radius, edge=1.5), (0.98, 0.93, 0.94), contrast)


def _hemorrhage(canvas: Array, x: float, y: float, radius: float, contrast: float) -> None:
    _blend(canvas, _disc(x, y, radius, edge=1.2), (0.8, 0.1, 0.12), 0.9 * contrast)


_STAMP: Final[dict[str, Callable[[Array, float, float, float, float], None]]] = {
    "nodule": _bright_disc,
    "effusion": _effusion,
    "pneumothorax": _pneumothorax,
    "consolidation": _consolidation,
    "hematoma": _hematoma,
    "infarct": _infarct,
    "abscess": _abscess,
    "calcification": _dense_dot,
    "cyst": _cyst,
    "gallstone": _gallstone,
    "hemangioma": _hemangioma,
    "metastasis": _metastasis,
    "granuloma": _granuloma,
    "mitosis": _mitosis,
    "necrosis": _necrosis,
    "hemorrhage": _hemorrhage,
}
