"""The pytest plugin: instances and gates become tests, evaluation comes before the first, the exit status decides."""

from clinhallu_gate.plugin.fixtures import model_server, run
from clinhallu_gate.plugin.hooks import (
    pytest_addoption,
    pytest_collection,
    pytest_collection_finish,
    pytest_configure,
    pytest_configure_node,
    pytest_generate_tests,
    pytest_runtest_makereport,
    pytest_runtestloop,
    pytest_sessionfinish,
    pytest_sessionstart,
    pytest_terminal_summary,
    pytest_unconfigure,
    pytest_xdist_node_collection_finished,
    pytest_xdist_setupnodes,
)

__all__ = [
    "model_server",
    "pytest_addoption",
    "pytest_collection",
    "pytest_collection_finish",
    "pytest_configure",
    "pytest_configure_node",
    "pytest_generate_tests",
    "pytest_runtest_makereport",
    "pytest_runtestloop",
    "pytest_sessionfinish",
    "pytest_sessionstart",
    "pytest_terminal_summary",
    "pytest_unconfigure",
    "pytest_xdist_node_collection_finished",
    "pytest_xdist_setupnodes",
    "run",
]
