"""What was hit is listed for the site alone: how often, and with the words around it."""

import base64
import csv
import gzip
import io
import stat
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clinhallu_gate.datasets.dataset import Identifier
from clinhallu_gate.scan import Finding, Findings, Search, known_values
from clinhallu_gate.scan.found import LISTED
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
    """A line a place, with two columns left to be filled in."""
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
            ("report.html", "id", "55201370", "1", "'=55201370\N{REPLACEMENT CHARACTER}[2J", "", ""),
            ("'=a.md", "id", "55201370", "1", "of 55201370", "", ""),
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
