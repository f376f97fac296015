"""The kernels of Coulomb sums against their twins in plain NumPy."""

import numpy as np
import pytest
from ase import Atoms
from numba import njit

from electrolyte_ml.kernels.bsplines import fill_splines
from electrolyte_ml.kernels.coulomb_listed import collect_results, halved, listed_pairs_sum, place_charges
from electrolyte_ml.kernels.coulomb_pairs import Interaction, all_pairs_sum, complete, near_pairs_sum
from electrolyte_ml.kernels.ewald import far_part, structure_factors
from electrolyte_ml.kernels.mesh import gather_potentials, spread_charges, transform
from electrolyte_ml.potentials.coulomb import twin
from electrolyte_ml.potentials.coulomb.ewald import wave_numbers, wave_weights, waves_within
from electrolyte_ml.potentials.coulomb.interactions import fitted, gaussian_charges, point_charges, tapered
from electrolyte_ml.potentials.coulomb.mesh import empty_mesh
from electrolyte_ml.potentials.coulomb.parts import thread_ranges
from electrolyte_ml.potentials.coulomb.splines import spline_table, wave_factors
from electrolyte_ml.potentials.coulomb.splitting import MeshSplitting
from electrolyte_ml.potentials.geometry import Geometry
from electrolyte_ml.structures.neighbours import neighbour_list

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
    for interaction, (value, slope) in (
        (point_charges(), (1 / r, -1 / r**2)),
        (gaussian_charges(ALPHA), twin.erf_over_r(r, ALPHA)),
    ):
        potentials, forces = np.full(4, np.nan), np.full((4, 3), np.nan)
        ends = (0, 3), (3, 4)
        virial = sum(all_pairs_sum(*pair, positions, charges, interaction, potentials, forces) for pair in ends)
        compare((potentials, forces, virial), twin.pair_part(vectors, i, j, charges, value, slope))


@pytest.mark.parametrize("cutoff", [5.0, 4.5])
@pytest.mark.parametrize("kind", [tapered, lambda alpha, cutoff: fitted(alpha, cutoff).interaction])
def test_near_pairs(system, kind, cutoff):
    """All pairs of a geometry, or the nearer ones among them."""
    fractional, cell, charges = system
    geometry = Geometry.of(Atoms("Li4", fractional @ cell, cell=cell, pbc=True), ("Li",), 5.0)
    interaction, wide = kind(ALPHA, cutoff), cutoff < 5.0
    potentials, forces = np.full(4, np.nan), np.full((4, 3), np.nan)
    virial = sum(
        near_pairs_sum(*ends, geometry.near, wide, charges, interaction, potentials, forces)
        for ends in ((0, 1), (1, 4))
    )
    r = np.linalg.norm(geometry.near.vector, axis=0)
    kept = r < cutoff
    vectors, i, j = geometry.near.vector.T[kept], geometry.centre[kept], geometry.near.other[kept]
    if kind is tapered:
        value, slope = twin.erfc_over_r(r[kept], ALPHA, cutoff, interaction.taper)
    else:
        value, slope = twin.polynomial_over_r(r[kept], cutoff, interaction.polynomial)
    compare((potentials, forces, virial), twin.pair_part(vectors, i, j, charges, value, slope))


@pytest.mark.parametrize("threads", [1, 2])
def test_pairs_of_a_list_with_a_larger_cutoff(system, threads):
    """Each pair once, images of an atom with itself among them, after atoms and cell have moved."""
    fractional, cell, charges = system
    pbc = np.ones(3, bool)
    pairs = neighbour_list(fractional @ cell, cell, pbc, 6.0)
    half = halved(*pairs)
    assert 2 * half.start[-1] == len(pairs.neighbour)
    cell = 1.02 * cell
    positions = fractional @ cell + 0.1 * np.random.default_rng(0).normal(size=(4, 3))
    interaction = fitted(ALPHA, 5.0).interaction
    place_charges(positions, cell, charges, half)
    results = np.full((threads, 4, 4), np.nan)
    ends = thread_ranges(4, threads)
    parts = [listed_pairs_sum(*pair, half, interaction, results[k]) for k, pair in enumerate(ends)]
    potentials, forces = np.full(4, np.nan), np.full((4, 3), np.nan)
    collect_results(results, potentials, forces)

    i, j = pairs.centre, pairs.owner[pairs.neighbour]
    vectors = positions[j] - positions[i] + (pairs.shift[pairs.neighbour] - pairs.shift[i]) @ cell
    r = np.linalg.norm(vectors, axis=1)
    assert min(closest for _, closest in parts) == pytest.approx(r.min() ** 2)
    kept = r < 5.0
    value, slope = twin.polynomial_over_r(r[kept], 5.0, interaction.polynomial)
    expected = twin.pair_part(vectors[kept], i[kept], j[kept], charges, value, slope)
    compare((potentials, forces, sum(virial for virial, _ in parts)), expected)
    assert 0 < (~kept).sum() < kept.sum() and (i == j).any()


