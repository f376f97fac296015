"""The documentation names everything that is public, and builds without a warning."""

import ast
import importlib
import re
import shlex
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

import electrolyte_ml
from electrolyte_ml.cli import build_parser

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
FOLDERS = [
    path.parent.name
    for path in sorted((ROOT / "electrolyte_ml").glob("*/__init__.py"))
    if hasattr(importlib.import_module(f"electrolyte_ml.{path.parent.name}"), "__all__") and path.parent.name != "cli"
]
PAGES = [path for path in DOCS.rglob("*.md") if not {"_build", "notebooks", "generated"} & set(path.parts)]


def entries(page):
    """Pages in the contents of a page, relative to the documentation."""
    found = []
    for block in re.findall(r"```\{toctree\}\n(.*?)```", page.read_text(), re.DOTALL):
        names = [line.strip() for line in block.splitlines() if line.strip() and not line.startswith(":")]
        found += [(page.parent / name).relative_to(DOCS).as_posix() for name in names]
    return found


def reached(start="index"):
    """All pages that the contents reach."""
    found = [start]
    for name in found:
        if (DOCS / f"{name}.md").exists():
            found += [entry for entry in entries(DOCS / f"{name}.md") if entry not in found]
    return set(found)


def test_every_folder_with_public_names_has_a_page():
    assert {path.stem for path in (DOCS / "api").glob("*.rst")} >= set(FOLDERS)


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_public_name_has_its_place(folder):
    listed = re.findall(r"^   (\w+)$", (DOCS / "api" / f"{folder}.rst").read_text(), re.MULTILINE)
    public = importlib.import_module(f"electrolyte_ml.{folder}").__all__
    assert sorted(listed) == sorted(public), f"docs/api/{folder}.rst does not list what __all__ of {folder} does"


def test_names_of_the_package_itself_are_in_the_overview():
    text = (DOCS / "api" / "index.md").read_text()
    assert [name for name in electrolyte_ml.__all__ if f"eml.{name}" not in text] == []


def test_errors_are_all_listed():
    (listed,) = re.findall(r":members: (.*)", (DOCS / "api" / "errors.rst").read_text())
    from electrolyte_ml import errors

    public = {name for name, value in vars(errors).items() if isinstance(value, type) and name[0] != "_"}
    assert set(listed.split(", ")) == public


def test_every_page_is_in_the_contents():
    pages = {path.relative_to(DOCS).with_suffix("").as_posix() for path in [*PAGES, *(DOCS / "api").glob("*.rst")]}
    assert pages - reached() == set()


def test_contents_name_pages_that_exist():
    named = {entry for page in PAGES for entry in entries(page)} - {"notebooks/index", "notebooks/[0-9]*"}
    assert [name for name in named if not any((DOCS / name).with_suffix(end).exists() for end in (".md", ".rst"))] == []


def test_every_notebook_is_in_the_contents():
    patterns = [entry for entry in entries(DOCS / "notebooks.md") if entry.startswith("notebooks/")]
    names = [f"notebooks/{path.stem}" for path in (ROOT / "notebooks").glob("*.ipynb") if path.stem[0] != "_"]
    assert names
    assert [name for name in names if not any(Path(name).match(pattern) for pattern in patterns)] == []


def test_terms_that_pages_link_are_in_the_glossary():
    text = (DOCS / "glossary.md").read_text()
    blocks = re.findall(r":::\{glossary\}\n(.*?)\n:::", text, re.DOTALL)
    terms = [line for block in blocks for line in block.splitlines() if line and line[0] != " "]
    assert len(terms) == len(set(terms)), "a term is defined twice"
    linked = {
        (target or name).strip()
        for page in [*PAGES, ROOT / "README.md"]
        for name, target in re.findall(r"\{term\}`([^`<]+?)\s*(?:<([^>]+)>)?`", page.read_text())
    }
    assert linked
    assert {term.lower() for term in linked} - {term.lower() for term in terms} == set()


