"""Frames drawn in child processes: decoders are written in C, and hostile bytes may crash, fill or stop them.

A child that dies costs its one job; the next gets a new child. What a child answers is never unpickled, what decoders
print is thrown away, and a child leaves no core file. Children end with this process, and of themselves after a job's
time limit.
"""

import signal
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from multiprocessing import connection
from types import TracebackType
from typing import Final, Self, cast

from clinhallu_gate.datasets.dicom.children import Child, Job, Task
from clinhallu_gate.datasets.dicom.drawn import Drawn
from clinhallu_gate.datasets.dicom.refusal import NotDrawable
from clinhallu_gate.errors import BadInput

__all__ = ["Job", "draw_all"]
WORKERS: Final = 2
#: Seconds for one frame; the largest image allowed, with 32 bits, took 16 on two busy cores.
TIME_LIMIT_S: Final = 60.0
#: Bytes that a child may take beyond what it starts with; the largest image allowed took less than 2 GiB.
MEMORY: Final = 3 * 2**30
#: Jobs that a child has got: one in work, and one so that it never waits for us.
_QUEUED: Final = 2
_AHEAD: Final = 8
_TRY: Final = 'python -c "import clinhallu_gate.datasets.dicom.child"'


def draw_all(
    jobs: Iterable[Job], *, workers: int = WORKERS, time_limit_s: float = TIME_LIMIT_S, memory: int = MEMORY
) -> Iterator[Drawn | NotDrawable]:
    """Draw each job's frame in one of ``workers`` child processes; yield pictures and refusals in the jobs' order.

    Jobs are taken from their source a few at a time. Jobs of one file that follow each other read it once per child.

    Args:
        jobs: What is to be drawn.
        workers: Number of child processes; each starts with the first job that it gets.
        time_limit_s: Seconds for one job.
        memory: Bytes that a child may take for its jobs.

    Raises:
        BadInput: If no child can be started at all.
    """
    with _Pool(workers, time_limit_s, memory) as pool:
        yield from pool.drawn(Task(place, job) for place, job in enumerate(jobs))


@dataclass(slots=True)
class _Pool:
    """The children, and what they have answered that is not yet its turn."""

    workers: int
    time_limit_s: float
    memory: int
    _children: list[Child] = field(default_factory=list)
    _taken: int = 0
    _again: deque[Task] = field(default_factory=deque)
    _done: dict[int, Drawn | NotDrawable] = field(default_factory=dict)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for child in self._children:
            child.close()

    def drawn(self, tasks: Iterator[Task]) -> Iterator[Drawn | NotDrawable]:
        turn = 0
        while True:
            self._hand_out(tasks, before=turn + _AHEAD * self.workers)
            if turn in self._done:
                yield self._done.pop(turn)
                turn += 1
            elif any(child.tasks for child in self._children):
                self._listen()
            elif not self._again:
                return

    def _hand_out(self, tasks: Iterator[Task], *, before: int) -> None:
        """Give children that have too little work more, without running far ahead of the first job that is not done."""
        while self._has_room() and (task := self._next(tasks, before)) is not None:
            self._least_busy().give(task)

    def _has_room(self) -> bool:
        return len(self._children) < self.workers or any(len(child.tasks) < _QUEUED for child in self._children)

    def _next(self, tasks: Iterator[Task], before: int) -> Task | None:
        if self._again:
            return self._again.popleft()
        if self._taken >= before or (task := next(tasks, None)) is None:
            return None
        self._taken += 1
        return task

    def _least_busy(self) -> Child:
        """Return an idle child, else a new one while there may be, else the one with the least work."""
        least = min(self._children, key=lambda child: len(child.tasks), default=None)
        if (least is None or least.tasks) and len(self._children) < self.workers:
            least = Child(self.time_limit_s, self.memory)
            self._children.append(least)
        return cast("Child", least)

    def _listen(self) -> None:
        """Wait for answers, and take one of each child that has any."""
        heard = connection.wait([child.end for child in self._children])
        for child in [child for child in self._children if child.end in heard]:
            try:
                answer = child.answer()
            except EOFError:
                self._bury(child)
                continue
            if answer is not None:
                self._done[child.tasks.popleft().place] = answer

    def _bury(self, child: Child) -> None:
        """Refuse the job that a child died of, the second time it does: the first may be another job's fault."""
        status = child.ended()
        self._children.remove(child)
        if not child.ready:
            raise BadInput(f"the process that draws DICOM images ended with {status} as it was started. Try: {_TRY}")
        if not child.tasks:
            return
        first = child.tasks[0]
        if status == -signal.SIGALRM:
            self._done[first.place] = NotDrawable(f"takes longer than {self.time_limit_s:g} seconds to decode")
        elif first.died:
            self._done[first.place] = NotDrawable("makes its decoder crash")
        else:
            first.died = True
            self._again.append(first)
        self._again.extend(task for task in child.tasks if task is not first)
