"""Rows that name DICOM files: drawn images, facts as tags, patients from headers, and what is refused."""

import os
from collections import Counter
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from data_files import ROW, manifest, only, pixels, png, troubles
from dicom_files import image as image_of
from dicom_files import written
from dicom_studies import ASKED, save, uid
from pydicom.dataset import Dataset as Elements
from pydicom.uid import BasicTextSRStorage

from clinhallu_gate.datasets.dataset import Dataset, Identifier, Selected
from clinhallu_gate.datasets.load import DataOptions, load_data
from clinhallu_gate.datasets.period import Period
from clinhallu_gate.datasets.phantom.generate import phantom_instances
from clinhallu_gate.errors import BadInput

FACTS = ("modality:ct", "body_part:chest", "manufacturer:ge", "age:60-69", "sex:f")
PATIENTS = {key: value for key, value in ASKED.items() if key != "phi"}
"""A row that does not say whose it is."""


def _load(folder: Path, options: DataOptions, *rows: dict[str, Any]) -> Dataset:
    return load_data([str(manifest(folder, rows, images={}))], options)[0]


def _troubles(folder: Path, options: DataOptions, *rows: dict[str, Any]) -> list[str]:
    return troubles(manifest(folder, rows, images={}), options)


def test_a_dicom_file_is_drawn_as_a_png(tmp_path: Path, options: DataOptions) -> None:
    """Its images are those that are sent, and how they came to be is on record; the row stays as it was."""
    save(tmp_path / "ct" / "slice")
    row = {**ASKED, "images": ["ct/slice"], "window": "128/256"}
    dataset = _load(tmp_path, options, row)
    (instance,) = dataset.instances
    (image,) = instance.images
    assert pixels(image).size == (8, 8)
    assert pixels(image).format == "PNG"
    (drawn,) = dataset.drawn
    assert (drawn.instance, drawn.file, drawn.frame, drawn.sha256) == ("1", "ct/slice", 1, image.sha256)
    assert (drawn.sop_instance_uid, drawn.transfer_syntax) == (uid("sop", "1", 1, None), "Explicit VR Little Endian")
    assert drawn.window == "window 128/256"
    assert dataset.rows == {"1": row}
    assert dataset.files == (tmp_path / "ct" / "slice",)


def test_images_of_patients_go_to_the_private_cache(tmp_path: Path, options: DataOptions) -> None:
    """A row that does not say whose it is, is a patient's; others are drawn into the shared one."""
    save(tmp_path / "a.dcm")
    dataset = _load(tmp_path, options, {**PATIENTS, "images": ["a.dcm"]})
    (instance,) = dataset.instances
    assert instance.phi
    assert instance.images[0].path is not None
    assert instance.images[0].path.is_relative_to(tmp_path / "private")
    assert not (tmp_path / "cache").exists()
    assert dataset.drawn[0].instance == instance.id != "1"
    public = only(manifest(tmp_path, [{**ASKED, "images": ["a.dcm"]}], images={}), options)
    assert public.images[0].path is not None
    assert public.images[0].path.is_relative_to(tmp_path / "cache")


