"""The command produce, and the commands that read its folder."""

import json

import pytest

from electrolyte_ml.cli import main
from electrolyte_ml.production import ProductionSettings

SETTINGS = """
composition = "PC=2 NaPF6=1"
density = 1.1
jobs = 1
[equilibration]
annealing = []
time_ps = 0.06
average_last_ps = 0.05
[trajectories]
count = 2
time_ps = 0.3
settling_ps = 0
frame_interval_ps = 0.1
"""


@pytest.fixture(scope="module")
def folder(root, tmp_path_factory):
    directory = tmp_path_factory.mktemp("cli") / "run"
    directory.mkdir()
    (directory / "settings.toml").write_text(f'potential = "{root / "data" / "pc_napf6.pot"}"\n{SETTINGS}')
    assert main(["produce", str(directory)]) == 0
    return directory


def test_results_are_printed_as_text_and_as_json(folder, run, capsys):
    text = run("produce", folder)
    assert "300 K: 2 of 2 runs completed" in text and "einstein-helfand" in text and "no grades" in text
    printed = json.loads(run("produce", folder, "--json"))
    (condition,) = printed["conditions"]
    assert condition["production"]["completed"] == 2 and condition["trusted"] is None
    assert condition["result"]["conductivity"]["einstein-helfand"]["trajectories"] == 2


def test_conductivity_and_solvation_read_the_folder(folder, run):
    printed = json.loads(run("produce", folder, "--json"))["conditions"][0]["result"]
    for place in (folder, folder / "300K"):
        found = json.loads(run("conductivity", place, "--temperature", 300, "--json"))
        assert found == printed
    runs = sorted((folder / "300K").glob("trajectory_*"))
    assert json.loads(run("conductivity", *runs, "--temperature", 300, "--json")) == printed
    assert "8 frames" in run("solvation", folder, "--cutoff", "PC=2.8", "PF6=2.8")
    one = run("conductivity", runs[0], "--temperature", 300, "--begin", 1, "--method", "einstein-helfand")
    assert "1 x 0.29 ps of 1 Na, 1 PF6" in one


def test_multiple_steps_are_an_option(tmp_path, run, monkeypatch):
    """The plan counts fewer steps, all of the same time here."""
    monkeypatch.setattr("electrolyte_ml.production.cost.seconds_per_step", lambda *_: 0.01)
    words = ("produce", tmp_path / "run", "--potential", "lipf6-ec-emc", "--composition", "EC=2 LiPF6=1")
    options = (), ("--multiple-steps", "--timestep", 2), ("--multiple-steps",)
    single, shorter, multiple = (run(*words, "--density", 1.1, *more, "--plan") for more in options)

    def hours(text):
        value, unit = text.split("about ")[1].split()[:2]
        return float(value) * {"h": 1, "min": 1 / 60}[unit]

    steps = [3.05 / dt + 10 / step for dt, step in ((2, 1), (3, 2), (3, 3))]  # equilibration of 3.05 ns, trajectories
    assert hours(shorter) / hours(single) == pytest.approx(steps[1] / steps[0], rel=0.05)
    assert hours(multiple) / hours(single) == pytest.approx(steps[2] / steps[0], rel=0.05)


def test_another_temperature_is_refused_with_those_there_are(folder, capsys):
    assert main(["conductivity", str(folder), "--temperature", "310"]) == 1
    assert "with the temperatures 300K: none is at 310 K" in capsys.readouterr().err


def test_options_make_the_settings_of_a_new_folder(root, tmp_path, run):
    options = ["--potential", root / "data" / "pc_napf6.pot", "--composition", "PC=2 NaPF6=1", "--density", "1.1"]
    options += ["--trajectories", 4, "--time", 20, "--equilibration", 2, "--temperature", 300, 310, "-j", 2]
    text = run("produce", tmp_path / "new", *options, "--plan")
    assert "0.16 ns of production" in text and "with 2 at once" in text and "ms a step" in text
    assert not (tmp_path / "new").exists()


def test_options_replace_the_settings_of_the_file(folder, run, capsys):
    before = ProductionSettings.from_toml(folder / "settings.toml")
    text = run("produce", folder, "--time", "0.6", "--plan")  # of 2 x (30 + 600) steps 2 x (30 + 300) are done
    assert "0.0012 ns of production, 52% of it done" in text
    assert ProductionSettings.from_toml(folder / "settings.toml") == before
    assert main(["produce", str(folder), "--seed", "7"]) == 1
    assert "begun with other settings (seed)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "settings.toml does not exist"),
        (["--density", "1.1"], "--potential must be given"),
        (["--potential", "POT", "--composition", "PC=2"], "must be given with --composition"),
        (["--potential", "POT", "--composition", "PC=2", "--density", "1"], "none of PC is charged"),
        (["--potential", "no.mtp", "--composition", "PC=2 NaPF6=1", "--density", "1"], "no.mtp"),
        (["--potential", "POT", "--composition", "PC=2 NaPF6=1", "--density", "1", "--time", "0.001"], "--time"),
        (
            ["--potential", "POT", "--composition", "PC=2 NaPF6=1", "--density", "1", "--fixed-density", "1", "2"],
            "error: --fixed-density = [1.0, 2.0]: must be one value in g/cm³, or one for each of 1 --temperature",
        ),
        (
            ["--potential", "POT", "--composition", "PC=2 NaPF6=1", "--density", "1", "--equilibration", "0.01"],
            "error: --time or --equilibration = 0.01: shorter than 20 time steps",
        ),
    ],
)
def test_bad_settings_are_one_line(root, tmp_path, capsys, options, message):
    options = [str(root / "data" / "pc_napf6.pot") if word == "POT" else word for word in options]
    assert main(["produce", str(tmp_path / "run"), *options]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1 and message in error
    assert not (tmp_path / "run").exists()
