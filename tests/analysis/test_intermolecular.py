import numpy as np
import pytest
from ase import Atoms

from electrolyte_ml import reference
from electrolyte_ml.analysis.intermolecular import Liquid, split_errors, split_potential, split_reference
from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials import ModelSpec
from electrolyte_ml.reference import LabelStore
from electrolyte_ml.structures import MOLECULES, pack

SPECIES = ["H", "Li", "C", "O", "F", "P"]


@pytest.fixture(scope="module")
def salt():
    boxes = [pack({"EC": 1, "LiPF6": 1}, 0.9, seed=1), pack({"EC": 2}, 0.9, seed=2)]
    rng = np.random.default_rng(0)
    for atoms in boxes:
        atoms.positions += rng.normal(scale=0.03, size=(len(atoms), 3))
    return boxes


@pytest.mark.parametrize("charges", [None, "qrd"])
def test_parts_sum_to_the_total(salt, charges):
    potential = ModelSpec(level=4, charges=charges).random(SPECIES, seed=0)
    liquid = Liquid.of(salt)
    split = split_potential(liquid, potential)
    for what, values in (("energies", split.energies), ("forces", split.forces)):
        np.testing.assert_allclose(
            values["intramolecular"] + values["intermolecular"], values["total"], atol=1e-10, err_msg=what
        )
    np.testing.assert_array_equal(
        split.forces["total"], np.concatenate([potential.evaluate(atoms).forces for atoms in salt])
    )
    alone = [potential.evaluate(molecule) for molecule in liquid.molecules]
    of_first = [one.energy for one, owner in zip(alone, liquid.owners, strict=True) if owner == 0]
    assert split.energies["intramolecular"][0] == pytest.approx(sum(of_first), abs=1e-10)


def test_ions_are_alone_with_their_charges(salt):
    liquid = Liquid.of(salt)
    found = {(molecule.info["name"], molecule.info["charge"]) for molecule in liquid.molecules}
    assert found == {("EC", 0), ("Li", 1), ("PF6", -1)}
    split = split_potential(liquid, ModelSpec(level=4, charges="qrd").random(SPECIES, seed=0))
    (lithium,) = [k for k, atoms in enumerate(liquid.molecules) if atoms.info["name"] == "Li"]
    first = sum(len(atoms) for atoms in liquid.molecules[:lithium])
    assert not split.forces["intramolecular"][liquid.atoms[first]].any()


def test_molecules_far_apart_have_no_forces_between_them():
    one = MOLECULES["EC"].atoms()
    other = one.copy()
    other.positions += [10.0, 0, 0]
    both = one + other
    both.info.clear()
    both.set_cell([20.0, 20.0, 20.0])
    both.pbc = True
    both.wrap()
    split = split_potential(Liquid.of([both]), ModelSpec(level=6).random(["H", "C", "O"], seed=1))
    assert abs(split.forces["intermolecular"]).max() < 1e-10
    assert split.energies["intermolecular"][0] == pytest.approx(0, abs=1e-9)


def test_atoms_of_molecules_in_any_order(salt):
    potential = ModelSpec(level=4, charges="qrd").random(SPECIES, seed=0)
    order = np.random.default_rng(3).permutation(len(salt[0]))
    plain = split_potential(Liquid.of(salt[:1]), potential)
    mixed = split_potential(Liquid.of([salt[0][order]]), potential)
    np.testing.assert_allclose(mixed.forces["intramolecular"], plain.forces["intramolecular"][order], atol=1e-9)


def test_a_broken_molecule_is_counted_and_left_out(salt):
    broken = salt[1].copy()
    hydrogen = int(np.flatnonzero(broken.numbers == 1)[0])
    del broken[hydrogen]
    liquid = Liquid.of([*salt, broken])
    assert len(liquid.configurations) == 2 and liquid.affected == 1 and liquid.excluded == {"C3H3O3": 1}
    with pytest.raises(InputError, match="no configuration consists of whole, known molecules: 1 C3H3O3"):
        Liquid.of([broken])


def test_a_reference_is_split(salt, tmp_path):
    level, store = reference.get("gfn1-xtb"), LabelStore(tmp_path)
    liquid = Liquid.of(salt[1:])
    split = split_reference(liquid, level, store, progress=False)
    alone = level.label(Atoms(liquid.molecules[0]))
    np.testing.assert_allclose(split.forces["intramolecular"][liquid.atoms[:10]], alone.forces, atol=1e-12)
    errors = split_errors(liquid, split, [split])
    assert all(one.energy_rmse == 0 and one.force_rmse == 0 for one in errors.values())


def test_errors_by_part(salt):
    liquid = Liquid.of(salt)
    potentials = [ModelSpec(level=4).random(SPECIES, seed=seed) for seed in (0, 1)]
    first, second = (split_potential(liquid, potential) for potential in potentials)
    errors = split_errors(liquid, first, [first, second])
    for part, found in errors.items():
        rmse = np.sqrt(np.mean((first.forces[part] - second.forces[part]) ** 2))
        assert found.force_rmse == pytest.approx(rmse / 2) and found.force_spread == pytest.approx(rmse / np.sqrt(2))
