"""A ward of patients who must not be seen, and all that others may see of a run with their data."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from canaries import Search, echo, judge, unavailable, write_ward
from gate_run import Outcome, Rig

from clinhallu_gate.pseudonym import SITE_KEY
from clinhallu_gate.testing import ScriptedServer

POLICY = """
schema_version: 1
target: benchmark
max_unjudged: 1.0
judge: {probes: 4, min_sensitivity: 0.0, min_specificity: 0.0}
gates:
  - {metric: visual_hallucination_rate, scope: [mean, each], max: 0.1}
  - {metric: knowledge_hallucination_rate, max: 0.9}
  - {metric: reasoning_hallucination_rate, max: 0.9, severity: advisory}
  - {metric: answer_accuracy, min: 0.2}
  - {metric: answer_accuracy, max_drop: 0.1, severity: advisory}
  - {metric: answer_accuracy, max_events: 3, tag: "never:laterality"}
  - {metric: recovery, arm: replace_vr, min: 0.0, severity: advisory}
"""


@dataclass(frozen=True)
class Ward:
    """Patients' data, and how to gate a model with them."""

    rig: Rig
    folder: Path
    model: ScriptedServer
    judge: ScriptedServer

    def gate(
        self,
        *rest: str,
        model: ScriptedServer | None = None,
        data: Path | None = None,
        endpoint: str | None = None,
        judge_endpoint: str | None = None,
        policy: Path | None = None,
        junit: Path | None = None,
        clear: bool = True,
    ) -> "Seen":
        """Gate a model; say all that pytest can say. ``clear``: as if nothing had been run there before."""
        junit = junit or self.rig.folder().with_suffix(".xml")
        if clear:
            shutil.rmtree(self.rig.root / ".pytest_cache", ignore_errors=True)
        words = self.words(
            *rest, junit=junit, model=model, data=data, endpoint=endpoint, judge_endpoint=judge_endpoint, policy=policy
        )
        outcome = self.rig.run(*words, env={**self.env, "GITHUB_STEP_SUMMARY": str(junit.with_suffix(".md"))})
        cache = self.rig.root / ".pytest_cache"
        kept = junit.with_suffix(".cache")
        if cache.exists():
            shutil.copytree(cache, kept)
        return Seen(outcome, junit, kept, junit.with_suffix(".md"), junit.with_suffix(".log"))

    @property
    def env(self) -> dict[str, str]:
        """Return what the environment of a command says of the ward."""
        return {SITE_KEY: str(self.folder / "site.key"), "CLINHALLU_GATE_CACHE": str(self.cache)}

    @property
    def cache(self) -> Path:
        """Return what stands for the cache of this machine's user."""
        return self.folder.with_name(f"{self.folder.name}-cache")

    def words(
        self,
        *rest: str,
        junit: Path,
        model: ScriptedServer | None = None,
        data: Path | None = None,
        endpoint: str | None = None,
        judge_endpoint: str | None = None,
        policy: Path | None = None,
    ) -> tuple[str, ...]:
        """Return the words of a command that gates a model."""
        served = model or self.model
        options = {
            "--endpoint": endpoint or served.base_url,
            "--model": served.model,
            "--judge": self.judge.model,
            "--judge-endpoint": judge_endpoint or self.judge.base_url,
            "--judge-revision": "1",
            "--data": str(data or self.folder / "ward.jsonl"),
            "--thresholds": str(policy or self.folder / "policy.yaml"),
            "--junitxml": str(junit),
            "--log-file": str(junit.with_suffix(".log")),
            "--log-file-level": "DEBUG",
        }
        tests = () if rest and "test_" in rest[0] else ("suites/",)
        words = [word for pair in options.items() for word in pair]
        return (*tests, *rest, *words, "-rA", "-vv", "--showlocals")


@dataclass(frozen=True)
class Seen:
    """A run and all that others may see of it."""

    outcome: Outcome
    junit: Path
    cache: Path
    step_summary: Path
    log: Path

    def beside(self, search: Search) -> dict[str, set[str]]:
        """Return what terminal, test report, log, cache and CI summary tell of patients."""
        told = {
            "terminal": search.packed((self.outcome.out + self.outcome.err).encode()),
            "cache": set().union(*search.folder(self.cache).values()),
        }
        told |= {path.name: search.file(path) for path in (self.junit, self.step_summary, self.log) if path.exists()}
        return {name: found for name, found in told.items() if found}

    def everywhere(self, search: Search) -> dict[str, set[str]]:
        """Return what is told of patients, in the run folder or beside it."""
        folder = self.outcome.folder
        return {**self.beside(search), **(search.folder(folder) if folder.exists() else {})}


@contextmanager
def opened(rig: Rig, name: str, write: Callable[[Path], Path] = write_ward) -> Iterator[Ward]:
    """Yield six patients of four instances each, a model and a judge that repeat all they are told.

    ``write`` writes other data, in a folder, as ``ward.jsonl``.
    """
    folder = rig.root / name
    folder.mkdir()
    write(folder)
    (folder / "policy.yaml").write_text(POLICY)
    with (
        ScriptedServer(reply=echo, faults=unavailable, model="echo") as model,
        ScriptedServer(reply=judge, model="judge") as second,
    ):
        yield Ward(rig, folder, model, second)
