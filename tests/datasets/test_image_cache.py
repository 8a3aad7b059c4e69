"""The cache spares later loads the decoding, and nothing in it is believed more than it deserves."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from data_files import ROW, encoded, manifest, only, pixels, png
from PIL import Image as Pillow

from clinhallu_gate.datasets.cache import ImageCache, Sent, default_cache
from clinhallu_gate.datasets.load import DataOptions, load_data
from clinhallu_gate.datasets.pixels import look
from clinhallu_gate.errors import BadInput

PALETTE = encoded(Pillow.new("RGB", (4, 3), (9, 8, 7)).quantize(4), "PNG")


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Note every image that is decoded."""
    seen: list[bytes] = []
    monkeypatch.setattr("clinhallu_gate.datasets.intake.look", lambda data: (seen.append(data), look(data))[1])
    return seen


def test_an_image_is_decoded_once(tmp_path: Path, options: DataOptions, looks: list[bytes]) -> None:
    """However many rows, names and loads show it."""
    rows = [{**ROW, "source_id": f"{n}", "images": [name, name]} for n, name in enumerate(["a.png", "b.png", "a.png"])]
    path = manifest(tmp_path / "data", rows, images={"a.png": png(), "b.png": png()})
    first = load_data([str(path)], options)
    assert load_data([str(path)], options) == first
    assert looks in ([png()], [png(), png()])  # two threads may meet it at the same time


def test_a_plain_file_is_not_copied(tmp_path: Path, options: DataOptions) -> None:
    """It is sent from where it lies; the cache only knows that it is good."""
    path = manifest(tmp_path / "data", [ROW])
    assert only(path, options).images[0].path == tmp_path / "data" / "a.png"
    assert options.cache is not None
    assert [file.name for file in options.cache.rglob("*") if file.is_file()] == ["checked.jsonl"]


def test_a_redrawn_file_lies_in_the_cache_once(tmp_path: Path, options: DataOptions, looks: list[bytes]) -> None:
    """Under the digest of what is sent; a later load finds it there."""
    path = manifest(tmp_path / "data", [ROW], images={"a.png": PALETTE})
    image = only(path, options).images[0]
    assert image.path is not None
    assert image.path.name == f"{image.sha256}.png"
    assert pixels(image).mode == "RGB"
    assert only(path, options).images[0] == image
    assert len(looks) == 1


@pytest.mark.parametrize("damage", ["gone", "cut", "line", "list"])
def test_a_damaged_cache_is_made_anew(damage: str, tmp_path: Path, options: DataOptions) -> None:
    """A file that is gone or cut off, a line that cannot be read, no list at all."""
    path = manifest(tmp_path / "data", [ROW], images={"a.png": PALETTE})
    image = only(path, options).images[0]
    data, checked = image.read(), tmp_path / "cache" / "checked.jsonl"
    assert image.path is not None
    if damage == "gone":
        image.path.unlink()
    elif damage == "cut":
        image.path.write_bytes(data[:10])
    elif damage == "line":
        lines = checked.read_text("ascii")
        broken = ['{"version":1,"source":', "[]", '{"version":99}', '{"source":"x"}', "\xff", lines[:-20]]
        checked.write_text("\n".join(broken), "latin-1")
    else:
        checked.unlink()
    again = only(path, options).images[0]
    assert again == image
    assert again.read() == data


def test_a_line_of_another_version_is_not_believed(tmp_path: Path, options: DataOptions, looks: list[bytes]) -> None:
    """What was checked by other rules is checked again."""
    path = manifest(tmp_path / "data", [ROW])
    only(path, options)
    checked = tmp_path / "cache" / "checked.jsonl"
    checked.write_text(json.dumps({**json.loads(checked.read_text("ascii")), "version": 0}) + "\n", "ascii")
    only(path, options)
    assert len(looks) == 2


def test_a_cache_that_cannot_be_written_matters_only_for_redrawn_images(tmp_path: Path) -> None:
    """A plain file needs none; for others one line says what to do."""
    (tmp_path / "file").write_bytes(b"")
    options = DataOptions(cache=tmp_path / "file" / "cache")
    assert only(manifest(tmp_path / "data", [ROW]), options).images
    path = manifest(tmp_path / "other", [ROW], images={"a.png": PALETTE})
    with pytest.raises(BadInput, match=r"images cannot be kept there: .*CLINHALLU_GATE_CACHE"):
        load_data([str(path)], options)


def test_several_processes_may_fill_it_at_once(tmp_path: Path, options: DataOptions) -> None:
    """Each gets the same data, and every line and file is whole afterwards."""
    images = {f"{n}.png": encoded(Pillow.new("P", (40, 40), n), "PNG") for n in range(40)}
    rows = [{**ROW, "source_id": name, "images": [name]} for name in images]
    path = manifest(tmp_path / "data", rows, images=images)
    code = (
        "import sys; from pathlib import Path; from clinhallu_gate.datasets.load import *\n"
        "print(load_data([sys.argv[1]], DataOptions(cache=Path(sys.argv[2])))[0].sha256)"
    )
    command = [sys.executable, "-c", code, str(path), str(options.cache)]
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    said = {run.communicate()[0] for run in runs}
    assert len(said) == 1
    assert said.pop().strip() == load_data([str(path)], options)[0].sha256
    assert options.cache is not None
    lines = (options.cache / "checked.jsonl").read_text("ascii").splitlines()
    assert all(json.loads(line)["version"] == 1 for line in lines)
    assert not [file for file in options.cache.rglob(".*") if file.is_file()]


def test_what_was_noted_is_written_at_the_latest_with_flush(tmp_path: Path) -> None:
    """Many lines at once, the rest when asked."""
    cache = ImageCache(tmp_path / "cache")
    for number in range(300):
        cache.remember(f"{number:064x}", Sent(f"{number:064x}", "image/png", 1))
    assert len(ImageCache(tmp_path / "cache").__dict__["_known"]) == 256
    cache.flush()
    assert ImageCache(tmp_path / "cache").known(f"{299:064x}") == Sent(f"{299:064x}", "image/png", 1)


def test_where_the_cache_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gate's own variable, then that of the desktop, then the usual place."""
    monkeypatch.setenv("CLINHALLU_GATE_CACHE", "/one")
    monkeypatch.setenv("XDG_CACHE_HOME", "/two")
    assert default_cache() == Path("/one")
    monkeypatch.delenv("CLINHALLU_GATE_CACHE")
    assert default_cache() == Path("/two/clinhallu-gate")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/three")
    assert default_cache() == Path("/home/three/.cache/clinhallu-gate")


def test_images_of_patients_stay_out_of_the_shared_cache(tmp_path: Path, options: DataOptions) -> None:
    """Neither pixels nor digests; an image that another row shows too counts as a patient's, and so does that row."""
    rows = [{**ROW, "phi": True}, {**ROW, "source_id": "2"}]
    path = manifest(tmp_path / "data", rows, images={"a.png": PALETTE})
    (dataset,) = load_data([str(path)], options)
    assert [instance.phi for instance in dataset.instances] == [True, True]
    assert options.cache is not None
    assert not options.cache.exists()
    assert {image.path.parents[2].name for item in dataset.instances for image in item.images if image.path} == {
        "private"
    }


def test_patient_data_without_a_private_cache_are_refused(tmp_path: Path) -> None:
    """They must not go anywhere by default."""
    path = manifest(tmp_path / "data", [{**ROW, "phi": True}])
    with pytest.raises(BadInput, match="images of patients are not kept in the shared cache"):
        load_data([str(path)], DataOptions(cache=tmp_path / "cache"))
