"""The ASE calculator: what it promises ASE, and when it makes a new neighbour list."""

import numpy as np
import pytest
from ase.calculators.calculator import PropertyNotImplementedError

from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials import MomentTensorPotential

POTENTIAL = MomentTensorPotential.random(6, ("H", "C", "O"), cutoff=4.0)


def test_properties(liquid):
    atoms = liquid(16, skew=0.2)
    atoms.calc = POTENTIAL.calculator(skin=0.0)  # the very list of `evaluate`, so that not even the last bit differs
    result = POTENTIAL.evaluate(atoms)
    assert atoms.get_potential_energy() == atoms.get_potential_energy(force_consistent=True) == result.energy
    assert np.array_equal(atoms.get_potential_energies(), result.energies)
    assert np.array_equal(atoms.get_forces(), result.forces)
    assert np.array_equal(atoms.get_stress(), result.stress)
    assert set(atoms.calc.results) == set(atoms.calc.implemented_properties)
    assert result.energies.sum() == pytest.approx(result.energy, rel=1e-14)
    assert np.abs(result.forces.sum(0)).max() < 1e-12 * np.abs(result.forces).max()


@pytest.mark.parametrize("pbc", [False, (True, True, False), (False, True, False)])
def test_no_stress_without_a_volume(pbc, liquid):
    atoms = liquid(8, pbc=pbc)
    atoms.calc = POTENTIAL.calculator()
    with pytest.raises(PropertyNotImplementedError, match="periodic along all three axes"):
        atoms.get_stress()
    assert np.isfinite(atoms.get_forces()).all()


def test_nothing_is_computed_twice(liquid):
    atoms = liquid(8)
    atoms.calc = POTENTIAL.calculator()
    energy, results = atoms.get_potential_energy(), atoms.calc.results
    atoms.get_forces(), atoms.get_stress()
    assert atoms.calc.results is results
    atoms.positions[0, 0] += 0.01
    assert atoms.get_potential_energy() != energy and atoms.calc.pairs.builds == 1


def test_one_calculator_for_several_configurations(liquid):
    """Other atoms, species or boundary conditions are never served from an old list."""
    calc = POTENTIAL.calculator()
    one = liquid(8, seed=1)
    swapped = one.copy()
    swapped.symbols = "OHHHHHCC"
    cluster = one.copy()
    cluster.pbc = False
    stretched = one.copy()
    stretched.set_cell(one.cell.array * 1.3, scale_atoms=False)
    for atoms in (one, liquid(5, seed=2), one, swapped, cluster, stretched, one):
        expected = POTENTIAL.evaluate(atoms).energy
        assert calc.get_potential_energy(atoms) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("skin", [-0.1, np.nan, np.inf])
def test_impossible_skin(skin):
    with pytest.raises(InputError, match="skin"):
        POTENTIAL.calculator(skin=skin)


def test_recovers_after_bad_atoms(liquid):
    atoms = liquid(8)
    atoms.calc = POTENTIAL.calculator()
    energy, good = atoms.get_potential_energy(), atoms.positions.copy()
    for bad in (np.nan, np.inf, 1e300):
        atoms.positions[3, 1] = bad
        with pytest.raises(InputError, match="atom 4"):
            atoms.get_potential_energy()
    atoms.positions = good
    assert atoms.get_potential_energy() == pytest.approx(energy, rel=1e-13)


def test_wrapped_atoms_only_cost_a_rebuild(liquid):
    atoms = liquid(12, skew=0.2)
    atoms.calc = POTENTIAL.calculator()
    forces = atoms.get_forces()
    atoms.positions += np.array(atoms.cell)[0] * 3 - np.array(atoms.cell)[2]
    atoms.wrap()
    assert atoms.get_forces() == pytest.approx(forces, rel=1e-9, abs=1e-11)


def test_dynamics_conserves_energy(liquid):
    """200 steps of velocity Verlet through several rebuilds: no pair is lost at the cutoff."""
    from ase import units
    from ase.md.velocitydistribution import MaxwellBoltzmannDistribution
    from ase.md.verlet import VelocityVerlet

    atoms = liquid(12, ("C",), seed=3, side=6.0)
    potential = MomentTensorPotential.random(2, ("C",), radial_basis_size=1, cutoff=4.0, scaling=0.1)
    potential = potential.with_parameters(np.array([1.0, 0.0, 1.0]))  # E = sum 0.1 (4 - r)^2: purely repulsive
    atoms.calc = potential.calculator(skin=0.3)
    MaxwellBoltzmannDistribution(atoms, temperature_K=600, rng=np.random.default_rng(0))
    start = atoms.get_total_energy()
    VelocityVerlet(atoms, 1.0 * units.fs).run(200)
    assert atoms.calc.pairs.builds > 2
    assert atoms.get_total_energy() == pytest.approx(start, abs=2e-3)
