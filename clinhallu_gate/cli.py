"""``clinhallu-gate``: commands before and after runs; the gate itself is ``pytest suites/``."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from clinhallu_gate.errors import BadInput, DoesNotHold, EvaluationFailed, Incomplete
from clinhallu_gate.private import without_core
from clinhallu_gate.unquoted import NOT_SHOWN, place_of

EXIT_OK: Final = 0
EXIT_DOES_NOT_HOLD: Final = 1
EXIT_INCOMPLETE: Final = 1
EXIT_INTERNAL_ERROR: Final = 3
#: As shells have it.
EXIT_STOPPED: Final = 130
EXIT_USAGE: Final = 4
EXIT_NOT_COMPLETED: Final = 11
#: Bytes of a name that file systems take.
_LONGEST_NAME: Final = 255


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return 0, or after one line on stderr another status.

    4: input that cannot be used; 1: evidence that was changed, or a part that was not done; 11: a model that fails;
    3: an internal error, of which only kind and place are told, as it may quote data of patients; 130: Ctrl-C.
    """
    arguments = _parser().parse_args(argv)
    try:
        with without_core():
            said: str = arguments.command(arguments)
    except BadInput as error:
        sys.stderr.write(f"clinhallu-gate: {error}\n")
        return EXIT_USAGE
    except DoesNotHold as error:
        sys.stderr.write(f"clinhallu-gate: {error}\n")
        return EXIT_DOES_NOT_HOLD
    except EvaluationFailed as error:
        sys.stderr.write(f"clinhallu-gate: {error}\n")
        return EXIT_NOT_COMPLETED
    except Incomplete as error:
        sys.stdout.write(f"{error.said}\n")
        sys.stderr.write(f"clinhallu-gate: {error}\n")
        return EXIT_INCOMPLETE
    except (KeyboardInterrupt, Exception) as error:  # noqa: BLE001 - whatever it is, it may quote whom the data are of
        stopped = isinstance(error, KeyboardInterrupt)
        why = "stopped" if stopped else f"internal error: {place_of(error)} ({NOT_SHOWN})"
        sys.stderr.write(f"clinhallu-gate: {why}\n")
        return EXIT_STOPPED if stopped else EXIT_INTERNAL_ERROR
    sys.stdout.write(f"{said}\n")
    return EXIT_OK


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="clinhallu-gate", description="Commands before and after runs of the gate.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=_Parser)
    _add_compare(commands.add_parser("compare", help="tabulate several runs, and say whether they can be compared"))
    _add_draft(commands.add_parser("draft-gold", help="have a local model draft gold from radiology reports"))
    _add_deidentify(commands.add_parser("deidentify", help="write copies of DICOM images that name no patient"))
    _add_evidence(commands.add_parser("evidence", help="pack what a run decided, and on what, into one archive"))
    _add_export(commands.add_parser("export", help="write a run as a result tree of the benchmark's own code"))
    _add_freeze(commands.add_parser("freeze", help="write a list of instances that later runs shall be about"))
    _add_model_card(commands.add_parser("model-card", help="print a run's rates as a model card's evaluation results"))
    _add_plan(commands.add_parser("plan", help="how many instances a gate will need, fixed and one by one"))
    _add_preflight(commands.add_parser("preflight", help="list what tells of patients in files, before they are used"))
    _add_purge(commands.add_parser("purge", help="remove what is kept of patients: replies, images, pseudonyms"))
    _add_report(commands.add_parser("report", help="say where a run's report lies, or print it as a PDF file"))
    _add_review(commands.add_parser("sample-for-review", help="write a random sample of a run's texts to be labelled"))
    _add_sign(commands.add_parser("sign-gold", help="record who approved which gold, and when"))
    _add_verify(commands.add_parser("verify", help="check that nothing in an archive of evidence was changed"))
    return parser


def _add_compare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="folders of finished runs, two or more")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON")
    form.add_argument("--markdown", action="store_true", help="print Markdown")
    parser.set_defaults(command=_compare)


