"""A random sample of a run for people to label: which instances, what there is to label, and what the labels say."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from clinhallu_gate.judge.labels import LabelFile, SheetRow
from clinhallu_gate.judge.match import is_matched
from clinhallu_gate.records import Failed, Instance, Judged, NotAsked, Reading, Verdict
from clinhallu_gate.results import BASELINE_ANSWER, RATE_READING, Results
from clinhallu_gate.vocabulary import NotAskedReason, Outcome

#: What is labelled of an instance: the stages where their rates are read, and the baseline's answer.
READINGS: Final = (*RATE_READING.values(), BASELINE_ANSWER)
_BAD: Final = (Outcome.HALLUCINATED, Outcome.INCORRECT)
_DIGITS: Final = 16


# --- which instances --------------------------------------------------------------------------------------------------


def review_seed(datasets: Iterable[str], model: str) -> str:
    """Return the seed of the sample: nobody chooses it, and a rerun draws the same.

    Args:
        datasets: The digests of the data; their order does not matter.
        model: The model's digest, or its name where the digest is not known.
    """
    return hashlib.sha256(":".join(["review", model, *sorted(datasets)]).encode()).hexdigest()


def draw(instances: Sequence[Instance], seed: str, n: int) -> tuple[str, ...]:
    """Return the uids of a random sample within each stratum, in random order.

    Strata get equal shares as far as they have so many; what they lack goes to the others. A larger ``n`` extends a
    smaller one.

    Args:
        instances: All of the run.
        seed: Of ``review_seed``.
        n: From 1 to the number of instances.
    """
    strata: dict[tuple[str, str], list[str]] = {}
    for instance in sorted(instances, key=lambda item: _rank(seed, item.uid)):
        strata.setdefault((instance.dataset, instance.stratum), []).append(instance.uid)
    order = sorted(strata.values(), key=lambda uids: _rank(seed, uids[0]))
    longest = max(map(len, order), default=0)
    turns = [uids[turn] for turn in range(longest) for uids in order if turn < len(uids)]
    return tuple(sorted(turns[:n], key=lambda uid: _rank(seed, uid)))


def _rank(seed: str, uid: str) -> bytes:
    return hashlib.sha256(f"{seed}/{uid}".encode()).digest()


# --- what there is to label -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reviewed:
    """One reading of a sampled instance."""

    uid: str
    reading: Reading
    text: str | None
    """What people are to label; None where nothing is left to say, or there is nothing to see."""
    bad: bool | None = None
    """What is known without a label: True of a part that the model did not deliver, or what an exactly matched answer
    is; None where there is a text, and where the instrument left none."""

    @property
    def text_sha256(self) -> str:
        """Return the digest of the text."""
        return hashlib.sha256((self.text or "").encode(errors="backslashreplace")).hexdigest()


class NotReviewable(Exception):
    """A sampled reading has not what a label could be given to; says why."""


def sought(results: Results) -> tuple[Reading, ...]:
    """Return the readings that the run sought of any instance."""
    asked = {reading for _, reading, verdict in results.bare_rows() if not _not_asked(verdict)}
    return tuple(reading for reading in READINGS if reading in asked)


def reviewed(results: Results, uids: Iterable[str], reading: Reading) -> tuple[Reviewed, ...]:
    """Return what there is to label in a reading of the sampled instances; those without a gold text are left out.

    Raises:
        NotReviewable: Of a sampled instance it was not asked, or a verdict is there without its text.
    """
    parts = (_reviewed(results, uid, reading) for uid in uids)
    return tuple(part for part in parts if part is not None)


def _reviewed(results: Results, uid: str, reading: Reading) -> Reviewed | None:
    verdict = results.verdict(uid, reading)
    text = results.text(uid, reading.arm, reading.part)
    if _not_asked(verdict):
        raise NotReviewable(f"{reading} of {uid} was not asked")
    if isinstance(verdict, NotAsked):
        return None
    if isinstance(verdict, Failed):
        return Reviewed(uid, reading, None, bad=True)
    if isinstance(verdict, Judged) and is_matched(verdict):
        return Reviewed(uid, reading, None, bad=verdict.bad)
    if isinstance(verdict, Judged) and text is None:
        raise NotReviewable(f"the text of {reading} of {uid} is not there")
    return Reviewed(uid, reading, text)


def _not_asked(verdict: Verdict) -> bool:
    return isinstance(verdict, NotAsked) and verdict.reason is not NotAskedReason.NO_GOLD


def token(seed: str, n: int, parts: Iterable[Reviewed]) -> str:
    """Return what ties a sheet to the results of a run: the size of the sample and a digest of what is in it."""
    digest = hashlib.sha256(f"{seed}:{n}".encode())
    for line in sorted(f"{part.uid}\t{part.reading}\t{part.text_sha256}\t{part.bad}" for part in parts):
        digest.update(f"\n{line}".encode())
    return f"{n}-{digest.hexdigest()[:_DIGITS]}"


# --- what the labels say ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ReviewSample:
    """What is known of a random sample of a run's instances, in one reading."""

    bad: Mapping[str, bool | None] = field(repr=False)
    """By uid of each sampled instance: what people say, or what needs no label; None where it was left blank."""
    labels: int
    """Labels that people gave."""
    known: int
    """Parts that need none: not delivered, or exactly matched."""
    without_gold: tuple[str, ...] = field(default=(), repr=False)
    """Uids of sampled instances that nobody can label, since there is no gold to judge by."""

    @property
    def blank(self) -> int:
        """Return the number of sampled parts of which nothing is known."""
        return len(self.bad) - self.labels - self.known


