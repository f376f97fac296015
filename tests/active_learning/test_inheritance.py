"""A first training set chosen out of the sets of other runs, on liquid argon."""

import json
import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from ase.calculators.lj import LennardJones
from ase.io import read

from electrolyte_ml.active_learning import ActiveLearningSettings, ActiveSet, active_learn
from electrolyte_ml.active_learning.inheritance import continued_potential, inherit, read_sets
from electrolyte_ml.active_learning.sections import InheritanceSettings
from electrolyte_ml.active_learning.seeding import seeding_starts
from electrolyte_ml.errors import ElectrolyteError, InputError
from electrolyte_ml.potentials import load
from electrolyte_ml.potentials.shipped import find_shipped
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


def test_all_takes_the_sets_wholly(finished, sets, tmp_path):
    start = finished[0].potential
    settings = heir(argon(tmp_path), sets, "all")
    labelled = read_sets(settings.inheritance.sets, ("Ar",), get("lj", **ARGON))
    inherited = inherit(tmp_path / "preliminary", labelled, start, settings, progress=False)
    assert len(inherited.chosen) == len(labelled)


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
        'composition = ["EC=2", "EMC=2"]\ndensity = 1.0\n[inheritance]\nsets = ["mine", "../emc"]\nrun = "pairs"\n'
    )
    settings = ActiveLearningSettings.from_toml(tmp_path / "settings.toml")
    assert settings.inheritance.sets == (str(tmp_path / "mine"), str(tmp_path.parent / "emc"))
    assert settings.inheritance.uniform_configurations == 20
    assert settings.inheritance.run == str(tmp_path / "pairs")


@pytest.mark.parametrize("wrong", [0, -1, 2.5, True, "most"])
def test_a_number_of_configurations_is_positive_or_all(wrong):
    with pytest.raises(InputError, match=r'^uniform_configurations = .*: must be a positive whole number or "all"$'):
        InheritanceSettings(("set.xyz",), uniform_configurations=wrong)


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


def test_a_run_goes_on_from_other_starts(sets, tmp_path):
    """Its whole set is taken, MaxVol chooses with its potential among another set, and exploration starts anew."""
    cold, hot = sets
    settings = replace(argon(tmp_path), inheritance=InheritanceSettings((hot,), run=cold))
    result = active_learn(tmp_path / "run", settings, progress=False)
    whole, others = (read(f"{path}/training_set.xyz", ":") for path in (cold, hot))
    first = [atoms for atoms in result.training_set if atoms.info["iteration"] == 0]
    parents = [atoms.info["parent"] for atoms in first if atoms.info["inherited"] == "cold"]
    assert parents == [f"cold/{atoms.info['parent']}" for atoms in whole]
    assert 0 < len(first) - len(whole) < len(others)
    taken = load(f"{cold}/potential.mtp")
    assert load(result.directory / "iteration_000" / "preliminary" / "potential.mtp").fingerprint == taken.fingerprint
    kept = ActiveSet.build(taken, whole, "neighbourhood")
    labelled = read_sets(settings.inheritance.paths, ("Ar",), get("lj", **ARGON))
    assert [atoms.info["parent"] for atoms in first[len(whole) :]] == [
        labelled[len(whole) + k].info["parent"] for k in kept.select(others, settings.grades.swap_threshold)
    ]


def test_a_run_may_go_on_without_any_other_set(sets, tmp_path):
    settings = replace(argon(tmp_path), inheritance=InheritanceSettings(run=sets[0]))
    result = active_learn(tmp_path / "run", change(settings, stopping={"max_iterations": 1}), progress=False)
    assert result.status[0].saved == result.status[0].size == len(read(f"{sets[0]}/training_set.xyz", ":"))


def test_a_run_of_another_model_does_not_go_on(sets, tmp_path):
    settings = change(replace(argon(tmp_path), inheritance=InheritanceSettings(run=sets[0])), model={"level": 2})
    with pytest.raises(InputError, match=r"cold: the potential to be continued has other n_parameters"):
        active_learn(tmp_path / "run", settings, progress=False)
    assert not (tmp_path / "run").exists()


CONTINUED = """composition = "EC=2 EMC=4{salt}"
density = 1.25
[model]
level = 16
[inheritance]
run = "{name}"
"""


