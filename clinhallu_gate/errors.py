"""The errors that the core raises; the plugin and the command line turn them into exit statuses."""

from collections.abc import Iterable
from difflib import get_close_matches


class GateError(Exception):
    """Anything this package raises on purpose."""


class BadInput(GateError):
    """Input that cannot be used: one line that names the file, the key, the value and what is valid (exit 4)."""


class DoesNotHold(GateError):
    """Evidence that can be read and is not what was packed (exit 1)."""


class Incomplete(GateError):
    """Not all of what was asked for could be done; what could be is there (exit 1).

    Args:
        message: One line: how much was done.
        said: What was done, and what was not.
    """

    def __init__(self, message: str, said: str) -> None:
        super().__init__(message)
        self.said = said


class EvaluationFailed(GateError):
    """The evaluation itself could not be completed, whatever the model is like (exit 11).

    Args:
        message: In our own words; it holds no text of the data.
        quoted: What a server, a log or a path said, which may. It goes on where the message ends.
    """

    def __init__(self, message: str, quoted: str = "") -> None:
        super().__init__(f"{message}{quoted}")
        self.message = message


class RequestRefused(EvaluationFailed):
    """A server refused one request itself, which another attempt cannot mend; others may fare better.

    Args:
        message: As above.
        quoted: As above.
        status: The HTTP status of its answer.
    """

    def __init__(self, message: str, quoted: str = "", *, status: int | None = None) -> None:
        super().__init__(message, quoted)
        self.status = status


def about(option: str, text: str) -> str:
    """Return what is wrong with what an option names; what a command takes as an argument has no option.

    >>> about("--data", "rows.csv: does not exist"), about("", "rows.csv: does not exist")
    ('--data: rows.csv: does not exist', 'rows.csv: does not exist')
    """
    return f"{option}: {text}" if option else text


def not_one_of(what: str, value: object, valid: Iterable[str], *, noun: str) -> str:
    """Say that ``value`` is not a ``noun``, with the nearest valid name, or all of them.

    >>> not_one_of("gates[2].metric", "visual_rate", ["visual_hallucination_rate"], noun="a metric")
    "gates[2].metric: 'visual_rate' is not a metric. Did you mean 'visual_hallucination_rate'?"
    """
    names = list(valid)
    near = get_close_matches(str(value), names, n=1, cutoff=0.5)
    hint = f"Did you mean {near[0]!r}?" if near else f"Valid: {', '.join(names)}."
    return f"{what}: {value!r} is not {noun}. {hint}"
