"""The potentials that come with the package: what is written about them is what they are."""

import numpy as np
import pytest

import electrolyte_ml as eml
from electrolyte_ml.dynamics import MoleculeMonitor, run_md
from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials import MomentTensorPotential, load, shipped_potentials
from electrolyte_ml.potentials.shipped import ABOUT, training_set_file
from electrolyte_ml.structures import pack, read_configurations
from electrolyte_ml.training import evaluate_errors

KNOWN = [potential.name for potential in shipped_potentials()]


@pytest.mark.parametrize("name", KNOWN)
def test_what_is_written_about_a_potential_is_what_it_is(name):
    about = next(potential for potential in shipped_potentials() if potential.name == name)
    potential = load(name)
    assert potential.species == about.species
    assert potential.reference == about.reference
    if about.training_set is not None:
        training = read_configurations(about.training_set, labelled=True)
        assert len(training) == about.configurations
        assert {atoms.info["reference"] for atoms in training} == {potential.label_reference}
        errors = evaluate_errors(potential, training)
        assert 1000 * errors.energy_rmse == pytest.approx(about.energy_error, rel=0.02)
        assert errors.force_rmse == pytest.approx(about.force_error, rel=0.02)


@pytest.fixture
def folder(monkeypatch, tmp_path):
    monkeypatch.setattr("electrolyte_ml.potentials.shipped._folder", lambda: tmp_path)
    (tmp_path / "argon").mkdir()
    MomentTensorPotential.random(2, ("Ar",)).save(tmp_path / "argon" / "potential.mtp")
    (tmp_path / "argon" / ABOUT).write_text(
        'liquid = "argon"\nfile = "potential.mtp"\nmodel = "MTP2"\nreference = "LJ"\nspecies = ["Ar"]\n'
        'configurations = 3\nenergy_error = 1.0\nforce_error = 0.1\ngood_for = "tests"\nlimits = "all else"\n'
        'made_by = "this test"\n'
    )
    return tmp_path / "argon"


def test_a_potential_is_found_by_its_name(folder):
    assert eml.load("argon").fingerprint == load(folder / "potential.mtp").fingerprint
    assert "argon: argon; MTP2, species Ar, labels by LJ" in str(eml.potentials())
    assert [potential.name for potential in eml.potentials()] == ["argon"]
    with pytest.raises(InputError, match=r"argo: no such file; did you mean 'argon'"):
        eml.load("argo")
    with pytest.raises(InputError, match=r"water: no such file$"):
        eml.load("water")


def test_a_training_set_has_the_name_of_its_potential(folder):
    with pytest.raises(InputError, match="argon: the training set of this potential does not come with the package"):
        training_set_file("argon")
    (folder / "training_set.extxyz.xz").write_bytes(b"")
    about = folder / ABOUT
    about.write_text(about.read_text() + 'training_set = "training_set.extxyz.xz"\n')
    assert training_set_file("argon") == folder / "training_set.extxyz.xz"
    assert str(training_set_file("set.xyz")) == "set.xyz"  # of no potential: a file, present or not


def test_a_file_comes_before_a_name(folder, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    MomentTensorPotential.random(4, ("Kr",)).save(tmp_path / "x.mtp")
    (tmp_path / "x.mtp").rename(tmp_path / "krypton")
    assert load("krypton").species == ("Kr",)


def test_an_incomplete_description_is_an_error(folder):
    text = (folder / ABOUT).read_text()
    (folder / ABOUT).write_text(text.replace("limits", "limit"))
    with pytest.raises(InputError, match=r"about\.toml: unknown key 'limit'; did you mean 'limits'"):
        shipped_potentials()


@pytest.mark.parametrize("seed", [1, 3])
@pytest.mark.parametrize("name", ["lipf6-ec-emc", "lipf6-ec-emc-qrd"])
def test_a_start_with_two_lithium_ions_in_contact_runs_after_relaxation(name, seed):
    """`lipf6-ec-emc-qrd` lets two Li at this distance collapse; relaxation moves them apart first."""
    box = pack({"EC": 8, "LiPF6": 2}, 1.1, seed=seed)
    first, second = np.flatnonzero(box.symbols == "Li")
    others = np.setdiff1d(np.arange(len(box)), [first, second])
    free = 0.0
    for direction in np.random.default_rng(seed).normal(size=(400, 3)):  # where most space is
        moved = box.copy()
        moved.positions[second] = box.positions[first] + 2.2 * direction / np.linalg.norm(direction)
        nearest = moved.get_distances(second, others, mic=True).min()
        if nearest > free:
            free, start = nearest, moved
    monitors = [MoleculeMonitor(box)]
    run = run_md(start, load(name), ensemble="nvt", time_ps=0.2, relax=50, seed=seed, monitors=monitors, progress=False)
    assert run.completed, run.detail
