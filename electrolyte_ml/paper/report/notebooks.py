"""Executed notebooks as parts of a web page: code and logs folded, equations in MathML, every figure with a caption."""

from __future__ import annotations

import base64
import re
import struct
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from electrolyte_ml.figures.description import figure_caption, figure_name
from electrolyte_ml.paper.claims.formats import TABLE_CLASS
from electrolyte_ml.paper.places import checkout, results_root
from electrolyte_ml.progress import PROGRESS

_LONG = 12  # lines of output above which it is folded


@dataclass(frozen=True)
class ExecutedNotebook:
    """A notebook after its run: name, document with outputs, duration, and the error if it failed."""

    name: str
    document: Any  # nbformat.NotebookNode
    seconds: float
    failure: str | None


@dataclass
class NotebookPart:
    """A notebook as the report shows it.

    Attributes
    ----------
    name : str
        Which is its id in the page.
    title : str
    seconds : float
    failure : str or None
    html : str
    headings : list of (str, str)
        Id and text of its sections.
    figures : dict
        Name of the function that drew a figure -> id and number of the last one that it drew.
    n_figures : int
    """

    name: str
    title: str
    seconds: float
    failure: str | None
    html: str = ""
    headings: list[tuple[str, str]] = field(default_factory=list)
    figures: dict[str, tuple[str, str]] = field(default_factory=dict)
    n_figures: int = 0


def render_notebook(notebook: ExecutedNotebook, names: Mapping[str, str]) -> NotebookPart:
    """Return a notebook as a part of the page.

    Parameters
    ----------
    notebook
    names
        File name -> id in the page, of every notebook in the report; links to others lose their target.
    """
    part = NotebookPart(notebook.name, notebook.name, notebook.seconds, notebook.failure)
    markdown = _markdown(part, names)
    blocks: list[dict[str, Any]] = []
    for cell in notebook.document.cells:
        if cell.cell_type == "markdown":
            blocks.append({"kind": "text", "html": markdown(cell)})
        elif cell.cell_type == "code":
            if cell.source.strip():
                blocks.append({"kind": "code", "html": _highlighted(cell.source), "lines": _lines(cell.source)})
            blocks += [block for output in cell.outputs if (block := _output(output, part))]
    part.html = environment().get_template("notebook.html.j2").render(blocks=blocks, part=part)
    return part


@cache
def environment() -> Any:
    """Return the jinja environment with the templates of the report."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader(__package__),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )


def _markdown(part: NotebookPart, names: Mapping[str, str]) -> Any:
    """Return a function that renders a cell of text, and notes its headings in the part."""
    from latex2mathml.converter import convert
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

    class Renderer(IPythonRenderer):
        def heading(self, text: str, level: int, **attributes: Any) -> str:
            """Put the notebook's title at level 2: the page has a title of its own."""
            plain = re.sub(r"<[^>]*>", "", text)
            if level == 1 and part.title == part.name:
                part.title = plain
                return f"<h2>{text}</h2>\n"
            key = _unique(f"{part.name}-{_slug(plain)}", {known for known, _ in part.headings})
            if level <= 2:
                part.headings.append((key, plain))
            return f'<h{max(level, 2) + 1} id="{key}">{text}</h{max(level, 2) + 1}>\n'

        def link(self, text: str, url: str, title: str | None = None) -> str:
            """Lead to parts of this page, and to addresses; files beside the notebook are not here."""
            file, _, section = url.partition("#")
            if Path(file).name in names:
                return f'<a href="#{names[Path(file).name]}">{text}</a>'
            if not file and section:
                return f'<a href="#{part.name}-{_slug(section)}">{text}</a>'
            return str(super().link(text, url, title)) if "://" in url else text

        def inline_math(self, body: str) -> str:
            return str(convert(body))

        def block_math(self, body: str) -> str:
            equation = convert(body, display="block")
            return f'<div class="scroll" tabindex="0" role="group" aria-label="Equation">{equation}</div>'

        def latex_environment(self, name: str, body: str) -> str:
            return self.block_math(f"\\begin{{{name}}}{body}\\end{{{name}}}")

    root = checkout()
    folder = "" if root is None else str(root / "notebooks")

    def render(cell: Any) -> str:
        renderer = Renderer(
            escape=False,
            exclude_anchor_links=True,
            embed_images=True,
            path=folder,
            attachments=cell.get("attachments"),
        )
        return _tables(MarkdownWithMath(renderer=renderer).render(cell.source))

    return render


