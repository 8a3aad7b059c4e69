"""A report on paper."""

import io
import re
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from planted_run import PLANS
from pypdf import PdfReader
from screen import CASES, Look, Screen

REMOVE_CASES = f"document.querySelector('{CASES}')?.remove()"


def _words(text: str) -> str:
    """Return a text without its spaces and ligatures, which fonts and lines decide."""
    return "".join(unicodedata.normalize("NFKC", text).split())


def _text(pdf: bytes) -> str:
    return _words("".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages))


@pytest.mark.parametrize("name", [*PLANS, "not_started", "sample"])
def test_paper_says_what_the_screen_says(name: str, screen: Screen, report: Callable[[str], Path]) -> None:
    """The verdict, and what a screen shows only when its details are opened."""
    screen.open(report(name))
    screen.run(REMOVE_CASES)
    said = _text(screen.printed())
    for selector in ("h1", ".gate .why p", "main h2"):
        for text in screen.run("return [...document.querySelectorAll(arguments[0])].map(e => e.textContent)", selector):
            assert _words(text) in said, text


def test_paper_is_the_same_for_readers_in_the_dark(screen: Screen, report: Callable[[str], Path]) -> None:
    """A dark screen prints no dark page, and no pale text."""
    screen.open(report("fail"))
    light = screen.printed()
    screen.look(Look(dark=True))
    assert _timeless(screen.printed()) == _timeless(light)


def _timeless(pdf: bytes) -> bytes:
    return re.sub(rb"Date \(D:\d{14}", b"Date (D:", pdf)


def test_pages_are_numbered(screen: Screen, report: Callable[[str], Path]) -> None:
    """Each says which it is, and of how many."""
    screen.open(report("fail"))
    screen.run(REMOVE_CASES)
    pages = PdfReader(io.BytesIO(screen.printed())).pages
    for number, page in enumerate(pages, 1):
        assert f"{number} / {len(pages)}" in page.extract_text()


@pytest.mark.parametrize("name", [*PLANS, "long_names"])
def test_nothing_is_cut_off_at_the_edge_of_the_paper(name: str, screen: Screen, report: Callable[[str], Path]) -> None:
    """Tables, which scroll on a screen, fit a page of A4 (182 mm between its margins) as they are printed."""
    screen.open(report(name), Look(width=int(182 / 25.4 * 96)))
    screen.cdp("Emulation.setEmulatedMedia", media="print")
    wide = screen.run(
        "return [...document.querySelectorAll('main table')].filter(t => t.checkVisibility()"
        " && t.getBoundingClientRect().right > innerWidth + 1).map(t => t.rows[0].textContent)"
    )
    assert wide == []
