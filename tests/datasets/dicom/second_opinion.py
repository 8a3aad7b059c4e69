"""Another decoder's pixels, drawn by other code: plain formulas of the standard, pixel by pixel, without tables."""

from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image
from pydicom import Dataset, dcmread, uid
from pydicom.encaps import get_frame
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.processing import apply_color_lut, convert_color_space

#: Decoders may differ here by some levels: rounding, and how chroma is spread.
LOSSY = (uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit, uid.JPEG2000)
#: What the package decodes with Pillow, pyjpegls or gdcm is decoded by libjpeg here; what openjpeg decodes, by gdcm.
_OTHERS = {
    **dict.fromkeys((uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit), "pylibjpeg"),
    **dict.fromkeys((uid.JPEGLossless, uid.JPEGLosslessSV1), "pylibjpeg"),
    **dict.fromkeys((uid.JPEGLSLossless, uid.JPEGLSNearLossless), "pylibjpeg"),
    **dict.fromkeys((uid.JPEG2000Lossless, uid.JPEG2000), "gdcm"),
}


def second_opinion(path: Path, frame: int) -> np.ndarray:
    """Return the 8-bit pixels of a frame, square."""
    header = dcmread(path)
    syntax = header.file_meta.TransferSyntaxUID
    if syntax in _OTHERS:
        stored = get_decoder(syntax).as_array(header, index=frame, raw=False, decoding_plugin=_OTHERS[syntax])[0]
    elif syntax == uid.RLELossless:
        stored = _unpacked(header, frame)
    else:
        stored = _native(header, frame)
    if header.PhotometricInterpretation == "PALETTE COLOR":
        return (apply_color_lut(stored, header) >> 8).astype(np.uint8)
    if header.SamplesPerPixel == 3:
        return (stored >> max(0, header.BitsStored - 8)).astype(np.uint8)
    return _square(_grey(stored.astype(np.float64), header), header)


def _native(header: Dataset, frame: int) -> np.ndarray:
    """Cut a frame out of the bytes."""
    rows, columns, samples = header.Rows, header.Columns, header.SamplesPerPixel
    if header.BitsAllocated == 1:
        bits = np.unpackbits(np.frombuffer(header.PixelData, np.uint8), bitorder="little")
        return bits[: rows * columns].reshape(rows, columns)
    if header.PhotometricInterpretation == "YBR_FULL_422":
        pairs = np.frombuffer(header.PixelData, np.uint8).reshape(-1, 4)
        pixels = np.stack([pairs[:, [0, 2, 3]], pairs[:, [1, 2, 3]]], axis=1)
        return convert_color_space(pixels.reshape(rows, columns, 3), "YBR_FULL", "RGB")
    little = header.file_meta.TransferSyntaxUID.is_little_endian
    kind = f"{'<' if little else '>'}{'i' if header.PixelRepresentation else 'u'}{header.BitsAllocated // 8}"
    data = header.PixelData
    if not little and header.BitsAllocated == 8 and header["PixelData"].VR == "OW":
        data = np.frombuffer(data, "<u2").byteswap().tobytes()
    length = rows * columns * samples
    one = np.frombuffer(data, kind)[frame * length : (frame + 1) * length]
    if samples == 1:
        return one.reshape(rows, columns)
    together = header.PlanarConfiguration == 0
    return one.reshape(rows, columns, 3) if together else one.reshape(3, rows, columns).transpose(1, 2, 0)


def _unpacked(header: Dataset, frame: int) -> np.ndarray:
    """Undo run lengths (PS3.5 G): a segment per byte of a sample, the most significant first."""
    data = get_frame(header.PixelData, frame, number_of_frames=int(header.get("NumberOfFrames", 1)))
    count, *starts = np.frombuffer(data[:64], "<u4").tolist()
    starts = [*starts[:count], len(data)]
    planes = [_runs(data[first:last], header.Rows * header.Columns) for first, last in pairwise(starts)]
    width = header.BitsAllocated // 8
    samples = []
    for first in range(0, count, width):
        total = np.zeros(header.Rows * header.Columns, dtype=np.int64)
        for plane in planes[first : first + width]:
            total = total * 256 + plane
        signed = header.PixelRepresentation == 1
        samples.append(np.where(total >= 2 ** (8 * width - 1), total - 2 ** (8 * width), total) if signed else total)
    shape = (header.Rows, header.Columns)
    return (
        samples[0].reshape(shape) if len(samples) == 1 else np.stack([each.reshape(shape) for each in samples], axis=-1)
    )


def _runs(data: bytes, length: int) -> np.ndarray:
    found = bytearray()
    place = 0
    while len(found) < length:
        count = data[place]
        if count < 128:
            found += data[place + 1 : place + 2 + count]
            place += 2 + count
        else:
            found += data[place + 1 : place + 2] * (257 - count if count > 128 else 0)
            place += 2 if count > 128 else 1
    return np.frombuffer(bytes(found[:length]), np.uint8).astype(np.int64)


def _grey(stored: np.ndarray, header: Dataset) -> np.ndarray:
    values = stored * float(header.get("RescaleSlope", 1)) + float(header.get("RescaleIntercept", 0))
    if "WindowCenter" in header:
        center = float(np.atleast_1d(header.WindowCenter)[0])
        width = float(np.atleast_1d(header.WindowWidth)[0])
        shown = np.empty_like(values)
        below, above = values <= center - 0.5 - (width - 1) / 2, values > center - 0.5 + (width - 1) / 2
        shown[below], shown[above] = 0, 255
        between = ~(below | above)
        shown[between] = ((values[between] - (center - 0.5)) / (width - 1) + 0.5) * 255
    elif header.BitsStored <= 8:
        shown = values * 255 / (2**header.BitsStored - 1)
    else:
        shown = (values - values.min()) * 255 / (values.max() - values.min())
    shown = np.floor(shown + 0.5)
    return (255 - shown if header.PhotometricInterpretation == "MONOCHROME1" else shown).astype(np.uint8)


def _square(shown: np.ndarray, header: Dataset) -> np.ndarray:
    rows, columns = (float(each) for each in header.get("PixelSpacing", header.get("ImagerPixelSpacing", (1, 1))))
    if abs(rows / columns - 1) <= 0.01:
        return shown
    height, width = shown.shape
    size = (width, round(height * rows / columns)) if rows > columns else (round(width * columns / rows), height)
    return np.array(Image.fromarray(shown).resize(size, Image.Resampling.BICUBIC))
