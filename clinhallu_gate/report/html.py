"""The page: one file, no network, no script; what a browser may load is written into it."""

from base64 import b64encode
from functools import lru_cache
from hashlib import sha256
from importlib.resources import files
from typing import Final

from jinja2 import Environment, FunctionLoader, StrictUndefined, Template
from markupsafe import Markup

from clinhallu_gate.report.model import ReportView
from clinhallu_gate.report.plot import SHARE, budget_axis, forests, gain_axis, slices

FILE_NAME: Final = "report.html"


def render_html(view: ReportView) -> bytes:
    """Return the page of a run: UTF-8, self-contained, the same bytes for the same view."""
    style = _text("report.css")
    page = _template().render(
        view=view,
        # The only markup that is trusted: the style sheet of this package, named in the policy by its digest.
        style=Markup(style),  # noqa: S704 - see above
        policy=content_security_policy(style),
        forests=forests(view.gates),
        slices=slices(view.budget) if view.budget else (),
        share=SHARE,
        budget_axis=budget_axis(view.budget) if view.budget else None,
        gain_axis=gain_axis(view.recovery) if view.recovery else None,
    )
    return page.encode()


def content_security_policy(style: str) -> str:
    """Allow nothing but images within the page and this very style sheet."""
    digest = b64encode(sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


@lru_cache(maxsize=1)
def _template() -> Template:
    environment = Environment(
        loader=FunctionLoader(_text), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["tied"] = lambda text: text.replace(" %", "\N{NO-BREAK SPACE}%")
    return environment.get_template("report.html.j2")


def _text(name: str) -> str:
    return (files("clinhallu_gate.report") / name).read_text("utf-8")
