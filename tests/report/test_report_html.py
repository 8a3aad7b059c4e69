"""The page: one script and one style sheet of its own, and no way to bring in another."""

import json
import re
from base64 import b64decode, b64encode
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path

import pytest
from payloads import PAYLOADS
from planted_run import PLANS, not_started, run_named, with_text

from clinhallu_gate.report import render_html

VOID = {"meta", "img", "input", "br", "hr", "link"}
ALLOWED = {
    *("html", "head", "meta", "title", "style", "body", "header", "main", "section", "div", "p", "span", "b", "i"),
    *("h1", "h2", "h3", "h4", "h5", "small", "code", "pre", "ol", "ul", "li", "dl", "dt", "dd", "blockquote", "img"),
    *("details", "summary", "table", "thead", "tbody", "tr", "th", "td", "fieldset", "legend", "label", "input"),
    *("svg", "defs", "pattern", "rect", "circle", "path", "line", "text"),
    *("form", "select", "option", "button", "kbd", "noscript", "dialog", "template", "script", "a"),
}


class Page(HTMLParser):
    """A page as a browser takes it apart; every element must be closed in its turn."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.scripts: list[str] = []
        self.feed(page.decode())
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the element."""
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element that closes itself, as shapes do."""
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        """Close the innermost element."""
        assert self.open.pop() == tag, (tag, self.getpos())

    def handle_data(self, data: str) -> None:
        """Keep what people read."""
        if self.open and self.open[-1] == "script":
            self.scripts.append(data)
        elif self.open and self.open[-1] != "style":
            self.words.append(data)


def test_every_page_is_well_formed(tmp_path: Path) -> None:
    """Every element that opens closes, in turn, in each kind of run."""
    for run in [*(run_named(name) for name in PLANS), not_started()]:
        page = Page(run.write(tmp_path))
        assert not page.open
        assert {tag for tag, _ in page.elements} <= ALLOWED


def test_the_same_run_gives_the_same_bytes(tmp_path: Path) -> None:
    """Nothing of the moment enters the page."""
    assert run_named("fail").write(tmp_path / "a") == run_named("fail").write(tmp_path / "b")


def digest_of(text: str) -> str:
    """Return a source expression that allows ``text`` alone."""
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def policy_of(page: bytes) -> dict[str, str]:
    """Return the rules of a page's policy."""
    policy = next(a["content"] for _, a in Page(page).elements if a.get("http-equiv"))
    return {name: sources for name, _, sources in (rule.strip().partition(" ") for rule in (policy or "").split(";"))}


def test_the_policy_allows_this_style_sheet_and_script_and_images_of_the_page_alone() -> None:
    """The digests in the policy are those of style sheet and script as a browser sees them."""
    page = render_html(run_named("fail").view, (), {}).decode()
    style, script = (
        re.search(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)  # the script without attributes; the data have some
        for tag in ("style", "script")
    )
    assert style
    assert script
    expected = {
        "default-src": "'none'",
        "img-src": "data:",
        "style-src": digest_of(style[1]),
        "script-src": digest_of(script[1]),
        "base-uri": "'none'",
        "form-action": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }
    assert policy_of(page.encode()) == expected
    beside = expected | {
        "img-src": "data: 'self'",
        "script-src": f"{digest_of(script[1])} 'self'",
        "trusted-types": "chunks",
    }
    assert policy_of(render_html(run_named("fail").view)) == beside
    assert "script-src" not in policy_of(render_html(not_started().view))
    assert page.index("Content-Security-Policy") < page.index("<style>")
    assert "url(" not in re.sub(r"url\(#\w+\)", "", style[1])
    assert "@import" not in style[1]


@pytest.mark.parametrize("payload", PAYLOADS)
def test_no_text_becomes_markup(payload: str, tmp_path: Path) -> None:
    """Whatever a model or a data set writes is shown, and adds neither element nor attribute."""
    page = Page(with_text(payload).write(tmp_path))
    plain = Page(with_text("harmless").write(tmp_path))
    assert [(tag, list(a)) for tag, a in page.elements] == [(tag, list(a)) for tag, a in plain.elements]
    assert payload in "".join(page.words)
    data, script = page.scripts
    assert script == plain.scripts[1]
    assert "<" not in data
    assert {part["candidate"] for case in json.loads(data)["cases"] for part in case["parts"]} == {payload}


def test_nothing_is_loaded_and_nothing_else_runs(tmp_path: Path) -> None:
    """No handler, no inline style, no address outside: images are the script's, of data in the page."""
    page = Page(run_named("fail").write(tmp_path))
    for tag, attributes in page.elements:
        assert tag not in {"iframe", "object", "embed", "link", "base", "img"}
        assert not [name for name in attributes if name.startswith("on") or name in {"style", "srcset", "src"}]
        assert (attributes.get("href") or "#").startswith("#")
    assert [a for tag, a in page.elements if tag == "script"] == [{"type": "application/json", "id": "instances"}, {}]


def test_images_carry_nothing_but_pixels(tmp_path: Path) -> None:
    """The page never holds the bytes of a data set's file; a small one holds its pictures, and leaves none behind."""
    run = run_named("fail")
    raw = {image.read() for instance in run.results.instances for image in instance.images}
    held = json.loads(Page(run.write(tmp_path)).scripts[0])["pictures"]
    assert len(held) == len(raw)
    assert all(re.match(r"data:image/(png|jpeg);base64,", url) for url in held.values())
    assert not raw & {b64decode(url.partition(",")[2]) for url in held.values()}
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]


def test_no_rate_of_a_run_that_was_not_completed() -> None:
    """Only what is missing, and why."""
    for run in (run_named("not_completed"), not_started()):
        words = " ".join(Page(render_html(run.view)).words)
        assert "%" not in words.replace("\N{NO-BREAK SPACE}", " ")
        assert "points" not in words.replace("accuracy in points", "")
        assert "NOT COMPLETED" in words


def test_the_first_screen_says_it_all() -> None:
    """Word, sentence, model, data, and where the failures come from stand before the first gate."""
    words = " ".join(" ".join(Page(render_html(run_named("fail").view)).words).split()).replace(
        "\N{NO-BREAK SPACE}", " "
    )
    first = words[: words.index("Gates")]
    for expected in ("BLOCKED", "must not be released", "visual hallucination rate", "96 instances", "The camera"):
        assert expected in first
    assert "eats 82 % of the failure budget" in first