def test_no_pairs():
    geometry = Geometry.of(Atoms("Li", [[0, 0, 0.0]], cell=[9.0] * 3, pbc=True), ("Li",), 5.0)
    potentials, forces = np.full(1, np.nan), np.full((1, 3), np.nan)
    interaction = Interaction(1.0, 0.0, 0.0, 5.0, 0.0, np.zeros(0))
    virial = near_pairs_sum(0, 1, geometry.near, False, np.ones(1), interaction, potentials, forces)
    assert not potentials.any() and not forces.any() and not virial.any()


def test_what_does_not_depend_on_positions():
    charges, potentials, forces, virial = np.array([1.0, -0.4]), np.array([0.2, 0.3]), np.ones((2, 3)), np.ones((3, 3))
    energy = complete(charges, 0.7, 0.5, 10.0, potentials, forces, virial)
    shift = 0.5 * 0.6  # of the background, for the total charge
    assert potentials == pytest.approx([10 * (0.2 - 0.7 - shift), 10 * (0.3 + 0.28 - shift)])
    assert energy == pytest.approx(0.5 * charges @ potentials)
    assert forces == pytest.approx(np.full((2, 3), 10.0))
    assert virial == pytest.approx(10 * (np.ones((3, 3)) + 0.5 * shift * 0.6 * np.eye(3)))


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


@njit
def splines(t, table, weights):
    fill_splines(t, table, 1, weights)


@pytest.mark.parametrize("order", [5, 6, 7, 8])
def test_splines(order):
    weights = np.empty((6, 8))
    for t in (0.0, 0.3, 0.99):
        splines(t, spline_table(order), weights)
        values, slopes = weights[2], weights[3]
        u = t + np.arange(order)[::-1]
        assert values[:order] == pytest.approx(twin.spline(u, order), abs=1e-12)
        assert not values[order:].any() and not slopes[order:].any()
        assert values.sum() == pytest.approx(1.0, rel=1e-13)
        by_difference = (twin.spline(u + 1e-5, order) - twin.spline(u - 1e-5, order)) / 2e-5
        assert slopes[:order] == pytest.approx(by_difference, abs=1e-8)


@pytest.mark.parametrize("order", [5, 6, 7, 8])
@pytest.mark.parametrize("size", [9, 16])
def test_factors_of_waves_are_sums_over_waves_that_look_alike(size, order):
    """U(n)²/(sum_m U(n + m size)²)² with U = sinc^order."""
    n = np.rint(np.fft.fftfreq(size) * size)
    alike = np.sinc((n[:, None] + size * np.arange(-200, 201)) / size) ** (2 * order)
    expected = np.where(2 * np.abs(n) < size, np.sinc(n / size) ** (2 * order) / alike.sum(1) ** 2, 0.0)
    assert wave_factors(size, order) == pytest.approx(expected, rel=1e-12)


def mesh_of(shape, order, threads=1):
    return empty_mesh(MeshSplitting(ALPHA, order, shape), threads)


