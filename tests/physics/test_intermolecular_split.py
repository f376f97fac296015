"""What the split into parts within and between molecules must do for any liquid and any potential."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from electrolyte_ml.analysis import Liquid, split_potential
from electrolyte_ml.potentials import ModelSpec
from electrolyte_ml.structures import MOLECULES, pack

SPECIES = ("H", "Li", "C", "O", "F", "P")
BOXES = ({"EC": 2}, {"EC": 1, "EMC": 1}, {"EMC": 1, "LiPF6": 1})
POTENTIALS = {name: ModelSpec(level=4, charges=name).random(SPECIES, seed=5) for name in (None, "qrd")}

potentials = st.sampled_from(list(POTENTIALS.values()))


def moved(number, seed):
    """A packed box with displaced atoms."""
    atoms = pack(BOXES[number], 0.8, seed=number)
    atoms.positions += np.random.default_rng(seed).normal(scale=0.03, size=(len(atoms), 3))
    return atoms


@settings(deadline=None, max_examples=15)
@given(number=st.integers(0, 2), seed=st.integers(0, 1000), potential=potentials)
def test_the_parts_sum_to_the_total_and_no_molecule_pulls_itself(number, seed, potential):
    liquid = Liquid.of([moved(number, seed)])
    split = split_potential(liquid, potential)
    for values in (split.energies, split.forces):
        np.testing.assert_allclose(values["intramolecular"] + values["intermolecular"], values["total"], atol=1e-10)
    first = 0
    for molecule in liquid.molecules:
        atoms = liquid.atoms[first : first + len(molecule)]
        within = split.forces["intramolecular"][atoms]
        np.testing.assert_allclose(within.sum(axis=0), 0, atol=1e-9)
        torque = np.cross(molecule.positions, within).sum(axis=0)
        np.testing.assert_allclose(torque, 0, atol=1e-8)
        if len(molecule) == 1:
            assert not within.any()
        first += len(molecule)


@settings(deadline=None, max_examples=15)
@given(number=st.integers(0, 2), seed=st.integers(0, 1000), potential=potentials)
def test_order_and_images_of_atoms_change_nothing(number, seed, potential):
    atoms, rng = moved(number, seed), np.random.default_rng(seed)
    order = rng.permutation(len(atoms))
    other = atoms[order]
    other.positions += rng.integers(-2, 3, (len(atoms), 3)) @ atoms.cell.array
    plain, mixed = (split_potential(Liquid.of([one]), potential) for one in (atoms, other))
    for part, forces in plain.forces.items():
        np.testing.assert_allclose(mixed.forces[part], forces[order], atol=1e-7)
        assert mixed.energies[part][0] == pytest.approx(plain.energies[part][0], abs=1e-7)


@settings(deadline=None, max_examples=25)
@given(
    names=st.tuples(st.sampled_from(["EC", "EMC", "PF6", "Li"]), st.sampled_from(["EC", "EMC", "PF6"])),
    seed=st.integers(0, 10_000),
    beyond=st.floats(0.01, 20.0),
)
def test_beyond_the_cutoff_nothing_acts_between_molecules(names, seed, beyond):
    potential = POTENTIALS[None]
    rng = np.random.default_rng(seed)
    first, second = (MOLECULES[name].atoms() for name in names)
    for atoms in (first, second):
        atoms.positions[:] = Rotation.random(rng=rng).apply(atoms.positions)
    gap = first.positions[:, 0].max() - second.positions[:, 0].min()
    second.positions[:, 0] += gap + potential.cutoff + beyond
    both = first + second
    both.info = {"charge": MOLECULES[names[0]].charge + MOLECULES[names[1]].charge}
    split = split_potential(Liquid.of([both]), potential)
    np.testing.assert_allclose(split.forces["intermolecular"], 0, atol=1e-13)  # another order of the same sums
    assert split.energies["intermolecular"][0] == pytest.approx(0, abs=1e-10)
