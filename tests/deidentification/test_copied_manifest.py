"""A manifest rewritten for copies: the same instances and patients under other names, and nobody's name in it."""

import csv
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from pydicom import dcmread

from clinhallu_gate._scripted.phantom_dicom import PhantomStudy, file_rows, phantom_studies, uid_rows, write_files
from clinhallu_gate.cli import main
from clinhallu_gate.datasets.load import DataOptions, Dataset, load_data
from clinhallu_gate.errors import BadInput
from clinhallu_gate.pseudonym import SITE_KEY
from clinhallu_gate.records import INSTANCE

Capture = pytest.CaptureFixture[str]
GOLD = ("gold_visual_recognition", "gold_knowledge_recall", "gold_reasoning")


@pytest.fixture(autouse=True)
def _own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SITE_KEY, str(tmp_path / "site.key"))
    monkeypatch.setenv("CLINHALLU_GATE_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def studies() -> tuple[PhantomStudy, ...]:
    """Two studies of each of two strata, series among them."""
    return phantom_studies(2, ("ct", "ultrasound"))


@pytest.fixture
def source(tmp_path: Path, studies: tuple[PhantomStudy, ...]) -> Path:
    """A folder with their files."""
    folder = tmp_path / "ward"
    write_files(folder, studies)
    return folder


def named(studies: Sequence[PhantomStudy], **more: object) -> list[dict[str, Any]]:
    """Return rows that name files or folders, and whose patients are those of the headers."""
    return [{**row, "patient_id": study.patient.id, **more} for study in studies for row in file_rows([study])]


def write(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """Write a manifest in JSON Lines."""
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), "utf-8")
    return path


def copied(source: Path, manifest: Path, folder: str = "out", *, status: int = 0) -> list[dict[str, Any]]:
    """De-identify, and return the rows of the copies' manifest."""
    out = source.parent / folder
    assert main(["deidentify", str(source), str(out), "--manifest", str(manifest)]) == status
    file = out / "manifest.jsonl"
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()] if file.exists() else []


def loaded(manifest: Path) -> Dataset:
    """Load a manifest as a run does."""
    return load_data([str(manifest)], DataOptions(private_cache=manifest.parent.parent / "private"))[0]


def partition(dataset: Dataset) -> set[frozenset[int]]:
    """Return which instances share a patient, by their places."""
    clusters: dict[str, set[int]] = {}
    for place, instance in enumerate(dataset.instances):
        clusters.setdefault(instance.cluster, set()).add(place)
    return {frozenset(places) for places in clusters.values()}


def test_copies_can_be_gated(source: Path, studies: tuple[PhantomStudy, ...], capsys: Capture) -> None:
    """Same pixels, questions, gold and patients, under the names that a run of the originals shows."""
    manifest = write(source / "ward.jsonl", named(studies, study_date="2026-01-31", report="A report of somebody."))
    rows = copied(source, manifest)
    said = capsys.readouterr().out
    before, after = loaded(manifest), loaded(source.parent / "out" / "manifest.jsonl")
    assert [row["id"] for row in rows] == [instance.id for instance in before.instances]
    assert len(after.instances) == len(before.instances) == 12
    told = {"dataset", "id", "cluster", "stratum", "images", "tags"}
    assert [INSTANCE.dump_python(one, exclude=told) for one in after.instances] == [
        INSTANCE.dump_python(one, exclude=told) for one in before.instances
    ]
    assert [[image.sha256 for image in one.images] for one in after.instances] == [
        [image.sha256 for image in one.images] for one in before.instances
    ]
    assert partition(after) == partition(before)
    assert len(partition(after)) == len(studies)
    assert f"{source.parent}/out/manifest.jsonl: 12 rows of {manifest}." in said
    assert "A report was taken out of 12 rows.\nThe day of the study was taken out of 12 rows.\n" in said
    assert "free text, which nobody has read for this." in said
    assert (source.parent / "out" / "manifest.jsonl").stat().st_mode & 0o777 == 0o600


