"""The blocks of the README, pasted in order into an empty folder, end with what they promise."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from electrolyte_ml.potentials import load
from electrolyte_ml.structures import read_configurations
from electrolyte_ml.training import evaluate_errors

ROOT = Path(__file__).resolve().parents[1]
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
NEEDS = "# needs "  # begins a block that is not pasted, and says why
NAMES = [next(line for line in text.splitlines() if not line.startswith("import"))[:40] for _, text in BLOCKS]


class Folder:
    """An empty folder into which blocks are pasted in order, each once, with what they printed."""

    def __init__(self, path):
        self.path, self.printed = path, {}
        program = path.parent / "bin" / "electrolyte-ml"
        program.parent.mkdir()
        program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m electrolyte_ml "$@"\n')
        program.chmod(0o755)
        paths = {"PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}"}
        paths["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
        self.environment = os.environ | paths

    def paste(self, number):
        """Return what a block prints; those before it are pasted first."""
        for k in range(number + 1):
            language, text = BLOCKS[k]
            if k in self.printed or text.startswith(NEEDS):
                continue
            command = ["bash", "-euo", "pipefail", "-c"] if language == "sh" else [sys.executable, "-c"]
            done = subprocess.run([*command, text], cwd=self.path, env=self.environment, capture_output=True, text=True)
            assert done.returncode == 0, f"{text}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
            self.printed[k] = done.stdout
        return self.printed[number]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("readme") / "empty"
    path.mkdir()
    return Folder(path)


def test_blocks_name_their_language_and_what_they_need():
    assert {language for language, _ in BLOCKS} == {"sh", "python"}
    skipped = [text for _, text in BLOCKS if text.startswith(NEEDS)]
    assert len(BLOCKS) - len(skipped) >= 7
    assert sum(NEEDS in text for _, text in BLOCKS) == len(skipped), "it must be the first line of a block"


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(BLOCKS)), ids=NAMES)
def test_block_runs_and_makes_its_files(number, folder):
    _, text = BLOCKS[number]
    if text.startswith(NEEDS):
        pytest.skip(text.splitlines()[0].removeprefix("# "))
    folder.paste(number)
    for name in re.findall(r"(?:-o|--figure) (\S+)", text):
        assert (folder.path / name).exists(), name


def printed(folder, start):
    """Return what the one block that has these words printed."""
    (number,) = [k for k, (_, text) in enumerate(BLOCKS) if start in text]
    return folder.paste(number)


@pytest.mark.slow
def test_fit_explains_forces_that_it_has_not_seen(folder):
    printed(folder, "electrolyte-ml train train.xyz")
    labelled = read_configurations(folder.path / "test.xyz", labelled=True)
    size = np.sqrt(np.mean([np.mean(atoms.get_forces() ** 2) for atoms in labelled]))
    assert evaluate_errors(load(folder.path / "pot.mtp"), labelled).force_rmse < 0.5 * size


@pytest.mark.slow
def test_its_dynamics_are_watched_and_say_how_they_ended(folder):
    text = printed(folder, "electrolyte-ml md pot.mtp")
    ending = json.loads((folder.path / "run" / "result.json").read_text())
    assert f"{ending['time_ps']:g} ps: {ending['reason']}" in text
    log = np.genfromtxt(folder.path / "run" / "log.csv", delimiter=",", names=True)
    assert np.nanmax(log["grade"]) > 0
    if ending["reason"] == "completed":
        temperatures = log["temperature_K"][len(log) // 2 :]
        assert abs(temperatures.mean() - 300) < 5 * 300 * np.sqrt(2 / (3 * 40 - 3))  # its fluctuation in 40 atoms
    else:
        assert ending["detail"] in text


@pytest.mark.slow
def test_suggestion_names_a_number_of_labels(folder):
    text = printed(folder, "electrolyte-ml suggest")
    assert re.search(r"electrolyte-ml train train\.xyz --level [68] ", text)


@pytest.mark.slow
def test_active_learning_has_a_row_for_its_iteration(folder):
    printed(folder, "electrolyte-ml active-learn")
    run = folder.path / "runs" / "ec"
    assert len((run / "status.csv").read_text().splitlines()) == 3  # a header, the inherited set, one iteration
    assert (run / "status.html").exists()


@pytest.mark.slow
def test_every_packed_pair_is_a_contact_pair(folder):
    text = printed(folder, "electrolyte-ml solvation contact_pairs.xyz")
    assert re.search(r"^ +CIP +1\.000 ", text, re.MULTILINE)


@pytest.mark.slow
def test_conductivity_of_known_ions_is_found(folder):
    text = printed(folder, "OrnsteinUhlenbeckIons(")
    exact = float(re.search(r"exact: (\S+)", text)[1])
    rows = re.findall(r"^(green-kubo|einstein-helfand|nernst-einstein|onsager) +(\S+) +(\S+)", text, re.MULTILINE)
    assert len(rows) == 4
    for method, value, error in rows:
        assert abs(float(value) - exact) < 4 * float(error), method


@pytest.mark.slow
def test_correction_is_nearer_to_its_reference_than_the_base(folder):
    printed(folder, "--on-top-of pot.mtp")
    labelled = read_configurations(folder.path / "better.xyz", labelled=True)
    base, corrected = (load(folder.path / name) for name in ("pot.mtp", "corrected.pot"))
    assert evaluate_errors(corrected, labelled).force_rmse < evaluate_errors(base, labelled).force_rmse
