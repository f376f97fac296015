"""The command `label`."""

import json

from electrolyte_ml.cli import main
from electrolyte_ml.structures import read_configurations


def test_label_computes_once_and_then_reuses(run, tmp_path, box):
    words = ("label", box, "--reference", "lj", "--store", tmp_path / "store", "-o", tmp_path / "out.xyz")
    assert "1 computed, 0 reused" in run(*words)
    assert "0 computed, 1 reused" in run(*words)
    (atoms,) = read_configurations(tmp_path / "out.xyz", labelled=True)
    assert atoms.get_forces().shape == (20, 3)


def test_settings_go_to_the_reference(run, tmp_path, box):
    run("label", box, "--reference", "lj", "--set", "sigma=1", "rc=6.5", "smooth=true", "--store", tmp_path / "store")
    (entry,) = (tmp_path / "store").glob("*/*.json")
    settings = json.loads(entry.read_text().splitlines()[0])["settings"]
    assert (settings["sigma"], settings["rc"], settings["smooth"]) == (1, 6.5, True)


def test_limits_and_cost_are_said_before_and_the_net_force_after(tmp_path, box, capsys):
    words = ["label", str(box), "--store", str(tmp_path / "store"), "-o", str(tmp_path / "out.xyz")]
    assert main(words) == 0
    output, errors = capsys.readouterr()
    assert "GFN1-xTB: molecules and 3D-periodic cells; charged molecules, neutral cells; H to Rn; " in errors
    assert "; 1 label to compute, about 0.2 s on one core" in errors
    assert errors.index("to compute") < errors.index("1/1")
    (line,) = [line for line in output.splitlines() if "sum of the forces" in line]
    assert float(line.split()[-2]) < 1e-3
