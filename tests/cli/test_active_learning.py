"""`active-learn` and `mix` on cells of a few small molecules."""

import pytest

from electrolyte_ml.cli import main

SETTINGS = """
composition = "{name}=2"
density = 0.8
jobs = 1
[model]
level = 2
[seeding]
trajectories = 2
time_ps = 0.004
[exploration]
trajectories = 2
time_ps = 0.01
[fit]
iterations = 20
refit_iterations = 5
[stopping]
max_iterations = 1
quiet_iterations = 1
"""


@pytest.fixture
def runs(tmp_path):
    """Runs of water and of acetonitrile that have hardly begun to learn."""
    for name in ("H2O", "AN"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "settings.toml").write_text(SETTINGS.format(name=name))
        main(["active-learn", str(tmp_path / name)])
    return tmp_path / "H2O", tmp_path / "AN"


@pytest.mark.slow
def test_mix_learns_from_runs_and_says_where_the_set_comes_from(runs, tmp_path, capsys):
    water, nitrile = map(str, runs)
    words = ["mix", water, nitrile, "--between", "H2O=4", "AN=2", "--densities", "0.9", "0.7", "--compositions", "3"]
    words += ["--uniform", "2", "-o", str(tmp_path / "mixture")]
    capsys.readouterr()
    assert main(words) in (0, 1)
    said = capsys.readouterr().out
    settings = (tmp_path / "mixture" / "settings.toml").read_text()
    assert 'composition = ["H2O=4", "H2O=2 AN=1", "AN=2"]' in settings
    assert "uniform_configurations = 2" in settings
    assert "AN: " in said and "H2O: " in said and "Potential: " in said
    assert (tmp_path / "mixture" / "potential.mtp").exists()


def test_mix_says_what_is_missing(tmp_path, capsys):
    words = f"mix {tmp_path} --between EC=16 EMC=8 --densities 1.3 1.0 -o {tmp_path / 'm'}".split()
    assert main(words) == 1
    assert f"{tmp_path} holds no run of active learning" in capsys.readouterr().err
    assert not (tmp_path / "m").exists()
    words[words.index("EC=16")] = "ECC=16"
    assert main(words) == 1
    assert "ECC" in capsys.readouterr().err
