"""What people of the site accept is no hit in that file; nothing can be accepted that stands nowhere by chance."""

import os
import stat
from pathlib import Path

import pytest

from clinhallu_gate.datasets.dataset import Identifier
from clinhallu_gate.errors import BadInput
from clinhallu_gate.scan import Findings, Search, known_values
from clinhallu_gate.scan.accepted import ACCEPTED_FILE, kept_accepted, read_accepted, write_accepted
from clinhallu_gate.scan.kept import HITS_FILE, write_hits
from clinhallu_gate.scan.values import Accepted

HEADER = "file,what,value,accepted_by,reason\n"
WHO = "Dr. Nils Ovesen"


def accepted(folder: Path, text: str, *, name: str = "accepted.csv", mode: int = 0o600) -> Path:
    """Write a file as people of the site keep it."""
    file = folder / name
    file.write_text(text, "utf-8")
    file.chmod(mode)
    return file


def read(folder: Path, text: str) -> tuple[Accepted, ...]:
    return read_accepted(accepted(folder, text), run_dir=folder / "run")


def no_leak(what: str, value: str, by: str = WHO, file: str = "report.html") -> Accepted:
    return Accepted(file, what, value, by, "a number of tokens")


def kinds(text: str, identifier: Identifier, *accept: Accepted, file: str = "report.html") -> list[str]:
    search = Search(known_values([identifier], accepted=accept))
    return [one.what for one in search.content(text.encode(), file)]


def test_what_is_accepted_is_no_hit_in_its_file_alone() -> None:
    """The same number elsewhere is a patient's, and so is another number, or another kind of it, in that file."""
    record, word = Identifier("id", "00481234"), no_leak("id", "00481234")
    assert kinds("in 00481234 s", record, word) == []
    for file in ("summary.md", "the terminal", "a/report.html", "report.html.gz"):
        assert kinds("Patient 00481234 has a mass", record, word, file=file) == ["id"]
    family = Identifier("name", "Lindberg^Sigrunna")
    assert kinds("the Lindberg hospital", family, no_leak("name", "lindberg"), file="summary.md") == ["name"]
    assert kinds("00481234", Identifier("accession_number", "00481234"), word) == ["accession_number"]
    assert kinds("481234", Identifier("id", "481234"), word) == ["id"]
    both = (word, no_leak("id", "00481234", file="summary.md"))
    assert kinds("00481234", record, *both) == kinds("00481234", record, *both, file="summary.md") == []


def test_what_is_accepted_is_counted() -> None:
    """Lines on what is known of these patients, once a value and file: the table is the site's, and holds more."""
    known = known_values(
        [Identifier("id", "20488"), Identifier("id", "70707"), Identifier("accession_number", "20488")],
        accepted=[
            *[no_leak("id", "20488")] * 3,  # a line a place
            no_leak("id", "20488", file="summary.md"),
            no_leak("id", "33333"),
            no_leak("accession_number", "70707", "A. N. Other"),
        ],
    )
    found = known.nothing_found
    assert (found.values, found.accepted, found.accepted_by) == (3, 2, 1)
    assert found.note == (
        "3 values of patients (names, ids, dates of birth); 2 findings accepted by 1 person as no patient's data"
    )
    assert WHO not in repr(known) + found.model_dump_json()
    assert known.accepted == (no_leak("id", "20488"), no_leak("id", "20488", file="summary.md"))
    hits = [(one.what, one.value) for one in Search(known).content(b"20488 70707", "report.html")]
    assert hits == [("accession_number", "20488"), ("id", "70707")]


def test_two_people_are_two() -> None:
    """Their number is told, and not who they are."""
    many = [no_leak("id", "20488"), no_leak("id", "70707", "A. N. Other")]
    found = known_values([Identifier("id", "20488"), Identifier("id", "70707")], accepted=many).nothing_found
    assert found.note.endswith("2 findings accepted by 2 people as no patient's data")
    one = known_values([Identifier("id", "20488")], accepted=many).nothing_found
    assert one.note.endswith("1 finding accepted by 1 person as no patient's data")


def test_what_was_accepted_shows_no_value_by_itself() -> None:
    """As an error or a failed assertion would print it."""
    assert repr(no_leak("id", "20488")) == "Accepted(file='report.html', what='id')"


