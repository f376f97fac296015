"""Coulomb sums: known constants, brute force, derivatives by differences, and each way to sum against the others."""

import math
from itertools import pairwise

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from hypothesis import given, settings
from hypothesis import strategies as st

from electrolyte_ml.errors import InputError
from electrolyte_ml.kernels.arrays import Neighbours
from electrolyte_ml.potentials.coulomb import BareSum, Ewald, ParticleMesh
from electrolyte_ml.potentials.coulomb.splitting import MeshSplitting
from electrolyte_ml.potentials.geometry import Geometry
from electrolyte_ml.structures import pack
from electrolyte_ml.units import COULOMB

NAMES = ("neutral", "charged", "skewed", "tiny", "long", "single")


def rms(vectors):
    return math.sqrt((vectors**2).sum(1).mean())


def geometry(atoms, cutoff=3.0):
    return Geometry.of(atoms, tuple(sorted(set(atoms.get_chemical_symbols()))), cutoff)


def strained(atoms, strain):
    copy = atoms.copy()
    copy.set_cell(atoms.cell.array @ (np.eye(3) + strain).T, scale_atoms=True)
    if not atoms.pbc.any():
        copy.positions = atoms.positions @ (np.eye(3) + strain).T
    return copy


def slope(energy, step):
    """The derivative of energy(x) at 0, exact for polynomials of the sixth degree."""
    pairs = [(energy(k * step) - energy(-k * step)) * weight for k, weight in ((1, 45), (2, -9), (3, 1))]
    return sum(pairs) / (60 * step)


def derivatives(solver, atoms, charges, step=1e-3):
    """Potentials, forces and virial by differences of the energy."""

    def energy(atoms, charges=charges):
        return solver.solve(geometry(atoms), charges).energy

    def moved(i, axis, x):
        copy = atoms.copy()
        copy.positions[i, axis] += x
        return copy

    n = len(atoms)
    one = np.eye(n)
    potentials = [slope(lambda x, i=i: energy(atoms, charges + x * one[i]), 0.1) for i in range(n)]
    forces = [[-slope(lambda x, i=i, a=a: energy(moved(i, a, x)), step) for a in range(3)] for i in range(n)]
    virial = np.empty((3, 3))
    for a in range(3):
        for b in range(3):
            unit = np.outer(np.eye(3)[a], np.eye(3)[b])
            virial[a, b] = slope(lambda x, unit=unit: energy(strained(atoms, x * unit)), step)
    return np.array(potentials), np.array(forces), virial


def ions(n, total, seed=0, *, cell=(6.0, 6.5, 7.0), skew=0.0, apart=1.0):
    """`n` random charges in a cell, no two closer than `apart` (Å)."""
    rng = np.random.default_rng(seed)
    cell = np.diag(cell) + skew * np.diag(cell) @ rng.uniform(-1, 1, (3, 3))
    while True:
        atoms = Atoms("Li" * n, rng.uniform(0, 1, (n, 3)) @ cell, cell=cell, pbc=True)
        distances = atoms.get_all_distances(mic=True)[np.triu_indices(n, 1)]
        if n == 1 or distances.min() > apart:
            break
    charges = rng.uniform(-1, 1, n)
    return atoms, charges + (total - charges.sum()) / n


@pytest.fixture(scope="module")
def systems():
    """Name -> atoms and charges: neutral, charged, skewed, tiny, elongated, and a single ion."""
    return {
        "neutral": ions(6, 0.0),
        "charged": ions(5, 1.5, 1),
        "skewed": ions(5, -1.0, 2, skew=0.6),
        "tiny": ions(2, 0.5, 3, cell=(1.9, 2.1, 2.3), skew=0.3),
        "long": ions(4, 0.0, 4, cell=(2.5, 3.0, 19.0)),
        "single": ions(1, 1.0, 5, cell=(3.0, 3.2, 3.4), skew=0.2),
    }


