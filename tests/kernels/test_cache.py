"""Compiled kernels on disk: another place where a package is read-only, and nothing that is damaged is run."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import electrolyte_ml
from electrolyte_ml.files import private_temporary_folder

RUN = """
from electrolyte_ml.kernels import lifetimes
import numpy as np
a = np.arange(2); z = a[:1]
print(lifetimes.survivals(a, z, 1, z, z)[0])
"""
FIGURE = """
import logging; logging.basicConfig()
from electrolyte_ml.figures.style import subplots
subplots()[0].canvas.draw()
"""


def run(code, folder=None, **environment):
    path = {} if folder is None else {"PYTHONPATH": str(folder)}
    other = ("NUMBA_CACHE_DIR", "MPLCONFIGDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")
    kept = {name: value for name, value in os.environ.items() if name not in other}
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=kept | path | environment,
        check=True,
        cwd=folder or Path.cwd(),
    )


@pytest.fixture
def read_only(tmp_path):
    """A copy of the package into which not even root can write a kernel, and an environment without a home."""
    package = Path(electrolyte_ml.__file__).parent
    copy = shutil.copytree(package, tmp_path / "site" / package.name, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "kernels" / "__pycache__").touch()  # a file where numba wants a folder
    home = {"HOME": "/dev/null", "TMPDIR": str(tmp_path)}
    return copy.parent, home


def test_a_read_only_package_without_a_home_keeps_its_kernels_in_a_temporary_folder(read_only, tmp_path):
    folder, home = read_only
    first, second = (run(RUN, folder, **home) for _ in range(2))
    assert first.stdout == second.stdout != ""
    place = tmp_path / f"electrolyte-ml-of-{os.getuid()}"
    for process in (first, second):
        assert process.stderr.count(f"Compiled kernels are kept in {place}") == 1
    assert "Compiling" in first.stderr and "Compiling" not in second.stderr
    assert place.stat().st_mode & 0o777 == 0o700


def test_figures_without_a_home_are_drawn_without_a_warning(read_only):
    _, home = read_only
    assert run(FIGURE, **home).stderr == ""


def test_a_folder_that_belongs_to_others_is_not_used(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    usual = private_temporary_folder()
    assert usual == private_temporary_folder() and usual.parent == tmp_path
    usual.chmod(0o777)  # anybody could put code there
    assert private_temporary_folder() != usual
    usual.rmdir()
    usual.symlink_to("/tmp")
    assert private_temporary_folder() != usual


@pytest.mark.slow
def test_damaged_kernels_are_compiled_again(tmp_path):
    """Machine code with a wrong byte would crash the process, or give other numbers."""
    right = run(RUN, NUMBA_CACHE_DIR=str(tmp_path))
    files = sorted([*tmp_path.rglob("*.nbi"), *tmp_path.rglob("*.nbc")])
    assert len(files) > 1
    for k, path in enumerate(files):
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes((content, b"", content[:-40])[k % 3])
    again = run(RUN, NUMBA_CACHE_DIR=str(tmp_path))
    assert again.stdout == right.stdout and again.stderr.count("Compiling kernels") == 1
    assert run(RUN, NUMBA_CACHE_DIR=str(tmp_path)).stderr == ""


@pytest.mark.slow
def test_kernels_are_compiled_again_after_an_edit_of_any_of_them(read_only, tmp_path):
    """Wherever they are kept, and whatever the time of the edited file: others may call what it holds."""
    folder, _ = read_only
    kept = str(tmp_path / "kernels")
    assert "Compiling" in run(RUN, folder, NUMBA_CACHE_DIR=kept).stderr
    source = folder / "electrolyte_ml" / "kernels" / "bins.py"
    os.utime(source)  # touched, with the same content
    assert run(RUN, folder, NUMBA_CACHE_DIR=kept).stderr == ""
    source.write_text(source.read_text() + "# an edit\n")
    os.utime(source, (10, 10))
    assert "Compiling" in run(RUN, folder, NUMBA_CACHE_DIR=kept).stderr
    assert run(RUN, folder, NUMBA_CACHE_DIR=kept).stderr == ""


def test_a_full_disk_costs_the_cache_and_not_the_command(tmp_path):
    code = "import os\nfrom electrolyte_ml import files\nfrom electrolyte_ml.kernels import cache\n"
    code += "def full(path, content): raise OSError(28, 'No space left on device', path)\ncache.atomic_write = full\n"
    process = run(code + RUN, NUMBA_CACHE_DIR=str(tmp_path))
    assert process.stdout and process.stderr.count("cannot be kept in") == 1
    assert str(tmp_path) in process.stderr and "No space left" in process.stderr
