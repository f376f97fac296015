"""Every derivative against finite differences of what it is the derivative of."""

import numpy as np
import pytest

from electrolyte_ml.potentials import MomentTensorPotential

STEP = 1e-3


def slope(function, step=STEP):
    """df/dt at 0 to O(step^4)."""
    return (8 * (function(step) - function(-step)) - (function(2 * step) - function(-2 * step))) / (12 * step)


def close(value, expected, rel=1e-6):
    return np.abs(np.asarray(value) - expected).max() <= rel * np.abs(expected).max()


@pytest.fixture(scope="module", params=[2, 4, 8, 12, 16, 20])
def potential(request):
    return MomentTensorPotential.random(request.param, ("H", "C", "O"), seed=request.param, cutoff=4.5)


@pytest.fixture(scope="module")
def atoms(liquid):
    return liquid(11, seed=5, skew=0.3)


def test_forces(potential, atoms):
    moved = atoms.copy()

    def energy(i, axis, t):
        moved.positions[:] = atoms.positions
        moved.positions[i, axis] += t
        return potential.evaluate(moved).energy

    numeric = [[-slope(lambda t, i=i, a=a: energy(i, a, t)) for a in range(3)] for i in range(len(atoms))]
    assert close(numeric, potential.evaluate(atoms).forces)


@pytest.mark.parametrize("side", [None, 3.0])
def test_stress(potential, liquid, side):
    """Also of a cell that is smaller than the cutoff."""
    atoms = liquid(11, seed=5, skew=0.3) if side is None else liquid(2, seed=5, side=side, skew=0.2)

    def energy(a, b, t):
        strain = np.eye(3)
        strain[a, b] += t / 2
        strain[b, a] += t / 2
        moved = atoms.copy()
        moved.set_cell(np.array(atoms.cell) @ strain, scale_atoms=True)
        return potential.evaluate(moved).energy

    voigt = [(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)]
    numeric = [slope(lambda t, p=p: energy(*p, t), 2e-4) / atoms.get_volume() for p in voigt]
    assert close(numeric, potential.evaluate(atoms).stress)


def test_forces_with_open_boundaries(potential, liquid):
    atoms = liquid(8, seed=6, pbc=(True, False, False))
    direction = np.random.default_rng(0).normal(size=(8, 3))

    def energy(t):
        moved = atoms.copy()
        moved.positions += t * direction
        return potential.evaluate(moved).energy

    assert slope(energy) == pytest.approx(-(potential.evaluate(atoms).forces * direction).sum(), rel=1e-6)


def test_energy_by_every_parameter(potential, atoms):
    """E is a polynomial of degree 4 in the radial coefficients and linear in the others: the differences are exact."""
    geometry, theta = potential.geometry(atoms), potential.parameters
    gradient = potential.energy_gradient(atoms)
    a, b = potential.radial.size, potential.radial.size + len(potential.shifts)
    few = np.random.default_rng(0).choice(a, min(a, 40), replace=False)
    few = np.union1d(few, np.flatnonzero(gradient[:a] == 0)[:2])

    def energy(k, t):
        changed = theta.copy()
        changed[k] += t
        return potential.with_parameters(changed).evaluate(geometry).energy

    for block in (few, np.arange(a, b), np.arange(b, len(theta))[:: max(1, (len(theta) - b) // 40)]):
        numeric = np.array([slope(lambda t, k=k: energy(k, t), 0.05) for k in block])
        assert close(gradient[block], numeric)


def test_site_energies_by_parameters(potential, atoms):
    geometry, theta = potential.geometry(atoms), potential.parameters
    rows = potential.site_energy_gradients(atoms)
    assert close(rows.sum(0), potential.energy_gradient(atoms), 1e-12)
    rng, a = np.random.default_rng(1), potential.radial.size
    for block in (slice(0, a), slice(a, a + 3), slice(a + 3, None)):
        direction = np.zeros_like(theta)
        direction[block] = rng.normal(size=direction[block].shape)

        def energies(t, direction=direction):
            return potential.with_parameters(theta + t * direction).evaluate(geometry).energies

        assert close(rows @ direction, slope(energies, 0.05))


def test_hessian_is_symmetric(potential, atoms):
    """Forces that are a gradient: d F.v / dw = d F.w / dv."""
    v, w = np.random.default_rng(2).normal(size=(2, len(atoms), 3))

    def along(direction, other):
        def work(t):
            moved = atoms.copy()
            moved.positions += t * direction
            return (potential.evaluate(moved).forces * other).sum()

        return slope(work)

    assert along(v, w) == pytest.approx(along(w, v), rel=1e-6)
