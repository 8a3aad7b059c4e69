"""What a session's exit status is when several things have something to say."""

from types import SimpleNamespace
from typing import cast

import pytest

from clinhallu_gate.gate.release import Release
from clinhallu_gate.pipeline.run import Run
from clinhallu_gate.plugin.controller import SPOKEN_FOR, ControllerState


def state_with(release: int | None, *, others_failed: bool = False) -> ControllerState:
    """Return a state whose run came to ``release``; None if there was no run."""
    state = ControllerState(cast("pytest.Config", SimpleNamespace()))
    state.others_failed = others_failed
    if release is not None:
        state.run = cast("Run", SimpleNamespace(release=Release(None, release, "")))
    return state


@pytest.mark.parametrize(
    ("pytests", "release", "others_failed", "status"),
    [
        (0, 0, False, 0),
        (1, 1, False, 1),
        (1, 10, False, 10),
        (0, 10, False, 10),
        (1, 11, False, 11),
        (1, 0, True, 1),
        (1, 10, True, 1),
        (1, 11, True, 11),
        (11, 11, False, 11),
        (11, 0, False, 11),
    ],
)
def test_precedence_among_ours(pytests: int, release: int, others_failed: bool, status: int) -> None:  # noqa: FBT001 - a table
    """An evaluation that was not completed comes before a failure, a failure before no decision."""
    assert state_with(release, others_failed=others_failed).exit_status(pytests) == status


@pytest.mark.parametrize("release", [0, 1, 10, 11])
@pytest.mark.parametrize("pytests", [2, 3, 4, 5, 6, 7])
def test_what_others_say_stands(pytests: int, release: int) -> None:
    """Usage error, interruption, internal error and any status of another plugin stand, whatever the run came to."""
    assert state_with(release, others_failed=True).exit_status(pytests) == pytests


def test_a_released_model_hides_no_failure() -> None:
    """If pytest counted a failure that nobody remembers, the session fails all the same."""
    assert state_with(0).exit_status(1) == 1


@pytest.mark.parametrize("pytests", range(7))
def test_without_a_model_nothing_is_changed(pytests: int) -> None:
    """Where no model is named, all ends as pytest says."""
    assert state_with(None, others_failed=True).exit_status(pytests) == pytests


def test_a_gates_own_failure_is_not_counted_twice() -> None:
    """The failure that a gate's check raised is in the release decision; any other failure counts for itself."""
    state = state_with(10)
    state.pytest_runtest_logreport(cast("pytest.TestReport", SimpleNamespace(failed=True, **{SPOKEN_FOR: True})))
    assert state.exit_status(1) == 10
    state.pytest_runtest_logreport(cast("pytest.TestReport", SimpleNamespace(failed=True)))
    assert state.exit_status(1) == 1


def test_what_could_not_be_collected_is_a_failure() -> None:
    """A module that does not import cannot hide behind a PASS with ``--continue-on-collection-errors``."""
    state = state_with(0)
    state.pytest_collectreport(cast("pytest.CollectReport", SimpleNamespace(failed=True)))
    assert state.exit_status(1) == 1
