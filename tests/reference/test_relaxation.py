"""Relaxations end where forces and stress vanish, and say what became of ion pairs."""

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.lj import LennardJones

from electrolyte_ml.errors import InputError
from electrolyte_ml.reference import LabelStore, get, relax
from electrolyte_ml.structures import ion_shells, pack_motif

ARGON = {"sigma": 3.4, "epsilon": 0.0104, "rc": 8.0, "smooth": True}


@pytest.fixture
def store(tmp_path):
    return LabelStore(tmp_path / "labels")


@pytest.fixture
def argon():
    atoms = bulk("Ar", "fcc", a=5.5, cubic=True)
    atoms.rattle(0.1, seed=1)
    return atoms


def test_positions_and_cell_end_at_a_minimum_by_the_calculator_itself(argon, store):
    before = argon.copy()
    found = relax(argon, get("lj", **ARGON), store, fmax=1e-3, steps=300)
    assert found.converged and found.kept and found.largest_force < 1e-3
    atoms = found.atoms.copy()
    atoms.calc = LennardJones(**ARGON)
    assert np.abs(atoms.get_forces()).max() < 1e-3
    assert np.abs(atoms.get_stress()).max() * atoms.get_volume() < 4e-3  # the gradient by the cell is fmax, too
    assert atoms.get_potential_energy() == pytest.approx(found.energy)
    before.calc = LennardJones(**ARGON)
    assert found.energy < before.get_potential_energy()
    assert np.array_equal(argon.positions, before.positions)


def test_a_fixed_cell_stays(argon, store):
    found = relax(argon, get("lj", **ARGON), store, fmax=1e-3, steps=300, cell=False)
    assert found.converged and np.array_equal(found.atoms.cell, argon.cell)


def test_every_step_is_kept(argon, store):
    reference = get("lj", **ARGON)
    first = relax(argon, reference, store, fmax=1e-3, steps=5)
    assert not first.converged and first.steps == 5

    def refuse(atoms, safer):
        raise AssertionError("a label is computed twice")

    reference._compute = refuse
    again = relax(argon, reference, store, fmax=1e-3, steps=5)
    assert np.array_equal(again.atoms.positions, first.atoms.positions)


class Spring(Calculator):
    """Pulls atom 0 and another one to a distance, 1 eV/Å² (r - length)² / 2."""

    implemented_properties = ["energy", "forces"]  # noqa: RUF012 - ASE's own declaration

    def __init__(self, other, length):
        super().__init__()
        self.other, self.length = other, length

    def calculate(self, atoms=None, properties=None, system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        between = atoms.get_distance(0, self.other, vector=True, mic=True)
        distance = np.linalg.norm(between)
        forces = np.zeros((len(atoms), 3))
        forces[0] = (distance - self.length) * between / distance
        forces[self.other] = -forces[0]
        self.results = {"energy": 0.5 * (distance - self.length) ** 2, "forces": forces}


@pytest.mark.parametrize(("length", "kept"), [(2.0, True), (4.0, False)])
def test_a_motif_that_is_lost_is_told(length, kept, store):
    pair = pack_motif("CIP", {"LiPF6": 1, "EC": 1}, 0.3, donors=2)
    bound = [k for k in np.flatnonzero(pair.numbers == 9) if pair.get_distance(0, k, mic=True) < 2.79]
    reference = get(Spring(int(bound[0]), length), name="spring", model=f"{length}")
    found = relax(pair, reference, store, fmax=1e-3, cell=False)
    assert found.converged and found.kept == kept
    assert ion_shells(found.atoms)[0].pairing == ("CIP" if kept else "SSIP")
    assert ("the motif is kept" in str(found)) == kept
    with pytest.raises(InputError, match="spring gives no stress"):
        relax(pair, reference, store)


def test_a_cell_that_is_not_periodic_is_refused(argon, store):
    argon.pbc = True, True, False
    with pytest.raises(InputError, match="periodic in all three directions"):
        relax(argon, get("lj", **ARGON), store)