def test_nothing_of_anybody_is_left(source: Path, studies: tuple[PhantomStudy, ...]) -> None:
    """No name, number, date, old UID, old id or name of a file, in the manifest or around it."""
    rows = named(studies, study_date="2026-01-31", report="Mrs Okonkwo", gold_cot_meta={"by": "Okonkwo"})
    copied(source, write(source / "Okonkwo.jsonl", rows))
    told = [secret for study in studies for secret in study.patient.secrets]
    told += [str(file[name].value) for study in studies for file in study.files for name in ("StudyInstanceUID",)]
    told += [path for study in studies for path in study.paths] + [row["id"] for row in rows if "id" in row]
    told += ["Okonkwo", "2026-01-31"]
    for path in (source.parent / "out").rglob("*"):
        text = str(path.relative_to(source.parent)) + (path.read_text("latin-1") if path.is_file() else "")
        assert [value for value in told if value.casefold() in text.casefold()] == [], path


def test_patients_bear_the_names_of_the_headers(source: Path, studies: tuple[PhantomStudy, ...]) -> None:
    """A patient that is the PatientID is that of the copies; rows of UIDs agree with rows of files."""
    rows = copied(source, write(source / "ward.jsonl", named(studies)))
    of_uids = copied(source, write(source.parent / "ward.jsonl", uid_rows(studies)), "again")
    for row, other in zip(rows, of_uids, strict=True):
        first = source.parent / "out" / row["images"][0]
        file = first if first.is_file() else next(first.iterdir())
        assert row["patient_id"] == dcmread(file, stop_before_pixels=True).PatientID
        assert other["id"] == row["id"]
    before, after = loaded(source.parent / "out" / "manifest.jsonl"), loaded(source.parent / "again" / "manifest.jsonl")
    assert partition(before) == partition(after)
    sent = [[[image.sha256 for image in one.images] for one in each.instances] for each in (before, after)]
    assert sent[0] == sent[1]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_tables_are_rewritten_alike(source: Path, studies: tuple[PhantomStudy, ...], kind: str) -> None:
    """What stands in a table comes out as of JSON Lines."""
    rows = named(studies, stratum="chest", tags=["a", "b"], phi=True)
    expected = copied(source, write(source / "ward.jsonl", rows))
    table = source / f"ward.{kind}"
    columns = list(dict.fromkeys(name for row in rows for name in row))
    if kind == "csv":
        with table.open("w", encoding="utf-8", newline="") as file:
            (lines := csv.DictWriter(file, columns)).writeheader()
            lines.writerows(
                {name: json.dumps(v) if isinstance(v, list) else v for name, v in row.items()} for row in rows
            )
    else:
        pq.write_table(pa.Table.from_pylist([{name: row.get(name) for name in columns} for row in rows]), table)
    assert copied(source, table, "again") == expected


def test_what_is_taken_over_and_what_is_not(source: Path, studies: tuple[PhantomStudy, ...], capsys: Capture) -> None:
    """Nested gold comes flat, without what nobody reads; phi stays as it was."""
    (row, *_) = named(studies)
    plain = {name: value for name, value in row.items() if name not in GOLD}
    (source / "report.txt").write_text("Mrs Okonkwo")
    stages = {
        name: {"text": f"{name} is told.", "answer": "Okonkwo"}
        for name in ("visual_recognition", "knowledge_recall", "reasoning")
    }
    more = {
        "gold_cot": {**stages, "raw": "Okonkwo"},
        "gold_cot_meta": {"by": "Okonkwo"},
        "report_file": "report.txt",
        "video_id": "Okonkwo",
        "modality": "ct",
        "keyword": "chest",
        "window": "40/400",
        "phi": False,
    }
    (written,) = copied(source, write(source / "ward.jsonl", [{**plain, **more}]))
    assert {name: written[name] for name in GOLD} == {
        "gold_visual_recognition": "visual_recognition is told.",
        "gold_knowledge_recall": "knowledge_recall is told.",
        "gold_reasoning": "reasoning is told.",
    }
    assert (written["phi"], written["modality"], written["keyword"], written["window"]) == (
        *(False, "ct", "chest", "40/400"),
    )
    assert len(written["video_id"]) == 16
    assert not {"gold_cot", "gold_cot_meta", "report_file", "report", "study_date"} & written.keys()
    assert "Okonkwo" not in json.dumps(written)
    assert "A report was taken out of 1 row." in capsys.readouterr().out


