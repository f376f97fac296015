"""The kernels against the plain twin, on one thread and on several."""

import os
import subprocess
import sys

import numpy as np
import pytest
from ase import Atoms

from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials import Basis, MomentTensorPotential
from electrolyte_ml.potentials.mtp import twin


def same(value, expected, rel=1e-12):
    """Equal to within `rel` of the largest entry (of 1e-4 at least: forces may vanish by symmetry)."""
    return np.abs(value - expected).max(initial=0) <= rel * np.abs(expected).max(initial=1e-4)


def agree(potential, atoms, rel=1e-12):
    result, expected = potential.evaluate(atoms), twin.evaluate(potential, atoms)
    assert same(result.energies, expected.energies, rel) and same(result.forces, expected.forces, rel)
    assert same(result.virial, expected.virial, rel)
    rows, wanted = potential.site_energy_gradients(atoms), twin.site_energy_gradients(potential, atoms)
    a = potential.radial.size
    for block in (slice(0, a), slice(a, a + len(potential.shifts)), slice(a + len(potential.shifts), None)):
        assert same(rows[:, block], wanted[:, block], rel)
        assert same(potential.energy_gradient(atoms)[block], wanted.sum(0)[block], rel)


SMALL = pytest.mark.nojit


@pytest.mark.parametrize("level", [*(pytest.param(k, marks=SMALL) for k in (2, 6, 10, 14)), 4, 8, 12, 16, 18, 20])
def test_liquids(level, liquid):
    atoms = liquid(9, seed=level, skew=0.3)
    agree(MomentTensorPotential.random(level, ("H", "C", "O"), seed=level, cutoff=4.0), atoms)


@pytest.mark.nojit
@pytest.mark.parametrize("species", [("C",), ("O", "C"), ("F", "O", "Li", "C", "H")])
@pytest.mark.parametrize("pbc", [True, False, (True, False, True), (False, True, False)])
def test_species_and_boundaries(species, pbc, liquid):
    potential = MomentTensorPotential.random(8, species, seed=1, cutoff=4.5, radial_basis_size=5, scaling=0.3)
    agree(potential, liquid(9, species[::-1][:3], seed=2, pbc=pbc, skew=0.4))


@pytest.mark.nojit
@pytest.mark.parametrize("n", [1, 2, 3])
def test_cells_smaller_than_the_cutoff(n, liquid):
    agree(MomentTensorPotential.random(8, ("H", "O"), cutoff=4.0), liquid(n, ("H", "O"), n, side=2.2 + n / 3, skew=0.3))


@pytest.mark.nojit
@pytest.mark.parametrize("size", [1, 2, 3, 12])
def test_sizes_of_the_radial_basis(size, liquid):
    agree(MomentTensorPotential.random(8, ("H", "C", "O"), radial_basis_size=size), liquid(7))


@pytest.mark.nojit
@pytest.mark.parametrize("n", [7, 8, 9, 16, 17])
def test_blocks_of_atoms_that_are_not_full(n, liquid):
    agree(MomentTensorPotential.random(6, ("H", "C", "O"), cutoff=3.0), liquid(n, pbc=False))


@pytest.mark.nojit
def test_neighbours_below_the_minimal_distance(liquid):
    """r < min_distance is not clamped: xi < -1 simply goes on."""
    agree(MomentTensorPotential.random(8, ("H", "C", "O"), min_distance=2.0), liquid(8), rel=1e-11)


@pytest.mark.parametrize("level", [2, pytest.param(8, marks=SMALL), 16])
def test_mixed_precision(level, liquid):
    """Pairs in float32: as near to the twin as that allows, and no nearer."""
    potential, atoms = MomentTensorPotential.random(level, ("H", "C", "O"), seed=level), liquid(21, seed=1, skew=0.2)
    mixed, expected = potential.with_precision("mixed"), twin.evaluate(potential, atoms)
    result = mixed.evaluate(atoms)
    for said, wanted in ((result.energies, expected.energies), (result.forces, expected.forces)):
        assert same(said, wanted, 1e-5) and not same(said, wanted, 1e-9)
    assert same(result.virial, expected.virial, 1e-5)
    assert np.array_equal(mixed.evaluate(atoms).forces, result.forces)
    assert np.array_equal(mixed.energy_gradient(atoms), potential.energy_gradient(atoms))
    assert np.array_equal(mixed.with_precision("double").evaluate(atoms).forces, potential.evaluate(atoms).forces)


def test_unknown_precision():
    with pytest.raises(InputError, match=r"half.*double and mixed"):
        MomentTensorPotential.random(2, ("H",)).with_precision("half")


