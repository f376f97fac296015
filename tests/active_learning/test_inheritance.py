"""A first training set chosen out of the sets of other runs, on liquid argon."""

import json
from dataclasses import replace

import numpy as np
import pytest
from ase.io import read

from electrolyte_ml.active_learning import ActiveLearningSettings, active_learn
from electrolyte_ml.active_learning.inheritance import inherit, read_sets
from electrolyte_ml.active_learning.sections import InheritanceSettings
from electrolyte_ml.active_learning.seeding import seeding_starts
from electrolyte_ml.errors import InputError
from electrolyte_ml.reference import get
from electrolyte_ml.structures import density, write_configurations
from tests.active_learning.test_loop import ARGON, argon, change


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    """The runs of a cold and of a hot liquid."""
    folder = tmp_path_factory.mktemp("parts")
    for name, temperature in (("cold", 60.0), ("hot", 300.0)):
        settings = argon(folder)
        settings = change(settings, seeding={"temperature": temperature}, stopping={"max_iterations": 2})
        active_learn(folder / name, settings, progress=False)
    return [str(folder / "cold"), str(folder / "hot")]


def heir(settings, sets, uniform=6):
    return replace(settings, inheritance=InheritanceSettings(tuple(sets), uniform))


@pytest.fixture(scope="module")
def finished(sets, tmp_path_factory):
    folder = tmp_path_factory.mktemp("heir")
    settings = heir(argon(folder), sets)
    return active_learn(folder / "run", settings, progress=False), settings


def test_the_first_set_is_the_even_ones_and_those_of_maxvol(finished, sets, tmp_path):
    result, settings = finished
    available = sum(len(read(f"{path}/training_set.xyz", ":")) for path in sets)
    first = [atoms for atoms in result.training_set if atoms.info["iteration"] == 0]
    assert result.status[0].saved == available
    assert 6 <= len(first) == result.status[0].selected < available
    record = json.loads((result.directory / "iteration_000" / "sampling.json").read_text())
    assert sum(record["inherited"].values()) == len(first)
    assert set(record["inherited"]) == {"cold", "hot"}
    # The potential fitted to the even ones extrapolates to nothing that was left out.
    labelled = read_sets(settings.inheritance.sets, ("Ar",), get("lj", **ARGON))
    again = inherit(result.directory / "iteration_000" / "preliminary", labelled, None, settings, progress=False)
    assert [atoms.info["parent"] for atoms in again.chosen] == [atoms.info["parent"] for atoms in first]


def test_configurations_know_their_set_and_have_no_grade_of_another_potential(finished):
    result, _ = finished
    for atoms in result.training_set:
        if atoms.info["iteration"] == 0:
            assert atoms.info["parent"].startswith(f"{atoms.info['inherited']}/")
            assert "grade" not in atoms.info
        else:
            assert "inherited" not in atoms.info


def test_nothing_inherited_is_labelled_again(finished):
    result, _ = finished
    learnt = sum(atoms.info["iteration"] > 0 for atoms in result.training_set)
    assert len(list((result.directory / "labels").rglob("*.json"))) == learnt


def test_exploration_starts_from_the_configurations_of_the_settings(finished, sets):
    _, settings = finished
    reference = get("lj", **ARGON)
    (start,) = next(seeding_starts(settings, reference, "settings"))
    assert start.atoms.positions == pytest.approx(read(settings.start).positions)
    boxes = ActiveLearningSettings(
        composition=["H2O=8", "H2O=4 AN=2", "AN=4"],
        density=[0.9, 0.8, 0.7],
        inheritance=InheritanceSettings(tuple(sets)),
    )
    (starts,) = seeding_starts(boxes, get("gfn1-xtb"), "settings")
    assert [str(start.atoms.symbols.formula.format("hill")) for start in starts] == ["H16O8", "C4H14N2O4", "C8H12N4"]
    assert [density(start.atoms) for start in starts] == pytest.approx([0.9, 0.8, 0.7])


def test_a_run_begins_again_with_the_same_bits(finished, tmp_path):
    result, settings = finished
    again = active_learn(tmp_path / "again", settings, progress=False)
    assert again.potential.fingerprint == result.potential.fingerprint
    assert [row.size for row in again.status] == [row.size for row in result.status]


def test_paths_are_relative_to_the_file_of_settings(tmp_path):
    (tmp_path / "settings.toml").write_text(
        'composition = ["EC=2", "EMC=2"]\ndensity = 1.0\n[inheritance]\nsets = ["ec", "../emc"]\n'
    )
    settings = ActiveLearningSettings.from_toml(tmp_path / "settings.toml")
    assert settings.inheritance.sets == (str(tmp_path / "ec"), str(tmp_path.parent / "emc"))
    assert settings.inheritance.uniform_configurations == 20


def labelled(path, symbols="Ar2", reference="Lennard-Jones", **info):
    from ase import Atoms
    from ase.calculators.singlepoint import SinglePointCalculator

    atoms = Atoms(symbols, [[0, 0, 0], [3.5, 0, 0]], cell=[9.0] * 3, pbc=True, info={"reference": reference, **info})
    atoms.calc = SinglePointCalculator(atoms, energy=-1.0, forces=np.zeros((2, 3)))
    write_configurations(path, [atoms])
    return str(path)


def test_bad_sets_are_refused_before_anything_is_computed(tmp_path):
    reference = get("lj", **ARGON)
    good = labelled(tmp_path / "a.xyz", reference=reference.name)
    with pytest.raises(InputError, match=r"b\.xyz does not exist"):
        read_sets([str(tmp_path / "b.xyz")], ("Ar",), reference)
    with pytest.raises(InputError, match=r"two of the sets are named a"):
        read_sets([good, good], ("Ar",), reference)
    other = labelled(tmp_path / "c.xyz", reference="PBE")
    with pytest.raises(InputError, match=r"c\.xyz: configuration 1 was labelled by PBE, but the reference"):
        read_sets([good, other], ("Ar",), reference)
    with pytest.raises(InputError, match=r"a\.xyz: Ar is not in the composition"):
        read_sets([good], ("Ne",), reference)
    settings = heir(argon(tmp_path), [str(tmp_path / "missing")])
    with pytest.raises(InputError, match="missing does not exist"):
        active_learn(tmp_path / "run", settings, progress=False)
    assert not (tmp_path / "run").exists()