def test_of_a_name_that_is_accepted_the_whole_is_searched() -> None:
    """A family called like a word of the report: the word alone is no leak, with the given name it is one."""
    berg, word = Identifier("name", "Lindberg^Sigrunna^^Dr"), no_leak("name", "lindberg")
    assert kinds("the Lindberg hospital", berg) == ["name"]
    assert kinds("the Lindberg hospital", berg, word) == []
    for whole in ("Sigrunna Lindberg", "LINDBERG^SIGRUNNA", "lindbergsigrunna"):
        assert "name" in kinds(whole, berg, word)
    assert known_values([berg], accepted=[word]).nothing_found.values == 1
    assert kinds("lindberg", Identifier("name", "Lindberg^^^Dr"), word) == []


def test_of_an_id_with_marks_the_number_without_them_may_be_accepted() -> None:
    """As it is written it is searched all the same."""
    marked, number = Identifier("id", "12-34567"), no_leak("id", "1234567")
    assert kinds("1234567", marked) == ["id"]
    assert kinds("1234567", marked, number) == []
    assert kinds("12-34567", marked, number) == kinds("12_34567", marked, number) == ["id"]


def test_first_cells_of_the_hits_are_copied_and_two_filled_in(tmp_path: Path) -> None:
    """As they were written, or as a spreadsheet saves them: other separators, a mark at the start, blank lines."""
    findings = Findings()
    findings.add(Search(known_values([Identifier("id", "20488")])).content(b"=20488 tokens, 7 s", "=report.html"))
    write_hits(tmp_path, findings)
    header, line = (tmp_path / HITS_FILE).read_text().splitlines()
    assert header == "file,what,value,times,place"
    assert HEADER.split(",")[:3] == header.split(",")[:3]
    first = ",".join(line.split(",")[:3])
    assert read(tmp_path, f"{HEADER}{first},{WHO},a number of tokens\n") == (
        no_leak("id", "20488", file="=report.html"),
    )
    columns = "file;what;value;times;place;accepted_by;reason"
    spreadsheet = f"\ufeff{columns}\nreport.html;id;20488;1;x;{WHO};a number of tokens\n\n"
    assert read(tmp_path, spreadsheet) == (no_leak("id", "20488"),)
    lindberg = f"report.html,name,LINDBERG,{WHO},a number of tokens\n"
    assert read(tmp_path, HEADER + lindberg) == (no_leak("name", "lindberg"),)


BAD = {
    "a date of birth": ("a.md,birth_date,19570314,A,B", ":2: value: a date of birth cannot be accepted."),
    "a whole name": ("a.md,name,Okonkwo^Zephyrine,A,B", ":2: value: of names, a single word of at most 12 letters"),
    "a name of two words": (
        "a.md,name,Zephyrine Okonkwo,A,B",
        ":2: value: of names, a single word of at most 12 letters",
    ),
    "a name with digits": ("a.md,name,okonkwo77819,A,B", ":2: value: of names, a single word of at most 12 letters"),
    "a long name": ("a.md,name,Vanhooydoncks,A,B", ":2: value: of names, a single word of at most 12 letters"),
    "an id with letters": ("a.md,id,zx77819,A,B", ":2: value: of ids, a number of at most 8 digits"),
    "an id with marks": ("a.md,accession_number,77-819,A,B", ":2: value: of ids, a number of at most 8 digits"),
    "a long number": ("a.md,id,778190412,A,B", ":2: value: of ids, a number of at most 8 digits"),
    "nobody": ("a.md,id,77819,,B", ":2: accepted_by: is empty."),
    "no reason": ("a.md,id,77819,A, ", ":2: reason: is empty."),
    "no value": ("a.md,id,,A,77819", ":2: value: is empty."),
    "no kind": ("a.md,77819,77819,A,B", ":2: what: is no kind of value. Valid: name, id, accession_number."),
    "a broken quotation": ('a.md,id,"77819"x,A,B', ":2: is not CSV."),
    "no file": (",id,77819,A,B", ":2: file: is empty."),
    "a line too short": ("a.md,id,77819", ":2: accepted_by: is empty."),
}