def crystals():
    """Name -> crystal, number of charges per formula, nearest distance, valence, Madelung constant (literature)."""
    return {
        "NaCl": (bulk("NaCl", "rocksalt", 5.6), 2.8, 1, 1.747564594633182),
        "CsCl": (bulk("CsCl", "cesiumchloride", 4.1), 4.1 * math.sqrt(3) / 2, 1, 1.762674773070988),
        "ZnS": (bulk("ZnS", "zincblende", 5.4), 5.4 * math.sqrt(3) / 4, 2, 1.638055053388790),
    }


@pytest.mark.parametrize("name", ["NaCl", "CsCl", "ZnS"])
@pytest.mark.parametrize("repeat", [1, 2])
@pytest.mark.parametrize("solver, error", [(Ewald(), 1e-8), (Ewald(1e-14), 1e-12), (ParticleMesh(), 1e-5)])
def test_madelung_constants(name, repeat, solver, error):
    atoms, nearest, valence, madelung = crystals()[name]
    atoms = atoms.repeat(repeat)
    charges = np.where(atoms.numbers == atoms.numbers[0], valence, -valence)
    result = solver.solve(geometry(atoms), charges)
    energy = -madelung * COULOMB * valence**2 / nearest * len(atoms) / 2
    assert result.energy == pytest.approx(energy, rel=error)
    assert result.virial == pytest.approx(-energy / 3 * np.eye(3), abs=30 * error * abs(energy))  # E ~ 1/length
    assert np.abs(result.forces).max() < (1e-9 if isinstance(solver, Ewald) else solver.accuracy)


def test_two_charges_by_hand_far_from_the_origin():
    for far in (0.0, 1e5):
        atoms = Atoms("LiLi", [[far, far, 0], [far, far, 2.0]])
        result = BareSum().solve(geometry(atoms), np.array([1.0, -0.5]))
        assert result.energy == pytest.approx(-0.25 * COULOMB, rel=1e-14)
        assert result.potentials == pytest.approx([-0.25 * COULOMB, 0.5 * COULOMB])
        assert result.forces == pytest.approx(COULOMB * np.array([[0, 0, 0.125], [0, 0, -0.125]]))
        assert result.virial == pytest.approx(np.diag([0, 0, 0.25 * COULOMB]))
    wide = BareSum(width=1.0).solve(geometry(atoms), np.array([1.0, -0.5]))
    assert wide.energy == pytest.approx(-0.25 * COULOMB * math.erf(math.sqrt(2.0)), rel=1e-14)


@pytest.mark.parametrize("width", [None, 1.0])
def test_molecules_of_any_extent(width):
    """Cutoffs of geometries mean nothing to a sum over all pairs."""
    atoms, charges = ions(20, 2.0, 6, cell=(30, 30, 90))
    atoms.pbc = False
    r = atoms.get_all_distances()
    expected = sum(
        COULOMB * charges[i] * charges[j] / r[i, j] * (math.erf(r[i, j] / math.sqrt(2) / width) if width else 1.0)
        for i in range(20)
        for j in range(i)
    )
    assert BareSum(width).solve(geometry(atoms), charges).energy == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("width", [None, 1.0])
