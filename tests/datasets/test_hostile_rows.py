"""Rows and files made to do harm are refused, or are harmless; nothing outside the data's folder is read."""

import io
import json
import os
import resource
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from data_files import ROW, Release, encoded, huge_png, manifest, only, png, troubles
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pillow

from clinhallu_gate import keeping
from clinhallu_gate.datasets.load import BadRows, DataOptions, load_data
from clinhallu_gate.datasets.names import Misplaced, file_below, name_trouble

SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


def _row(name: str) -> dict[str, Any]:
    return {**ROW, "images": [name]}


@pytest.mark.parametrize("name", ["../secret.png", "a/../../secret.png", "..", "a/..\\..\\secret.png"])
def test_path_traversal_is_refused(name: str, tmp_path: Path, options: DataOptions) -> None:
    """Also where the file exists."""
    (tmp_path / "secret.png").write_bytes(png())
    path = manifest(tmp_path / "data", [_row(name)])
    assert troubles(path, options) == [f"1: images[0]: {name!r} leads out of its folder"]


@pytest.mark.parametrize("name", ["/etc/hostname", "C:\\a.png", "c:a.png", "\\\\server\\a.png"])
def test_absolute_paths_are_refused(name: str, tmp_path: Path, options: DataOptions) -> None:
    """Of this system and of others."""
    path = manifest(tmp_path / "data", [_row(name)])
    assert troubles(path, options) == [f"1: images[0]: {name!r} is absolute; files are named relative to their folder"]


def test_links_out_of_the_folder_are_refused(tmp_path: Path, options: DataOptions) -> None:
    """A file, a folder on the way, and a link in a circle; a link within the folder is fine."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.png").write_bytes(png())
    folder = tmp_path / "data"
    rows = [{**_row(name), "source_id": name} for name in ("file.png", "way/secret.png", "circle.png", "good.png")]
    path = manifest(folder, rows)
    (folder / "file.png").symlink_to(tmp_path / "outside" / "secret.png")
    (folder / "way").symlink_to(tmp_path / "outside")
    (folder / "circle.png").symlink_to(folder / "circle.png")
    (folder / "good.png").symlink_to(folder / "a.png")
    found = troubles(path, options)
    assert found[:2] == [
        f"1: images[0]: 'file.png' leads out of {folder}",
        f"2: images[0]: 'way/secret.png' leads out of {folder}",
    ]
    assert found[2].startswith("3: images[0]: 'circle.png' cannot be found: ")
    assert len(found) == 3


def test_hostile_names_in_the_benchmarks_folders_are_refused(release: Release, options: DataOptions) -> None:
    """The same holds for its rows, and for names that a hub copy is searched for."""
    for layout in ("results", "copy"):
        root = release("medxpertqa", layout=layout)
        rows = next(path for path in root.rglob("*.json*") if b"gold_cot" in path.read_bytes())
        text = rows.read_text("utf-8")
        rows.write_text(text.replace("MM-0-a.jpeg", "../../MM-0-a.jpeg").replace("MM-1-a.jpeg", "/etc/passwd"), "utf-8")
        with pytest.raises(BadRows) as raised:
            load_data(["medxpertqa"], DataOptions(data_root=root, cache=options.cache))
        assert [problem.text for problem in raised.value.problems] == [
            "images[0]: '../../MM-0-a.jpeg' leads out of its folder",
            "images[0]: '/etc/passwd' is absolute; files are named relative to their folder",
        ]


def test_a_member_of_an_archive_is_never_unpacked_to_its_own_path(release: Release, options: DataOptions) -> None:
    """Members lie in the cache under their digest, whatever they are called."""
    root = release("medxpertqa", layout="copy", number=2)
    archive = root / "MedXpertQA" / "images.zip"
    with zipfile.ZipFile(archive) as old:
        members = {name: old.read(name) for name in old.namelist()}
    with zipfile.ZipFile(archive, "w") as new:
        for name, data in members.items():
            new.writestr(f"../../../{Path(name).name}", data)
    (dataset,) = load_data(["medxpertqa"], DataOptions(data_root=root, cache=options.cache))
    assert options.cache is not None
    assert {image.path.parents[2] for item in dataset.instances for image in item.images if image.path} == {
        options.cache
    }


def test_a_member_that_would_fill_the_memory_is_refused(
    release: Release, options: DataOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its size is known before it is unpacked."""
    monkeypatch.setattr("clinhallu_gate.datasets.pictures.MAX_BYTES", 2**20)
    root = release("medxpertqa", layout="copy", number=2)
    with zipfile.ZipFile(root / "MedXpertQA" / "images.zip", "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("late/MM-0-a.jpeg", bytes(3 * 2**20))
    with pytest.raises(BadRows, match=r"'MM-0-a.jpeg' has 3 MiB. Valid: at most 1"):
        load_data(["medxpertqa"], DataOptions(data_root=root, cache=options.cache))


@pytest.mark.parametrize("size", [(10_000, 10_000), (20_000, 20_000), (2**31 - 1, 1), (8_000, 5_001)])
def test_an_enormous_image_is_refused_by_its_header(
    size: tuple[int, int], tmp_path: Path, options: DataOptions
) -> None:
    """A hundred megapixels in fifty bytes are never decoded."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    path = manifest(tmp_path / "data", [ROW], images={"a.png": huge_png(*size)})
    (found,) = troubles(path, options)
    assert "megapixels" in found
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 40 * 1024  # KiB


def test_a_file_too_large_to_read_is_refused(
    tmp_path: Path, options: DataOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its size is looked at first."""
    monkeypatch.setattr("clinhallu_gate.datasets.intake.MAX_BYTES", 2**20)
    path = manifest(tmp_path / "data", [ROW], images={"a.png": b""})
    with (tmp_path / "data" / "a.png").open("wb") as file:
        file.truncate(5 * 2**20)
    assert troubles(path, options) == ["1: images[0]: 'a.png' has 5 MiB. Valid: at most 1"]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "TIFF", "WEBP", "BMP"])
