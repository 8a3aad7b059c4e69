"""Starts vLLM's server module, sooner than ``python -m`` does. A script; imports vLLM only when run.

Starting a server of a small model on the CPU is importing: three processes, one after the other, read some 5,600
modules each (13 of 15 s of processor time). The garbage collector takes a seventh of that looking at objects that all
stay alive, so it is told to look less often. This file is the main module of vLLM's child processes too, so the same
holds there, and they do not import the HTTP server, as they would if it were the main module.
"""

import gc
import runpy

gc.set_threshold(100_000, 20, 50)

if __name__ == "__main__":
    runpy.run_module("vllm.entrypoints.openai.api_server", run_name="__main__")
