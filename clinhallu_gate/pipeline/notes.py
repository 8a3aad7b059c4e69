"""What limits what a run says, and what was done on purpose: the sentences above its figures."""

from collections.abc import Iterator, Mapping
from typing import Final

from clinhallu_gate.deidentification.wording import preflight_note
from clinhallu_gate.egress import host_of, is_here
from clinhallu_gate.judge.families import same_family
from clinhallu_gate.judge.review import NoSample, ReviewSample
from clinhallu_gate.pipeline.about import about_of
from clinhallu_gate.pipeline.asked import Asked
from clinhallu_gate.pipeline.flips import FLIPS_FILE, count_flips, has_flips
from clinhallu_gate.pipeline.gold_use import notes_on_gold
from clinhallu_gate.pipeline.prepared import Prepared
from clinhallu_gate.pipeline.run import Run
from clinhallu_gate.report.figures import plural
from clinhallu_gate.report.gold import without_gold
from clinhallu_gate.vocabulary import Detail, Target

#: Rows that were left out are named up to this number.
_NAMED: Final = 10


def notes_of(run: Run) -> tuple[str, ...]:
    """Return the notes, in the order in which people are shown them."""
    prepared = run.prepared
    return (
        *_on_gold(run),
        *_on_stop(run),
        *_on_labels(run),
        *_on_flips(run),
        *_on_options(prepared),
        *_on_target(prepared),
        *_on_detail(prepared),
        *_on_hosts(prepared),
        *_on_selection(prepared),
        *_on_rows(prepared),
        *_on_judge(prepared),
    )


def searches_of(run: Run) -> Mapping[str, str]:
    """Return what was looked for in patients' files and in what the run leaves, by the name of the search."""
    found: dict[str, str] = {}
    if run.prepared.preflight is not None:
        found["preflight"] = preflight_note(run.prepared.preflight)
    if run.known is not None:
        found["known-value scan"] = f"{run.known.nothing_found.note}; a hit would have left no decision"
    return found


def _on_gold(run: Run) -> Iterator[str]:
    """Say what could not be gated for want of gold, and whose word the rest is."""
    yield from without_gold(run.prepared.instances, run.gates, run.prepared.protocol.arms)
    yield from notes_on_gold(run.prepared)


def _on_stop(run: Run) -> Iterator[str]:
    stopped = run.stopped
    if stopped is None:
        return
    yield from _on_seed(run)
    asked = f"early stopping: {stopped.asked:,} of {stopped.of:,} instances were asked, in a random order that follows"
    seed = f"from data and weights ({stopped.seed[:12]})"
    if run.skipped:
        yield f"{asked} {seed}; the mean at a stop is no estimate, so none is shown"
    elif not run.failure:
        yield f"{asked} {seed}; nothing was left out{_why_no_sooner(run)}"


def _on_seed(run: Run) -> Iterator[str]:
    if run.prepared.endpoints:
        yield "the order of an endpoint's run rests on the name and the revision that were given, not on its weights"


def _why_no_sooner(run: Run) -> str:
    """Say if gates could only be decided at the end."""
    watches = run.stopping.watches if run.stopping else ()
    if not any(watch.spec.blocking and watch.spec.max_events is None and not watch.stops for watch in watches):
        return ""
    return (
        "; gates that speak of patients like these are decided at the end where instances share an image or a patient, "
        "sooner with unit: patient if each patient lies in one stratum"
    )


def _on_labels(run: Run) -> Iterator[str]:
    """Say of which rates labels are a random sample, and why they adjust no other."""
    samples = [found for found in run.reviews.values() if isinstance(found, ReviewSample)]
    if samples:
        blank, parts = sum(found.blank for found in samples), sum(len(found.bad) for found in samples)
        either = f" ({blank} blank, counted either way)" if blank else ""
        yield f"--labels: {parts} parts of a random sample{either} stand behind the rates"
    lacking = {found.reason for found in run.reviews.values() if isinstance(found, NoSample)}
    yield from (f"--labels adjust no rate, they tell of agreement alone: {reason}" for reason in sorted(lacking))


def _on_flips(run: Run) -> Iterator[str]:
    """Say where a clinician finds the patients of whom something changed."""
    if has_flips(run):
        where = run.prepared.options.short(run.prepared.kept_dir / FLIPS_FILE)
        count = plural(count_flips(run), "verdict")
        yield f"{count} changed against the release in use: {where} lists them with the site's own ids and both texts"