@dataclass(frozen=True, slots=True)
class NoSample:
    """The labels are no random sample of this run, and why."""

    reason: str


Review: TypeAlias = ReviewSample | NoSample


def review_samples(labels: LabelFile, results: Results, seed: str) -> Mapping[Reading, Review]:
    """Hold labels against a run: for each reading that the run sought, the sample that they are of, or why of none.

    Args:
        labels: As read from the file.
        results: What the run found.
        seed: ``review_seed`` of the run's data and model.
    """
    readings = sought(results)
    if labels.sample is None:
        reason = "the labels have no column sample, so nothing says that they are a random sample"
        return dict.fromkeys(readings, NoSample(reason))
    said = "" if any(instance.phi for instance in results.instances) else f" {labels.sample!r}"
    n = _size(labels.sample)
    if n is None or not 1 <= n <= len(results.instances):
        return dict.fromkeys(readings, NoSample(f"sample:{said} names no sample of this run"))
    uids = draw(results.instances, seed, n)
    rows: dict[Reading, dict[str, SheetRow]] = {reading: {} for reading in readings}
    for row in labels.rows:
        rows.setdefault(row.reading, {})[row.uid] = row
    found = {reading: _review(results, uids, reading, rows[reading]) for reading in readings}
    if any(isinstance(review, NoSample) for review in found.values()):
        return found
    parts = [part for reading in readings for part in reviewed(results, uids, reading)]
    if token(seed, n, parts) == labels.sample:
        return found
    return dict.fromkeys(readings, NoSample(f"sample:{said} is of other results than those of this run"))


def _size(sample: str) -> int | None:
    size, _, _ = sample.partition("-")
    return int(size) if size.isascii() and size.isdigit() and len(size) < _DIGITS else None


def _review(results: Results, uids: Sequence[str], reading: Reading, rows: Mapping[str, SheetRow]) -> Review:
    try:
        parts = reviewed(results, uids, reading)
    except NotReviewable as error:
        return NoSample(f"{error}, so there is no random sample of it")
    wanted = {part.uid: part for part in parts if part.text is not None}
    missing = [uid for uid in wanted if uid not in rows]
    added = [uid for uid in rows if uid not in wanted]
    other = [uid for uid, part in wanted.items() if uid in rows and rows[uid].text_sha256 != part.text_sha256]
    for uids_of, what in (
        (other, "were given to other texts than this run's"),
        (missing, "are missing from the sheet"),
        (added, "are in the sheet and not in the sample"),
    ):
        if uids_of:
            return NoSample(f"{len(uids_of)} rows on {reading} {what}, {uids_of[0]} first")
    said = {uid: rows[uid].label for uid in wanted}
    bad = {part.uid: part.bad if part.text is None else _is_bad(said[part.uid]) for part in parts}
    return ReviewSample(
        bad=bad,
        labels=sum(label is not None for label in said.values()),
        known=sum(part.text is None and part.bad is not None for part in parts),
        without_gold=tuple(uid for uid in uids if uid not in bad),
    )


def _is_bad(label: Outcome | None) -> bool | None:
    return None if label is None else label in _BAD
