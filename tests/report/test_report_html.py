"""The page: self-contained, without a script, and without a way to bring one in."""

import re
from base64 import b64decode, b64encode
from hashlib import sha256
from html.parser import HTMLParser

import pytest
from planted_run import PLANS, not_started, run_named, with_text

from clinhallu_gate.report import render_html

PAYLOADS = [
    "<script>alert(1)</script>",
    "</style><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "<svg onload=alert(1)>",
    "javascript:alert(1)",
    "{{ 7 * 7 }}{% raw %}",
    '<a href="https://e.example">x</a>',
    '<meta http-equiv="refresh" content="0;url=https://e.example">',
    "</details></section><iframe src=https://e.example></iframe>",
    "<!--",
    "]]>",
]
VOID = {"meta", "img", "input", "br", "hr", "link"}
ALLOWED = {
    *("html", "head", "meta", "title", "style", "body", "header", "main", "section", "div", "p", "span", "b", "i"),
    *("h1", "h2", "h3", "h4", "h5", "small", "code", "pre", "ol", "ul", "li", "dl", "dt", "dd", "blockquote", "img"),
    *("details", "summary", "table", "thead", "tbody", "tr", "th", "td", "fieldset", "legend", "label", "input"),
    *("svg", "defs", "pattern", "rect", "circle", "path", "line", "text"),
}


class Page(HTMLParser):
    """A page as a browser takes it apart; every element must be closed in its turn."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
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
        if self.open and self.open[-1] != "style":
            self.words.append(data)


def test_every_page_is_well_formed() -> None:
    """Every element that opens closes, in turn, in each kind of run."""
    for run in [*(run_named(name) for name in PLANS), not_started()]:
        page = Page(render_html(run.view))
        assert not page.open
        assert {tag for tag, _ in page.elements} <= ALLOWED


def test_the_same_view_gives_the_same_bytes() -> None:
    """Nothing of the moment enters the page."""
    run = run_named("fail")
    assert render_html(run.view) == render_html(run.view)


def test_the_policy_allows_this_style_sheet_and_images_in_the_page_alone() -> None:
    """The digest in the policy is that of the style sheet as a browser sees it."""
    page = render_html(run_named("fail").view).decode()
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)
    assert style
    digest = b64encode(sha256(style.group(1).encode()).digest()).decode()
    policy = next(a["content"] for tag, a in Page(page.encode()).elements if a.get("http-equiv"))
    assert policy == (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    assert page.index("Content-Security-Policy") < page.index("<style>")
    assert "url(" not in re.sub(r"url\(#\w+\)", "", style.group(1))
    assert "@import" not in style.group(1)


@pytest.mark.parametrize("payload", PAYLOADS)
def test_no_text_becomes_markup(payload: str) -> None:
    """Whatever a model or a data set writes is shown, and adds neither element nor attribute."""
    page = Page(render_html(with_text(payload).view))
    plain = Page(render_html(with_text("harmless").view))
    assert [(tag, list(a)) for tag, a in page.elements] == [(tag, list(a)) for tag, a in plain.elements]
    assert payload in "".join(page.words)


def test_nothing_is_loaded_and_nothing_runs() -> None:
    """No script, no handler, no inline style, no address but images within the page."""
    for tag, attributes in Page(render_html(run_named("fail").view)).elements:
        assert tag not in {"script", "iframe", "object", "embed", "link", "a", "form", "base"}
        assert not [name for name in attributes if name.startswith("on") or name in {"style", "href", "srcset"}]
        source = attributes.get("src")
        assert source is None or re.match(r"data:image/(png|jpeg);base64,", source)


def test_images_carry_nothing_but_pixels() -> None:
    """The page never holds the bytes of a data set's file."""
    run = run_named("fail")
    raw = {image.read() for instance in run.results.instances for image in instance.images}
    inlined = {picture.url for case in run.view.cases.listed for picture in case.pictures}
    assert inlined
    assert not raw & {b64decode((url or "").partition(",")[2]) for url in inlined}


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