def test_a_row_that_names_somebody_is_left_out(
    source: Path, studies: tuple[PhantomStudy, ...], capsys: Capture
) -> None:
    """By the field and the kind of value, never by the value; the others are taken over, and the status is 1."""
    rows = named(studies)
    patient, other = studies[0].patient, studies[-1].patient
    family, given = patient.name.split("^")
    born = f"{other.born[6:]}.{other.born[4:6]}.{other.born[:4]}"
    uid = str(studies[1].files[0].SeriesInstanceUID)
    texts = {
        "question": f"Is it of {given} {family}?",
        "gold_reasoning": f"Born {born}, so it is.",
        "answer": f"{rows[3]['answer']} ({other.id})",
        "keyword": f"series {uid}",
        "gold_visual_recognition": f"As in {patient.accession}.",
    }
    kinds = ("question_type", "options", "answer_letter")
    for place, (name, text) in enumerate(texts.items()):
        rows[place] = {k: v for k, v in rows[place].items() if name != "answer" or k not in kinds} | {name: text}
    rows[2]["question_type"] = "open_ended"
    manifest = write(source / "ward.jsonl", rows)
    written = copied(source, manifest, status=1)
    said = capsys.readouterr()
    assert len(written) == len(rows) - len(texts)
    assert said.err == f"clinhallu-gate: 5 rows of {manifest} left out.\n"
    listed = said.out.partition(f"5 rows of {manifest} left out.\n")[2].splitlines()
    assert listed == [
        f"  {manifest}:1: question: holds a name that a header holds",
        f"  {manifest}:2: gold_reasoning: holds a patient's date of birth",
        f"  {manifest}:3: answer: holds an id of a patient, a header or a row",
        f"  {manifest}:4: keyword: holds a number, an address, a place or a UID of a header",
        f"  {manifest}:5: gold_visual_recognition: holds an accession number",
    ]
    everything = (said.out + json.dumps(written)).casefold()
    assert [value for value in (*patient.secrets, *other.secrets, born, uid) if value.casefold() in everything] == []


def test_rows_without_copies_are_left_out(source: Path, studies: tuple[PhantomStudy, ...], capsys: Capture) -> None:
    """Other images, what lies elsewhere, broken files, a part of a series, series that no UID tells apart."""
    (first, *_) = named(studies)
    series = next(study for study in studies if len(study.files) > 1)
    single = next(study for study in studies if len(study.files) == 1)
    plain = {name: value for name, value in first.items() if name != "images"}
    Image.new("L", (8, 8)).save(source / "a.png")
    (source / "broken.dcm").write_bytes((source / single.paths[0]).read_bytes()[:400])
    (source / "part").mkdir()
    (source / series.paths[0]).rename(source / "part" / "0.dcm")
    elsewhere = source.parent / "other"
    elsewhere.mkdir()
    rows = [
        {**plain, "id": "1", "images": [single.paths[0]]},
        {**plain, "id": "2", "images": [single.paths[0], "a.png"]},
        {**plain, "id": "3", "images": ["none.dcm"]},
        {**plain, "id": "4", "images": ["broken.dcm"]},
        {**plain, "id": "5", "images": ["part"]},
        {**plain, "id": "6", "study_uid": "1.2.777"},
        {**plain, "id": "7", "images": ["part/0.dcm"]},
    ]
    for row in rows:
        row.pop("source_id", None)
    manifest = write(source / "ward.jsonl", rows)
    written = copied(source, manifest, status=1)
    said = capsys.readouterr().out
    assert [len(row["images"]) for row in written] == [1, 1]
    none = "is no DICOM file that is there, and of others no copies are made"
    lines = said.partition(f"5 rows of {manifest} left out.\n")[2].splitlines()
    assert lines[:2] == [f"  {manifest}:2: images[1]: {none}", f"  {manifest}:3: images[0]: {none}"]
    assert lines[2].startswith(f"  {manifest}:4: images[0]: ")
    assert lines[3:] == [
        f"  {manifest}:5: images[0]: is a folder with a part of a series, of which the copies lie in one folder",
        f"  {manifest}:6: study_uid: was not copied",
    ]
    assert "1.2.777" not in said


