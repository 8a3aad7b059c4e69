"""A child process that draws frames, seen from the process that started it."""

import json
import os
import subprocess
import sys
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import connection
from pathlib import Path
from typing import Final

from clinhallu_gate.datasets.dicom.drawn import Drawn
from clinhallu_gate.datasets.dicom.refusal import NotDrawable

_BOOT: Final = (
    "import sys, json; sys.path[:] = json.loads(sys.argv[1]); "
    "from clinhallu_gate.datasets.dicom.child import serve; "
    "serve(int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]))"
)
#: Libraries of numpy that would reserve memory for threads nobody uses.
_ONE_THREAD: Final = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


@dataclass(frozen=True, slots=True)
class Job:
    """One frame to be drawn: see ``drawing.draw``."""

    path: Path
    frame: int = 0
    window: str | None = None


@dataclass(slots=True)
class Task:
    """A job, its place in the order, and whether a child has died of it once."""

    place: int
    job: Job
    died: bool = False


class Child:
    """One child process and the jobs that it has got."""

    def __init__(self, time_limit_s: float, memory: int) -> None:
        self.end, theirs = connection.Pipe()
        limits = [str(theirs.fileno()), str(time_limit_s), str(memory)]
        try:
            self._process = subprocess.Popen(  # noqa: S603 - this interpreter, and code of ours
                [sys.executable, "-c", _BOOT, json.dumps(sys.path), *limits],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={**os.environ, **_ONE_THREAD},
            )
        finally:
            theirs.close()
        self.tasks: deque[Task] = deque()
        self.ready = False

    def give(self, task: Task) -> None:
        """Add a job to those that it has got."""
        self.tasks.append(task)
        # A child that has died is found dead when its answers are read.
        with suppress(OSError):
            self.end.send_bytes(json.dumps([str(task.job.path), task.job.frame, task.job.window]).encode())

    def answer(self) -> Drawn | NotDrawable | None:
        """Return what it says of its first job, or None if it says that it is ready. Raises ``EOFError`` if it died."""
        try:
            said = json.loads(self.end.recv_bytes())
            if "refused" in said:
                return NotDrawable(said["refused"])
            if "window" in said:
                return Drawn(self.end.recv_bytes(), said["window"], tuple(said["steps"]))
        except OSError:
            raise EOFError from None
        self.ready = True
        return None

    def close(self) -> int:
        """End it; return how it ended."""
        self.end.close()
        self._process.kill()
        return self._process.wait()

    def ended(self) -> int:
        """Return how a child that closed its end has ended."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=1)
        return self.close()
