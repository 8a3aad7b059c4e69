"""Enable the gate for this checkout; suites elsewhere do the same in a conftest of their own."""

pytest_plugins = ["clinhallu_gate.plugin"]