def test_what_was_drawn_is_not_drawn_again(
    tmp_path: Path, options: DataOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second load finds images, windows and steps by the digest of the file; another window is another drawing."""
    save(tmp_path / "a.dcm", RescaleSlope=2, RescaleIntercept=-1000)
    rows = [{**ASKED, "images": ["a.dcm"]}]
    first = _load(tmp_path, options, *rows)
    assert first.drawn[0].steps == ("rescaled to HU",)
    with monkeypatch.context() as patched:
        patched.setattr("clinhallu_gate.datasets.dicom.taking.draw_all", lambda _: iter(()))
        assert _load(tmp_path, options, *rows) == first
    assert _load(tmp_path, options, {**rows[0], "window": "lung"}).sha256 != first.sha256
    notes = tmp_path / "cache" / "checked.jsonl"
    notes.write_text(notes.read_text().replace("window", "widow"))  # a note that nobody wrote: drawn anew
    assert _load(tmp_path, options, *rows) == first


def test_facts_of_the_study_become_tags(tmp_path: Path, options: DataOptions) -> None:
    """After the row's own; what the row says of modality is not said again, and no other text of a header is."""
    save(tmp_path / "a.dcm", StudyDescription="Trauma", StationName="ROOM1")
    dataset = _load(
        tmp_path,
        options,
        {**ASKED, "images": ["a.dcm"], "tags": ["never:laterality"]},
        {**ASKED, "id": "2", "images": ["a.dcm"], "modality": "angio CT"},
    )
    assert [i.tags for i in dataset.instances] == [
        ("never:laterality", *FACTS),
        (*FACTS[1:], "modality:angio_ct"),
    ]
    assert {i.stratum for i in dataset.instances} == {"mine"}


def test_a_stratum_may_name_facts(tmp_path: Path, options: DataOptions) -> None:
    """In braces; ``unknown`` where a header says nothing, and a name that is no fact is refused."""
    save(tmp_path / "a.dcm")
    save(tmp_path / "b.dcm", Modality="MR", BodyPartExamined=None)
    row = {**ASKED, "images": ["a.dcm"]}
    dataset = _load(
        tmp_path,
        options,
        {**row, "stratum": "{modality} {body_part}"},
        {**row, "id": "2", "images": ["b.dcm"], "stratum": "{modality} {body_part}"},
        {**row, "id": "3", "images": ["b.dcm", "a.dcm"], "stratum": "{modality} {sex}"},
        {**row, "id": "4", "stratum": "emergency"},
    )
    assert [i.stratum for i in dataset.instances] == ["ct chest", "mr unknown", "several f", "emergency"]
    assert _troubles(tmp_path, options, {**row, "stratum": "{modalty}"}) == [
        "1: stratum: {modalty} is no fact of a study. Valid: {modality}, {body_part}, {manufacturer}, {age}, {sex}"
    ]
    with pytest.raises(BadInput) as refused:  # a piece of a patient's row is none of ours
        _load(tmp_path, options, {**row, "stratum": "{okonkwo}", "phi": True})
    assert "1: stratum: (not shown) is no fact of a study. Valid: {modality}, " in str(refused.value)


def test_rows_of_one_patient_form_a_cluster(tmp_path: Path, options: DataOptions) -> None:
    """By ``PatientID`` and its issuer; by study where a header names no patient; together with the manifest's own."""
    for name, said in {
        "a": {"PatientID": "A"},
        "a2": {"PatientID": "A", "number": 2},
        "other": {"PatientID": "A", "IssuerOfPatientID": "elsewhere", "number": 3, "StudyInstanceUID": uid("x")},
        "c": {"PatientID": "C", "number": 4},
        "none": {"PatientID": None, "number": 5, "StudyInstanceUID": uid("y")},
        "none2": {"PatientID": "", "number": 6, "StudyInstanceUID": uid("y")},
        "none3": {"PatientID": None, "number": 7, "StudyInstanceUID": uid("z")},
    }.items():
        save(tmp_path / name, **said)
    (tmp_path / "p.png").write_bytes(png())
    names = ("a", "a2", "other", "c", "none", "none2", "none3")
    rows = [{**ASKED, "id": name, "images": [name]} for name in names]
    dataset = _load(tmp_path, options, *rows, {**ROW, "source_id": "png", "images": ["p.png"]})
    clusters = [i.cluster.removeprefix("mine/") for i in dataset.instances]
    assert clusters == ["a", "a", "other", "c", "none", "none", "none3", "png"]
    assert dataset.notes == ("3 rows name no patient, neither in the manifest nor in a header: a study counts as one",)
    rows = [{**row, "patient_id": "p" if row["id"] in ("a", "c") else f"q{row['id']}"} for row in rows]
    united = _load(tmp_path, options, *rows)
    assert [i.cluster.removeprefix("mine/") for i in united.instances[:4]] == ["a", "a", "other", "a"]
    assert united.notes == (
        "patient_id: 1 of 3 hold files of several patients by PatientID; each counts as one",
        "patient_id: 1 of 3 patients by PatientID have several; each counts as one patient",
    )


def test_an_id_that_was_taken_out_is_nobodys(tmp_path: Path, options: DataOptions) -> None:
    """Patients called ANONYMOUS are not one patient, and the word is looked for in no report; a manifest knows them."""
    said = {"PatientID": "Anonymous", "PatientName": "ANONYMOUS^", "AccessionNumber": "", "PatientBirthDate": ""}
    for number in (1, 2, 3):
        save(tmp_path / f"{number}", number=number, StudyInstanceUID=uid(number), **said)
    rows = [{**PATIENTS, "id": f"{n}", "images": [f"{n}"], "patient_id": "a" if n < 3 else "b"} for n in (1, 2, 3)]
    dataset = _load(tmp_path, options, *rows)
    one, same, other = (instance.cluster for instance in dataset.instances)
    assert one == same != other
    assert dataset.identifiers == frozenset()
    assert dataset.notes == ()


def test_blank_images_bind_nobody_together(tmp_path: Path, options: DataOptions) -> None:
    """The air above a head looks alike in everybody; any other image that two rows share makes them one cluster."""
    blank, seen = bytes(128), bytes([*range(128)])
    for name, data in (("a", blank), ("b", blank), ("c", seen), ("d", seen)):
        save(tmp_path / name, PatientID=name, SOPInstanceUID=uid(name), PixelData=data)
    dataset = _load(tmp_path, options, *({**ASKED, "id": name, "images": [name]} for name in "abcd"))
    assert len({i.images[0].sha256 for i in dataset.instances}) == 2
    assert [i.cluster for i in dataset.instances] == ["mine/a", "mine/b", "mine/c", "mine/c"]


def test_files_of_several_patients_are_no_study(tmp_path: Path, options: DataOptions) -> None:
    """A row that names them is refused, and no value of a header is told."""
    save(tmp_path / "a.dcm", PatientID="SECRET1")
    save(tmp_path / "b.dcm", PatientID="SECRET2")
    assert _troubles(tmp_path, options, {**PATIENTS, "images": ["a.dcm", "b.dcm"]}) == [
        "1: images: are of 2 patients, as PatientID in their headers says. Valid: one"
    ]


def test_identifiers_are_every_form_of_them(tmp_path: Path, options: DataOptions) -> None:
    """Names with their parts, ids, accession numbers and birth dates; of data that are no patients' none."""
    other = Elements()
    other.PatientID = "OLD77"
    save(
        tmp_path / "a.dcm",
        SpecificCharacterSet="ISO_IR 192",
        PatientName="van der Berg^Ida^Li^Dr=伯格^艾达",
        OtherPatientNames=["Maiden^Ida"],
        OtherPatientIDs=["X1", "X2"],
        OtherPatientIDsSequence=[other],
        PatientComments="not looked at",
    )
    row = {**PATIENTS, "images": ["a.dcm"]}
    assert _load(tmp_path, options, row).identifiers == {
        *(
            Identifier("name", name)
            for name in ("van der Berg^Ida^Li^Dr=伯格^艾达", "van der Berg", "Ida", "伯格", "艾达")
        ),
        *(Identifier("name", name) for name in ("Maiden^Ida", "Maiden")),
        *(Identifier("id", value) for value in ("P1", "X1", "X2", "OLD77")),
        Identifier("accession_number", "ACC778"),
        Identifier("birth_date", "19540203"),
        Identifier("birth_date", "1954-02-03"),
    }
    assert _load(tmp_path, options, {**row, "phi": False}).identifiers == frozenset()


def test_fields_for_dicom_need_dicom(tmp_path: Path, options: DataOptions) -> None:
    """A row of other images that has them is refused, each by name."""
    (tmp_path / "a.png").write_bytes(png())
    rows = [
        {**ROW, "frames": [1], "window": "lung"},
        {**ROW, "source_id": "2", "series": "1.2"},
        {**ROW, "source_id": "3", "stratum": "{modality}"},
        {**ROW, "source_id": "4", "stratum": "{set}"},
        {**ROW, "source_id": "5", "frames": [0, "x"]},
    ]
    assert _troubles(tmp_path, options, *rows) == [
        "1: frames: is for DICOM, and images names none",
        "1: window: is for DICOM, and images names none",
        "2: series: is for DICOM, and images names none",
        "3: stratum: {modality} is read from DICOM, and images names none",
        "5: frames[0]: 0 is no image. Valid: 1 or more",
        "5: frames[1]: 'x' is not a whole number",
    ]


def test_tables_hold_frames_and_windows_too(tmp_path: Path, options: DataOptions) -> None:
    """In CSV set apart by bars, in Parquet as lists; a number of a window is text."""
    save(tmp_path / "film.dcm", NumberOfFrames=4, WindowCenter=[40, 50], WindowWidth=[400, 350])
    row = {**ASKED, "images": ["film.dcm"], "frames": [1, 3], "window": 2}
    wanted = _load(tmp_path, options, row)
    assert [(image.frame, image.window) for image in wanted.drawn] == [
        (1, "VOI 2 of 2: 50/350"),
        (3, "VOI 2 of 2: 50/350"),
    ]
    cells = {**row, "images": "film.dcm", "frames": "1|3", "phi": "false"}
    (tmp_path / "mine.csv").write_text(",".join(cells) + "\n" + ",".join(map(str, cells.values())) + "\n")
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "mine.parquet")
    for name in ("mine.csv", "mine.parquet"):
        assert load_data([str(tmp_path / name)], options)[0].sha256 == wanted.sha256


