"""``clinhallu-gate``: commands on finished runs; the gate itself is ``pytest suites/``."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from clinhallu_gate.errors import BadInput

EXIT_OK: Final = 0
EXIT_USAGE: Final = 4


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return 0, or 4 after one line on stderr for input that cannot be used."""
    arguments = _parser().parse_args(argv)
    try:
        said: str = arguments.command(arguments)
    except BadInput as error:
        sys.stderr.write(f"clinhallu-gate: {error}\n")
        return EXIT_USAGE
    sys.stdout.write(f"{said}\n")
    return EXIT_OK


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="clinhallu-gate", description="Commands on finished runs of the gate.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=_Parser)
    export = commands.add_parser("export", help="write a run as a result tree of the ClinHallu benchmark's own code")
    export.add_argument("run", type=Path, metavar="RUN", help="folder of a finished run")
    export.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write the tree below")
    export.set_defaults(command=_export)
    review = commands.add_parser("sample-for-review", help="write a random sample of a run's texts for people to label")
    review.add_argument("run", type=Path, metavar="RUN", help="folder of a finished run")
    review.add_argument(
        "--n", type=int, required=True, metavar="N", help="instances to draw; 200 or more adjust a rate"
    )
    review.add_argument("--out", type=Path, metavar="FILE", help="CSV file to write; default RUN/review-N.csv")
    review.set_defaults(command=_sample_for_review)
    return parser


class _Parser(argparse.ArgumentParser):
    """Ends with the gate's own exit status for bad usage."""

    def exit(self, status: int = 0, message: str | None = None) -> None:  # type: ignore[override]
        """Exit; argparse says 2 where the gate says 4."""
        super().exit(EXIT_USAGE if status else EXIT_OK, message)


def _export(arguments: argparse.Namespace) -> str:
    from clinhallu_gate.tree.write import write_tree  # noqa: PLC0415 - --help needs no pyarrow

    files = write_tree(arguments.run, arguments.out)
    return f"{len(files)} files in {arguments.out}"


def _sample_for_review(arguments: argparse.Namespace) -> str:
    from clinhallu_gate.pipeline.reviewing import write_sheet  # noqa: PLC0415 - as above

    return write_sheet(arguments.run, arguments.n, arguments.out).line


if __name__ == "__main__":
    sys.exit(main())
