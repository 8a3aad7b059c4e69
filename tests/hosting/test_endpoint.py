"""A running server is recognised by what it says it serves."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from clinhallu_gate.errors import BadInput
from clinhallu_gate.hosting.endpoint import check_endpoint

Start = Callable[..., str]


@pytest.fixture
def serve() -> Iterator[Start]:
    """Return a function that starts a server with a fixed reply and returns its address."""
    servers: list[ThreadingHTTPServer] = []

    def start(body: str, *, status: int = 200, location: str = "") -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                right = self.path == "/v1/models"
                self.send_response(status if right else 404)
                if location:
                    self.send_header("Location", location)
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_: object) -> None:
                pass

        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=servers[-1].serve_forever, kwargs={"poll_interval": 0.01}).start()
        return f"http://127.0.0.1:{servers[-1].server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def listing(*names: str) -> str:
    return json.dumps({"object": "list", "data": [{"id": name} for name in names]})


def complaint(url: str, expected: str | None = None) -> str:
    with pytest.raises(BadInput) as caught:
        check_endpoint(url, expected)
    text = str(caught.value)
    assert "\n" not in text
    return text.replace(url, "URL")


@pytest.mark.parametrize("suffix", ["", "/", "/v1", "/v1/"])
def test_the_served_name_is_returned_with_or_without_v1(serve: Start, suffix: str) -> None:
    """The address may be the server's root or OpenAI's base."""
    assert check_endpoint(serve(listing("x", "alias")) + suffix) == "x"


def test_any_of_its_names_is_right(serve: Start) -> None:
    """A server may answer to several names."""
    assert check_endpoint(serve(listing("x", "alias")), "alias") == "alias"


def test_another_model_is_named(serve: Start) -> None:
    """A server of another model is refused, and both are named."""
    assert complaint(serve(listing("x")), "y") == "--endpoint: URL serves 'x', not 'y'."


def test_an_unreachable_server_is_told_in_one_line() -> None:
    """Nobody listens at the address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
        assert complaint(url) == "--endpoint: URL cannot be reached: Connection refused."


def test_a_refusing_server_is_told_with_its_status(serve: Start) -> None:
    """A server that wants a key says so with its status."""
    assert complaint(serve("{}", status=401)) == (
        "--endpoint: URL answers 401 Unauthorized to GET /v1/models; a key is taken from CLINHALLU_GATE_API_KEY."
    )


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("<html>", "is not answered in JSON"),
        ("[]", "is not answered with a list of models"),
        ('{"data": [{}]}', "is not answered with a list of models"),
    ],
)
def test_another_kind_of_server_is_told(serve: Start, body: str, told: str) -> None:
    """A server that does not speak OpenAI's interface is refused with what it got wrong."""
    assert complaint(serve(body)) == f"--endpoint: URL is not an OpenAI-compatible server: GET /v1/models {told}."


def test_a_server_of_nothing_is_refused(serve: Start) -> None:
    """An empty list is no model."""
    assert complaint(serve(listing())) == "--endpoint: URL serves no model."


def test_an_address_without_scheme_is_refused() -> None:
    """A host and port alone is not an address, and file:// is never opened."""
    assert complaint("localhost:8000") == "--endpoint: 'URL' is not an address that starts with http:// or https://."
    assert complaint("file:///etc") == "--endpoint: 'URL' is not an address that starts with http:// or https://."


def test_a_redirect_is_not_followed(serve: Start) -> None:
    """It leads to a host that nobody named, and would take the key along."""
    elsewhere = serve(listing("x"))
    assert complaint(serve("", status=302, location=f"{elsewhere}/v1/models")) == (
        "--endpoint: URL answers 302 Found to GET /v1/models."
    )