@pytest.mark.parametrize("what", BAD)
def test_what_cannot_be_accepted_is_refused_without_a_value(tmp_path: Path, what: str) -> None:
    """The line and the column are named, and what is possible instead."""
    line, says = BAD[what]
    with pytest.raises(BadInput) as refused:
        read(tmp_path, f"{HEADER}{line}\n")
    said = str(refused.value)
    assert said.startswith(f"--accepted-values: {tmp_path}/accepted.csv{says}")
    assert all(word not in said.casefold() for word in ("7781", "1957", "okonkwo", "zephyrine", "vanhooydonck"))
    assert ("--report-detail summary" in said) == ("cannot be accepted" in said or "can be accepted" in said)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("id,77819,A,B\n", "has no column file. Valid: a first line file,what,value,accepted_by,reason."),
        ("", "has no column file."),
        ("what,value,accepted_by,reason\nid,77819,A,B\n", "has no column file."),
        ("file,what,value,reason\na.md,id,77819,B\n", "has no column accepted_by."),
    ],
)
def test_a_table_without_its_columns_is_refused(tmp_path: Path, text: str, says: str) -> None:
    """What stands in the first line may be a value, and is not shown."""
    with pytest.raises(BadInput, match=r"accepted\.csv: has no column") as refused:
        read(tmp_path, text)
    assert says in str(refused.value)
    assert "77819" not in str(refused.value)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    """Say what helps, and no byte."""
    file = accepted(tmp_path, "")
    file.write_bytes(HEADER.encode("utf-16"))
    with pytest.raises(BadInput, match="is not UTF-8"):
        read_accepted(file, run_dir=tmp_path / "run")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    """It tells of patients, and who works here."""
    file = accepted(tmp_path, HEADER, mode=mode)
    with pytest.raises(BadInput) as refused:
        read_accepted(file, run_dir=tmp_path / "run")
    assert str(refused.value) == (
        f"--accepted-values: {file}: others may read it, and it tells of patients. Try: chmod 600 {file}"
    )


def test_a_file_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever owns it decides what is no leak."""
    file = accepted(tmp_path, HEADER)
    monkeypatch.setattr(os, "geteuid", lambda: file.stat().st_uid + 1)
    with pytest.raises(BadInput, match="belongs to another user"):
        read_accepted(file, run_dir=tmp_path / "run")


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    """Nothing is waited for."""
    os.mkfifo(tmp_path / "pipe", 0o600)
    for name, says in (("pipe", "is no file"), ("", "cannot be read: Is a directory"), ("none", "No such file")):
        with pytest.raises(BadInput, match=says):
            read_accepted(tmp_path / name, run_dir=tmp_path / "run")


def test_a_file_that_would_be_handed_on_or_purged_is_refused(tmp_path: Path) -> None:
    """In this run's folders, in another run's, and through a link."""
    for name in ("run", "run.private", "other", "other.private"):
        (tmp_path / name).mkdir()
    (tmp_path / "other" / "decision.json").touch()
    for name in ("run", "other"):
        for folder, says in ((name, "lies in the run folder"), (f"{name}.private", "lies in the private folder")):
            file = accepted(tmp_path / folder, HEADER, name=HITS_FILE)
            with pytest.raises(BadInput, match=says):
                read_accepted(file, run_dir=tmp_path / "run")
    (tmp_path / "link.csv").symlink_to(tmp_path / "run.private" / HITS_FILE)
    with pytest.raises(BadInput, match="lies in the private folder"):
        read_accepted(tmp_path / "link.csv", run_dir=tmp_path / "run")
    (tmp_path / "site.private").mkdir()
    assert read_accepted(accepted(tmp_path / "site.private", HEADER), run_dir=tmp_path / "run") == ()


def test_a_run_keeps_what_was_accepted_of_it(tmp_path: Path) -> None:
    """For its owner alone, and by name; nothing stays of an earlier run there."""
    formula = Accepted("=report.html", "id", "20488", "=A1", "-")
    write_accepted(tmp_path, [formula])
    assert stat.S_IMODE((tmp_path / ACCEPTED_FILE).stat().st_mode) == 0o600
    assert "'=report.html,id,20488,'=A1,'-\n" in (tmp_path / ACCEPTED_FILE).read_text()
    assert kept_accepted(tmp_path) == (formula,)
    write_accepted(tmp_path, [])
    assert not (tmp_path / ACCEPTED_FILE).exists()
    assert kept_accepted(tmp_path) == ()