@pytest.mark.parametrize("name, salt", [("ec-emc", ""), ("lipf6-ec-emc", " LiPF6=1")])
def test_a_potential_that_comes_with_the_package_goes_on(tmp_path, name, salt):
    path = tmp_path / "settings.toml"
    path.write_text(CONTINUED.format(name=name, salt=salt))
    settings = ActiveLearningSettings.from_toml(path)
    shipped = find_shipped(name)
    start = settings.model.random(shipped.species, seed=0)
    assert continued_potential(settings.inheritance.run, start).fingerprint == load(name).fingerprint
    labelled = read_sets(settings.inheritance.paths, shipped.species, SimpleNamespace(name=shipped.reference))
    assert len(labelled) == shipped.configurations
    assert {atoms.info["inherited"] for atoms in labelled} == {name}


def test_a_folder_comes_before_a_name(tmp_path):
    """As for potentials."""
    (tmp_path / "ec-emc").mkdir()
    path = tmp_path / "settings.toml"
    path.write_text(CONTINUED.format(name="ec-emc", salt=""))
    run = ActiveLearningSettings.from_toml(path).inheritance.run
    assert run == str(tmp_path / "ec-emc")
    with pytest.raises(InputError, match=r"ec-emc/training_set\.xyz does not exist: .* or the name of a potential"):
        read_sets([run], ("C",), get("lj", **ARGON))


def test_broken_molecules_are_left_out_of_fit_and_grade_on_request(sets, tmp_path, capsys):
    """Two of 27 argon atoms are a pair of 2.3 Å, which counts as a bond."""
    pytest.importorskip("rdkit")
    bad = read(f"{sets[0]}/training_set.xyz", "0")
    bad.positions[1] = bad.positions[0] + [2.3, 0.0, 0.0]
    bad.calc = LennardJones(**ARGON)
    bad.get_forces(), bad.get_stress()
    write_configurations(tmp_path / "bad.xyz", [bad])
    settings = replace(
        argon(tmp_path),
        inheritance=InheritanceSettings((str(tmp_path / "bad.xyz"),), run=sets[0]),
        molecules={"argon": {"smiles": "[Ar]"}},
    )
    settings = change(settings, stopping={"max_iterations": 1}, fit={"leave_out": "broken"})
    result = active_learn(tmp_path / "run", settings, reference=get("lj", **ARGON))
    fit = json.loads((result.directory / "iteration_000" / "fit.json").read_text())
    assert fit["left_out"] == 1 and fit["size"] == result.status[0].size
    assert f"1 of {fit['size']} configurations have broken or unknown molecules: not fitted" in capsys.readouterr().out
    folder = result.directory / "iteration_000"
    first = read(folder / "labelled.xyz", ":")
    potential = load(folder / "potential.mtp")
    again = ActiveSet.build(potential, [atoms for atoms in first if atoms.info["inherited"] == "cold"], "neighbourhood")
    kept = ActiveSet.load(folder / "active_set.npz", potential)
    assert kept.grade(bad) == pytest.approx(again.grade(bad)) and kept.grade(bad) > 10


def test_a_set_of_nothing_but_unknown_molecules_is_refused(tmp_path):
    settings = change(
        argon(tmp_path), fit={"leave_out": "broken"}, seeding={"time_ps": 0.05, "trajectories": 1, "configurations": 2}
    )
    with pytest.raises(ElectrolyteError, match=r"fit\.leave_out: every configuration"):
        active_learn(tmp_path / "run", settings, progress=False)


def test_a_run_that_was_moved_goes_on_with_its_labels(sets, tmp_path):
    """Settings of Python hold absolute paths: those inside the run move with it, and the sets have been used."""
    home = tmp_path / "home"
    home.mkdir()
    parts = [shutil.copytree(path, home / path.rpartition("/")[2]) for path in sets]
    settings = replace(heir(argon(home), map(str, parts)), labels=str(home / "run" / "store"))
    settings = change(settings, stopping={"max_iterations": 1})
    active_learn(home / "run", settings, progress=False)
    labels = len(list((home / "run" / "store").rglob("*.json")))
    home.rename(tmp_path / "elsewhere")
    moved = tmp_path / "elsewhere" / "run"
    text = (moved / "settings.toml").read_text()
    assert 'labels = "store"' in text
    text = text.replace("max_iterations = 1", "max_iterations = 2").replace(str(home), "..")
    (moved / "settings.toml").write_text(text)
    for part in parts:
        shutil.rmtree(tmp_path / "elsewhere" / part.name)
    result = active_learn(moved, progress=False)
    assert len(result.status) == 3 or result.converged
    assert len(list((moved / "store").rglob("*.json"))) == labels + sum(row.selected for row in result.status.rows[2:])
    assert not home.exists()


def test_other_sets_are_refused_in_a_directory_that_has_been_begun(finished, sets):
    result, settings = finished
    with pytest.raises(InputError, match=r"other settings \(inheritance\.sets\)"):
        active_learn(result.directory, heir(settings, sets[::-1]), progress=False)