def _on_options(prepared: Prepared) -> Iterator[str]:
    """Say which options make of the run something else than a whole one."""
    options = prepared.options
    everything = sum(len(dataset.instances) for dataset in prepared.datasets)
    found = {
        f"--limit {options.limit}: {len(prepared.instances)} of {everything} instances": options.limit is not None,
        "--no-decision: an exploratory run, no gate decides": options.no_decision,
        "--fresh: every reply was asked for anew": options.fresh,
        f"--repeats {options.repeats} at temperature 0: what differs is the server's doing, not the model's choice": (
            options.repeats > 1 and not prepared.protocol.sampling.temperature
        ),
        "--store was not used: without --model-revision an endpoint's replies stay with the run": (
            options.store is not None and prepared.model.asks and not prepared.identity.lasting
        ),
    }
    yield from (note for note, holds in found.items() if holds)
    if prepared.earlier:
        *_, last = prepared.earlier
        many = f"{len(prepared.earlier)} earlier runs, the last" if len(prepared.earlier) > 1 else "an earlier run,"
        yield f"this model was held against these data before: {many} {last}"


def _on_target(prepared: Prepared) -> Iterator[str]:
    """Say loudly that a gate decides of a list where patients are meant."""
    listed = sum(gate.blocking and gate.target is Target.BENCHMARK for gate in prepared.gates)
    if prepared.patient_data and listed:
        gates = "1 blocking gate speaks" if listed == 1 else f"{listed} blocking gates speak"
        yield f"target: benchmark: {gates} of this very list, not of patients like these (target: population)"


def _on_detail(prepared: Prepared) -> Iterator[str]:
    """Say what is not shown, and where it lies."""
    if prepared.detail is not Detail.FULL:
        patients = "; patients bear pseudonyms" if prepared.patient_data else ""
        yield f"--report-detail {prepared.detail}: no text and no image of the data is shown{patients}"
    if prepared.patient_data:
        where = prepared.options.short(prepared.kept_dir)
        yield f"patient data: replies, images and what the pseudonyms stand for are in {where}; it stays with the site"


def _on_hosts(prepared: Prepared) -> Iterator[str]:
    """Say to whom else patients' data were sent."""
    asked = [one for one in (prepared.model, prepared.judge_model) if one is not None]
    hosts = [host_of(url) for one in asked for url in one.endpoints] if prepared.patient_data else []
    elsewhere = ", ".join(dict.fromkeys(str(host) for host in hosts if not is_here(host)))
    if elsewhere:
        yield f"--allow-host: questions and images of patients were sent to another machine: {elsewhere}"


def _on_selection(prepared: Prepared) -> Iterator[str]:
    """Say what was taken of the data on purpose; of no row is told which day it is of."""
    chosen = [dataset.selected for dataset in prepared.datasets if dataset.selected is not None]
    rows, taken = sum(each.rows for each in chosen), sum(len(dataset.instances) for dataset in prepared.datasets)
    if prepared.period is not None:
        outside = sum(each.outside for each in chosen)
        yield f"{prepared.period}, by study date: {outside:,} of {rows:,} rows are of other days"
    if prepared.frozen is not None:
        counts = {
            "new rows left out": sum(each.unlisted for each in chosen),
            "gone": sum(each.gone for each in chosen),
            "changed and left out": sum(each.changed for each in chosen),
        }
        said = "".join(f", {count:,} {what}" for what, count in counts.items() if count)
        yield f"--frozen {prepared.frozen.file}: {taken:,} instances as they were frozen{said}"


def _on_rows(prepared: Prepared) -> Iterator[str]:
    """Say what was noted while data were loaded, and name the rows that were left out; the manifest names all."""
    yield from (f"{dataset.name}: {note}" for dataset in prepared.datasets for note in dataset.notes)
    problems = [problem for dataset in prepared.datasets for problem in dataset.left_out]
    for problem in problems[:_NAMED]:
        yield f"left out: {problem}"
    if len(problems) > _NAMED:
        yield f"left out: {len(problems) - _NAMED} more, named in manifest.json"


def _on_judge(prepared: Prepared) -> Iterator[str]:
    recorded = prepared.recorded
    if recorded is not None:
        yield f"--from-results: made elsewhere and judged there by {recorded.judge}, who was not examined here"
        if recorded.missing:
            yield f"the result tree lacks {', '.join(recorded.missing)}"
    gold = about_of(prepared).gold_models.values()
    judges = [recorded.judge] if recorded else []
    judges += [_known_as(prepared.judge_model)] if prepared.judge_model else []
    if judges and (sentence := same_family(*judges, *dict.fromkeys(gold), _known_as(prepared.model))):
        yield sentence


def _known_as(asked: Asked) -> str:
    """Return the name that tells a model's family: its source's, or its own for a folder."""
    return asked.entry.source if asked.entry.folder is None else asked.entry.name
