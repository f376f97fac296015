"""`active-learn` and `mix` on cells of a few small molecules."""

import pytest

from electrolyte_ml.active_learning import ActiveLearningSettings
from electrolyte_ml.cli import main
from electrolyte_ml.errors import InputError

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
    assert main(words) in (0, 3)
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


@pytest.mark.parametrize(
    ("lines", "wish"),
    [
        ('[reference]\nname = "command:/bin/true {input} {output}"\n', "run the program '/bin/true {input} {output}'"),
        ('[reference]\nname = "cp2k-pbe-d3"\nsettings = {program = "./mine"}\n', "run the program './mine'"),
        ('[reference]\nname = "espresso"\nsettings = {command = "./mine"}\n', "'espresso', command = './mine'"),
        ('labels = "../elsewhere"\n', "write labels to "),
    ],
)
def test_a_strangers_settings_neither_run_a_program_nor_write_elsewhere_unasked(
    lines, wish, tmp_path, run_fails, capsys, monkeypatch
):
    folder = tmp_path / "run"
    folder.mkdir()
    settings = SETTINGS.format(name="H2O")
    (folder / "settings.toml").write_text(lines + settings if lines.startswith("labels") else settings + lines)
    error = run_fails("active-learn", folder)
    assert wish in error and "--trust" in error
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda _: "n")
    assert "nothing was run or written" in run_fails("active-learn", folder)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]
    assert [path.name for path in folder.iterdir()] == ["settings.toml"]


def test_mix_follows_a_strangers_reference_only_if_trusted(tmp_path, run_fails, monkeypatch):
    """The reference of the first run labels the mixtures, too."""
    begun = tmp_path / "H2O" / "iteration_000"
    begun.mkdir(parents=True)
    command = '[reference]\nname = "command:/bin/true {input} {output}"\n'
    (begun / "settings.toml").write_text(SETTINGS.format(name="H2O") + command)
    words = ["mix", begun.parent, "--between", "H2O=4", "AN=2", "--densities", 0.9, 0.7]
    words += ["--compositions", 3, "-o", tmp_path / "mixture"]
    error = run_fails(*words)
    assert "run the program '/bin/true {input} {output}'" in error and "--trust" in error
    assert not (tmp_path / "mixture").exists()

    def learn(directory, settings):
        raise InputError(f"stand-in of {settings.reference.name}")

    monkeypatch.setattr("electrolyte_ml.active_learning.active_learn", learn)
    assert "stand-in of command:/bin/true" in run_fails(*words, "--trust")


def test_a_trusted_run_goes_on(tmp_path, monkeypatch, capsys):
    called = []
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "settings.toml").write_text('labels = "../elsewhere"\n' + SETTINGS.format(name="H2O"))

    def learn(directory):
        called.append(directory)
        raise InputError("stand-in")

    monkeypatch.setattr("electrolyte_ml.active_learning.active_learn", learn)
    assert main(["active-learn", str(folder), "--trust"]) == 1
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda _: "y")
    assert main(["active-learn", str(folder)]) == 1
    assert called == [folder, folder]


def test_the_defaults_are_settings_that_can_be_read(run, tmp_path, run_fails):
    text = run("active-learn", "--defaults")
    (tmp_path / "settings.toml").write_text(text)
    settings = ActiveLearningSettings.from_toml(tmp_path / "settings.toml")
    assert settings == ActiveLearningSettings(composition="EC=8", density=(1.15, 1.25, 1.35))
    assert "[exploration]" in text and "longest_fs = 40.0" in text
    assert "--defaults" in run_fails("active-learn")
