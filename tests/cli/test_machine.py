"""The commands `benchmark` and `warmup`."""

import json

import pytest

from electrolyte_ml.cli import main


@pytest.mark.slow
def test_benchmark_times_every_task_and_writes_json(run, tmp_path):
    path = tmp_path / "benchmark.json"
    words = ("benchmark", "--levels", 4, "--atoms", 40, "--charges", "qrd", "--repeats", 2, "-o", path)
    table = run(*words)
    result = json.loads(path.read_text())
    ours = [row for row in result["rows"] if row["code"].startswith("electrolyte_ml")]
    tasks = {"energy, forces, stress", "loss and gradient", "MaxVol row", "NPT step", "neighbour list", "Coulomb sum"}
    assert {row["task"] for row in ours} == tasks
    for row in result["rows"]:
        forces = row["task"] == "energy, forces, stress"
        assert ("peak_share" in row) == (row["code"] == "kernel alone" and forces)
        assert ("outside" in row) == (row["task"] == "NPT step" and row["code"].startswith("electrolyte_ml"))
        assert ("error" in row) == (row["task"] == "Coulomb sum")
        assert ("ratio" in row) == (row["code"] == "with qrd" or row["code"].startswith("3 fs"))
    steps = {row["code"]: row.get("baseline") for row in result["rows"] if row["task"] == "1 fs of NVT"}
    assert steps == {f"{step}{model}": f"1 fs{model}" if step != "1 fs" else None
                     for step in ("1 fs", "3 fs/3") for model in ("", ", with qrd")}  # fmt: skip
    charged = {row["task"] for row in result["rows"] if row["code"] == "with qrd"}
    assert charged == {"energy, forces, stress", "loss and gradient", "NPT step"}
    for row in result["rows"]:
        assert 0 < row["low"] <= row["median"] <= row["high"]
        assert row["code"] in table


@pytest.mark.slow
def test_warmup_says_what_it_does(run):
    assert "Compiling" in run("warmup")


def test_an_unknown_model_of_charges_is_refused(capsys):
    assert main(["benchmark", "--charges", "qdr"]) != 0
    assert "charges = 'qdr': unknown kind of potential 'qdr'" in capsys.readouterr().err


def test_a_plan_is_printed_without_a_run(run):
    printed = run("reproduce", "--plan", "--scale", "paper")
    assert "mixtures, densities" in printed and "of one core" in printed
