"""What was hit is listed for the site alone: how often, and with the words around it."""

import base64
import csv
import gzip
import io
import stat
from pathlib import Path
from time import process_time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clinhallu_gate.datasets.dataset import Identifier
from clinhallu_gate.scan import Finding, Findings, Search, known_values
from clinhallu_gate.scan.found import COUNTED, LISTED
from clinhallu_gate.scan.kept import HITS_COLUMNS, HITS_FILE, write_hits

RECORD = Identifier("id", "55201370")
PERSON = Identifier("name", "Müller-Okonkwo^Zephyrine")


def found(data: bytes | str, *identifiers: Identifier) -> list[Finding]:
    search = Search(known_values(identifiers or (RECORD,)))
    return search.content(data.encode() if isinstance(data, str) else data, "report.html")


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / HITS_FILE).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_value_is_listed_once_with_its_first_places() -> None:
    """However often it stands there: the words around it as they are written, on one line."""
    text = "".join(f"Row {number}\n\tis  of 55201370, a Patient.\n" for number in range(9))
    (one,) = found(text)
    assert (one.what, one.value, one.times) == ("id", "55201370", 9)
    assert len(one.places) == 3
    assert one.places[0] == "Row 0 is of 55201370, a Patient. Row 1 is of 55201370, a P"


@pytest.mark.parametrize("shift", range(-9, 10, 3))
def test_what_stands_where_two_pieces_meet_is_counted_once(shift: int) -> None:
    """Pieces overlap so that nothing is missed there."""
    (one,) = found(" " * ((1 << 20) + shift) + "55201370" + " " * (1 << 20) + "55201370")
    assert one.times == 2


def test_a_value_is_counted_as_far_as_people_read(tmp_path: Path) -> None:
    """Then it is looked for no more in that file, whatever is packed in it; another value is, and in another file."""
    often = "of 55201370, " * (COUNTED - 1)
    assert [one.how_often for one in found(often)] == ["999"]
    for text in (f"{often} 55201370", often + often, often + base64.b64encode(b" 55201370, or who?").decode()):
        assert [one.how_often for one in found(text)] == ["1000 or more"]
    born = Identifier("birth_date", "19570314")
    (both, other) = found(("1957-03-14, " + "of 55201370, ") * 3000 + "14.3.1957", RECORD, born)
    assert (both.how_often, other.how_often) == ("1000 or more", "1000 or more")
    late = [(one.what, one.how_often) for one in found(often * 3 + "19570314 3.14.1957", RECORD, born)]
    assert late == [("birth_date", "2"), ("id", "1000 or more")]
    same_year = found("1957-03-14, " * 3000 + "2.2.1957", born, Identifier("birth_date", "19570202"))
    assert [(one.value, one.how_often) for one in same_year] == [("19570202", "1"), ("19570314", "1000 or more")]
    findings = Findings()
    findings.add(found(often * 2))
    write_hits(tmp_path, findings)
    assert rows(tmp_path)[0]["times"] == "1000 or more"


def test_places_that_people_can_read_are_looked_for_beyond_that() -> None:
    """Behind thousands of places among bytes, a sentence is shown."""
    (text,) = found(b"55201370\1" * 3000 + b" " * (1 << 20) + b"it is 55201370 " + b" " * 99)
    assert "it is 55201370" in text.places


def test_a_value_that_stands_everywhere_takes_no_longer() -> None:
    """200,000 times in 3 MB: 0.1 s here, where every place took 2.6 to 8 s."""
    identifiers = (RECORD, Identifier("birth_date", "19570314"), Identifier("id", "ZX-77819/04"))
    search = Search(known_values(identifiers))
    assert search.content(b"", "report.html") == []
    began = process_time()
    for text in (b"row 55201370, ", b"* 14.03.1957, ", b"zx-77819/04; "):
        (one,) = search.content(text * 200_000, "report.html")
        assert one.how_often == "1000 or more"
    assert process_time() - began < 2


def test_what_several_readings_show_is_counted_once() -> None:
    """The escaped and the plain text hold the same; what is packed beside it counts."""
    assert [one.times for one in found("a &amp; b: 55201370 %20 55201370")] == [2]
    packed = base64.b64encode(b"is it 55201370, or who?").decode()
    assert [one.times for one in found(f"55201370 {packed}")] == [2]
    assert found(gzip.compress(b"of 55201370."))[0].places == ("of 55201370.",)


def test_what_people_can_read_is_shown_first() -> None:
    """Of a table the cell, and then the bytes in which it is kept."""
    buffer = io.BytesIO()
    pq.write_table(pa.table({"a": ["it is 55201370"]}), buffer, compression="none")
    (one,) = found(buffer.getvalue())
    assert one.places[0] == "it is 55201370"
    assert one.times > 1


def test_what_was_found_is_named_as_it_is_known() -> None:
    """A whole name, in whatever order, as the header has it; the family by itself."""
    assert [one.value for one in found("ZEPHYRINE Müller-Okonkwo", PERSON)] == [
        "müller okonkwo",
        "müller-okonkwo^zephyrine",
    ]
    assert [one.value for one in found("MÜLLER-OKONKWO", PERSON)] == ["müller okonkwo"]
    written = Identifier("id", "12-34567")
    assert [one.value for one in found("12_34567", written)] == ["12-34567"]
    assert [one.value for one in found("1234567", written)] == ["1234567"]
    (born,) = found("* 14.3.1957, 1957-03-14", Identifier("birth_date", "19570314"))
    assert (born.value, born.times) == ("19570314", 2)


def test_the_list_is_for_its_owner_and_runs_in_no_spreadsheet(tmp_path: Path) -> None:
    """A line a place."""
    findings = Findings()
    findings.add(found("=55201370\x1b[2J\n", RECORD))
    findings.add(Search(known_values([RECORD])).content(b"of 55201370", "=a.md"))
    (tmp_path / HITS_FILE).write_text("what an earlier search found")
    (tmp_path / HITS_FILE).chmod(0o600)
    write_hits(tmp_path, findings)
    assert stat.S_IMODE((tmp_path / HITS_FILE).stat().st_mode) == 0o600
    assert rows(tmp_path) == [
        dict(zip(HITS_COLUMNS, row, strict=True))
        for row in (
            ("report.html", "id", "55201370", "1", "'=55201370\N{REPLACEMENT CHARACTER}[2J"),
            ("'=a.md", "id", "55201370", "1", "of 55201370"),
        )
    ]


def test_the_list_ends_where_nobody_looks_any_more(tmp_path: Path) -> None:
    """The rest is counted, and everything is told to be hit."""
    findings, one = Findings(), found("55201370")[0]
    hits = findings.add(one for _ in range(LISTED + 7))
    assert hits == [one.hit]
    other = Findings()
    other.join(findings)
    write_hits(tmp_path, other)
    *listed, last = rows(tmp_path)
    assert len(listed) == LISTED
    assert (last["value"], last["times"]) == ("", "7")


def test_a_finding_shows_no_value_by_itself() -> None:
    """As an error or a failed assertion would print it."""
    findings = Findings()
    findings.add(found("Zephyrine Müller-Okonkwo", PERSON))
    assert "okonkwo" not in f"{findings!r} {findings.listed[0]!r} {findings.listed[0].hit!r}".casefold()
