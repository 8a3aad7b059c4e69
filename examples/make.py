"""Write the examples anew: a few phantoms as PNG files, as DICOM files, and as rows that name what a server holds.

python examples/make.py [FOLDER]
"""

import csv
import io
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from clinhallu_gate._scripted.phantom_dicom import (
    PhantomStudy,
    file_rows,
    phantom_studies,
    png_rows,
    uid_rows,
    write_files,
    write_pngs,
)

#: 12 bits of which 0 is white, deflated; 16 bits, and a series of palettes, as run lengths; a photograph in JPEG 2000.
CHOSEN: Final = ("radiograph-002", "ct-003", "ultrasound-003", "histology-005")


def main(folder: Path) -> None:
    """Write all three examples below ``folder``."""
    studies = [study for study in phantom_studies() if study.name in CHOSEN]
    write_pngs(folder / "manifest", studies)
    write_files(folder / "dicom", studies)
    for name, rows in manifests(studies).items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / name / "manifest.csv").write_text(rows, "utf-8", newline="")


def manifests(studies: Sequence[PhantomStudy]) -> dict[str, str]:
    """Return the manifest of each example."""
    rows = {"manifest": png_rows(studies), "dicom": file_rows(studies), "dicomweb": uid_rows(studies)}
    return {name: _csv(each) for name, each in rows.items()}


def _csv(rows: Sequence[Mapping[str, Any]]) -> str:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    table = csv.DictWriter(text, columns, lineterminator="\n")
    table.writeheader()
    for row in rows:
        table.writerow({name: json.dumps(value) if isinstance(value, list) else value for name, value in row.items()})
    return text.getvalue()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
