"""Force fields within molecules: what they describe, to which molecules they belong, and their files."""

import itertools

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from hypothesis import given, settings
from hypothesis import strategies as st

from electrolyte_ml.dynamics import MolecularForceField, fit_force_field, load_inner
from electrolyte_ml.errors import InputError
from electrolyte_ml.kernels.force_field import evaluate, workspace
from electrolyte_ml.structures import molecule, pack
from electrolyte_ml.structures.graphs import neighbours
from electrolyte_ml.structures.topology import Topology


def displaced(atoms, count, size=0.03, seed=0):
    rng = np.random.default_rng(seed)
    frames = [atoms.copy() for _ in range(count)]
    for frame in frames:
        frame.positions += rng.normal(scale=size, size=frame.positions.shape)
    return frames


def energy(force_field, atoms, terms=None):
    terms = force_field.terms(atoms) if terms is None else terms
    return evaluate(terms, atoms.positions, atoms.cell.array, workspace(terms), np.empty((len(atoms), 3)))


def slopes(function, atoms, step=1e-4):
    """Minus the central differences of sixth order of a function of the configuration."""
    found = np.zeros((len(atoms), 3))
    for i, axis in itertools.product(range(len(atoms)), range(3)):
        for shift, weight in ((1, 45 / 60), (2, -9 / 60), (3, 1 / 60)):
            for sign in (1, -1):
                moved = atoms.copy()
                moved.positions[i, axis] += sign * shift * step
                found[i, axis] -= sign * weight * function(moved) / step
    return found


def valence(atoms, bonds, equilibrium):
    """Energy of anharmonic bonds, each coupled to all bonds that share an atom: from distances by ASE."""
    extension = {tuple(pair): atoms.get_distance(*pair) - equilibrium[k] for k, pair in enumerate(bonds)}
    total = sum(5.0 * x**2 - 8.0 * x**3 + 9.0 * x**4 for x in extension.values())
    total += sum(0.7 * extension[a] * extension[b] for a, b in itertools.combinations(extension, 2) if set(a) & set(b))
    return total


def test_the_forces_of_a_valence_force_field_are_recovered():
    atoms = molecule("EMC")
    bonds = [tuple(sorted(pair)) for pair in Topology.of(atoms).bonds.tolist()]
    equilibrium = [atoms.get_distance(*pair) for pair in bonds]
    frames = displaced(atoms, 40)
    forces = [slopes(lambda frame: valence(frame, bonds, equilibrium), frame) for frame in frames]
    fitted = fit_force_field(frames[:-5], forces[:-5])
    for frame, expected in zip(frames[-5:], forces[-5:], strict=True):
        assert np.abs(expected).max() > 0.1
        # The mean lengths of equivalent bonds differ from each other by the chance of 35 configurations.
        np.testing.assert_allclose(fitted.forces(frame), expected, atol=0.02 * np.abs(expected).max())


@settings(max_examples=15, deadline=None)
@given(name=st.sampled_from(["EC", "EMC", "PF6"]), seed=st.integers(0, 10**6), size=st.floats(0.01, 0.6))
def test_forces_are_slopes_of_the_energy(name, seed, size):
    """Inside and, with displacements of 0.6 Å, far outside the lengths of the fit."""
    atoms, rng = molecule(name), np.random.default_rng(seed)
    frames = displaced(atoms, 6, seed=seed)
    fitted = fit_force_field(frames, [rng.normal(size=(len(atoms), 3)) for _ in frames])
    terms, moved = fitted.terms(atoms), displaced(atoms, 1, size, seed + 1)[0]
    forces = np.empty((len(atoms), 3))
    evaluate(terms, moved.positions, moved.cell.array, workspace(terms), forces)
    # The curvature may jump at the ends of the range of a length: the error is then of first order in the step.
    expected = slopes(lambda frame: energy(fitted, frame, terms), moved, step=1e-5)
    np.testing.assert_allclose(forces, expected, rtol=0, atol=1e-4 * np.abs(expected).max())
    np.testing.assert_allclose(forces.sum(axis=0), 0, atol=1e-10 * np.abs(forces).max())


@pytest.fixture(scope="module")
def fitted():
    """A force field with forces of random parameters, and the liquid that it was fitted on."""
    liquid = pack({"EC": 3, "EMC": 2, "LiPF6": 1}, 1.1, seed=3)
    rng = np.random.default_rng(0)
    frames = displaced(liquid, 5)
    return fit_force_field(frames, [rng.normal(size=(len(liquid), 3)) for _ in frames]), liquid


