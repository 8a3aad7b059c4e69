"""The page: no network, one script and one style sheet, both named by their digest in the page's own policy."""

import shutil
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from importlib.resources import files
from itertools import chain, islice
from pathlib import Path
from typing import Final

from jinja2 import Environment, FunctionLoader, StrictUndefined, Template
from markupsafe import Markup

from clinhallu_gate.report.cases import LISTED_READINGS
from clinhallu_gate.report.explorer import CHUNK, chunk_script, index, part_name, run_key
from clinhallu_gate.report.model import CaseView, ReportView
from clinhallu_gate.report.pictures import ASSETS, PICTURES
from clinhallu_gate.report.plot import SHARE, budget_axis, forests, gain_axis, slices

FILE_NAME: Final = "report.html"
SELF_CONTAINED: Final = 400
"""Instances that one page holds by itself ..."""
_LARGEST_HELD: Final = 8_000_000
"""... if their pictures come to no more than these bytes."""


def write_report(folder: Path, view: ReportView, cases: Iterable[CaseView] = ()) -> None:
    """Write ``report.html`` into the run folder, and ``report_assets/`` beside it where one page would be too large.

    Args:
        folder: The run folder; the pictures of the run were drawn in its ``report_assets/pictures/``.
        view: What the page shows.
        cases: Every instance of ``view.cases``, in the same order; looked at once, and a hundred at a time.
    """
    assets = folder / ASSETS
    for stale in assets.glob("cases-*.js"):
        stale.unlink()
    rows = view.cases.rows if view.cases else ()
    if len(rows) <= SELF_CONTAINED:
        held = tuple(cases) if rows else ()
        drawn = {name: assets / PICTURES / name for name in _names(held)}
        if sum(file.stat().st_size for file in drawn.values()) <= _LARGEST_HELD:
            pictures = {name: _data_url(file) for name, file in sorted(drawn.items())}
            (folder / FILE_NAME).write_bytes(render_html(view, held, pictures))
            shutil.rmtree(assets, ignore_errors=True)
            return
        cases = held
    _write_assets(assets, run_key(view), cases)
    (folder / FILE_NAME).write_bytes(render_html(view))


def _write_assets(assets: Path, key: str, cases: Iterable[CaseView]) -> None:
    """Write the instances in files of a hundred, and leave no picture that none of them shows."""
    assets.mkdir(exist_ok=True)
    left, used, number = iter(cases), set(), 0
    while chunk := tuple(islice(left, CHUNK)):
        used.update(_names(chunk))
        (assets / f"cases-{number:04}.js").write_bytes(chunk_script(key, number, chunk))
        number += 1
    for drawn in (assets / PICTURES).glob("*"):
        if drawn.name not in used:
            drawn.unlink()


def _names(cases: Iterable[CaseView]) -> set[str]:
    pictures = chain.from_iterable(case.pictures for case in cases)
    return {picture.name for picture in pictures if picture.name is not None}


def _data_url(file: Path) -> str:
    kind = "png" if file.suffix == ".png" else "jpeg"
    return f"data:image/{kind};base64,{b64encode(file.read_bytes()).decode()}"


def render_html(
    view: ReportView, cases: Sequence[CaseView] | None = None, pictures: Mapping[str, str] | None = None
) -> bytes:
    """Return the page of a run in UTF-8, the same bytes for the same arguments.

    Args:
        view: What it shows.
        cases: Every instance, if the page is to hold them itself; else they lie beside it, with their pictures.
        pictures: The pictures of ``cases`` as ``data:`` addresses, by name.
    """
    style, script = _text("report.css"), _text("explorer.js")
    beside = view.cases is not None and cases is None
    page = _template().render(
        view=view,
        # The only markup that is trusted: style sheet and script of this package, named in the policy by their digests,
        # and JSON.
        style=Markup(style),  # noqa: S704 - see above
        script=Markup(script),  # noqa: S704
        data=index(view, cases, pictures) if view.cases else "",
        parts=[part_name(reading) for reading in LISTED_READINGS],
        policy=content_security_policy(style, script if view.cases else None, beside=beside),
        forests=forests(view.gates),
        slices=slices(view.budget) if view.budget else (),
        share=SHARE,
        budget_axis=budget_axis(view.budget) if view.budget else None,
        gain_axis=gain_axis(view.recovery) if view.recovery else None,
    )
    return page.encode()


def content_security_policy(style: str, script: str | None, *, beside: bool) -> str:
    """Allow nothing but this very style sheet and script, and images of the page or (``beside``) of its folder."""
    scripts = [f"'{_digest(script)}'"] if script else []
    there = ["'self'"] if beside else []
    rules = {
        "default-src": ["'none'"],
        "img-src": ["data:", *there],
        "style-src": [f"'{_digest(style)}'"],
        **({"script-src": [*scripts, *there]} if scripts else {}),
        "base-uri": ["'none'"],
        "form-action": ["'none'"],
        "require-trusted-types-for": ["'script'"],
        "trusted-types": ["chunks" if beside else "'none'"],
    }
    return "; ".join(f"{name} {' '.join(sources)}" for name, sources in rules.items())


def _digest(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"


@lru_cache(maxsize=1)
def _template() -> Template:
    environment = Environment(
        loader=FunctionLoader(_text), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["tied"] = lambda text: text.replace(" %", "\N{NO-BREAK SPACE}%")
    return environment.get_template("report.html.j2")


def _text(name: str) -> str:
    return (files("clinhallu_gate.report") / name).read_text("utf-8")
