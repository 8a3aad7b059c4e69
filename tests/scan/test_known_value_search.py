"""Known values are found however a file writes them, and what merely looks like one is none."""

import base64
import gzip
import io
import json
import zipfile
import zlib
from collections.abc import Callable
from time import perf_counter, process_time
from urllib.parse import quote_plus

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from clinhallu_gate.datasets.dataset import Identifier
from clinhallu_gate.scan import Search, known_values

PERSON = (
    Identifier("name", "Müller-Okonkwo^Zephyrine^^Dr"),
    Identifier("id", "ZX-77819/04"),
    Identifier("id", "00081234"),
    Identifier("accession_number", "55201370"),
    Identifier("birth_date", "19570314"),
)


def kinds(data: bytes | str, *identifiers: Identifier, said: str = "", places: str = "") -> set[str]:
    search = Search(known_values(identifiers or PERSON, said=said, places=places))
    return {hit.what for hit in search.content(data if isinstance(data, bytes) else data.encode(), "file")}


def _archive(files: dict[str, str | bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def _table(columns: dict[str, list[object]]) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer)
    return buffer.getvalue()


def _picture(text: str) -> bytes:
    info, buffer = PngInfo(), io.BytesIO()
    info.add_itxt("Comment", text, zip=True)
    Image.new("L", (4, 4)).save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


SPELLINGS = {
    "as in a header": ("MÜLLER-OKONKWO^ZEPHYRINE", "name"),
    "as people write it": ("Dr. Zephyrine Müller-Okonkwo", "name"),
    "with a comma": ("müller-okonkwo,  zephyrine", "name"),
    "in a file's name": ("scan_Müller_Okonkwo_Zephyrine.png", "name"),
    "the family alone": ("Mrs Müller-Okonkwo came", "name"),
    "with letters composed otherwise": ("MU\u0308LLER-OKONKWO", "name"),
    "an id": ("record zx-77819/04.", "id"),
    "an accession number": ("acc:55201370;", "accession_number"),
    "a name without anything between": ("ZephyrineMüllerOkonkwo.png", "name"),
    "and turned round": ("müllerokonkwozephyrine", "name"),
    "an id with other marks": ("ZX_77819 04", "id"),
    "an id without marks": ("zx7781904", "id"),
    "a number without its zeros": ("MRN 81234,", "id"),
    "a date": ("19570314", "birth_date"),
    "a date with dashes": ("1957-03-14", "birth_date"),
    "a date, day first": ("born 14.03.1957!", "birth_date"),
    "a date, month first": ("03/14/1957", "birth_date"),
    "a month of one digit": ("14.3.1957", "birth_date"),
    "with blanks": ("14. 3. 1957", "birth_date"),
    "month first, of one digit": ("3/14/1957", "birth_date"),
    "year first, of one digit": ("1957-3-14", "birth_date"),
}
PACKINGS: dict[str, Callable[[str], bytes]] = {
    "plain": lambda text: text.encode(),
    "latin": lambda text: text.encode("latin-1", "replace"),
    "utf-16": lambda text: text.encode("utf-16"),
    "JSON": lambda text: json.dumps({"a": [text]}).encode(),
    "HTML": lambda text: "".join(f"&#{ord(char)};" for char in text).encode(),
    "an address": lambda text: quote_plus(text).encode(),
    "base64": lambda text: b"data:;base64," + base64.b64encode(f"some {text} more".encode()),
    "zlib in base64": lambda text: base64.b64encode(b"\0" + zlib.compress(text.encode())),
    "gzip": lambda text: gzip.compress(text.encode()),
    "an archive": lambda text: _archive({"a.json": json.dumps(text)}),
    "a name in an archive": lambda text: _archive({text: ""}),
    "an archive in an archive": lambda text: _archive({"b.zip": _archive({"a": text})}),
    "a table": lambda text: _table({"a": ["x", f"it is {text}"]}),
    "a list in a table": lambda text: _table({"a": [[text]]}),
    "a picture": _picture,
}


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("packing", PACKINGS)
def test_it_is_found(spelling: str, packing: str) -> None:
    """In every spelling and every packing; the kind is told."""
    text, what = SPELLINGS[spelling]
    if packing == "latin" and "\u0308" in text:
        text = text.replace("U\u0308", "Ü")  # that encoding has no other
    assert kinds(PACKINGS[packing](f"- {text} -")) == {what}


@pytest.mark.parametrize(
    "text",
    [
        "Mr OBrien Smith",
        "O'Brien Smith",
        "o\N{RIGHT SINGLE QUOTATION MARK}brien-smith",
        "obriensmith",
        "OBRIENSMITH, MARY",
    ],
)
def test_a_family_is_found_without_its_marks(text: str) -> None:
    """Apostrophes are left out, and so is what stands between two words of a long one."""
    assert kinds(text, Identifier("name", "O'Brien-Smith^Mary Ann")) == {"name"}


@pytest.mark.parametrize(
    "text",
    [
        "nothing of the kind",
        "Zephyrine alone",
        "0.55201370",
        "55201370.25 s",
        "155201370",
        "5520137",
        "a55201370f0",
        "19570315",
        "1957 03",
        "Müllerei-Okonkwo",
        "zx-77819",
        "zx77819",
        "zx-77819: there are 04",
        "[1957, 3, 14]",
        "1.2.840.14.3.1957",
        "14.3.1957.1",
        "14.3-1957",
        "14.3.19570",
        "",
    ],
)
def test_what_looks_like_one_is_none(text: str) -> None:
    """A given name alone, parts of longer words, digits of a fraction or of a digest, another day."""
    assert kinds(text) == set()


def test_what_is_too_short_is_not_searched_and_counted() -> None:
    """Numbers of fewer than five digits, and anything of fewer than four characters: it would be found everywhere."""
    found = known_values(
        [
            Identifier("id", "1234"),
            Identifier("id", "ab1"),
            Identifier("name", "Li^X"),
            Identifier("birth_date", "1957"),
        ]
    ).nothing_found
    assert (found.values, found.too_short, found.common) == (0, 4, 0)
    assert known_values([Identifier("id", "12345"), Identifier("id", "abc1")]).nothing_found.values == 2


def test_an_id_is_no_pair_of_cells() -> None:
    """With other marks it is found, and where blanks, commas or cells set numbers apart it is not."""
    record = Identifier("id", "204-8856")
    assert kinds("204-8856", record) == kinds("204_8856", record) == kinds("2048856", record) == {"id"}
    assert kinds("204 8856, 204, 8856", record) == set()
    assert kinds("1234, 12 34", Identifier("id", "12-34")) == set()
    case = Identifier("id", "sternum-12")
    assert kinds("sternum_12", case) == kinds("STERNUM12", case) == {"id"}
    assert kinds('sternum 12 | sternum | 12 | "sternum": 12', case) == set()


def test_short_names_are_not_searched_without_anything_between() -> None:
    """They are words."""
    assert kinds("andy", Identifier("name", "An^Dy")) == set()
    assert kinds("an dy", Identifier("name", "An^Dy")) == {"name"}


def test_a_family_called_like_a_word_of_the_gate_is_searched_with_its_given_name() -> None:
    """Its name alone stands in every report; what stands in none, however, is searched."""
    white = Identifier("name", "Gate^Zephyrine")
    assert kinds("the gate decides", white) == set()
    assert kinds("GATE, ZEPHYRINE", white) == {"name"}
    lone = known_values([Identifier("name", "Hallucination")]).nothing_found
    assert (lone.values, lone.common) == (0, 1)


def test_what_a_run_says_of_itself_is_no_patient() -> None:
    """A date of birth that is the day of the run, an id that is a number of instances; a user's own folder."""
    today, number = Identifier("birth_date", "20261126"), Identifier("id", "28124")
    assert kinds("2026-11-26 28124", today, number) == {"birth_date", "id"}
    assert kinds("2026-11-26 28124", today, number, said="2026-11-26T10:00:00Z 28124") == set()
    family, record = Identifier("name", "Fjeldheim^Sigrunna"), Identifier("id", "ward-2048856")
    where = "/home/fjeldheim/ward-2048856"
    assert kinds(where, family, record, places=where) == {"id"}
    assert kinds("Sigrunna Fjeldheim", family, places=where) == {"name"}


def test_a_port_of_an_address_is_no_id() -> None:
    """A number behind a host is no patient's; the same number anywhere else is."""
    record = Identifier("id", "45123")
    for address in (
        "http://127.0.0.1:45123/v1",
        "HTTPS://GPU-7.ward.example:45123",
        "at 10.0.0.7:45123",
        "localhost:45123",
    ):
        assert kinds(f"asked {address}", record) == set()
        assert kinds(f"asked {address} of 45123", record) == {"id"}
    for scheme in ("http", "https", "ws", "wss", "dicomweb+http", "dicomweb+https"):
        assert kinds(f"asked {scheme}://gpu-7:45123/v1", record) == set()
    assert kinds("ws://[::1]:45123 ", record) == set()
    assert kinds(quote_plus("http://127.0.0.1:45123/v1"), record) == set()
    for text in (
        "id:45123",
        "ward: 45123",
        "//ward:45123",
        "v1.127.0.0.1:45123",
        "http://user:45123@host",
        "1.2.3:45123",
        "id://patient:45123",
        "mrn://x:45123",
        "xhttp://ward:45123",
        "x.http://ward:45123",
        "://ward:45123",
        "mrn://localhost:45123",
        "mrn://10.0.0.7:45123",
    ):
        assert kinds(text, record) == {"id"}, text
    assert kinds("http://127.0.0.1:70707/v1", Identifier("id", "70707")) == {"id"}  # no port has such a number
    assert kinds("http://ward:04512/v1", Identifier("id", "04512")) == {"id"}  # nor is one written so
    other = "\N{ARABIC-INDIC DIGIT FOUR}5123"
    assert kinds(f"http://ward:{other}", Identifier("id", other)) == {"id"}
    assert kinds("http://zx-77819/04:1") == {"id"}


def test_numbers_of_a_table_are_no_ids() -> None:
    """What a numeric column holds was counted or measured; what a column of texts holds is searched."""
    record = Identifier("id", "45123")
    assert kinds(_table({"prompt_tokens": [7, 45123], "latency_s": [45123.0, None]}), record) == set()
    for column in (["45123"], [b"45123"], [[45123]], [{"id": 45123}]):
        assert kinds(_table({"a": column}), record) == {"id"}
    assert kinds(_table({"45123": [1]}), record) == {"id"}


def test_a_value_at_the_seam_of_two_pieces_is_found() -> None:
    """Large texts are searched in pieces that overlap."""
    for shift in range(-12, 13, 4):
        assert kinds(" " * ((1 << 20) + shift) + "ZX-77819/04" + " " * (1 << 20)) == {"id"}


@settings(deadline=None)  # the first search reads all that the package says
@given(st.text(max_size=40), st.text(max_size=40))
def test_anything_may_stand_around_it_but_letters_and_digits(before: str, after: str) -> None:
    """Whatever a file holds beside it."""
    assert "id" in kinds(f"{before} ZX-77819/04 {after}")


@settings(deadline=None)  # as above
@given(st.binary(max_size=300))
def test_any_bytes_can_be_searched(data: bytes) -> None:
    """Broken archives, tables and streams are no error."""
    for start in (b"", b"PK\x03\x04", b"PAR1", b"\x1f\x8b\x08", b"\0\x78\x9c", b"%PDF"):
        kinds(start + data)


def test_ten_thousand_values_take_seconds() -> None:
    """The time grows with the text, not with the values: 10 MB here, of which 200 MB take some ten seconds."""
    many = [Identifier("id", f"{number * 7919 % 10_000_019:07d}x") for number in range(10_000)]
    search = Search(known_values(many))
    text = b", ".join(b"%x" % (number * 2654435761 % (1 << 64)) for number in range(550_000))
    began = perf_counter()
    assert search.content(text + b" 0007919X", "file")
    assert perf_counter() - began < 10


def test_ids_that_share_a_word_of_the_text_take_no_longer() -> None:
    """Fifty thousand ids that begin like a word of every report, in a table that holds each of their numbers."""
    numbers = range(100_000, 150_000)
    search = Search(known_values([Identifier("id", f"patient-{number}") for number in numbers]))
    text = b"a patient; " * 20_000 + b"".join(b"0.%d, " % number for number in numbers)
    started = process_time()
    assert search.content(text, "results.parquet") == []
    assert process_time() - started < 10
    assert [hit.what for hit in search.content(text + b"patient-123456", "report.html")] == ["id"]
