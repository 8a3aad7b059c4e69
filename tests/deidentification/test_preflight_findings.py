"""What is found in files, and how it is told: names and numbers, never a value."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pydicom
import pytest
from PIL import Image, PngImagePlugin
from planted import MARKS, planted_file, test_file
from pydicom import Dataset, Sequence, config, dcmread

from clinhallu_gate.cli import main
from clinhallu_gate.datasets.dicom.quiet import quiet
from clinhallu_gate.deidentification import kept as keeping
from clinhallu_gate.deidentification.findings import Depth, Flag, Preflight, Texts
from clinhallu_gate.deidentification.places import files_of
from clinhallu_gate.deidentification.preflight import preflight
from clinhallu_gate.deidentification.profile import EDITION, Rule, profile
from clinhallu_gate.deidentification.wording import full_lines, preflight_lines, preflight_note
from clinhallu_gate.errors import BadInput


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    """A CT image with something in every attribute of the profile."""
    return planted_file(tmp_path / "a.dcm")


def test_the_table_is_the_librarys_newest() -> None:
    """A newer edition of the standard in the library is to be taken, and its rules are all known."""
    import dicomanonymizer.dicom_anonymization_databases as databases  # noqa: PLC0415 - of this test alone

    names = (path.stem for path in Path(databases.__path__[0]).glob("dicomfields_*.py"))
    assert max(names) == f"dicomfields_{EDITION}"
    assert len(profile().single) + len(profile().repeated) == 655
    assert profile().rule(0x00100010) is Rule.EMPTY
    assert profile().rule(0x60023000) is Rule.REMOVE
    assert profile().rule(0x00280010) is None


def test_every_planted_attribute_is_named(planted: Path) -> None:
    """The whole profile, within sequences too with --full, and no value anywhere in what is told."""
    headers, full = preflight([planted]), preflight([planted], depth=Depth.FULL)
    assert headers.attributes == full.attributes
    assert len(full.attributes) > 450
    assert {"PatientName", "PatientBirthDate", "InstitutionName", "StudyDescription"} <= set(full.attributes)
    assert not headers.nested
    assert len(full.nested) > 450
    assert {Flag.PRIVATE, Flag.UIDS} <= set(full.flags)
    told = "\n".join([*full_lines(full), preflight_note(full), json.dumps(full.as_dict()), repr(full)]).lower().encode()
    assert [mark for mark in MARKS if mark in told] == []


@pytest.mark.parametrize(
    ("keyword", "value", "flag"),
    [
        ("BurnedInAnnotation", "YES", Flag.BURNED_IN),
        ("RecognizableVisualFeatures", "YES", Flag.FEATURES),
        ("Modality", "US", Flag.PRONE),
        ("EncapsulatedDocument", b"%PDF", Flag.DOCUMENT),
        ("ContentSequence", Sequence([Dataset()]), Flag.REPORT),
        ("PatientIdentityRemoved", "YES", Flag.IDENTITY_REMOVED),
    ],
)
def test_what_else_a_file_may_hold(tmp_path: Path, keyword: str, value: object, flag: Flag) -> None:
    """What a header says of pixels, documents and de-identification is counted."""
    elements = dcmread(test_file("CT_small.dcm"))
    elements.save_as(tmp_path / "before.dcm")
    setattr(elements, keyword, value)
    elements.save_as(tmp_path / "after.dcm")
    assert flag not in preflight([tmp_path / "before.dcm"]).flags
    assert preflight([tmp_path / "after.dcm"]).flags[flag] == 1


def test_overlays_are_told_apart(tmp_path: Path) -> None:
    """In groups of their own, or in bits of the pixels that the image does not use."""
    elements = dcmread(test_file("examples_overlay.dcm"))
    assert preflight([test_file("examples_overlay.dcm")]).flags[Flag.OVERLAY] == 1
    del elements[0x60003000]
    elements.save_as(tmp_path / "a.dcm")
    found = preflight([tmp_path / "a.dcm"])
    assert Flag.OVERLAY not in found.flags
    assert found.flags[Flag.OVERLAY_IN_PIXELS] == 1


def test_metadata_of_other_images(tmp_path: Path) -> None:
    """EXIF, XMP, comments and text chunks are named; a free keyword is not, as it may be a name itself."""
    image = Image.new("L", (8, 8))
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Author", "Erika Mustermann")
    texts.add_text("Erika Mustermann", "x")
    texts.add_itxt("XML:com.adobe.xmp", "<x:xmpmeta>Erika</x:xmpmeta>")
    image.save(tmp_path / "a.png", pnginfo=texts)
    exif = Image.Exif()
    exif[0x010E], exif[0x0112] = "Erika Mustermann", 1
    exif.get_ifd(0x8825)[1] = "N"
    image.save(tmp_path / "b.jpg", exif=exif, comment=b"Mustermann")
    image.save(tmp_path / "c.tif", description="Mustermann")
    image.save(tmp_path / "d.png")
    image.save(tmp_path / "e.jpg")
    found = preflight([tmp_path / "a.png"])
    assert set(found.metadata) == {"PNG Author", "PNG text of another keyword", "XMP"}
    assert set(preflight([tmp_path / "b.jpg"]).metadata) == {"EXIF ImageDescription", "EXIF GPSInfo", "comment"}
    assert set(preflight([tmp_path / "c.tif"]).metadata) == {"EXIF ImageDescription"}
    assert not preflight([tmp_path / "d.png", tmp_path / "e.jpg"]).metadata
    assert "Muster" not in "\n".join(full_lines(found))


def _hostile() -> dict[str, bytes]:
    whole = test_file("CT_small.dcm").read_bytes()
    head, pixels, tail = whole.partition(b"\xe0\x7f\x10\x00OW")
    level = b"\x08\x00\x40\x11SQ\x00\x00\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
    name = whole.index(b"\x10\x00\x10\x00PN")
    return {
        "deep.dcm": head + level * 500 + pixels + tail,
        "long.dcm": whole[: name + 6] + b"\xff\xff" + whole[name + 8 :],
        "cut.dcm": whole[: name + 7],
        "empty.dcm": b"",
        "text.dcm": b"Erika Mustermann" * 100,
        "broken.png": b"\x89PNG\r\n\x1a\n" + b"Mustermann" * 10,
    }


@pytest.mark.parametrize("name", ["deep.dcm", "long.dcm", "cut.dcm", "empty.dcm", "text.dcm", "broken.png"])
@pytest.mark.parametrize("depth", [Depth.HEADERS, Depth.FULL])
def test_hostile_files_are_named_and_no_more(tmp_path: Path, name: str, depth: Depth) -> None:
    """Sequences in 500 levels, lengths that lie, files cut off: one line each, and the look goes on."""
    (tmp_path / name).write_bytes(_hostile()[name])
    found = preflight([tmp_path / name, test_file("CT_small.dcm")], depth=depth)
    assert found.dicom in (1, 2)
    assert found.dicom + len(found.unread) == 2
    assert not found.clean
    assert all(each.why and "Muster" not in each.why and "\n" not in each.why for each in found.unread)
    if name in ("deep.dcm", "empty.dcm", "text.dcm", "broken.png"):
        assert len(found.unread) == 1


def test_a_look_that_was_killed_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was looked at is not looked at again, whatever the file is called; a half line spoils no other."""
    folder = tmp_path / "private"
    first, second = tmp_path / "1.dcm", tmp_path / "2.dcm"
    first.write_bytes(test_file("CT_small.dcm").read_bytes())
    second.write_bytes(test_file("MR_small.dcm").read_bytes())
    preflight([first], depth=Depth.FULL, kept=folder)
    with (folder / keeping.FILE).open("ab") as opened:
        opened.write(b'\n{"version": 1, "sha')
    looked: list[Path] = []
    from clinhallu_gate.deidentification import preflight as module  # noqa: PLC0415 - what is watched

    monkeypatch.setattr(module, "read", lambda path: looked.append(path) or pydicom.dcmread(path))
    first.rename(tmp_path / "other.dcm")
    found = preflight([tmp_path / "other.dcm", second], depth=Depth.FULL, kept=folder)
    assert looked == [second]
    assert found.dicom == 2
    assert preflight([second], depth=Depth.FULL, kept=folder).dicom == 1
    assert looked == [second]
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / keeping.FILE).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("there", ["open", "file", "below a file", "unreadable"])
def test_a_folder_for_results_is_taken_as_it_is(
    there: str, planted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One that others may enter stays as it is; whatever is wrong with it is wrong with none of the files."""
    (tmp_path / "open").mkdir(mode=0o755)
    (tmp_path / "file").touch(mode=0o644)
    (tmp_path / "unreadable" / keeping.FILE).mkdir(parents=True)
    (tmp_path / "unreadable").chmod(0o700)
    folder, why = {
        "open": (tmp_path / "open", "others may enter it"),
        "file": (tmp_path / "file", "is no folder"),
        "below a file": (tmp_path / "file" / "below", "results cannot be kept in it: Not a directory"),
        "unreadable": (tmp_path / "unreadable", "results cannot be kept in it: Is a directory"),
    }[there]
    assert main(["preflight", str(planted), "--full", "--kept", str(folder)]) == 4
    said = capsys.readouterr()
    assert said.err.startswith(f"clinhallu-gate: {folder}: {why}")
    assert said.out == ""
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("open", "file")] == [0o755, 0o644]


def test_headers_alone_leave_no_file(tmp_path: Path) -> None:
    """The quick look writes nothing."""
    preflight([test_file("CT_small.dcm")], kept=tmp_path / "private")
    assert not (tmp_path / "private").exists()


def test_where_files_are_looked_for(tmp_path: Path) -> None:
    """Folders without following links, what a DICOMDIR lists, a manifest's images and the folders that it names."""
    series = tmp_path / "series"
    series.mkdir()
    for number in range(2):
        (series / f"{number}.dcm").write_bytes(test_file("CT_small.dcm").read_bytes())
    (series / "link.dcm").symlink_to(test_file("MR_small.dcm"))
    Image.new("L", (8, 8)).save(tmp_path / "a.png")
    rows = [{"images": ["a.png", "series"]}, {"images": ["a.png"]}]
    (tmp_path / "manifest.jsonl").write_text("\n".join(map(json.dumps, rows)))
    inside = [series / "0.dcm", series / "1.dcm"]
    assert list(files_of(series)) == inside
    with pytest.raises(BadInput, match=r"manifest\.jsonl: names what holds the link"):
        list(files_of(tmp_path / "manifest.jsonl"))
    (series / "link.dcm").unlink()
    assert list(files_of(tmp_path / "manifest.jsonl")) == [tmp_path / "a.png", *inside]
    medium = test_file("CT_small.dcm").parent / "dicomdirtests/DICOMDIR"
    assert len(list(files_of(medium))) == 31
    for bad in ({"images": ["../x.dcm"]}, {"images": ["none.dcm"]}):
        (tmp_path / "bad.jsonl").write_text(json.dumps(bad))
        with pytest.raises(BadInput, match=r"bad\.jsonl: names a file that"):
            list(files_of(tmp_path / "bad.jsonl"))
    (tmp_path / "DICOMDIR").write_bytes(b"no")
    with pytest.raises(BadInput, match="DICOMDIR: names what cannot be read"):
        list(files_of(tmp_path / "DICOMDIR"))


def test_what_a_folder_hides_is_looked_into_and_links_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """That nothing was found must not mean that nothing was looked at."""
    series = tmp_path / "series"
    (series / ".hidden").mkdir(parents=True)
    for name in (".hidden/a.dcm", ".b.dcm"):
        (series / name).write_bytes(test_file("CT_small.dcm").read_bytes())
    (series / "link.dcm").symlink_to(test_file("MR_small.dcm"))
    (series / "folder").symlink_to(tmp_path, target_is_directory=True)
    os.mkfifo(series / "pipe")
    (series / "DICOMDIR").write_bytes(b"no")
    assert list(files_of(series)) == [series / ".b.dcm", series / ".hidden/a.dcm"]
    assert main(["preflight", str(series)]) == 0
    said = capsys.readouterr().out
    assert said.startswith("preflight (headers): 2 DICOM files, 0 of them")
    assert "not read, so nothing is known of them: 4 files" in said
    assert said.endswith(
        f"not read:\n  {series}/folder: is a link, and links are not followed\n"
        f"  {series}/DICOMDIR: is a DICOMDIR, which names patients and files\n"
        f"  {series}/link.dcm: is a link, and links are not followed\n  {series}/pipe: is no plain file\n"
    )


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("a.jsonl", "", "{path}: holds no row."),
        ("a.csv", "id,images\n", "{path}: holds no row."),
        ("a.jsonl", "Mustermann", "1 of 1 rows cannot be used\n{path}:1: is not JSON: "),
        (
            "a.jsonl",
            '[{"images": ["Mustermann.png"]}]',
            "1 of 1 rows cannot be used\n{path}:1: is a list, not an object",
        ),
        ("a.jsonl", '{"id": "Mustermann"}', "1 of 1 rows cannot be used\n{path}:1: names no images"),
        ("a.csv", "id,images\n1,a.png\n2\n", "1 of 2 rows cannot be used\n{path}:3: has 1 cells. Valid: 2"),
        (
            "a.csv",
            "id,gold_cot\n1,{Mustermann\n",
            "1 of 1 rows cannot be used\n{path}:2: gold_cot: (not shown) is not JSON",
        ),
        ("a.parquet", "Mustermann", "{path}: cannot be read: "),
    ],
)
def test_a_manifest_that_tells_of_no_images_is_refused(
    name: str, content: str, why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As it is when it is loaded: no row, no manifest, rows that cannot be used; no value is told."""
    (tmp_path / name).write_text(content)
    Image.new("L", (8, 8)).save(tmp_path / "a.png")
    assert main(["preflight", str(tmp_path / name)]) == 4
    said = capsys.readouterr().err
    assert said.startswith(f"clinhallu-gate: {why.format(path=tmp_path / name)}")
    assert "Muster" not in said


def test_images_within_a_manifest_are_named_as_not_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """They are no files; those that are named beside them are looked at."""
    Image.new("L", (8, 8)).save(tmp_path / "a.png")
    embedded = {"bytes": (tmp_path / "a.png").read_bytes(), "path": None}
    rows = [{"id": "1", "images": [embedded, embedded]}, {"id": "2", "images": [{"bytes": None, "path": "a.png"}]}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    assert main(["preflight", str(tmp_path / "a.parquet")]) == 0
    said = capsys.readouterr().out
    assert said.startswith("preflight (headers): 0 DICOM files and 1 other image.")
    assert said.endswith(f"  {tmp_path}/a.parquet: holds images of its own (2), which are not looked at\n")


FOUND = Preflight(
    depth=Depth.OCR,
    dicom=240,
    images=3,
    attributes={"StudyDate": 240, "PatientName": 200, "PatientID": 200, "InstitutionName": 12},
    nested={"PatientName": 7},
    metadata={"EXIF GPSInfo": 1},
    flags={
        Flag.IDENTITY_REMOVED: 40,
        Flag.PRIVATE: 30,
        Flag.BURNED_IN: 2,
        Flag.BURNED_IN_NOT_SAID: 238,
        Flag.PRONE: 40,
    },
    texts=Texts(images=40, with_text=3, undrawn=1),
)


@pytest.mark.parametrize("name", ["uids.csv", "uids.jsonl"])
def test_a_manifest_of_uids_has_no_files_to_look_at(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """That nothing was found in nothing is no answer; how the studies are fetched is."""
    texts = {"uids.csv": "id,study_uid\n1,1.2.3\n", "uids.jsonl": '{"id": "1", "study_uid": "1.2.3"}\n'}
    (tmp_path / name).write_text(texts[name])
    assert main(["preflight", str(tmp_path / name)]) == 4
    said = capsys.readouterr().err
    assert f"{name}: names studies of a DICOMweb server, which are not here." in said
    assert f"clinhallu-gate preflight 'dicomweb+http://HOST:PORT/PATH#{tmp_path / name}'" in said
    assert "1.2.3" not in said


def test_the_wording() -> None:
    """Every line says what was found; of text in pixels none says that there is none."""
    assert preflight_lines(FOUND) == [
        "preflight (ocr): 240 DICOM files and 3 other images, 40 of them marked as de-identified.",
        "  names and numbers: PatientName (200), PatientID (200), InstitutionName (12)",
        "  1 more attribute that the Basic Profile removes: StudyDate (240)",
        "  within sequences: PatientName (7)",
        "  metadata of other images: EXIF GPSInfo (1)",
        "  also: private attributes, which may hold anything (30)",
        (
            "  text in the pixels: BurnedInAnnotation is YES in 2; BurnedInAnnotation is not set in 238; 40 of kinds "
            "that often bear text (ultrasound, fluoroscopy, captures, photographs)"
        ),
        (
            "  text was found in 3 of 40 images; 1 image could not be drawn; where none was found there may still be "
            "some (OCR misses small letters: at 320x240 it missed what it found at 640x480)"
        ),
    ]


def test_the_wording_where_nothing_was_found() -> None:
    """A clean look says what it did not look at, and finding no text is no finding that there is none."""
    nothing = {"attributes": {}, "nested": {}, "metadata": {}, "flags": {Flag.IDENTITY_REMOVED: 2}}
    assert preflight_lines(Preflight(depth=Depth.HEADERS, dicom=2, images=0, **nothing)) == [  # type: ignore[arg-type]
        "preflight (headers): 2 DICOM files, 2 of them marked as de-identified.",
        "  no attribute that the Basic Profile removes has a value",
        "  not looked at: attributes within sequences, the pixels, for text",
    ]
    seen = Preflight(depth=Depth.OCR, dicom=2, images=0, texts=Texts(2), **nothing)  # type: ignore[arg-type]
    assert preflight_lines(seen)[-1] == (
        "  text was found in 0 of 2 images; where none was found there may still be some "
        "(OCR misses small letters: at 320x240 it missed what it found at 640x480)"
    )


def test_the_command(planted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Text or JSON, and a file of it that is not written over."""
    out = tmp_path / "found.json"
    assert main(["preflight", str(planted), "--out", str(out)]) == 0
    text = capsys.readouterr().out
    assert text.startswith("preflight (headers): 1 DICOM file, 0 of them marked as de-identified.\n")
    assert main(["preflight", str(planted), "--full", "--json", "--kept", str(tmp_path / "kept")]) == 0
    assert json.loads(capsys.readouterr().out)["nested_attributes"]["PatientName"] == 1
    assert json.loads(out.read_text())["dicom_files"] == 1
    assert out.stat().st_mode & 0o777 == 0o600
    assert main(["preflight", str(planted), "--out", str(out)]) == 4
    assert "is there already" in capsys.readouterr().err
    assert main(["preflight", str(tmp_path / "nothing")]) == 4
    assert capsys.readouterr().err.endswith("nothing: does not exist. Valid: a file or folder.\n")


def test_a_broken_file_ends_deidentify_with_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says how many were done, names what was not, and says that pixels were left."""
    monkeypatch.setenv("CLINHALLU_GATE_SITE_KEY", str(tmp_path / "site.key"))
    (tmp_path / "in").mkdir()
    whole = test_file("CT_small.dcm").read_bytes()
    (tmp_path / "in/a.dcm").write_bytes(whole)
    (tmp_path / "in/b.dcm").write_bytes(whole[:900])
    assert main(["deidentify", str(tmp_path / "in"), str(tmp_path / "out")]) == 1
    said = capsys.readouterr()
    assert said.err == f"clinhallu-gate: 1 copy in {tmp_path}/out; 1 file could not be.\n"
    assert f"{tmp_path}/in/b.dcm: is an image without its pixels, perhaps cut off" in said.out
    assert "text that is burned into an image" in said.out
    (tmp_path / "in/b.dcm").unlink()
    assert main(["deidentify", str(tmp_path / "in"), str(tmp_path / "again")]) == 0
    assert main(["deidentify", str(tmp_path / "in"), str(tmp_path / "again")]) == 4
    (tmp_path / "none").mkdir()
    assert main(["deidentify", str(tmp_path / "none"), str(tmp_path / "other")]) == 1
    assert "there was no DICOM image" in capsys.readouterr().err


def test_names_of_files_forge_no_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Line ends, terminal codes and bytes that are no text are told as what they are."""
    monkeypatch.setenv("CLINHALLU_GATE_SITE_KEY", str(tmp_path / "site.key"))
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a\x1b[2J\nErika.dcm").write_bytes(b"no")
    Path(os.fsdecode(os.fsencode(tmp_path / "in") + b"/Zo\xc3\xab \xff")).write_bytes(b"no")
    for command in (["preflight", f"{tmp_path}/in"], ["deidentify", f"{tmp_path}/in", f"{tmp_path}/out"]):
        main(command)
        lines = capsys.readouterr().out.splitlines()
        assert f"  {tmp_path}/in/Zoë \\udcff: is not a DICOM file" in lines
        assert f"  {tmp_path}/in/a\\x1b[2J\\nErika.dcm: is not a DICOM file" in lines


def test_nothing_is_said_by_libraries(tmp_path: Path) -> None:
    """Warnings of pydicom repeat values; the command shows and logs none."""
    elements = dcmread(test_file("CT_small.dcm"))
    with quiet(), config.disable_value_validation():
        elements.PatientBirthDate, elements.StudyInstanceUID = "MUSTERMANN", "MUSTER.MANN"
        elements.SpecificCharacterSet = "MUSTERMANN"
        elements.save_as(tmp_path / "a.dcm")
        elements.SOPClassUID = "MUSTERMANN"
        elements.save_as(tmp_path / "b.dcm", enforce_file_format=False)
    code = "import sys; from clinhallu_gate.cli import main; sys.exit(main())"
    files = [str(tmp_path / name) for name in ("a.dcm", "b.dcm")]
    environment = {**os.environ, "CLINHALLU_GATE_SITE_KEY": str(tmp_path / "site.key")}
    for arguments in (["preflight", *files, "--full"], ["deidentify", files[1], "copies"]):
        command = [sys.executable, "-c", code, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env=environment)
        assert done.returncode == (0 if arguments[0] == "preflight" else 1)
        assert "MUSTER" not in done.stdout + done.stderr
