"""Settings of Sphinx: `make docs` builds the documentation from the docstrings, these pages and the stored notebooks.

Nothing is executed and nothing is fetched: notebooks are rendered from their stored outputs, equations become MathML,
and the pages, the search included, work from files without a network.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections import Counter
from importlib import import_module
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

DOCS = Path(__file__).parent
ROOT = DOCS.parent
sys.path.insert(0, str(ROOT))  # this checkout, wherever another one may be installed

import electrolyte_ml  # noqa: E402

PAGES = sorted(path.stem for path in (DOCS / "api").glob("*.rst"))
PACKAGES = [name for name in PAGES if (ROOT / "electrolyte_ml" / name).is_dir()]

project = "electrolyte_ml"
author = "The electrolyte_ml developers"
copyright = author
version = release = electrolyte_ml.__version__

extensions = ["numpydoc", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "myst_nb"]
exclude_patterns = ["_build"]
templates_path = ["_templates"]
default_role = "py:obj"  # of single backticks in docstrings: a link where there is something to link to
nitpick_ignore_regex = [
    ("py:obj", ".*"),  # names of parameters, files and values are in single backticks, too
    ("py:class", r"(?!electrolyte_ml\.).*"),  # types of other packages in signatures
]

autosummary_generate = True
autosummary_ignore_module_all = False
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
python_maximum_signature_line_length = 88
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

nb_execution_mode = "off"
nb_output_stderr = "show"
nb_ipywidgets_js = {}  # the static text of a widget is shown: its scripts would come from the network
nb_mime_priority_overrides = [("html", "application/vnd.jupyter.widget-view+json", None)]
myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
myst_update_mathjax = False
suppress_warnings = ["toc.not_readable"]  # there may be no notebook named index; a test looks at all other contents

html_theme = "furo"
html_title = f"electrolyte_ml {version}"
html_math_renderer = "mathml"
html_static_path = ["_static"]
html_css_files = ["custom.css"]
html_js_files = ["reach.js"]
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False


def copy_notebooks() -> None:
    """Copy the notebooks to where Sphinx reads them; one that has not changed keeps its time, and is not read again."""
    target = DOCS / "notebooks"
    target.mkdir(exist_ok=True)
    folder = ROOT / "notebooks"
    wanted = {path.name: path for pattern in ("index.ipynb", "[0-9][0-9]_*.ipynb") for path in folder.glob(pattern)}
    for old in target.iterdir():
        if old.name not in wanted:
            old.unlink()
    for name, source in wanted.items():
        copy = target / name
        if not copy.exists() or copy.read_bytes() != source.read_bytes():
            shutil.copyfile(source, copy)


def public_names() -> dict[str, str]:
    """Return where public objects are documented, by the names of their definitions and, if unique, by their own."""
    found, short = {}, {}
    for package in PACKAGES:
        module = import_module(f"{project}.{package}")
        for name in module.__all__:
            value = getattr(module, name)
            public = f"{module.__name__}.{name}"
            if hasattr(value, "__qualname__"):
                found[f"{value.__module__}.{value.__qualname__}"] = public
            short.setdefault(name, []).append(public)
    for name in electrolyte_ml.__all__:
        value = getattr(electrolyte_ml, name)
        definition = f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', '')}"
        if definition in found:
            found[f"{project}.{name}"] = found[definition]
    return found | {name: places[0] for name, places in short.items() if len(places) == 1}


PUBLIC = public_names()
_alike = Counter(name.lower() for name in set(PUBLIC.values()))
# Names that differ by case alone, such as `Molecule` and `molecule`, would be one file on some systems.
autosummary_filename_map = {
    name: f"{name}-function"
    for name in set(PUBLIC.values())
    if _alike[name.lower()] > 1 and name.rpartition(".")[2].islower()
}


def exists(name: str) -> bool:
    """Whether the package has a module, class or function of this name, public or not."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            value = import_module(".".join(parts[:length]))
        except ImportError:
            continue
        try:
            for part in parts[length:]:
                value = getattr(value, part)
        except AttributeError:
            return False
        return True
    return False


def full_names(name: str, source: str) -> list[str]:
    """Return what a name may stand for: itself, or what is beside the object in whose docstring it stands."""
    place = re.search(r"docstring of ([\w.]+)", source)
    parts = place[1].split(".") if place else []
    places = [".".join([*parts[:length], name]) for length in range(1, len(parts))]
    return [full for full in [name, *places] if full.startswith(f"{project}.")]


def resolve_alias(app: Sphinx, environment: Any, node: Any, content: Any) -> nodes.Node | None:
    """Link names of definitions to the public names that are documented; what is not public stays without a link."""
    if node.get("refdomain") != "py":
        return None
    target = node["reftarget"]
    owner, _, member = target.rpartition(".")
    public = PUBLIC.get(target) or (f"{PUBLIC[owner]}.{member}" if owner in PUBLIC else target)
    domain = environment.get_domain("py")
    found = domain.resolve_xref(environment, node["refdoc"], app.builder, "obj", public, node, content)
    return found or (content if any(map(exists, full_names(public, node.source or ""))) else None)


def escape_bars(app: Sphinx, kind: str, name: str, value: Any, options: Any, lines: list[str]) -> None:
    """Let the bars of |x| in docstrings stand for themselves, outside of code."""
    for number, line in enumerate(lines):
        parts = re.split(r"(`+[^`]*`+)", line)
        lines[number] = "".join(part if part.startswith("`") else part.replace("|", r"\|") for part in parts)


def visit_math(writer: Any, node: nodes.math) -> None:
    """Write an equation within a line as MathML, which browsers show without a script."""
    from latex2mathml.converter import convert

    writer.body.append(convert(node.astext()))
    raise nodes.SkipNode


def visit_math_block(writer: Any, node: nodes.math_block) -> None:
    """Write an equation of its own as MathML."""
    from latex2mathml.converter import convert

    writer.body.append(f'<div class="math-block">{convert(node.astext().strip(), display="block")}</div>')
    raise nodes.SkipNode


def setup(app: Sphinx) -> None:
    """Register the renderer of equations and the links to public names."""
    copy_notebooks()
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_math_block, None))
    app.connect("missing-reference", resolve_alias)
    app.connect("autodoc-process-docstring", escape_bars)
