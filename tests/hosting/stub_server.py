"""Stands in for vLLM: takes its flags, serves ``/health`` and ``/v1/models``, or misbehaves as its first word says.

Words: serve, nameless (serves another name), mute (never serves), die (prints, ends with 3), and stubborn: ignores
SIGTERM, has a child in its own session that does so too and a grandchild that was abandoned, then serves.
Each process writes its number to the file named by STUB_PIDS.
"""

# ruff: noqa: T201 - a process of its own that speaks to its test

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def _note_pid() -> None:
    if path := os.environ.get("STUB_PIDS"):
        with open(path, "a", encoding="utf-8") as file:  # noqa: PTH123 - appending
            file.write(f"{os.getpid()}\n")


def _stubborn_child(*, depth: int) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    subprocess.Popen([sys.executable, __file__, "child", str(depth)], start_new_session=True)


def _child(depth: int) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _note_pid()
    if depth:
        _stubborn_child(depth=depth - 1)
        return  # abandons it
    time.sleep(120)


def _serve(port: int, names: list[str]) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = {"data": [{"id": name} for name in names]} if self.path == "/v1/models" else {}
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


def main() -> None:
    if sys.argv[1] == "child":
        _child(int(sys.argv[2]))
        return
    parser = argparse.ArgumentParser()
    parser.add_argument("how")
    parser.add_argument("--port", type=int)
    parser.add_argument("--served-model-name", nargs="+")
    options, _ = parser.parse_known_args()
    _note_pid()
    print("the stub speaks", *sys.argv[1:3], flush=True)
    if options.how == "die":
        print("RuntimeError: not enough memory", file=sys.stderr, flush=True)
        sys.exit(3)
    if options.how == "mute":
        time.sleep(120)
    if options.how == "stubborn":
        _stubborn_child(depth=0)
        _stubborn_child(depth=1)
    _serve(options.port, ["another"] if options.how == "nameless" else options.served_model_name)


if __name__ == "__main__":
    main()