@pytest.mark.parametrize("seed", range(3))
def test_any_order_image_and_cell_of_the_atoms_has_the_same_forces(fitted, seed):
    force_field, liquid = fitted
    moved = displaced(liquid, 1, seed=seed)[0]
    expected = force_field.forces(moved)
    assert np.abs(expected).max() > 0.1
    order = np.random.default_rng(seed).permutation(len(liquid))
    other = moved[order]
    other.positions += [1.0, 2.0, 3.0]
    other.wrap()
    np.testing.assert_allclose(force_field.forces(other), expected[order], atol=1e-9)
    skewed = moved.copy()
    skewed.set_cell(moved.cell.array @ [[1, 0, 0], [1, 1, 0], [-1, 0, 1]])
    skewed.wrap()
    np.testing.assert_allclose(force_field.forces(skewed), expected, atol=1e-9)


@pytest.mark.nojit
def test_there_are_no_forces_between_molecules(fitted):
    force_field, liquid = fitted
    pushed = liquid.copy()
    labels = Topology.of(liquid).labels
    pushed.positions[labels == 0] += 0.05
    np.testing.assert_allclose(force_field.forces(pushed), force_field.forces(liquid), atol=1e-9)
    assert not force_field.forces(liquid)[liquid.symbols == "Li"].any()


def test_distances_of_all_atoms_up_to_three_bonds_apart_are_terms():
    atoms = molecule("EMC")
    force_field = fit_force_field([atoms], [np.zeros((len(atoms), 3))])
    bonds = Topology.of(atoms).bonds
    near = np.linalg.matrix_power(np.eye(len(atoms), dtype=int) + adjacency(len(atoms), bonds), 3) > 0
    assert {tuple(pair) for pair in force_field.terms(atoms).pair.tolist()} == {
        (i, j) for i, j in itertools.combinations(range(len(atoms)), 2) if near[i, j]
    }


def adjacency(count, bonds):
    matrix = np.zeros((count, count), dtype=int)
    for i, ends in enumerate(neighbours(count, bonds)):
        matrix[i, ends] = 1
    return matrix


@pytest.mark.parametrize("seed", range(4))
def test_neighbouring_and_opposite_fluorines_are_told_apart(seed):
    """In any order of the fluorines, which the graph of bonds does not tell apart."""
    anion = molecule("PF6")
    order = np.random.default_rng(seed).permutation(len(anion))
    force_field = fit_force_field([anion], [np.zeros((len(anion), 3))])
    terms = force_field.terms(anion[order])
    separate = force_field.sites[:, 3] == 2
    opposite = np.flatnonzero(separate & (force_field.lengths[:, 0] > 3.0))
    beside = np.flatnonzero(separate & (force_field.lengths[:, 0] < 2.5))
    assert len(opposite) == len(beside) == 1
    assert np.bincount(terms.type)[[opposite[0], beside[0]]].tolist() == [3, 12]


def test_the_file_holds_everything(fitted, tmp_path):
    force_field, liquid = fitted
    force_field.save(tmp_path / "inner.json")
    again = load_inner(tmp_path / "inner.json")
    assert again.fingerprint == force_field.fingerprint
    np.testing.assert_array_equal(again.forces(liquid), force_field.forces(liquid))


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"format": "x"}', "H 1 2"])
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "inner.json"
    path.write_text(content)
    with pytest.raises(InputError, match=r"inner.json: not a force field within molecules"):
        MolecularForceField.load(path)


def test_molecules_that_were_not_in_the_fit_are_refused(fitted):
    liquid = fitted[1] + Atoms("H2", [[0, 0, 0], [0.74, 0, 0]])
    liquid.cell[:] *= 3
    with pytest.raises(InputError, match=r"does not know the molecule of H\d+ of H2 \(molecule"):
        fitted[0].forces(liquid)


def test_a_molecule_of_another_shape_is_refused():
    """Two fluorines of a prism are neither neighbours nor opposite as those of an octahedron."""
    anion = molecule("PF6")
    force_field = fit_force_field([anion], [np.zeros((len(anion), 3))])
    polar, angle = np.repeat([0.85, np.pi - 0.85], 3), np.tile(np.arange(3) * 2 * np.pi / 3, 2)
    directions = np.stack([np.sin(polar) * np.cos(angle), np.sin(polar) * np.sin(angle), np.cos(polar)], axis=1)
    prism = Atoms("PF6", np.concatenate([np.zeros((1, 3)), 1.62 * directions]))
    with pytest.raises(InputError, match="unlike all in the fit"):
        force_field.forces(prism)


def test_systems_without_molecules_are_refused():
    argon, diamond = bulk("Ar", "fcc", 7.2, cubic=True), bulk("C", "diamond", 3.57, cubic=True)
    with pytest.raises(InputError, match="there are no bonds"):
        fit_force_field([argon], [np.zeros((len(argon), 3))])
    with pytest.raises(InputError, match="bonded to its own periodic image"):
        fit_force_field([diamond], [np.zeros((len(diamond), 3))])