@pytest.mark.parametrize("skew", [0.0, 0.2])
def test_periodic_sums_are_the_limit_of_ever_larger_blocks(width, skew):
    """A neutral cell with a centre of symmetry, in the middle of ever more copies of itself, pair by pair."""
    rng = np.random.default_rng(3)
    cell = 4.0 * np.eye(3) + skew * np.array([[0, 1, 0], [0, 0, 1], [1, 0, 0]])
    half = rng.uniform(0.1, 0.4, (2, 3)) @ cell
    half[1, 0] *= -1
    positions = np.concatenate([half, -half])
    charges = np.array([1.0, -1.0, 1.0, -1.0])
    expected = Ewald(1e-12, width).solve(geometry(Atoms("Li4", positions, cell=cell, pbc=True)), charges).energy

    def block(reach):
        images = np.stack(np.meshgrid(*[np.arange(-reach, reach + 1)] * 3, indexing="ij"), -1).reshape(-1, 3)
        order = np.argsort(np.abs(images).max(1), kind="stable")  # the middle one first
        vectors = positions[None, :, None] - positions[:, None, None] + (images[order] @ cell)[None, None]
        r = np.linalg.norm(vectors, axis=-1)
        r[np.arange(4), np.arange(4), 0] = np.inf
        value = 1.0 / r
        if width is not None:
            value *= np.vectorize(math.erf)(np.minimum(r, 9.0) / math.sqrt(2) / width)
        return 0.5 * COULOMB * np.einsum("i,j,ijk->", charges, charges, value)

    small, large = block(4), block(8)  # 9 and 17 cells wide: what is missing goes with the square of the width
    assert large + (large - small) * 9**2 / (17**2 - 9**2) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_gaussian_charges_are_the_point_charges_less_what_is_screened(systems, name):
    """erf = 1 - erfc, the second summed over all pairs; erfc's mean is the difference of the two backgrounds."""
    from ase.neighborlist import neighbor_list

    atoms, charges = systems[name]
    width, alpha = 0.7, 1 / math.sqrt(2) / 0.7
    i, j, r = neighbor_list("ijd", atoms, 7.5)
    screened = 0.5 * sum(charges[i] * charges[j] * np.vectorize(math.erfc)(alpha * r) / r)
    background = -math.pi * charges.sum() ** 2 / (2 * alpha**2 * atoms.get_volume())
    point = Ewald(1e-13).solve(geometry(atoms), charges).energy
    gaussian = Ewald(1e-13, width).solve(geometry(atoms), charges).energy
    assert gaussian == pytest.approx(point - COULOMB * (screened + background), abs=1e-10)


@pytest.mark.parametrize("name", NAMES)
def test_independent_of_the_splitting(systems, name):
    atoms, charges = systems[name]
    expected = Ewald(1e-14).solve(geometry(atoms), charges)
    for alpha in (0.35, 0.5, 1.1):
        result = Ewald(1e-13, alpha=alpha).solve(geometry(atoms), charges)
        for value, wanted in zip(result, expected):
            assert value == pytest.approx(wanted, abs=1e-9)


def test_the_pairs_of_a_geometry_are_used_where_they_reach(systems):
    atoms, charges = systems["skewed"]
    results = [ParticleMesh(cutoff=4.0).solve(geometry(atoms, reach), charges) for reach in (1.0, 4.0, 7.0)]
    for result in results[1:]:
        for value, wanted in zip(result, results[0]):
            assert value == pytest.approx(wanted, abs=1e-11)


def test_pairs_in_the_order_of_a_stepper(systems):
    """Arrays of a run at constant lists: gaps between the pairs of two atoms, and the atoms in any order."""
    atoms, charges = systems["charged"]
    whole = geometry(atoms, 5.0)
    species, segment, other, vector = whole.near
    counts = segment[:, 1] - segment[:, 0]
    starts = np.empty(len(atoms), int)
    starts[::-1] = np.cumsum([0, *(counts[::-1] + 3)[:-1]])
    places = np.concatenate([start + np.arange(count) for start, count in zip(starts, counts)])
    room = np.full(places.max() + 5, 0, np.int32), np.full((3, places.max() + 5), np.nan)
    room[0][places], room[1][:, places] = other, vector
    gaps = whole._replace(near=Neighbours(species, np.column_stack([starts, starts + counts]), *room))
    for value, wanted in zip(ParticleMesh().solve(gaps, charges), ParticleMesh().solve(whole, charges)):
        assert np.array_equal(value, wanted)


SOLVERS = {
    "ewald": Ewald(1e-10),
    "ewald-gaussian": Ewald(1e-10, width=1.0),
    "mesh": ParticleMesh(),
    "mesh-4": ParticleMesh(1e-3, cutoff=4.0),
    "mesh-gaussian": ParticleMesh(1e-3, width=1.0),
}


@pytest.mark.parametrize("mode", SOLVERS)
@pytest.mark.parametrize("name", NAMES)
def test_derivatives(systems, mode, name):
    """Potentials, forces and virial are derivatives of the energy that each sum gives, mesh included."""
    atoms, charges = systems[name]
    solver = SOLVERS[mode].fixed_for(atoms.cell.array, charges)
    check_derivatives(solver, atoms, charges)


