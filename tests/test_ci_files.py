"""The CI files of docs/ci: what they run exists, with the options that they give, and nothing lets a refusal pass."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from clinhallu_gate.cli import _parser
from clinhallu_gate.gate.release import EXIT_NOT_COMPLETED

ROOT = Path(__file__).parent.parent
DOC = ROOT / "docs" / "ci.md"
FILES = sorted((ROOT / "docs" / "ci").glob("*.yml"))
#: What a run leaves, which no checkout holds.
MADE = ("reports/",)


def _load(file: Path) -> dict[Any, Any]:
    content = yaml.safe_load(file.read_text("utf-8"))
    assert isinstance(content, dict)
    return content


def _commands(node: object) -> Iterator[str]:
    """Return every command line of a workflow or pipeline."""
    if isinstance(node, list):
        for item in node:
            yield from _commands(item)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key in {"run", "script", "before_script", "after_script"}:
                yield from [value] if isinstance(value, str) else value
            else:
                yield from _commands(value)


@cache
def _pytest_options() -> frozenset[str]:
    """Return the options that pytest has in this checkout."""
    command = [sys.executable, "-m", "pytest", "suites/", "--help", "-p", "no:cacheprovider"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "--junit-xml=" in said  # which pytest also takes, and everybody writes, as --junitxml
    return frozenset([*re.findall(r"(?<!\S)--[a-z][a-z-]*", said), "--junitxml"])


def test_there_is_a_file_for_either() -> None:
    """And the documentation names each."""
    assert [file.name for file in FILES] == ["github-gate.yml", "gitlab-gate.yml"]
    assert all(f"(ci/{file.name})" in DOC.read_text("utf-8") for file in FILES)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_command_can_be_run(file: Path) -> None:
    """Options, make targets and files exist; a smoke and a gate run are among them."""
    runs = []
    for line in _commands(_load(file)):
        words = shlex.split(line)
        if "pytest" in words:
            options = {word.partition("=")[0] for word in words if word.startswith("--")}
            assert options <= _pytest_options(), options - _pytest_options()
            runs.append(options)
        elif words[0].endswith("clinhallu-gate"):
            _parser().parse_args(words[1:])
        elif words[0] == "make":
            assert re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
        else:
            assert words[0] == "test"
        for word in words:
            if "/" in word and not word.startswith((".venv/", "--", *MADE)):
                assert (ROOT / word).exists(), word
    assert {"--model", "--run-dir", "--junitxml"} <= runs[0]
    assert {"--model", "--judge", "--data", "--thresholds", "--baseline", "--store", "--junitxml"} <= runs[1]


def test_github() -> None:
    """Reads and writes nothing else; actions of a major version; artifacts whatever the end; forks stay outside."""
    workflow = _load(ROOT / "docs/ci/github-gate.yml")
    assert workflow["permissions"] == {"contents": "read"}
    assert set(workflow[True]) == {"pull_request", "workflow_dispatch"}  # YAML 1.1 takes the key `on` for true
    jobs = workflow["jobs"]
    steps = [step for job in jobs.values() for step in job["steps"]]
    assert all(re.fullmatch(r"actions/[a-z-]+@v\d+", step["uses"]) for step in steps if "uses" in step)
    uploads = [step for step in steps if step.get("uses", "").startswith("actions/upload-artifact")]
    assert [step["if"] for step in uploads] == ["always()"] * 2
    assert "self-hosted" in jobs["gate"]["runs-on"]
    assert "head.repo.full_name == github.repository" in jobs["gate"]["if"]
    assert jobs["release-gate"]["needs"] == ["smoke", "gate"]
    assert jobs["release-gate"]["if"] == "always()"
    assert not [step for step in steps if "${{" in step.get("run", "")]


def test_gitlab() -> None:
    """Merge requests show the tests, and artifacts are kept whatever the end."""
    pipeline = _load(ROOT / "docs/ci/gitlab-gate.yml")
    for name in ("smoke", "gate"):
        job = pipeline[name]
        assert job["stage"] in pipeline["stages"]
        assert job["extends"] in pipeline
        assert job["artifacts"]["when"] == "always"
        (command,) = (shlex.split(line) for line in job["script"])
        assert f"--junitxml={job['artifacts']['reports']['junit']}" in command
        assert job["artifacts"]["paths"] == [command[command.index("--run-dir") + 1] + "/"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_no_refusal_is_let_pass(file: Path) -> None:
    """No exit status is excused."""
    content = _load(file)
    assert not re.search(r"continue-on-error|allow_failure", str(content))
    assert not re.search(r"\|\||;|--no-decision| -k |set \+e", " ".join(_commands(content)))


def test_the_documentation_has_every_exit_status() -> None:
    """The same as the README."""
    rows = [re.findall(r"^\| (\d+) \|", file.read_text("utf-8"), re.MULTILINE) for file in (DOC, ROOT / "README.md")]
    assert rows[0] == rows[1]
    assert str(EXIT_NOT_COMPLETED) in rows[0]
