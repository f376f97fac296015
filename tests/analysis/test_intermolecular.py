import numpy as np
import pytest
from ase import Atoms

from electrolyte_ml import reference
from electrolyte_ml.analysis.intermolecular import Liquid, split_potential, split_reference
from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials import ModelSpec
from electrolyte_ml.potentials.charges import QRd
from electrolyte_ml.reference import LabelStore
from electrolyte_ml.structures import MOLECULES, pack
from electrolyte_ml.units import COULOMB

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


def dimer(distance):
    """Two EC at a distance between their centres, without a cell."""
    one = MOLECULES["EC"].atoms()
    other = one.copy()
    other.positions += [distance, 0, 0]
    both = one + other
    both.info.clear()
    return both


def test_molecules_far_apart_have_no_forces_between_them():
    both = dimer(10.0)
    both.set_cell([20.0, 20.0, 20.0])
    both.pbc = True
    both.wrap()
    split = split_potential(Liquid.of([both]), ModelSpec(level=6).random(["H", "C", "O"], seed=1))
    assert abs(split.forces["intermolecular"]).max() < 1e-12  # the rounding of wrapped positions
    assert split.energies["intermolecular"][0] == pytest.approx(0, abs=1e-10)


def test_isolated_molecules_have_the_bare_coulomb_sum(salt):
    """With charges alone: the energy of PF6- by hand, with the charges that add up to -1 e."""
    charges = QRd.random(SPECIES, seed=0)
    liquid = Liquid.of(salt[:1])
    (anion,) = [atoms for atoms in liquid.molecules if atoms.info["name"] == "PF6"]
    by_type = charges.type_charges({"P": 1, "F": 6}, charge=-1)
    q = np.array([by_type[symbol] for symbol in anion.symbols])
    assert q.sum() == pytest.approx(-1, abs=1e-12)
    distances = anion.get_all_distances()[np.triu_indices(7, 1)]
    expected = COULOMB * np.sum(np.outer(q, q)[np.triu_indices(7, 1)] / distances)
    assert charges.evaluate(anion).energy == pytest.approx(expected, rel=1e-9)
    split = split_potential(liquid, charges)
    alone = sum(charges.evaluate(atoms).energy for atoms in liquid.molecules)
    assert split.energies["intramolecular"][0] == pytest.approx(alone, abs=1e-10)


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
    """Ions included: their molecules have the charges of the ions, and each label is computed once."""
    level, store = reference.get("gfn1-xtb"), LabelStore(tmp_path)
    liquid = Liquid.of([store.label(atoms, level) for atoms in salt])
    split = split_reference(liquid, level, store, progress=False)
    np.testing.assert_array_equal(split.energies["total"], [a.get_potential_energy() for a in liquid.configurations])
    first = 0
    for molecule in liquid.molecules:
        chosen = liquid.atoms[first : first + len(molecule)]
        alone = level.label(Atoms(molecule.numbers, molecule.positions, info={"charge": molecule.info["charge"]}))
        np.testing.assert_allclose(split.forces["intramolecular"][chosen], alone.forces, atol=1e-12)
        first += len(molecule)
    for values in (split.energies, split.forces):
        np.testing.assert_allclose(values["intramolecular"] + values["intermolecular"], values["total"], atol=1e-10)
    assert split.energies["intermolecular"][0] < -3.0 < split.energies["intermolecular"][1]  # eV: the ions attract
    result = store.label_all(liquid.molecules, level, progress=False)
    assert result.computed == 0


def test_molecules_far_apart_by_a_reference(tmp_path):
    """What is left is the field of the other one's dipole, which falls with the third power of the distance."""
    level, store = reference.get("gfn1-xtb"), LabelStore(tmp_path)
    liquid = Liquid.of([store.label(dimer(distance), level) for distance in (30.0, 60.0)])
    forces = split_reference(liquid, level, store, progress=False).forces["intermolecular"]
    near, far = abs(forces[:20]).max(), abs(forces[20:]).max()  # eV/Å
    assert near < 5e-3 and far == pytest.approx(near / 8, rel=0.05)


def test_labels_and_reference_belong_together(salt, tmp_path):
    level, store = reference.get("gfn1-xtb"), LabelStore(tmp_path)
    with pytest.raises(InputError, match="configuration 1: it carries no energy and forces"):
        split_reference(Liquid.of(salt), level, store)
    labelled = [store.label(atoms, level) for atoms in salt[1:]]
    labelled[0].info["reference"] = "PBE0"
    with pytest.raises(InputError, match="configuration 1 was labelled by PBE0"):
        split_reference(Liquid.of(labelled), level, store)
    del labelled[0].info["reference"]
    labelled[0].calc.results["energy"] /= 10
    with pytest.raises(InputError, match="eV per molecule; its labels are not of the same"):
        split_reference(Liquid.of(labelled), level, store, progress=False)


def test_compositions_are_ratios(salt):
    boxes = [pack({"EC": 4, "EMC": 2}, 0.9), pack({"EMC": 2}, 0.9), *salt]
    assert Liquid.of(boxes).compositions == ["2EC:1EMC", "EMC", "1EC:1Li:1PF6", "EC"]
