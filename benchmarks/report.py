"""Measures how long the report of a run as large as the benchmark takes, in how much memory, and how large it is.

Builds the results of 7,031 instances in four arms, with a release in use beside them and 10,000 images (texts of the
length of real traces, drawn at random), has the pictures drawn as during an evaluation, and then writes the report.

Prints JSON: seconds of drawing (apart: an evaluation does it while it waits for replies) and of writing, peak memory of
the whole process in MB, and the size of what was written. With ``--keep DIR`` the report stays there.
Exit status 1 if a bound is missed.
"""

import argparse
import io
import json
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from load import INSTANCES, peak_mb
from PIL import Image as PilImage

from clinhallu_gate.config.thresholds import expand, load_thresholds
from clinhallu_gate.gate import Frame, Rules, count_blocking, decide_all, release
from clinhallu_gate.records import GoldTrace, Image, Instance, Judged, Reading, Unjudged, Verdict
from clinhallu_gate.report import DatasetDigest, DataSource, FileDigest, NamedDigest, RunContext, report_view
from clinhallu_gate.report.cases import LISTED_READINGS, case_views
from clinhallu_gate.report.decision import DecisionDocument, build
from clinhallu_gate.report.html import write_report
from clinhallu_gate.report.pictures import ASSETS, PICTURES, Pictures
from clinhallu_gate.results import HEADLINE_READINGS, CallCost, Results, TraceOf
from clinhallu_gate.vocabulary import ANSWER, Arm, Outcome, QuestionType, Stage, UnjudgedReason

MAX_SECONDS: Final = 15.0
MAX_MB: Final = 600.0
MAX_PAGE_MB: Final = 15.0
IMAGES: Final = 10_000
QUICK: Final = 150
"""Instances of each set in the quick mode."""
_WORDS: Final = 60
"""Of a stage."""
_SIDE: Final = 96
"""Pixels of an image: what a picture holds decides how long it takes to draw, not how long the report takes."""
_WRITTEN: Final = {
    Arm.BASELINE: (*Stage, ANSWER),
    Arm.REPLACE_VR: (Stage.KNOWLEDGE_RECALL, Stage.REASONING_INTEGRATION, ANSWER),
    Arm.REPLACE_KR: (Stage.REASONING_INTEGRATION, ANSWER),
    Arm.REPLACE_VR_KR: (Stage.REASONING_INTEGRATION, ANSWER),
}
ROOT: Final = Path(__file__).parents[1]


class Writer:
    """Writes texts of a given length, of words of a given vocabulary."""

    def __init__(self) -> None:
        self._rng = random.Random("report")  # noqa: S311 - a load, no secret
        letters = "aaeeiioonnrrsstlcdm"
        self._words = ["".join(self._rng.choices(letters, k=self._rng.randint(2, 11))) for _ in range(4_000)]

    def text(self, words: int) -> str:
        """Return a sentence."""
        return f"{' '.join(self._rng.choices(self._words, k=words)).capitalize()}."

    def outcome(self, reading: Reading) -> Verdict:
        """Return a verdict: bad in one of four, unjudged in one of 500."""
        drawn = self._rng.random()
        if drawn > 0.998:  # noqa: PLR2004 - as said
            return Unjudged(UnjudgedReason.JUDGE_FAILED, "no verdict in the reply")
        good, bad = (
            (Outcome.CORRECT, Outcome.INCORRECT) if reading.part == ANSWER else (Outcome.GROUNDED, Outcome.HALLUCINATED)
        )
        return Judged(bad if drawn < 0.25 else good, self.text(20))  # noqa: PLR2004 - as said


def images(number: int) -> Iterator[Image]:
    """Yield grey images of noise, all distinct."""
    rng = np.random.default_rng(1)
    for _ in range(number):
        held = io.BytesIO()
        pixels = rng.integers(0, 255, (_SIDE, _SIDE), dtype=np.uint8)
        PilImage.fromarray(pixels).save(held, "PNG", compress_level=1)
        yield Image.from_bytes(held.getvalue())


