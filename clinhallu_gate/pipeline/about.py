"""Who made what a run is about: the model, the judge, and whoever wrote the gold."""

from clinhallu_gate.pipeline.prepared import Prepared
from clinhallu_gate.tree.evidence import About, about_tree


def about_of(prepared: Prepared) -> About:
    """Return it; of a result tree as the tree says."""
    if prepared.recorded is not None:
        return about_tree(prepared.recorded.tree)
    authors = {dataset.name: dataset.gold_model for dataset in prepared.datasets if dataset.gold_model}
    return About(model=prepared.entry.name, judge=prepared.judge, gold_models=authors)
