"""Measures how long it takes to look at DICOM files before they are used: headers, the whole profile, and OCR, apart.

Writes copies of pydicom's small CT slice (39 kB) with identities of their own, and looks at them as the gate does: at
10,000 headers, at 1,000 files in full (the first time, and again from what was kept), and at 20 ultrasound images by
OCR (640x480, three times as large for tesseract). De-identified copies of 1,000 are timed, too.

Prints JSON: seconds of each, and processor time of the headers, which other work on the machine disturbs less.
Exit status 1 if a bound is missed.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

MAX_HEADERS_S: Final = 60.0
"""Per 10,000 small files."""
HEADERS, FULL, OCR = 10_000, 1_000, 20
_QUICK: Final = 50
"""How many times fewer in the quick mode; OCR of two images."""


def write(folder: Path, number: int) -> list[Path]:
    """Write so many small files, each of an instance of its own."""
    from pydicom import dcmread  # noqa: PLC0415 - not part of what is measured

    elements = dcmread(_own("CT_small.dcm"))
    folder.mkdir()
    files = []
    for place in range(number):
        elements.PatientID = f"P{place // 10:05}"
        elements.SOPInstanceUID = f"2.25.{10**20 + place}"
        files.append(folder / f"{place:05}.dcm")
        elements.save_as(files[-1])
    return files


def _own(name: str) -> str:
    from pydicom.data import get_testdata_file  # noqa: PLC0415 - as above

    return str(get_testdata_file(name, download=False))


def _timed(what: Callable[[], Any]) -> float:
    began = time.perf_counter()
    what()
    return round(time.perf_counter() - began, 2)


def main() -> int:
    """Measure, print, and compare with the bound."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer files")
    share = _QUICK if parser.parse_args().quick else 1
    with tempfile.TemporaryDirectory() as folder:
        measured = _measured(Path(folder), share)
    measured["headers_s_per_10000"] = round(measured["headers_s"] * 10_000 / measured["headers_files"], 1)
    sys.stdout.write(json.dumps(measured, indent=2) + "\n")
    return int(measured["headers_s_per_10000"] > MAX_HEADERS_S)


def _measured(folder: Path, share: int) -> dict[str, Any]:
    files = write(folder / "files", HEADERS // share)
    few, kept = files[: FULL // share], folder / "kept"
    (folder / "few").mkdir()
    for path in few:
        (folder / "few" / path.name).write_bytes(path.read_bytes())

    from clinhallu_gate.deidentification.deidentify import deidentify  # noqa: PLC0415 - after what is not measured
    from clinhallu_gate.deidentification.findings import Depth  # noqa: PLC0415 - as above
    from clinhallu_gate.deidentification.preflight import preflight  # noqa: PLC0415 - as above

    began = time.process_time()
    headers_s = _timed(lambda: preflight(files))
    headers_cpu_s = round(time.process_time() - began, 2)
    texts = max(2, OCR // share)
    images = _images(folder / "images", texts)
    return {
        "headers_files": len(files),
        "headers_s": headers_s,
        "headers_cpu_s": headers_cpu_s,
        "full_files": len(few),
        "full_s": _timed(lambda: preflight(few, depth=Depth.FULL, kept=kept)),
        "full_again_s": _timed(lambda: preflight(few, depth=Depth.FULL, kept=kept)),
        "ocr_images": texts,
        "ocr_s": _timed(lambda: preflight(images, depth=Depth.OCR, kept=kept)),
        "ocr_again_s": _timed(lambda: preflight(images, depth=Depth.OCR, kept=kept)),
        "deidentified_files": len(few),
        "deidentify_s": _timed(lambda: deidentify(folder / "few", folder / "out", key=b"of this benchmark alone" * 2)),
    }


def _images(folder: Path, number: int) -> list[Path]:
    """Write ultrasound images that differ, so that none is known from another."""
    from pydicom import dcmread  # noqa: PLC0415 - as above

    folder.mkdir()
    elements = dcmread(_own("examples_palette.dcm"))
    for place in range(number):
        elements.PatientID = str(place)
        elements.save_as(folder / f"{place}.dcm")
    return sorted(folder.iterdir())


if __name__ == "__main__":
    sys.exit(main())
