"""The files of a run folder: what they are digested to, and whether they show texts of the data."""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, Final

from clinhallu_gate.report.pictures import ASSETS
from clinhallu_gate.vocabulary import Detail

#: Beside the manifest, which names them, and the decision, which is written last.
NAMED: Final = ("results.parquet", "traces.parquet", "instances.jsonl", "report.html", "summary.md")
#: What a full report shows texts and images in.
_FULL: Final = ("report.html", "results.parquet", ASSETS)


def policy_name(file: str) -> str:
    """Return what a thresholds file is called among the files of a run that it decided: evidence packs it so."""
    return f"thresholds/{PurePosixPath(file).name}"


def file_digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file of a run that lies in its folder; ``report_assets/`` has one for all it holds."""
    return told_digests({file.relative_to(folder).as_posix(): _sha256(file) for file in _files(folder)})


def told_digests(digests: Mapping[str, str]) -> dict[str, str]:
    """Return the same of files whose digests are known, by name; of others nothing."""
    found = {name: digests[name] for name in NAMED if name in digests}
    beside = sorted(name for name in digests if name.startswith(f"{ASSETS}/"))
    if beside:
        lines = "".join(f"{digests[name]}  {name}\n" for name in beside)
        found[ASSETS] = hashlib.sha256(lines.encode("utf-8", "surrogateescape")).hexdigest()
    return found


def _files(folder: Path) -> Iterator[Path]:
    yield from (folder / name for name in NAMED if (folder / name).is_file())
    yield from (file for file in (folder / ASSETS).rglob("*") if file.is_file())


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def shows_texts(name: str, detail: Detail) -> bool:
    """Whether a file of a run with that detail shows texts of the data, so that it is not to be shared."""
    return detail is Detail.FULL and name.partition("/")[0] in _FULL


def holds_texts(manifest: Mapping[str, Any]) -> bool:
    """Whether files in the folder of a run with this manifest show texts of the data."""
    return bool(manifest.get("report_detail", Detail.FULL) == Detail.FULL)
