"""Whom data of patients may be sent to: this machine and hosts that were named, however an address is dressed up."""

import socket

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from yarl import URL

from clinhallu_gate.egress import Host, allowed_host, demand_allowed, host_of, is_here
from clinhallu_gate.errors import BadInput


def complaint(url: str, *allow: str, option: str = "--endpoint") -> str:
    with pytest.raises(BadInput) as caught:
        demand_allowed(url, allow, option=option)
    text = str(caught.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8000",
        "http://127.3.2.1",
        "http://localhost:8000/v1",
        "http://LOCALHOST/v1",
        "https://[::1]:8000",
        "http://[0:0:0:0:0:0:0:1]",
        "http://[::ffff:127.0.0.1]:8000",
        "dicomweb+http://127.0.0.1:8042/dicom-web",
    ],
)
def test_this_machine_needs_no_leave(url: str) -> None:
    """Loopback addresses in any spelling that has one reading, and localhost."""
    demand_allowed(url, ())


@pytest.mark.parametrize(
    "url",
    [
        "http://gpu7:8000",
        "http://10.0.0.7",
        "http://0.0.0.0:8000",
        "http://[::]:8000",
        "http://[::127.0.0.1]",
        "http://[::ffff:10.0.0.7]",
        "http://[64:ff9b::7f00:1]",
        "http://[fe80::1]",
        "http://127.0.0.1.evil.org",
        "http://localhost.evil.org",
        "http://model.localhost",
        "http://api.openai.com/v1",
        "http://xn--lcalhost-9za",
    ],
)
def test_another_machine_is_refused(url: str) -> None:
    """Also names that only begin like this machine, and addresses that stand for all of its interfaces."""
    assert "is not this machine, and the data are of patients (phi)" in complaint(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1@evil.org",
        "http://evil.org@127.0.0.1",
        "http://user:secret@gpu7",
        "http://127.1:8000",
        "http://2130706433",
        "http://0x7f000001",
        "http://0x7f.0.0.1",
        "http://0177.0.0.1",
        "http://127.0.0.01",
        "http://127.0.0.1\\@evil.org",
        "http://localhost.:8000",
        "http://gpu7.:8000",
        "http://127.0.0.1%40evil.org",
        "http://127.0.0.1\t.evil.org",
        "http://evil.org#@127.0.0.1",
        "http://evil.org?@127.0.0.1",
        "http:127.0.0.1",
        "http:///127.0.0.1",
        "127.0.0.1:8000",
        "http://127.0.0.1:",
        "http://127.0.0.1:0",
        "http://127.0.0.1:99999",
        "http://127.0.0.1:x",
        "http://[::1",
        "http://[fe80::1%25lo]",
        "http://lоcalhost",  # noqa: RUF001 - a Cyrillic letter
        "http://①27.0.0.1",
        "http://127。0。0。1",
        "http://localhost..",
        "http://-x",
        "",
    ],
)
def test_what_can_be_read_in_several_ways_is_refused(url: str) -> None:
    """Nothing of the kind is interpreted, nor shown where it may hold a key; leave for its host does not help."""
    text = complaint(url, "evil.org", "gpu7", "127.0.0.1")
    assert text.startswith("--endpoint: the address (not shown, as it may hold a key) can be read in several ways.")


def test_the_error_says_how_to_go_on() -> None:
    """It names the host to allow, and what needs no leave; a path, which may hold ids, is not repeated."""
    assert complaint("http://gpu7:8000/v1") == (
        "--endpoint: http://gpu7:8000 is not this machine, and the data are of patients (phi). "
        "Allow it with --allow-host gpu7, or serve the model here with --model."
    )
    said = complaint("dicomweb+https://pacs.ward.example/studies/1.2.3", option="--data")
    assert said.startswith("--data: dicomweb+https://pacs.ward.example is not this machine")
    assert "--allow-host pacs.ward.example" in said


@pytest.mark.parametrize(
    ("url", "allow"),
    [
        ("http://gpu7:8000", "gpu7"),
        ("http://GPU7:8000", "gpu7:8000"),
        ("http://gpu7", "gpu7:80"),
        ("https://gpu7/v1", "gpu7:443"),
        ("http://[fd00::7]:8000", "fd00:0::7"),
        ("http://[fd00::7]:8000", "[fd00::7]:8000"),
        ("http://10.0.0.7:8000", "10.0.0.7"),
        ("http://[::ffff:10.0.0.7]:8000", "10.0.0.7"),
    ],
)
def test_a_host_can_be_allowed(url: str, allow: str) -> None:
    """By its name or address in any spelling, with the port or for all ports."""
    demand_allowed(url, ("other", allow))


@pytest.mark.parametrize(
    ("url", "allow"),
    [
        ("http://gpu7:8000", "gpu7:8001"),
        ("http://gpu70:8000", "gpu7"),
        ("http://gpu7.evil.org", "gpu7"),
        ("http://sub.gpu7", "gpu7"),
        ("http://10.0.0.70", "10.0.0.7"),
    ],
)
def test_only_that_very_host_is_allowed(url: str, allow: str) -> None:
    """Neither another port nor a name that holds the allowed one."""
    assert "is not this machine" in complaint(url, allow)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "*",
        "*.ward.example",
        "http://gpu7",
        "gpu7/v1",
        "gpu7?x",
        "gpu7#x",
        "a@gpu7",
        "127.1",
        "gpu 7",
        "gpu7:x",
        "gü",
    ],
)
def test_no_pattern_can_be_allowed(text: str) -> None:
    """One host each, spelled out."""
    with pytest.raises(BadInput, match=r"^--allow-host: .* is no host. Valid: HOST or HOST:PORT"):
        allowed_host(text)


def test_localhost_is_this_machine_only_if_it_resolves_so() -> None:
    """A hosts file may send it elsewhere, or one of its addresses, or not know it at all."""
    host = Host("localhost", 80)
    assert is_here(host, lambda _: ["127.0.0.1", "::1"])
    assert not is_here(host, lambda _: ["127.0.0.1", "10.0.0.7"])
    assert not is_here(host, lambda _: [])


def test_no_other_name_is_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A question to a name server leaves the machine before anything was allowed."""
    asked: list[str] = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda name, *_: asked.append(name) or [])
    for url in ("http://gpu7:8000", "http://model.localhost", "http://10.0.0.7"):
        complaint(url)
    assert asked == []
    complaint("http://localhost")
    assert asked == ["localhost"]


@settings(deadline=None)  # a busy machine is no fault
@given(st.text("htp:/@.[]%01279xaflocs\\?# ‧", max_size=40))
def test_what_is_taken_for_this_machine_is_so_for_who_connects(tail: str) -> None:
    """Whatever passes as loopback here is loopback for the library that connects, and the same port."""
    url = f"http://{tail}"
    try:
        host = host_of(url)
    except BadInput:
        return
    seen = URL(url)
    assert seen.host is not None
    assert host_of(f"http://[{seen.host}]" if ":" in seen.host else f"http://{seen.host}").name == host.name
    assert seen.port == host.port
