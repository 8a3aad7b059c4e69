"""Measures what engine and store cost: their rate against a bare aiohttp + orjson loop with the same bodies.

Both ask an instant scripted server in its own process, alternately in one run. Prints JSON: the rates (calls per
second), their ratio, and by how much the peak memory grew after the first tenth of the engine's calls (MiB).
"""

import argparse
import asyncio
import json
import random
import resource
import tempfile
import time
from base64 import b64encode
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from clinhallu_gate.address import address
from clinhallu_gate.engine import Engine, HttpEndpoint, Limits, each
from clinhallu_gate.records import Call, ChatRequest, Completion, Image, Message, Sampling
from clinhallu_gate.store import SqliteStore
from clinhallu_gate.testing import ScriptedServer

MODEL = "scripted"
ARMS = ("baseline", "replace_vr", "replace_kr", "replace_vr_kr")
IMAGES = 64
IMAGE_BYTES = range(10_000, 15_000)
SYSTEM = "You read medical images. " + "Describe what is seen, then what is known, then what follows. " * 8
REPLY = (
    "[Visual Recognition] " + "A rounded opacity lies in the left lower zone. " * 6
    + "[Knowledge Recall] " + "An opacity in a lower zone may be a consolidation. " * 4
    + "[Reasoning Integration] The opacity is on the left, hence yes. [Answer] yes"
)  # fmt: skip

After = Callable[[Completion], object]


def nothing(completion: Completion) -> None:
    """Stand where parsing and judging a reply would be."""


@dataclass
class Measured:
    """Calls and seconds of one way of asking, over all rounds."""

    calls: int = 0
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Calls per second."""
        return self.calls / self.seconds


@dataclass
class Load:
    """The calls of a benchmark: four arms per instance, the instances sharing some images of 10 to 15 kB."""

    images: list[Image] = field(default_factory=list)

    def __post_init__(self) -> None:
        draw = random.Random(20)  # noqa: S311 - a load, no secret
        self.images = [Image.from_bytes(draw.randbytes(draw.choice(IMAGE_BYTES))) for _ in range(IMAGES)]
        self._urls = {i.sha256: f"data:image/png;base64,{b64encode(i.data or b'').decode()}" for i in self.images}

    def texts(self, numbers: range) -> Iterator[tuple[Image, str]]:
        """Yield image and question of each call."""
        for number in numbers:
            question = (
                f"Case {number // 4}: is there an opacity in the left lung? Answer in the form of {ARMS[number % 4]}."
            )
            yield self.images[number // 4 % IMAGES], question

    def calls(self, numbers: range) -> Iterator[Call]:
        """Yield the calls, each made when it is drawn, with its address."""
        sampling = Sampling(max_tokens=512)
        for image, text in self.texts(numbers):
            request = ChatRequest((Message("system", (SYSTEM,)), Message("user", (image, text))), sampling)
            yield Call(address("benchmark", request), text[:12], image.sha256, request)

    def bodies(self, numbers: range) -> Iterator[dict[str, Any]]:
        """Yield the same requests as the plain dicts that a bare loop would send."""
        for image, text in self.texts(numbers):
            part = {"type": "image_url", "image_url": {"url": self._urls[image.sha256]}, "uuid": image.sha256}
            user = {"role": "user", "content": [part, {"type": "text", "text": text}]}
            messages = [{"role": "system", "content": SYSTEM}, user]
            yield {"model": MODEL, "messages": messages, "max_tokens": 512, "temperature": 0.0, "top_p": 1.0}


async def with_engine(url: str, store: Path, calls: Iterator[Call], *, in_flight: int, after: After) -> None:
    """Ask through engine and store."""
    async with HttpEndpoint(url, MODEL, timeout_s=60) as endpoint:
        with SqliteStore(store) as kept:
            async with Engine([endpoint], kept, limits=Limits(start=in_flight, maximum=in_flight)) as engine:

                async def ask(call: Call) -> None:
                    reply = await engine.ask(call)
                    assert isinstance(reply, Completion), reply
                    after(reply)

                await each(calls, ask, window=in_flight)


async def bare(url: str, bodies: Iterator[dict[str, Any]], *, in_flight: int) -> None:
    """Ask with nothing but aiohttp and orjson."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def ask() -> None:
            for body in bodies:
                headers = {"Content-Type": "application/json"}
                async with session.post(
                    f"{url}/v1/chat/completions", data=orjson.dumps(body), headers=headers
                ) as reply:
                    answer = orjson.loads(await reply.read())
                    assert answer["choices"][0]["message"]["content"] == REPLY

        await asyncio.gather(*(ask() for _ in range(in_flight)))


def timed(measured: Measured, calls: int, work: Awaitable[None]) -> None:
    """Run ``work`` and add it up."""

    async def run() -> None:
        await work

    began = time.perf_counter()
    asyncio.run(run())
    measured.seconds += time.perf_counter() - began
    measured.calls += calls


def peak_mib() -> float:
    """Return the peak resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(*, calls: int, in_flight: int, rounds: int, after: After = nothing) -> dict[str, Any]:
    """Alternate both ways over ``rounds`` slices of the calls; ``after`` gets every reply of the engine's."""
    load, engine, loop = Load(), Measured(), Measured()
    bounds = [calls * n // rounds for n in range(rounds + 1)]
    with ScriptedServer(reply=REPLY, model=MODEL, process=True) as server, tempfile.TemporaryDirectory() as folder:
        store, url = Path(folder) / "store.sqlite", server.base_url
        timed(Measured(), 500, bare(url, load.bodies(range(-500, 0)), in_flight=in_flight))  # warms the server up
        first = range(-max(500, calls // 10), 0)
        timed(Measured(), 1, with_engine(url, store, load.calls(first), in_flight=in_flight, after=after))
        settled = peak_mib()
        for start, stop in pairwise(bounds):
            numbers = range(start, stop)
            work = with_engine(url, store, load.calls(numbers), in_flight=in_flight, after=after)
            timed(engine, len(numbers), work)
            timed(loop, len(numbers), bare(url, load.bodies(numbers), in_flight=in_flight))
        with SqliteStore(store) as kept:
            assert len(kept) == calls + len(first), "a reply is missing in the store"
    return {
        "calls": calls,
        "in_flight": in_flight,
        "engine_per_s": round(engine.rate, 1),
        "bare_per_s": round(loop.rate, 1),
        "ratio": round(engine.rate / loop.rate, 3),
        "peak_growth_mib": round(peak_mib() - settled, 1),
    }


def main() -> None:
    """Read the options, measure, print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--calls", type=int, default=28_124)
    options.add_argument("--in-flight", type=int, default=128)
    options.add_argument("--rounds", type=int, default=4)
    chosen = options.parse_args()
    print(json.dumps(measure(calls=chosen.calls, in_flight=chosen.in_flight, rounds=chosen.rounds)))


if __name__ == "__main__":
    main()
