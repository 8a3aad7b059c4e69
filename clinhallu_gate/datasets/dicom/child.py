"""What runs in a child process of ``isolated``: one job after the other, within limits."""

import json
import resource
import signal
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

from pydicom import Dataset

from clinhallu_gate.datasets.dicom.drawing import draw, read
from clinhallu_gate.datasets.dicom.drawn import Drawn
from clinhallu_gate.datasets.dicom.refusal import NotDrawable

_STATM: Final = Path("/proc/self/statm")


@dataclass(slots=True)
class _Last:
    """The file that was read last: films are drawn frame by frame."""

    path: str = ""
    header: Dataset | None = None

    def read(self, path: str) -> Dataset:
        if self.header is None or path != self.path:
            self.header = None
            self.path, self.header = path, read(Path(path))
        return self.header


def serve(descriptor: int, time_limit_s: float, memory: int) -> None:
    """Draw jobs until the other end is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    _limit(memory)
    last = _Last()
    with Connection(descriptor) as end, suppress(EOFError, OSError):
        end.send_bytes(b"{}")
        while True:
            path, frame, window = json.loads(end.recv_bytes())
            # Kills this process, also inside a decoder.
            signal.setitimer(signal.ITIMER_REAL, time_limit_s)
            answer = _answer(last, path, frame, window)
            signal.setitimer(signal.ITIMER_REAL, 0)
            _send(end, answer)


def _answer(last: _Last, path: str, frame: int, window: str | None) -> Drawn | NotDrawable:
    try:
        return draw(last.read(path), frame, window)
    except NotDrawable as refused:
        return refused
    except MemoryError:
        last.header = None
        return NotDrawable("takes more memory to decode than is allowed")


def _send(end: Connection, answer: Drawn | NotDrawable) -> None:
    if isinstance(answer, NotDrawable):
        end.send_bytes(json.dumps({"refused": str(answer)}).encode())
        return
    end.send_bytes(json.dumps({"window": answer.window, "steps": answer.steps}).encode())
    end.send_bytes(answer.png)


def _limit(memory: int) -> None:
    """Bound the address space, and leave no core file: it would hold a patient's pixels."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if _STATM.exists():
        taken = int(_STATM.read_text("ascii").split()[0]) * resource.getpagesize()
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_AS, (taken + memory, taken + memory))
