"""Patients who must not be seen: data in which every field, file and pixel names one, and a search that finds them."""

import base64
import binascii
import gzip
import html
import io
import json
import re
import shutil
import subprocess
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote_plus

import pyarrow.parquet as pq
from PIL import ExifTags, Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from clinhallu_gate.protocol.load import load_protocol
from clinhallu_gate.testing import Fault, Request, ScriptedReply
from clinhallu_gate.vocabulary import ANSWER, Stage

TESSERACT: Final = shutil.which("tesseract")
#: Kinds of replies.
KINDS: Final = 6


@dataclass(frozen=True, slots=True)
class Patient:
    """Who must not be seen."""

    family: str
    given: str
    mrn: str
    born: tuple[str, str, str]
    """Year, month, day."""
    accession: str

    @property
    def spellings(self) -> tuple[str, ...]:
        """All that tells who it is, as files and people write it."""
        year, month, day = self.born
        dates = (f"{year}{month}{day}", f"{year}-{month}-{day}", f"{day}.{month}.{year}", f"{day}/{month}/{year}")
        records = (self.mrn, f"{self.mrn[:3]}-{self.mrn[3:]}")
        accessions = (self.accession, f"{self.accession[:4]} {self.accession[4:]}")
        return (self.family, self.given, *dates, *records, *accessions)

    def line(self, number: int) -> str:
        """Return a text that names the patient in one of several ways; together they use every spelling."""
        year, month, day = self.born
        lines = (
            f"{self.family.upper()}^{self.given.upper()} born {year}{month}{day}",
            f"Mrs {self.given} (record {self.mrn}, *{day}.{month}.{year})",
            f"{self.family}, acc. {self.accession}; {year}-{month}-{day}",
            f"{self.accession[:4]} {self.accession[4:]} of {self.mrn[:3]}-{self.mrn[3:]}, {day}/{month}/{year}",
        )
        return lines[number % len(lines)]


#: What every planted word begins with; four letters follow.
MARK: Final = "ZQXJV"