def test_a_film_gives_as_many_images_as_the_model_takes(tmp_path: Path, options: DataOptions) -> None:
    """All frames of a short one, else evenly spaced with the first and the last; or those that the row names."""
    save(tmp_path / "film.dcm", NumberOfFrames=20)
    save(tmp_path / "short.dcm", NumberOfFrames=3)
    (tmp_path / "a.png").write_bytes(png())
    film = {**ASKED, "images": ["film.dcm"]}
    rows = [
        film,
        {**film, "id": "2", "images": ["short.dcm"]},
        {**film, "id": "3", "frames": [20, 2]},
        {**film, "id": "4", "images": ["a.png", "film.dcm"]},
        {**film, "id": "5", "images": ["film.dcm", "short.dcm", "a.png"]},
    ]
    frames = {"1": [1, 6, 11, 15, 20], "2": [1, 2, 3], "3": [20, 2], "4": [1, 7, 14, 20], "5": [1, 20, 1, 3]}
    dataset = _load(tmp_path, options, *rows)
    assert {i.id: [d.frame for d in dataset.drawn if d.instance == i.id] for i in dataset.instances} == frames
    sent = {i.id: [image.sha256 for image in i.images] for i in dataset.instances}
    assert len(sent["4"]) == len(sent["5"]) == 5
    assert sent["4"][0] == sent["5"][4] == only(manifest(tmp_path, [ROW], images={}), options).images[0].sha256
    few = _load(tmp_path, replace(options, max_images=2), film)
    assert [image.frame for image in few.drawn] == [1, 20]
    assert few.sha256 != _load(tmp_path, options, film).sha256


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"frames": [1, 5]}, "frames[1]: 5 is no image. Valid: 1 to 4"),
        ({"frames": [2, 2]}, "frames: an image occurs twice"),
        ({"frames": [1], "images": ["film.dcm", "film.dcm"]}, "frames: are those of one DICOM entry of images"),
        ({"series": "1.2"}, "series: is for a folder or a DICOMDIR, and the row names none"),
        ({"window": "no-such"}, "images[0]: 'film.dcm' (frame 1) has no window of the name asked for"),
        ({"images": ["zero.dcm"]}, "images[0]: 'zero.dcm' has NumberOfFrames 0. Valid: 1 to "),
        ({"images": ["report.dcm"]}, "images[0]: 'report.dcm' holds no image"),
        ({"images": ["rowless.dcm"]}, "images[0]: 'rowless.dcm' is cut off, or holds neither an image nor "),
        ({"images": ["text.dcm"]}, "images[0]: 'text.dcm' is not a DICOM file"),
        ({"images": ["cut.dcm"]}, "images[0]: 'cut.dcm' "),
        ({"images": ["bad.dcm"]}, "images[0]: 'bad.dcm' has a malformed header"),
        ({"images": ["link.dcm"]}, "images[0]: 'link.dcm' leads out of "),
        ({"images": ["../film.dcm"]}, "images[0]: '../film.dcm' leads out of its folder"),
        ({"images": ["none.dcm"]}, "images[0]: 'none.dcm' does not exist in "),
    ],
)
def test_what_cannot_be_drawn_is_one_problem(
    change: dict[str, Any], says: str, tmp_path: Path, options: DataOptions
) -> None:
    """With file and row; of a patient's row it tells neither names nor values."""
    data = tmp_path / "data"
    film = save(data / "film.dcm", NumberOfFrames=4)
    save(data / "zero.dcm", NumberOfFrames=0)
    save(data / "report.dcm", SOPClassUID=BasicTextSRStorage, Rows=None, Columns=None, PixelData=None)
    save(data / "rowless.dcm", Rows=None)
    bad = save(data / "bad.dcm", number=123456)
    bad.write_bytes(bad.read_bytes().replace(b"123456", b"1x3-56"))
    (data / "text.dcm").write_text("Featherstonehaugh")
    (data / "cut.dcm").write_bytes(film.read_bytes()[:-200])
    (tmp_path / "outside.dcm").write_bytes(film.read_bytes())
    (data / "link.dcm").symlink_to(tmp_path / "outside.dcm")
    row = {**ASKED, "images": ["film.dcm"], **change}
    (found,) = _troubles(data, options, row)
    assert found.removeprefix("1: ").startswith(says)
    (told,) = _troubles(data, options, {**row, "phi": True})
    assert "Featherstonehaugh" not in told
    assert ".dcm" not in told


