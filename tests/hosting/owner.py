"""Owns a hosted stub server and waits to be ended: ``owner.py HOW LOG GRACE``. Says ``ready`` with its supervisor."""

# ruff: noqa: T201 - a process of its own that speaks to its test

import sys
import time
from pathlib import Path

from clinhallu_gate.config import ModelEntry
from clinhallu_gate.hosting import server as hosting

hosting._GRACE_S = float(sys.argv[3])
stub = [sys.executable, str(Path(__file__).with_name("stub_server.py")), sys.argv[1]]
entry = ModelEntry(name="stub", source="org/stub", startup_timeout_s=30)
server = hosting.start_server(entry, log_path=Path(sys.argv[2]), command=stub)
try:
    server.wait_ready()
    print("ready", server.process_ids[0], flush=True)
    time.sleep(120)
except KeyboardInterrupt:
    print("interrupted", "dead" if server.dead() else "alive", flush=True)
    server.stop()
    print("stopped", flush=True)
