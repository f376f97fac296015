"""The kernels of Coulomb sums against their twins in plain NumPy."""

import numpy as np
import pytest
from ase import Atoms

from electrolyte_ml.kernels.bsplines import fill_splines
from electrolyte_ml.kernels.coulomb_bare import all_pairs
from electrolyte_ml.kernels.coulomb_real import near_part
from electrolyte_ml.kernels.ewald import far_part, structure_factors
from electrolyte_ml.kernels.mesh import convolve, gather, spread
from electrolyte_ml.potentials.coulomb import twin
from electrolyte_ml.potentials.coulomb.ewald import wave_numbers, wave_weights, waves_within
from electrolyte_ml.potentials.coulomb.mesh import spline_moduli
from electrolyte_ml.potentials.geometry import Geometry

pytestmark = pytest.mark.nojit
ALPHA = 0.6  # 1/Å


@pytest.fixture(scope="module")
def system():
    rng = np.random.default_rng(1)
    cell = np.array([[4.0, 0.3, -0.5], [0.9, 3.5, 0.2], [-0.3, 0.8, 4.5]])
    fractional = np.array([[0.1, 0.2, 0.3], [0.6, 0.1, 0.8], [0.4, 0.7, 0.5], [0.9, 0.9, 0.02]])
    return fractional, cell, rng.uniform(-1, 1, 4)


def test_all_pairs(system):
    fractional, cell, charges = system
    positions = fractional @ cell
    i, j = np.nonzero(~np.eye(4, dtype=bool))
    vectors = positions[j] - positions[i]
    r = np.linalg.norm(vectors, axis=1)
    for alpha, (value, slope) in ((0.0, (1 / r, -1 / r**2)), (ALPHA, twin.erf_over_r(r, ALPHA))):
        potentials, forces = np.zeros(4), np.zeros((4, 3))
        virial = sum(all_pairs(*ends, positions, charges, alpha, potentials, forces) for ends in ((0, 3), (3, 4)))
        compare((potentials, forces, virial), twin.pair_part(vectors, i, j, charges, value, slope))


def test_near_part(system):
    fractional, cell, charges = system
    geometry = Geometry.of(Atoms("Li4", fractional @ cell, cell=cell, pbc=True), ("Li",), 5.0)
    potentials, forces = np.zeros(4), np.zeros((4, 3))
    virial = sum(
        near_part(*ends, geometry.near, charges, ALPHA, 4.5, 0.45, potentials, forces) for ends in ((0, 1), (1, 4))
    )
    vectors, i, j = geometry.near.vector.T, geometry.centre, geometry.near.other
    value, slope = twin.erfc_over_r(np.linalg.norm(vectors, axis=1), ALPHA, 4.5, 0.45)
    compare((potentials, forces, virial), twin.pair_part(vectors, i, j, charges, value, slope))


def test_waves(system):
    fractional, cell, charges = system
    longest = 4.0
    waves = waves_within(cell, longest)
    numbers = wave_numbers(waves)
    n = np.stack(np.meshgrid(*[np.arange(-6, 7)] * 3, indexing="ij"), -1).reshape(-1, 3)
    length = np.linalg.norm(2 * np.pi * n @ np.linalg.inv(cell).T, axis=1)
    n = n[(length <= longest) & (length > 0)]
    assert {*map(tuple, n)} == {*map(tuple, numbers), *map(tuple, -numbers)}
    assert len(n) == 2 * len(numbers)

    inverse = np.linalg.inv(cell)
    weights, along = wave_weights(waves, inverse, ALPHA)
    factors = sum(structure_factors(*ends, fractional, charges, waves) for ends in ((0, 2), (2, 4)))
    shares = weights * (factors**2).sum(0)
    potentials, slopes = np.zeros(4), np.zeros((4, 3))
    far_part(0, 4, fractional, charges, waves, weights * factors, potentials, slopes)
    virial = np.einsum("k,ka,kb->ab", shares, along, along) - shares.sum() * np.eye(3)
    expected = twin.wave_part(fractional @ cell, cell, charges, ALPHA, n)
    compare((potentials, -slopes @ inverse.T, virial), expected)
    assert shares.sum() == pytest.approx(0.5 * charges @ potentials)


@pytest.mark.parametrize("order", [5, 6, 7, 8])
def test_splines(order):
    values, slopes = np.empty(order), np.empty(order)

    fill = getattr(fill_splines, "py_func", fill_splines)  # other kernels call it, Python cannot
    for t in (0.0, 0.3, 0.99):
        fill(t, order, values, slopes)
        u = t + np.arange(order)
        assert values == pytest.approx(twin.spline(u, order), abs=1e-12)
        assert values.sum() == pytest.approx(1.0, rel=1e-13)
        by_difference = (twin.spline(u + 1e-5, order) - twin.spline(u - 1e-5, order)) / 2e-5
        assert slopes == pytest.approx(by_difference, abs=1e-8)


@pytest.mark.parametrize("shape", [(7, 8, 9), (8, 6, 5)])
@pytest.mark.parametrize("order", [5, 6])
def test_mesh(system, shape, order):
    fractional, cell, charges = system
    mesh = sum(spread(*ends, fractional, charges, order, shape) for ends in ((0, 2), (2, 4)))
    assert mesh == pytest.approx(twin.mesh_charges(fractional, charges, order, shape), abs=1e-12)
    moduli = [spline_moduli(size, order) for size in shape]
    potential, energy, virial = convolve(mesh, np.linalg.inv(cell), ALPHA, *moduli)
    assert energy == pytest.approx(twin.mesh_energy(mesh, cell, ALPHA, order), rel=1e-12)
    assert energy == pytest.approx(0.5 * (mesh * potential).sum(), rel=1e-12)
    for a, b in ((0, 0), (0, 1), (2, 1)):
        strain = np.zeros((3, 3))
        strain[a, b] = 1e-5
        high, low = (twin.mesh_energy(mesh, cell @ (np.eye(3) + sign * strain).T, ALPHA, order) for sign in (1, -1))
        assert virial[a, b] == pytest.approx((high - low) / 2e-5, abs=1e-8)

    potentials, slopes = np.zeros(4), np.zeros((4, 3))
    gather(0, 4, fractional, charges, order, potential, potentials, slopes)
    for i in range(4):
        unit = twin.mesh_charges(fractional[i : i + 1], np.ones(1), order, shape)
        assert potentials[i] == pytest.approx((unit * potential).sum(), abs=1e-12)
        for axis in range(3):
            energies = []
            for step in (1e-5, -1e-5):
                moved = fractional.copy()
                moved[i, axis] += step
                energies.append(twin.mesh_energy(twin.mesh_charges(moved, charges, order, shape), cell, ALPHA, order))
            assert slopes[i, axis] == pytest.approx((energies[0] - energies[1]) / 2e-5, abs=1e-7)


def compare(results, expected):
    for value, wanted in zip(results, expected):
        assert value == pytest.approx(wanted, rel=1e-11, abs=1e-12)
