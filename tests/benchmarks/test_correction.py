"""The comparison of corrections with potentials learnt outright: reading, resumption, table."""

import json
import sys

import numpy as np
import pytest
from ase.calculators.singlepoint import SinglePointCalculator

from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials import MomentTensorPotential, correction_on, load
from electrolyte_ml.structures import write_configurations


@pytest.fixture(scope="module")
def correction(script):
    return script("correction")


@pytest.fixture
def files(liquid, tmp_path):
    """Twelve liquids labelled by a potential and by a correction to it."""
    cheap = MomentTensorPotential.random(2, ("H", "C", "O"), seed=3)
    better = correction_on(cheap, MomentTensorPotential.random(2, ("H", "C", "O"), seed=4, cutoff=4.0))
    paths = tmp_path / "cheap.extxyz", tmp_path / "better.extxyz"
    for path, potential in zip(paths, (cheap, better), strict=True):
        frames = []
        for seed in range(12):
            atoms = liquid(9 + seed % 2, seed=seed)
            atoms.info |= {
                "part": "held out" if seed % 3 == 0 else "train",
                "composition": "X=1",
                "reference": path.stem,
            }
            result = potential.evaluate(atoms)
            atoms.calc = SinglePointCalculator(atoms, energy=result.energy, forces=result.forces, stress=result.stress)
            frames.append(atoms)
        write_configurations(path, frames)
    return paths


def test_fits_are_kept_and_summarised(correction, files, tmp_path, monkeypatch, capsys):
    output = tmp_path / "results"
    options = ["--base-level", "2", "--levels", "2", "--outright-levels", "2", "--counts", "2", "4", "--seeds", "0"]
    words = ["correction.py", *map(str, files), "-o", str(output), *options, "--iterations", "3", "--jobs", "1"]
    monkeypatch.setattr(sys, "argv", words)
    correction.main()
    printed = capsys.readouterr().out
    assert "9 of 9 fits are done" in printed
    found = json.loads((output / "correction.json").read_text())
    assert found["references"] == [["cheap"], ["better"]] and len(found["fits"]) == 9
    base = next(output.glob("base_*.pot"))
    for path in output.glob("correction_*.pot"):
        assert np.array_equal(load(path).terms[0].base.parameters, load(base).parameters)
        assert load(path).reference == "better, as a correction to cheap"
    monkeypatch.setattr(correction, "train", None)  # nothing is fitted again
    correction.main()
    assert capsys.readouterr().out == printed


def test_other_configurations_are_refused(correction, files):
    text = files[1].read_text()
    files[1].write_text(text.replace("\nH ", "\nO ", 1))
    with pytest.raises(InputError, match=r"better\.extxyz: configuration 1 is not that of .*cheap\.extxyz"):
        correction.read_labels(*files)
