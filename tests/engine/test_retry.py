"""When a call is tried again, and after how long."""

from hypothesis import given
from hypothesis import strategies as st

from clinhallu_gate.engine import RetryPolicy
from clinhallu_gate.ports import TransportFault
from clinhallu_gate.testing import a_call

FAULT = TransportFault("HTTP 503", status=503)


@given(key=st.text(), attempt=st.integers(1, 7))
def test_backoff_doubles_within_its_jitter(key: str, attempt: int) -> None:
    """Each wait is half to all of the exponential step, and never more than the cap."""
    wait = RetryPolicy().wait_s(a_call(key=key), FAULT, attempt=attempt, spent_s=0)
    step = min(30.0, 0.5 * 2 ** (attempt - 1))
    assert wait is not None
    assert step / 2 <= wait <= step


def test_jitter_repeats_but_differs_between_calls() -> None:
    """The same call waits the same in every run; a hundred calls do not come back in step."""
    policy = RetryPolicy()
    waits = [policy.wait_s(a_call(key=str(n)), FAULT, attempt=1, spent_s=0) for n in range(100)]
    assert waits == [policy.wait_s(a_call(key=str(n)), FAULT, attempt=1, spent_s=0) for n in range(100)]
    assert len(set(waits)) > 90


def test_retry_after_is_the_least_that_is_waited() -> None:
    """A server's own word counts more than the backoff."""
    asked = TransportFault("HTTP 429", status=429, retry_after_s=45.0)
    assert RetryPolicy().wait_s(a_call(), asked, attempt=1, spent_s=0) == 45.0


def test_it_gives_up_at_last() -> None:
    """After the last attempt, beyond the patience, or where no retry can help."""
    policy = RetryPolicy(attempts=3, patience_s=100)
    refused = TransportFault("HTTP 400", status=400, retryable=False)
    later = TransportFault("HTTP 429", status=429, retry_after_s=101.0)
    assert policy.wait_s(a_call(), FAULT, attempt=3, spent_s=0) is None
    assert policy.wait_s(a_call(), FAULT, attempt=1, spent_s=100) is None
    assert policy.wait_s(a_call(), later, attempt=1, spent_s=0) is None
    assert policy.wait_s(a_call(), refused, attempt=1, spent_s=0) is None
