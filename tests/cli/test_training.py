"""The commands `train` and `evaluate`."""

import json

import numpy as np
import pytest
from ase.calculators.singlepoint import SinglePointCalculator

from electrolyte_ml.cli import main
from electrolyte_ml.potentials import MomentTensorPotential, Sum, load
from electrolyte_ml.potentials.charges import QRd, qrd
from electrolyte_ml.structures import pack, read_configurations, write_configurations


def test_train_then_evaluate(run, tmp_path, labelled):
    path = tmp_path / "trained.mtp"
    printed = run("train", labelled, "--level", 4, "--max-iterations", 20, "-o", path)
    assert "77 parameters" in printed
    errors = json.loads(run("evaluate", path, labelled, "--json"))
    assert {"energy_rmse", "energy_mae", "force_rmse", "force_mae"} <= errors.keys()
    table = run("evaluate", path, labelled)
    assert f"{errors['force_rmse']:.4f}" in table
    forces = np.concatenate([atoms.get_forces().ravel() for atoms in read_configurations(labelled)])
    assert errors["force_rmse"] < forces.std()


def test_named_labels_are_used(run, tmp_path, labelled):
    renamed = tmp_path / "renamed.xyz"
    renamed.write_text(labelled.read_text().replace(" energy=", " energy_a=").replace(":forces:", ":forces_a:"))
    path = tmp_path / "trained.mtp"
    keys = ("--energy-key", "energy_a", "--forces-key", "forces_a")
    run("train", renamed, *keys, "--level", 2, "--max-iterations", 2, "-o", path)
    named = json.loads(run("evaluate", path, renamed, *keys, "--json"))
    plain = json.loads(run("evaluate", path, labelled, "--json"))
    assert named["force_rmse"] == pytest.approx(plain["force_rmse"])


def test_cfg_is_as_good_as_xyz(run, tmp_path, labelled, potential):
    cfg = tmp_path / "labelled.cfg"
    write_configurations(cfg, read_configurations(labelled), species=("H", "C", "O"))
    text = json.loads(run("evaluate", potential, labelled, "--json"))
    mlip = json.loads(run("evaluate", potential, cfg, "--json"))
    assert mlip["force_rmse"] == pytest.approx(text["force_rmse"], abs=1e-6)


def test_several_starts(run, tmp_path, labelled):
    """The same as the best of them, and another potential than from the first."""
    paths = [tmp_path / f"{starts}.mtp" for starts in (1, 3)]
    for starts, path in zip((1, 3), paths, strict=True):
        run("train", labelled, "--level", 4, "--max-iterations", 20, "--starts", starts, "-o", path)
    errors = [json.loads(run("evaluate", path, labelled, "--json"))["force_rmse"] for path in paths]
    assert errors[1] < errors[0]


