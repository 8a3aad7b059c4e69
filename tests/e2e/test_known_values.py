"""What is known of patients is searched in all that may be shared; a hit leaves no decision and shows no value."""

import csv
import json
import shutil
import stat
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from canaries import PATIENTS, Search
from gate_run import GATES, Rig
from ward import Seen, Ward, opened

from clinhallu_gate.cli import main
from clinhallu_gate.datasets.dataset import Identifier
from clinhallu_gate.private import private_folder
from clinhallu_gate.scan.kept import read_identifiers

OWN = '''
"""A test of a user's own that shows a text where it fails."""

import pytest


@pytest.mark.instances
def test_own(instance):
    assert instance.question == ""
'''
NAMED = """
import pytest


@pytest.mark.instances
@pytest.mark.parametrize("whose", ["{record}"])
def test_named(instance, whose):
    assert instance.answer is not None
"""
RECORD = PATIENTS[0].mrn
#: A file of pytest's cache that cannot be read, a search that fails, and a disk that is full by then.
UNREAD = {
    "a file": """
from clinhallu_gate.scan import Search

read = Search.content

def content(self, data, name):
    if name.endswith("nodeids"):
        raise PermissionError(13, f"Permission denied for {self._by_key}")
    return read(self, data, name)

Search.content = content
""",
    "anything": """
import clinhallu_gate.plugin.controller as broken

def scan_beside(known, files, terminal):
    raise KeyError(str(known.spellings))

broken.scan_beside = scan_beside
""",
    "a full disk": """
import clinhallu_gate.plugin.controller as broken
import clinhallu_gate.pipeline.folder as folder

def scan_beside(known, files, terminal):
    def full(run):
        raise OSError(28, str(known.spellings))

    folder._write_documents = full
    raise KeyError(str(known.spellings))

broken.scan_beside = scan_beside
""",
}


def rewritten(ward: Ward, name: str, **changes: object) -> Path:
    """Write the ward's rows with the record number as the patient's id, named in each question, and ``changes``."""
    file = ward.folder / name
    rows = [json.loads(line) for line in (ward.folder / "ward.jsonl").read_text().splitlines()]
    for row in rows:
        row["patient_id"] = row["patient_id"].split()[0]
        row["question"] = f"What is seen in {row['patient_id']}?"
        row.update(changes)
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return file


@pytest.fixture(scope="module")
def ward(rig: Rig) -> Iterator[Ward]:
    """Patients."""
    with opened(rig, "ward-known") as ward:
        yield ward


@pytest.fixture(scope="module")
def clean(ward: Ward) -> Seen:
    """A run that tells nothing."""
    return ward.gate(*GATES, "-n", "0", data=rewritten(ward, "plain.jsonl"))


def shown_values(seen: Seen) -> list[str]:
    """Return the lines of the terminal about the scan that hold a value."""
    lines = [line for line in seen.outcome.out.splitlines() if "known-value scan" in line]
    assert lines
    return [line for line in lines for patient in PATIENTS for word in patient.spellings if word in line]


def hits_file(seen: Seen) -> Path:
    """Return where a run lists what was hit."""
    return private_folder(seen.outcome.folder) / "hits.csv"


