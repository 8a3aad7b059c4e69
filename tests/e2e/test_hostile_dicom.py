"""Manifests and DICOM files made to do harm, with a whole run: one line each, nothing outside, and nobody shown."""

import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from canaries import Search
from gate_run import GATES, Rig
from guard import Listener
from hostile_scans import HOSTILE, ODD, write_hostile
from ward import Seen, Ward, opened

from clinhallu_gate.private import private_folder

#: What is no UID, and what a shell, a path or an address would make of it.
UIDS: Final = (
    "1.2.$(touch pwned)",
    "1.2.`touch pwned`",
    "1.2;touch pwned",
    "1.2|touch pwned",
    "1.2&&touch pwned",
    "1.2\ntouch pwned",
    "../../../pwned",
    "1.2/../../pwned",
    "1.2%2f..%2fpwned",
    "1.2?limit=1#pwned",
    "-o/tmp/pwned",
)
SOUND: Final = 12
HOSTILE_AND_ODD: Final = len(HOSTILE) + len(ODD)
#: What a command itself leaves beside a run: its output, test report, log and cache, and Python's own.
_OWN: Final = (".out", ".err", ".xml", ".log", ".md", ".pyc")


@pytest.fixture(scope="module")
def ward(rig: Rig) -> Iterator[Ward]:
    """Sound studies, and beside them a row of each kind that does harm."""
    with opened(rig, "hostile-scans", write_hostile) as ward:
        yield ward


def tree(root: Path) -> dict[str, tuple[int, int, int]]:
    """Return what lies below a folder, links not followed: mode, and of files size and when they were changed."""
    found = {}
    for path in root.rglob("*"):
        if path.suffix in _OWN or {"__pycache__", ".pytest_cache"} & set(path.parts):
            continue
        about = path.lstat()
        found[str(path.relative_to(root))] = (
            (about.st_mode, 0, 0) if stat.S_ISDIR(about.st_mode) else (about.st_mode, about.st_size, about.st_mtime_ns)
        )
    return found


def elsewhere(ward: Ward, *runs: Seen) -> dict[str, tuple[int, int, int]]:
    """Return what lies in the checkout but in the folders of these runs, without the site's key."""
    folders = [folder for run in runs for folder in (run.outcome.folder, private_folder(run.outcome.folder))]
    own = tuple(str(folder.relative_to(ward.rig.root)) for folder in folders)
    found = tree(ward.rig.root).items()
    return {
        name: about
        for name, about in found
        if not name.endswith("/site.key") and not any(name == one or name.startswith(f"{one}/") for one in own)
    }


def gated(ward: Ward, home: Path, *rest: str, data: str) -> Seen:
    """Gate a model on data, in a home of its own."""
    home.mkdir()
    junit = home.with_suffix(".xml")
    words = ward.words(*GATES, "-n", "0", *rest, junit=junit)
    words = tuple(data if word == str(ward.folder / "ward.jsonl") else word for word in words)
    outcome = ward.rig.run(*words, env={**ward.env, "HOME": str(home)})
    return Seen(outcome, junit, home / "none", home / "none", junit.with_suffix(".log"))


def lines(seen: Seen) -> list[str]:
    """Return what is said of rows."""
    _, _, said = seen.outcome.err.partition("rows cannot be used\n")
    return [line for line in said.splitlines() if line.strip()]


def test_every_hostile_row_is_one_line(ward: Ward, tmp_path: Path) -> None:
    """With file, row, field and reason, exit status 4; nothing is asked, read from outside, or written."""
    data, before = ward.folder / "hostile.jsonl", elsewhere(ward)
    seen = gated(ward, tmp_path / "home", data=str(data))
    assert seen.outcome.status == 4
    said = lines(seen)
    for number, (name, hostile) in enumerate(HOSTILE.items(), 1):
        told = [line for line in said if line.startswith(f"{data}:{number}: ")]
        assert len(told) == 1, (name, told)
        assert told[0].startswith(f"{data}:{number}: images[0]: "), (name, told)
        assert hostile.says in told[0], (name, told)
    assert elsewhere(ward, seen) == before
    assert tree(tmp_path / "home") == {}
    assert not seen.outcome.folder.exists()
    assert seen.everywhere(Search()) == {}


def test_sound_rows_are_gated_beside_hostile_ones(ward: Ward, tmp_path: Path) -> None:
    """Left out by number they are told so; new are the run's folder and its private one alone."""
    data, before = ward.folder / "both.jsonl", elsewhere(ward)
    seen = gated(ward, tmp_path / "home", "--allow-bad-rows", str(HOSTILE_AND_ODD), data=str(data))
    assert seen.outcome.status in (0, 1), seen.outcome.err
    (dataset,) = seen.outcome.manifest["datasets"]
    assert HOSTILE_AND_ODD >= len(dataset["left_out"]) >= len(HOSTILE)
    assert dataset["instances"] + len(dataset["left_out"]) == SOUND + HOSTILE_AND_ODD
    assert elsewhere(ward, seen) == before
    assert tree(tmp_path / "home") == {}
    assert seen.everywhere(Search()) == {}
    kept = private_folder(seen.outcome.folder)
    assert not [path for path in kept.rglob("*") if path.is_symlink()]


def test_a_uid_never_gets_into_a_shell_or_a_path(ward: Ward, tmp_path: Path) -> None:
    """What is no UID is one line, with no connection made and no file of that name."""
    first = json.loads((ward.folder / "ward.jsonl").read_text().splitlines()[0])
    del first["images"]
    data = tmp_path / "uids.jsonl"
    rows = [
        {**first, "id": f"{number} {first['id']}", "study_uid": "1.2.3", "series_uid": "1.2.4", name: uid}
        for number, (uid, name) in enumerate((uid, name) for uid in UIDS for name in ("study_uid", "series_uid"))
    ]
    data.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    archive, before = Listener(), elsewhere(ward)
    seen = gated(ward, tmp_path / "home", data=f"dicomweb+http://127.0.0.1:{archive.port}/dicom-web#{data}")
    archive.close()
    assert seen.outcome.status == 4
    assert archive.accepted == 0
    wanted = [f"{data}:{number}: {name}: (not shown) is no DICOM UID" for number, name in _numbered()]
    assert [line.partition(". Valid")[0] for line in lines(seen)][: len(wanted)] == wanted
    assert "pwned" not in seen.outcome.out + seen.outcome.err
    assert elsewhere(ward, seen) == before
    assert not [path for place in (tmp_path, ward.rig.root, Path("/tmp")) for path in place.glob("*pwned*")]  # noqa: S108
    assert seen.everywhere(Search()) == {}


def _numbered() -> Iterator[tuple[int, str]]:
    for number in range(len(UIDS)):
        yield 2 * number + 1, "study_uid"
        yield 2 * number + 2, "series_uid"