@pytest.mark.parametrize("width", [None, 1.0])
def test_derivatives_of_the_bare_sum(width):
    atoms, charges = ions(5, 0.7, 8)
    atoms.pbc = False
    check_derivatives(BareSum(width), atoms, charges)


def check_derivatives(solver, atoms, charges):
    result = solver.solve(geometry(atoms), charges)
    for value, wanted in zip(result[1:], derivatives(solver, atoms, charges)):
        assert value == pytest.approx(wanted, rel=1e-8, abs=1e-8 * max(np.abs(value).max(), 0.1))
    assert result.energy == pytest.approx(0.5 * charges @ result.potentials, rel=1e-13)
    assert np.array_equal(result.virial, result.virial.T)


def test_a_fixed_solver_keeps_its_mesh_and_its_waves():
    """It gives the same energy in its cell; in a larger one, the energy with as many waves or points as before."""
    atoms, charges = ions(6, 0.0)
    larger = strained(atoms, 0.3 * np.eye(3))
    for solver in (Ewald(1e-3), ParticleMesh(1e-2), ParticleMesh(1e-2, width=1.0)):
        fixed = solver.fixed_for(atoms.cell.array, charges)
        assert fixed.solve(geometry(atoms), charges).energy == solver.solve(geometry(atoms), charges).energy
        again = fixed.fixed_for(larger.cell.array, charges)
        assert again.solve(geometry(larger), charges).energy == fixed.solve(geometry(larger), charges).energy
        assert fixed.solve(geometry(larger), charges).energy != solver.solve(geometry(larger), charges).energy
    bare = BareSum()
    assert bare.fixed_for(atoms.cell.array, charges) is bare


@pytest.mark.parametrize("solver", [Ewald(1e-12), Ewald(1e-12, width=1.0), ParticleMesh(1e-6)])
@pytest.mark.parametrize("name", ["charged", "tiny", "single", "neutral"])
def test_extensive(systems, solver, name):
    """Ions in a background, and the same eight times."""
    atoms, charges = systems[name]
    single, eight = solver.solve(geometry(atoms), charges), solver.solve(geometry(atoms.repeat(2)), np.tile(charges, 8))
    error = 1e-9 if isinstance(solver, Ewald) else 1e-5
    assert eight.energy == pytest.approx(8 * single.energy, abs=error)
    assert eight.virial == pytest.approx(8 * single.virial, abs=8 * error)
    assert eight.potentials == pytest.approx(np.tile(single.potentials, 8), abs=error)
    assert eight.forces == pytest.approx(np.tile(single.forces, (8, 1)), abs=error)


def test_wigner_crystal():
    """One electron on a simple cubic lattice in a background (Wigner): -2.837297479/2 per length of the cell."""
    atoms = Atoms("Li", cell=[3.0] * 3, pbc=True)
    result = Ewald(1e-12).solve(geometry(atoms, 2.0), np.ones(1))
    assert result.energy == pytest.approx(-0.5 * 2.8372974794806 * COULOMB / 3.0, rel=1e-11)
    assert result.virial == pytest.approx(-result.energy / 3 * np.eye(3))


@pytest.fixture(scope="module")
def electrolyte():
    """A box of LiPF6 solution with charges of magnitude one."""
    atoms = pack({"LiPF6": 1, "EC": 4, "EMC": 3}, 1.1)
    charges = np.random.default_rng(0).permutation(np.where(np.arange(len(atoms)) % 2, 1.0, -1.0))
    return geometry(atoms, 5.0), charges, Ewald(1e-10).solve(geometry(atoms, 5.0), charges)


