"""The run folder: manifest first, then decision, results, report and summary; and what is kept beside it."""

import os
import shlex
import sys
from pathlib import Path
from typing import Any, Final

from clinhallu_gate.errors import BadInput
from clinhallu_gate.judge.agreement import agreement
from clinhallu_gate.pipeline.about import about_of
from clinhallu_gate.pipeline.drawn import write_drawn
from clinhallu_gate.pipeline.flips import write_flips
from clinhallu_gate.pipeline.gold_use import alarms, write_signatures
from clinhallu_gate.pipeline.ids import write_ids
from clinhallu_gate.pipeline.known import keep_findings, known_of, scan_folder
from clinhallu_gate.pipeline.manifest import Manifest, machine, manifest_of, versions
from clinhallu_gate.pipeline.notes import notes_of, searches_of
from clinhallu_gate.pipeline.placing import placement_of
from clinhallu_gate.pipeline.prepared import Prepared
from clinhallu_gate.pipeline.run import FAILURE_FILE, Run, utc_now
from clinhallu_gate.pipeline.verdict_table import RESULTS_FILE, write_results
from clinhallu_gate.private import for_owner_alone, make_private, private_folder, take_private
from clinhallu_gate.report import decision
from clinhallu_gate.report.cases import case_views
from clinhallu_gate.report.context import DataSource, RunContext
from clinhallu_gate.report.html import write_report
from clinhallu_gate.report.model import ReportView
from clinhallu_gate.report.noise import noise_of
from clinhallu_gate.report.summary import summary_markdown
from clinhallu_gate.report.view import report_view
from clinhallu_gate.results import Results
from clinhallu_gate.scan import KnownValues, ScanResult
from clinhallu_gate.scan.accepted import write_accepted
from clinhallu_gate.scan.kept import HITS_FILE, write_identifiers
from clinhallu_gate.scan.values import identifiers_of
from clinhallu_gate.scoring import paper_scoring, strict_scoring
from clinhallu_gate.tree.evidence import INSTANCES_FILE, TRACES_FILE, write_evidence
from clinhallu_gate.vocabulary import Detail

#: What a run that was not completed leaves in the private folder, and the next one there writes anew.
_OF_ONE_TRY: Final = (RESULTS_FILE, TRACES_FILE, INSTANCES_FILE, FAILURE_FILE, HITS_FILE)


def begin_folder(prepared: Prepared) -> None:
    """Make the run folder and write the manifest, so that what was wanted stands before anything is asked.

    Raises:
        BadInput: The folder cannot be written, or holds a run that was completed.
    """
    folder = prepared.run_dir
    if _holds_a_result(folder):
        raise BadInput(f"--run-dir: {folder} holds a run already; name another folder, or none.")
    try:
        if prepared.patient_data:
            take_private(folder, f"--run-dir: {folder}")
        folder.mkdir(parents=True, exist_ok=True)
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
    write_ids(prepared)


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
        decided = decision_of(run, run.told)
        run.known = known_of(run, decided) if prepared.patient_data else None
        view = _write_documents(run, decided)
        if run.known is not None:
            write_accepted(prepared.kept_dir, run.known.accepted)
            view = _scanned(run, run.known) or view
        _finish(run)
    return view


def append_step_summary(view: ReportView) -> None:
    """Append what was decided to the summary of a CI step, if this is one. One that cannot be written changes nothing.

    It cannot be taken back, so it comes last.
    """
    if not (step_summary := os.environ.get("GITHUB_STEP_SUMMARY")):
        return
    try:
        with Path(step_summary).open("a", encoding="utf-8") as file:
            file.write(summary_markdown(view))
    except OSError as error:
        sys.stderr.write(f"$GITHUB_STEP_SUMMARY: {step_summary} cannot be written: {error.strerror}\n")


def revoke(run: Run, found: ScanResult, where: str) -> ReportView:
    """Write the folder of a run anew of which something was found where it may be shared: it decides nothing.

    Args:
        run: The run.
        found: What was found beside its folder.
        where: As ``keep_findings`` says it.
    """
    before = run.scanned or ScanResult(values=found.values)
    run.withhold(before.with_hits(found.hits, files=found.files), where)
    (run.prepared.run_dir / decision.FILE_NAME).unlink(missing_ok=True)  # also if nothing can be written any more
    with for_owner_alone(wanted=run.prepared.patient_data):
        view = _write_documents(run)
        _finish(run)
    return view


