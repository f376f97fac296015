"""The ASE calculator: what it promises ASE, and a Verlet list that never misses a pair."""

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.calculator import PropertyNotImplementedError
from electrolyte_ml.potentials.neighbourhoods import pairs_within
from hypothesis import given, settings
from hypothesis import strategies as st

from electrolyte_ml.errors import InputError
from electrolyte_ml.kernels.neighbours import pair_vectors
from electrolyte_ml.potentials import MomentTensorPotential
from electrolyte_ml.potentials.calculator import VerletList
from electrolyte_ml.structures.neighbours import neighbour_list

POTENTIAL = MomentTensorPotential.random(6, ("H", "C", "O"), cutoff=4.0)


def pair_set(near):
    """The pairs as a sorted array of (centre, neighbour, vector), rounded."""
    centre = np.repeat(np.arange(len(near.segment)), np.diff(near.segment[:, [0, -1]], axis=1)[:, 0])
    rows = np.column_stack([centre, near.index, near.vector.T.round(9) + 0.0])
    return rows[np.lexsort(rows.T[::-1])]


@pytest.mark.nojit
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


@pytest.mark.nojit
@pytest.mark.parametrize("pbc", [False, (True, True, False), (False, True, False)])
def test_no_stress_without_a_volume(pbc, liquid):
    atoms = liquid(8, pbc=pbc)
    atoms.calc = POTENTIAL.calculator()
    with pytest.raises(PropertyNotImplementedError, match="periodic along all three axes"):
        atoms.get_stress()
    assert np.isfinite(atoms.get_forces()).all()


@pytest.mark.nojit
def test_nothing_is_computed_twice(liquid):
    atoms = liquid(8)
    atoms.calc = POTENTIAL.calculator()
    energy, results = atoms.get_potential_energy(), atoms.calc.results
    atoms.get_forces(), atoms.get_stress()
    assert atoms.calc.results is results
    atoms.positions[0, 0] += 0.01
    assert atoms.get_potential_energy() != energy and atoms.calc.pairs.builds == 1


@pytest.mark.nojit
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


@pytest.mark.nojit
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


@pytest.mark.nojit
@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    skin=st.sampled_from([0.0, 0.2, 0.5, 1.5]),
    pbc=st.tuples(*[st.booleans()] * 3),
    step=st.sampled_from([0.02, 0.1, 0.3]),
    strain=st.sampled_from([0.0, 0.003, 0.02]),
    side=st.floats(4.0, 9.0),
)
def test_verlet_list_never_misses_a_pair(liquid, seed, skin, pbc, step, strain, side):
    """Along random walks of atoms and cell the list gives what a fresh one gives."""
    rng = np.random.default_rng(seed)
    atoms = liquid(7, seed=seed, side=side, skew=0.3, pbc=pbc)
    positions, cell, pbc = atoms.positions, np.array(atoms.cell), np.array(pbc)
    species = rng.integers(0, 2, len(atoms))
    lists = VerletList(3.0, skin)
    for _ in range(12):
        fresh = neighbour_list(positions, cell, pbc, 3.0, species, 2)
        if pair_vectors(positions, cell, *fresh, 3.0)[3] < 0.3:
            return  # two atoms ran into each other
        near = pairs_within(positions, cell, pbc, lists(positions, cell, pbc, species, 2), species, 3.0)
        assert np.array_equal(pair_set(near), pair_set(pairs_within(positions, cell, pbc, fresh, species, 3.0)))
        deformation = np.eye(3) + strain * rng.uniform(-1, 1, (3, 3))
        positions, cell = positions @ deformation, cell @ deformation
        positions = positions + step * rng.uniform(-1, 1, positions.shape) / np.sqrt(3)


@pytest.mark.nojit
def test_number_of_rebuilds():
    """Rebuilt when, and only when, an atom may have moved half the skin."""
    lists, species = VerletList(3.0, 0.5), np.zeros(2, int)
    cell, pbc = 9.0 * np.eye(3), np.ones(3, bool)
    positions = np.array([[1.0, 1, 1], [3.9, 1, 1]])
    for moved, builds in [(0.0, 1), (0.2, 1), (0.249, 1), (0.2501, 2), (0.45, 2), (0.51, 3), (0.51, 3)]:
        lists(positions + [[moved, 0, 0], [0, 0, 0]], cell, pbc, species, 2)
        assert lists.builds == builds


def test_a_breathing_cell_does_not_rebuild():
    """Affine motion, as a barostat makes it, costs the list little: only the strain counts, not how far atoms went."""
    lists, species = VerletList(3.0, 0.5), np.zeros(50, int)
    cell, pbc = 30.0 * np.eye(3), np.ones(3, bool)
    positions = np.array([[x, y, 0.0] for x in range(0, 30, 3) for y in range(0, 30, 6)])
    for scale in (1.0, 1.02, 0.98, 0.95, 1.3):  # atoms at 30 Å move by up to 9 Å
        near = pairs_within(
            positions * scale, cell * scale, pbc, lists(positions * scale, cell * scale, pbc, species, 1), species, 3.0
        )
        fresh = neighbour_list(positions * scale, cell * scale, pbc, 3.0)
        assert len(near.index) == len(pairs_within(positions * scale, cell * scale, pbc, fresh, species, 3.0).index)
    assert lists.builds == 1
    lists(positions * 0.8, cell * 0.8, pbc, species, 1)
    assert lists.builds == 2


@pytest.mark.nojit
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


@pytest.mark.nojit
def test_lists_without_atoms():
    lists = VerletList(3.0, 0.5)
    none = Atoms()
    made = lists(none.positions, np.zeros((3, 3)), np.zeros(3, bool), np.zeros(0, int), 2)
    assert made.listed.shape == (0, 3) and len(made.neighbour) == 0