@pytest.mark.nojit
def test_directional_derivative_of_the_twin(liquid):
    """The twin's complex step against a difference of its own gradients."""
    potential, atoms = MomentTensorPotential.random(8, ("H", "C", "O"), cutoff=4.0), liquid(6)
    direction = np.random.default_rng(0).normal(size=(6, 3))
    step = 2e-4

    def at(t):
        return twin.site_energy_gradients(potential, atoms, t * direction).sum(0)

    slope = (8 * (at(step) - at(-step)) - (at(2 * step) - at(-2 * step))) / (12 * step)
    assert same(twin.energy_gradient_along(potential, atoms, direction), slope, 1e-8)
    # ... and, the forces being linear in xi and the shifts, against the forces themselves:
    along = twin.energy_gradient_along(potential, atoms, direction)[potential.radial.size :]
    linear = np.concatenate([potential.shifts, potential.moments])
    assert along @ linear == pytest.approx(-(potential.evaluate(atoms).forces * direction).sum(), rel=1e-12)


def test_twin_needs_contractions():
    table = Basis(1, np.array([[0, 0, 0, 0]]), np.zeros((0, 4), int), np.array([0]), 1)
    potential = MomentTensorPotential(table, ("C",), np.ones((1, 1, 1, 2)), [0.0], [1.0])
    with pytest.raises(InputError, match="contractions"):
        twin.evaluate(potential, Atoms("CC", [[0, 0, 0], [0, 0, 1]]))


def test_one_compiled_version_of_each_kernel(liquid):
    """However a configuration is made, the kernels are compiled for one set of types (a second costs seconds)."""
    from electrolyte_ml.kernels import energy_forces, near_pairs, neighbours, site_gradients

    potential = MomentTensorPotential.random(4, ("H", "C", "O"), cutoff=3.0)
    flat = liquid(4)
    fortran = Atoms("HCO", np.asfortranarray(np.random.default_rng(0).uniform(0, 9, (3, 3))))
    for atoms in (flat, fortran, flat[::2], flat * (2, 1, 1), Atoms("H", [[0, 0, 0]]), Atoms()):
        potential.evaluate(atoms)
        potential.calculator().get_forces(atoms)
        potential.with_parameters(potential.parameters[::-1]).energy_gradient(atoms)
    for kernel in (
        energy_forces.energy_forces, neighbours.neighbour_list, near_pairs.near_pairs, site_gradients.site_gradients,
    ):  # fmt: skip
        double = [kinds for kinds in kernel.signatures if "float32" not in str(kinds)]
        assert len(double) == 1, kernel.__name__


SCRIPT = """
import sys
import numpy as np
from ase.io import read
from electrolyte_ml.potentials import load
potential, atoms = load(sys.argv[1]), read(sys.argv[2])
results = [potential.evaluate(atoms, threads) for threads in (1, 2, 2, 3)]
np.savez(sys.argv[3], energies=[r.energies for r in results],
         forces=[r.forces for r in results], virial=[r.virial for r in results])
"""


def run(tmp_path, potential, atoms, **environment):
    potential.save(tmp_path / "p.mtp")
    atoms.write(tmp_path / "a.traj")
    subprocess.run(
        [sys.executable, "-c", SCRIPT, tmp_path / "p.mtp", tmp_path / "a.traj", tmp_path / "r.npz"],
        env=os.environ | environment, check=True, timeout=300,
    )  # fmt: skip
    return np.load(tmp_path / "r.npz")


def test_threads_are_reproducible(tmp_path, liquid):
    """Bitwise for the same number of threads, to rounding for another."""
    potential, atoms = MomentTensorPotential.random(10, ("H", "C", "O")), liquid(100)
    result = run(tmp_path, potential, atoms, NUMBA_NUM_THREADS="2")
    for name in ("energies", "forces", "virial"):
        serial, two, again, three = result[name]
        assert np.array_equal(two, again)
        assert same(two, serial) and same(three, serial)


@pytest.mark.nojit
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_threads_against_the_twin(threads, liquid):
    potential, atoms = MomentTensorPotential.random(4, ("H", "O"), cutoff=2.5), liquid(5, ("H", "O"), skew=0.2)
    expected = twin.evaluate(potential, atoms)
    for _ in range(2):
        result = potential.evaluate(atoms, threads)
        assert same(result.energies, expected.energies) and same(result.forces, expected.forces)
        assert same(result.virial, expected.virial)


@pytest.mark.nojit
def test_kernels_are_plain_python_without_the_compiler():
    """NUMBA_DISABLE_JIT=1 has its effect: NumPy then checks every index."""
    from numba import config

    from electrolyte_ml.kernels.neighbours import neighbour_list

    assert hasattr(neighbour_list, "signatures") == (not config.DISABLE_JIT)
