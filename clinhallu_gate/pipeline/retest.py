"""Ask the judge some questions twice: how far it agrees with itself."""

import hashlib
from typing import Final

from clinhallu_gate.engine.window import each
from clinhallu_gate.judge.llm import LlmJudge
from clinhallu_gate.judge.match import is_matched
from clinhallu_gate.records import Instance, Judged, Reading, Verdict
from clinhallu_gate.results import Results, Retest

#: Judgements that are asked for once more.
SAMPLE: Final = 100
_WINDOW: Final = 64


async def retest_judge(judge: LlmJudge, results: Results, *, seed: str) -> Retest:
    """Ask for up to ``SAMPLE`` judgements of the run once more, drawn at random by ``seed``; equal texts once.

    What was matched exactly is not among them: nobody was asked.
    """
    asked = [
        (instance, reading, verdict)
        for instance, reading, verdict in results.rows()
        if isinstance(verdict, Judged) and not reading.repeat and not is_matched(verdict)
    ]
    drawn = sorted(asked, key=lambda row: hashlib.sha256(f"{seed}/{row[0].uid}/{row[1]}".encode()).digest())[:SAMPLE]
    again: list[tuple[Judged, Verdict]] = []

    async def put(row: tuple[Instance, Reading, Judged]) -> None:
        instance, reading, verdict = row
        text = results.found[instance.uid].texts[reading]
        again.append((verdict, await judge.again(instance, reading.part, text)))

    await each(drawn, put, window=_WINDOW)
    judged = [(first, then) for first, then in again if isinstance(then, Judged)]
    return Retest(
        asked=len(again),
        judged=len(judged),
        flipped=sum(first.outcome is not then.outcome for first, then in judged),
    )
