"""A report is looked at without a network: it asks for nothing outside its folder, and says nothing in the console."""

from collections.abc import Callable
from pathlib import Path

import pytest
from planted_run import PLANS
from screen import Look, Screen

PAGES = [*PLANS, "not_started", "long_names", "sample"]


@pytest.mark.parametrize("name", PAGES)
def test_nothing_outside_the_folder_is_asked_for(name: str, screen: Screen, report: Callable[[str], Path]) -> None:
    """Opened, with all details, and on paper: only files beside the page, and a silent console."""
    file = report(name)
    screen.open(file)
    screen.run("document.querySelectorAll('details').forEach(details => details.open = true)")
    screen.printed()
    asked = screen.requests()
    assert asked[0] == file.as_uri()
    assert [address for address in asked if not address.startswith(f"{file.parent.as_uri()}/")] == []
    assert screen.complaints() == []


def test_what_a_page_does_is_noticed(screen: Screen, tmp_path: Path) -> None:
    """The check has teeth: an image from elsewhere, an error and what a policy refuses are all told."""
    file = tmp_path / "page.html"
    file.write_text('<!doctype html><title>x</title><img src="http://e.example/x.png"><script>undefined.x</script>')
    screen.open(file)
    assert "http://e.example/x.png" in screen.requests()
    assert any("Cannot read properties of undefined" in said for said in screen.complaints())
    policy = """<meta http-equiv="Content-Security-Policy" content="default-src 'none'">"""
    file.write_text(f"<!doctype html>{policy}<title>x</title><script>undefined.x</script>")
    screen.open(file)
    assert any("Content Security Policy" in said for said in screen.complaints())


def test_the_policy_of_a_report_stops_what_would_be_brought_in(screen: Screen, report: Callable[[str], Path]) -> None:
    """Whatever markup got into the page: no script runs, nothing is loaded and nothing is sent."""
    file = report("fail")
    broken = file.with_name("broken.html")
    bad = '<script>window.ran = 1</script><img src="https://e.example/x.png" onerror="window.ran = 2">'
    bad += '<iframe src="https://e.example/"></iframe><style>body { display: none }</style>'
    broken.write_bytes(file.read_bytes().replace(b"<main", bad.encode() + b"<main"))
    screen.open(broken, Look())
    assert screen.requests() == [broken.as_uri()]
    assert screen.run("return window.ran") is None
    assert screen.run("return getComputedStyle(document.body).display") == "block"
    assert len(screen.complaints()) >= 4
