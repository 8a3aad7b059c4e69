"""Frozen lists: the same patients next month, whatever is added by then."""

import errno
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from data_files import ROW, manifest, png

from clinhallu_gate.cli import main
from clinhallu_gate.datasets.dataset import Selected
from clinhallu_gate.datasets.frozen import FrozenData
from clinhallu_gate.datasets.frozen_list import FrozenFile, read_frozen
from clinhallu_gate.datasets.load import DataOptions, Dataset, freeze_data, load_data
from clinhallu_gate.datasets.period import Period
from clinhallu_gate.datasets.signed import DraftedRow
from clinhallu_gate.errors import BadInput
from clinhallu_gate.gold.rows import Reading, gold_rows, source_named
from clinhallu_gate.pipeline.freezing import freeze
from clinhallu_gate.pipeline.purging import purge_of_run
from clinhallu_gate.private import private_folder
from clinhallu_gate.pseudonym import SITE_KEY, site_key
from clinhallu_gate.records import GoldTrace


def patient(number: int, **more: object) -> dict[str, Any]:
    """Return a row of a patient of whom names would tell."""
    named = {"source_id": f"MRN-{number}", "patient_id": f"Doe {number}", "images": [f"{number}.png"], "phi": True}
    return {**ROW, **named, "stratum": "Miller ward" if number == 1 else "chest", **more}


def ward(folder: Path, rows: Sequence[dict[str, Any]]) -> Path:
    """Write a manifest with a picture for each number up to nine."""
    return manifest(folder, rows, images={f"{number}.png": png((number, 1, 1)) for number in range(10)})


def frozen(path: Path, rows: Sequence[dict[str, Any]], **more: Any) -> Path:  # noqa: ANN401 - handed on
    """Freeze rows, and return the list."""
    out = path.parent.with_suffix(".frozen.json")
    path = ward(path.parent, rows)
    freeze([str(path)], out, **more)
    return out


def loaded(path: Path, rows: Sequence[dict[str, Any]], listed: Path, options: DataOptions, allowed: int = 0) -> Dataset:
    """Load other rows with the list."""
    path = ward(path.parent, rows)
    chosen = replace(options, frozen=read_frozen(listed, site_key), allow_bad_rows=allowed)
    (dataset,) = load_data([str(path)], chosen)
    return dataset


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the manifest lies."""
    return tmp_path / "ward" / "mine.jsonl"


THREE = [patient(1), patient(2), patient(2, source_id="MRN-2b", question="Is there a mass?"), patient(3)]


def test_a_list_tells_nothing_of_patients(path: Path) -> None:
    """Neither names nor texts; it is its owner's alone, and says under which key it was made."""
    listed = frozen(path, THREE)
    text = listed.read_text()
    for word in ("MRN", "Doe", "Miller", "fracture", "mass", "chest"):
        assert word not in text
    assert listed.stat().st_mode & 0o777 == 0o600
    content = FrozenFile.model_validate_json(text)
    assert content.site_key is not None
    assert len(content.datasets[0].instances) == 4
    assert list(path.parent.parent.glob("*.private")) == []


def test_what_a_killed_command_left_is_removed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Images lie in a folder that purge knows, and the same command takes and removes it."""
    out, used = path.parent.with_suffix(".frozen.json"), list[Path | None]()

    def load(specs: Sequence[str], options: DataOptions) -> FrozenData:
        used.append(options.private_cache)
        return freeze_data(specs, options)

    left = private_folder(out)
    (left / "images").mkdir(parents=True)
    left.chmod(0o700)
    (left / "images" / "0.png").write_bytes(b"of a patient")
    assert purge_of_run(out).files == 1
    monkeypatch.setattr("clinhallu_gate.pipeline.freezing.freeze_data", load)
    frozen(path, THREE)
    assert used == [left]
    assert not left.exists()


@pytest.mark.parametrize("named", [False, True])
def test_a_disk_that_is_full_is_no_error_of_ours(
    *, path: Path, named: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 4, and which folder could not be written; images that were drawn by then are gone."""
    out, cache = path.parent.with_suffix(".frozen.json"), path.parent.with_name("cache")

    def load(specs: Sequence[str], options: DataOptions) -> FrozenData:
        assert specs
        assert options.private_cache is not None
        raise OSError(errno.ENOSPC, "No space left on device", str(options.private_cache / "0.png"))

    monkeypatch.setattr("clinhallu_gate.pipeline.freezing.freeze_data", load)
    options = ["--private-cache", str(cache)] if named else []
    assert main(["freeze", "--data", str(ward(path.parent, THREE)), "--out", str(out), *options]) == 4
    folder = cache if named else out.parent
    assert f"{folder}: cannot be written: No space left on device." in " ".join(capsys.readouterr().err.split())
    assert not out.exists()
    assert not private_folder(out).exists()


