"""What the metadata of PNG, JPEG and TIFF files hold: names of entries, never what they say."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from PIL import ExifTags, Image

from clinhallu_gate.datasets.pixels import FORMATS, quiet
from clinhallu_gate.deidentification.findings import FileFinding

#: Keywords that the PNG specification knows (11.3.3.2); any other is free text itself.
_PNG_KEYWORDS: Final = frozenset(
    {"Title", "Author", "Description", "Copyright", "Creation Time", "Software", "Disclaimer", "Warning", "Source"}
    | {"Comment", "XML:com.adobe.xmp", "Collection"}
)
#: Entries of EXIF that are bytes or text and tell of the file alone.
_OF_THE_FILE: Final = frozenset(
    {"ExifVersion", "FlashPixVersion", "ComponentsConfiguration", "InteroperabilityIndex", "FileSource", "SceneType"}
    | {"StripOffsets", "TileOffsets", "JPEGTables", "YCbCrSubSampling", "ExtraSamples", "InterColorProfile"}
)
_NOTES: Final = {"comment": "comment", "xmp": "XMP", "photoshop": "Photoshop resources", "XML:com.adobe.xmp": "XMP"}


def metadata_of(path: Path) -> FileFinding:
    """Return what an image holds beside its pixels. Raises what Pillow raises on broken files, such as ``OSError``."""
    with quiet(), Image.open(path, formats=FORMATS) as image:
        names = {*_exif(image), *_texts(image), *_other(image.info)}
    return FileFinding(dicom=False, metadata=frozenset(names))


def _exif(image: Image.Image) -> Iterator[str]:
    exif = image.getexif()
    for tag, value in {**exif, **exif.get_ifd(ExifTags.IFD.Exif)}.items():
        name = ExifTags.TAGS.get(tag, f"0x{tag:04X}")
        if name not in _OF_THE_FILE and _says_something(value):
            yield f"EXIF {name}"
    if exif.get_ifd(ExifTags.IFD.GPSInfo):
        yield "EXIF GPSInfo"


def _says_something(value: object) -> bool:
    """Whether an entry is text, or bytes that may be; numbers tell of the picture's form."""
    text = value.decode("latin-1") if isinstance(value, bytes) else value
    return isinstance(text, str) and bool(text.strip(" \0"))


def _texts(image: Image.Image) -> Iterator[str]:
    image.load()  # texts may follow the pixels
    for keyword, value in getattr(image, "text", {}).items():
        if value:
            yield _NOTES.get(keyword) or f"PNG {keyword if keyword in _PNG_KEYWORDS else 'text of another keyword'}"


def _other(info: Mapping[Any, Any]) -> Iterator[str]:
    yield from (said for key, said in _NOTES.items() if info.get(key) and not key.startswith("XML"))
