"""Images as content parts: encoded once, checked, bounded in memory."""

from pathlib import Path

import pytest

from clinhallu_gate.engine.images import ImageParts
from clinhallu_gate.errors import EvaluationFailed
from clinhallu_gate.records import Image


def test_an_image_is_encoded_once(tmp_path: Path) -> None:
    """The second use comes from the cache: the file may even be gone."""
    path = tmp_path / "a.png"
    path.write_bytes(b"pixels")
    image = Image(sha256=Image.from_bytes(b"pixels").sha256, path=path)
    parts = ImageParts()
    first = parts(image)
    path.unlink()
    assert parts(image) is first


def test_the_least_recently_used_goes_first() -> None:
    """The cache keeps to its bytes and drops what was used longest ago."""
    a, b, c = (Image.from_bytes(bytes([n]) * 300) for n in range(3))
    parts = ImageParts(cache_bytes=1300)  # two of them, each about 570 as JSON
    first, second = parts(a), parts(b)
    assert parts(a) is first
    parts(c)
    assert parts(a) is first
    assert parts(b) is not second


def test_an_image_beyond_the_cache_is_still_sent() -> None:
    """One image larger than the whole cache is encoded and used."""
    image = Image.from_bytes(b"x" * 1000)
    parts = ImageParts(cache_bytes=10)
    assert parts(image) is parts(image)


def test_a_missing_image_ends_the_run(tmp_path: Path) -> None:
    """It is never left out of the question."""
    with pytest.raises(EvaluationFailed, match=r"image 000000000000 cannot be read: .*gone\.png"):
        ImageParts()(Image(sha256="0" * 64, path=tmp_path / "gone.png"))


def test_a_changed_image_ends_the_run(tmp_path: Path) -> None:
    """An image that is not the one that was loaded would be stored under a false address."""
    path = tmp_path / "a.png"
    path.write_bytes(b"other pixels")
    with pytest.raises(EvaluationFailed, match=r"has changed since the data were loaded: .*a\.png"):
        ImageParts()(Image(sha256="0" * 64, path=path))
