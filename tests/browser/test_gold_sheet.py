"""The review sheet in a real browser: read, edit, approve, save, sign, gate; offline, and whatever a report holds."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from gold_files import STAGES, draft_text, drafts, options, row, ward
from payloads import PAYLOADS, UNSHOWN
from screen import LOOKS, NARROW, WIDE, Look, Screen
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

from clinhallu_gate.cli import main
from clinhallu_gate.datasets.dataset import DataOptions, Dataset
from clinhallu_gate.datasets.load import load_data
from clinhallu_gate.gold.draft import draft_gold
from clinhallu_gate.pseudonym import SITE_KEY
from clinhallu_gate.testing import ScriptedServer

Sheet = Callable[[Sequence[dict[str, Any]]], Path]


@pytest.fixture(autouse=True)
def _own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SITE_KEY, str(tmp_path / "site.key"))
    monkeypatch.setenv("CLINHALLU_GATE_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def sheet(tmp_path: Path) -> Iterator[Sheet]:
    """Draft for rows, with their images, and return the page."""

    def drafted(rows: Sequence[dict[str, Any]]) -> Path:
        with ScriptedServer(reply=drafts, model="local") as server:
            draft_gold(str(ward(tmp_path, rows)), options(server, with_images=True))
        return tmp_path / "ward.gold" / "review.html"

    return drafted


@pytest.fixture
def saved(screen: Screen, tmp_path: Path) -> Callable[[str], Path]:
    """Have the browser save below the test's folder; return what it has saved."""
    folder = tmp_path / "downloads"
    folder.mkdir()
    screen.cdp("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder))

    def file(name: str) -> Path:
        # Chromium takes the name with an empty file first, and moves the whole one over it when it has arrived.
        whole, deadline = folder / name, time.monotonic() + 20
        while not (whole.exists() and whole.stat().st_size) or list(folder.glob("*.crdownload")):
            assert time.monotonic() < deadline, name
            time.sleep(0.05)
        return whole

    return file


def at(screen: Screen, id_: str) -> WebElement:
    """Return an element."""
    return screen.driver.find_element(By.ID, id_)


def said(screen: Screen) -> str:
    """Return the page's last word."""
    return at(screen, "message").text


def load(tmp_path: Path) -> Dataset:
    """Load the manifest as the gate does."""
    return load_data([str(tmp_path / "ward.jsonl")], DataOptions(private_cache=tmp_path / "private"))[0]


def write(screen: Screen, id_: str, text: str) -> None:
    """Write a text into a field, in place of what is there."""
    field = at(screen, id_)
    field.clear()
    field.send_keys(text)


def test_from_draft_to_gate(sheet: Sheet, screen: Screen, saved: Callable[[str], Path], tmp_path: Path) -> None:
    """Edited, approved and rejected on the page, saved as JSON, signed by the command, loaded by the gate."""
    page = sheet([row(1), row(2), row(3)])
    screen.open(page)
    assert at(screen, "count").text == "0 of 3 rows decided: 0 approved (0 edited), 0 rejected, 3 open"
    assert "Report 1 of Mrs Okonkwo" in at(screen, "report").text
    assert screen.run("return document.querySelector('#pictures img').naturalWidth") == 24
    write(screen, "visual_recognition", "A small opacity, as I see it.")
    at(screen, "approve").click()
    assert at(screen, "row-title").text == "Row 2 of 3"
    screen.press("a")
    screen.press("r")
    assert said(screen) == "Every row is decided. Save it now."
    assert at(screen, "count").text == ("3 of 3 rows decided: 2 approved (1 edited), 1 rejected, 0 open; not saved yet")
    at(screen, "save-json").click()
    assert said(screen).startswith("Who reviewed this?")
    write(screen, "reviewer", "Dr. N")
    at(screen, "save-json").click()
    file = saved("ward.reviewed.json")
    assert "not saved yet" not in at(screen, "count").text
    assert screen.requests() == [page.as_uri()]
    assert screen.complaints() == []
    assert main(["sign-gold", str(tmp_path / "ward.jsonl"), str(file), "--reviewer", "Dr. N"]) == 0
    dataset = load(tmp_path)
    assert [laid.source.value for laid in dataset.gold_of.values()] == ["signed", "signed", "absent"]
    assert dataset.instances[0].gold.visual_recognition == "A small opacity, as I see it."
    assert dataset.instances[1].gold.visual_recognition == "An opacity in the left lower zone of study 2."


def test_a_saved_review_goes_on(sheet: Sheet, screen: Screen, saved: Callable[[str], Path]) -> None:
    """Loaded again it is as it was left: texts, decisions, notes and the reviewer's name."""
    page = sheet([row(1), row(2), row(3)])
    screen.open(page)
    write(screen, "knowledge_recall", "Other facts, and\nmore of them.")
    write(screen, "note", "see the prior study")
    at(screen, "approve").click()
    write(screen, "reasoning_integration", "half a thou")
    write(screen, "reviewer", "Dr. N")
    at(screen, "save-json").click()
    file = saved("ward.reviewed.json")
    screen.open(page)
    at(screen, "load").send_keys(str(file))
    WebDriverWait(screen.driver, 10).until(lambda _: said(screen))
    assert said(screen) == "3 of 3 rows were taken from what was saved."
    assert at(screen, "count").text == "1 of 3 rows decided: 1 approved (1 edited), 0 rejected, 2 open"
    assert at(screen, "row-title").text == "Row 2 of 3"
    assert at(screen, "reasoning_integration").get_property("value") == "half a thou"
    assert at(screen, "reviewer").get_property("value") == "Dr. N"
    screen.press("k")
    assert at(screen, "knowledge_recall").get_property("value") == "Other facts, and\nmore of them."
    assert at(screen, "note").get_property("value") == "see the prior study"
    before = json.loads(file.read_text())
    file.unlink()
    at(screen, "save-json").click()
    assert json.loads(saved("ward.reviewed.json").read_text())["rows"] == before["rows"]


def test_what_changed_since_it_was_saved_is_open(sheet: Sheet, screen: Screen, saved: Callable[[str], Path]) -> None:
    """A row that asks something else by now is not decided; a file of another kind is said to be none."""
    screen.open(sheet([row(1), row(2)]))
    screen.press("a")
    screen.press("a")
    write(screen, "reviewer", "Dr. N")
    at(screen, "save-json").click()
    file = saved("ward.reviewed.json")
    screen.open(sheet([row(1), row(2, answer="no")]))
    at(screen, "load").send_keys(str(file))
    WebDriverWait(screen.driver, 10).until(lambda _: said(screen))
    assert said(screen).startswith("1 of 2 rows were taken from what was saved; the others")
    assert at(screen, "count").text.startswith("1 of 2 rows decided")
    file.write_text('{"rows": 1}')
    at(screen, "load").send_keys(str(file))
    WebDriverWait(screen.driver, 10).until(lambda _: "is no JSON" in said(screen))


def test_a_saved_table_signs_the_same(
    sheet: Sheet, screen: Screen, saved: Callable[[str], Path], tmp_path: Path
) -> None:
    """Quotes, separators, line ends and what looks like a formula come back as they were written."""
    texts = ('=1+1; "as seen", once', "one line\nand another", "-2 steps, so yes")
    screen.open(sheet([row(1), row(2)]))
    for stage, text in zip(STAGES, texts, strict=True):
        write(screen, stage, text)
    at(screen, "approve").click()
    write(screen, "reviewer", "Dr. N")
    at(screen, "save-csv").click()
    file = saved("ward.reviewed.csv")
    assert main(["sign-gold", str(tmp_path / "ward.jsonl"), str(file), "--reviewer", "Dr. N"]) == 0
    (line,) = (tmp_path / "ward.signed-gold.jsonl").read_text().splitlines()
    assert tuple(json.loads(line)["gold"][stage] for stage in STAGES) == texts


def test_what_is_approved_are_these_very_words(sheet: Sheet, screen: Screen) -> None:
    """A later edit opens the row again; a stage without text cannot be approved."""
    screen.open(sheet([row(1), row(2)]))
    at(screen, "approve").click()
    screen.press("k")
    assert at(screen, "state").text == "approved"
    at(screen, "visual_recognition").send_keys(" And more.")
    assert at(screen, "state").text == "open, edited"
    at(screen, "knowledge_recall").clear()
    at(screen, "approve").click()
    assert said(screen).startswith("A stage without text cannot be approved")
    assert screen.run("return document.activeElement.id") == "knowledge_recall"
    assert at(screen, "state").text == "open, edited"


def test_a_row_without_a_draft_can_be_written(sheet: Sheet, screen: Screen) -> None:
    """It says why it has none; a stage of the manifest's own is read and not written."""
    screen.open(sheet([row(1, report=None, gold_visual_recognition="The site's own words.")]))
    assert at(screen, "trouble").text == "no draft: the row has no report"
    assert at(screen, "visual_recognition").get_property("readOnly")
    assert at(screen, "visual_recognition").get_property("value") == "The site's own words."
    assert not at(screen, "knowledge_recall").get_property("readOnly")
    screen.press("a")
    assert said(screen).startswith("A stage without text")


def test_keys_are_for_the_page_and_not_for_texts(sheet: Sheet, screen: Screen) -> None:
    """A letter in a text is a letter; Escape leaves the text, Ctrl and Enter approve, and keys can be switched off."""
    screen.open(sheet([row(1), row(2), row(3)]))
    at(screen, "visual_recognition").send_keys("ar")
    assert at(screen, "row-title").text == "Row 1 of 3"
    screen.press(Keys.ESCAPE)
    assert screen.run("return document.activeElement.id") == "row-title"
    screen.press("e")
    assert screen.run("return document.activeElement.id") == "visual_recognition"
    at(screen, "note").send_keys(Keys.CONTROL, Keys.ENTER)
    assert at(screen, "row-title").text == "Row 2 of 3"
    screen.press(Keys.ARROW_RIGHT)
    screen.press("j")
    assert said(screen) == "This is the last row."
    at(screen, "keys").click()
    screen.press("a")
    assert at(screen, "count").text.startswith("1 of 3 rows decided")


def test_unsaved_changes_are_asked_about(sheet: Sheet, screen: Screen) -> None:
    """Before the page is left; not before anything was done, nor once it is saved."""
    leave = "const e = new Event('beforeunload', {cancelable: true}); dispatchEvent(e); return e.defaultPrevented"
    screen.open(sheet([row(1)]))
    assert screen.run(leave) is False
    screen.press("a")
    assert screen.run(leave) is True
    write(screen, "reviewer", "Dr. N")
    at(screen, "save-json").click()
    assert screen.run(leave) is False


def test_nothing_is_left_in_the_browser(sheet: Sheet, screen: Screen) -> None:
    """On a machine that is shared the next one who opens the page finds it as it was written."""
    page = sheet([row(1)])
    screen.open(page)
    write(screen, "visual_recognition", "Mine alone.")
    screen.press(Keys.ESCAPE)
    screen.press("r")
    assert screen.run("return localStorage.length + sessionStorage.length") == 0
    assert screen.run("return document.cookie") == ""
    screen.open(page)
    assert at(screen, "visual_recognition").get_property("value").startswith("An opacity in the left")
    assert at(screen, "state").text == "open"


@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_axe_finds_nothing_on_the_sheet(look: Look, sheet: Sheet, screen: Screen, axe: str) -> None:
    """As it is opened, with a row that has no draft, and when all is decided; nothing is wider than the screen."""
    screen.open(sheet([row(1), row(2, report=None), row(3)]), look)
    wide = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert screen.violations(axe) == []
    screen.press("a")
    assert screen.violations(axe) == []
    screen.press("r")
    screen.press("r")
    assert screen.violations(axe) == []
    assert screen.run(wide) <= 0


def test_every_control_of_the_sheet_is_reached(sheet: Sheet, screen: Screen) -> None:
    """With the Tab key, in the order of the page, with a ring around it."""
    screen.open(sheet([row(1), row(2)]))
    wanted = screen.run(
        "return [...document.querySelectorAll('button, input, textarea, [tabindex=\"0\"]')]"
        ".filter(e => e.checkVisibility() && !e.disabled).map((e, n) => { e.dataset.n = n; return n })"
    )
    screen.run("document.activeElement.blur(); window.scrollTo(0, 0)")
    reached = []
    for _ in wanted:
        screen.tab()
        reached.append(screen.run("return +document.activeElement.dataset.n"))
        assert screen.run("return parseFloat(getComputedStyle(document.activeElement).outlineWidth)") >= 1
    assert reached == wanted


HOSTILE = [payload for payload in (*PAYLOADS, *UNSHOWN) if "\ud800" not in payload and payload.strip()]


@pytest.mark.parametrize("payload", HOSTILE, ids=lambda payload: ascii(payload[:24]))
def test_hostile_texts_are_texts_on_the_sheet(
    payload: str, screen: Screen, saved: Callable[[str], Path], tmp_path: Path
) -> None:
    """In report, question, options, answer, id and draft: nothing runs, nothing is asked for, and it can be signed."""
    hostile = {"report": payload, "question": f"study 1? {payload[:3000]}", "id": payload[:300], "tags": ["x"]}
    choice = {"question_type": "multiple_choice", "options": [f"A. {payload[:300]}", "B. left"], "answer_letter": "B"}
    manifest = ward(tmp_path, [row(1, **hostile, **choice, answer="B. left"), row(2)])
    text = draft_text(1).replace("An opacity may be", f"Also {payload[:3000]}\nAn opacity may be")
    with ScriptedServer(reply=text, model="local") as server:
        draft_gold(str(manifest), options(server, with_images=True))
    page = tmp_path / "ward.gold" / "review.html"
    screen.open(page)
    assert screen.run("return [window.pwned ?? null, document.querySelectorAll('script, style').length]") == [None, 3]
    assert screen.run("return document.querySelectorAll('#sheet :is(script, iframe, a, svg, meta, link)').length") == 0
    for look in (WIDE, NARROW):
        screen.look(look)
        assert screen.run("return document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    for stage in STAGES:
        if not at(screen, stage).get_property("value"):
            write(screen, stage, "Written by hand.")
    at(screen, "approve").click()
    write(screen, "reviewer", "Dr. N")
    at(screen, "save-json").click()
    file = saved("ward.reviewed.json")
    assert screen.run("return [window.pwned ?? null, location.href]") == [None, page.as_uri()]
    assert screen.requests() == [page.as_uri()]
    assert screen.complaints() == []
    assert main(["sign-gold", str(manifest), str(file), "--reviewer", "Dr. N"]) == 0
    first = load_data([str(manifest)], DataOptions(private_cache=tmp_path / "private", allow_unsigned_gold=True))[0]
    assert next(iter(first.gold_of.values())).source == "signed"