def _output(output: Any, part: NotebookPart) -> dict[str, Any] | None:
    """Return an output as a block of the template, or None if there is nothing to show."""
    if output.output_type == "stream":
        return _text(output.text, "log" if output.name == "stderr" else "output")
    if output.output_type == "error":
        return {
            "kind": "error",
            "message": without_paths(f"{output.ename}: {output.evalue}"),
            "html": _ansi("\n".join(output.traceback)),
        }
    data = output.data
    if "image/png" in data:
        return _figure(output, part)
    if "text/html" in data:
        if f'<table class="{TABLE_CLASS}"' in data["text/html"]:
            return {"kind": "claims"}  # which stand at the beginning of the report
        return {"kind": "html", "html": _tables(data["text/html"])}
    if output.metadata.get("electrolyte_ml") == PROGRESS["electrolyte_ml"]:
        return {"kind": "progress", "text": data["text/plain"]} if data["text/plain"] else None
    return _text(data.get("text/plain", ""), "output")


def _text(text: str, kind: str) -> dict[str, Any] | None:
    lines = _lines(text)
    if not lines:
        return None
    columns = re.search(r"\S {2,}\S", text) is not None  # which a broken line would tear apart
    folded = kind == "log" or lines > _LONG
    return {
        "kind": kind,
        "html": _ansi(text.rstrip("\n")),
        "lines": lines,
        "width": max(map(len, text.splitlines())),
        "columns": columns,
        "folded": folded,
    }


def _figure(output: Any, part: NotebookPart) -> dict[str, Any]:
    picture = "".join(output.data["image/png"].split())
    width, height = struct.unpack(">II", base64.b64decode(picture[:64])[16:24])
    part.n_figures += 1
    number = f"{part.name.split('_')[0]}.{part.n_figures}"
    key = f"{part.name}-figure-{part.n_figures}"
    part.figures[figure_name(output) or key] = (key, number)
    where = part.headings[-1][1] if part.headings else part.title
    return {
        "kind": "figure",
        "id": key,
        "number": number,
        "picture": picture,
        "width": width,
        "height": height,
        "alt": output.metadata.get("image/png", {}).get("alt") or f"A picture without a description, under “{where}”",
        "caption": figure_caption(output),
    }


def _tables(html: str) -> str:
    """Let wide tables scroll by themselves, with the keyboard too."""
    opening = '<div class="scroll" tabindex="0" role="group" aria-label="Table"><table'
    return html.replace("<table", opening).replace("</table>", "</table></div>")


def _ansi(text: str) -> str:
    from nbconvert.filters import ansi2html

    return str(ansi2html(without_paths(text)))


def _highlighted(code: str) -> str:
    from nbconvert.filters import Highlight2HTML

    return str(Highlight2HTML(pygments_lexer="python")(code))


def _lines(text: str) -> int:
    return len(text.strip("\n").splitlines())


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "section"


def _unique(key: str, known: set[str]) -> str:
    number, candidate = 1, key
    while candidate in known:
        number += 1
        candidate = f"{key}-{number}"
    return candidate


def without_paths(text: str) -> str:
    """Return a text without the folders of this machine: they say nothing to a reader elsewhere."""
    root = checkout()
    folders = {results_root(): "results", Path(sys.prefix): "python", Path.home(): "~"}
    if root is not None:
        folders[root] = "."
    for folder in sorted(folders, key=lambda folder: -len(str(folder))):
        if folder != Path(folder.anchor):
            text = re.sub(rf"{re.escape(str(folder))}(?![\w.-])", folders[folder], text)
    return text