def test_a_file_twice_has_one_copy_and_one_that_differs_none(
    source: Path, studies: tuple[PhantomStudy, ...], capsys: Capture
) -> None:
    """Both rows lead to the copy of the same instance; a file that claims to be it leads nowhere."""
    single = next(study for study in studies if len(study.files) == 1)
    name = single.paths[0]
    plain = {name: value for name, value in named([single])[0].items() if name not in ("images", "id", "source_id")}
    shutil.copy(source / name, source / "zz-same.dcm")
    other = dcmread(source / name)
    other.InstanceNumber = 77
    other.save_as(source / "zzz-other.dcm")
    images = (name, "zz-same.dcm", "zzz-other.dcm")
    rows = [{**plain, "id": f"row-{place}", "images": [image]} for place, image in enumerate(images)]
    manifest = write(source / "ward.jsonl", rows)
    first, second = copied(source, manifest, status=1)
    assert first["images"] == second["images"]
    assert f"  {manifest}:3: images[0]: was not copied" in capsys.readouterr().out


def test_images_within_a_table_are_not_copied(source: Path, studies: tuple[PhantomStudy, ...], capsys: Capture) -> None:
    """Files that it names in the same way are."""
    single = next(study for study in studies if len(study.files) == 1)
    plain = {name: value for name, value in named([single])[0].items() if name not in ("images", "id", "source_id")}
    data = (source / single.paths[0]).read_bytes()
    images = [{"bytes": None, "path": single.paths[0]}], [{"bytes": data, "path": None}]
    rows = [{**plain, "id": f"row-{place}", "images": each} for place, each in enumerate(images)]
    pq.write_table(pa.Table.from_pylist(rows), source / "ward.parquet")
    assert len(copied(source, source / "ward.parquet", status=1)) == 1
    assert ":2: images[0]: lies within the manifest itself" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "--manifest: {path}: is no manifest that is there. Valid: a file *.jsonl, *.csv, *.parquet."),
        ("", "{path}: holds no row."),
        ('{"id": "Okonkwo"}\n', "1 of 1 rows cannot be used\n{path}:1: question: is missing"),
        ("{row}\n{row}\n", "1 of 2 rows cannot be used\n{path}:2: has the identity of row 1"),
    ],
)
def test_a_manifest_that_cannot_be_used_copies_nothing(
    source: Path, content: str | None, said: str, capsys: Capture
) -> None:
    """All of it is said before anything is written."""
    manifest = source / "ward.jsonl"
    row = {"id": "Okonkwo", "question": "Is it?", "answer": "no", "question_type": "yes_no", "images": ["a.dcm"]}
    if content is not None:
        manifest.write_text(content.replace("{row}", json.dumps(row)))
    assert copied(source, manifest, status=4) == []
    error = capsys.readouterr().err
    assert error.startswith(f"clinhallu-gate: {said.format(path=manifest)}")
    assert "Okonkwo" not in error
    assert not (source.parent / "out").exists()


@pytest.mark.parametrize("what", ["elsewhere", "missing", "png"])
def test_a_manifest_of_other_files_copies_nothing(
    source: Path, studies: tuple[PhantomStudy, ...], what: str, capsys: Capture
) -> None:
    """Its images lie outside of the source, or nowhere, or are no DICOM: that is said before anything is copied."""
    single = next(study for study in studies if len(study.files) == 1)
    folder = source.parent / "other"
    write_files(folder, [single])
    Image.new("L", (8, 8)).save(source / "a.png")
    images = {"missing": "none.dcm", "png": "a.png", "elsewhere": single.paths[0]}
    rows = asked(named([single])[0], ("Is it?",), images=[images[what]])
    manifest = write((folder if what == "elsewhere" else source) / "ward.jsonl", rows)
    assert copied(source, manifest, status=4) == []
    assert capsys.readouterr().err == (
        f"clinhallu-gate: --manifest: {manifest}: none of its rows names a DICOM file or folder that lies in {source}. "
        "Nothing was copied.\n"
    )
    assert not (source.parent / "out").exists()
    if what == "elsewhere":  # a file and a part of a folder that a row names are sources, too
        assert len(copied(folder / single.paths[0], manifest)) == 1