def _add_draft(parser: argparse.ArgumentParser) -> None:
    _add_source(parser)
    who = parser.add_argument_group("who is asked: a model of this site")
    who.add_argument("--model", metavar="NAME|PATH", help="registry name, hub id or checkpoint folder; hosted on vLLM")
    who.add_argument("--endpoint", metavar="URL", action="append", default=[], help="a server that already runs")
    who.add_argument("--model-revision", metavar="REV", help="what an endpoint serves")
    who.add_argument("--concurrency", metavar="N", type=int, help="most calls in flight per server")
    who.add_argument(
        "--call-timeout", metavar="S", type=_seconds, default=600.0, help="longest wait for a reply (600 s)"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder for the drafts; default MANIFEST's stem .gold/")
    parser.add_argument("--limit", type=int, metavar="N", help="only the first N rows that lack gold")
    parser.add_argument("--with-images", action="store_true", help="show the images in the review sheet")
    parser.set_defaults(command=_draft_gold)


def _add_source(parser: argparse.ArgumentParser) -> None:
    """Declare whose gold it is about."""
    parser.add_argument(
        "manifest",
        metavar="MANIFEST",
        help="the manifest, a folder with one, or dicomweb+http://SERVER#MANIFEST, as --data takes them",
    )
    parser.add_argument(
        "--allow-host", metavar="HOST", action="append", default=[], help="a host beside this machine that may be asked"
    )
    parser.add_argument(
        "--private-cache", type=Path, metavar="DIR", help="where drawn images and fetched studies lie (with the drafts)"
    )


def _add_sign(parser: argparse.ArgumentParser) -> None:
    _add_source(parser)
    parser.add_argument("reviewed", type=Path, metavar="REVIEWED", help="the JSON or CSV that the review sheet saved")
    parser.add_argument("--reviewer", required=True, metavar="NAME", help="who stands for it")
    parser.add_argument("--out", type=Path, metavar="FILE", help="file to append to; default beside the manifest")
    parser.set_defaults(command=_sign_gold)


def _add_deidentify(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source", type=_path_here, metavar="SRC", help="a DICOM file, a folder or a DICOMDIR; never changed"
    )
    parser.add_argument(
        "folder", type=_path_here, metavar="DST", help="a new or empty folder for the copies, outside of SRC"
    )
    parser.add_argument(
        "--mapping", action="store_true", help="write which UID stands for which into DST.private/uids.csv"
    )
    parser.add_argument(
        "--manifest", type=_path_here, metavar="FILE", help="a manifest of SRC's files, rewritten for the copies in DST"
    )
    parser.set_defaults(command=_deidentify)


def _add_preflight(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "named",
        type=_path_or_server,
        nargs="+",
        metavar="PATH",
        help="files, folders, DICOMDIRs, manifests with their images, or dicomweb+http://SERVER#MANIFEST",
    )
    parser.add_argument("--full", action="store_true", help="look within sequences, too")
    parser.add_argument("--ocr", action="store_true", help="look for text in the images, too (needs tesseract)")
    parser.add_argument(
        "--kept",
        type=Path,
        metavar="DIR",
        help="private folder from which a killed --full or --ocr goes on (default: --private-cache, or "
        "preflight.private)",
    )
    parser.add_argument("--private-cache", type=Path, metavar="DIR", help="keep what a DICOMweb server sends here")
    parser.add_argument(
        "--allow-host", action="append", default=[], metavar="HOST", help="ask a DICOMweb server of this host, too"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="write JSON to a new file")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(command=_preflight)


def _add_evidence(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of a finished run")
    parser.add_argument("--out", type=Path, metavar="FILE", help="archive to write; default RUN/evidence.zip")
    parser.add_argument(
        "--thresholds", type=Path, metavar="FILE", help="where the run's thresholds file lies now, if it was moved"
    )
    parser.set_defaults(command=_evidence)


def _add_model_card(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of a run that was completed, to its end")
    parser.add_argument("--name", metavar="NAME", help="the model's name in the card; default the run's")
    parser.add_argument("--source-url", metavar="URL", help="where the run's evidence can be had")
    parser.set_defaults(command=_model_card)


def _add_verify(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="archive that `clinhallu-gate evidence` wrote")
    parser.set_defaults(command=_verify)


def _add_export(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of a finished run")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write the tree below")
    parser.set_defaults(command=_export)


def _add_freeze(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data", action="append", required=True, metavar="SPEC", help="what is frozen (repeatable), as for a run"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="list to write; it holds no text")
    parser.add_argument("--since", metavar="DATE", help="only studies of this day or later (study_date)")
    parser.add_argument("--until", metavar="DATE", help="only studies of this day or earlier")
    parser.add_argument("--data-root", type=Path, metavar="DIR", help="a downloaded copy of the benchmark")
    parser.add_argument(
        "--allow-bad-rows", type=int, default=0, metavar="N", help="leave out up to N rows that cannot be used"
    )
    parser.add_argument(
        "--private-cache",
        type=Path,
        metavar="DIR",
        help="keep what a DICOMweb server sends, and patients' images, here",
    )
    parser.add_argument(
        "--allow-host", action="append", default=[], metavar="HOST", help="ask a DICOMweb server of this host, too"
    )
    parser.add_argument(
        "--allow-unsigned-gold", action="store_true", help="freeze drafts that nobody signed as they are"
    )
    parser.set_defaults(command=_freeze)


def _add_review(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of a finished run")
    parser.add_argument(
        "--n", type=int, required=True, metavar="N", help="instances to draw; 200 or more adjust a rate"
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="CSV file to write; default RUN/review-N.csv, of patients RUN.private/review-N.csv",
    )
    parser.set_defaults(command=_sample_for_review)


def _add_plan(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``plan``; their values are read, and refused, by ``read_question``."""
    gate = parser.add_argument_group("the gate, on the metric's own scale")
    gate.add_argument("--metric", required=True, help="its name, as in a thresholds file")
    gate.add_argument("--max", metavar="RATE", help="it must be at most this")
    gate.add_argument("--min", metavar="RATE", help="it must be at least this")
    gate.add_argument("--max-drop", metavar="DROP", help="it may fall by this much below the baseline run's")
    gate.add_argument("--alpha", default="0.05", help="one-sided error of a PASS (default: %(default)s)")
    gate.add_argument(
        "--gates", default="1", metavar="M", help="blocking gates: a FAIL is said at alpha / M (default: 1)"
    )
    truth = parser.add_argument_group("what is expected")
    truth.add_argument("--expect", metavar="RATE", help="the true value; with --max-drop the true drop (default: 0)")
    truth.add_argument("--discordance", metavar="SHARE", help="share of pairs that differ (default: 0.12)")
    truth.add_argument("--power", default="0.8", help="wanted chance of the decision (default: %(default)s)")
    truth.add_argument("--cluster-size", metavar="M", help="instances of each patient")
    truth.add_argument("--icc", help="correlation of a patient's instances, 0 to 1")
    truth.add_argument("--list", metavar="N", help="speak of this list of N instances, not of patients like these")
    output = parser.add_argument_group("output")
    output.add_argument("--plot", type=Path, metavar="FILE", help="draw the chance over the instances (.svg or .png)")
    output.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(command=_plan)


def _add_purge(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "paths",
        type=Path,
        nargs="*",
        metavar="RUN|DRAFTS",
        help="run folders, which stay (RUN.private goes), or folders of drafts as MANIFEST.gold, which go whole",
    )
    parser.add_argument("--private-cache", type=Path, metavar="DIR", help="a cache of patients' images, emptied")
    parser.add_argument("--yes", action="store_true", help="remove it; else it is only said what would be removed")
    parser.set_defaults(command=_purge)


def _add_report(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of a finished run")
    parser.add_argument("--pdf", action="store_true", help="print it, with the Chromium that is installed, offline")
    parser.add_argument("--output", type=Path, metavar="FILE", help="PDF file to write; default RUN/report.pdf")
    parser.add_argument("--browser", type=Path, metavar="PATH", help="a Chromium, or one of its kin, to print with")
    parser.add_argument("--timeout", type=_seconds, metavar="S", help="for the browser (default: 300)")
    parser.set_defaults(command=_report)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is no number of seconds. Valid: more than 0")
    return seconds


def _path(text: str) -> Path:
    """Read the name of a file or folder: one that is empty, as of an unset variable, is not the current folder."""
    if not text:
        raise argparse.ArgumentTypeError("is empty. Name a file or folder")
    longest = max((len(os.fsencode(part)) for part in Path(text).parts), default=0)
    if longest > _LONGEST_NAME:
        raise argparse.ArgumentTypeError(f"a name of {longest} bytes is too long. Valid: at most {_LONGEST_NAME}")
    return Path(text)


def _path_or_server(text: str) -> Path | str:
    """Read the name of a file or folder, or leave that of a DICOMweb server as it is."""
    from clinhallu_gate.datasets.dicomweb.spec import PREFIX  # noqa: PLC0415 - of this command alone

    return text if text.startswith(PREFIX) else _path(text)


def _path_here(text: str) -> Path:
    """Read the name of a file or folder where somebody may think of a DICOMweb server."""
    named = _path_or_server(text)
    if isinstance(named, str):  # not echoed: it may hold a password
        raise argparse.ArgumentTypeError(
            "a DICOMweb server is not copied from. Fetch the studies with preflight --private-cache DIR, and name "
            "DIR/dicomweb/files and the manifest of UIDs"
        )
    return named


class _Parser(argparse.ArgumentParser):
    """Ends with the gate's own exit status for bad usage."""

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - whatever argparse takes
        super().__init__(*args, **options)
        self.register("type", Path, _path)

    def exit(self, status: int = 0, message: str | None = None) -> None:  # type: ignore[override]
        """Exit; argparse says 2 where the gate says 4."""
        super().exit(EXIT_USAGE if status else EXIT_OK, message)


def _compare(arguments: argparse.Namespace) -> str:
    from clinhallu_gate.report.compare import as_json, as_markdown, as_text, compare  # noqa: PLC0415 - as below

    compared = compare(arguments.runs)
    if arguments.json:
        return as_json(compared)
    return as_markdown(compared) if arguments.markdown else as_text(compared)


def _draft_gold(arguments: argparse.Namespace) -> str:
    from clinhallu_gate.gold.command import run_draft  # noqa: PLC0415 - as below

    return run_draft(arguments)


def _deidentify(arguments: argparse.Namespace) -> str:
    from clinhallu_gate.deidentification.commands import deidentified  # noqa: PLC0415 - --help needs no pydicom

    return deidentified(arguments.source, arguments.folder, mapping=arguments.mapping, manifest=arguments.manifest)


def _preflight(arguments: argparse.Namespace) -> str:
    from clinhallu_gate.deidentification.findings import Depth  # noqa: PLC0415 - as above
    from clinhallu_gate.pipeline.preflighting import LookOptions, looked_at  # noqa: PLC0415 - as above

    options = LookOptions(
        depth=Depth.OCR if arguments.ocr else Depth.FULL if arguments.full else Depth.HEADERS,
        kept=arguments.kept,
        private_cache=arguments.private_cache,
        allow_hosts=tuple(arguments.allow_host),
        out=arguments.out,
        as_json=arguments.json,
    )
    paths = [named for named in arguments.named if isinstance(named, Path)]
    return looked_at(paths, [named for named in arguments.named if isinstance(named, str)], options)


def _evidence(arguments: argparse.Namespace) -> str:
    from clinhallu_gate.evidence import pack  # noqa: PLC0415 - as below

    return pack(arguments.run, arguments.out, thresholds=arguments.thresholds).line


def _export(arguments: argparse.Namespace) -> str:
    from clinhallu_gate.tree.write import write_tree  # noqa: PLC0415 - --help needs no pyarrow

    files = write_tree(arguments.run, arguments.out)
    return f"{len(files)} files in {arguments.out}"


def _freeze(arguments: argparse.Namespace) -> str:
    from clinhallu_gate.datasets.period import Period  # noqa: PLC0415 - as above
    from clinhallu_gate.pipeline.freezing import freeze  # noqa: PLC0415 - as above

    return freeze(
        arguments.data,
        arguments.out,
        period=Period.read(arguments.since, arguments.until),
        data_root=arguments.data_root,
        allow_bad_rows=arguments.allow_bad_rows,
        private_cache=arguments.private_cache,
        allow_hosts=tuple(arguments.allow_host),
        allow_unsigned_gold=arguments.allow_unsigned_gold,
    ).line


def _model_card(arguments: argparse.Namespace) -> str:
    from clinhallu_gate.report.model_card import model_card  # noqa: PLC0415 - as above

    return model_card(arguments.run, name=arguments.name, source_url=arguments.source_url)


def _plan(arguments: argparse.Namespace) -> str:
    from clinhallu_gate.planning import as_json, as_text, plan, read_question  # noqa: PLC0415 - --help needs no scipy
    from clinhallu_gate.planning.plot import demand_kind, draw  # noqa: PLC0415 - as above

    question = read_question(vars(arguments))
    if arguments.plot is not None:
        demand_kind(arguments.plot)
    planned = plan(question)
    if arguments.plot is not None:
        draw(planned, arguments.plot)
    return as_json(planned) if arguments.json else as_text(planned)


def _purge(arguments: argparse.Namespace) -> str:
    from clinhallu_gate.gold.folder import is_of_drafts, purge_of_drafts  # noqa: PLC0415 - as above
    from clinhallu_gate.pipeline.purging import purge_of_cache, purge_of_run  # noqa: PLC0415 - as above

    found = [purge_of_drafts(path) if is_of_drafts(path) else purge_of_run(path) for path in arguments.paths]
    found += [purge_of_cache(arguments.private_cache)] if arguments.private_cache is not None else []
    if not found:
        raise BadInput("purge: nothing named. Name run folders, folders of drafts, or --private-cache DIR.")
    for purge in found if arguments.yes else ():
        purge.remove()
    said = [f"{'removed' if arguments.yes else 'would be removed'}: {purge.line}\n  {purge.means}" for purge in found]
    return "\n".join(said if arguments.yes else [*said, "Nothing was removed. To remove it: the same with --yes"])


def _report(arguments: argparse.Namespace) -> str:
    from clinhallu_gate.pipeline.printing import DEFAULT_TIMEOUT_S, page_of, print_report  # noqa: PLC0415 - as above

    if arguments.pdf:
        timeout_s = arguments.timeout or DEFAULT_TIMEOUT_S
        return print_report(arguments.run, arguments.output, browser=arguments.browser, timeout_s=timeout_s).line
    if arguments.output or arguments.browser or arguments.timeout:
        raise BadInput("report: --output, --browser and --timeout are for --pdf.")
    return f"{page_of(arguments.run)}: open it in a browser, or print it with --pdf."


def _sample_for_review(arguments: argparse.Namespace) -> str:
    from clinhallu_gate.pipeline.reviewing import write_sheet  # noqa: PLC0415 - as above

    return write_sheet(arguments.run, arguments.n, arguments.out).line


def _sign_gold(arguments: argparse.Namespace) -> str:
    from clinhallu_gate.gold.signing import SignOptions, sign_gold  # noqa: PLC0415 - as above

    options = SignOptions(arguments.out, arguments.private_cache, tuple(arguments.allow_host))
    return sign_gold(arguments.manifest, arguments.reviewed, reviewer=arguments.reviewer, options=options).line


def _verify(arguments: argparse.Namespace) -> str:
    from clinhallu_gate.evidence import verify  # noqa: PLC0415 - as above

    return verify(arguments.file).line


if __name__ == "__main__":
    sys.exit(main())
