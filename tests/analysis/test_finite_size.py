"""The constant of the finite-size correction: known lattices, shapes from the literature, and invariances."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from electrolyte_ml.analysis.finite_size import lattice_constant
from electrolyte_ml.errors import InputError

CUBE = 2.837297


def test_known_lattices():
    """Madelung constants of point charges in a background: simple, body-centred and face-centred cubic."""
    edge = 17.3
    assert lattice_constant(edge * np.eye(3)) * edge == pytest.approx(2.8372974795, abs=1e-8)
    bcc = edge / 2 * np.array([[-1.0, 1, 1], [1, -1, 1], [1, 1, -1]])
    fcc = edge / 2 * np.array([[0.0, 1, 1], [1, 0, 1], [1, 1, 0]])
    # In units of the radius of the sphere of the same volume: 1.791860 / 2 and 1.791753 / 2 of the energy -alpha e²/r
    for cell, alpha in ((bcc, 1.79185851), (fcc, 1.79174723)):
        radius = (3 * abs(np.linalg.det(cell)) / (4 * np.pi)) ** (1 / 3)
        assert lattice_constant(cell) * radius == pytest.approx(alpha, abs=2e-7)


@pytest.mark.parametrize(("ratio", "share"), [(2, 0.80), (3, 0.39), (4, -0.16)])
def test_long_cells_need_less_and_then_the_opposite_correction(ratio, share):
    cell = np.diag([12.0, 12.0, 12.0 * ratio])
    cube = CUBE / np.linalg.det(cell) ** (1 / 3)
    assert lattice_constant(cell) / cube == pytest.approx(share, abs=0.005)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_it_belongs_to_the_lattice_and_not_to_its_vectors(seed):
    rng = np.random.default_rng(seed)
    cell = 15.0 * (np.eye(3) + 0.15 * rng.uniform(-1, 1, (3, 3)))
    rotation = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    found = lattice_constant(cell)
    assert lattice_constant(cell @ rotation) == pytest.approx(found, rel=1e-8)
    assert lattice_constant(2.0 * cell) == pytest.approx(found / 2, rel=1e-8)
    sheared = np.array([[1, 1, 0], [0, 1, 0], [0, -1, 1]]) @ cell
    assert lattice_constant(sheared) == pytest.approx(found, rel=1e-7)


def test_a_cell_without_volume_is_refused():
    with pytest.raises(InputError, match="a cell with a volume"):
        lattice_constant(np.zeros((3, 3)))
