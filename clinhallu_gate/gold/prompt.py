"""What a model is asked that drafts gold, and how its reply is read: data beside this file, versioned and hashed."""

import hashlib
import unicodedata
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.resources import files
from typing import Final

import yaml

from clinhallu_gate.judge.match import match_answer
from clinhallu_gate.protocol.render import compiled, options_to_tell
from clinhallu_gate.protocol.spec import JudgeSpec, Protocol, SamplingSpec, TraceSpec
from clinhallu_gate.records import ChatRequest, Completion, Failed, GoldTrace, Instance, Message, Record
from clinhallu_gate.trace import parse
from clinhallu_gate.vocabulary import ANSWER, Arm, Stage

_HOME: Final = files("clinhallu_gate.gold")
_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_JOINERS: Final = "\u200c\u200d"
"""Hidden characters that some scripts are not written without."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What was read from a reply."""

    gold: GoldTrace | None
    trouble: str = ""
    """Why there is no draft; it quotes nobody."""
    warning: str = ""
    """What a reviewer should look at first."""
    lost: bool = False
    """Whether the server gave no reply, so that the same command may help."""
    unread: bool = False
    """Whether there was a reply that cannot be read."""


class DraftPrompt(Record):
    """The prompt as its file says it, with the texts of its templates."""

    name: str
    version: int
    system: str
    user: str
    sampling: SamplingSpec
    trace: TraceSpec

    @cached_property
    def sha256(self) -> str:
        """Digest of all of it."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    def request(self, instance: Instance, report: str, template_kwargs: dict[str, object]) -> ChatRequest:
        """Return what is asked: the row's texts and its report; no image."""
        headers = self.trace.headers
        user = compiled(self.user).render(
            question=instance.question,
            options=options_to_tell(instance),
            answer=instance.answer,
            report=report,
            headers=headers,
        )
        system = compiled(self.system).render(headers=headers)
        return ChatRequest(
            messages=(Message("system", (system.strip(),)), Message("user", (user.strip(),))),
            sampling=self.sampling.record,
            chat_template_kwargs=template_kwargs,
        )

    def read(self, instance: Instance, reply: Completion) -> Draft:
        """Read the three stages of a reply, or say why that cannot be done."""
        parts = parse(self._as_protocol, Arm.BASELINE, reply).parts
        failed = {stage: found.reason for stage in Stage if isinstance(found := parts[stage], Failed)}
        if failed:
            named = ", ".join(f"{stage} {reason.value}" for stage, reason in failed.items())
            return Draft(None, f"the reply cannot be read: {named}", unread=True)
        gold = GoldTrace(**{stage.value: cleaned(str(parts[stage])) for stage in Stage})
        said = parts[ANSWER]
        matched = match_answer(instance, said) if isinstance(said, str) else None
        warning = "the draft ends in another answer than the row's" if matched is not None and matched.bad else ""
        return Draft(gold, warning=warning)

    @cached_property
    def _as_protocol(self) -> Protocol:
        """What says how a trace is read."""
        return Protocol(
            name=self.name,
            system=self.system,
            user=self.user,
            given="continuation",
            sampling=self.sampling,
            trace=self.trace,
            arms={Arm.BASELINE: {}},
            judge=JudgeSpec(sampling=self.sampling),
        )


@lru_cache(maxsize=1)
def draft_prompt() -> DraftPrompt:
    """Return the packaged prompt."""
    data = yaml.safe_load((_HOME / "draft.yaml").read_text("utf-8"))
    texts = {key: (_HOME / data[key]).read_text("utf-8") for key in ("system", "user")}
    return DraftPrompt(**{**data, **texts})


def cleaned(text: str) -> str:
    r"""Return a text without characters that hide, reorder or steer; line ends stay.

    >>> cleaned("left\u202e lung\x00\tclear")
    'left lung clear'
    """
    lines = (" ".join(_plain(line).split()) for line in text.splitlines())
    return "\n".join(lines).strip()


def _plain(line: str) -> str:
    spaced = line.replace("\t", " ")
    return "".join(c for c in spaced if c in _JOINERS or unicodedata.category(c) not in _HIDDEN)
