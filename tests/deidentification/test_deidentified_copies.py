"""Copies name nobody, whatever their originals held, and are the same images."""

import errno
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest
from planted import MARKS, ROOT, planted_file, test_file
from pydicom import Dataset, Sequence, config, dcmread
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import MPEG2MPML, UID, ImplicitVRLittleEndian, RLELossless

from clinhallu_gate import private
from clinhallu_gate.datasets.dicom.drawing import draw, frames_of
from clinhallu_gate.datasets.dicom.quiet import quiet
from clinhallu_gate.datasets.dicom.reading import read
from clinhallu_gate.datasets.dicom.refusal import NotDrawable
from clinhallu_gate.deidentification.compressed import CLEANERS
from clinhallu_gate.deidentification.copies import copy_of
from clinhallu_gate.deidentification.deidentify import INCOMPLETE, NO_DICOM, Deidentified, deidentify
from clinhallu_gate.deidentification.findings import Flag
from clinhallu_gate.deidentification.known import Index
from clinhallu_gate.deidentification.sources import Refused
from clinhallu_gate.deidentification.uids import made_uid
from clinhallu_gate.errors import BadInput

KEY = b"a key of this test, and of no site"
NO_PIXELS = "is an image without its pixels, perhaps cut off"
NO_COUNT = "has a malformed NumberOfFrames"
JP2 = "has JPEG 2000 in a file of its own (JP2), which may hold text. Valid: its codestream alone"
SHIPPED = Path(pydicom.__file__).parent / "data"


