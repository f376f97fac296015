"""SevenNet-l3i5 + D3(0): the sum of the two programs, neutral configurations alone, one model in a process."""

import sys
from importlib import util

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.lj import LennardJones

from electrolyte_ml import reference
from electrolyte_ml.errors import InputError
from electrolyte_ml.reference import sevennet
from electrolyte_ml.structures import molecule, pack

NAME = "SevenNet-l3i5 + D3(0), a PBE-D3(0) surrogate"
installed = util.find_spec("sevenn") is not None
without = pytest.mark.skipif(not installed, reason="sevenn is not installed (the extra `sevennet`, 6 GB)")


@pytest.fixture
def model(monkeypatch):
    """Put a pair potential in place of the model, so that everything around it runs without sevenn."""
    pairs = LennardJones(sigma=1.0, epsilon=0.01, rc=6.0)
    monkeypatch.setattr(sevennet, "versions", lambda packages, name, install: "sevenn 0, dftd3 0")
    monkeypatch.setattr(sevennet, "_model", lambda: pairs)
    return pairs


def test_it_adds_dispersion_to_the_model(model):
    dftd3 = pytest.importorskip("dftd3.ase", reason="dftd3 is not installed (the extra `dft`)")
    surrogate = reference.get("sevennet-l3i5-d3zero")
    assert surrogate.name == NAME
    for atoms in (pack({"EC": 1}, 1.0, seed=0), molecule("EC")):
        parts = []
        for calculator in (LennardJones(sigma=1.0, epsilon=0.01, rc=6.0), dftd3.DFTD3(method="PBE", damping="d3zero")):
            part = atoms.copy()
            part.calc = calculator
            parts.append(part)
        label = surrogate.label(atoms)
        assert label.energy == pytest.approx(sum(part.get_potential_energy() for part in parts), abs=1e-9)
        assert label.forces == pytest.approx(sum(part.get_forces() for part in parts), abs=1e-9)
        if atoms.pbc.all():
            assert label.stress == pytest.approx(sum(part.get_stress() for part in parts), abs=1e-9)
        else:
            assert label.stress is None


def test_it_takes_no_charge(model):
    surrogate = reference.get("sevennet-l3i5-d3zero")
    ion = Atoms("Li", cell=[9, 9, 9], pbc=True, info={"charge": 1})
    with pytest.raises(InputError, match="configuration 1: SevenNet.* labels neutral cells, .*no total charge"):
        surrogate.check(ion, "configuration 1")
    ion.pbc = False
    with pytest.raises(InputError, match="labels neutral molecules"):
        surrogate.check(ion)


@pytest.mark.skipif(installed, reason="sevenn is installed")
def test_without_sevenn_it_says_what_to_install():
    with pytest.raises(InputError, match=r"SevenNet-l3i5 needs sevenn, .*'\.\[sevennet\]'"):
        reference.get("sevennet-l3i5-d3zero")


def test_a_broken_installation_says_what_to_install(monkeypatch):
    monkeypatch.setattr(sevennet, "versions", lambda packages, name, install: "sevenn 0, dftd3 0")
    monkeypatch.setitem(sys.modules, "sevenn", None)
    monkeypatch.setitem(sys.modules, "sevenn.calculator", None)
    sevennet._model.cache_clear()
    with pytest.raises(InputError, match=r"sevenn cannot be loaded .*'\.\[sevennet\]'"):
        reference.get("sevennet-l3i5-d3zero").require()


@pytest.mark.slow
@without
def test_labels_are_what_both_programs_compute():
    from dftd3.ase import DFTD3
    from sevenn.calculator import SevenNetCalculator

    box = pack({"EC": 2}, 1.2, seed=0)
    label = reference.get("sevennet-l3i5-d3zero").label(box)
    parts = []
    for calculator in (SevenNetCalculator("7net-l3i5"), DFTD3(method="PBE", damping="d3zero")):
        part = box.copy()
        part.calc = calculator
        parts.append(part)
    assert label.forces == pytest.approx(sum(part.get_forces() for part in parts), abs=1e-6)
    assert label.stress == pytest.approx(sum(part.get_stress() for part in parts), abs=1e-6)
    assert np.abs(label.forces).max() > 0.1


@pytest.mark.slow
@without
def test_a_process_holds_one_model():
    surrogate = reference.get("sevennet-l3i5-d3zero")
    surrogate.require()
    assert sevennet._model() is sevennet._model()
    assert sevennet._model.cache_info().misses == 1
