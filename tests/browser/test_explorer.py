"""The instance explorer in a browser: found, filtered, addressed, opened, zoomed, copied, by mouse and by keyboard."""

import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from planted_run import BLOCKED, PASSED, VISUAL, PlantedRun, planted_run
from pypdf import PdfReader
from screen import LOOKS, NARROW, WIDE, Look, Screen
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

from clinhallu_gate.report import html
from clinhallu_gate.report.cases import case_views

FIRST = "phantom/radiograph-000-0"


@pytest.fixture(scope="module")
def run() -> PlantedRun:
    """A run that must be blocked, held against one that passed."""
    run, before = planted_run(BLOCKED), planted_run(PASSED)
    for uid, found in run.results.found.items():
        found.baseline = dict(before.results.found[uid].verdicts)
        found.baseline_texts = dict(before.results.found[uid].texts)
    return run


@pytest.fixture(scope="module", params=["one file", "files beside"])
def page(request: pytest.FixtureRequest, run: PlantedRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its report: one file, and as a large run's is."""
    folder = tmp_path_factory.mktemp("report with a space")
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "files beside":
            patch.setattr(html, "SELF_CONTAINED", 0)
        run.write(folder)
    assert (folder / "report_assets").exists() == (request.param == "files beside")
    return folder / "report.html"


@pytest.fixture(autouse=True)
def _quiet(screen: Screen) -> Iterator[None]:
    """No test leaves a complaint in the console."""
    yield
    assert not screen.complaints()


def one(screen: Screen, selector: str) -> WebElement:
    """Return the first element that matches."""
    return screen.driver.find_element(By.CSS_SELECTOR, selector)


def visit(screen: Screen, page: Path, uid: str) -> None:
    """Open the page anew at an instance, and wait until it is drawn."""
    screen.driver.get("about:blank")
    screen.driver.get(f"{page.as_uri()}#{uid}")
    assert opened(screen) == uid


def shown(screen: Screen) -> list[str]:
    """Return the ids in the list."""
    ids: list[str] = screen.run("return [...document.querySelectorAll('#found .uid')].map(each => each.textContent)")
    return ids


def choose(screen: Screen, **values: str) -> None:
    """Set filters as a reader does."""
    for name, value in values.items():
        field = one(screen, f"#filters [name={name}]")
        if field.tag_name == "select":
            one(screen, f"#filters [name={name}] option[value='{value}']").click()
        else:
            field.clear()
            field.send_keys(value)


def opened(screen: Screen) -> str:
    """Return the id of the instance that is open, once it is drawn."""
    WebDriverWait(screen.driver, 10).until(lambda _: one(screen, "#case-body > *"))
    return one(screen, "#case-title").text


def address(screen: Screen) -> str:
    """Return what the address names."""
    return str(screen.run("return decodeURIComponent(location.hash)"))


def count(screen: Screen) -> str:
    """Return how many were found, as the page says."""
    return one(screen, "#count").text


def test_every_instance_is_found(screen: Screen, page: Path, run: PlantedRun) -> None:
    """The worst first, fifty at a time, and none twice."""
    screen.open(page)
    total = len(run.results.instances)
    assert count(screen) == f"{total} instances, the first 50 listed"
    assert len(shown(screen)) == 50
    one(screen, "#more").click()
    assert sorted(shown(screen)) == sorted(each.uid for each in run.results.instances)
    assert not one(screen, "#more").is_displayed()
    assert count(screen) == f"{total} instances"
    marks = screen.run("return [...document.querySelectorAll('#found .chips')].map(each => each.children.length > 0)")
    assert marks == sorted(marks, reverse=True)


def test_filters_agree_with_the_results(screen: Screen, page: Path, run: PlantedRun) -> None:
    """Stage and verdict, flips, strata, and words, alone and together."""
    screen.open(page)
    views = tuple(case_views(run.results))
    choose(screen, part="0", verdict="against")
    assert count(screen) == f"{BLOCKED.bad[VISUAL]} of {len(views)} instances, the first 50 listed"
    choose(screen, flip="worse")
    worse = [
        view.uid
        for view in views
        if view.parts[0].tone == "bad" and view.parts[0].before and view.parts[0].before.tone == "good"
    ]
    assert count(screen) == f"{len(worse)} of {len(views)} instances"
    assert set(shown(screen)) <= set(worse)
    choose(screen, part="", verdict="", flip="", stratum="ct")
    ct = [view.uid for view in views if view.stratum == "ct"]
    assert sorted(shown(screen)) == sorted(ct)
    choose(screen, q=ct[3].upper())
    assert shown(screen) == [ct[3]]
    choose(screen, q="no such words")
    assert count(screen) == f"0 of {len(views)} instances"
    one(screen, "#filters button[type=reset]").click()
    WebDriverWait(screen.driver, 5).until(lambda _: count(screen).startswith(f"{len(views)} instances"))


def test_a_filter_has_an_address(screen: Screen, page: Path) -> None:
    """What a reader sees can be sent to another, and a budget card leads to its instances."""
    screen.open(page)
    choose(screen, verdict="failed")
    found = shown(screen)
    assert len(found) == BLOCKED.failed
    sent = screen.driver.current_url
    screen.driver.get("about:blank")
    screen.driver.get(sent)
    assert shown(screen) == found
    one(screen, ".stage.visual_recognition a").click()
    WebDriverWait(screen.driver, 5).until(lambda _: count(screen).startswith(f"{BLOCKED.bad[VISUAL]} of"))


def test_an_instance_has_an_address(screen: Screen, page: Path, run: PlantedRun) -> None:
    """The page opens at it; a name that is not there is said not to be."""
    uid = run.results.instances[-1].uid
    visit(screen, page, uid)
    one(screen, "#case-close").click()
    WebDriverWait(screen.driver, 5).until(lambda _: address(screen) == "#cases")
    screen.driver.get(f"{page.as_uri()}#phantom/none")
    WebDriverWait(screen.driver, 5).until(lambda _: "There is no instance phantom/none" in count(screen))


def test_what_is_opened_is_what_was_found(screen: Screen, page: Path, run: PlantedRun) -> None:
    """Question, options, the three texts of each part with their verdicts, the judge's reason, every arm's words."""
    view = next(
        view
        for view in case_views(run.results)
        if view.parts[0].tone == "bad" and view.options and all(part.candidate for part in view.parts)
    )
    visit(screen, page, view.uid)
    text = screen.run("return document.getElementById('case-body').textContent")
    for part in view.parts:
        assert part.before
        for expected in (part.title, part.gold, part.candidate, part.reason, part.word, part.before.text):
            assert str(expected) in text
    for expected in (view.question, *(option.text for option in view.options), *view.tags, view.stratum):
        assert expected in text
    for arm in view.arms:
        assert all(each.text in text for each in arm.texts)
    assert f"{next(o.text for o in view.options if o.gold)} (gold)" in text


def test_differences_are_marked(screen: Screen, page: Path, run: PlantedRun) -> None:
    """Of two texts that differ in a word, that word; of equal texts, none."""
    views = tuple(case_views(run.results))
    wrong = next(view for view in views if view.parts[2].tone == "bad")
    right = next(view for view in views if all(part.candidate == part.gold for part in view.parts))
    marks = "return [...document.querySelectorAll('.part')].map(part => part.querySelectorAll('mark').length)"
    visit(screen, page, wrong.uid)
    assert screen.run(marks)[2] > 0
    visit(screen, page, right.uid)
    assert screen.run("return document.querySelectorAll('.texts > :nth-child(-n+2) mark').length") == 0


def test_by_keyboard_alone(screen: Screen, page: Path) -> None:
    """Search, go to the list, open, next, previous, zoom, close; the keys can be switched off."""
    screen.open(page)
    screen.press("/")
    screen.press("radiograph")
    assert one(screen, "#filters [name=q]").get_attribute("value") == "radiograph"
    ids = shown(screen)
    one(screen, "#found a").send_keys(Keys.ENTER)
    assert opened(screen) == ids[0]
    for key, expected in (("j", 1), (Keys.ARROW_RIGHT, 2), ("k", 1), (Keys.ARROW_LEFT, 0), (Keys.ARROW_LEFT, 0)):
        screen.press(key)
        WebDriverWait(screen.driver, 5).until(lambda _, at=expected: opened(screen) == ids[at])
        assert address(screen) == f"#{ids[expected]}"
    screen.press("z")
    assert one(screen, ".zoom").get_attribute("aria-pressed") == "true"
    screen.press(Keys.ESCAPE)
    assert not one(screen, "#case").is_displayed()
    assert screen.run("return document.activeElement.matches('#found a')")
    one(screen, "#filters [name=keys]").click()
    one(screen, "#found a").send_keys(Keys.ENTER)
    opened(screen)
    screen.press("j")
    assert opened(screen) == ids[0]


def test_by_mouse(screen: Screen, page: Path) -> None:
    """Next, previous, and what is no more to be had."""
    screen.open(page)
    ids = shown(screen)
    one(screen, "#found a").click()
    opened(screen)
    assert not one(screen, "#case-previous").is_enabled()
    one(screen, "#case-next").click()
    WebDriverWait(screen.driver, 5).until(lambda _: opened(screen) == ids[1])
    assert one(screen, "#case-place").text == "2 of 96"
    one(screen, "#case-previous").click()
    WebDriverWait(screen.driver, 5).until(lambda _: opened(screen) == ids[0])
    one(screen, "#case-close").click()
    WebDriverWait(screen.driver, 5).until(lambda _: address(screen) == "#cases")


def test_images_zoom(screen: Screen, page: Path) -> None:
    """Fitted, as wide as the window, twice as wide, and back."""
    visit(screen, page, FIRST)
    image = one(screen, ".zoom img")
    WebDriverWait(screen.driver, 5).until(lambda _: screen.run("return arguments[0].naturalWidth", image) > 0)
    widths = []
    for _ in range(4):
        widths.append(image.size["width"])
        one(screen, ".zoom").click()
    fitted, wide, twice, again = widths
    assert fitted == again
    assert fitted < wide
    assert twice == pytest.approx(2 * wide, rel=0.05)


def test_a_bug_report_is_copied(screen: Screen, page: Path) -> None:
    """As text that a tracker shows: what was asked, of what, and what came of it."""
    visit(screen, page, FIRST)
    screen.press("c")
    WebDriverWait(screen.driver, 5).until(lambda _: one(screen, "#case-copied").text == "Copied.")
    screen.press(Keys.ESCAPE)
    screen.run("document.body.prepend(document.createElement('textarea'))")
    field = one(screen, "textarea")
    field.send_keys(Keys.CONTROL, "v")
    text = field.get_attribute("value")
    assert str(text).startswith(f"### {FIRST}\n\nphantom-vlm, run reports/")
    for expected in ("**Visual recognition** (the model alone)", "Gold:\n\n> ", "Model:\n\n> ", "Release in use:"):
        assert expected in str(text)


@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_nothing_is_wrong_by_wcag(look: Look, screen: Screen, page: Path, axe: str) -> None:
    """The list, and an instance that is open with its image zoomed; none is wider than the window."""
    screen.open(page, look)
    assert screen.violations(axe) == []
    one(screen, "#found a").click()
    opened(screen)
    screen.press("z")
    assert screen.violations(axe) == []
    for element in ("document.documentElement", "document.getElementById('case')"):
        width, seen = screen.run(f"const e = {element}; return [e.scrollWidth, e.clientWidth]")
        assert width <= seen
    screen.look(WIDE)


def test_nothing_is_asked_of_anybody_else(screen: Screen, page: Path) -> None:
    """Only the page and the files beside it."""
    screen.open(page)
    one(screen, "#found a").click()
    opened(screen)
    there = page.parent.as_uri()
    assert [each for each in screen.requests() if not each.startswith(there)] == []


def test_files_that_are_missing_or_of_another_run_are_said_to_be(
    screen: Screen, run: PlantedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page that was copied without its folder, or beside another's, shows the list and says what it lacks."""
    monkeypatch.setattr(html, "SELF_CONTAINED", 0)
    run.write(tmp_path)
    chunk = tmp_path / "report_assets" / "cases-0000.js"
    chunk.write_bytes(chunk.read_bytes().replace(b'Chunk("', b'Chunk("other'))
    screen.driver.get(f"{(tmp_path / 'report.html').as_uri()}#{FIRST}")
    opened(screen)
    assert "belongs to another run" in one(screen, "#case-body").text
    chunk.unlink()
    screen.driver.get("about:blank")
    screen.driver.get(f"{(tmp_path / 'report.html').as_uri()}#{FIRST}")
    opened(screen)
    assert "copy the folder report_assets/" in one(screen, "#case-body").text
    screen.complaints()  # the browser says so too


def test_the_list_fits_a_phone(screen: Screen, page: Path) -> None:
    """The tools of an open instance stay within reach."""
    screen.open(page, NARROW)
    one(screen, "#found a").click()
    opened(screen)
    screen.run("document.getElementById('case').scrollTop = 10000")
    box = screen.run("return document.getElementById('case-next').getBoundingClientRect().toJSON()")
    assert 0 <= box["top"] < 200
    assert box["right"] <= 400
    screen.look(WIDE)


def test_no_two_elements_bear_one_id(screen: Screen, page: Path) -> None:
    """Or the script would take one for the other."""
    screen.open(page)
    ids = screen.run("return [...document.querySelectorAll('[id]')].map(each => each.id)")
    assert len(ids) == len(set(ids))


def test_the_data_are_what_the_page_shows(page: Path) -> None:
    """A data block, which a program may read too."""
    text = page.read_text("utf-8")
    block = text.partition('<script type="application/json" id="instances">')[2].partition("</script>")[0]
    data = json.loads(block)
    assert data["rows"][0][0] == FIRST
    assert (data["cases"] is None) == (page.parent / "report_assets").exists()


def test_flips_are_read_on_paper(run: PlantedRun, screen: Screen, tmp_path: Path) -> None:
    """The board's page on what got worse: no name in it is broken apart."""
    document = run.decision.model_copy(update={"baseline": "reports/in-use"})
    PlantedRun(document, run.results, run.context).write(tmp_path)
    screen.open(tmp_path / "report.html")
    pages = PdfReader(BytesIO(screen.printed())).pages
    text = " ".join(" ".join(page.extract_text() for page in pages).split())
    assert "Visual recognition: worse" in text
    assert "Reasoning integration: better" in text
