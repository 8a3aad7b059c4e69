"""An OpenAI-compatible server that already runs: is it there, and does it serve the right model."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any, Final

from clinhallu_gate.errors import BadInput

#: Environment variable with the key of a protected endpoint.
API_KEY: Final = "CLINHALLU_GATE_API_KEY"
#: The same for an endpoint of the judge: one server's key is not shown to another.
JUDGE_API_KEY: Final = "CLINHALLU_GATE_JUDGE_API_KEY"
_WANT_KEY: Final = (401, 403)


@dataclass(frozen=True, slots=True)
class Access:
    """How an endpoint was named, and what opens it."""

    option: str = "--endpoint"
    variable: str = API_KEY
    """Environment variable that its key is taken from."""
    key: str | None = field(default=None, repr=False)
    """Sent as a bearer token; never part of a message."""

    def hide(self, text: str) -> str:
        """Return ``text`` without the key: servers repeat what they refuse."""
        return text.replace(self.key, "***") if self.key else text


MODEL_ACCESS: Final = Access()


def root_url(url: str, access: Access = MODEL_ACCESS) -> str:
    """Return ``http://host:port`` (and any path before ``/v1``), whether or not ``url`` ends in ``/v1``.

    Raises:
        BadInput: ``url`` is not an HTTP address, or holds more than one.
    """
    if "@" in url or "?" in url:
        raise BadInput(
            f"{access.option}: holds more than an address (not shown, as it may be a key). "
            f"Valid: http://HOST:PORT; a key is taken from {access.variable}."
        )
    if not url.startswith(("http://", "https://")):
        raise BadInput(f"{access.option}: {url!r} is not an address that starts with http:// or https://.")
    return url.rstrip("/").removesuffix("/v1").rstrip("/")


def served_models(url: str, *, timeout_s: float = 10.0, api_key: str | None = None) -> list[str]:
    """Return the names that the server answers to, the first being its main one.

    Raises:
        OSError: The server cannot be reached or refuses the request.
        ValueError: The reply is not the list of models that OpenAI's interface prescribes.
    """
    return list(_names(json.loads(_get(root_url(url) + "/v1/models", timeout_s, api_key))))


def check_health(url: str, *, timeout_s: float = 5.0) -> None:
    """Return if vLLM says that its engine is alive.

    Raises:
        OSError: The server cannot be reached, or says otherwise.
        ValueError: It does not speak HTTP.
    """
    _get(root_url(url) + "/health", timeout_s, None)


def check_endpoint(url: str, expected_model: str | None = None, *, access: Access = MODEL_ACCESS) -> str:
    """Return the name under which the server at ``url`` serves the model.

    Args:
        url: The address, with or without ``/v1``.
        expected_model: The name it has to serve; None takes the first it names.
        access: How the endpoint was named, and its key.

    Raises:
        BadInput: The server cannot be reached, is no such server, or serves another model.
    """
    names = _served_or_complain(url, access)
    if expected_model is None:
        return names[0]
    if expected_model not in names:
        raise BadInput(f"{access.option}: {url} serves {', '.join(map(repr, names))}, not {expected_model!r}.")
    return expected_model


def _served_or_complain(url: str, access: Access) -> list[str]:
    root = root_url(url, access)
    try:
        names = served_models(root, api_key=access.key)
    except urllib.error.HTTPError as error:
        hint = f"; a key is taken from {access.variable}" if error.code in _WANT_KEY else ""
        said = access.hide(f"{error.code} {error.reason}")
        raise BadInput(f"{access.option}: {url} answers {said} to GET /v1/models{hint}.") from error
    except OSError as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise BadInput(f"{access.option}: {url} cannot be reached: {_words(reason)}.") from error
    except ValueError as error:
        raise BadInput(
            f"{access.option}: {url} is not an OpenAI-compatible server: GET /v1/models {_words(error)}."
        ) from error
    if not names:
        raise BadInput(f"{access.option}: {url} serves no model.")
    return names


def _get(address: str, timeout_s: float, api_key: str | None) -> bytes:
    headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
    request = urllib.request.Request(address, headers=headers)  # noqa: S310 - root_url checked it
    try:
        with _direct().open(request, timeout=timeout_s) as reply:
            content: bytes = reply.read()
    except urllib.error.HTTPError as error:
        error.close()  # it holds the connection, for as long as someone holds the error
        raise
    except HTTPException as error:
        raise ValueError(f"is not answered in HTTP ({type(error).__name__})") from error
    return content


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Leaves a redirect what it is, another answer than was wanted: it may lead to a host that nobody named."""

    def redirect_request(self, *_: Any) -> None:  # noqa: ANN401 - urllib's own signature is wider
        """Follow to nowhere."""


def _direct() -> urllib.request.OpenerDirector:
    """Return an opener that asks the address itself: a proxy of the environment would answer for a dead server."""
    return urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect)


def _names(content: Any) -> Iterator[str]:  # noqa: ANN401 - JSON of a stranger
    try:
        for model in content["data"]:
            yield str(model["id"])
    except (TypeError, KeyError) as error:
        raise ValueError("is not answered with a list of models") from error


def _words(reason: object) -> str:
    if isinstance(reason, json.JSONDecodeError | UnicodeDecodeError):
        return "is not answered in JSON"
    return (reason.strerror if isinstance(reason, OSError) else None) or str(reason) or type(reason).__name__
