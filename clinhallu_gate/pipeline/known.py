"""The known-value scan of a run: its folder before the first test, and what pytest wrote when the session ends."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from clinhallu_gate.pipeline.manifest import manifest_of
from clinhallu_gate.pipeline.prepared import Prepared
from clinhallu_gate.pipeline.run import Run
from clinhallu_gate.private import make_private
from clinhallu_gate.report.decision import DRAFT_NAME, FILE_NAME, DecisionDocument
from clinhallu_gate.report.files import policy_name, shows_texts
from clinhallu_gate.scan import UNSEARCHED, Findings, Hit, KnownValues, Search, Searched, known_values
from clinhallu_gate.scan.kept import HITS_FILE, places_of, said_by, write_hits
from clinhallu_gate.scan.values import identifiers_of
from clinhallu_gate.scan.written import Written
from clinhallu_gate.vocabulary import Detail


def known_of(run: Run, decided: DecisionDocument) -> KnownValues:
    """Return what is searched in whatever may be shared of a run that came to this decision."""
    manifest = manifest_of(run.prepared, started=run.started, run=run).model_dump(mode="json")
    places = (places_of(manifest), *map(str, (run.prepared.run_dir.absolute(), run.prepared.options.root.absolute())))
    return known_values(
        identifiers_of(run.prepared.datasets),
        said=said_by(manifest, decided.model_dump(mode="json")),
        places=" ".join(places),
        accepted=run.prepared.accepted,
    )


def scan_folder(run: Run, values: KnownValues) -> Searched:
    """Search all that may be shared of a run: names of files, contents, what is packed in them.

    The thresholds file is packed with a run's evidence, so it is searched as well, wherever it lies.
    """
    policy = run.prepared.thresholds.file
    files = [*_shared(run.prepared.run_dir, run.prepared.detail), Written(Path(policy), policy_name(policy))]
    search, findings = Search(values), Findings()
    hits = [hit for file in files for hit in _in_file(search, file, findings)]
    hits += findings.add(search.content("\n".join(file.name for file in files).encode(), "a file's name"))
    return Searched(values.nothing_found.with_hits(hits, files=len(files)), findings)


def known_of_data(prepared: Prepared) -> KnownValues:
    """Return what is searched where nothing was evaluated."""
    places = f"{prepared.options.command} {prepared.options.root.absolute()}"
    return known_values(identifiers_of(prepared.datasets), places=places, accepted=prepared.accepted)


def scan_beside(values: KnownValues, files: Iterable[Written], terminal: str) -> Searched:
    """Search what pytest wrote beside the run folder: files (those that are there) and the terminal."""
    search, found, findings = Search(values), [file for file in files if file.path.is_file()], Findings()
    hits = [hit for file in found for hit in _in_file(search, file, findings)]
    hits += findings.add(search.content(terminal.encode("utf-8", "replace"), "the terminal"))
    return Searched(values.nothing_found.with_hits(hits, files=len(found)), findings)


def keep_findings(prepared: Prepared, findings: Findings) -> str:
    """Write what was hit for the site alone, whatever was written before; return the end of a sentence that says where.

    Without anything it is empty.
    """
    if not findings.listed:
        return ""
    file = prepared.kept_dir / HITS_FILE
    try:
        make_private(prepared.kept_dir)
        write_hits(prepared.kept_dir, findings)
    except OSError as error:
        return f"; {prepared.options.short(file)} cannot be written: {error.strerror}"
    return f"; see {prepared.options.short(file)}"


def _in_file(search: Search, file: Written, findings: Findings) -> list[Hit]:
    """Search a file; one that cannot be read may hold anything, unless it is gone by now."""
    try:
        return findings.add(search.content(file.read(), file.name))
    except FileNotFoundError:
        return []
    except OSError:
        return [Hit(file=file.name, what=UNSEARCHED)]


def _shared(folder: Path, detail: Detail) -> Iterator[Written]:
    """Yield what may be shared, by the name that it has in the end, as what is accepted is accepted there.

    Two files may bear one: the decision that is about to be written, and that of a run that was not completed there.
    """
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not path.is_symlink() and not shows_texts(name, detail):
            yield Written(path, FILE_NAME if name == DRAFT_NAME else name)
