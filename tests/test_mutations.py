"""Wrong bytes in every format that is read: one error that names the file, or a result that makes sense.

No other exception, no crash, nothing longer than 20 s, nothing above 2 GB. Some dozens of damaged files of each format
are read; with the environment variable MUTATIONS as many as it says, which `make test-mutations` sets to 2000.
"""

import os
import subprocess
import sys

import pytest

from tests.mutations import FORMATS
from tests.mutations.reading import read_damaged

MANY = int(os.environ.get("MUTATIONS", 0))
NEEDS = {"molecule.mol": "rdkit", "molecules.toml": "rdkit"}


@pytest.mark.parametrize("name", FORMATS)
def test_damage_is_an_error_that_names_the_file_or_harmless(name, tmp_path):
    pytest.importorskip(NEEDS.get(name, "numpy"))
    few = 8 if name.startswith(("learn_", "produce_")) else 40  # a run goes on with each damaged file
    faults, refused = read_damaged(name, tmp_path, 0, few)
    assert not faults
    assert refused > few // 8  # else the damage does not reach what is read


@pytest.mark.slow
@pytest.mark.skipif(not MANY, reason="takes hours: MUTATIONS says how many damaged files of each format")
@pytest.mark.parametrize("name", FORMATS)
def test_much_damage_neither_crashes_nor_hangs(name, tmp_path):
    """In a process of its own, which a crash would end."""
    pytest.importorskip(NEEDS.get(name, "numpy"))
    words = [sys.executable, "-m", "tests.mutations", name, str(tmp_path), "0", str(MANY)]
    process = subprocess.run(words, capture_output=True, text=True)
    assert process.returncode == 0, (process.stdout + process.stderr)[-3000:]
