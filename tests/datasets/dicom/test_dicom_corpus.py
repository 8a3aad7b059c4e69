"""Every file that ships in pydicom is drawn rightly or refused with a clear error."""

import numpy as np
import pytest
from corpus import FOLDER, Outcome, files, listed, outcome_of, pixels
from pydicom.pixels.decoders.pylibjpeg import _DECODERS
from second_opinion import LOSSY, second_opinion

from clinhallu_gate.datasets.dicom.decoding import decode
from clinhallu_gate.datasets.dicom.drawing import draw, frames_of, read
from clinhallu_gate.datasets.dicom.layout import layout_of
from clinhallu_gate.datasets.dicom.quiet import quiet

_DRAWN = [outcome for outcome in listed() if not outcome.refused]
#: libjpeg refuses what gdcm reads; the picture is that of JPGExtended.dcm.
_ONE_DECODER = ("test_files/JPEG-lossy.dcm",)
#: Grey levels by which decoders of lossy JPEG differ: rounding of cosines, and how chroma is spread.
_LOSSY_LEVELS = 3


def _present(outcomes: list[Outcome]) -> list[Outcome]:
    return [outcome for outcome in outcomes if (FOLDER / outcome.file).exists()]


def test_the_list_covers_what_is_installed() -> None:
    """There are some two hundred files, and none of them is drawn without having been looked at."""
    assert len(_present(listed())) > 180
    unknown = set(files()) - {outcome.file for outcome in listed()}
    assert not [name for name in unknown if not outcome_of(name).refused]


@pytest.mark.parametrize("outcome", _present(listed()), ids=lambda outcome: outcome.file)
def test_a_file_is_drawn_as_it_was_looked_at(outcome: Outcome) -> None:
    """Window, steps and pixels are those of the list; what was refused is refused with the same words."""
    assert outcome_of(outcome.file) == outcome


@pytest.mark.parametrize("outcome", _present(_DRAWN), ids=lambda outcome: outcome.file)
def test_another_decoder_gives_the_same_picture(outcome: Outcome) -> None:
    """Lossless pictures are equal to the last pixel; of lossy JPEG decoders differ by rounding."""
    name = outcome.file if outcome.file not in _ONE_DECODER else "test_files/JPGExtended.dcm"
    header = read(FOLDER / outcome.file)
    levels = _LOSSY_LEVELS if header.file_meta.TransferSyntaxUID in LOSSY else 0
    for frame in {0, frames_of(header) // 2, frames_of(header) - 1}:
        ours = pixels(draw(header, frame, None)).astype(int)
        with quiet():
            theirs = second_opinion(FOLDER / name, frame).astype(int)
        assert ours.shape == theirs.shape
        assert np.abs(ours - theirs).max() <= levels


def test_an_installed_libjpeg_is_never_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Though pydicom offers it for every JPEG, nothing is drawn with it, and nothing differently without it."""

    def asked(*_: object, **__: object) -> bytes:
        pytest.fail("pylibjpeg-libjpeg was asked")

    offered = [syntax for syntax, plugins in _DECODERS.items() if "libjpeg" in plugins]
    assert len(offered) == 6
    for syntax in offered:
        monkeypatch.setitem(_DECODERS, syntax, {"libjpeg": asked})
    compressed = [
        outcome for outcome in _present(_DRAWN) if "jpeg" in outcome.file.lower() or "jpg" in outcome.file.lower()
    ]
    assert len(compressed) > 12
    assert [outcome_of(outcome.file) for outcome in compressed] == compressed


@pytest.mark.parametrize("outcome", _present(_DRAWN), ids=lambda outcome: outcome.file)
def test_no_picture_is_silently_black_or_inverted(outcome: Outcome) -> None:
    """Brightness rises with the values, falls for MONOCHROME1, and is constant only where it is said."""
    header = read(FOLDER / outcome.file)
    drawn = draw(header, 0, None)
    shown = pixels(drawn)
    said = "one brightness in this window" in drawn.steps
    assert (shown.min() == shown.max()) == said
    with quiet():
        layout = layout_of(header)
        stored = decode(header, layout, 0).samples
    if layout.grey and stored.shape == shown.shape:
        rising = np.diff(shown.ravel()[np.argsort(stored, axis=None)].astype(int))
        assert (rising <= 0).all() if layout.photometric == "MONOCHROME1" else (rising >= 0).all()
