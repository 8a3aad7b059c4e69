"""The load of the benchmarks: phantom instances in any number, and the replies of a model that reads them well."""

import io
import random
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from PIL import Image as PilImage

from clinhallu_gate.datasets.phantom.atlas import STRATA, STRATUM
from clinhallu_gate.datasets.phantom.draw import Array, draw, to_bytes
from clinhallu_gate.datasets.phantom.generate import as_instance, study_questions
from clinhallu_gate.datasets.phantom.plant import Error, planted_text
from clinhallu_gate.datasets.phantom.study import random_study
from clinhallu_gate.judge.oracle import phantom_of
from clinhallu_gate.protocol.load import load_protocol
from clinhallu_gate.protocol.spec import Protocol
from clinhallu_gate.records import Image, Instance
from clinhallu_gate.testing import Request, ScriptedReply
from clinhallu_gate.vocabulary import ANSWER, Part, Stage

#: Of the benchmark that the gate is made for: its instances, and the calls of its four arms.
INSTANCES: Final = 7_031
CALLS: Final = 4 * INSTANCES
_DRAWN: Final = 16
"""Pictures drawn per stratum; drawing thousands would take minutes and change no figure."""
_CASE: Final = re.compile(r"\(case (\d+)\)")
_PLANTED: Final[Mapping[Part, Error]] = {
    Stage.VISUAL_RECOGNITION: Error.INVENTED_FINDING,
    Stage.KNOWLEDGE_RECALL: Error.WRONG_RULE,
    Stage.REASONING_INTEGRATION: Error.NON_SEQUITUR,
    ANSWER: Error.WRONG_ANSWER,
}


def instances(number: int) -> tuple[Instance, ...]:
    """Return ``number`` instances: studies, questions and gold traces as the generator draws them, all distinct.

    Each study has one picture of 10 to 15 kB (grey PNG), with bytes of its own though few were drawn. Each question
    bears a case number, so that no two requests are the same and the scripted model knows what it is asked.
    """
    pictures = {stratum.name: _pictures(stratum.name) for stratum in STRATA}
    made: list[Instance] = []
    while len(made) < number:
        stratum = STRATA[len(made) // 3 % len(STRATA)]
        rng = random.Random(f"benchmark:{len(made)}")  # noqa: S311 - a load, no secret
        study = random_study(stratum, rng)
        # PNG readers ignore what follows the end of the picture.
        image = Image.from_bytes(rng.choice(pictures[stratum.name]) + b"%d" % len(made))
        for place, question in enumerate(study_questions(study, len(made), rng)):
            drawn = as_instance(f"{stratum.name}-{len(made) - place:05d}-{place}", study, question, (image,), rng)
            made.append(replace(drawn, question=f"{drawn.question} (case {len(made)})"))
    return tuple(made[:number])


def _pictures(stratum: str) -> list[bytes]:
    rng = random.Random(stratum)  # noqa: S311 - as above
    return [_grey(draw(random_study(STRATUM[stratum], rng), rng)[0]) for _ in range(_DRAWN)]


def _grey(picture: Array) -> bytes:
    buffer = io.BytesIO()
    PilImage.fromarray(to_bytes(picture)).convert("L").save(buffer, "PNG")
    return buffer.getvalue()


@dataclass(frozen=True)
class Replies:
    """A reply function for ``ScriptedServer``: the written traces, from the part that a request asks for first."""

    traces: Sequence[str]
    """By case number."""

    def __call__(self, request: Request) -> ScriptedReply:
        """Return the trace, from the header with which the prompt ends."""
        said = next(part["text"] for part in request.messages[1]["content"] if part["type"] == "text")
        case = _CASE.search(said)
        assert case is not None, said
        trace, header = self.traces[int(case[1])], said[said.rindex("[") :].rstrip(".")
        return ScriptedReply(trace[trace.index(header) :], prompt_tokens=300, completion_tokens=100)


def replies(those: Iterable[Instance], *, wrong: float = 0.0) -> Replies:
    """Return replies that repeat the gold traces, with an error in a share ``wrong`` of each part."""
    protocol = load_protocol("standard")
    rng = random.Random("replies")  # noqa: S311 - as above
    return Replies([_trace(protocol, instance, wrong, rng) for instance in those])


def _trace(protocol: Protocol, instance: Instance, wrong: float, rng: random.Random) -> str:
    headers = protocol.trace.headers
    stages = [f"{headers[stage]}\n{_text(instance, stage, wrong, rng)}\n\n" for stage in Stage]
    return "".join(stages) + f"{headers[ANSWER]} {_text(instance, ANSWER, wrong, rng)}"


def _text(instance: Instance, part: Part, wrong: float, rng: random.Random) -> str:
    if rng.random() < wrong:
        phantom = phantom_of(instance)
        text = planted_text(_PLANTED[part], phantom.study, phantom.question, rng)
        assert text is not None, "these errors can be planted in any study"
        return text
    if part == ANSWER:
        return instance.answer
    # The model's own description must not be the gold one, or the arms that are given either ask the same.
    own = f" It is a {STRATUM[instance.stratum].modality}." if part == Stage.VISUAL_RECOGNITION else ""
    return f"{instance.gold.text(Stage(part))}{own}"
