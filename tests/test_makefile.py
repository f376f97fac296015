"""The commands' first step: an old Python is refused in words, before anything is installed."""

import shutil
import subprocess

import pytest


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
    done = subprocess.run(["make", "test", f"PYTHON={old}"], cwd=clone, capture_output=True, text=True)
    assert done.returncode != 0
    assert "older than Python 3.11" in done.stderr
    assert not (clone / ".venv").exists()


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_missing_python_is_said(clone):
    done = subprocess.run(["make", "test", "PYTHON="], cwd=clone, capture_output=True, text=True)
    assert done.returncode != 0
    assert "no Python 3.11 or newer" in done.stderr


def test_ci_runs_the_test_command_and_nothing_else(root):
    script = root / ".ci" / "run"
    assert script.stat().st_mode & 0o100
    commands = [line for line in script.read_text().splitlines() if line and not line.startswith("#")]
    assert commands == ['cd "$(dirname "$0")/.." && exec make test']
