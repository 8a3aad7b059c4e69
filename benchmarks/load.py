"""Measures how long it takes to load, check and plan as many instances as the benchmark has, and in how much memory.

Writes 7,031 synthetic rows with small images (10 to 30 kB, several questions on each, MedFrameQA with two to five per
question) in the released formats: the folders of the benchmark's own code, and a copy of the hub's repositories with
the images inside Parquet and ZIP. Each is loaded in a process of its own, twice: the first time every image is decoded,
the second time the cache knows that it was.

Prints JSON: seconds from the start of the process's own work (imports included), processor time (which other work on
the machine disturbs less), peak memory in MB, and what was found.
Exit status 1 if a bound is missed.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path
from typing import Any, Final

MAX_SECONDS: Final = 20.0
MAX_MB: Final = 1000.0
#: In proportion to the source sets' test splits, as the released numbers per set are not known here.
INSTANCES: Final = {"vqa-rad": 261, "pathvqa": 3_943, "medframeqa": 1_663, "medxpertqa": 1_164}
QUICK: Final = 30
"""Instances of each set in the quick mode."""
_PER_STUDY: Final = 3
_STUDIES: Final = 8
"""Drawn per stratum; drawing thousands would take minutes and change no figure."""
ROOT: Final = Path(__file__).parents[1]


def write(folder: Path, layout: str, numbers: dict[str, int]) -> None:
    """Write the released formats, in a process of its own (it holds all images while it writes)."""
    from clinhallu_gate._scripted.released import write_released  # noqa: PLC0415 - not part of what is measured

    for dataset, number in numbers.items():
        write_released(folder, dataset, list(islice(_instances(dataset), number)), layout=layout)  # type: ignore[arg-type]


def _instances(dataset: str) -> Iterator[Any]:
    """Yield instances of the set's form without end; each study has images of its own, with bytes of their own."""
    from clinhallu_gate._scripted.released import suits  # noqa: PLC0415 - as above
    from clinhallu_gate.datasets.phantom.generate import phantom_instances  # noqa: PLC0415 - as above
    from clinhallu_gate.records import Image  # noqa: PLC0415 - as above

    form = "medxpertqa" if dataset == "medframeqa" else dataset
    usable = [instance for instance in phantom_instances(studies=_STUDIES) if suits(form, instance)]
    pictures = cycle(image.read() for instance in usable for image in instance.images)
    images: tuple[Image, ...] = ()
    for place, instance in enumerate(cycle(usable)):
        if place % _PER_STUDY == 0:
            fewest = 2 if dataset == "medframeqa" else 1
            number = fewest + place // _PER_STUDY % 4 if dataset == "medframeqa" else 1
            # PNG readers ignore what follows the end of the picture.
            images = tuple(Image.from_bytes(next(pictures) + f"{dataset} {place} {i}".encode()) for i in range(number))
            cluster = f"{dataset}/{place}"
        question = f"{instance.question} (case {place})"
        yield replace(instance, question=question, images=images, cluster=cluster, facts=None)


def load(folder: Path) -> dict[str, Any]:
    """Load, check and plan what ``folder`` holds, as a run would; return what it took and what was found."""
    begin = time.perf_counter()
    from clinhallu_gate.config.thresholds import expand, load_thresholds  # noqa: PLC0415 - imports are measured
    from clinhallu_gate.datasets.load import DataOptions, load_data  # noqa: PLC0415 - as above
    from clinhallu_gate.gate.frame import Frame  # noqa: PLC0415 - as above
    from clinhallu_gate.pipeline.plan import make_plan  # noqa: PLC0415 - as above
    from clinhallu_gate.protocol.load import load_protocol  # noqa: PLC0415 - as above

    datasets = load_data(["clinhallu"], DataOptions(data_root=folder, cache=folder / "cache"))
    instances = [instance for dataset in datasets for instance in dataset.instances]
    frame = Frame.of(instances)
    gates = expand(load_thresholds(ROOT / "thresholds" / "default.yaml"), frame.strata)
    protocol = load_protocol("standard")
    traces = make_plan(protocol, frame, gates, []).traces(protocol)
    return {
        "seconds": round(time.perf_counter() - begin, 2),
        "cpu_s": round(time.process_time(), 2),
        "peak_mb": peak_mb(),
        "instances": len(instances),
        "images": len({image.sha256 for instance in instances for image in instance.images}),
        "traces": traces,
        "sha256": {dataset.name: dataset.sha256 for dataset in datasets},
    }


def peak_mb() -> float:
    """Return the most memory that this process held, in MB (its own program's, without that of who started it)."""
    status = Path("/proc/self/status").read_text("ascii", "replace")
    kib = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    return round(int(kib) * 1024 / 1e6, 1)


def run_apart(script: str, *arguments: str, **variables: str) -> dict[str, Any]:
    """Run a script in a process of its own; return the JSON that it printed, if any."""
    command, env = [sys.executable, script, *arguments], {**os.environ, **variables}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    found: dict[str, Any] = json.loads(done.stdout or "{}")
    return found


def measure(numbers: dict[str, int]) -> dict[str, Any]:
    """Write and load both layouts."""
    found: dict[str, Any] = {}
    for layout in ("results", "copy"):
        with tempfile.TemporaryDirectory() as scratch:
            run_apart(__file__, "--write", scratch, layout, json.dumps(numbers))
            found[layout] = {
                "first": run_apart(__file__, "--load", scratch),
                "second": run_apart(__file__, "--load", scratch),
            }
    loads = [once for both in found.values() for once in both.values()]
    digests = [once.pop("sha256") for once in loads]
    assert all(digest == digests[0] for digest in digests), "the same data have one digest"
    return {
        "instances": loads[0]["instances"],
        **found,
        "worst": {"seconds": max(it["seconds"] for it in loads), "peak_mb": max(it["peak_mb"] for it in loads)},
        "bounds": {"seconds": MAX_SECONDS, "peak_mb": MAX_MB},
    }


def main() -> int:
    """Read the options, measure, print; return the exit status."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--quick", action="store_true", help=f"{QUICK} instances of each set, for CI")
    options.add_argument("--write", nargs=3, metavar=("DIR", "LAYOUT", "NUMBERS"), help=argparse.SUPPRESS)
    options.add_argument("--load", metavar="DIR", type=Path, help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.write:
        write(Path(chosen.write[0]), chosen.write[1], json.loads(chosen.write[2]))
        return 0
    if chosen.load:
        print(json.dumps(load(chosen.load)))
        return 0
    found = measure(dict.fromkeys(INSTANCES, QUICK) if chosen.quick else INSTANCES)
    print(json.dumps(found, indent=2))
    return int(found["worst"]["seconds"] > MAX_SECONDS or found["worst"]["peak_mb"] > MAX_MB)


if __name__ == "__main__":
    sys.exit(main())
