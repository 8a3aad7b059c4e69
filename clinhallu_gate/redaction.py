"""Results without the words and pixels of the data: what those may see who may not see patients."""

from dataclasses import replace
from typing import Final

from clinhallu_gate.records import GoldTrace, Instance, bare_verdict
from clinhallu_gate.results import Found, Results

_NO_GOLD: Final = GoldTrace()


def redacted(results: Results) -> Results:
    """Return the same verdicts, counts and costs of the same instances, without a single text or image.

    What is left of a verdict is its outcome or the name of its reason: a judge may quote the model, the model its
    prompt, and an endpoint's fault the request. Names (ids, clusters, strata, tags) stay: those of patients were
    replaced when the data were loaded.
    """
    bare = Results([bare_instance(instance) for instance in results.instances], results.shelf)
    for uid, found in results.found.items():
        bare.found[uid] = _bare(found)
        bare.put_away(uid)
    bare.retest = results.retest
    return bare


def bare_instance(instance: Instance) -> Instance:
    """Return an instance of which only names, type and place are told."""
    return replace(
        instance, images=(), question="", options=(), answer="", answer_letter=None, facts=None, gold=_NO_GOLD
    )


def _bare(found: Found) -> Found:
    return Found(
        verdicts=dict(found.bare_verdicts),
        costs=found.costs,
        traces={arm: replace(record, reply="", given={}, why="") for arm, record in found.traces.items()},
        paper={reading: replace(mark, reason="") for reading, mark in found.paper.items()},
        no_row=found.no_row,
        baseline={reading: bare_verdict(verdict) for reading, verdict in found.baseline.items()},
    )
