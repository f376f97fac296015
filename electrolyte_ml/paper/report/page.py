"""The page of the report: a summary and the claims, then every executed notebook."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files

from electrolyte_ml import __version__
from electrolyte_ml.paper.claims import JudgedClaim
from electrolyte_ml.paper.report.claims import sections_of, summarise
from electrolyte_ml.paper.report.notebooks import ExecutedNotebook, NotebookPart, environment, render_notebook
from electrolyte_ml.paper.report.sections import Place
from electrolyte_ml.paper.scales import Scale

_STYLES = {"light": "xcode", "dark": "monokai"}  # of Pygments, whose colours stand out enough from the panels


def render_report(
    notebooks: Sequence[ExecutedNotebook],
    claims: Sequence[JudgedClaim],
    at: Scale,
    seconds: float,
    shipped: Sequence[JudgedClaim] | None = None,
) -> str:
    """Return the report as one HTML page that needs no other file and no network.

    Parameters
    ----------
    notebooks
        In the order in which they are shown.
    claims
        Judged at the scale of the run.
    at
        The scale of the run.
    seconds
        That it took.
    shipped
        The claims judged from the results that come with the source tree.
    """
    names = {f"{notebook.name}.ipynb": notebook.name for notebook in notebooks}
    parts = [render_notebook(notebook, names) for notebook in notebooks]
    sections = sections_of(claims, shipped)
    return str(
        environment()
        .get_template("page.html.j2")
        .render(
            title=f"Electrolytes by active learning: the {at.name} scale",
            scale=at.name,
            reference=claims[0].reference,
            minutes=seconds / 60,
            version=__version__,
            sections=sections,
            summary=summarise(sections, at.name),
            parts=parts,
            failed=[part for part in parts if part.failure],
            notebook_of=lambda place: _notebook_of(place, parts),
            style=_style(),
        )
    )


def _notebook_of(place: Place, parts: Sequence[NotebookPart]) -> NotebookPart | None:
    """Return the notebook that rebuilds a claim, or None if it is not in this report."""
    return next((part for part in parts if part.name.startswith(place.notebook)), None)


def _style() -> str:
    """Return the style sheet, with the colours of code in a light and in a dark page."""
    from pygments.formatters import HtmlFormatter

    light, dark = (HtmlFormatter(style=style).get_style_defs(".highlight") for style in _STYLES.values())
    own = (files(__package__) / "templates" / "page.css").read_text()
    return f"{light}\n@media screen and (prefers-color-scheme: dark) {{\n{dark}\n}}\n{own}"