@pytest.mark.parametrize("shape", [(7, 8, 9), (8, 6, 5), (6, 7, 22)])
@pytest.mark.parametrize("order", [5, 6])
def test_mesh(system, shape, order):
    fractional, cell, charges = system
    shape = tuple(max(size, order) for size in shape)
    positions, inverse = fractional @ cell + 3.0 * cell[0], np.linalg.inv(cell)
    mesh = mesh_of(shape, order, 2)
    for thread, ends in enumerate(((0, 2), (2, 4))):
        spread_charges(thread, *ends, positions, inverse, charges, mesh)
    energy, virial = transform(inverse, abs(np.linalg.det(cell)), mesh)
    spread = twin.mesh_charges(fractional, charges, order, shape)
    assert energy == pytest.approx(twin.mesh_energy(spread, cell, ALPHA, order), rel=1e-12)
    potential = mesh.lines[0].reshape(*shape[:2], -1)[:, :, : shape[2]]
    # The kernel's mesh begins elsewhere: at the first point of a spline, not at its origin.
    potential = np.roll(potential, [1 - order] * 3, (0, 1, 2))
    assert energy == pytest.approx(0.5 * (spread * potential).sum(), rel=1e-12)
    for a, b in ((0, 0), (0, 1), (2, 1)):
        strain = np.zeros((3, 3))
        strain[a, b] = 1e-5
        high, low = (twin.mesh_energy(spread, cell @ (np.eye(3) + sign * strain).T, ALPHA, order) for sign in (1, -1))
        assert virial[a, b] == pytest.approx((high - low) / 2e-5, abs=1e-8)

    potentials, forces = np.ones(4), np.ones((4, 3))
    gather_potentials(0, 4, positions, inverse, charges, mesh, potentials, forces)
    for i in range(4):
        unit = twin.mesh_charges(fractional[i : i + 1], np.ones(1), order, shape)
        assert potentials[i] - 1 == pytest.approx((unit * potential).sum(), abs=1e-12)
        for axis in range(3):
            energies = []
            for step in (1e-5, -1e-5):
                moved = positions.copy()
                moved[i, axis] += step
                at = moved @ inverse % 1.0
                energies.append(twin.mesh_energy(twin.mesh_charges(at, charges, order, shape), cell, ALPHA, order))
            assert 1 - forces[i, axis] == pytest.approx((energies[0] - energies[1]) / 2e-5, abs=1e-7)


def test_the_influence_follows_the_cell(system):
    """A mesh that has served another cell, and one that has not, are the same to the last bit."""
    fractional, cell, charges = system
    results = []
    for cells in ([cell], [1.1 * cell, cell], [cell, cell]):
        mesh = mesh_of((8, 8, 8), 6)
        for last in cells:
            inverse = np.linalg.inv(last)
            spread_charges(0, 0, 4, fractional @ last, inverse, charges, mesh)
            energy, virial = transform(inverse, abs(np.linalg.det(last)), mesh)
        results.append((energy, virial.tolist()))
    assert results[0] == results[1] == results[2]


def test_positions_at_the_edge_of_the_cell():
    """Where a fraction is 0, just below 1, or rounded to 1."""
    results = []
    for x in (0.0, 1.0, -1e-18, 1 - 1e-16, -4.0):
        mesh = mesh_of((6, 7, 8), 5)
        spread_charges(0, 0, 1, np.full((1, 3), x), np.eye(3), np.ones(1), mesh)
        results.append(transform(np.eye(3), 1.0, mesh)[0])
    assert results == pytest.approx([results[0]] * 5, rel=1e-12)


@pytest.mark.parametrize("skew", [0.0, 3.0])
def test_the_exponential_of_short_and_of_long_waves(skew):
    """Down to numbers that double precision does not hold."""
    cell = np.array([[2.0, 0, 0], [skew, 2.5, 0], [0, -skew, 9.0]])
    mesh = empty_mesh(MeshSplitting(0.4, 5, (12, 10, 64)), 1)
    mesh.lines[:] = 0.0
    transform(np.linalg.inv(cell), np.linalg.det(cell), mesh)
    n = [np.rint(np.fft.fftfreq(size) * size) for size in (12, 10, 64)]
    numbers = np.stack(np.meshgrid(n[0], n[1], np.arange(33), indexing="ij"), -1)
    square = ((2 * np.pi * numbers @ np.linalg.inv(cell).T) ** 2).sum(-1)
    square[0, 0, 0] = np.inf
    factors = wave_factors(12, 5)[:, None, None] * wave_factors(10, 5)[:, None] * wave_factors(64, 5)[:33]
    wanted = factors * 4 * np.pi / np.linalg.det(cell) / square * np.exp(-square / (4 * 0.4**2))
    found = mesh.influence.reshape(12, 10, -1)[:, :, :66:2]
    assert found == pytest.approx(wanted, rel=1e-10, abs=1e-290)
    assert square[np.isfinite(square)].max() / (4 * 0.4**2) > 1000


def compare(results, expected):
    for value, wanted in zip(results, expected):
        assert value == pytest.approx(wanted, rel=1e-11, abs=1e-12)