def hits_of(seen: Seen) -> list[dict[str, str]]:
    """Return what a run lists as hit, for its owner alone."""
    assert stat.S_IMODE(hits_file(seen).stat().st_mode) == 0o600
    with hits_file(seen).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_run_without_a_hit_says_what_was_searched(clean: Seen) -> None:
    """24 ids of rows and 6 of patients, in every file of the folder; for the site alone they are kept."""
    assert clean.outcome.status == 1
    found = clean.outcome.manifest["known_values"]
    assert (found["values"], found["hits"]) == (30, [])
    assert found["files"] >= 5
    report = " ".join((clean.outcome.folder / "report.html").read_text().split())
    assert "30 values of patients (names, ids, dates of birth); a hit would have left no decision" in report
    assert not hits_file(clean).exists()
    kept = private_folder(clean.outcome.folder) / "identifiers.csv"
    assert f"id,{RECORD}\n" in kept.read_text()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_ids_are_kept_as_cells_that_no_spreadsheet_runs(ward: Ward) -> None:
    """Of a cluster the patient is told, too; what is searched is the id itself, and it is read back so."""
    formula = '=HYPERLINK("http://elsewhere.example")'
    seen = ward.gate(GATES[0], "-n", "0", data=rewritten(ward, "formula.jsonl", patient_id=formula))
    kept = private_folder(seen.outcome.folder)
    with (kept / "ids.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["original"] for row in rows if row["what"] == "patient"} == {f"'{formula}"}
    assert {row["pseudonym"] for row in rows if row["what"] == "patient"} == {
        row["pseudonym"] for row in rows if row["what"] == "cluster"
    }
    for name in ("ids.csv", "identifiers.csv"):
        with (kept / name).open(encoding="utf-8", newline="") as file:
            assert not [cell for row in csv.reader(file) for cell in row if cell.startswith("=")]
    assert Identifier("id", formula) in read_identifiers(kept)


def test_evidence_that_names_a_patient_is_not_packed(
    clean: Seen, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The summary does since somebody wrote into it: the file is named, and no archive is left."""
    run = copied(clean, tmp_path / "run")
    seen = replace(clean, outcome=replace(clean.outcome, folder=run))
    with (run / "summary.md").open("a") as summary:
        summary.write(f"agreed upon for {RECORD}\n")
    assert main(["evidence", str(run)]) == 4
    said = capsys.readouterr().err
    assert "known-value scan: summary.md holds a patient's id: it is not packed." in said
    assert f"See {hits_file(seen)}." in said
    assert RECORD not in said
    (hit,) = hits_of(seen)
    assert (hit["file"], hit["value"], hit["times"]) == ("summary.md", RECORD, "1")
    assert f"agreed upon for {RECORD}" in hit["place"]
    assert not (run / "evidence.zip").exists()


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_test_that_shows_a_text_takes_the_decision_back(rig: Rig, ward: Ward, workers: str) -> None:
    """Terminal and test report hold it, with workers too: 11, no decision, and the place is named without the value."""
    own = rig.root / "suites" / "test_shows.py"
    own.write_text(OWN)
    try:
        seen = ward.gate("suites/test_shows.py", *GATES, "-n", workers, data=rewritten(ward, "plain.jsonl"))
    finally:
        own.unlink()
    assert seen.outcome.status == 11
    assert (seen.outcome.decision["decision"], seen.outcome.decision["exit_status"]) == (None, 11)
    assert {gate["decision"] for gate in seen.outcome.decision["gates"]} == {None}
    hits = {hit["file"] for hit in seen.outcome.manifest["known_values"]["hits"]}
    assert hits == {seen.junit.name, "the terminal"}
    assert f"{seen.junit.name} holds a patient's id; the terminal holds a patient's id" in " ".join(
        seen.outcome.out.split()
    )
    assert shown_values(seen) == []
    assert RECORD not in (seen.outcome.folder / "report.html").read_text()
    listed = hits_of(seen)
    assert {(row["file"], row["what"]) for row in listed} == {(seen.junit.name, "id"), ("the terminal", "id")}
    assert any(row["value"] == RECORD and f"What is seen in {RECORD}?" in row["place"] for row in listed)
    assert f"do not hand it on; see {hits_file(seen).relative_to(rig.root)}" in " ".join(seen.outcome.out.split())
    summary = seen.step_summary.read_text()
    assert summary == (seen.outcome.folder / "summary.md").read_text()
    assert "BLOCKED" not in summary


def test_a_test_report_is_found_where_pytest_writes_it(rig: Rig, ward: Ward, tmp_path: Path) -> None:
    """Of its name pytest expands variables and the home folder."""
    own = rig.root / "suites" / "test_shows.py"
    own.write_text(OWN)
    words = ward.words(
        "suites/test_shows.py", GATES[0], "-n", "0", junit=Path("$OUT/own.xml"), data=rewritten(ward, "plain.jsonl")
    )
    try:
        outcome = rig.run(*words, env={**ward.env, "OUT": str(tmp_path)})
    finally:
        own.unlink()
    assert RECORD in (tmp_path / "own.xml").read_text()
    assert outcome.status == 11
    assert {hit["file"] for hit in outcome.manifest["known_values"]["hits"]} == {"own.xml", "the terminal"}


@pytest.mark.parametrize(
    ("what", "status", "says"),
    [
        (
            "a file",
            11,
            "scan: .pytest_cache/v/cache/nodeids could not be searched (30 values searched); do not hand it on.",
        ),
        ("anything", 11, "known-value scan: what pytest wrote (KeyError in plugin/controller.py:"),
        ("a full disk", 3, "internal error: OSError (No space left on device) in pipeline/folder.py:"),
    ],
)
def test_what_could_not_be_searched_takes_the_decision_back(
    rig: Rig, ward: Ward, what: str, status: int, says: str
) -> None:
    """Nobody knows what it holds: no decision stays, and no word of the error, also where nothing can be written."""
    plugin = rig.root / "suites" / "conftest.py"
    plugin.write_text(UNREAD[what])
    try:
        seen = ward.gate(*GATES, "-n", "0", data=rewritten(ward, "plain.jsonl"))
    finally:
        plugin.unlink()
    assert seen.outcome.status == status
    assert says in seen.outcome.out + seen.outcome.err
    assert RECORD not in seen.outcome.out + seen.outcome.err
    assert "Traceback" not in seen.outcome.err
    if status == 3:
        assert not seen.step_summary.exists()
        assert not (seen.outcome.folder / "decision.json").exists()
    else:
        assert (seen.outcome.decision["decision"], seen.outcome.decision["exit_status"]) == (None, 11)
        assert "could not be searched" in (seen.outcome.folder / "summary.md").read_text()


def test_tests_that_earlier_sessions_left_in_the_cache_are_not_this_ones(ward: Ward) -> None:
    """Public data may bear the same ids; a test of this run of pytest that bears one is named, however often it ran."""
    nodeids = ward.rig.root / ".pytest_cache" / "v" / "cache" / "nodeids"
    data, own = rewritten(ward, "plain.jsonl"), ward.rig.root / "suites" / "test_named.py"
    shutil.rmtree(ward.rig.root / ".pytest_cache", ignore_errors=True)
    nodeids.parent.mkdir(parents=True)
    nodeids.write_text(json.dumps([f"suites/test_of_another_day.py::test_it[{RECORD}]"], indent=2))
    assert ward.gate(*GATES, "-n", "0", data=data, clear=False).outcome.status == 1
    assert RECORD in nodeids.read_text()
    own.write_text(NAMED.replace("{record}", RECORD))
    try:
        seen = [ward.gate("suites/test_named.py", GATES[0], "-n", "0", data=data, clear=False) for _ in range(2)]
    finally:
        own.unlink()
    for one in seen:
        assert one.outcome.status == 11
        assert ".pytest_cache/v/cache/nodeids" in {hit["file"] for hit in one.outcome.manifest["known_values"]["hits"]}
        summary = one.step_summary.read_text()
        assert "The same run would find the same." in summary
        assert f"--run-dir {one.outcome.folder.relative_to(ward.rig.root)}`" in summary


def test_a_group_named_after_a_patient_ends_the_run(ward: Ward, capsys: pytest.CaptureFixture[str]) -> None:
    """What five patients bear is shown, so their ward must not be called as one of them: nothing else is found."""
    data = rewritten(ward, "group.jsonl", stratum=f"ward of {RECORD}")
    seen = ward.gate(*GATES, "-n", "0", data=data)
    assert seen.outcome.status == 11
    assert seen.outcome.decision["decision"] is None
    assert {"report.html", "results.parquet"} <= {hit["file"] for hit in seen.outcome.manifest["known_values"]["hits"]}
    assert shown_values(seen) == []
    assert main(["evidence", str(seen.outcome.folder)]) == 4
    assert "it is not packed" in capsys.readouterr().err


@dataclass(frozen=True)
class Chance:
    """Patients whose ids are numbers, of which the data's file bears one by chance."""

    number: str
    seen: Seen
    data: Path


def numbered(data: Path, number: str) -> Path:
    """Give the first patient of some data another number."""
    data.write_text(data.read_text().replace(f'"patient_id": "{RECORD}"', f'"patient_id": "{number}"'))
    return data


@pytest.fixture(scope="module")
def chance(ward: Ward) -> Chance:
    """The seventy thousandth export of the day, and a patient's number."""
    number = "70707"
    data = numbered(rewritten(ward, f"export-{number}.jsonl"), number)
    return Chance(number, ward.gate(*GATES, "-n", "0", data=data), data)


@pytest.fixture
def policy(ward: Ward, tmp_path: Path) -> Path:
    """A copy of the ward's policy."""
    return Path(shutil.copy(ward.folder / "policy.yaml", tmp_path))


def shareable(seen: Seen) -> dict[str, str]:
    """Return all that others may see of a run, by name."""
    files = [path for path in seen.outcome.folder.rglob("*") if path.is_file()]
    files += [path for path in seen.cache.rglob("*") if path.is_file()]
    files += [path for path in (seen.junit, seen.step_summary, seen.log) if path.exists()]
    texts = {str(path): path.read_bytes().decode("utf-8", "replace") for path in files}
    return {**texts, "the terminal": seen.outcome.out + seen.outcome.err}


def filled(hits: list[dict[str, str]], file: Path, *, by: str, reason: str) -> Path:
    """Copy the first cells of what was hit, as a data manager does, and fill in who accepts it, and why."""
    rows = [{name: row[name] for name in ("file", "what", "value")} for row in hits]
    with file.open("w", encoding="utf-8", newline="") as opened:
        (writer := csv.DictWriter(opened, (*rows[0], "accepted_by", "reason"))).writeheader()
        writer.writerows({**row, "accepted_by": by, "reason": reason} for row in rows)
    file.chmod(0o600)
    return file


def copied(seen: Seen, folder: Path) -> Path:
    """Copy a run and what is kept beside it."""
    shutil.copytree(seen.outcome.folder, folder)
    shutil.copytree(private_folder(seen.outcome.folder), private_folder(folder))
    folder.chmod(0o700)
    return folder


def test_a_number_that_is_hit_by_chance_is_listed_for_the_site(chance: Chance) -> None:
    """11, and no decision; every place is in the private list: in the folder, and what was found at the end."""
    assert chance.seen.outcome.status == 11
    assert chance.seen.outcome.decision["decision"] is None
    told = {hit["file"] for hit in chance.seen.outcome.manifest["known_values"]["hits"]}
    listed = hits_of(chance.seen)
    assert {row["file"] for row in listed} == told
    assert {"report.html", "manifest.json", "decision.json", "summary.md", "the terminal"} <= told
    assert {(row["what"], row["value"]) for row in listed} == {("id", chance.number)}
    assert all(f"export-{chance.number}" in row["place"] for row in listed)  # the file and its data set
    out = " ".join(chance.seen.outcome.out.split())
    assert f"{hits_file(chance.seen).relative_to(hits_file(chance.seen).parents[2])}" in out
    assert shown_values(chance.seen) == []


def test_a_decision_is_searched_beside_that_of_an_earlier_try(ward: Ward, chance: Chance, tmp_path: Path) -> None:
    """In a folder that holds the decision of a run that was not completed, both are looked into."""
    run = copied(chance.seen, tmp_path / "again")
    earlier = run / "decision.json"
    earlier.write_text(earlier.read_text().replace(chance.number, "00000"))
    seen = ward.gate(*GATES, "-n", "0", "--run-dir", str(run), data=chance.data)
    assert seen.outcome.status == 11
    assert "decision.json" in {row["file"] for row in hits_of(seen)}


def test_a_number_that_is_accepted_ends_nothing(
    ward: Ward, chance: Chance, policy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the run's own folder, from its replies, the gates decide; the run is packed, and the others are searched.

    Documents say that one was accepted by one person, and the private folder who and why.
    """
    who, why = "Ingeborg Vestergaard", "the number of an export"
    hits, again = hits_of(chance.seen), copied(chance.seen, tmp_path / "again")
    file = filled(hits, tmp_path / "accepted.csv", by=who, reason=why)
    words = (*GATES, "-n", "0", "--run-dir", str(again), "--accepted-values", str(file))
    seen = ward.gate(*words, data=chance.data, policy=policy, junit=tmp_path / chance.seen.junit.name)
    assert seen.outcome.folder == again
    calls = seen.outcome.manifest["calls"]
    assert calls["from_store"] > 0
    assert calls["made"] == 0  # what failed for good is asked again, and fails again
    assert seen.outcome.status == 1
    assert seen.outcome.decision["decision"] == "FAIL"
    found = seen.outcome.manifest["known_values"]
    files = sorted({row["file"] for row in hits})
    assert (found["values"], found["accepted"], found["accepted_by"], found["hits"]) == (30, len(files), 1, [])
    report = " ".join((seen.outcome.folder / "report.html").read_text().split())
    told = f"{len(files)} findings accepted by 1 person as no patient&#39;s data; a hit would have left no decision"
    assert told in report
    assert not [name for name, text in shareable(seen).items() if who in text or why in text]
    private = private_folder(seen.outcome.folder)
    lines = "".join(f"{name},id,{chance.number},{who},{why}\n" for name in files)
    assert (private / "accepted.csv").read_text() == f"file,what,value,accepted_by,reason\n{lines}"
    assert not hits_file(seen).exists()
    assert main(["evidence", str(seen.outcome.folder)]) == 0
    assert main(["verify", str(seen.outcome.folder / "evidence.zip")]) == 0
    said = capsys.readouterr()
    assert who not in said.out + said.err


def test_what_is_accepted_in_one_file_is_a_hit_in_another(
    ward: Ward, chance: Chance, policy: Path, tmp_path: Path
) -> None:
    """All files of the first run are in the table but the terminal, and the decision is taken back for it."""
    again = copied(chance.seen, tmp_path / "again")
    hits = [row for row in hits_of(chance.seen) if row["file"] != "the terminal"]
    file = filled(hits, tmp_path / "accepted.csv", by="A. N. Other", reason="the number of an export")
    words = (*GATES, "-n", "0", "--run-dir", str(again), "--accepted-values", str(file))
    seen = ward.gate(*words, data=chance.data, policy=policy, junit=tmp_path / chance.seen.junit.name)
    assert seen.outcome.status == 11
    assert seen.outcome.decision["decision"] is None
    assert {hit["file"] for hit in seen.outcome.manifest["known_values"]["hits"]} == {"the terminal"}
    assert {(row["file"], row["value"]) for row in hits_of(seen)} == {("the terminal", chance.number)}


def test_a_policy_that_names_a_patient_decides_nothing(
    ward: Ward, policy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is packed as evidence, so the run searches it: what is packed after a purge was searched, too."""
    policy.write_text(f"# agreed for {RECORD}\n{policy.read_text()}")
    data = rewritten(ward, "plain.jsonl")
    seen = ward.gate(*GATES, "-n", "0", data=data, policy=policy)
    assert seen.outcome.status == 11
    (hit,) = hits_of(seen)
    assert (hit["file"], hit["what"], hit["value"]) == (f"thresholds/{policy.name}", "id", RECORD)
    table = filled([hit], tmp_path / "accepted.csv", by="A. N. Other", reason="a number of the board's")
    run = seen.outcome.folder
    words = ("--run-dir", str(run), "--accepted-values", str(table))
    again = ward.gate(*GATES, "-n", "0", *words, data=data, policy=policy)
    assert (again.outcome.status, again.outcome.manifest["calls"]["made"]) == (1, 0)
    assert not hits_file(again).exists()
    assert main(["evidence", str(run)]) == 0
    with zipfile.ZipFile(run / "evidence.zip") as archive:
        found = json.loads(archive.read("manifest.json"))["known_values"]
    assert (found["values"], found["accepted"], found["accepted_by"], found["hits"]) == (30, 1, 1, [])
    assert main(["purge", str(run), "--yes"]) == 0
    policy.write_text(f"{policy.read_text()}# and {RECORD}\n")
    assert main(["evidence", str(run), "--out", str(tmp_path / "more.zip")]) == 4
    assert "is another file now" in capsys.readouterr().err


def test_a_number_that_the_decision_holds_is_no_patient(ward: Ward, policy: Path) -> None:
    """A threshold of the policy stands in decision.json: an id that equals it is not searched, and that is said."""
    policy.write_text(policy.read_text().replace("max_events: 3", "max_events: 20488"))
    data = numbered(rewritten(ward, "decided.jsonl"), "20488")
    seen = ward.gate(*GATES, "-n", "0", data=data, policy=policy)
    assert "20488" in (seen.outcome.folder / "decision.json").read_text()
    assert seen.outcome.status == 1
    found = seen.outcome.manifest["known_values"]
    assert (found["values"], found["common"], found["hits"]) == (29, 1, [])
    assert main(["evidence", str(seen.outcome.folder)]) == 0


def test_a_hit_where_nothing_was_evaluated_leaves_nothing(ward: Ward, chance: Chance) -> None:
    """Tests were collected alone, and their names bear the number: there is no run, nor a folder of one."""
    seen = ward.gate("suites/test_visual_recognition.py", "--collect-only", data=chance.data)
    assert seen.outcome.status == 11, seen.outcome.out + seen.outcome.err
    assert "the terminal holds a patient's id" in seen.outcome.out
    assert "decision" not in seen.outcome.out
    assert not seen.outcome.folder.exists()
    assert not hits_file(seen).exists()


def test_a_refused_run_speaks_of_no_decision_and_leaves_a_finished_one_alone(
    ward: Ward, clean: Seen, chance: Chance, tmp_path: Path
) -> None:
    """The folder holds another run: that is the error, whatever pytest's names of tests show beside it."""
    run = copied(clean, tmp_path / "finished")
    before = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*"))
    seen = ward.gate(*GATES, "-n", "0", "--run-dir", str(run), data=chance.data)
    assert seen.outcome.status == 4
    assert "holds a run already" in seen.outcome.out + seen.outcome.err
    assert "There is no decision" not in seen.outcome.out
    assert sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*") if not path.match("*/junit*")) == before


def test_a_run_that_was_withheld_is_not_packed(chance: Chance, capsys: pytest.CaptureFixture[str]) -> None:
    """It has no decision to be packed: it is run again, and asks nobody again. What it lists is left."""
    before = hits_file(chance.seen).read_bytes()
    assert main(["evidence", str(chance.seen.outcome.folder)]) == 4
    said = capsys.readouterr().err
    assert f"See {hits_file(chance.seen)}." in said
    assert "manifest.json holds a patient's id" in said
    assert hits_file(chance.seen).read_bytes() == before


@pytest.mark.parametrize(
    ("content", "mode", "says"),
    [
        (
            "file,what,value,accepted_by,reason\na.md,birth_date,{born},A,B\n",
            0o600,
            ":2: value: a date of birth cannot be",
        ),
        ("file,what,value,accepted_by,reason\na.md,name,{name},A,B\n", 0o600, ":2: value: of names, a single word"),
        ("file,what,value,accepted_by,reason\na.md,id,{record},,{name}\n", 0o600, ":2: accepted_by: is empty."),
        ('id,"{record}"{name}\n', 0o600, ":1: is not CSV."),
        ("file,what,value,accepted_by,reason\na.md,id,{record},A,B\n", 0o640, "others may read it"),
    ],
)
def test_an_accepted_file_that_cannot_be_used_names_nobody(
    ward: Ward, tmp_path: Path, content: str, mode: int, says: str
) -> None:
    """4 before anything is asked; terminal, error and test report hold no value of it."""
    who = PATIENTS[0]
    file = tmp_path / "accepted.csv"
    file.write_text(content.format(born="".join(who.born), name=f"{who.family}^{who.given}", record=who.mrn))
    file.chmod(mode)
    asked = ward.model.requests
    words = (*GATES, "-n", "0", "--full-trace", "--accepted-values", str(file))
    seen = ward.gate(*words, data=rewritten(ward, "plain.jsonl"))
    assert seen.outcome.status == 4
    assert says in " ".join(seen.outcome.err.split())
    assert ward.model.requests == asked
    assert seen.everywhere(Search(pixels=False)) == {}


def test_a_full_report_is_searched_where_it_may_be_shared(ward: Ward) -> None:
    """Report and results show the texts, as was asked for, and say so; all else holds nobody."""
    seen = ward.gate(*GATES, "--report-detail", "full", "-n", "0", data=rewritten(ward, "plain.jsonl"))
    assert seen.outcome.status == 1
    assert RECORD in (seen.outcome.folder / "report.html").read_text()
    assert seen.outcome.manifest["known_values"]["hits"] == []


def test_a_folder_that_was_handed_on_is_packed_by_its_own_scan(ward: Ward, tmp_path: Path) -> None:
    """Without the private folder nobody knows the values; what the run's own search said stands in the manifest."""
    policy = tmp_path / "policy.yaml"
    policy.write_text((ward.folder / "policy.yaml").read_text().partition("\n")[2])
    seen = ward.gate(*GATES, "-n", "0", policy=policy, data=rewritten(ward, "plain.jsonl"))
    shutil.copytree(seen.outcome.folder, tmp_path / "handed-on")
    assert main(["evidence", str(seen.outcome.folder)]) == 0
    assert main(["evidence", str(tmp_path / "handed-on"), "--thresholds", str(policy)]) == 0
    assert main(["verify", str(tmp_path / "handed-on" / "evidence.zip")]) == 0
