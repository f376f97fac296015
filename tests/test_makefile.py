"""The commands: what `make test` runs, its messages, and the refusal of an old Python before anything is installed."""

import os
import shutil
import subprocess

import pytest


def make(folder, *arguments):
    """Run make as a first process, not as the child of the make that may run the tests."""
    environment = {
        name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")
    }
    return subprocess.run(["make", *arguments], cwd=folder, env=environment, capture_output=True, text=True)


@pytest.fixture
def clone(root, tmp_path):
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(root / name, tmp_path)
    return tmp_path


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_old_python_is_refused(clone):
    old = clone / "python2.7"
    old.write_text("#!/bin/sh\nexit 1\n")  # what any version below 3.11 answers to the question
    old.chmod(0o755)
    done = make(clone, "test", f"PYTHON={old}")
    assert done.returncode != 0
    assert "older than Python 3.11" in done.stderr
    assert not (clone / ".venv").exists()


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_missing_python_is_said(clone):
    done = make(clone, "test", "PYTHON=")
    assert done.returncode != 0
    assert "no Python 3.11 or newer" in done.stderr


@pytest.fixture
def installed(clone):
    """A clone whose environment counts as installed; each tool in it fails and prints its arguments."""
    folder = clone / ".venv" / "bin"
    folder.mkdir(parents=True)
    for tool in ("python", "lint-imports"):
        (folder / tool).write_text('#!/bin/sh\necho "$@"\nexit 1\n')
        (folder / tool).chmod(0o755)
    (clone / ".venv" / "installed").touch()
    return clone


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_cheap_checks_come_first(installed):
    commands = make(installed, "-n", "test").stdout
    order = ["ruff check", "ruff format --check", "lint-imports", "mypy", "-m nojit", "-m pytest -n 2"]
    places = [commands.index(command) for command in order]
    assert places == sorted(places)
    assert "NUMBA_DISABLE_JIT=1" in commands


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
@pytest.mark.parametrize(
    ("target", "message"), [("test", "ruff found"), ("types", "mypy found"), ("test-nojit", "without compilation")]
)
def test_the_first_failure_ends_the_run(installed, target, message):
    done = make(installed, target)
    assert done.returncode != 0
    (error,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert message in error
    assert len(done.stdout.splitlines()) == 2  # what is checked, and the tool's own line


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_reproduction_takes_scale_and_executor(installed):
    assert make(installed, "-n", "reproduce").stdout.rstrip().endswith("reproduce --scale quick")
    told = make(installed, "-n", "reproduce", "SCALE=paper", "EXECUTOR=slurm").stdout
    assert "reproduce --scale paper --executor slurm" in told


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_documentation_installs_what_it_needs_once_and_stops_at_warnings(root, installed):
    (installed / "docs").mkdir()
    shutil.copy(root / "docs" / "requirements.lock", installed / "docs")
    commands = make(installed, "-n", "docs").stdout
    assert commands.index("-r docs/requirements.lock") < commands.index("-m sphinx --fail-on-warning")
    (installed / ".venv" / "docs-installed").touch()
    assert "pip install" not in make(installed, "-n", "docs").stdout


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
@pytest.mark.parametrize("target", ["test", "reproduce"])
def test_no_other_command_installs_what_the_documentation_needs(installed, target):
    assert "docs" not in make(installed, "-n", target).stdout


def test_ci_runs_the_test_command_and_nothing_else(root):
    script = root / ".ci" / "run"
    assert script.stat().st_mode & 0o100
    commands = [line for line in script.read_text().splitlines() if line and not line.startswith("#")]
    assert commands == ['cd "$(dirname "$0")/.." && exec make test']
