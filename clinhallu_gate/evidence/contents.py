"""What belongs to the evidence of a run, and what the files that speak of it say."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from clinhallu_gate.errors import GateError
from clinhallu_gate.report.decision import FILE_NAME, DecisionDocument
from clinhallu_gate.report.files import NAMED, holds_texts, policy_name, told_digests

DECISION: Final = FILE_NAME
MANIFEST: Final = "manifest.json"
#: Files that a run leaves; the server's log and the store are none of them.
FILES: Final = (DECISION, MANIFEST, *NAMED)
#: Of which these lie elsewhere, in the private folder, for patients and for redacted runs; they are not packed then.
KEPT_APART: Final = ("traces.parquet", "instances.jsonl")
SUMS: Final = "SHA256SUMS"
STATEMENT: Final = "statement.json"
#: Bytes of a file that is read as a whole.
LARGEST_TEXT: Final = 64 << 20


class Unreadable(GateError):
    """A file of the evidence is not what its name says; the message begins with the name."""


@dataclass(frozen=True, slots=True)
class Told:
    """A run by its own words."""

    decision: DecisionDocument
    manifest: Mapping[str, Any]


def files_of(manifest: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the files that a run with this manifest leaves in its folder."""
    return tuple(name for name in FILES if not (is_apart(manifest) and name in KEPT_APART))


def is_apart(manifest: Mapping[str, Any]) -> bool:
    """Whether the run's texts lie apart."""
    return manifest.get("patient_data") is True or not holds_texts(manifest)


def told(decision: bytes, manifest: bytes) -> Told:
    """Read both. Raises ``Unreadable`` if one is not what it should be."""
    try:
        document = DecisionDocument.model_validate_json(decision)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise Unreadable(f"{DECISION}: cannot be read: {key}: {first['msg']}") from None
    return Told(document, read_json(MANIFEST, manifest))


def read_json(name: str, content: bytes) -> Mapping[str, Any]:
    """Return a JSON object. Raises ``Unreadable`` for anything else."""
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"{name}: is not JSON: {' '.join(str(error).split())}") from None
    if not isinstance(found, dict):
        raise Unreadable(f"{name}: is not a JSON object")
    return found


def disagreements(run: Told, digests: Mapping[str, str]) -> Iterator[str]:
    """Yield where decision, manifest, thresholds file and the run's other files are not of the same run.

    Args:
        run: What decision and manifest say.
        digests: SHA-256 of every file, by the name under which it is packed.
    """
    decision, manifest = run.decision, run.manifest
    policy = policy_name(decision.thresholds.file)
    yield from _differs(policy, "SHA-256", digests.get(policy), decision.thresholds.sha256)
    yield from _other_files(manifest.get("files"), told_digests(digests))
    yield from _differs(
        MANIFEST, "thresholds.sha256", _at(manifest, "thresholds", "sha256"), decision.thresholds.sha256
    )
    yield from _differs(MANIFEST, "protocol.sha256", _at(manifest, "protocol", "sha256"), decision.protocol.sha256)
    if decision.model_sha256 is not None:  # not every endpoint says what it serves
        yield from _differs(MANIFEST, "model.digest", _at(manifest, "model", "digest"), decision.model_sha256)
    if decision.judge_sha256 is not None:
        judge = _at(manifest, "judge", "model", "digest")
        yield from _differs(MANIFEST, "judge.model.digest", judge, decision.judge_sha256)
    data = manifest.get("datasets")
    found = [_at(one, "sha256") for one in data] if isinstance(data, list) else None
    yield from _differs(MANIFEST, "datasets.sha256", found, [one.sha256 for one in decision.datasets])


def _other_files(left: object, found: Mapping[str, str]) -> Iterator[str]:
    """Yield the files that are not those which the run left, as its manifest names them."""
    if not isinstance(left, dict):
        yield f"{MANIFEST}: files: does not say which files the run left"
        return
    for name in sorted(left.keys() | found.keys()):
        if left.get(name) != found.get(name):
            yield (
                f"{name}: SHA-256: {found.get(name, 'no such file')} found, {left.get(name, 'no such file')} expected, "
                f"as {MANIFEST} says"
            )


def _at(content: object, *keys: str) -> object:
    for key in keys:
        content = content.get(key) if isinstance(content, dict) else None
    return content


def _differs(file: str, what: str, found: object, decided: object) -> Iterator[str]:
    if found != decided:
        yield f"{file}: {what}: {found} found, {decided} expected, as {DECISION} says"


def sha256(chunks: Iterable[bytes]) -> str:
    """Return the SHA-256 of a content."""
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()
