"""The commands `evaluate` with its tables and figures, `suggest` and `status`."""

import json

import pytest

from electrolyte_ml import load
from electrolyte_ml.active_learning import ActiveSet
from electrolyte_ml.cli import main
from electrolyte_ml.structures import read_configurations


def test_sites_as_text_and_as_json(run, potential, labelled):
    text = run("evaluate", potential, labelled, "--sites")
    assert "by site" in text and "carbonyl C" in text
    groups = json.loads(run("evaluate", potential, labelled, "--sites", "--json"))["groups"]
    assert groups["molecules"] == {"EC": 6} and groups["unrecognised"] == {}
    assert {row["name"]: row["atoms"] for row in groups["sites"]} == {
        "CH2": 12, "H of CH2": 24, "carbonyl C": 6, "carbonyl O": 6, "ether O": 12,
    }  # fmt: skip
    assert all(row["rmse"] < 1e-6 for row in groups["sites"])  # the potential labelled them itself


def test_figures_in_a_folder_and_by_name(run, tmp_path, potential, labelled):
    run("evaluate", potential, labelled, "--figure", tmp_path / "charts")
    assert sorted(path.name for path in (tmp_path / "charts").iterdir()) == ["parity.png", "sites.png"]
    printed = run("evaluate", potential, labelled, "--figure", tmp_path / "errors.png", "--train", labelled)
    for name in ("errors.png", "errors_sites.png", "errors_grades.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
        assert f"Figure: {tmp_path / name}" in printed


def test_an_active_set_beside_the_potential_is_used_if_it_is_its_own(run, tmp_path, potential, labelled, capsys):
    configurations = read_configurations(labelled)
    ActiveSet.build(load(potential), configurations, "neighbourhood").save(tmp_path / "active_set.npz")
    run("evaluate", potential, labelled, "--figure", tmp_path / "first")
    assert (tmp_path / "first" / "grades.png").exists()
    other = tmp_path / "other.mtp"
    run("new", "--level", 4, "--species", "H", "C", "O", "--seed", 9, "-o", other)
    assert main(["evaluate", str(other), str(labelled), "--figure", str(tmp_path / "second")]) == 0
    assert "no grades are drawn" in capsys.readouterr().err
    assert not (tmp_path / "second" / "grades.png").exists()


@pytest.mark.parametrize(
    "options, message",
    [
        (["--train", "x.xyz"], "--figure"),
        (["--molecule", "A=C"], "--sites or --figure"),
        (["--figure", "errors.gif"], "folder or a PNG"),
    ],
)
def test_options_without_effect_are_refused(potential, labelled, capsys, options, message):
    assert main(["evaluate", str(potential), str(labelled), *options]) == 1
    assert message in capsys.readouterr().err


def test_suggest_prints_draws_and_goes_on(run, tmp_path, potential, labelled, monkeypatch):
    doubled = tmp_path / "doubled.xyz"
    frames = read_configurations(labelled)
    doubled.write_text(labelled.read_text() + _mirrored(labelled, len(frames)))
    monkeypatch.chdir(tmp_path)
    options = ("--levels", 2, "--splits", 1, "--max-iterations", 3, "--jobs", 1, "--figure", "curve.png")
    printed = run("suggest", doubled, *options)
    assert "groups of related configurations" in printed and "Suggested:" in printed
    assert (tmp_path / "curve.png").exists()
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "doubled_suggest").glob("*.json")}
    assert kept
    found = json.loads(run("suggest", doubled, *options, "--json"))
    assert found["configurations"] == 12
    assert kept == {path: path.stat().st_mtime_ns for path in (tmp_path / "doubled_suggest").glob("*.json")}


def _mirrored(path, count):
    """The same frames as mirror images: other configurations with the same labels, up to the signs of x."""
    from io import StringIO

    from ase.calculators.singlepoint import SinglePointCalculator
    from ase.io.extxyz import write_extxyz

    text = StringIO()
    for atoms in read_configurations(path)[:count]:
        forces = atoms.get_forces() * [-1, 1, 1]
        energy = atoms.get_potential_energy()
        other = atoms.copy()
        other.positions *= [-1, 1, 1]
        other.positions += [3.0, 0.0, 0.0]
        other.calc = SinglePointCalculator(other, energy=energy, forces=forces)
        write_extxyz(text, other)
    return text.getvalue()


def test_suggest_refuses_what_makes_no_model(labelled, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["suggest", str(labelled), "--levels", "7"]) == 1
    assert "--levels" in capsys.readouterr().err
    assert main(["suggest", str(labelled), "--levels", "2"]) == 1
    assert "too few" in capsys.readouterr().err  # six configurations


def test_status_of_no_run(tmp_path, capsys):
    assert main(["status", str(tmp_path)]) == 1
    assert "holds no run of active learning" in capsys.readouterr().err
