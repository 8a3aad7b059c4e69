"""Images of patients that are drawn for a run that never is do not stay where nobody finds them."""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from gate_run import CHECKOUT
from PIL import Image

from clinhallu_gate.errors import BadInput
from clinhallu_gate.pipeline.options import RunOptions
from clinhallu_gate.pipeline.prepare import forget_images, prepare
from clinhallu_gate.pseudonym import SITE_KEY
from clinhallu_gate.testing import ScriptedServer


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
    assert [name for name in private(root) if name.endswith(".png")]
    forget_images(prepared)
    assert private(root) == []
    assert not (root / "reports").exists() or not list((root / "reports").iterdir())


def test_a_session_that_is_told_to_end_leaves_no_image(root: Path) -> None:
    """SIGTERM while images are drawn, as CI and batch systems send it, is like Ctrl-C."""
    for number in range(150):
        Image.new("L", (1024, 1024), number).save(root / f"{number}.tiff")
    asked = {"question": "Is there a mass?", "answer": "yes", "question_type": "yes_no"}
    rows = [{"id": f"a-{n}", "images": [f"{n}.tiff"], "patient_id": str(n), **asked} for n in range(150)]
    (root / "ward.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    with served("scripted") as server, served("scripted-judge") as judge:
        command = gated(root, server, judge, "--collect-only", "-q")
        with subprocess.Popen(
            command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as started:
            until = time.monotonic() + 60
            while not private(root) and time.monotonic() < until:
                time.sleep(0.02)
            assert private(root)
            started.terminate()
            said, _ = started.communicate(timeout=60)
    assert started.returncode == 2, said
    assert private(root) == []


def gated(root: Path, server: ScriptedServer, judge: ScriptedServer, *rest: str) -> list[str]:
    """Return a command in ``root`` that names no run folder."""
    shutil.copytree(CHECKOUT / "suites", root / "suites")
    words = ["--endpoint", server.base_url, "--model", "scripted", "--judge", "scripted-judge"]
    words += ["--judge-endpoint", judge.base_url, "--data", str(root / "ward.jsonl"), "-p", "no:cacheprovider"]
    words += ["--thresholds", str(CHECKOUT / "thresholds" / "local.yaml"), "--rootdir", str(root)]
    return [sys.executable, "-m", "pytest", "suites/", *words, *rest]


def served(model: str) -> ScriptedServer:
    """Return a server of a model that nobody asks anything."""
    return ScriptedServer(reply=lambda _: "", model=model)


@pytest.mark.parametrize(
    ("rest", "status"),
    [(("--collect-only",), 0), (("-k", "nothing_is_called_so"), 4), (("--collect-only", "-n", "2"), 0)],
    ids=["collect-only", "none-selected", "workers"],
)
def test_a_session_without_a_run_leaves_no_image(root: Path, rest: tuple[str, ...], status: int) -> None:
    """Nor the folders that it made for them."""
    with served("scripted") as server, served("scripted-judge") as judge:
        command = gated(root, server, judge, *rest)
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == status, done.stdout + done.stderr
    assert private(root) == []
    assert not list((root / "reports").glob("*/*"))


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
