"""The run folder: manifest first, then decision, results, report and summary; and what is kept beside it."""

import csv
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from clinhallu_gate.deidentification.wording import preflight_note
from clinhallu_gate.egress import host_of, is_here
from clinhallu_gate.errors import BadInput
from clinhallu_gate.judge.agreement import agreement
from clinhallu_gate.judge.families import same_family
from clinhallu_gate.judge.review import NoSample, ReviewSample
from clinhallu_gate.pipeline.asked import Asked
from clinhallu_gate.pipeline.drawn import write_drawn
from clinhallu_gate.pipeline.flips import FLIPS_FILE, count_flips, has_flips, write_flips
from clinhallu_gate.pipeline.gold_use import alarms, gold_counts, notes_on_gold, write_signatures
from clinhallu_gate.pipeline.known import known_of, scan_folder
from clinhallu_gate.pipeline.manifest import Manifest, machine, manifest_of, versions
from clinhallu_gate.pipeline.placing import placement_of
from clinhallu_gate.pipeline.prepare import Prepared
from clinhallu_gate.pipeline.run import FAILURE_FILE, Run, utc_now
from clinhallu_gate.pipeline.stopping import asked_of
from clinhallu_gate.private import for_owner_alone, make_private, private_folder
from clinhallu_gate.records import Instance, Judged, Reading, Verdict
from clinhallu_gate.report import decision
from clinhallu_gate.report.cases import case_views
from clinhallu_gate.report.context import DataSource, RunContext
from clinhallu_gate.report.figures import plural
from clinhallu_gate.report.gold import ungated
from clinhallu_gate.report.html import write_report
from clinhallu_gate.report.model import ReportView
from clinhallu_gate.report.noise import noise_of
from clinhallu_gate.report.summary import summary_markdown
from clinhallu_gate.report.view import report_view
from clinhallu_gate.results import Results, TraceOf
from clinhallu_gate.scan import KnownValues, ScanResult
from clinhallu_gate.scan.kept import write_identifiers
from clinhallu_gate.scan.values import identifiers_of
from clinhallu_gate.scoring import paper_scoring, strict_scoring
from clinhallu_gate.tree.evidence import INSTANCES_FILE, TRACES_FILE, About, about_tree, write_evidence
from clinhallu_gate.tree.parquet import write_parquet
from clinhallu_gate.vocabulary import Detail, Target

RESULTS_FILE: Final = "results.parquet"
IDS_FILE: Final = "ids.csv"
#: Rows that were left out are named in the report up to this number.
_NAMED: Final = 10
#: Columns of ``results.parquet``: one row per instance, arm, part and repeat; ``baseline`` is what the release in use
#: came to: an outcome, or the kind of a verdict without one.
SCHEMA: Final = pa.schema(
    [
        *((name, pa.string()) for name in ("dataset", "id", "stratum", "cluster", "question_type", "arm", "part")),
        *((name, pa.string()) for name in ("kind", "outcome", "reason", "text")),
        ("latency_s", pa.float64()),
        *((name, pa.int64()) for name in ("prompt_tokens", "completion_tokens", "cached_tokens", "repeat")),
        ("baseline", pa.string()),
    ]
)