def _scanned(run: Run, known: KnownValues) -> ReportView | None:
    """Search the documents for what is known of patients; return new ones that decide nothing if they hold any."""
    found = scan_folder(run, known)
    if not found.result.hits:
        run.scanned = found.result
        return None
    run.findings.join(found.findings)
    run.withhold(found.result, keep_findings(run.prepared, run.findings))
    return _write_documents(run)


def _finish(run: Run) -> None:
    """Write manifest and decision: last, and whole, so that a folder that holds a decision holds all."""
    folder = run.prepared.run_dir
    _write_manifest(folder, manifest_of(run.prepared, started=run.started, run=run))
    _draft(folder).replace(folder / decision.FILE_NAME)


def _draft(folder: Path) -> Path:
    return folder / decision.DRAFT_NAME


def _write_kept(run: Run) -> None:
    """Write what holds the texts: beside the run folder if that is to hold none."""
    prepared, folder = run.prepared, run.prepared.kept_dir
    for name in _OF_ONE_TRY:
        (private_folder(prepared.run_dir) / name).unlink(missing_ok=True)
    rows = {dataset.name: dataset.rows for dataset in prepared.datasets if dataset.rows}
    write_evidence(folder, run.results, rows, about_of(prepared))
    if prepared.confidential:
        write_flips(run)
    if prepared.detail is not Detail.FULL:
        write_results(folder, run.results)
    if run.failure != run.failure_in_full:
        (folder / FAILURE_FILE).write_text(f"{run.failure_in_full}\n", "utf-8")


def _write_documents(run: Run, decided: decision.DecisionDocument | None = None) -> ReportView:
    """Write the run folder, in as much detail as is wanted; summary and terminal show no patient's text in any.

    ``decided`` is what the run came to, where that was asked before.
    """
    folder, results = run.prepared.run_dir, run.told
    decided, context = decided or decision_of(run, results), _context(run)
    view = report_view(decided, results, context, run.pictures)
    write_results(folder, results)
    write_report(folder, view, case_views(results, run.pictures))
    if run.prepared.confidential and context.detail is Detail.FULL:
        view = report_view(decided, run.shown, context.model_copy(update={"detail": Detail.REDACTED}))
    (folder / "summary.md").write_text(summary_markdown(view), "utf-8")
    _write_manifest(folder, manifest_of(run.prepared, started=run.started, run=run))
    _draft(folder).write_bytes(decided.to_json())
    return view


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
    agreed = agreement(labels.labels, results.bare_verdict) if labels and labels.labels else None
    stopped, repeats = run.stopped, run.prepared.options.repeats
    if run.failure or not run.selected:
        return decision.Beside(
            examination=examination,
            agreement=agreed,
            early_stop=stopped,
            repeats=repeats,
            gold=run.prepared.gold,
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
        gold=run.prepared.gold,
    )


def _scorings(results: Results) -> dict[str, Any]:
    """Return both scorings; none are made of a part, stopped at a good moment, as its means are no estimates."""
    return {"paper": paper_scoring(results).as_dict(), "strict": strict_scoring(results).as_dict()}


def _context(run: Run) -> RunContext:
    prepared = run.prepared
    selected = {gate.id for gate in run.gates}
    return RunContext(
        run_dir=prepared.options.short(prepared.run_dir),
        command=prepared.options.command,
        resumed=_resumed(prepared),
        found=run.scanned is not None and bool(run.scanned.hits),
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
        max_without_gold=prepared.thresholds.max_without_gold,
        calls_made=run.tally.made,
        calls_from_store=run.tally.from_store,
        alarms=alarms(prepared),
        notes=notes_of(run),
        searches=searches_of(run),
        rationale={spec.id: spec.rationale for spec in prepared.gates if spec.rationale},
        partial=not prepared.complete,
        not_selected=tuple(spec.id for spec in prepared.gates if spec.blocking and spec.id not in selected),
        detail=prepared.detail,
        capability=run.capability,
        public=prepared.public,
        failure=run.failure or None,
        recorded=prepared.recorded is not None,
    )


def _resumed(prepared: Prepared) -> str | None:
    """Return the command that finds the replies of this run again, where they lie in its private folder."""
    asked = (prepared.model, prepared.judge_model)
    if not any(one and prepared.store_of(one).is_relative_to(prepared.kept_dir) for one in asked):
        return None
    return f"{prepared.options.command} --run-dir {shlex.quote(prepared.options.short(prepared.run_dir))}"


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