def test_a_private_folder_of_something_else_is_left(path: Path) -> None:
    """What no such command made is neither used nor removed."""
    left = private_folder(path.parent.with_suffix(".frozen.json"))
    left.mkdir(mode=0o700)
    (left / "store.sqlite").touch()
    with pytest.raises(BadInput, match=r"holds more than images that a killed command left \(store.sqlite\)"):
        frozen(path, THREE)
    (left / "store.sqlite").rename(left / "checked.jsonl")
    left.chmod(0o755)
    with pytest.raises(BadInput, match=r"others may enter it.*chmod 700"):
        frozen(path, THREE)
    assert (left / "checked.jsonl").exists()


def test_drafts_are_frozen_where_that_is_allowed(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The way out that the refusal names is there."""
    drafts = path.with_name("mine.gold")
    drafts.mkdir(parents=True)
    ward(path.parent, THREE)
    (row,) = gold_rows(source_named(str(path)), Reading(path.parent / "own"))[:1]
    words = "An opacity is seen."
    texts = GoldTrace(visual_recognition=words, knowledge_recall=words, reasoning_integration=words)
    draft = DraftedRow(id=row.instance.id, row=1, content_sha256=row.content_sha256, gold=texts)
    (drafts / "draft.jsonl").write_text(f"{draft.model_dump_json()}\n")
    command = ["freeze", "--data", str(path), "--out", str(path.parent.with_suffix(".frozen.json"))]
    assert main(command) == 4
    assert "with --allow-unsigned-gold." in capsys.readouterr().err
    assert main([*command, "--allow-unsigned-gold"]) == 0


def test_new_rows_are_left_out_and_counted(path: Path, options: DataOptions) -> None:
    """Also one that cannot be used, one that sorts before its patient's others, and one with an image that is gone."""
    listed = frozen(path, THREE)
    (before,) = load_data([str(path)], options)
    new = [
        patient(3, source_id="AAA"),
        patient(4),
        patient(5, question_type="essay"),
        patient(6, images=["nowhere.png"]),
    ]
    data = loaded(path, [*new, *THREE], listed, options)
    assert data.selected == Selected(rows=8, unlisted=4)
    assert (data.instances, data.sha256) == (before.instances, before.sha256)


def test_what_is_gone_or_changed_is_refused(path: Path, options: DataOptions) -> None:
    """With counts and the names of the list; no name of a patient."""
    listed = frozen(path, THREE)
    names = list(json.loads(listed.read_text())["datasets"][0]["instances"])
    changed = [THREE[0], {**THREE[1], "answer": "yes"}, THREE[2]]
    with pytest.raises(BadInput) as raised:
        loaded(path, changed, listed, options)
    first, *lines, last = str(raised.value).splitlines()
    assert "2 of 4 instances are not as they were frozen: 1 gone, 1 changed" in first
    assert lines == [f"mine/{names[1]}: changed", f"mine/{names[3]}: gone"]
    assert last == "Restore them, leave them out with --allow-bad-rows 2, or freeze anew."
    assert "MRN" not in str(raised.value)


def test_so_many_may_be_let_go(path: Path, options: DataOptions) -> None:
    """Changed ones are left out as well: they are not what was frozen."""
    listed = frozen(path, THREE)
    changed = [THREE[0], {**THREE[1], "answer": "yes"}, THREE[2]]
    data = loaded(path, changed, listed, options, allowed=2)
    assert data.selected == Selected(rows=3, gone=1, changed=1)
    assert len(data.instances) == 2


def test_other_pixels_are_another_content(path: Path, options: DataOptions) -> None:
    """The same row with another image is changed; the same image elsewhere is not."""
    listed = frozen(path, THREE)
    moved = [{**THREE[0], "images": ["moved.png"]}, *THREE[1:]]
    ward(path.parent, moved)
    (path.parent / "moved.png").write_bytes(png((1, 1, 1)))
    chosen = replace(options, frozen=read_frozen(listed, site_key))
    (data,) = load_data([str(path)], chosen)
    assert data.selected == Selected(rows=4)
    (path.parent / "moved.png").write_bytes(png((1, 1, 2)))
    with pytest.raises(BadInput, match="0 gone, 1 changed"):
        load_data([str(path)], chosen)


def test_a_listed_row_that_cannot_be_used_any_more_says_why(path: Path, options: DataOptions) -> None:
    """As any row does, and counts as gone where it may be left out."""
    listed = frozen(path, THREE)
    broken = [{**THREE[0], "question_type": "essay"}, *THREE[1:]]
    with pytest.raises(BadInput, match=r"question_type: \(not shown\) is not a question type"):
        loaded(path, broken, listed, options)
    data = loaded(path, broken, listed, options, allowed=1)
    assert data.selected == Selected(rows=4, gone=1)


def test_patients_who_were_put_together_are_noticed(path: Path, options: DataOptions) -> None:
    """The limits of gates rest on who shares a patient."""
    listed = frozen(path, THREE)
    with pytest.raises(BadInput, match="but not who shares a patient"):
        loaded(path, [*THREE[:3], {**THREE[3], "patient_id": "Doe 1"}], listed, options)


@pytest.mark.parametrize(
    "left",
    [
        [patient(2), patient(4, patient_id="Doe 2"), patient(3, patient_id="Doe 2")],
        [patient(2), patient(4), patient(3)],
    ],
    ids=["put together", "taken apart"],
)
def test_so_they_are_where_a_row_may_be_let_go(left: list[dict[str, Any]], path: Path, options: DataOptions) -> None:
    """One patient's row is gone, which is allowed; that the rows which are left are other patients' is not."""
    rows = [patient(1), patient(2), patient(4, patient_id="Doe 2"), patient(3)]
    listed = frozen(path, rows)
    data = loaded(path, rows[1:], listed, options, allowed=1)
    assert (len(data.instances), len({each.cluster for each in data.instances})) == (3, 2)
    with pytest.raises(BadInput, match="but not who shares a patient"):
        loaded(path, left, listed, options, allowed=1)


def test_the_order_of_rows_is_of_no_meaning(path: Path, options: DataOptions) -> None:
    """Rows of a manifest may be sorted anew: it is the same data in the list's order, with the digest that it had."""
    listed = frozen(path, THREE)
    (before,) = load_data([str(path)], options)
    data = loaded(path, [patient(4), *reversed(THREE)], listed, options)
    assert (data.instances, data.sha256) == (before.instances, before.sha256)
    assert list(data.rows) == [each.id for each in data.instances]


def test_a_list_of_another_key_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its names stand for nobody here, which is no change of the data."""
    listed = frozen(path, THREE)
    other = path.parent / "other.key"
    other.write_text("f" * 64)
    other.chmod(0o600)
    monkeypatch.setenv(SITE_KEY, str(other))
    with pytest.raises(BadInput, match=r"was frozen under another site's key .* Name that key's file in CLINHALLU"):
        read_frozen(listed, site_key)


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "Invalid JSON"), ('{"schema_version": 1}', "what: Field required|datasets: Field required|site_key")],
)
def test_a_file_that_is_no_list_is_refused(path: Path, text: str, said: str) -> None:
    """In a line, with what is wrong; a file that is not there as well."""
    file = path.parent / "list.json"
    file.parent.mkdir(exist_ok=True)
    with pytest.raises(BadInput, match="cannot be read: No such file"):
        read_frozen(file, site_key)
    file.write_text(text)
    with pytest.raises(BadInput, match=said):
        read_frozen(file, site_key)


def test_the_data_sets_are_those_of_the_list(path: Path, options: DataOptions) -> None:
    """One more, or one less, is another run."""
    listed = frozen(path, THREE)
    chosen = replace(options, frozen=read_frozen(listed, site_key))
    with pytest.raises(BadInput, match=r"holds nothing of 'phantom'\. Valid: mine"):
        load_data([str(path), "phantom"], chosen)
    with pytest.raises(BadInput, match="holds nothing of 'phantom'"):
        load_data(["phantom"], chosen)


def test_data_without_patients_are_frozen_without_a_key(options: DataOptions, tmp_path: Path) -> None:
    """Phantoms by their own names, as a list of a whole set."""
    out = tmp_path / "phantoms.json"
    assert "phantom" in freeze(["phantom"], out).line
    chosen = replace(options, frozen=read_frozen(out, lambda: pytest.fail("no key is wanted")))
    (data,) = load_data(["phantom"], chosen)
    assert (data.sha256, data.selected) == (load_data(["phantom"])[0].sha256, Selected(rows=len(data.instances)))
    with pytest.raises(BadInput, match="is there already"):
        freeze(["phantom"], out)


def test_a_period_is_frozen_with_its_ends(path: Path, options: DataOptions) -> None:
    """The list holds the studies of those days, and says which days were asked for."""
    rows = [{**row, "study_date": f"2026-02-0{place + 1}"} for place, row in enumerate(THREE)]
    listed = frozen(path, rows, period=Period.read("2026-02-02", "2026-02-03"))
    content = json.loads(listed.read_text())
    assert (content["since"], content["until"]) == ("2026-02-02", "2026-02-03")
    data = loaded(path, rows, listed, options)
    assert data.selected == Selected(rows=4, unlisted=2)
