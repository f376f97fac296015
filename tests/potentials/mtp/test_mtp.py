"""The potential as an object: its parameters, their order, and what it refuses."""

import numpy as np
import pytest
from ase import Atoms

from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials import MomentTensorPotential


@pytest.mark.parametrize(("level", "number"), [(12, 248), (16, 383), (20, 651)])
def test_paper_numbers_of_parameters(level, number):
    potential = MomentTensorPotential.random(level, ("H", "C", "O"))
    assert potential.n_parameters == len(potential.parameters) == number


def test_random_parameters_are_uniform_and_follow_the_seed():
    one, same, other = (MomentTensorPotential.random(20, ("H", "C", "O"), seed=s).parameters for s in (1, 1, 2))
    assert np.array_equal(one, same) and not np.allclose(one, other)
    assert -1 <= one.min() < -0.95 and 0.95 < one.max() <= 1 and abs(one.mean()) < 0.1


def test_order_of_parameters():
    potential = MomentTensorPotential.random(6, ("H", "O"), radial_basis_size=3)
    theta = np.arange(float(potential.n_parameters))
    other = potential.with_parameters(theta)
    assert other.radial[1, 0, 1, 2] == ((1 * 2 + 0) * 2 + 1) * 3 + 2
    assert list(other.shifts) == [24, 25] and list(other.moments) == [26, 27, 28, 29, 30]
    assert np.array_equal(other.parameters, theta)
    assert not np.shares_memory(other.parameters, other.radial)


def test_copies_are_independent():
    potential = MomentTensorPotential.random(4, ("H",))
    copy = potential.copy()
    copy.radial[:] = 0
    assert potential.radial.any() and copy.fingerprint != potential.fingerprint


@pytest.mark.nojit
def test_hand_made_dimer():
    """Level 2: E = 2 shift + 2 xi f(r), f = scaling c (Rcut - r)^2 for one radial function."""
    potential = MomentTensorPotential.random(2, ("H",), radial_basis_size=1, cutoff=3.0, min_distance=0.5, scaling=0.1)
    c, shift, xi = potential.parameters
    result = potential.evaluate(Atoms("HH", [[0, 0, 0], [0, 0, 1.2]]))
    assert result.energy == pytest.approx(2 * shift + 2 * xi * 0.1 * c * 1.8**2, rel=1e-14)
    assert result.forces[1] == pytest.approx([0, 0, 2 * xi * 0.1 * c * 2 * 1.8], rel=1e-14)
    assert result.stress is None


@pytest.mark.nojit
def test_pairs_of_species_are_ordered():
    """c[centre, neighbour]: swapping the two elements of a dimer changes which coefficients each site uses."""
    potential = MomentTensorPotential.random(2, ("H", "O"), radial_basis_size=1, cutoff=3.0, scaling=1.0)
    result = potential.evaluate(Atoms("HO", [[0, 0, 0], [0, 0, 1.0]]))
    c = potential.radial[:, :, 0, 0]
    expected = potential.shifts + potential.moments[0] * 4.0 * np.array([c[0, 1], c[1, 0]])
    assert result.energies == pytest.approx(expected, rel=1e-14)


def test_scaling_the_radial_functions_against_the_coefficients_changes_nothing(liquid):
    potential = MomentTensorPotential.random(16, ("C",), seed=1)
    factors = np.array([1.7, 0.6, -1.2, 2.5])  # one a radial function
    powers = np.array([np.prod(factors[list(c.mus)]) for c in potential.basis.contractions])
    other = potential.copy()
    other.radial *= factors[:, None]
    other.moments /= powers
    atoms = liquid(12, ("C",))
    assert other.evaluate(atoms).forces == pytest.approx(potential.evaluate(atoms).forces, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(("level", "radial"), [(4, 1), (8, 2), (10, 3)])
def test_number_of_null_directions(level, radial, liquid):
    """Mixing f_mu with those of lower mu is undone by the coefficients: R (R + 1)/2 directions, no others."""
    potential = MomentTensorPotential.random(level, ("C",), seed=1)
    rows = np.vstack([potential.site_energy_gradients(liquid(30, ("C",), seed)) for seed in range(4)])
    rows /= np.linalg.norm(rows, axis=0)
    rank = np.linalg.matrix_rank(rows, tol=1e-11)
    assert potential.n_parameters - rank == radial * (radial + 1) // 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"species": ("H", "H")}, "distinct chemical symbols"),
        ({"species": ("H", "Xx")}, "distinct chemical symbols"),
        ({"species": ()}, "distinct chemical symbols"),
        ({"cutoff": 0.9}, "cutoff"),
        ({"cutoff": np.nan}, "cutoff"),
        ({"min_distance": -1.0}, "cutoff"),
        ({"radial_basis_size": 0}, "radial basis size"),
        ({"level": 5}, "level 5"),
    ],
)
def test_impossible_potentials(change, message):
    arguments = {"level": 4, "species": ("H", "O")} | change
    with pytest.raises(InputError, match=message):
        MomentTensorPotential.random(**arguments)