def test_a_name_alone_makes_no_dicom(tmp_path: Path, options: DataOptions) -> None:
    """A file that is DICOM is drawn whatever its name says; a pipe is not waited for."""
    save(tmp_path / "a.png")
    dataset = _load(tmp_path, options, {**ASKED, "images": ["a.png"]})
    assert dataset.drawn[0].file == "a.png"
    os.mkfifo(tmp_path / "pipe.dcm")
    assert _troubles(tmp_path, options, {**ASKED, "images": ["pipe.dcm"]}) == ["1: images[0]: 'pipe.dcm' is no file"]


def test_a_row_that_is_left_out_leaves_nothing_drawn(tmp_path: Path, options: DataOptions) -> None:
    """The others are what they would be without it."""
    save(tmp_path / "a.dcm")
    (tmp_path / "b.dcm").write_text("text")
    rows = [{**ASKED, "images": ["a.dcm"]}, {**ASKED, "id": "2", "images": ["b.dcm"]}]
    alone = _load(tmp_path, options, rows[0])
    some = _load(tmp_path, replace(options, allow_bad_rows=1), *rows)
    assert (some.sha256, some.drawn) == (alone.sha256, alone.drawn)
    assert Counter(problem.row for problem in some.left_out) == {2: 1}


def test_a_study_has_its_day_from_its_header(tmp_path: Path, options: DataOptions) -> None:
    """The latest of several, unless the row says one; a broken date is none."""
    save(tmp_path / "old.dcm", StudyDate="20200101")
    save(tmp_path / "new.dcm", StudyDate="20240630", number=2)
    save(tmp_path / "none.dcm", StudyDate="2024063", number=3)
    rows = [
        {**ASKED, "images": ["old.dcm"]},
        {**ASKED, "id": "2", "images": ["new.dcm", "old.dcm"]},
        {**ASKED, "id": "3", "images": ["old.dcm"], "study_date": "2024-07-01"},
    ]
    since = replace(options, period=Period(date(2024, 6, 1), None))
    dataset = _load(tmp_path, since, *rows)
    assert [instance.id for instance in dataset.instances] == ["2", "3"]
    assert [image.instance for image in dataset.drawn] == ["2", "2", "3"]
    assert dataset.selected == Selected(rows=3, outside=1)
    assert len([*(tmp_path / "cache" / "images").rglob("*.png")]) == 2
    later = replace(options, cache=tmp_path / "later", period=Period(date(2024, 6, 30), date(2024, 6, 30)))
    _load(tmp_path, later, *rows[:1], {**rows[1], "images": ["new.dcm"]})
    assert len([*(tmp_path / "later" / "images").rglob("*.png")]) == 1
    assert _troubles(tmp_path, since, {**ASKED, "images": ["none.dcm"]}) == [
        "1: study_date: is missing, which --since and --until need"
    ]