def _copied(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.dcm"))


def _only(folder: Path) -> Path:
    (found,) = _copied(folder)
    return found


def test_nothing_that_was_planted_is_left(tmp_path: Path) -> None:
    """Every attribute of the profile, at three levels, private ones, meta information, preamble and the file's name."""
    source = planted_file(tmp_path / "CANARY_1912.dcm")
    assert source.read_bytes().lower().count(MARKS[0]) > 1_000
    done = deidentify(source, tmp_path / "out", key=KEY)
    assert done.whole, (done.broken, done.check)
    written = _only(tmp_path / "out")
    data = written.read_bytes().lower()
    assert [mark for mark in MARKS if mark in data] == []
    assert [mark for mark in MARKS if mark in str(written.relative_to(tmp_path)).lower().encode()] == []
    assert done.emptied == {"ManufacturerModelName": 1}
    assert data[:128] == b"\0" * 128


def test_every_image_that_ships_with_pydicom(tmp_path: Path) -> None:
    """Each file is copied and checked, or refused with a reason; pixels are the same."""
    copies = refused = 0
    for number, path in enumerate(sorted(path for path in SHIPPED.rglob("*") if path.is_file())):
        folder = tmp_path / str(number)
        done = deidentify(path, folder, key=KEY) if path.name != "DICOMDIR" else None
        if done is None or not done.copies:
            refused += 1
            whys = [each.why for each in done.broken] if done else []
            assert not {*whys} - {NO_PIXELS, NO_DICOM, NO_COUNT, JP2}, path
            continue
        copies += 1
        assert done.whole, (path, done.check.as_dict(), done.broken)
        _is_a_copy_of(path, _only(folder))
    assert copies > 100
    assert refused > 50


def _is_a_copy_of(path: Path, written: Path) -> None:
    with quiet():
        before, after = dcmread(path, force=True), dcmread(written)
        compressed = before.file_meta.get("TransferSyntaxUID", ImplicitVRLittleEndian).is_compressed
        for pixels in ("PixelData", "FloatPixelData", "DoubleFloatPixelData"):
            there, here = before.get(pixels, b""), after.get(pixels, b"")
            assert compressed or (len(there) - len(here) in (0, 128) and there.startswith(here)), path
        assert not compressed or _drawn(path) == _drawn(written), path
        assert after.PatientIdentityRemoved == "YES"
        assert after.LongitudinalTemporalInformationModified == "REMOVED"
        assert after.DeidentificationMethod[0].startswith("DICOM PS3.15 Basic")
        (code,) = after.DeidentificationMethodCodeSequence
        assert (code.CodeValue, code.CodingSchemeDesignator) == ("113100", "DCM")
        assert after.get("BurnedInAnnotation") == before.get("BurnedInAnnotation")
        assert after.file_meta.MediaStorageSOPInstanceUID == after.SOPInstanceUID == UID(written.stem)
        assert UID(after.SOPInstanceUID).is_valid


def _drawn(path: Path) -> bytes | str:
    elements = read(path)
    try:
        return draw(elements, max(frames_of(elements) - 1, 0), None).png
    except NotDrawable as error:
        return str(error)


SECRET = b"FEATHERSTONEHAUGH^MARJORIE 1912"


def _in_the_end(frame: bytes) -> bytes:
    return frame + SECRET


def _in_a_comment(frame: bytes) -> bytes:
    return frame[:2] + b"\xff\xfe" + (len(SECRET) + 2).to_bytes(2) + SECRET + frame[2:]


def _in_exif(frame: bytes) -> bytes:
    return frame[:2] + b"\xff\xe1" + (len(SECRET) + 2).to_bytes(2) + SECRET + frame[2:]


def _in_a_j2k_comment(frame: bytes) -> bytes:
    """Put it between the main header and the first tile, whose lengths count from there."""
    place = frame.index(b"\xff\x90")
    return frame[:place] + b"\xff\x64" + (len(SECRET) + 2).to_bytes(2) + SECRET + frame[place:]


@pytest.mark.parametrize(
    ("name", "put"),
    [
        ("CT_small.dcm", _in_the_end),
        ("SC_jpeg_no_color_transform.dcm", _in_the_end),
        ("SC_jpeg_no_color_transform.dcm", _in_a_comment),
        ("SC_jpeg_no_color_transform.dcm", _in_exif),
        ("JPGExtended.dcm", _in_a_comment),
        ("MR_small_jpeg_ls_lossless.dcm", _in_the_end),
        ("MR_small_jpeg_ls_lossless.dcm", _in_a_comment),
        ("MR_small_jp2klossless.dcm", _in_the_end),
        ("MR_small_jp2klossless.dcm", _in_a_j2k_comment),
        ("SC_rgb_rle.dcm", _in_the_end),
    ],
)
def test_text_beside_the_pixels_is_left_behind(name: str, put: Callable[[bytes], bytes], tmp_path: Path) -> None:
    """After their end, and in what a codec carries along; the image is the same, and the copy is made."""
    elements = dcmread(test_file(name))
    if elements.file_meta.TransferSyntaxUID.is_compressed:
        elements.PixelData = encapsulate([put(next(generate_frames(elements.PixelData, number_of_frames=1)))])
        elements["PixelData"].is_undefined_length = True
    else:
        elements.PixelData = put(elements.PixelData) + b"\0"
    elements.ExtendedOffsetTable = SECRET.ljust(32)
    elements.save_as(tmp_path / "a.dcm")
    assert (tmp_path / "a.dcm").read_bytes().count(SECRET) == 2
    data = copy_of(tmp_path / "a.dcm", KEY).data
    assert b"FEATHERSTONE" not in data
    assert _drawn(_with_data(data, tmp_path)) == _drawn(test_file(name))


def test_run_lengths_tell_no_more_than_the_image() -> None:
    """A last run that goes on behind the pixels is cut, what lies between segments and in the header goes."""
    runs = bytes((1, 7, 8, 256 - 2, 9, len(SECRET))) + b"\5" + SECRET
    frame = struct.pack("<3I", 2, 64, 128).ljust(64, b"x") + runs.ljust(64, b"x") + bytes((0x80, 256 - 99, 3))
    cleaned = CLEANERS[RLELossless](frame, 6)
    first, second = bytes((1, 7, 8, 256 - 2, 9, 0, 5, 0)), bytes((256 - 4 - 1, 3))
    assert cleaned == struct.pack("<16I", 2, 64, 72, *[0] * 13) + first + second
    with pytest.raises(NotDrawable, match="do not end as they should"):
        CLEANERS[RLELossless](frame[:-1], 6)


def test_text_among_the_pixels_refuses_the_file(tmp_path: Path) -> None:
    """Where a name of the header lies within the image's own bytes there is no copy."""
    elements = dcmread(test_file("CT_small.dcm"))
    elements.PatientName = SECRET.decode()
    elements.PixelData = elements.PixelData[:1000] + SECRET.lower() + elements.PixelData[1000 + len(SECRET) :]
    elements.save_as(tmp_path / "a.dcm")
    with pytest.raises(NotDrawable, match="would keep a value that identifies the patient in its pixels"):
        copy_of(tmp_path / "a.dcm", KEY)


def test_pixels_of_an_item_are_left_out(tmp_path: Path) -> None:
    """An image within a sequence is of no use, and nobody says how large it is."""
    elements, item = dcmread(test_file("CT_small.dcm")), Dataset()
    item.add_new("PixelData", "OB", SECRET + b"\0")
    elements.SharedFunctionalGroupsSequence = Sequence([item])
    elements.save_as(tmp_path / "a.dcm")
    assert b"FEATHERSTONE" not in copy_of(tmp_path / "a.dcm", KEY).data


def test_pixels_in_which_text_is_not_looked_for_refuse_the_file(tmp_path: Path) -> None:
    """A film may carry text that nobody here finds; JPEG that does not end may carry anything."""
    elements = dcmread(test_file("SC_jpeg_no_color_transform.dcm"))
    elements.file_meta.TransferSyntaxUID = MPEG2MPML
    elements.save_as(tmp_path / "a.dcm")
    with pytest.raises(NotDrawable, match="has pixels in MPEG2 Main Profile / Main Level, in which text may lie"):
        copy_of(tmp_path / "a.dcm", KEY)
    elements = dcmread(test_file("SC_jpeg_no_color_transform.dcm"))
    (frame,) = generate_frames(elements.PixelData, number_of_frames=1)
    elements.PixelData = encapsulate([frame.rstrip(b"\0")[:-2] + SECRET])
    elements["PixelData"].is_undefined_length = True
    elements.save_as(tmp_path / "b.dcm")
    with pytest.raises(NotDrawable, match="do not end as they should"):
        copy_of(tmp_path / "b.dcm", KEY)


def test_a_value_is_found_whatever_follows_it() -> None:
    """Signs around a number hide it as little as the next element's tag."""
    index = Index([b"ab123456"])
    assert all(index.found_in(data) for data in (b"AB123456@", b"as:AB123456", b"x\0AB123456\0"))
    assert not index.found_in(b"AB1234567")


def test_another_patients_number_is_found_before_any_tag(tmp_path: Path) -> None:
    """In the file the next element's tag follows, whose group 0054 begins with a letter."""
    (tmp_path / "in").mkdir()
    for number, label in enumerate(("none", "AB123456")):
        elements = dcmread(test_file("CT_small.dcm"))
        elements.PatientID, elements.SOPInstanceUID = f"AB12345{6 + number}", f"{ROOT}{number}"
        for tag in [tag for tag in elements.keys() if 0x00280A04 < tag < 0x7FE00000]:  # noqa: SIM118 - no mapping
            del elements[tag]
        elements.PixelSpacingCalibrationDescription, elements.NumberOfSlices = label, 1
        elements.save_as(tmp_path / f"in/{number}.dcm")
    done = deidentify(tmp_path / "in", tmp_path / "out", key=KEY)
    assert [Path(each.file).name for each in done.broken] == ["1.dcm"]


def test_the_same_study_stays_one_study(tmp_path: Path) -> None:
    """UIDs are replaced alike in all files of one key, so that next month's fit; another key makes others."""
    shutil.copytree(SHIPPED / "test_files/dicomdirtests/98892001", tmp_path / "in")
    originals = [dcmread(path) for path in (tmp_path / "in").rglob("*") if path.is_file()]
    deidentify(tmp_path / "in", tmp_path / "out", key=KEY)
    deidentify(tmp_path / "in/CT5N", tmp_path / "later", key=KEY)
    deidentify(tmp_path / "in", tmp_path / "elsewhere", key=b"another key that is as long as it has to be")
    copies = [dcmread(path) for path in _copied(tmp_path / "out")]
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "PatientID"):
        assert len({each[keyword].value for each in copies}) == len({each[keyword].value for each in originals})
    names = {path.relative_to(tmp_path / "out") for path in _copied(tmp_path / "out")}
    assert {path.relative_to(tmp_path / "later") for path in _copied(tmp_path / "later")} < names
    assert not {path.name for path in _copied(tmp_path / "elsewhere")} & {path.name for path in names}