def test_pages_that_readme_and_pages_link_exist():
    for page in [*PAGES, ROOT / "README.md"]:
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text()):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name} links {target}"


def test_parts_of_the_readme_that_pages_include_are_marked():
    readme = (ROOT / "README.md").read_text()
    included = [marks for page in PAGES for marks in re.findall(r":(?:start-after|end-before): (.*)", page.read_text())]
    assert included
    assert [mark for mark in included if readme.count(mark) != 1] == []


def test_citation_is_that_of_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["cff-version"] == "1.2.0"
    assert citation["version"] == electrolyte_ml.__version__
    with open(ROOT / "pyproject.toml", "rb") as file:
        assert citation["license"] == tomllib.load(file)["project"]["license"]
    assert {"message", "title", "authors"} <= citation.keys()
    for work in citation["references"]:
        assert {"type", "title", "authors"} <= work.keys()


def test_changelog_names_this_version():
    text = (DOCS / "CHANGELOG.md").read_text()
    assert re.search(rf"^## {re.escape(electrolyte_ml.__version__)}\b", text, re.MULTILINE)


def test_hooks_run_what_is_here_and_name_no_host():
    text = (ROOT / ".pre-commit-config.yaml").read_text()
    assert "://" not in text
    (repository,) = yaml.safe_load(text)["repos"]
    assert repository["repo"] == "local"
    assert all(hook["language"] == "system" and hook["entry"].startswith(".venv/") for hook in repository["hooks"])


@pytest.mark.parametrize(
    "page", [*sorted(DOCS.glob("tasks/*.md")), *sorted(DOCS.glob("*.md"))], ids=lambda page: page.stem
)
def test_commands_and_names_in_pages_exist(page):
    blocks = re.findall(r"```(\w+)\n(.*?)```", page.read_text(), re.DOTALL)
    for line in "".join(text for language, text in blocks if language == "sh").replace("\\\n", " ").splitlines():
        program, *arguments = shlex.split(line, comments=True) or [None]
        if program == "electrolyte-ml":
            _, unknown = build_parser().parse_known_args(arguments)  # ends with a message where it cannot be parsed
            assert not unknown, line
    for node in [node for language, text in blocks if language == "python" for node in ast.walk(ast.parse(text))]:
        if isinstance(node, ast.ImportFrom) and node.module.startswith("electrolyte_ml"):
            module = importlib.import_module(node.module)
            assert [name.name for name in node.names if not hasattr(module, name.name)] == []
        elif isinstance(node, ast.Attribute) and getattr(node.value, "id", None) == "eml":
            assert hasattr(electrolyte_ml, node.attr), f"eml.{node.attr}"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The folder of the pages, built without a warning."""
    for name in ("sphinx", "numpydoc", "myst_nb", "furo"):
        if find_spec(name) is None:
            pytest.skip(f"{name} is not installed: make docs installs it")
    folder = tmp_path_factory.mktemp("html")
    options = ["--fail-on-warning", "--keep-going", "--nitpicky", "--quiet", "--builder", "html"]
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", *options, str(DOCS), str(folder)], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return folder


@pytest.mark.slow
def test_pages_build_without_a_warning_and_need_no_network(built):
    pages = [*built.glob("*.html"), *built.glob("tasks/*.html"), *built.glob("notebooks/*.html")]
    assert len(pages) > 20
    loaded = re.compile(r"<(?:script|img|iframe|link)\b[^>]*\b(?:src|href)=[\"'](?:https?:)?//")
    assert [page.name for page in pages if loaded.search(page.read_text())] == []


@pytest.mark.slow
def test_search_index_knows_terms_and_functions(built):
    index = (built / "searchindex.js").read_text()
    assert all(word in index for word in ("measure_conductivity", "maxvol", "yeh"))


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["index", "tasks/cluster", "tasks/multiple_steps", "api/index"])
def test_pages_fit_a_telephone_and_axe_finds_nothing(built, name, scheme, on_a_telephone):
    assert on_a_telephone(built / f"{name}.html", scheme) == (390, [])
