"""Measures how long it takes to read and check the headers of 10,000 small DICOM files, and to draw what rows ask for.

Writes the files (CT slices of 64 x 64 pixels with the header of a hospital's) twice: as 100 series of 100 slices, of
which a row is shown five, and as 10,000 single images with a row each. Each is loaded in a process of its own, twice:
the second time every drawing is known. ``headers`` are read and checked without drawing.

Prints JSON: seconds, peak memory in MB, and what was found. Exit status 1 if reading and checking misses its bound.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

from load import peak_mb, run_apart

MAX_SECONDS: Final = 60.0
"""For the headers of ``FILES`` files, read and checked."""
FILES: Final = 10_000
QUICK: Final = 200
QUICK_SECONDS: Final = 6.0
"""Half a second of it would be the share of so few files; the rest is for imports on a busy machine."""
_SLICES: Final = 100
_SIDE: Final = 64
ROW: Final = {"question": "Is there a fracture?", "answer": "no", "question_type": "yes_no"}


def write(folder: Path, layout: str, files: int) -> None:
    """Write a manifest and its files."""
    rows = []
    for number in range(files):
        series, place = divmod(number, _SLICES)
        name = f"{series}/{place}.dcm"
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        _slice(series if layout == "series" else number, place).save_as(path, enforce_file_format=True)
        if layout == "single":
            rows.append({**ROW, "id": f"{number}", "images": [name]})
        elif place == 0:
            rows.append({**ROW, "id": f"{series}", "images": [f"{series}"]})
    (folder / "manifest.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))


@cache
def _template() -> Any:  # noqa: ANN401 - pydicom is imported when it is needed
    from pydicom.data import get_testdata_file  # noqa: PLC0415 - not part of what is measured

    return get_testdata_file("CT_small.dcm", read=True)


def _slice(patient: int, place: int) -> Any:  # noqa: ANN401 - as above
    """Return a slice with pixels of its own."""
    import numpy as np  # noqa: PLC0415 - as above
    from pydicom.uid import generate_uid  # noqa: PLC0415 - as above

    made = _template()
    made.PatientID, made.PatientName, made.AccessionNumber = f"P{patient}", f"Doe{patient}^Jane", f"A{patient}"
    made.StudyInstanceUID = generate_uid(entropy_srcs=["study", f"{patient}"])
    made.SeriesInstanceUID = generate_uid(entropy_srcs=["series", f"{patient}"])
    made.SOPInstanceUID = generate_uid(entropy_srcs=["slice", f"{patient}", f"{place}"])
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    made.InstanceNumber = place + 1
    made.ImagePositionPatient = [0, 0, 2.5 * place]
    made.Rows = made.Columns = _SIDE
    pixels = np.random.default_rng([patient, place]).integers(0, 2000, (_SIDE, _SIDE), np.int16)
    made.PixelData = pixels.tobytes()
    return made


def headers(folder: Path) -> dict[str, Any]:
    """Read and check all headers, as a load does before it draws; return what it took and what was found."""
    begin = time.perf_counter()
    from clinhallu_gate.datasets.check import manifest_row  # noqa: PLC0415 - imports are measured
    from clinhallu_gate.datasets.dicom.planning import Reader  # noqa: PLC0415 - as above
    from clinhallu_gate.datasets.dicom.quiet import quiet  # noqa: PLC0415 - as above
    from clinhallu_gate.datasets.entries import kind_of  # noqa: PLC0415 - as above
    from clinhallu_gate.datasets.reading import read_jsonl  # noqa: PLC0415 - as above

    rows = [manifest_row(raw.content) for raw in read_jsonl(folder / "manifest.jsonl")]
    kinds = {name: kind for row in rows for name in row.images if (kind := kind_of(folder / name))}
    reader = Reader(folder.resolve(), kinds, 5)
    with quiet():
        frames = sum(len([*reader.plan(row).shots]) for row in rows)
    return {**_took(begin), "files": len(reader.known), "to_draw": frames}


def load(folder: Path) -> dict[str, Any]:
    """Load everything, drawings too."""
    begin = time.perf_counter()
    from clinhallu_gate.datasets.load import DataOptions, load_data  # noqa: PLC0415 - imports are measured

    (dataset,) = load_data([str(folder)], DataOptions(cache=folder / "cache", private_cache=folder / "private"))
    return {
        **_took(begin),
        "files": len(dataset.files),
        "drawn": len(dataset.drawn),
        "identifiers": len(dataset.identifiers),
        "patients": len({instance.cluster for instance in dataset.instances}),
    }


def _took(begin: float) -> dict[str, float]:
    return {
        "seconds": round(time.perf_counter() - begin, 2),
        "cpu_s": round(time.process_time(), 2),
        "peak_mb": peak_mb(),
    }


def measure(files: int) -> dict[str, Any]:
    """Write and load both layouts."""
    found = dict(_layouts(files))
    return {
        "files": files,
        **found,
        "worst": max(each["headers"]["seconds"] for each in found.values()),
        "bound": MAX_SECONDS if files >= FILES else QUICK_SECONDS,
    }


def _layouts(files: int) -> Iterator[tuple[str, dict[str, Any]]]:
    for layout in ("series", "single"):
        with tempfile.TemporaryDirectory() as scratch:
            key = str(Path(scratch, "site.key"))
            run_apart(__file__, "--write", scratch, layout, str(files))
            yield (
                layout,
                {
                    "headers": run_apart(__file__, "--headers", scratch),
                    "first": run_apart(__file__, "--load", scratch, CLINHALLU_GATE_SITE_KEY=key),
                    "second": run_apart(__file__, "--load", scratch, CLINHALLU_GATE_SITE_KEY=key),
                },
            )


def main() -> int:
    """Read the options, measure, print; return the exit status."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--quick", action="store_true", help=f"{QUICK} files, for CI")
    options.add_argument("--write", nargs=3, metavar=("DIR", "LAYOUT", "FILES"), help=argparse.SUPPRESS)
    options.add_argument("--headers", metavar="DIR", type=Path, help=argparse.SUPPRESS)
    options.add_argument("--load", metavar="DIR", type=Path, help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.write:
        write(Path(chosen.write[0]), chosen.write[1], int(chosen.write[2]))
        return 0
    if chosen.headers or chosen.load:
        print(json.dumps(headers(chosen.headers) if chosen.headers else load(chosen.load)))
        return 0
    found = measure(QUICK if chosen.quick else FILES)
    print(json.dumps(found, indent=2))
    return int(found["worst"] > found["bound"])


if __name__ == "__main__":
    sys.exit(main())