def test_a_patient_of_two_issuers_is_two(tmp_path: Path) -> None:
    """The same number given by two hospitals is not one patient's."""
    for number, issuer in enumerate(("north", "south", "south")):
        elements = dcmread(test_file("CT_small.dcm"))
        elements.IssuerOfPatientID, elements.SOPInstanceUID = issuer, f"{ROOT}{number}"
        elements.save_as(tmp_path / f"{number}.dcm", enforce_file_format=False)
    names = [dcmread(_with_data(copy_of(tmp_path / f"{n}.dcm", KEY).data, tmp_path)).PatientID for n in range(3)]
    assert names[0] != names[1] == names[2]


def _with_data(data: bytes, folder: Path) -> Path:
    path = folder / "written.dcm"
    path.write_bytes(data)
    return path


def test_references_still_lead_to_the_copies(tmp_path: Path) -> None:
    """What refers to another image refers to its copy, by the same new UID; registered UIDs stay."""
    elements = dcmread(test_file("CT_small.dcm"))
    reference = Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = elements.SOPClassUID, elements.SOPInstanceUID
    elements.SourceImageSequence = Sequence([reference])
    elements.save_as(tmp_path / "a.dcm")
    copy = dcmread(_with_data(copy_of(tmp_path / "a.dcm", KEY).data, tmp_path))
    (kept,) = copy.SourceImageSequence
    assert kept.ReferencedSOPInstanceUID == copy.SOPInstanceUID == made_uid(elements.SOPInstanceUID, KEY)
    assert kept.ReferencedSOPClassUID == copy.SOPClassUID == elements.SOPClassUID