@pytest.fixture(scope="module")
def liquids(liquid):
    """(density, skew) -> random liquid of 160 charges, with their exact forces as point and as Gaussian charges."""
    found = {}
    for density in (0.02, 0.1):  # atoms/Å³
        for skew in (0.0, 0.3):
            atoms = liquid(160, side=(160 / density) ** (1 / 3), skew=skew, seed=int(1000 * density))
            charges = np.random.default_rng(0).uniform(-1, 1, 160)
            charges -= charges.mean()
            at = geometry(atoms, 5.0)
            exact = [Ewald(1e-10, width).solve(at, charges).forces for width in (None, 1.0)]
            found[density, skew] = at, charges, exact
    return found


@pytest.mark.parametrize("density", [0.02, 0.1])
@pytest.mark.parametrize("skew", [0.0, 0.3])
@pytest.mark.parametrize("width", [None, 1.0])
def test_the_mesh_has_the_accuracy_that_it_is_asked_for(liquids, density, skew, width):
    """For large and small charges, and not ten times as much."""
    at, charges, exact = liquids[density, skew]
    for accuracy in (1e-5, 2e-4, 1e-3):
        for size in (0.1, 0.4, 1.0):
            forces = ParticleMesh(accuracy, width=width).solve(at, size * charges).forces
            error = rms(forces - size**2 * exact[width is not None])
            least = ParticleMesh(accuracy, width=width).fixed_for(at.cell, size * charges).splitting
            assert error < accuracy
            assert error > accuracy / 10 or min(least.shape) < 8


def test_the_default_mesh_is_good_for_dynamics(electrolyte):
    """Bonded atoms included."""
    at, charges, expected = electrolyte
    for width in (None, 1.0):
        result = ParticleMesh(width=width).solve(at, charges)
        exact = expected if width is None else Ewald(1e-10, width=width).solve(at, charges)
        assert 2e-5 < rms(result.forces - exact.forces) < 2e-4
        assert result.energy == pytest.approx(exact.energy, abs=1e-5 * len(charges))
        assert result.virial == pytest.approx(exact.virial, abs=1e-4 * len(charges))


def test_cells_that_differ_by_little_have_one_mesh(electrolyte):
    at, charges, _ = electrolyte
    stretches = np.linspace(0.9, 1.0, 200)
    chosen = [ParticleMesh().fixed_for(stretch * at.cell, charges).splitting for stretch in stretches]
    assert sum(a != b for a, b in pairwise(chosen)) <= 12  # lengths, and the density with the cube of them
    assert len({splitting.shape for splitting in chosen}) > 1


@pytest.mark.parametrize("scale", [1e-2, 1e-6, 1e-12, 10.0])
def test_charges_of_any_size_have_a_mesh(electrolyte, scale):
    at, charges, _ = electrolyte
    splitting = ParticleMesh(accuracy=2e-4 * max(1.0, scale**2)).fixed_for(at.cell, scale * charges).splitting
    assert max(splitting.shape) <= 64


def test_charges_of_zero_have_no_forces(electrolyte):
    at, charges, _ = electrolyte
    result = ParticleMesh().solve(at, 0 * charges)
    assert result.energy == 0 and not result.forces.any() and not result.virial.any()


@pytest.mark.parametrize("solver", [ParticleMesh(1e-3), Ewald(1e-3, alpha=0.4)])
def test_neither_forces_nor_their_slopes_jump_at_the_cutoff(solver):
    """Second differences go with the square of the step; those of a jump stay, those of a kink go with the step."""
    charges = np.array([1.0, -1.0])
    solver = solver.fixed_for(16.0 * np.eye(3), charges)
    end = getattr(solver, "cutoff", None) or solver.splitting.cutoff

    def largest(points):
        forces = []
        for r in np.linspace(end - 0.02, end + 0.02, points):
            at = geometry(Atoms("LiLi", [[0, 0, 0], [r, 0, 0]], cell=[16.0] * 3, pbc=True), end + 0.1)
            forces.append(solver.solve(at, charges).forces[0, 0])
        return np.abs(np.diff(forces, 2)).max()

    assert largest(20) > 3.5 * largest(39)


