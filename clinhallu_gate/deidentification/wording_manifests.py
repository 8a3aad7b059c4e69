"""What became of a manifest that was rewritten for copies, in words: what was taken over, and what nobody looked at."""

from typing import Final

from clinhallu_gate.deidentification.manifests import Rewritten
from clinhallu_gate.scan.found import ScanResult


def left_out_sentence(done: Rewritten) -> str:
    """Return how many rows were left out."""
    return f"{_many(len({problem.row for problem in done.left_out}), 'row')} of {done.manifest} left out."


def manifest_lines(done: Rewritten) -> list[str]:
    """Return what was taken over, what was not, and what nobody looked at."""
    said = [f"{done.file}: {_many(done.rows, 'row')} of {done.manifest}." if done.rows else "No row was taken over."]
    if done.rows:
        taken = {"A report": done.reports, "The day of the study": done.dates}
        said += [f"{what} was taken out of {_many(count, 'row')}." for what, count in taken.items() if count]
        said += [_UNREAD, _searched(done.searched)]
    if done.signed is not None:
        said.append(f"{done.signed} was not taken over: it names who signed, and holds for the originals alone.")
    if done.left_out:
        said += ["", left_out_sentence(done), *(f"  {problem}" for problem in done.left_out)]
    return said


_UNREAD: Final = (
    "Questions, answers, options, gold, strata and tags were taken over as they are: free text, which nobody has read "
    "for this."
)


def _searched(result: ScanResult) -> str:
    missed = result.too_short + result.common
    rest = f", and not {missed:,} that are too short or too common" if missed else ""
    return (
        f"Searched in it: {result.values:,} names, ids, accession numbers and dates of birth of headers and rows"
        f"{rest}; numbers, institutions, addresses (whole, and their parts between commas) and UIDs of headers, of 6 "
        "characters and more and no bare word; and the days of studies, series, acquisitions and contents, in digits: "
        "a month in words is not read. A name that is written otherwise, or of somebody else, is not found."
    )


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun if count == 1 else f'{noun}s'}"
