"""The commands `benchmark` and `warmup`."""

import json

import pytest


@pytest.mark.slow
def test_benchmark_times_every_task_and_writes_json(run, tmp_path):
    path = tmp_path / "benchmark.json"
    words = ("benchmark", "--levels", 4, "--atoms", 40, "--repeats", 2, "-o", path)
    table = run(*words)
    result = json.loads(path.read_text())
    ours = [row for row in result["rows"] if row["code"].startswith("electrolyte_ml")]
    tasks = {"energy, forces, stress", "loss and gradient", "MaxVol row", "NPT step", "neighbour list"}
    assert {row["task"] for row in ours} == tasks
    for row in result["rows"]:
        assert ("peak_share" in row) == (row["code"] == "kernel alone" and row["task"] != "NPT step")
        assert ("outside" in row) == (row["task"] == "NPT step" and row["code"] != "kernel alone")
    for row in result["rows"]:
        assert 0 < row["low"] <= row["median"] <= row["high"]
        assert row["code"] in table


@pytest.mark.slow
def test_warmup_says_what_it_does(run):
    assert "Compiling" in run("warmup")