def test_a_truncated_image_is_refused(kind: str, tmp_path: Path, options: DataOptions) -> None:
    """It is decoded in full, not just opened."""
    noise = Pillow.frombytes("RGB", (64, 64), os.urandom(3 * 64 * 64))
    data = encoded(noise, kind)
    path = manifest(tmp_path / "data", [ROW], images={"a.png": data[: len(data) * 2 // 3]})
    (found,) = troubles(path, options)
    assert found.startswith("1: images[0]: 'a.png' ")


@pytest.mark.parametrize("data", [SVG, b"", b"GIF89a", b"%PDF-1.4", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_image_is_refused(data: bytes, tmp_path: Path, options: DataOptions) -> None:
    """An SVG named .png, an empty file, mere beginnings of files."""
    path = manifest(tmp_path / "data", [ROW], images={"a.png": data})
    (found,) = troubles(path, options)
    assert found.startswith("1: images[0]: 'a.png' ")


def test_a_pipe_is_not_waited_for(tmp_path: Path, options: DataOptions) -> None:
    """Only regular files are opened; a folder is one of DICOM files, or none."""
    path = manifest(tmp_path / "data", [_row("pipe.png"), {**_row("folder.png"), "source_id": "2"}])
    os.mkfifo(tmp_path / "data" / "pipe.png")
    (tmp_path / "data" / "folder.png").mkdir()
    assert troubles(path, options) == [
        "1: images[0]: 'pipe.png' is no file",
        "2: images[0]: 'folder.png' holds no DICOM file",
    ]


def test_html_in_a_question_is_kept_as_it_is(tmp_path: Path, options: DataOptions) -> None:
    """It is text; who shows it escapes it."""
    text = "<script>alert('x')</script> & <b>is there a fracture?</b>"
    path = manifest(tmp_path / "data", [{**ROW, "question": text}])
    assert only(path, options).question == text


def test_a_line_of_ten_thousand_brackets_is_no_json(tmp_path: Path, options: DataOptions) -> None:
    """It is a problem of its row, not the end of the program."""
    path = manifest(tmp_path / "data", [ROW])
    path.write_text(path.read_text("utf-8") + "[" * 10_000 + "\n", "utf-8")
    (found,) = troubles(path, options)
    assert found.startswith("2: is not JSON: ")


def test_a_long_bad_value_is_cut_in_the_message(tmp_path: Path, options: DataOptions) -> None:
    """A message stays a line, and holds no line break of the data."""
    path = manifest(tmp_path / "data", [{**ROW, "answer": "maybe\n" * 1000}])
    (found,) = troubles(path, options)
    assert len(found) < 200
    assert "\n" not in found


def test_several_pictures_in_one_file_are_refused(tmp_path: Path, options: DataOptions) -> None:
    """Which of a stack is meant would be guessed."""
    frames = [Pillow.new("L", (4, 4), grey) for grey in (0, 100, 200)]
    data = encoded(frames[0], "TIFF", save_all=True, append_images=frames[1:])
    path = manifest(tmp_path / "data", [ROW], images={"a.png": data})
    assert troubles(path, options) == ["1: images[0]: 'a.png' holds 3 pictures; give each a file of its own"]


def test_a_number_of_five_thousand_digits_is_only_a_name(release: Release, options: DataOptions) -> None:
    """Python refuses to make a number of it."""
    root = release("vqa-rad", layout="copy")
    rows = root / "ClinHallu" / "vqa-rad-test.json"
    changed = json.loads(rows.read_text("utf-8"))
    changed[0]["images"] = [f"vqarad_{'9' * 5000}.jpg"]
    changed[1]["original_index"] = "9" * 5000
    changed[2]["original_index"] = 999
    rows.write_text(json.dumps(changed), "utf-8")
    with pytest.raises(BadRows) as raised:
        load_data(["vqa-rad"], DataOptions(data_root=root, cache=options.cache))
    found = {problem.row: problem.text for problem in raised.value.problems}
    assert set(found) == {1, 3}
    assert "is no image of this set" in found[1]
    assert found[3].startswith("original_index: 999 is no row of ")


@given(st.text(min_size=1, max_size=40))
def test_a_name_that_passes_never_leaves_its_folder(name: str) -> None:
    """Whatever a row calls an image: it is refused, or lies below the folder."""
    root = Path(__file__).parent.resolve()
    if name_trouble(name) is not None:
        return
    with suppress(Misplaced):
        assert file_below(root, name).is_relative_to(root)


@given(st.binary(max_size=200))
def test_any_bytes_are_an_image_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    """No reader's error escapes."""
    folder = tmp_path_factory.mktemp("any")
    base = png()
    path = manifest(folder, [ROW], images={"a.png": base[: len(data) // 2 + 8] + data})
    try:
        load_data([str(path)], DataOptions(cache=folder / "cache"))
    except BadRows as error:
        assert len(error.problems) == 1  # noqa: PT017 - either is right


def test_a_bad_parquet_names_the_file(tmp_path: Path, options: DataOptions) -> None:
    """One line, without the reader's own."""
    path = tmp_path / "mine.parquet"
    path.write_bytes(b"PAR1" + json.dumps(ROW).encode() + io.BytesIO().getvalue())
    with pytest.raises(Exception, match=r"mine.parquet: cannot be read: ") as raised:
        load_data([str(path)], options)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("at_hand", [0, 100])
def test_a_row_that_is_nested_without_end_is_refused(
    at_hand: int, tmp_path: Path, options: DataOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever rows are kept; as deep as anybody needs is fine."""
    monkeypatch.setattr(keeping, "AT_HAND", at_hand)
    rows = [{**ROW, "source_id": str(depth), "gold_cot_meta": nested(depth)} for depth in (50, 700)]
    assert troubles(manifest(tmp_path / "data", rows), options) == ["2: is nested more than 100 deep"]


def nested(depth: int) -> dict[str, Any]:
    """Return objects and lists in each other."""
    inner: Any = "end"
    for number in range(depth):
        inner = [inner] if number % 2 else {"more": inner}
    return {"more": inner}
