"""Session fixtures for the suites and for a user's own."""

import pytest

from clinhallu_gate.errors import BadInput, EvaluationFailed
from clinhallu_gate.plugin.exchange import ServerAddress
from clinhallu_gate.plugin.state import KEY
from clinhallu_gate.plugin.view import RunView


@pytest.fixture(scope="session")
def run(pytestconfig: pytest.Config) -> RunView:
    """Verdicts and gates of the run."""
    try:
        return pytestconfig.stash[KEY].view
    except BadInput as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="session")
def model_server(pytestconfig: pytest.Config) -> ServerAddress:
    """The model server of the session: hosted (started now if evaluation did not need it), or the endpoint."""
    try:
        return pytestconfig.stash[KEY].server()
    except (BadInput, EvaluationFailed) as error:
        pytest.fail(str(error), pytrace=False)