@pytest.mark.parametrize("solver", [Ewald(), ParticleMesh(), ParticleMesh(width=1.0)])
def test_threads_and_translations_change_nothing(electrolyte, solver, monkeypatch):
    monkeypatch.setattr("electrolyte_ml.potentials.coulomb.mesh.ATOMS_PER_THREAD", 1)
    at, charges, _ = electrolyte
    results = [solver.solve(at, charges, threads) for threads in (1, 1, 2, 3)]
    for value, wanted in zip(results[0], results[1]):
        assert np.array_equal(value, wanted)
    for result in results[2:]:
        for value, wanted in zip(result, results[0]):
            assert value == pytest.approx(wanted, abs=1e-10)
    away = at._replace(positions=at.positions + np.array([1000.0, -700.0, 3.0]) @ at.cell)
    assert solver.solve(away, charges).forces == pytest.approx(results[0].forces, abs=1e-8)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 6), st.floats(-2, 2), st.integers(0, 10**6), st.floats(0, 0.5))
def test_random_systems(n, total, seed, skew):
    atoms, charges = ions(n, total, seed, cell=(4.0, 5.0, 6.0), skew=skew, apart=0.8)
    at = geometry(atoms)
    one, two = Ewald(1e-12).solve(at, charges), Ewald(1e-12, alpha=0.8).solve(at, charges)
    for value, wanted in zip(one, two):
        assert value == pytest.approx(wanted, abs=1e-8)
    assert one.forces.sum(0) == pytest.approx(np.zeros(3), abs=1e-10)
    assert one.energy == pytest.approx(0.5 * charges @ one.potentials, abs=1e-12)
    # dE/d(length) of point charges: E ~ 1/length
    assert np.trace(one.virial) == pytest.approx(-one.energy, abs=1e-8)
    mesh = ParticleMesh(1e-5, cutoff=4.5).solve(at, charges)
    assert mesh.forces == pytest.approx(one.forces, abs=3e-4 * max(1.0, (charges**2).max()))


def test_one_line_for_what_cannot_be_summed():
    atoms, charges = ions(4, 0.0)
    for solver in (Ewald(), ParticleMesh()):
        for pbc, message in (([True, True, False], r"not along 2 \(a slab"), ([False] * 3, "BareSum")):
            atoms.pbc = pbc
            with pytest.raises(InputError, match=message):
                solver.solve(geometry(atoms), charges)
    atoms.pbc = True
    with pytest.raises(InputError, match="BareSum is for configurations without periodic"):
        BareSum().solve(geometry(atoms), charges)
    with pytest.raises(InputError, match="4 atoms need 4 charges"):
        Ewald().solve(geometry(atoms), charges[:3])
    with pytest.raises(InputError, match="charge of atom 2 is not a finite number"):
        ParticleMesh().solve(geometry(atoms), np.array([0.0, np.nan, 0.0, 0.0]))
    for make, message in (
        (lambda: Ewald(2.0), "accuracy must be below 1"),
        (lambda: Ewald(width=1.0, alpha=0.3), "give one of them"),
        (lambda: BareSum(width=-1.0), "width must be positive"),
        (lambda: ParticleMesh(splitting=MeshSplitting(0.5, 3, (9, 9, 9))), "5 to 8, not 3"),
        (
            lambda: ParticleMesh(splitting=MeshSplitting(0.5, 6, (32, 32, 4))),
            "points must be a whole number, 6 or more",
        ),
        (lambda: ParticleMesh(splitting=MeshSplitting(0.5, 6, (9, 9, 9)), width=1.0), "width .* determines alpha"),
        (lambda: ParticleMesh(cutoff=0.01).fixed_for(9 * np.eye(3), charges), "no mesh .* cutoff of 0.01 Å"),
        (lambda: ParticleMesh().fixed_for(np.zeros((3, 3)), charges), "the cell has no volume"),
        (lambda: ParticleMesh(accuracy=1.0), "between 1e-08 and 0.1"),
        (lambda: ParticleMesh(1e-9), "between 1e-08 and 0.1"),
        (lambda: Ewald().fixed_for(np.zeros((3, 3)), np.ones(5)), "the cell has no volume"),
    ):
        with pytest.raises(InputError, match=message):
            make()
