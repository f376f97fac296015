"""The commands `train` and `evaluate`."""

import json

import numpy as np
import pytest

from electrolyte_ml.structures import read_configurations, write_configurations


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
