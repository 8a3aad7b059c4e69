"""Answers that need no judge: an option's letter, a yes or no, or the very words of the correct answer."""

import re
import unicodedata
from functools import cache
from typing import Final

from clinhallu_gate.records import Instance, Judged, Verdict
from clinhallu_gate.vocabulary import Outcome, QuestionType

#: An option's letter as models write it: alone, in brackets, after ``option`` or before a stop; never an article.
_LETTER: Final = re.compile(
    r"^\W*(?:the\s+(?:correct\s+)?answer\s+is\W*)?"
    r"(?:(?:option|choice)\s*\W?([A-Z])\b|([A-Z])(?=\s*[.):,*\]]|\W*$))",
    re.IGNORECASE,
)
_YES_NO: Final = re.compile(r"^\W*(yes|no)\b(?=\W*$|\s*[.,;:!])", re.IGNORECASE)
_SAME_WORDS: Final = "the same words as the correct answer"
_MATCHED: Final = re.compile(r"(?:option [A-Z]|yes|no), matched exactly(?:; the answer is \w+)?")
#: Few are different, and there may be some hundred thousand of them: each is held once.
_judged: Final = cache(Judged)
_NOT_A_WORD: Final = re.compile(r"[^\w%.+-]+")


def match_answer(instance: Instance, text: str) -> Judged | None:
    """Return the verdict on an answer that can be matched exactly; None if it has to be judged.

    A letter decides alone or beside its own option's text; beside other words a judge has to read it. A yes or no
    decides where it stands first, apart from what follows, and its opposite does not follow.
    """
    if instance.question_type is QuestionType.MULTIPLE_CHOICE:
        return _match_option(instance, text)
    if instance.question_type is QuestionType.YES_NO and (verdict := _match_yes_no(instance, text)):
        return verdict
    if _plain(text) == _plain(instance.answer):
        return _judged(Outcome.CORRECT, _SAME_WORDS)
    return None


def is_matched(verdict: Verdict) -> bool:
    """Whether a verdict, by its reason, is one of ``match_answer``: no judge was asked, so there is none to doubt."""
    return isinstance(verdict, Judged) and (verdict.reason == _SAME_WORDS or bool(_MATCHED.fullmatch(verdict.reason)))


def _match_option(instance: Instance, text: str) -> Judged | None:
    options = dict(_letter_and_text(option) for option in instance.options)
    said = _said_option(options, text)
    if said is None or instance.answer_letter is None:
        return None
    right = instance.answer_letter.upper()
    if said == right:
        return _judged(Outcome.CORRECT, f"option {said}, matched exactly")
    return _judged(Outcome.INCORRECT, f"option {said}, matched exactly; the answer is {right}")


def _said_option(options: dict[str, str], text: str) -> str | None:
    """Return the letter of the option that ``text`` names without a doubt."""
    match = _LETTER.match(text)
    if match is None:
        same = [letter for letter, option in options.items() if option == _plain(text)]
        return same[0] if len(same) == 1 else None
    letter = (match.group(1) or match.group(2)).upper()
    rest = _plain(text[match.end() :])
    return letter if letter in options and rest in ("", options[letter]) else None


def _letter_and_text(option: str) -> tuple[str, str]:
    letter, _, text = option.partition(".")
    return letter.strip().upper(), _plain(text)


def _match_yes_no(instance: Instance, text: str) -> Judged | None:
    said, right = _yes_or_no(text), _yes_or_no(instance.answer)
    if said is None or right is None:
        return None
    if said == right:
        return _judged(Outcome.CORRECT, f"{said}, matched exactly")
    return _judged(Outcome.INCORRECT, f"{said}, matched exactly; the answer is {right}")


def _yes_or_no(text: str) -> str | None:
    match = _YES_NO.match(text)
    if match is None:
        return None
    said = match.group(1).lower()
    opposite = "no" if said == "yes" else "yes"
    return None if re.search(rf"\b{opposite}\b", text[match.end() :], re.IGNORECASE) else said


def _plain(text: str) -> str:
    """Return ``text`` without case, outer stops and more than one space: what makes two answers the same words."""
    return _NOT_A_WORD.sub(" ", unicodedata.normalize("NFKC", text).casefold()).strip(" .")
