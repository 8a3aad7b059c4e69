"""A run's rates as the ``model-index`` of a model card: the evaluation results that the Hugging Face hub reads.

Field names: https://github.com/huggingface/hub-docs/blob/main/modelcard.md. ``verified`` is the hub's own to set.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from clinhallu_gate.errors import BadInput
from clinhallu_gate.gate.result import GateResult
from clinhallu_gate.report.decision import FILE_NAME, DatasetDigest, DecisionDocument, load
from clinhallu_gate.report.names import subject
from clinhallu_gate.report.visible import one_line
from clinhallu_gate.vocabulary import Metric, Unit

_TASK: Final = {"type": "visual-question-answering", "name": "Medical visual question answering, in three stages"}
#: The hub's identifier where it has one.
_METRIC_ID: Final[Mapping[Metric, str]] = {Metric.ANSWER_ACCURACY: "accuracy"}
_MEAN: Final = "mean"
_DIGITS: Final = 6
_COMMIT: Final = re.compile(r"[0-9a-f]{40}")
#: With a host, and in one piece, as it becomes a link.
_ADDRESS: Final = re.compile(r"https?://[^\s/?#]\S*", re.IGNORECASE)


def model_card(run: Path, *, name: str | None = None, source_url: str | None = None) -> str:
    """Return the YAML that goes between the two ``---`` of a model card.

    It holds the mean rates and those of whole data sets that gates of the run measured; no drops, which are of two
    models, and no subgroups.

    Args:
        run: Folder of the run.
        name: The model's name in the card; by default the run's.
        source_url: Where the run's evidence can be had.

    Raises:
        BadInput: The address is none, the run was not completed, ended early, is of a part of the data or rests on
            gold that nobody signed, or no gate has such a rate.
    """
    if source_url is not None and not _ADDRESS.fullmatch(source_url):
        raise BadInput(f"--source-url: {one_line(source_url)} is no address. Valid: one that begins with https://.")
    document, manifest = _whole(run)
    results = list(_results(document, manifest))
    if not results:
        raise BadInput(f"{run}: none of its gates measured a mean rate or one of a whole data set.")
    if source_url is not None:
        source = {"name": f"clinhallu-gate, run of {_text(manifest.get('started'))}", "url": source_url}
        results = [{**result, "source": source} for result in results]
    index = [{"name": name or document.model, "results": results}]
    return yaml.safe_dump({"model-index": index}, sort_keys=False, allow_unicode=True, width=120).rstrip("\n")


def _whole(run: Path) -> tuple[DecisionDocument, Mapping[str, Any]]:
    """Return a run that asked all there was."""
    if not (run / FILE_NAME).is_file():
        raise BadInput(f"{run}: is not the folder of a finished run (it has no {FILE_NAME}).")
    document, manifest = load(run / FILE_NAME), _manifest(run / "manifest.json")
    if not document.completed:
        raise BadInput(f"{run}: was not completed, so it has no rate to publish.")
    stopped = document.early_stop is not None and document.early_stop.asked < document.early_stop.of
    if stopped or any(gate.of is not None for gate in document.gates):
        raise BadInput(
            f"{run}: ended early, and the mean at a stop is no estimate to publish. Run it with --no-early-stop first."
        )
    if document.gold is not None and document.gold.unsigned:
        raise BadInput(f"{run}: {document.gold.note}, so there is no rate to publish. Have the gold signed first.")
    if manifest.get("limit") is not None:
        raise BadInput(f"{run}: was made with --limit, so its rates are of a part of the data. Run it without first.")
    return document, manifest


def _manifest(file: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise BadInput(f"{file}: cannot be read: {' '.join(str(error).split())}.") from None
    if not isinstance(found, dict):
        raise BadInput(f"{file}: is not a manifest.")
    return found


def _results(document: DecisionDocument, manifest: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for scope in (_MEAN, *(data.name for data in document.datasets)):
        metrics = [_metric(gate, document) for gate in document.gates if gate.scope == scope and _is_rate(gate)]
        if metrics:
            yield {"task": dict(_TASK), "dataset": _dataset(scope, document, manifest), "metrics": metrics}


def _is_rate(gate: GateResult) -> bool:
    """Whether it is a rate of this model on all instances of its scope."""
    return gate.estimate is not None and gate.tag is None and "max_drop" not in gate.threshold


def _metric(gate: GateResult, document: DecisionDocument) -> dict[str, Any]:
    low, high = gate.interval or (None, None)
    found = {
        "scope": gate.scope,
        "arm": str(gate.arm),
        "judge": document.judge,
        "protocol": document.protocol.name,
        "instances": gate.n,
        "without_gold": gate.without_gold or None,
        "lower_limit": _rounded(low),
        "upper_limit": _rounded(high),
        "limit_errors": list(gate.interval_levels) if gate.interval_levels else None,
    }
    return {
        "type": _METRIC_ID.get(gate.metric, str(gate.metric)),
        "name": _metric_name(gate, document.judge),
        "value": _rounded(gate.estimate),
        "args": {key: value for key, value in found.items() if value is not None},
    }


def _metric_name(gate: GateResult, judge: str) -> str:
    """Return the metric in words, with what its figure rests on."""
    words = subject(gate)
    if gate.unit is Unit.PATIENT:
        words = f"{words}, mean over patients"
    if gate.judge_defined:
        words = f"{words}, judge-defined: what {judge} says, without labels by people"
    if gate.adjusted is not None:
        words = f"{words}, adjusted by {gate.adjusted.labels} labels by people"
    if gate.without_gold:
        words = (
            f"{words}, in which {gate.without_gold:,} of {gate.n:,} instances lack gold and stand in the limits alone"
        )
    return words[:1].upper() + words[1:]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, _DIGITS)


def _dataset(scope: str, document: DecisionDocument, manifest: Mapping[str, Any]) -> dict[str, Any]:
    held = [data for data in document.datasets if scope in (_MEAN, data.name)]
    if len(held) == 1:
        return _one(held[0], _sources(manifest, held[0].name))
    names = [data.name for data in held]
    args = {"datasets": [{"name": data.name, "sha256": data.sha256, "instances": data.instances} for data in held]}
    return {"type": "+".join(names), "name": f"Unweighted mean over {', '.join(names)}", "args": args}


def _one(data: DatasetDigest, sources: Mapping[str, Any]) -> dict[str, Any]:
    """Return a data set: by its repository and commit on the hub where it came from there, else by its name."""
    left_out = {"left_out": data.left_out} if data.left_out else {}
    args = {"sha256": data.sha256, "instances": data.instances, **left_out}
    for repository, commit in sources.items():
        if isinstance(commit, str) and _COMMIT.fullmatch(commit):
            return {"type": repository, "name": data.name, "config": data.name, "revision": commit, "args": args}
    return {"type": data.name, "name": data.name, "args": args}


def _sources(manifest: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    data = manifest.get("datasets")
    for one in data if isinstance(data, list) else []:
        if isinstance(one, dict) and one.get("name") == name and isinstance(one.get("sources"), dict):
            return dict(one["sources"])
    return {}


def _text(value: object) -> str:
    return value if isinstance(value, str) and value else "an unknown time"