def test_a_source_that_is_not_there_is_said_to_be(
    source: Path, studies: tuple[PhantomStudy, ...], capsys: Capture
) -> None:
    """And not that the manifest has nothing to do with it."""
    manifest = write(source / "ward.jsonl", named(studies))
    missing = source.parent / "missing"
    assert main(["deidentify", str(missing), str(source.parent / "out"), "--manifest", str(manifest)]) == 4
    assert capsys.readouterr().err.startswith(f"clinhallu-gate: {missing}: does not exist.")


def test_what_only_a_run_tells_of_images_is_taken_over(source: Path, studies: tuple[PhantomStudy, ...]) -> None:
    """A window of CT for an ultrasound image: a run refuses the copies' manifest as that of the originals."""
    sound = next(study for study in studies if study.files[0].Modality == "US")
    manifest = write(source / "ward.jsonl", asked(named([sound])[0], ("Is it?",), window="brain"))
    (row,) = copied(source, manifest)
    assert row["window"] == "brain"
    for each in (manifest, source.parent / "out" / "manifest.jsonl"):
        with pytest.raises(BadInput, match="1 of 1 rows cannot be used"):
            loaded(each)


def test_the_manifest_is_not_listed_as_a_file_that_was_not_copied(
    source: Path, studies: tuple[PhantomStudy, ...], capsys: Capture
) -> None:
    """Another one is written for it; whatever else lies there is listed."""
    (source / "notes.txt").touch()
    copied(source, write(source / "ward.jsonl", named(studies)))
    said = capsys.readouterr().out
    assert f"1 file not copied, as they are no images that can be:\n  {source}/notes.txt: is not a DICOM file\n" in said
    assert f"{source}/ward.jsonl: is" not in said


def test_a_server_is_no_source(tmp_path: Path, source: Path, capsys: Capture) -> None:
    """It is told how to get at its studies, and the address, which may hold a password, is not repeated."""
    server = "dicomweb+http://me:s3cret@127.0.0.1:8042/rs#a.csv"
    for words in ([server, "out"], [str(source), str(tmp_path / "out"), "--manifest", server]):
        with pytest.raises(SystemExit) as ended:
            main(["deidentify", *words])
        assert ended.value.code == 4
        said = capsys.readouterr().err
        assert "a DICOMweb server is not copied from. Fetch the studies with preflight --private-cache DIR" in said
        assert "s3cret" not in said
    assert not (tmp_path / "out").exists()


def test_signed_gold_stays_where_it_is(source: Path, studies: tuple[PhantomStudy, ...], capsys: Capture) -> None:
    """It names a reviewer and holds for the originals; that it was not taken over is said."""
    manifest = write(source / "ward.jsonl", named(studies))
    signed = manifest.with_name("ward.signed-gold.jsonl")
    signed.touch()
    copied(source, manifest)
    assert f"{signed} was not taken over" in capsys.readouterr().out


def test_staff_and_places_of_headers_are_searched_too(
    source: Path, studies: tuple[PhantomStudy, ...], capsys: Capture
) -> None:
    """Whoever stands in a header, and an institution of several words; a bare word may stand anywhere."""
    single = next(study for study in studies if len(study.files) == 1)
    elements = dcmread(source / single.paths[0])
    elements.ReferringPhysicianName = "Nwachukwu^Ifeoma"
    elements.InstitutionName = "St. Elsewhere General"
    elements.InstitutionalDepartmentName = "Sonography"
    elements.save_as(source / single.paths[0])
    rows = named([single])[:1] * 3
    texts = ("Does Dr. Nwachukwu see it?", "Is it of St. Elsewhere General?", "Is it sonography?")
    plain = [{k: v for k, v in row.items() if k != "source_id"} for row in rows]
    changed = [
        {**row, "id": f"row-{n}", "question": text} for n, (row, text) in enumerate(zip(plain, texts, strict=True))
    ]
    manifest = write(source / "ward.jsonl", changed)
    (left,) = copied(source, manifest, status=1)
    assert left["question"] == "Is it sonography?"
    assert capsys.readouterr().out.endswith(
        f"  {manifest}:1: question: holds a name that a header holds\n"
        f"  {manifest}:2: question: holds a number, an address, a place or a UID of a header\n"
    )


