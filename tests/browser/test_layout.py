"""What fits on which screen."""

from collections.abc import Callable
from pathlib import Path

import pytest
from planted_run import PLANS
from screen import LOOKS, NARROW, WIDE, Look, Screen

FINISHED = [*PLANS, "sample"]
#: Elements that match and lie within the window, unscrolled, as texts.
WITHIN = """
return [...document.querySelectorAll(arguments[0])].map(element => {
  const box = element.getBoundingClientRect();
  return box.width > 0 && box.height > 0 && box.top >= 0 && box.left >= 0
    && box.bottom <= innerHeight && box.right <= innerWidth;
});
"""


@pytest.mark.parametrize("look", LOOKS, ids=str)
@pytest.mark.parametrize("name", [*FINISHED, "not_started", "long_names"])
def test_a_page_never_scrolls_sideways(name: str, look: Look, screen: Screen, report: Callable[[str], Path]) -> None:
    """Tables may, within their frames; with and without details opened."""
    screen.open(report(name), look)
    for _ in range(2):
        width, shown = screen.run("const e = document.documentElement; return [e.scrollWidth, e.clientWidth]")
        assert width <= shown <= look.width
        screen.run("document.querySelectorAll('main details').forEach(details => details.open = true)")


@pytest.mark.parametrize("name", ["pass", "fail", "inconclusive", "sample"])
def test_the_first_screen_of_a_desk(name: str, screen: Screen, report: Callable[[str], Path]) -> None:
    """Verdict, model, data, the picture of the budget and the first gates need no scrolling at 1600 x 1000."""
    screen.open(report(name), WIDE)
    for selector in (".badge", "h1", ".meta span", ".bar", ".stage"):
        seen = screen.run(WITHIN, selector)
        assert seen
        assert all(seen), selector
    assert screen.run(WITHIN, ".gate > summary")[:3] == [True] * 3


@pytest.mark.parametrize("name", [*FINISHED, "not_started"])
def test_the_first_screen_of_a_phone(name: str, screen: Screen, report: Callable[[str], Path]) -> None:
    """The verdict and whose it is are seen first."""
    screen.open(report(name), NARROW)
    for selector in (".badge", "h1", ".meta span"):
        assert all(screen.run(WITHIN, selector)), selector


def test_light_and_dark(screen: Screen, report: Callable[[str], Path]) -> None:
    """The page follows the reader's wish, at once."""
    brightness = "return getComputedStyle(document.body).backgroundColor.match(/\\d+/g).reduce((a, b) => +a + +b, 0)"
    screen.open(report("fail"))
    light = screen.run(brightness)
    screen.look(Look(dark=True))
    assert screen.run(brightness) < light - 450


def test_forced_colours_keep_shapes_and_words(screen: Screen, report: Callable[[str], Path]) -> None:
    """Where the reader chooses the colours, budget, intervals and decisions can still be told apart."""
    screen.open(report("fail"), Look(forced_colours=True))
    assert screen.run("return matchMedia('(forced-colors: active)').matches")
    paints = "return [...document.querySelectorAll(arguments[0])].map(e => getComputedStyle(e)[arguments[1]])"
    page = screen.run("return getComputedStyle(document.body).backgroundColor")
    for selector, paint in ((".bar .fill", "fill"), (".span", "stroke"), (".limit", "stroke"), (".icon .face", "fill")):
        painted = set(screen.run(paints, selector, paint)) - {"none"}
        assert painted
        assert page not in painted, selector


def test_nothing_moves_for_those_who_ask_for_stillness(screen: Screen, report: Callable[[str], Path]) -> None:
    """No transition and no animation is left."""
    screen.open(report("fail"), Look(still=True))
    moving = "return [...document.querySelectorAll('*')].filter(e => { const s = getComputedStyle(e);"
    moving += " return parseFloat(s.transitionDuration) || s.animationName !== 'none' }).map(e => e.outerHTML)"
    assert screen.run(moving) == []
