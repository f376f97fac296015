"""What every test shares: one thread per kernel, and the data others made where they are present."""

import os
from pathlib import Path

os.environ.setdefault("NUMBA_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository's root."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of data that others made: never part of the repository, so the test is skipped without it."""
    folder = Path(os.environ.get("ELECTROLYTE_ML_SHARED", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("others' data are not here (set ELECTROLYTE_ML_SHARED to their folder)")
    return folder
