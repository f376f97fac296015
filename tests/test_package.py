"""The package as a whole: a light import, its public names, no circles among its modules, a pinned environment."""

import re
import subprocess
import sys
import tomllib

import grimp
import pytest

import electrolyte_ml

HEAVY = ("numpy", "scipy", "numba", "ase", "matplotlib", "pydantic", "MDAnalysis", "tblite", "loky", "tqdm")
LIGHT = ("checks", "errors", "files", "locks", "parallel", "units")


@pytest.mark.parametrize("module", ["electrolyte_ml", *(f"electrolyte_ml.{name}" for name in LIGHT)])
def test_import_loads_nothing_heavy(module):
    code = f"import sys, {module}; print([name for name in {HEAVY!r} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.parametrize("name", electrolyte_ml.__all__)
def test_every_public_name_exists(name):
    assert getattr(electrolyte_ml, name) is not None


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no_such_thing"):
        electrolyte_ml.no_such_thing  # noqa: B018


def test_no_module_imports_itself_through_others():
    """Imports inside functions count, those for types alone do not; a package's own file is a module like any other."""
    graph = grimp.build_graph("electrolyte_ml", exclude_type_checking_imports=True, cache_dir=None)
    imports = {(a, b) for a in graph.modules for b in graph.find_modules_directly_imported_by(a)}
    circles = {(a, b) for a, b in imports if graph.chain_exists(importer=b, imported=a)}
    assert not circles, "\n".join(f"{a} imports {b}, and back" for a, b in sorted(circles))


def test_version_is_that_of_the_project(root):
    with open(root / "pyproject.toml", "rb") as file:
        assert tomllib.load(file)["project"]["version"] == electrolyte_ml.__version__


def pins_of(path):
    """Pins of a lock file; the same package may stand there for several versions of Python."""
    text = path.read_text()
    assert "://" not in text, "a lock file names no host"
    pins = [pin for line in text.splitlines() if (pin := line.split("#")[0].split(";")[0].strip())]
    assert pins
    assert all("==" in pin for pin in pins)
    assert not any(pin.startswith("torch==") for pin in pins)
    return {pin.lower() for pin in pins}


def names_of(requirements):
    return {r.split(">=")[0].split("[")[0].lower() for r in requirements} - {"electrolyte-ml"}


def test_locks_pin_every_requirement_and_name_no_host(root):
    with open(root / "pyproject.toml", "rb") as file:
        project = tomllib.load(file)["project"]
    extras = project["optional-dependencies"]
    (locked,) = re.findall(r"^LOCKED := (.*)$", (root / "Makefile").read_text(), re.MULTILINE)
    # Torch of sevennet is large, openmm needs a newer glibc, few need cluster; the documentation has a lock of its own.
    assert set(locked.split()) == extras.keys() - {"cluster", "docs", "openmm", "sevennet"}
    wanted = project["dependencies"] + [r for name in locked.split() for r in extras[name]]
    pins, of_docs = pins_of(root / "requirements.lock"), pins_of(root / "docs" / "requirements.lock")
    assert names_of(wanted) <= {pin.split("==")[0] for pin in pins}
    assert names_of(extras["docs"]) <= {pin.split("==")[0] for pin in of_docs}
    shared = {pin.split("==")[0] for pin in pins} & {pin.split("==")[0] for pin in of_docs}
    assert {pin for pin in of_docs - pins if pin.split("==")[0] in shared} == set(), "the two locks disagree"
