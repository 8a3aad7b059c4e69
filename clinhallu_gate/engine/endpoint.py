"""A model behind an OpenAI-compatible HTTP address."""

from io import BytesIO
from time import perf_counter
from typing import Final, Self

import aiohttp
from yarl import URL

from clinhallu_gate.engine import wire
from clinhallu_gate.engine.images import ImageParts
from clinhallu_gate.ports import TransportFault
from clinhallu_gate.records import Call, Completion

#: Shorter than the 5 s after which uvicorn closes an idle connection, so that no request races with the closing.
KEEPALIVE_S: Final = 3.0
_OK: Final = 200
_SENT_AT_ONCE: Final = 2**20
"""Bytes; a longer body, as of a radiograph, is sent piece by piece, so that it holds up no other call."""


class HttpEndpoint:
    """Implements ``ports.Endpoint`` for one server. Use as an async context manager, or ``await close()``.

    Args:
        base_url: ``http://host:port``, with or without ``/v1`` at the end; of an API all that stands before
            ``/chat/completions``.
        model: The name under which the server serves the model.
        timeout_s: For a whole attempt, queueing in the server included.
        api_key: Sent as a bearer token.
        api: A provider's interface, which may refuse what only vLLM knows (an image's ``uuid``).
    """

    def __init__(
        self, base_url: str, model: str, *, timeout_s: float, api_key: str | None = None, api: bool = False
    ) -> None:
        base = base_url.rstrip("/")
        self._url = URL((base if api else base.removesuffix("/v1") + "/v1") + "/chat/completions")
        self._model = model
        self._secret = api_key
        self._timeout_s = timeout_s
        self._headers = {"Content-Type": "application/json"}
        if api_key is not None:
            self._headers["Authorization"] = f"Bearer {api_key}"
        self._encode = ImageParts(named=not api)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _opened(self) -> aiohttp.ClientSession:
        """Return the session, made at the first call because aiohttp wants a running loop. The engine bounds it."""
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEPALIVE_S)
            timeout = aiohttp.ClientTimeout(total=self._timeout_s)
            self._session = aiohttp.ClientSession(
                connector=connector, timeout=timeout, headers=self._headers, cookie_jar=aiohttp.DummyCookieJar()
            )
        return self._session

    async def send(self, call: Call) -> Completion:
        """Try once.

        Raises:
            TransportFault: For whatever is not a finished reply; not retryable where the request itself was refused.
            EvaluationFailed: An image cannot be read.
        """
        body = wire.body(self._model, call.request, self._encode)
        data = body if len(body) <= _SENT_AT_ONCE else BytesIO(body)
        began = perf_counter()
        try:
            async with self._opened().post(self._url, data=data, allow_redirects=False) as response:
                raw = await response.read()
        except TimeoutError as error:
            raise TransportFault(f"no reply within {self._timeout_s:g} s") from error
        except (aiohttp.ClientError, OSError) as error:
            raise TransportFault(f"{type(error).__name__}: {error}") from error
        latency_s = perf_counter() - began
        if self._secret is not None:  # some servers repeat the key that they refuse; nothing may keep it
            raw = raw.replace(self._secret.encode(), b"***")
        if response.status != _OK:
            raise wire.fault(response.status, raw, retry_after=response.headers.get("Retry-After"))
        return wire.completion(raw, latency_s=latency_s)
