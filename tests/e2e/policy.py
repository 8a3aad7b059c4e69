"""Thresholds files that tests write for themselves."""

from gate_run import Rig

#: Budgets that the planted models of these tests are clearly within.
BUDGETS = (
    "{metric: visual_hallucination_rate, max: 0.3}",
    "{metric: knowledge_hallucination_rate, max: 0.15}",
    "{metric: reasoning_hallucination_rate, max: 0.15}",
    "{metric: answer_accuracy, min: 0.7}",
    "{metric: recovery, arm: replace_vr, min: 0.0, severity: advisory}",
)


def policy(rig: Rig, *gates: str, **keys: object) -> tuple[str, str]:
    """Write a policy, by default on this very list and with early stopping; return the option that names it."""
    head = {"schema_version": 1, "target": "benchmark", "early_stop": "true", **keys}
    lines = [*(f"{key}: {value}" for key, value in head.items()), "gates:", *(f"  - {gate}" for gate in gates)]
    text = "\n".join(lines) + "\n"
    number = len(list((rig.root / "thresholds").iterdir()))
    written = rig.root / "thresholds"
    file = next((file for file in written.iterdir() if file.read_text() == text), written / f"own-{number}.yaml")
    file.write_text(text)
    return "--thresholds", f"thresholds/{file.name}"
