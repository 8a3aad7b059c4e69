"""Images of patients that are drawn for a run that never is do not stay where nobody finds them."""

import json
from pathlib import Path

import pytest
from gate_run import CHECKOUT
from PIL import Image

from clinhallu_gate.errors import BadInput
from clinhallu_gate.pipeline.options import RunOptions
from clinhallu_gate.pipeline.prepare import prepare
from clinhallu_gate.pseudonym import SITE_KEY


def options(root: Path, *, run_dir: Path | None = None) -> RunOptions:
    """Return the options of a run that asks a model at an address, in ``root``."""
    return RunOptions(
        model="scripted",
        endpoints=("http://127.0.0.1:9",),
        judge="scripted-judge",
        judge_endpoints=("http://127.0.0.1:9",),
        data=(str(root / "ward.jsonl"),),
        thresholds=CHECKOUT / "thresholds" / "local.yaml",
        root=root,
        run_dir=run_dir,
    )


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with patients' images of a kind that is redrawn before it is sent."""
    monkeypatch.setenv(SITE_KEY, str(tmp_path / "site.key"))
    monkeypatch.setenv("CLINHALLU_GATE_CACHE", str(tmp_path / "cache"))
    rows = []
    for number in range(3):
        Image.new("L", (16, 16), 40 + number).save(tmp_path / f"{number}.tiff")
        gold = {f"gold_{stage}": "A mass." for stage in ("visual_recognition", "knowledge_recall", "reasoning")}
        asked = {"question": "Is there a mass?", "answer": "yes", "question_type": "yes_no"}
        rows.append({"id": f"a-{number}", "images": [f"{number}.tiff"], "patient_id": str(number), **asked, **gold})
    (tmp_path / "ward.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return tmp_path


def private(root: Path) -> list[str]:
    """Return the files in private folders of runs."""
    return sorted(path.name for path in root.rglob("*.private/**/*") if path.is_file())


def test_what_is_only_looked_at_leaves_no_image(root: Path) -> None:
    """The run folder's name was made up: nobody would find the images again, nor purge them."""
    prepared = prepare(options(root), look_only=True)
    assert len(prepared.instances) == 3
    assert prepared.patient_data
    assert private(root) == []
    assert not prepared.run_dir.exists()


def test_data_that_are_refused_leave_no_image(root: Path) -> None:
    """Of good rows images were drawn before the bad one was known."""
    with (root / "ward.jsonl").open("a") as file:
        file.write(
            '{"id": "bad", "images": ["gone.tiff"], "question": "?", "answer": "yes", "question_type": "yes_no"}\n'
        )
    with pytest.raises(BadInput, match="1 of 4 rows cannot be used"):
        prepare(options(root))
    assert private(root) == []


def test_a_folder_that_was_named_keeps_them(root: Path) -> None:
    """The next run there need not draw them again, and ``purge`` removes them."""
    prepare(options(root, run_dir=root / "run"), look_only=True)
    kept = private(root)
    assert [name for name in kept if name.endswith(".png")]
    with (root / "ward.jsonl").open("a") as file:
        file.write("{}\n")
    with pytest.raises(BadInput, match="1 of 4 rows cannot be used"):
        prepare(options(root, run_dir=root / "run"))
    assert private(root) == kept