def test_values_of_no_use_or_another_kind(tmp_path: Path) -> None:
    """Each of several UIDs is replaced; text where numbers or codes belong goes; what pixels need stays."""
    elements = dcmread(test_file("CT_small.dcm"))
    with quiet(), config.disable_value_validation():
        elements.IrradiationEventUID = [f"{ROOT}1", f"{ROOT}2"]
        elements.PhotometricInterpretation = "Monochrome2"
        elements.add_new("ScanOptions", "CS", "Smith, called")
        elements.add_new("GantryDetectorTilt", "LO", "Smith again")
        elements.add_new("ManufacturerModelName", "LO", "Smith at length " * 8_000)
        elements.save_as(tmp_path / "a.dcm", implicit_vr=False, little_endian=True)
    data = copy_of(tmp_path / "a.dcm", KEY).data
    copy = dcmread(_with_data(data, tmp_path))
    assert copy.IrradiationEventUID == [made_uid(f"{ROOT}1", KEY), made_uid(f"{ROOT}2", KEY)]
    assert copy.PhotometricInterpretation == "Monochrome2"
    assert b"smith" not in data.lower()


def test_an_overlay_goes_and_that_is_counted(tmp_path: Path) -> None:
    """Graphics may be letters; the groups of overlays are left out whole."""
    done = deidentify(test_file("examples_overlay.dcm"), tmp_path / "out", key=KEY)
    assert done.overlays == 1
    assert not [tag for tag in dcmread(_only(tmp_path / "out")).keys() if tag.group >> 8 == 0x60]  # noqa: SIM118


