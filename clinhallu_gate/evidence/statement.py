"""The in-toto Statement (v1) of an evaluation, and the list of digests.

Names are those of the specifications: ``subject``, ``predicateType`` and ``digest`` of in-toto's attestation framework,
``buildDefinition`` with ``resolvedDependencies`` and ``runDetails`` of SLSA's provenance v1. Everything in it follows
from the packed files, so whoever has these can make it again. It is not signed.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from clinhallu_gate.evidence.contents import Told, Unreadable
from clinhallu_gate.vocabulary import Decision

STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
#: A change of what is said under it needs a new number: older evidence is made again to be verified.
PREDICATE_TYPE: Final = "urn:clinhallu-gate:evaluation:v1"
_LINE: Final = re.compile(r"([0-9a-f]{64})  (.+)")
_IDENTITY: Final = ("source", "revision", "weights_sha256", "vllm", "dtype")


def statement(run: Told, digests: Mapping[str, str]) -> dict[str, Any]:
    """Return what is said of a run whose files have these SHA-256 digests."""
    return {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": name, "digest": {"sha256": digest}} for name, digest in sorted(digests.items())],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "evaluation": _evaluation(run),
            "buildDefinition": {
                "externalParameters": {"command": run.manifest.get("command")},
                "resolvedDependencies": list(_materials(run)),
            },
            "runDetails": {
                "builder": {"version": run.manifest.get("versions")},
                "metadata": {
                    "startedOn": run.manifest.get("started"),
                    "finishedOn": run.manifest.get("finished"),
                },
            },
        },
    }


def statement_bytes(content: Mapping[str, Any]) -> bytes:
    """Return the file."""
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()


def _evaluation(run: Told) -> dict[str, Any]:
    decided = run.decision
    return {
        "decision": _word(decided.decision),
        "exitStatus": decided.exit_status,
        "model": {"name": decided.model, "sha256": decided.model_sha256},
        "judge": {"name": decided.judge, "sha256": decided.judge_sha256},
        "protocol": decided.protocol.model_dump(),
        "thresholds": decided.thresholds.model_dump(),
        "datasets": [
            {"name": one.name, "sha256": one.sha256, "instances": one.instances, "leftOut": one.left_out}
            for one in decided.datasets
        ],
        "baseline": decided.baseline,
        "gates": [
            {"id": gate.id, "severity": str(gate.severity), "decision": _word(gate.decision)} for gate in decided.gates
        ],
    }


def _word(decision: Decision | None) -> str | None:
    return None if decision is None else str(decision)


def _materials(run: Told) -> Iterator[dict[str, Any]]:
    """Yield what the evaluation rests on; an oracle or a mere endpoint has no digest and is named with the decision."""
    decided, manifest = run.decision, run.manifest
    if decided.model_sha256 is not None:
        yield _material("model", decided.model, decided.model_sha256, _identity(manifest.get("model")))
    if decided.judge_sha256 is not None:
        judge = manifest.get("judge")
        identity = judge.get("model") if isinstance(judge, dict) else None
        yield _material("judge", decided.judge, decided.judge_sha256, _identity(identity))
    yield _material("protocol", decided.protocol.name, decided.protocol.sha256)
    yield _material("thresholds", decided.thresholds.file, decided.thresholds.sha256)
    for data in decided.datasets:
        yield _material("dataset", data.name, data.sha256, {"instances": data.instances})


def _material(kind: str, name: str, digest: str, annotations: Mapping[str, Any] | None = None) -> dict[str, Any]:
    said = {"annotations": dict(annotations)} if annotations else {}
    return {"name": f"{kind}:{name}", "digest": {"sha256": digest}, **said}


def _identity(content: object) -> dict[str, Any]:
    """Return the fields of a model's identity that a reader asks for; its digest is over all of them."""
    found = content if isinstance(content, dict) else {}
    return {name: found[name] for name in _IDENTITY if found.get(name) is not None}


# --- the list of digests ----------------------------------------------------------------------------------------------


def sums(digests: Mapping[str, str]) -> bytes:
    """Return the list, as ``sha256sum -c`` reads it."""
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items())).encode()


def read_sums(name: str, content: bytes) -> dict[str, str]:
    """Return the digests by name. Raises ``Unreadable`` for what is no such list."""
    found = dict[str, str]()
    for number, line in enumerate(content.decode("utf-8", "replace").split("\n")[:-1], start=1):
        match = _LINE.fullmatch(line)
        if match is None or match[2] in found:
            raise Unreadable(f"{name}: line {number} is no digest and name of a file, or names one again")
        found[match[2]] = match[1]
    return found


def differences(found: object, expected: object, path: str = "") -> Iterator[str]:
    """Yield where two JSON values differ: ``predicate.evaluation.decision: 'PASS' found, 'FAIL' expected``."""
    if isinstance(found, dict) and isinstance(expected, dict):
        for key in dict.fromkeys([*expected, *found]):
            yield from differences(found.get(key), expected.get(key), f"{path}.{key}".lstrip("."))
    elif isinstance(found, list) and isinstance(expected, list) and len(found) == len(expected):
        for place, (one, other) in enumerate(zip(found, expected, strict=True)):
            yield from differences(one, other, f"{path}[{place}]")
    elif found != expected:
        yield f"{path}: {found!r} found, {expected!r} expected"
