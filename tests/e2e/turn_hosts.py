"""A pytest plugin for commands under test (``-p turn_hosts``): scripted servers stand in for hosted ones.

The model replays gold traces with planted errors, the judge says what the oracle says. Each comes up when it is first
called and goes when it is told to, on another port each time; ``$TURNS`` names the file that tells of it.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from judge_replay import JudgeReplay
from replay import GoldReplay, errors_at

from clinhallu_gate.pipeline import run
from clinhallu_gate.pipeline.hosts import Hosts
from clinhallu_gate.pipeline.prepared import Prepared
from clinhallu_gate.testing import ScriptedServer
from clinhallu_gate.vocabulary import ANSWER, Stage

ERRORS = errors_at({Stage.VISUAL_RECOGNITION: 0.1, Stage.KNOWLEDGE_RECALL: 0.05, ANSWER: 0.1})


@dataclass(eq=False)
class ScriptedHost:
    """Does for a scripted server what ``ModelHost`` does for one of vLLM."""

    name: str
    reply: GoldReplay | JudgeReplay
    up: ScriptedServer | None = None

    def server(self) -> ScriptedServer:
        """Return the server, starting it if need be."""
        if self.up is None:
            self.up = ScriptedServer(reply=self.reply, model=self.name)
            self.up.__enter__()
            self._tell("up")
        return self.up

    def dead(self) -> None:
        """It never dies."""

    def release(self) -> None:
        """End the server; the next one who asks for it starts another."""
        if self.up is not None:
            self.up.close()
            self.up = None
            self._tell("down")

    stop = release

    def _tell(self, word: str) -> None:
        with Path(os.environ["TURNS"]).open("a", encoding="utf-8") as file:
            file.write(f"{self.name} {word}\n")


def hosts_of(prepared: Prepared) -> Hosts:
    """Return hosts for both, whatever addresses were given."""
    assert prepared.judge_model is not None
    model = ScriptedHost(prepared.entry.name, GoldReplay(ERRORS))
    return Hosts(model, ScriptedHost(prepared.judge_model.entry.name, JudgeReplay()))  # type: ignore[arg-type]  # alike


vars(run)["hosts_of"] = hosts_of