@pytest.mark.parametrize(
    ("name", "why"),
    [("test-SR.dcm", "structured report"), ("rtplan.dcm", "no image"), ("waveform_ecg.dcm", "no image")],
)
def test_what_is_no_image_is_refused(name: str, why: str) -> None:
    """Reports, plans and waveforms are not copied."""
    with pytest.raises(Refused, match=why):
        copy_of(test_file(name), KEY)


def test_an_encapsulated_document_is_refused(tmp_path: Path) -> None:
    """A PDF within DICOM may hold anything."""
    elements = dcmread(test_file("CT_small.dcm"))
    elements.EncapsulatedDocument = b"%PDF of Smith"
    elements.save_as(tmp_path / "a.dcm")
    with pytest.raises(Refused, match="encapsulated document"):
        copy_of(tmp_path / "a.dcm", KEY)


def test_a_name_in_a_code_that_is_needed_refuses_the_file(tmp_path: Path) -> None:
    """What can neither stay nor go leads to no copy, and the attribute is named, not the value."""
    elements = dcmread(test_file("CT_small.dcm"))
    with config.disable_value_validation():
        elements.PatientName = "MUSTERMANN_ERIKA"
        elements.BodyPartExamined = "MUSTERMANN_ERIKA"
        elements.save_as(tmp_path / "a.dcm")
    done = deidentify(tmp_path / "a.dcm", tmp_path / "out", key=KEY)
    (broken,) = done.broken
    assert broken.why == "would keep a value that identifies the patient in BodyPartExamined"
    assert not done.whole
    assert not _copied(tmp_path / "out")


def test_another_patients_name_takes_a_copy_back(tmp_path: Path) -> None:
    """A whole name that any header of the folder knows is looked for in all copies."""
    for number, (name, label) in enumerate((("Muster^Erika", "x"), ("Other^One", "as for MUSTER^ERIKA"))):
        elements = dcmread(test_file("CT_small.dcm"))
        elements.PatientName, elements.ManufacturerModelName = name, label
        elements.SOPInstanceUID = f"{ROOT}{number}"
        elements.save_as(tmp_path / f"in{number}.dcm")
    (tmp_path / "in").mkdir()
    for number in range(2):
        (tmp_path / f"in{number}.dcm").rename(tmp_path / f"in/{number}.dcm")
    done = deidentify(tmp_path / "in", tmp_path / "out", key=KEY)
    (broken,) = done.broken
    assert Path(broken.file).name == "1.dcm"
    assert "the copy was deleted" in broken.why
    assert done.copies == len(_copied(tmp_path / "out")) == 1


def test_twins_are_told_apart(tmp_path: Path) -> None:
    """A second file of an instance is no loss if it is the same, and named as broken if not."""
    (tmp_path / "in").mkdir()
    for number in range(3):
        elements = dcmread(test_file("CT_small.dcm"))
        elements.Rows = 128 if number < 2 else 64
        elements.save_as(tmp_path / f"in/{number}.dcm")
    done = deidentify(tmp_path / "in", tmp_path / "out", key=KEY)
    assert [Path(each.file).name for each in done.refused] == ["1.dcm"]
    assert [Path(each.file).name for each in done.broken] == ["2.dcm"]


def test_links_and_other_files_are_listed_and_not_followed(tmp_path: Path) -> None:
    """Nothing outside of the folder is read, and its files stay as they were."""
    inside = tmp_path / "in"
    inside.mkdir()
    shutil.copy(test_file("CT_small.dcm"), inside / "a.dcm")
    (inside / "notes.txt").write_text("Erika Mustermann")
    (inside / "link.dcm").symlink_to(test_file("MR_small.dcm"))
    (inside / "folder").symlink_to(tmp_path, target_is_directory=True)
    before = {path: path.read_bytes() for path in inside.iterdir() if path.is_file()}
    done = deidentify(inside, tmp_path / "out", key=KEY)
    assert done.whole
    whys = {Path(each.file).name: each.why for each in done.refused}
    assert whys == {
        "folder": "is a link, and links are not followed",
        "link.dcm": "is a link, and links are not followed",
        "notes.txt": "is not a DICOM file",
    }
    assert {path: path.read_bytes() for path in inside.iterdir() if path.is_file()} == before
    assert [path.stat().st_mode & 0o777 for path in (tmp_path / "out", _only(tmp_path / "out"))] == [0o700, 0o600]