def results_of(numbers: dict[str, int], pictures: int) -> Results:
    """Return results, with those of a release in use beside them."""
    writer, drawn = Writer(), list(images(pictures))
    total = sum(numbers.values())
    instances = [
        Instance(
            dataset=dataset,
            id=f"{place:05d}",
            stratum=dataset,
            cluster=f"{dataset}-{place // 2}",
            images=tuple(drawn[len(drawn) * at // total : len(drawn) * (at + 1) // total] or drawn[:1]),
            question=writer.text(25),
            question_type=QuestionType.OPEN_ENDED,
            answer=writer.text(3),
            gold=GoldTrace(**{str(stage): writer.text(_WORDS) for stage in Stage}),
            tags=(f"modality:{('ct', 'mri', 'xray')[place % 3]}",),
        )
        for at, (dataset, place) in enumerate((name, n) for name, many in numbers.items() for n in range(many))
    ]
    results = Results(instances)
    for found in results.found.values():
        for number, (arm, parts) in enumerate(_WRITTEN.items()):
            found.costs[TraceOf(arm)] = CallCost(1.0 + number, 900, 260, 600)
            for part in parts:
                found.texts[Reading(arm, part)] = writer.text(3 if part == ANSWER else _WORDS)
        found.verdicts = {reading: writer.outcome(reading) for reading in LISTED_READINGS}
        found.baseline = {reading: writer.outcome(reading) for reading in LISTED_READINGS}
        found.baseline_texts = {reading: writer.text(_WORDS) for reading in HEADLINE_READINGS}
    return results


def decided(results: Results, numbers: dict[str, int]) -> tuple[DecisionDocument, RunContext]:
    """Return the decision on ``results`` by the default thresholds, and how the run was made."""
    thresholds = load_thresholds(ROOT / "thresholds" / "default.yaml")
    frame = Frame.of(results.instances)
    specs = expand(thresholds, frame.strata)
    rules = Rules(alpha=thresholds.alpha, blocking_gates=count_blocking(specs))
    gates = decide_all(
        specs, frame, results.verdict, rules, baseline_of=lambda uid, reading: results.found[uid].baseline[reading]
    )
    document = build(
        release(specs, gates),
        gates,
        model="a-model",
        model_sha256="a" * 64,
        judge="a-judge",
        protocol=NamedDigest(name="standard", sha256="b" * 64),
        thresholds=FileDigest(file="default.yaml", sha256="c" * 64),
        datasets=[DatasetDigest(name=name, sha256="d" * 64, instances=many) for name, many in numbers.items()],
        baseline="reports/in-use",
    )
    context = RunContext(
        run_dir="reports/a-model/1",
        command="pytest suites/ --model a-model --baseline reports/in-use",
        started="2026-01-31T12:00:00Z",
        finished="2026-01-31T18:00:00Z",
        versions={"python": "3.11"},
        model="a-model",
        judge="a-judge",
        protocol="standard",
        data=tuple(DataSource(name=name, sha256="d" * 64, instances=many) for name, many in numbers.items()),
        machine="a machine",
        calls_made=4 * len(results.instances),
        calls_from_store=0,
        rationale={},
    )
    return document, context


def measure(folder: Path, numbers: dict[str, int], pictures: int) -> dict[str, Any]:
    """Write the report into ``folder``."""
    results = results_of(numbers, pictures)
    document, context = decided(results, numbers)
    begin = time.perf_counter()
    drawing = Pictures(folder / ASSETS / PICTURES)
    drawing.begin(image for instance in results.instances for image in instance.images)
    for instance in results.instances:
        for image in instance.images:
            drawing.of(image)
    drawn = time.perf_counter()
    view = report_view(document, results, context, drawing)
    write_report(folder, view, case_views(results, drawing))
    written = time.perf_counter()
    drawing.close()
    beside = [file.stat().st_size for file in (folder / ASSETS).rglob("*") if file.is_file()]
    return {
        "instances": len(results.instances),
        "images": pictures,
        "draw_s": round(drawn - begin, 2),
        "write_s": round(written - drawn, 2),
        "peak_mb": peak_mb(),
        "report_mb": round((folder / "report.html").stat().st_size / 1e6, 2),
        "assets_mb": round(sum(beside) / 1e6, 1),
        "assets": len(beside),
        "bounds": {"write_s": MAX_SECONDS, "peak_mb": MAX_MB, "report_mb": MAX_PAGE_MB},
    }


def main() -> int:
    """Read the options, measure, print; return the exit status."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--quick", action="store_true", help=f"{QUICK} instances of each set, for CI")
    options.add_argument("--keep", metavar="DIR", type=Path, help="leave the report there")
    chosen = options.parse_args()
    numbers = dict.fromkeys(INSTANCES, QUICK) if chosen.quick else INSTANCES
    pictures = 2 * sum(numbers.values()) if chosen.quick else IMAGES
    with tempfile.TemporaryDirectory() as scratch:
        folder = chosen.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        found = measure(folder, numbers, pictures)
    print(json.dumps(found, indent=2))
    return int(any(found[name] > bound for name, bound in found["bounds"].items()))


if __name__ == "__main__":
    sys.exit(main())