def test_charges_in_training(run, tmp_path, labelled, capsys):
    """Their form is chosen, their composition kept, another one warned of once in one line, and a pole is told."""
    path, other = tmp_path / "trained.pot", tmp_path / "other.xyz"
    qrd._warned.clear()
    options = ("--level", 2, "--max-iterations", 5, "--charges", "qrd", "--charge-form", "raw")
    restraint = ("--charge-restraint", "O=-0.5", "H=0.1", "--charge-restraint-weight", 50)
    run("train", labelled, *options, *restraint, "-o", path)
    model = load(path).terms[1]
    assert (model.form, model.compositions) == ("raw", ("C3H4O3",))
    assert model.type_charges({"H": 4, "C": 3, "O": 3})["O"] == pytest.approx(-0.5, abs=0.1)
    configurations = [pack({"EMC": 1}, 0.8, seed=seed) for seed in range(2)]
    for atoms in configurations:
        atoms.calc = SinglePointCalculator(atoms, energy=0.0, forces=np.zeros((15, 3)))
    write_configurations(other, configurations)
    assert main(["evaluate", str(path), str(other)]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith(
        "warning: charges at C4H8O3 were not fixed by the training set (it fixes 2 of 4 directions)"
    )


def test_a_fit_of_raw_weights_says_that_there_is_a_pole(run, tmp_path, labelled, capsys):
    path = tmp_path / "raw.pot"
    start = Sum((MomentTensorPotential.random(2, ("H", "C", "O")), QRd(("H", "C", "O"), [0.1] * 3, [1, -2, 1], "raw")))
    start.save(path)
    words = ["train", labelled, "--start", path, "--method", "paper", "--max-iterations", 2, "-o", tmp_path / "out.pot"]
    assert main([str(word) for word in words]) == 0
    assert capsys.readouterr().err.splitlines()[-1].startswith("warning: the charges have a pole at some compositions")


def test_a_correction_on_top_of_a_potential(run, tmp_path, labelled, potential, capsys):
    """Fitted from the labels of another reference, saved as one file, read by the other commands."""
    base, path, data = tmp_path / "base.mtp", tmp_path / "both.pot", tmp_path / "better.xyz"
    load(potential).with_reference("GFN1-xTB").save(base)
    better = load(potential)
    better = better.with_parameters(1.02 * better.parameters)
    configurations = read_configurations(labelled)
    for atoms in configurations:
        result = better.evaluate(atoms)
        atoms.calc = SinglePointCalculator(atoms, energy=result.energy - 321.0, forces=result.forces)
        atoms.info["reference"] = "PBE-D3(0)"
    write_configurations(data, configurations)
    options = ("--level", 2, "--cutoff", 4, "--radial-basis-size", 3, "--max-iterations", 20)
    printed = run("train", data, "--on-top-of", base, *options, "-o", path)
    both = load(path)
    assert f"{both.n_parameters} parameters" in printed and both.terms[1].cutoff == 4.0
    assert np.array_equal(both.terms[0].base.parameters, load(base).parameters)
    errors = [json.loads(run("evaluate", file, data, "--json")) for file in (base, path)]
    assert errors[1]["force_rmse"] < errors[0]["force_rmse"] and errors[1]["energy_rmse"] < 1
    table = run("info", path)
    assert "PBE-D3(0), as a correction to GFN1-xTB" in table and table.count("GFN1-xTB") > 1
    # A fit goes on from it; the base cannot be named again.
    words = ["train", data, "--start", path, "--max-iterations", 2, "-o", path]
    run(*words)
    assert main([str(word) for word in [*words, "--on-top-of", base]]) == 1
    assert "--on-top-of needs a random start, without --start" in capsys.readouterr().err
    words = ["train", data, "--species", "H", "C", "O", "Li", "--on-top-of", base, "-o", path]
    assert main([str(word) for word in words]) == 1
    assert "base.mtp has the species H C O: it cannot be corrected for Li" in capsys.readouterr().err


def test_a_weight_of_stresses_that_are_not_read_is_refused(run_fails, tmp_path, labelled):
    text = labelled.read_text().replace(" stress=", " virial=").replace(" energy=", " E=")
    path = tmp_path / "named.xyz"
    path.write_text(text)
    words = ("train", path, "--energy-key", "E", "--forces-key", "forces", "--stress-weight", 0.01, "-o", "pot.mtp")
    assert "--stress-weight 0.01 has no effect: no stress was read; is it 'virial' (--stress-key)?" in run_fails(*words)


def test_training_starts_from_an_untrained_template(run, tmp_path, labelled, potential, untrained):
    template, path = tmp_path / "untrained.mtp", tmp_path / "trained.mtp"
    template.write_text(untrained(potential.read_text()))
    printed = run("train", labelled, "--start", template, "--max-iterations", 5, "-o", path)
    assert "77 parameters" in printed and load(path).n_parameters == 77


@pytest.mark.parametrize("option", [("--level", 6), ("--cutoff", 4), ("--min-distance", 1), ("--radial-basis-size", 6)])
def test_a_start_has_a_model_of_its_own(run_fails, tmp_path, labelled, potential, option):
    words = ("train", labelled, "--start", potential, *option, "--max-iterations", 1, "-o", tmp_path / "p.mtp")
    assert f"{option[0]} is fixed by --start" in run_fails(*words)
