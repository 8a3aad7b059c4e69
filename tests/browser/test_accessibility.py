"""Reports can be read with a screen reader and used with a keyboard."""

from collections.abc import Callable
from pathlib import Path

import pytest
from planted_run import PLANS
from screen import CASES, LOOKS, Look, Screen
from selenium.webdriver.common.keys import Keys

NAMES = [*PLANS, "not_started", "long_names"]
#: Every control outside the instances, numbered in the order of the page.
NUMBER = f"""
const controls = [...document.querySelectorAll('summary, button, input, select, a[href], [tabindex="0"]')]
  .filter(control => !control.closest('{CASES}') && control.checkVisibility());
controls.forEach((control, number) => control.dataset.number = number);
return controls.length;
"""
FOCUSED = """
const at = document.activeElement, style = getComputedStyle(at), box = at.getBoundingClientRect();
return at === document.body ? null : {
  number: at.dataset.number ? +at.dataset.number : null,
  ring: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2,
  seen: box.bottom > 0 && box.top < innerHeight,
};
"""


@pytest.mark.parametrize("look", LOOKS, ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_axe_finds_nothing(name: str, look: Look, screen: Screen, report: Callable[[str], Path], axe: str) -> None:
    """No breach of the WCAG 2.2 at level AA nor of good practice, with all details opened."""
    screen.open(report(name), look)
    screen.run(f"document.querySelectorAll('main details').forEach(d => d.open = !d.closest('{CASES}'))")
    assert screen.violations(axe, leaving_out=[CASES]) == []


def test_axe_finds_something_where_there_is_something(screen: Screen, tmp_path: Path, axe: str) -> None:
    """The audit has teeth."""
    file = tmp_path / "page.html"
    file.write_text('<!doctype html><p style="color: #bbb; background: #fff">pale<img src="data:,">')
    screen.open(file)
    found = " ".join(screen.violations(axe))
    for rule in ("color-contrast", "html-has-lang", "document-title", "image-alt"):
        assert rule in found


@pytest.mark.parametrize("name", NAMES)
def test_every_id_is_given_once(name: str, screen: Screen, report: Callable[[str], Path]) -> None:
    """Or labels and scripts find the first of two."""
    screen.open(report(name))
    names = screen.run("return [...document.querySelectorAll('[id]')].map(element => element.id)")
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("name", ["fail", "not_completed"])
def test_every_control_can_be_reached_with_the_keyboard(
    name: str, screen: Screen, report: Callable[[str], Path]
) -> None:
    """Tab visits them in the order of the page, each with a ring around it and in sight."""
    screen.open(report(name))
    expected = list(range(screen.run(NUMBER)))
    visited = []
    for _ in range(1000):
        screen.tab()
        focused = screen.run(FOCUSED)
        if focused is None:
            break
        if focused["number"] is not None:
            assert focused["ring"], focused
            assert focused["seen"], focused
            visited.append(focused["number"])
    assert expected
    assert visited == expected


@pytest.mark.parametrize("key", [Keys.ENTER, Keys.SPACE], ids=["enter", "space"])
def test_a_gate_opens_at_a_key(key: str, screen: Screen, report: Callable[[str], Path]) -> None:
    """Its reason is shown, and hidden again."""
    screen.open(report("fail"))
    shown = "return document.querySelector('.gate .why').checkVisibility()"
    assert not screen.run(shown)
    screen.run("document.querySelector('.gate > summary').focus()")
    screen.press(key)
    assert screen.run(shown)
    screen.press(key)
    assert not screen.run(shown)
