"""Nothing hostile survives: whatever the data, the model and the judge write is text, on any screen."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from payloads import PAYLOADS, UNSHOWN
from planted_run import with_text
from screen import NARROW, WIDE, Screen
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from clinhallu_gate.report import html

#: What counts as having been executed: a mark, a place that was left, a style that hides the page.
UNHARMED = """
const shown = getComputedStyle(document.querySelector("h1"));
return [window.pwned ?? null, location.href.split("#")[0], shown.display, document.forms.length, document.dir,
        document.querySelectorAll("script, style, iframe, form, dialog, base, link, meta").length];
"""
WIDTHS = "const e = arguments[0]; return [e.scrollWidth, e.clientWidth]"


@pytest.fixture(scope="module", params=["one file", "files beside"])
def _kept(request: pytest.FixtureRequest) -> Iterator[None]:
    """Have reports hold their instances, or keep them beside."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "files beside":
            patch.setattr(html, "SELF_CONTAINED", 0)
        yield


@pytest.mark.usefixtures("_kept")
@pytest.mark.parametrize("payload", [*PAYLOADS, *UNSHOWN], ids=lambda payload: ascii(payload[:24]))
def test_hostile_text_is_text(payload: str, screen: Screen, tmp_path: Path) -> None:
    """As question, option, answer, gold, id, stratum, model output, judge's reason, gate, note and command."""
    with_text("harmless").write(tmp_path / "plain")
    with_text(payload).write(tmp_path / "hostile")
    told = {}
    for name in ("plain", "hostile"):
        screen.open(tmp_path / name / "report.html", WIDE)
        _use(screen)
        told[name] = screen.run(UNHARMED)
        assert told[name][1] == (tmp_path / name / "report.html").as_uri()
        assert screen.complaints() == []
    plain, hostile = told["plain"], told["hostile"]
    assert hostile[0] is None
    assert hostile[2:] == plain[2:]
    there = (tmp_path / "hostile").as_uri()
    assert [address for address in screen.requests() if not address.startswith(there)] == []
    for look in (WIDE, NARROW):
        screen.look(look)
        for element in ("html", "#case"):
            width, seen = screen.run(WIDTHS, screen.driver.find_element(By.CSS_SELECTOR, element))
            assert width <= seen, element
    screen.look(WIDE)


def _use(screen: Screen) -> None:
    """Open everything that opens, filter, and open an instance with all its arms."""
    screen.run("document.querySelectorAll('details').forEach(each => each.open = true)")
    for name in ("dataset", "stratum", "part", "verdict"):
        for field in screen.driver.find_elements(By.CSS_SELECTOR, f"#filters select[name={name}]"):
            screen.run("arguments[0].selectedIndex = 1; arguments[0].dispatchEvent(new Event('change'))", field)
    screen.run("document.querySelector('#filters').reset()")
    WebDriverWait(screen.driver, 10).until(lambda _: screen.driver.find_elements(By.CSS_SELECTOR, "#found a"))
    screen.run("document.querySelector('#found a').click()")
    WebDriverWait(screen.driver, 10).until(lambda _: screen.driver.find_elements(By.CSS_SELECTOR, "#case-body .part"))
    assert screen.driver.find_element(By.ID, "case").is_displayed()
    screen.run("document.querySelectorAll('#case details').forEach(each => each.open = true)")
    screen.run("document.querySelectorAll('#case *').forEach(each => each.dispatchEvent(new MouseEvent('mouseover')))")


def test_such_an_id_can_be_sent(screen: Screen, tmp_path: Path) -> None:
    """An address holds any name, and leads to it."""
    with_text("/../é ?#%41&\"'<b>").write(tmp_path)
    screen.open(tmp_path / "report.html")
    link = screen.driver.find_element(By.CSS_SELECTOR, "#found a")
    name = link.find_element(By.CSS_SELECTOR, ".uid").text
    sent = screen.run("return arguments[0].href", link)
    screen.driver.get("about:blank")
    screen.driver.get(sent)
    WebDriverWait(screen.driver, 10).until(lambda _: screen.driver.find_elements(By.CSS_SELECTOR, "#case-body .part"))
    assert screen.driver.find_element(By.ID, "case-title").text == name
