"""Read a trace from a model's reply: each part as its text, or as the reason why it cannot be read."""

import re
from collections.abc import Mapping
from functools import lru_cache

from clinhallu_gate.protocol.spec import Protocol
from clinhallu_gate.records import Completion, Failed, Trace
from clinhallu_gate.vocabulary import ANSWER, Arm, FailReason, Part

_THOUGHT = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL)
_REFUSAL = re.compile(
    r"\b(?:I\s+(?:cannot|can't|can\s+not|am\s+unable\s+to|am\s+not\s+able\s+to|won't|must\s+decline)"
    r"|I'm\s+(?:sorry|unable|not\s+able)|I\s+am\s+sorry|unable\s+to\s+(?:assist|provide|help))\b",
    re.IGNORECASE,
)
_REFUSAL_WITHIN = 200
"""Characters from the start of a text without headers in which a refusal is looked for."""


def parse(protocol: Protocol, arm: Arm, completion: Completion) -> Trace:
    """Read the parts that ``arm`` asked for.

    A part fails only if *it* cannot be read. Text without any header that declines is refused as a whole; what the
    token limit cut off, or kept from being written, is truncated.
    """
    asked = protocol.asked(arm)
    text = _THOUGHT.sub("", completion.text)
    found = _split(text, protocol)
    if completion.refused or (not found and _REFUSAL.search(text[:_REFUSAL_WITHIN])):
        return Trace({part: Failed(FailReason.REFUSED, _start(text)) for part in asked})
    if protocol.given == "prefill" and protocol.arms[arm]:
        found = _split(f"{protocol.trace.headers[asked[0]]}\n{text}", protocol)
    cut = completion.finish_reason == "length"
    open_part = list(found)[-1] if found else None
    return Trace({part: _part(part, found, protocol, cut=cut, is_open=part == open_part) for part in asked})


def _part(part: Part, found: Mapping[Part, str], protocol: Protocol, *, cut: bool, is_open: bool) -> str | Failed:
    if part not in found:
        missing = FailReason.NO_ANSWER if part == ANSWER else FailReason.STAGE_MISSING
        return Failed(FailReason.TRUNCATED if cut else missing)
    text = found[part]
    if part == ANSWER:
        return _answer(text, cut=cut and is_open)
    if cut and is_open:
        return Failed(FailReason.TRUNCATED, _start(text))
    return text if len(text.split()) >= protocol.trace.min_words else Failed(FailReason.STAGE_EMPTY, text)


def _answer(text: str, *, cut: bool) -> str | Failed:
    """Return the first line of the answer; cut off by the token limit only if that line is the last."""
    line, _, rest = text.partition("\n")
    if cut and not rest.strip():
        return Failed(FailReason.TRUNCATED, _start(text))
    return line.strip(" *_`") or Failed(FailReason.NO_ANSWER)


def _split(text: str, protocol: Protocol) -> dict[Part, str]:
    """Return the text behind each header, up to the next one, in order of the text.

    Of a header that is repeated the first occurrence with a text counts; one without brackets counts only where there
    is none with them.
    """
    headers = tuple(protocol.trace.headers.items())
    places = [(int((match.lastgroup or "_0")[1:]), match) for match in _header_pattern(headers).finditer(text)]
    alone = range(len(headers), 2 * len(headers))
    bracketed = {place % len(headers) for place, _ in places if place not in alone}
    kept = [
        (headers[place % len(headers)][0], match)
        for place, match in places
        if place not in alone or place % len(headers) not in bracketed
    ]
    ends = [*(match.start() for _, match in kept[1:]), len(text)]
    found: dict[Part, str] = {}
    for (part, match), end in zip(kept, ends, strict=False):  # without a header there is an end, and no match
        found[part] = found.get(part) or text[match.end() : end].strip()
    return found


@lru_cache(maxsize=8)
def _header_pattern(headers: tuple[tuple[Part, str], ...]) -> re.Pattern[str]:
    """Match headers as models write them: in brackets at a line's start, or alone on one; any case, Markdown's marks.

    The answer's header may stand behind the reasoning's last sentence. A stage that only mentions another one by its
    header, in mid-sentence, goes on. The names stand behind what all headers share: the search then stops at most
    characters at once.
    """
    names = [re.escape(header.strip("[]")) for _, header in headers]
    answer = next(place for place, (part, _) in enumerate(headers) if part == ANSWER)
    before, marks = r"^[ \t]*(?:\#+[ \t]*|\d+\.[ \t]*)?\*{0,2}", r"\*{0,2}:?\*{0,2}"
    bracketed = rf"{before}\[\s*{_one_of(names, start=0)}\s*\]{marks}"
    within = rf"\*{{0,2}}\[\s*(?P<_{2 * len(names) + answer}>{names[answer]})\s*\]{marks}"
    alone = before + _one_of(names, start=len(names)) + r"\*{0,2}(?::|[ \t]*$)\*{0,2}"
    return re.compile(f"{bracketed}|{within}|{alone}", re.IGNORECASE | re.MULTILINE)


def _one_of(names: list[str], *, start: int) -> str:
    """Match one of ``names``, each as a group numbered from ``start``."""
    return "(?:" + "|".join(f"(?P<_{place}>{name})" for place, name in enumerate(names, start=start)) + ")"


def _start(text: str) -> str:
    return " ".join(text.split())[:120]