def marked(number: int) -> str:
    """Return a word of its own for each number below 279,841, as an identifier or a code of DICOM may be."""
    letters = "ABCDEFGHIJKLMNOPRSTUWYZ"
    return MARK + "".join(letters[number // len(letters) ** place % len(letters)] for place in range(4))


_DAY: Final = r"(?:0[1-9]|[12]\d|3[01])"
_MONTH: Final = r"(?:0[1-9]|1[0-2])"
#: What is planted in DICOM beside names (words, UIDs, days of years long gone, a second of the night), as a part of it
#: and as a pattern.
_PLANTED: Final = (
    (MARK.casefold(), rf"{MARK.casefold()}[a-z]{{4}}"),
    (".9.7433.", r"1\.2\.826\.0\.1\.3680043\.9\.7433\.\d+"),
    *((year, rf"(?<![0-9a-f]){year}([-/.]?){_MONTH}\1{_DAY}(?![a-f])") for year in ("1809", "1813")),
    *((year, rf"(?<![0-9a-f]){_DAY}[-/.]{_MONTH}[-/.]{year}(?![0-9a-f])") for year in ("1809", "1813")),
    ("17.97", r"03:?59:?17\.97\d{4}"),
)

PATIENTS: Final = (
    Patient("Okonkwo", "Zephyrine", "7781904", ("1957", "03", "14"), "55201370"),
    Patient("Wrzesniak", "Bogumila", "6620517", ("1941", "11", "29"), "44817326"),
    Patient("Quetzalli", "Itzayana", "9174463", ("1988", "07", "02"), "31190745"),
    Patient("Fjeldheim", "Sigrunna", "2048856", ("1969", "12", "30"), "80716623"),
    Patient("Abubakarov", "Dzhamila", "5593217", ("1933", "05", "08"), "67350912"),
    Patient("Vanhooydonck", "Liesbethe", "8306491", ("2003", "09", "21"), "29485061"),
)


# --- data -------------------------------------------------------------------------------------------------------------


def write_ward(folder: Path, *, broken: bool = False) -> Path:
    """Write a manifest whose every text, file name, metadata and pixel names a patient; return it.

    ``broken`` adds rows of every kind of mistake, each with a patient's data in the wrong place.
    """
    rows = [row for patient in PATIENTS for row in _rows(folder, patient)]
    rows += [*_broken(rows[0])] if broken else []
    path = folder / "ward.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def _rows(folder: Path, patient: Patient) -> Iterator[dict[str, Any]]:
    place = PATIENTS.index(patient)
    image = _IMAGES[place % len(_IMAGES)](folder, patient)
    for number, kind in enumerate(("open_ended", "multiple_choice", "yes_no", "open_ended")):
        told = [patient.line(number + shift) for shift in range(4)]
        row = {
            "source_id": f"{patient.family}-{patient.mrn}-{number}",
            "patient_id": f"{patient.mrn} {told[0]}",
            "question": f"What is seen in study {number}? {told[1]}",
            "question_type": kind,
            "answer": f"mass, see {told[2]}",
            "images": [image],
            "gold_visual_recognition": f"A mass of 3 cm is seen on the left. {told[3]}",
            "gold_knowledge_recall": f"A mass of 3 cm needs follow-up. {told[0]}",
            "gold_reasoning": f"So there is no fracture, and a mass on the left. {told[1]}",
            "stratum": f"station of {told[2]}" if number % 2 else "chest",
            "tags": [f"seen by {told[3]}", "never:laterality"],
            **{name: f"{name} {told[0]}" for name in ("source", "split", "modality", "organ", "system", "body_system")},
            **{name: f"{name} {told[1]}" for name in ("specialty", "task", "keyword", "video_id", "reasoning_chain")},
            "gold_cot_meta": {"by": told[2], told[3]: 1},
            "phi": True,
        }
        if kind == "multiple_choice":
            row |= {"options": [f"A. {told[0]}", f"B. {told[1]}"], "answer_letter": "A", "answer": f"A. {told[0]}"}
        elif kind == "yes_no":
            row["answer"] = f"no, {told[0]}"
        yield row


def _broken(row: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield rows that cannot be used; each problem has something to quote."""
    who = PATIENTS[0]
    yield {**row, "source_id": row["source_id"]}
    for number, change in enumerate(
        (
            {"question_type": who.line(0)},
            {"answer": who.line(1), "question_type": "yes_no"},
            {who.line(2): 1},
            {"images": [f"../{who.family}.png"]},
            {"images": [f"{who.line(3)}.png"]},
            {"images": [f"{who.family * 60}.png"]},
            {"options": [who.line(0), who.line(1)], "question_type": "multiple_choice"},
            {"answer_letter": who.given},
            {"gold_cot": who.line(2)},
            {"tags": int(who.accession)},
            {"phi": who.family},
            {"stratum": int(who.mrn)},
        )
    ):
        yield {**row, "source_id": f"{who.mrn}-broken-{number}", **change}


def burned_in(patient: Patient, mode: str) -> Image.Image:
    """Return a picture of nothing but letters that tell who the patient is."""
    drawn = Image.new("L", (900, 330), 255)
    pen, font = ImageDraw.Draw(drawn), ImageFont.load_default(56)
    for line, text in enumerate((f"{patient.family} {patient.given}", f"ID {patient.mrn}", "-".join(patient.born))):
        pen.text((20, 20 + 100 * line), text, fill=0, font=font)
    return drawn.convert(mode)


def _named(folder: Path, patient: Patient, ending: str) -> str:
    name = f"{patient.family}_{patient.given}/{patient.mrn}_{''.join(patient.born)}.{ending}"
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    return name


def _png(folder: Path, patient: Patient, mode: str = "RGB") -> str:
    """Write a PNG with a chunk of every kind that holds text."""
    name, info = _named(folder, patient, "png"), PngInfo()
    info.add_text("Comment", patient.line(0))
    info.add_text("Description", patient.line(1), zip=True)
    info.add_itxt("Author", patient.line(2), zip=True)
    burned_in(patient, mode).save(folder / name, pnginfo=info)
    return name


def _palette(folder: Path, patient: Patient) -> str:
    """Write one that has to be redrawn before it is sent."""
    return _png(folder, patient, "P")


def _jpeg(folder: Path, patient: Patient) -> str:
    name, exif = _named(folder, patient, "jpg"), Image.Exif()
    exif[ExifTags.Base.ImageDescription] = patient.line(0)
    exif[ExifTags.Base.Artist] = patient.line(1)
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = patient.line(2)
    burned_in(patient, "RGB").save(folder / name, exif=exif, comment=patient.line(3), quality=95)
    return name


_IMAGES: Final[tuple[Callable[[Path, Patient], str], ...]] = (_png, _palette, _jpeg)


# --- a model and a judge that repeat whatever they are told -----------------------------------------------------------


def echo(request: Request) -> ScriptedReply:
    """Answer with a trace that repeats the prompt; some replies are none, cut off or refused, and repeat it too."""
    headers, said, kind = load_protocol("standard").trace.headers, _end(request), _draw(request)
    stages = "".join(f"{headers[stage]}\nI repeat it all here: {said}\n\n" for stage in Stage)
    whole = f"{stages}{headers[ANSWER]} perhaps {said}"
    if kind == 0:
        return ScriptedReply(f"I'm sorry, I cannot speak of {said}")
    if kind == 1:
        return ScriptedReply(whole[: len(whole) // 2], "length")
    return ScriptedReply(whole)


def judge(request: Request) -> ScriptedReply:
    """Judge at random, for reasons that repeat the prompt; some replies cannot be used and repeat it too."""
    said, kind = _end(request), _draw(request)
    if kind == 0:
        return ScriptedReply(f"no JSON but {said}")
    return ScriptedReply(
        json.dumps({"reason": f"because of {said}", "hallucinated": kind % 2 == 0, "correct": kind > 2})
    )


def unavailable(request: Request, _attempt: int) -> Fault | None:
    """Fail a few calls for good, with a message that repeats the prompt."""
    return closing(request, _attempt) if _is_chosen(request) else None


def closing(request: Request, _attempt: int) -> Fault | None:
    """Fail every call so."""
    return Fault.http(503, retry_after=3600, message=_end(request))


def refusing(request: Request, _attempt: int) -> Fault | None:
    """Refuse a few calls, with a message that repeats the prompt: that ends a run."""
    return Fault.http(400, message=_end(request)) if _is_chosen(request) else None


def _is_chosen(request: Request) -> bool:
    return sha256(request.raw).digest()[1] % 16 == 0


def _end(request: Request) -> str:
    """Return the end of the prompt on one line, without what a reader would take for a header."""
    return " ".join(request.text.replace("[", "(").replace("]", ")").split())[-300:]


def _draw(request: Request) -> int:
    return sha256(request.text.encode()).digest()[0] % KINDS


# --- the search -------------------------------------------------------------------------------------------------------


class Search:
    """Looks for patients in whatever is handed on: bytes, what is packed in them, tables, and pixels."""

    def __init__(self, *, pixels: bool = True) -> None:
        self._pixels = pixels and TESSERACT is not None

    def folder(self, folder: Path) -> dict[str, set[str]]:
        """Return what was found, by file (names of files and folders too)."""
        files = [path for path in folder.rglob("*") if path.is_file()]
        found = {str(path.relative_to(folder)): self.file(path) for path in files}
        found["names"] = self.text("\n".join(str(path.relative_to(folder)) for path in folder.rglob("*")).encode())
        return {name: told for name, told in found.items() if told}

    def file(self, path: Path) -> set[str]:
        """Return what a file tells."""
        found = self.packed(path.read_bytes())
        if path.suffix == ".parquet":
            table = pq.read_table(path)
            found |= self.text(repr(table.to_pylist()).encode()) | self.text(repr(table.schema.metadata).encode())
        return found

    def packed(self, data: bytes) -> set[str]:
        """Return what bytes tell, packed streams and pixels included."""
        found: set[str] = set()
        for stream in streams(data):
            found |= self.text(stream)
            if self._pixels and is_image(stream):
                found |= read_pixels(stream)
        return found

    @staticmethod
    def text(data: bytes) -> set[str]:
        """Return what bytes tell as text, in several encodings and ways to escape."""
        plain = data.decode("latin-1")
        wide = [data.decode(f"utf-16-{end}", "ignore") for end in ("le", "be")]
        ways = [plain, html.unescape(plain), unquote_plus(plain), _unescaped(plain), " ".join(plain.split()), *wide]
        folded = {way.casefold() for way in ways}
        looked = ((way, pattern) for way in folded for anchor, pattern in _wanted() if anchor in way)
        return {match[0] for way, pattern in looked for match in pattern.finditer(way)}


@cache
def _wanted() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """Return what is looked for, each with what every match of it holds: texts without that need no closer look."""
    words = sorted({spelling.casefold() for patient in PATIENTS for spelling in patient.spellings})
    named = ((w, rf"(?<!\d){re.escape(w)}(?!\d)" if w[0].isdigit() else re.escape(w)) for w in words)
    return tuple((anchor, re.compile(pattern)) for anchor, pattern in (*named, *_PLANTED))


def _unescaped(text: str) -> str:
    return re.sub(r"\\u([0-9a-fA-F]{4})", lambda match: chr(int(match[1], 16)), text).replace("\\n", " ")


def streams(data: bytes, depth: int = 3) -> Iterator[bytes]:
    """Yield bytes and whatever is packed in them: base64, zlib, gzip, to some depth."""
    yield data
    if depth:
        for inner in (*_base64(data), *_deflated(data)):
            yield from streams(inner, depth - 1)


def _base64(data: bytes) -> Iterator[bytes]:
    for match in re.finditer(rb"[A-Za-z0-9+/_-]{24,}={0,2}", data):
        with_padding = match[0] + b"=" * (-len(match[0]) % 4)
        try:
            yield base64.b64decode(
                with_padding, altchars=b"-_" if b"_" in with_padding or b"-" in with_padding else None
            )
        except binascii.Error:
            continue


def _deflated(data: bytes) -> Iterator[bytes]:
    for match in re.finditer(rb"\x78[\x01\x5e\x9c\xda]|\x1f\x8b\x08", data):
        rest = data[match.start() :]
        try:
            gz = rest.startswith(b"\x1f\x8b")
            yield gzip.decompress(rest) if gz else zlib.decompressobj().decompress(rest)
        except (zlib.error, EOFError, OSError):
            continue


def is_image(data: bytes) -> bool:
    """Whether bytes begin as an image does."""
    return data.startswith((b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"II*\0", b"MM\0*", b"BM")) or data[8:12] == b"WEBP"


@cache
def _ocr(data: bytes) -> str:
    try:
        with Image.open(io.BytesIO(data)) as image:
            grey = image.convert("L")
    except (OSError, SyntaxError, ValueError):
        return ""
    large = io.BytesIO()
    grey.resize((grey.width * 2, grey.height * 2)).save(large, "PNG")
    command = [str(TESSERACT), "stdin", "stdout", "--psm", "6"]
    return subprocess.run(command, input=large.getvalue(), capture_output=True, check=True).stdout.decode()


def read_pixels(data: bytes) -> set[str]:
    """Return what an image's pixels tell."""
    return Search.text(_ocr(data).encode())