def test_where_copies_may_lie(tmp_path: Path) -> None:
    """A folder within the source, one with something in it, a link, and a source that is not there are refused."""
    inside = tmp_path / "in"
    inside.mkdir()
    shutil.copy(test_file("CT_small.dcm"), inside / "a.dcm")
    (tmp_path / "link").symlink_to(inside, target_is_directory=True)
    for folder in (inside / "out", inside, tmp_path / "link", tmp_path / "link/out", inside / "a.dcm"):
        with pytest.raises(BadInput, match=r"Valid: a (new|folder)"):
            deidentify(inside, folder, key=KEY)
    with pytest.raises(BadInput, match="does not exist"):
        deidentify(tmp_path / "nothing", tmp_path / "out", key=KEY)
    assert not (tmp_path / "out").exists()


def test_a_broken_file_is_named_and_the_rest_is_copied(tmp_path: Path) -> None:
    """A file cut off within its header has no copy, and that does not pass for success."""
    (tmp_path / "in").mkdir()
    whole = test_file("CT_small.dcm").read_bytes()
    (tmp_path / "in/a.dcm").write_bytes(whole)
    (tmp_path / "in/b.dcm").write_bytes(whole[:900])
    (tmp_path / "in/c.dcm").write_bytes(_deep(400))
    (tmp_path / "in/d.dcm").touch()
    (tmp_path / "in/e.dcm").write_bytes(whole.replace(b"\x08\x00\x16\x00UI", b"\x08\x00\x16\x00UB"))
    done = deidentify(tmp_path / "in", tmp_path / "out", key=KEY)
    assert done.copies == 1
    assert {Path(each.file).name: each.why for each in (*done.broken, *done.refused)} == {
        "b.dcm": NO_PIXELS,
        "c.dcm": "is a malformed DICOM file",
        "d.dcm": NO_DICOM,
        "e.dcm": "is a malformed DICOM file (NotImplementedError)",
    }
    assert not done.whole
    assert _nothing_else(tmp_path / "out", done)


def test_copies_of_a_call_that_could_not_end_are_said_to_be_unchecked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that is full ends the call; other patients' names were not yet looked for in what was copied."""
    (tmp_path / "in").mkdir()
    for name in ("CT_small.dcm", "MR_small.dcm"):
        shutil.copy(test_file(name), tmp_path / "in")
    whole = private.write_whole

    def write(file: Path, data: bytes) -> None:
        if _copied(tmp_path / "out"):
            raise OSError(errno.ENOSPC, "No space left on device")
        whole(file, data)

    monkeypatch.setattr("clinhallu_gate.deidentification.copies.write_whole", write)
    with pytest.raises(BadInput, match=r"No space left on device\. The 1 copy in it was not checked: delete it\."):
        deidentify(tmp_path / "in", tmp_path / "out", key=KEY)
    assert len(_copied(tmp_path / "out")) == 1
    _is_said_to_be_incomplete(tmp_path / "in", tmp_path / "out")