def test_wrong_number_of_parameters():
    potential = MomentTensorPotential.random(4, ("H",))
    with pytest.raises(InputError, match="do not fit a potential with"):
        potential.with_parameters(np.zeros(3))


@pytest.mark.nojit
@pytest.mark.parametrize(
    ("atoms", "message"),
    [
        (Atoms("HF", [[0, 0, 0], [0, 0, 1]]), "atom 2 is F, but the potential has only the species H O"),
        (Atoms("HH", [[0, 0, 0], [0, 0, np.nan]]), "the position of atom 2 is not finite"),
        (Atoms("HH", [[0, 0, 0], [0, 0, 1e12]]), "atom 2 is more than 1e[+]08 Å away"),
        (Atoms("HHO", [[0, 0, 5], [0, 0, 1], [0, 0.1, 1]]), "atoms 2 and 3 overlap: 0.100 Å apart"),
        (Atoms("HO", [[0, 0, 0], [0, 0, 3.9]], cell=[4, 4, 4], pbc=True), "atoms 1 and 2 overlap"),
        (Atoms("H", [[0, 0, 0]], pbc=True), "periodic along axis 0, but that cell vector is zero"),
        (Atoms("H", [[0, 0, 0]], cell=[4, 4, 0], pbc=True), "periodic along axis 2, but that cell vector is zero"),
        (Atoms("H", [[0, 0, 0]], cell=[4, 4, 1e-3], pbc=True), "periodic along axis 2, but .* only 0.001 Å long"),
        (Atoms("H", [[0, 0, 0]], cell=[[4, 0, 0], [8, 0, 0], [0, 0, 4]], pbc=True), "not linearly independent"),
        (Atoms("H", [[0, 0, 0]], cell=[4, np.nan, 4], pbc=True), "cell has entries that are not finite"),
    ],
)
def test_impossible_configurations(atoms, message):
    potential = MomentTensorPotential.random(4, ("H", "O"))
    for ask in (potential.evaluate, potential.energy_gradient, potential.site_energy_gradients):
        with pytest.raises(InputError, match=message):
            ask(atoms)
    atoms.calc = potential.calculator()
    with pytest.raises(InputError, match=message):
        atoms.get_potential_energy()


@pytest.mark.nojit
@pytest.mark.parametrize("pbc", [False, True])
def test_no_atoms_and_lonely_atoms(pbc):
    potential = MomentTensorPotential.random(8, ("H", "O"))
    nothing = Atoms(cell=[9, 9, 9], pbc=pbc)
    result = potential.evaluate(nothing)
    assert result.energy == 0 and result.forces.shape == (0, 3) and not result.virial.any()
    assert potential.energy_gradient(nothing).shape == (potential.n_parameters,)
    assert not potential.energy_gradient(nothing).any()
    assert potential.site_energy_gradients(nothing).shape == (0, potential.n_parameters)
    lonely = potential.evaluate(Atoms("O", cell=[9, 9, 9], pbc=pbc))
    assert lonely.energy == potential.shifts[1] and not lonely.forces.any() and not lonely.virial.any()


@pytest.mark.nojit
def test_a_species_may_be_absent(liquid):
    """An element that the configuration lacks costs nothing and gets no gradient."""
    potential = MomentTensorPotential.random(8, ("H", "C", "Li", "O"))
    atoms = liquid(12)
    gradient = potential.energy_gradient(atoms)
    s = potential.species.index("Li")
    radial = gradient[: potential.radial.size].reshape(potential.radial.shape)
    assert not radial[s].any() and not radial[:, s].any() and gradient[potential.radial.size + s] == 0
    kept = [0, 1, 3]
    small = MomentTensorPotential(
        basis=potential.basis, species=("H", "C", "O"), radial=potential.radial[np.ix_(kept, kept)],
        shifts=potential.shifts[kept], moments=potential.moments,
    )  # fmt: skip
    assert small.evaluate(atoms).energy == pytest.approx(potential.evaluate(atoms).energy, rel=1e-14)