def test_an_identity_is_that_of_the_row_whose_study_is_taken(tmp_path: Path, options: DataOptions) -> None:
    """A follow-up may bear the name of the first examination: which of them a period takes, headers tell."""
    save(tmp_path / "old.dcm", StudyDate="20200101")
    save(tmp_path / "new.dcm", StudyDate="20240630", number=2)
    rows = [{**ASKED, "images": [name]} for name in ("old.dcm", "new.dcm")]
    dataset = _load(tmp_path, replace(options, period=Period(date(2024, 6, 1), None)), *rows)
    assert [(image.instance, image.file) for image in dataset.drawn] == [("1", "new.dcm")]
    assert dataset.selected == Selected(rows=2, outside=1)
    assert _troubles(tmp_path, options, *rows) == [f"2: '1' is already the identity of {tmp_path / 'mine.jsonl'}:1"]


def test_phantoms_are_the_same_as_dicom(tmp_path: Path, options: DataOptions) -> None:
    """Without loss every pixel that a model sees is the PNG's, and so are strata and clusters: gates decide alike."""
    phantoms = phantom_instances(studies=1)
    rows: dict[str, list[dict[str, Any]]] = {"png": [], "dcm": []}
    for phantom in phantoms:
        said = {
            "id": phantom.id,
            "stratum": phantom.stratum,
            "question": phantom.question,
            "answer": phantom.answer,
            "question_type": str(phantom.question_type),
            "options": list(phantom.options),
            "phi": False,
        } | ({"answer_letter": phantom.answer_letter} if phantom.answer_letter else {})
        names = [image.sha256 for image in phantom.images]
        for image in phantom.images:
            (tmp_path / f"{image.sha256}.png").write_bytes(image.read())
            grey = np.asarray(pixels(image))
            as_dicom = image_of(grey, SOPInstanceUID=uid(image.sha256), PatientID=phantom.cluster)
            written(as_dicom, tmp_path / f"{image.sha256}.dcm")
        rows["png"].append({**said, "images": [f"{name}.png" for name in names], "patient_id": phantom.cluster})
        rows["dcm"].append({**said, "images": [f"{name}.dcm" for name in names]})
    png_, dcm = (_load(tmp_path, options, *each).instances for each in rows.values())
    for one, other in zip(png_, dcm, strict=True):
        assert (one.id, one.stratum, one.cluster) == (other.id, other.stratum, other.cluster)
        for left, right in zip(one.images, other.images, strict=True):
            assert np.array_equal(np.asarray(pixels(left)), np.asarray(pixels(right)))
