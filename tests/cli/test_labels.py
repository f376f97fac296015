"""The command `label`."""

from electrolyte_ml.structures import read_configurations


def test_label_computes_once_and_then_reuses(run, tmp_path, box):
    words = ("label", box, "--reference", "lj", "--store", tmp_path / "store", "-o", tmp_path / "out.xyz")
    assert "1 computed, 0 reused" in run(*words)
    assert "0 computed, 1 reused" in run(*words)
    (atoms,) = read_configurations(tmp_path / "out.xyz", labelled=True)
    assert atoms.get_forces().shape == (20, 3)