def asked(row: Mapping[str, Any], texts: Sequence[str], **more: object) -> list[dict[str, Any]]:
    """Return rows that differ in their questions."""
    plain = {name: value for name, value in row.items() if name != "source_id"}
    return [{**plain, **more, "id": f"row-{place}", "question": text} for place, text in enumerate(texts)]


@pytest.mark.parametrize(
    "day",
    ["2024-03-05", "5.3.2024", "03/05/2024", "20240305", "2024-03-06", "2024-03-07", "2024-03-08", "2024-03-09"],
)
def test_the_day_of_a_study_is_in_no_text(
    source: Path, studies: tuple[PhantomStudy, ...], day: str, capsys: Capture
) -> None:
    """Of study, series, acquisition or content in any header, or of the row, as dates of birth are written."""
    single = next(study for study in studies if len(study.files) == 1)
    elements = dcmread(source / single.paths[0])
    elements.StudyDate, elements.SeriesDate = "20240305", "20240306"
    elements.AcquisitionDateTime, elements.ContentDate = "20240307101112.5", "20240308"
    elements.save_as(source / single.paths[0])
    rows = asked(named([single])[0], (f"As on {day}?", "As in March of 2024-04?"), study_date="2024-03-09")
    manifest = write(source / "ward.jsonl", rows)
    (left,) = copied(source, manifest, status=1)
    said = capsys.readouterr().out
    assert left["question"] == "As in March of 2024-04?"
    assert said.endswith(f"1 row of {manifest} left out.\n  {manifest}:1: question: holds the day of a study\n")
    assert "the days of studies, series, acquisitions and contents, in digits: a month in words is not read." in said
    assert day not in said


def test_parts_of_an_address_are_searched(source: Path, studies: tuple[PhantomStudy, ...], capsys: Capture) -> None:
    """Those between commas, unless they are a bare word or short."""
    single = next(study for study in studies if len(study.files) == 1)
    elements = dcmread(source / single.paths[0])
    elements.PatientAddress, elements.InstitutionAddress = "Elm Street 14, 8000 Aarhus", "Oak Road 3\r\nJutland, A 1"
    elements.save_as(source / single.paths[0])
    texts = ("Found at elm street 14?", "Sent to 8000 Aarhus?", "Seen at Oak Road 3?", "Is it of Aarhus, Jutland, A 1?")
    manifest = write(source / "ward.jsonl", asked(named([single])[0], texts))
    (left,) = copied(source, manifest, status=1)
    assert left["question"] == texts[3]
    listed = capsys.readouterr().out.partition("left out.\n")[2].splitlines()
    why = "question: holds a number, an address, a place or a UID of a header"
    assert listed == [f"  {manifest}:{row}: {why}" for row in (1, 2, 3)]


def test_what_is_wrong_with_a_row_is_said_once(
    source: Path, studies: tuple[PhantomStudy, ...], capsys: Capture
) -> None:
    """However many values of a kind a field holds."""
    first, last = studies[0].patient.id, studies[-1].patient.id
    manifest = write(source / "ward.jsonl", asked(named(studies)[0], (f"Of {first} or {last}?", "Is it?")))
    copied(source, manifest, status=1)
    kind = "holds an id of a patient, a header or a row"
    said = capsys.readouterr().out
    assert said.endswith(f"1 row of {manifest} left out.\n  {manifest}:1: question: {kind}\n")


def test_studies_of_nobody_stay_apart(source: Path, studies: tuple[PhantomStudy, ...]) -> None:
    """A word in the place of an id that was taken out names no patient in the copies either: each study is one."""
    for path in source.rglob("*.dcm"):
        elements = dcmread(path)
        elements.PatientID = "ANONYMOUS"
        elements.save_as(path)
    rows = [{name: value for name, value in row.items() if name != "patient_id"} for row in named(studies)]
    manifest = write(source / "ward.jsonl", rows)
    copied(source, manifest)
    copies = loaded(source.parent / "out" / "manifest.jsonl")
    assert partition(copies) == partition(loaded(manifest))
    assert len(partition(copies)) == len(studies)