def begin_folder(prepared: Prepared) -> None:
    """Make the run folder and write the manifest, so that what was wanted stands before anything is asked.

    Raises:
        BadInput: The folder cannot be written, or holds a run that was completed.
    """
    folder = prepared.run_dir
    if _holds_a_result(folder):
        raise BadInput(f"--run-dir: {folder} holds a run already; name another folder, or none.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if prepared.patient_data:
            make_private(folder)
        if prepared.confidential:
            make_private(prepared.kept_dir)
        with for_owner_alone(wanted=prepared.patient_data):
            _write_manifest(folder, manifest_of(prepared, started=utc_now()))
            _write_aliases(prepared)
            write_drawn(prepared.kept_dir, prepared.datasets)
            write_signatures(prepared)
    except OSError as error:
        raise BadInput(f"--run-dir: {folder} cannot be written: {error.strerror or error}.") from None


def _write_aliases(prepared: Prepared) -> None:
    """Write what the pseudonyms of patients stand for, so that the site can look a finding up."""
    if prepared.patient_data:
        write_identifiers(prepared.kept_dir, identifiers_of(prepared.datasets))
    aliases = [alias for dataset in prepared.datasets for alias in dataset.aliases]
    if aliases:
        with (prepared.kept_dir / IDS_FILE).open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(("pseudonym", "what", "original"))
            writer.writerows(dict.fromkeys(aliases))


def _holds_a_result(folder: Path) -> bool:
    """Whether a run was completed there; one that was not may be repeated in its place, by the same command."""
    try:
        return decision.load(folder / decision.FILE_NAME).completed
    except BadInput:
        return (folder / decision.FILE_NAME).exists()


def write_folder(run: Run) -> ReportView:
    """Write everything that the run leaves; return what people are shown of it in the terminal."""
    prepared = run.prepared
    with for_owner_alone(wanted=prepared.confidential):
        _write_kept(run)
    with for_owner_alone(wanted=prepared.patient_data):
        run.known = known_of(run) if prepared.patient_data else None
        view = _write_documents(run)
        if run.known is not None:
            view = _scanned(run, run.known) or view
        _finish(run)
    if step_summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        _append(Path(step_summary), summary_markdown(view))
    return view


def revoke(run: Run, found: ScanResult) -> ReportView:
    """Write the folder of a run anew of which something was found where it may be shared: it decides nothing."""
    before = run.scanned or ScanResult(values=found.values)
    run.withhold(before.with_hits(found.hits, files=found.files))
    with for_owner_alone(wanted=run.prepared.patient_data):
        view = _write_documents(run)
        _finish(run)
    return view


def _scanned(run: Run, known: KnownValues) -> ReportView | None:
    """Search the documents for what is known of patients; return new ones that decide nothing if they hold any."""
    run.scanned = found = scan_folder(run, known)
    if not found.hits:
        return None
    run.withhold(found)
    return _write_documents(run)


def _finish(run: Run) -> None:
    """Write manifest and decision: last, and whole, so that a folder that holds a decision holds all."""
    folder = run.prepared.run_dir
    _write_manifest(folder, manifest_of(run.prepared, started=run.started, run=run))
    _draft(folder).replace(folder / decision.FILE_NAME)


def _draft(folder: Path) -> Path:
    return folder / f".{decision.FILE_NAME}"


def _write_kept(run: Run) -> None:
    """Write what holds the texts: beside the run folder if that is to hold none."""
    prepared, folder = run.prepared, run.prepared.kept_dir
    for name in (RESULTS_FILE, TRACES_FILE, INSTANCES_FILE, FAILURE_FILE):  # of a run that was not completed there
        (private_folder(prepared.run_dir) / name).unlink(missing_ok=True)
    rows = {dataset.name: dataset.rows for dataset in prepared.datasets if dataset.rows}
    write_evidence(folder, run.results, rows, _about(prepared))
    if prepared.confidential:
        write_flips(run)
    if prepared.detail is not Detail.FULL:
        write_results(folder, run.results)
    if run.failure != run.failure_in_full:
        (folder / FAILURE_FILE).write_text(f"{run.failure_in_full}\n", "utf-8")


def _write_documents(run: Run) -> ReportView:
    """Write the run folder, in as much detail as is wanted; summary and terminal show no patient's text in any."""
    folder, results = run.prepared.run_dir, run.told
    decided, context = decision_of(run, results), _context(run)
    view = report_view(decided, results, context, run.pictures)
    write_results(folder, results)
    write_report(folder, view, case_views(results, run.pictures))
    if run.prepared.confidential and context.detail is Detail.FULL:
        view = report_view(decided, run.shown, context.model_copy(update={"detail": Detail.REDACTED}))
    (folder / "summary.md").write_text(summary_markdown(view), "utf-8")
    _write_manifest(folder, manifest_of(run.prepared, started=run.started, run=run))
    _draft(folder).write_bytes(decided.to_json())
    return view


def _about(prepared: Prepared) -> About:
    if prepared.recorded is not None:
        return about_tree(prepared.recorded.tree)
    authors = {dataset.name: dataset.gold_model for dataset in prepared.datasets if dataset.gold_model}
    return About(model=prepared.entry.name, judge=prepared.judge, gold_models=authors)


def _append(step_summary: Path, summary: str) -> None:
    """Append to the summary of a CI step. One that cannot be written changes no decision."""
    try:
        with step_summary.open("a", encoding="utf-8") as file:
            file.write(summary)
    except OSError as error:
        sys.stderr.write(f"$GITHUB_STEP_SUMMARY: {step_summary} cannot be written: {error.strerror}\n")


def decision_of(run: Run, results: Results | None = None) -> decision.DecisionDocument:
    """Return the run's ``decision.json``; it follows from results without texts as well."""
    prepared = run.prepared
    return decision.build(
        run.release,
        run.gates,
        model=prepared.entry.name,
        model_sha256=prepared.model.digest,
        judge=prepared.judge,
        judge_sha256=prepared.judge_model.digest if prepared.judge_model else None,
        protocol=decision.NamedDigest(name=prepared.protocol.name, sha256=prepared.protocol.sha256),
        thresholds=decision.FileDigest(file=prepared.thresholds.file, sha256=prepared.thresholds.sha256),
        datasets=[decision.DatasetDigest(**dict(source)) for source in _sources(prepared)],
        baseline=str(prepared.options.baseline) if prepared.options.baseline else None,
        found=_beside(run, results or run.results),
    )


def _beside(run: Run, results: Results) -> decision.Beside:
    """Return what was found beside the gates; without gates a part was asked, by a judge that had to show nothing."""
    labels, examination = run.prepared.labels, run.examination
    if examination is not None and run.prepared.confidential:
        examination = examination.unquoted
    agreed = agreement(labels.labels, results.verdict) if labels and labels.labels else None
    stopped, repeats = _stopped(run), run.prepared.options.repeats
    if run.failure or not run.selected:
        return decision.Beside(
            examination=examination,
            agreement=agreed,
            early_stop=stopped,
            repeats=repeats,
            gold=gold_counts(run.prepared),
        )
    return decision.Beside(
        scorings={} if run.skipped else _scorings(results),
        repeats=repeats,
        early_stop=stopped,
        noise=noise_of(results, repeats),
        recorded=run.prepared.recorded is not None,
        examination=examination,
        agreement=agreed,
        placement=placement_of(run.prepared, results),
        gold=gold_counts(run.prepared),
    )


def _stopped(run: Run) -> decision.Stopped | None:
    if run.stopping is None:
        return None
    return decision.Stopped(seed=run.prepared.order_seed, asked=asked_of(run.results), of=run.stopping.planned)


def _scorings(results: Results) -> dict[str, Any]:
    """Return both scorings; none are made of a part, stopped at a good moment, as its means are no estimates."""
    return {"paper": paper_scoring(results).as_dict(), "strict": strict_scoring(results).as_dict()}


def _context(run: Run) -> RunContext:
    prepared = run.prepared
    selected = {gate.id for gate in run.gates}
    return RunContext(
        run_dir=prepared.options.short(prepared.run_dir),
        command=prepared.options.command,
        started=run.started,
        finished=run.finished,
        versions=versions(),
        model=prepared.entry.name,
        judge=prepared.judge,
        protocol=prepared.protocol.name,
        data=_sources(prepared),
        machine=", ".join(machine().values()),
        alpha=prepared.rules.alpha,
        blocking_gates=prepared.rules.blocking_gates,
        calls_made=run.tally.made,
        calls_from_store=run.tally.from_store,
        alarms=alarms(prepared),
        notes=(
            *_notes_on_gold(run),
            *_notes_on_stop(run),
            *_notes_on_labels(run),
            *_notes_on_flips(run),
            *_notes(prepared),
            *_notes_on_scan(run),
        ),
        rationale={spec.id: spec.rationale for spec in prepared.gates if spec.rationale},
        partial=not prepared.complete,
        not_selected=tuple(spec.id for spec in prepared.gates if spec.blocking and spec.id not in selected),
        detail=prepared.detail,
        capability=run.capability,
        public=prepared.public,
        failure=run.failure or None,
        recorded=prepared.recorded is not None,
    )


def _notes_on_gold(run: Run) -> Iterator[str]:
    """Say what could not be gated for want of gold, and whose word the rest is."""
    yield from ungated(run.prepared.instances, run.gates, run.prepared.protocol.arms)
    yield from notes_on_gold(run.prepared)


def _notes(prepared: Prepared) -> list[str]:
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
    notes = [note for note, holds in found.items() if holds]
    if prepared.earlier:
        *_, last = prepared.earlier
        many = f"{len(prepared.earlier)} earlier runs, the last" if len(prepared.earlier) > 1 else "an earlier run,"
        notes.append(f"this model was held against these data before: {many} {last}")
    return [
        *notes,
        *_notes_on_target(prepared),
        *_notes_on_detail(prepared),
        *_notes_on_preflight(prepared),
        *_notes_on_hosts(prepared),
        *_notes_on_selection(prepared),
        *_notes_on_rows(prepared),
        *_notes_on_judge(prepared),
    ]


def _notes_on_target(prepared: Prepared) -> Iterator[str]:
    """Say loudly that a gate decides of a list where patients are meant."""
    listed = sum(gate.blocking and gate.target is Target.BENCHMARK for gate in prepared.gates)
    if prepared.patient_data and listed:
        gates = "1 blocking gate speaks" if listed == 1 else f"{listed} blocking gates speak"
        yield f"target: benchmark: {gates} of this very list, not of patients like these (target: population)"


def _notes_on_detail(prepared: Prepared) -> Iterator[str]:
    """Say what is not shown, and where it lies."""
    if prepared.detail is not Detail.FULL:
        patients = "; patients bear pseudonyms" if prepared.patient_data else ""
        yield f"--report-detail {prepared.detail}: no text and no image of the data is shown{patients}"
    if prepared.patient_data:
        where = prepared.options.short(prepared.kept_dir)
        yield f"patient data: replies, images and what the pseudonyms stand for are in {where}; it stays with the site"


def _notes_on_scan(run: Run) -> Iterator[str]:
    if run.known is not None:
        searched = run.known.nothing_found.note
        yield f"known-value scan of all that may be shared: {searched} were searched; a hit leaves no decision"


def _notes_on_hosts(prepared: Prepared) -> Iterator[str]:
    """Say to whom else patients' data were sent."""
    asked = [one for one in (prepared.model, prepared.judge_model) if one is not None]
    hosts = [host_of(url) for one in asked for url in one.endpoints] if prepared.patient_data else []
    elsewhere = ", ".join(dict.fromkeys(str(host) for host in hosts if not is_here(host)))
    if elsewhere:
        yield f"--allow-host: questions and images of patients were sent to another machine: {elsewhere}"


def _notes_on_preflight(prepared: Prepared) -> Iterator[str]:
    if prepared.preflight is not None:
        yield preflight_note(prepared.preflight)


def _notes_on_stop(run: Run) -> Iterator[str]:
    stopped = _stopped(run)
    if stopped is None:
        return
    yield from _notes_on_seed(run)
    asked = f"early stopping: {stopped.asked:,} of {stopped.of:,} instances were asked, in a random order that follows"
    seed = f"from data and weights ({stopped.seed[:12]})"
    if run.skipped:
        yield f"{asked} {seed}; the mean at a stop is no estimate, so none is shown"
    elif not run.failure:
        yield f"{asked} {seed}; nothing was left out{_why_no_sooner(run)}"


def _notes_on_seed(run: Run) -> Iterator[str]:
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


def _notes_on_flips(run: Run) -> Iterator[str]:
    """Say where a clinician finds the patients of whom something changed."""
    if has_flips(run):
        where = run.prepared.options.short(run.prepared.kept_dir / FLIPS_FILE)
        count = plural(count_flips(run), "verdict")
        yield f"{count} changed against the release in use: {where} lists them with the site's own ids and both texts"


def _notes_on_labels(run: Run) -> Iterator[str]:
    """Say of which rates labels are a random sample, and why they adjust no other."""
    samples = [found for found in run.reviews.values() if isinstance(found, ReviewSample)]
    if samples:
        blank, parts = sum(found.blank for found in samples), sum(len(found.bad) for found in samples)
        either = f" ({blank} blank, counted either way)" if blank else ""
        yield f"--labels: {parts} parts of a random sample{either} stand behind the rates"
    lacking = {found.reason for found in run.reviews.values() if isinstance(found, NoSample)}
    yield from (f"--labels adjust no rate, they tell of agreement alone: {reason}" for reason in sorted(lacking))


def _notes_on_selection(prepared: Prepared) -> Iterator[str]:
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


def _notes_on_rows(prepared: Prepared) -> Iterator[str]:
    """Say what was noted while data were loaded, and name the rows that were left out; the manifest names all."""
    yield from (f"{dataset.name}: {note}" for dataset in prepared.datasets for note in dataset.notes)
    problems = [problem for dataset in prepared.datasets for problem in dataset.left_out]
    for problem in problems[:_NAMED]:
        yield f"left out: {problem}"
    if len(problems) > _NAMED:
        yield f"left out: {len(problems) - _NAMED} more, named in manifest.json"


def _notes_on_judge(prepared: Prepared) -> Iterator[str]:
    recorded = prepared.recorded
    if recorded is not None:
        yield f"--from-results: made elsewhere and judged there by {recorded.judge}, who was not examined here"
        if recorded.missing:
            yield f"the result tree lacks {', '.join(recorded.missing)}"
    gold = _about(prepared).gold_models.values()
    judges = [recorded.judge] if recorded else []
    judges += [_known_as(prepared.judge_model)] if prepared.judge_model else []
    if judges and (sentence := same_family(*judges, *dict.fromkeys(gold), _known_as(prepared.model))):
        yield sentence


def _known_as(asked: Asked) -> str:
    """Return the name that tells a model's family: its source's, or its own for a folder."""
    return asked.entry.source if asked.entry.folder is None else asked.entry.name


def _sources(prepared: Prepared) -> tuple[DataSource, ...]:
    held = {dataset.name: {i.uid for i in dataset.instances} for dataset in prepared.datasets}
    return tuple(
        DataSource(
            name=dataset.name,
            sha256=dataset.sha256,
            instances=sum(instance.uid in held[dataset.name] for instance in prepared.instances),
            left_out=len({(problem.file, problem.row) for problem in dataset.left_out}),
        )
        for dataset in prepared.datasets
    )


def _write_manifest(folder: Path, manifest: Manifest) -> None:
    (folder / "manifest.json").write_text(manifest.model_dump_json(indent=2) + "\n", "utf-8")


def write_results(folder: Path, results: Results) -> None:
    """Write every verdict that was sought as a table; latency and tokens are those of the arm's one call."""
    write_parquet(folder / RESULTS_FILE, SCHEMA, (_row(results, *row) for row in results.rows()))


def _row(results: Results, instance: Instance, reading: Reading, verdict: Verdict) -> Mapping[str, Any]:
    found = results.found[instance.uid]
    cost = found.costs.get(TraceOf(reading.arm, reading.repeat))
    before = found.baseline.get(reading)
    detail = "" if isinstance(verdict, Judged) else verdict.detail
    reason = verdict.reason if not detail else f"{verdict.reason}: {detail}"
    return {
        "dataset": instance.dataset,
        "id": instance.id,
        "stratum": instance.stratum,
        "cluster": instance.cluster,
        "question_type": str(instance.question_type),
        "arm": str(reading.arm),
        "part": str(reading.part),
        "kind": verdict.kind,
        "outcome": str(verdict.outcome) if isinstance(verdict, Judged) else None,
        "reason": str(reason),
        "text": found.texts.get(reading),
        "latency_s": cost.latency_s if cost else None,
        "prompt_tokens": cost.prompt_tokens if cost else None,
        "completion_tokens": cost.completion_tokens if cost else None,
        "cached_tokens": cost.cached_tokens if cost else None,
        "repeat": reading.repeat,
        "baseline": str(before.outcome) if isinstance(before, Judged) else before.kind if before else None,
    }
