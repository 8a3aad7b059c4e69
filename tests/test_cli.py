"""The command line: what it writes, and how it refuses."""

import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from clinhallu_gate.cli import main
from clinhallu_gate.pipeline.verdict_table import write_results
from clinhallu_gate.records import Judged, Reading
from clinhallu_gate.results import Results
from clinhallu_gate.testing import an_instance
from clinhallu_gate.tree import trace_record
from clinhallu_gate.tree.evidence import About, write_evidence
from clinhallu_gate.vocabulary import ANSWER, Arm, Outcome


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The folder of a run on one instance."""
    results, rows = _one_result()
    write_results(tmp_path, results)
    write_evidence(tmp_path, results, rows, About(model="m"))
    return tmp_path


def _one_result() -> tuple[Results, dict[str, dict[str, dict[str, str]]]]:
    """Return the results of one instance, and no rows."""
    results = Results([an_instance()])
    found = results.found["sample/1"]
    found.traces[Arm.BASELINE] = trace_record("[Reasoning]\nSo it is.\n[Answer] yes", {})
    found.verdicts[Reading(Arm.BASELINE, ANSWER)] = Judged(Outcome.CORRECT, "same")
    return results, {}


def test_export(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run becomes a tree, and is not written over another one."""
    command = ["export", str(run), "--out", str(tmp_path / "tree")]
    assert main(command) == 0
    assert capsys.readouterr().out == f"4 files in {tmp_path / 'tree'}\n"
    assert (tmp_path / "tree/results/sample/eval/m/judge_details.jsonl").is_file()
    assert main(command) == 4
    assert capsys.readouterr().err.startswith(
        f"clinhallu-gate: --out: {tmp_path}/tree/results/sample/gold/gold/gold_cot"
    )


def test_no_command_dumps_a_core(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does a server that it starts; the limit is as before when it is done."""
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    monkeypatch.setattr(
        "clinhallu_gate.gold.command.run_draft", lambda _: str(resource.getrlimit(resource.RLIMIT_CORE)[0])
    )
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
    try:
        assert main(["draft-gold", "ward.csv", "--model", "m"]) == 0
        assert resource.getrlimit(resource.RLIMIT_CORE) == (hard, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))
    assert capsys.readouterr().out == "0\n"


def test_an_internal_error_quotes_nobody(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Kind and place are told, as of a run; the status is pytest's for such errors."""

    def failing(_: object) -> str:
        raise KeyError("Okonkwo")

    monkeypatch.setattr("clinhallu_gate.gold.command.run_draft", failing)
    assert main(["draft-gold", "ward.csv", "--model", "m"]) == 3
    said = capsys.readouterr().err
    assert said.startswith("clinhallu-gate: internal error: KeyError in cli.py:")
    assert said.endswith(" (what it says is not shown, as it may be of patients)\n")
    assert said.count("\n") == 1
    assert "Okonkwo" not in said


def test_ctrl_c_is_no_traceback(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """One line, and the status that shells give it."""

    def stopped(_: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("clinhallu_gate.gold.command.run_draft", stopped)
    assert main(["draft-gold", "ward.csv", "--model", "m"]) == 130
    assert capsys.readouterr().err == "clinhallu-gate: stopped\n"


def test_names_of_models_lead_nowhere_else(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Names with dots and slashes become folders below --out; links there that lead out of it are refused."""
    out = tmp_path / "deep" / "er" / "tree"
    about = About(model="../../../../evil", gold_models={"sample": "/../../../../evil/gold"})
    write_evidence(run, *_one_result(), about)
    before = {path for path in tmp_path.rglob("*") if out not in path.parents}
    assert main(["export", str(run), "--out", str(out)]) == 0
    assert {path for path in tmp_path.rglob("*") if out not in path.parents} - before == {
        out, out.parent, out.parent.parent
    }  # fmt: skip
    config = json.loads((out / "results/sample/eval/evil/judge.json").read_text())["config"]
    assert (out / config["input_file"]).is_file()
    assert (out / config["details_file"]).is_file()
    assert (out / "results/sample/gold" / config["gold_model"] / "gold_cot.jsonl").is_file()
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked/results").symlink_to(tmp_path / "deep")
    capsys.readouterr()
    assert main(["export", str(run), "--out", str(tmp_path / "linked")]) == 4
    assert capsys.readouterr().err.endswith(f"gold_cot.jsonl is not below {tmp_path}/linked.\n")


@pytest.mark.parametrize("name", ["a\0b", "a" * 300])
def test_a_name_that_is_no_folder(name: str, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What the file system does not take is bad input."""
    write_evidence(run, *_one_result(), About(model=name))
    assert main(["export", str(run), "--out", str(tmp_path / "tree")]) == 4
    assert "cannot be written: " in capsys.readouterr().err


def test_a_folder_that_is_no_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line on stderr, exit 4, and nothing written."""
    assert main(["export", str(tmp_path), "--out", str(tmp_path / "tree")]) == 4
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert said.err == f"clinhallu-gate: {tmp_path}: is not the folder of a finished run (it has no instances.jsonl).\n"
    assert not (tmp_path / "tree").exists()


@pytest.mark.parametrize(("arguments", "status"), [([], 4), (["export"], 4), (["exprot", "x"], 4), (["--help"], 0)])
def test_usage(arguments: list[str], status: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Bad usage ends like bad input; help is no error."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == status
    assert "usage: clinhallu-gate" in "".join(capsys.readouterr())


def test_as_a_program(tmp_path: Path) -> None:
    """The module can be run, and loads no pyarrow to refuse usage."""
    code = "import sys, clinhallu_gate.cli; print('pyarrow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
    command = [sys.executable, "-m", "clinhallu_gate.cli", "export", str(tmp_path), "--out", str(tmp_path / "tree")]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 4


@pytest.mark.parametrize(
    "words",
    [
        ["preflight", "{}"],
        ["preflight", ".", "--kept", "{}"],
        ["purge", "{}"],
        ["draft-gold", "{}", "--model", "m"],
        ["draft-gold", "ward.jsonl", "--model", "m", "--out", "{}"],
        ["sign-gold", "{}", "reviewed.json", "--reviewer", "Dr. N"],
        ["freeze", "--data", "{}", "--out", "list.json"],
        ["freeze", "--data", "ward.jsonl", "--out", "{}"],
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("name", ["", "x" * 300], ids=["empty", "long"])
def test_a_name_that_no_file_can_have_is_refused(
    words: list[str],
    name: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By the option that bears it: an unset variable is not the current folder, and nothing is a traceback."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ward.jsonl").write_text("{}\n")
    try:
        status = main([word.replace("{}", name) for word in words])
    except SystemExit as ended:
        status = int(str(ended.code))
    said = capsys.readouterr().err.splitlines()[-1]
    assert status == 4
    assert ("too long" if name else "is empty. Name a ") in said
    assert [path.name for path in tmp_path.iterdir()] == ["ward.jsonl"]
