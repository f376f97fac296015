"""What no potential of nature depends on, for random configurations."""

import numpy as np
import pytest
from ase import Atoms
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from electrolyte_ml.potentials import MomentTensorPotential

POTENTIALS = [MomentTensorPotential.random(level, ("H", "C", "O"), seed=level, cutoff=4.0) for level in (8, 16)]
VOIGT = ([0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1])
seeds = st.integers(0, 10**6)
potentials = st.sampled_from(POTENTIALS)
quick = settings(max_examples=20, deadline=None)


def same(value, expected, rel=1e-10):
    return np.abs(value - expected).max() <= rel * np.abs(expected).max()


def full(stress):
    sigma = np.zeros((3, 3))
    sigma[VOIGT], sigma[VOIGT[::-1]] = stress, stress
    return sigma


@quick
@given(potentials, seeds, st.booleans())
def test_rotation_and_reflection(liquid, potential, seed, mirror):
    atoms = liquid(9, seed=seed % 20, skew=0.3)
    turn = Rotation.random(rng=np.random.default_rng(seed)).as_matrix() * (-1 if mirror else 1)
    turned = Atoms(atoms.symbols, atoms.positions @ turn.T, cell=np.array(atoms.cell) @ turn.T, pbc=True)
    one, other = potential.evaluate(atoms), potential.evaluate(turned)
    assert same(other.energies, one.energies) and same(other.forces, one.forces @ turn.T)
    assert same(full(other.stress), turn @ full(one.stress) @ turn.T)


@quick
@given(potentials, seeds)
def test_translation(liquid, potential, seed):
    atoms = liquid(9, seed=seed % 20, skew=0.3)
    moved = atoms.copy()
    moved.positions += np.random.default_rng(seed).uniform(-50, 50, 3)
    one, other = potential.evaluate(atoms), potential.evaluate(moved)
    assert same(other.energies, one.energies) and same(other.forces, one.forces) and same(other.stress, one.stress)
    assert np.abs(one.forces.sum(0)).max() < 1e-12 * np.abs(one.forces).max()


@quick
@given(potentials, seeds)
def test_permutation(liquid, potential, seed):
    atoms = liquid(9, seed=seed % 20, skew=0.3)
    order = np.random.default_rng(seed).permutation(9)
    one, other = potential.evaluate(atoms), potential.evaluate(atoms[order])
    assert same(other.energies, one.energies[order]) and same(other.forces, one.forces[order])
    assert same(potential.energy_gradient(atoms[order]), potential.energy_gradient(atoms))


@quick
@given(potentials, seeds)
def test_images(liquid, potential, seed):
    """Atoms in any image, and the same lattice by other vectors of either handedness."""
    atoms = liquid(9, seed=seed % 20, skew=0.2)
    rng = np.random.default_rng(seed)
    cell, turn = np.array(atoms.cell), np.eye(3, dtype=int)
    turn[0] += rng.integers(-2, 3) * turn[1]
    turn[2] += rng.integers(-2, 3) * turn[0]
    turn = turn[rng.permutation(3)] * rng.choice([-1, 1], (3, 1))
    other = Atoms(atoms.symbols, atoms.positions + rng.integers(-4, 5, (9, 3)) @ cell, cell=turn @ cell, pbc=True)
    one, other = potential.evaluate(atoms), potential.evaluate(other)
    assert same(other.energies, one.energies) and same(other.forces, one.forces) and same(other.stress, one.stress)


@quick
@given(potentials, seeds, st.sampled_from([(2, 1, 1), (1, 2, 2), (3, 1, 2)]))
def test_supercells(liquid, potential, seed, repeat):
    """Energy is extensive, forces and stress are the small cell's: even of one that is smaller than the cutoff."""
    atoms = liquid(3, seed=seed % 20, skew=0.3)
    n = int(np.prod(repeat))
    one, other = potential.evaluate(atoms), potential.evaluate(atoms * repeat)
    assert other.energy == pytest.approx(n * one.energy, rel=1e-11)
    assert same(other.forces, np.tile(one.forces, (n, 1))) and same(other.stress, one.stress)


@pytest.mark.parametrize("potential", POTENTIALS)
def test_far_apart_is_independent(potential, liquid):
    one, other = liquid(6, seed=1, pbc=False), liquid(7, seed=2, pbc=False)
    apart = other.copy()
    apart.positions += [40.0, 0, 0]
    both, a, b = (potential.evaluate(x) for x in (one + apart, one, other))
    assert both.energy == pytest.approx(a.energy + b.energy, rel=1e-12)
    assert same(both.forces, np.vstack([a.forces, b.forces]))


@pytest.mark.parametrize("potential", POTENTIALS)
def test_smooth_at_the_cutoff(potential):
    """E goes to the shifts (here none) as (Rcut - r)^2, the force as Rcut - r; beyond there is nothing."""
    cutoff, potential = potential.cutoff, potential.copy()
    potential.shifts[:] = 0

    def dimer(r):
        result = potential.evaluate(Atoms("CO", [[0, 0, 0], [r, 0, 0]]))
        return result.energy, result.forces[1, 0]

    for r in (cutoff, cutoff + 1e-9, cutoff + 1):
        assert np.abs(dimer(r)).max() < 1e-15
    gaps = np.array([1e-3, 1e-4, 1e-5])
    energy, force = np.array([dimer(cutoff - gap) for gap in gaps]).T
    assert np.abs(np.diff(energy / gaps**2)).max() < 0.2 * abs(energy[-1] / gaps[-1] ** 2)
    assert np.abs(np.diff(force / gaps)).max() < 0.2 * abs(force[-1] / gaps[-1])
    assert force[-1] == pytest.approx(2 * energy[-1] / gaps[-1], rel=1e-2)


@pytest.mark.parametrize("potential", POTENTIALS)
def test_smooth_as_an_atom_enters(potential, liquid):
    """In a liquid too: energy and forces change no faster than the step while a neighbour crosses the cutoff."""
    atoms = liquid(9, seed=3, pbc=False)
    probe = atoms + Atoms("C", [[0.0, 0, 0]])
    inside = atoms.positions[0] - [potential.cutoff, 0, 0]
    before, after = [], []
    for side, values in ((1e-7, before), (-1e-7, after)):
        probe.positions[-1] = inside + [side, 0, 0]
        result = potential.evaluate(probe)
        values += [np.append(result.forces.ravel(), result.energy)]
    scale = np.abs(before[0]).max()
    assert np.abs(before[0] - after[0]).max() < 1e-5 * scale
