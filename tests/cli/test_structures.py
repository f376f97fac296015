"""The command `box`."""

import pytest

from electrolyte_ml.structures import read_configurations


def test_box_has_the_molecules_and_density_asked_for(run, tmp_path):
    path = tmp_path / "box.xyz"
    run("box", "EC=3", "EMC=1", "--density", 1.1, "-o", path)
    (atoms,) = read_configurations(path)
    assert len(atoms) == 3 * 10 + 15
    assert atoms.get_masses().sum() / atoms.get_volume() * 1.66053907 == pytest.approx(1.1, rel=1e-6)