def test_what_a_killed_call_left_says_that_it_was_not_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the first copy on until all were held against each other; the next call names it."""
    shutil.copytree(SHIPPED / "test_files/dicomdirtests/98892001/CT5N", tmp_path / "in")

    def killed(number: int) -> None:
        if number > 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        deidentify(tmp_path / "in", tmp_path / "out", key=KEY, tell=killed)
    assert len(_copied(tmp_path / "out")) == 2
    _is_said_to_be_incomplete(tmp_path / "in", tmp_path / "out")
    monkeypatch.setattr("clinhallu_gate.deidentification.deidentify.preflight", lambda *_, **__: killed(2))
    with pytest.raises(KeyboardInterrupt):
        deidentify(tmp_path / "in", tmp_path / "again", key=KEY)
    _is_said_to_be_incomplete(tmp_path / "in", tmp_path / "again")


def _is_said_to_be_incomplete(source: Path, folder: Path) -> None:
    assert "Delete this folder" in (folder / INCOMPLETE).read_text()
    with pytest.raises(BadInput, match=r"which were not all checked .* \(INCOMPLETE\)\. Delete it, and start anew\.$"):
        deidentify(source, folder, key=KEY)


def test_a_source_that_is_refused_leaves_no_folder(tmp_path: Path) -> None:
    """A link, or a DICOMDIR that cannot be read."""
    (tmp_path / "link").symlink_to(SHIPPED, target_is_directory=True)
    (tmp_path / "DICOMDIR").write_bytes(b"\0" * 128 + b"DICM")
    for name in ("link", "DICOMDIR"):
        with pytest.raises(BadInput, match=name):
            deidentify(tmp_path / name, tmp_path / "sub" / "out", key=KEY)
        assert not (tmp_path / "sub").exists()


def _deep(levels: int) -> bytes:
    """Return an image whose sequences lie in one another, more deeply than a reader can follow."""
    head, pixels, tail = test_file("CT_small.dcm").read_bytes().partition(b"\xe0\x7f\x10\x00OW")
    start = b"\x08\x00\x40\x11SQ\x00\x00\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
    return head + start * levels + pixels + tail


def _nothing_else(folder: Path, done: Deidentified) -> bool:
    return len([path for path in folder.rglob("*") if path.is_file()]) == done.copies


def test_the_mapping_stays_beside(tmp_path: Path) -> None:
    """If it is asked for, old and new UIDs lie in a private folder."""
    done = deidentify(test_file("CT_small.dcm"), tmp_path / "out", key=KEY, mapping=True)
    table = (tmp_path / "out.private/uids.csv").read_text().splitlines()
    assert table[0] == "level,old_uid,new_uid"
    assert len(table) == 4
    assert table[1].endswith(_only(done.folder).stem)
    assert (tmp_path / "out.private/uids.csv").stat().st_mode & 0o777 == 0o600


def test_a_mapping_is_not_written_over(tmp_path: Path) -> None:
    """Nothing is copied then: who was who in earlier copies would be lost."""
    beside = tmp_path / "out.private"
    beside.mkdir(mode=0o700)
    (beside / "uids.csv").write_text("earlier")
    with pytest.raises(BadInput, match=r"uids\.csv: is there already"):
        deidentify(test_file("CT_small.dcm"), tmp_path / "out", key=KEY, mapping=True)
    assert not (tmp_path / "out").exists()
    assert (beside / "uids.csv").read_text() == "earlier"


@pytest.mark.parametrize("name", ["out", "out.private"])
def test_a_folder_that_others_may_enter_is_left(tmp_path: Path, name: str) -> None:
    """Its mode may be wanted; nothing is copied."""
    (tmp_path / name).mkdir(mode=0o755)
    with pytest.raises(BadInput, match=rf"{name}: others may enter it.*chmod 700"):
        deidentify(test_file("CT_small.dcm"), tmp_path / "out", key=KEY, mapping=True)
    assert (tmp_path / name).stat().st_mode & 0o777 == 0o755
    assert not _copied(tmp_path / "out")


def test_the_check_does_not_believe_the_mark_alone(tmp_path: Path) -> None:
    """A file that says it was de-identified and holds a name is not clean."""
    deidentify(test_file("CT_small.dcm"), tmp_path / "out", key=KEY)
    written = _only(tmp_path / "out")
    elements = dcmread(written)
    elements.PatientName = "Muster^Erika"
    elements.save_as(written)
    from clinhallu_gate.deidentification.preflight import preflight  # noqa: PLC0415 - beside what it checks

    found = preflight([written])
    assert not found.clean
    assert found.attributes == {"PatientName": 1}
    assert found.flags[Flag.IDENTITY_REMOVED] == 1
