"""The commands `suggest` and `status`."""

import json

from electrolyte_ml.cli import main
from electrolyte_ml.structures import read_configurations


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
