"""Configurations at another volume: rigid molecules whose centres of mass are scaled."""

import numpy as np
import pytest
from ase import Atoms

from electrolyte_ml.errors import InputError
from electrolyte_ml.structures import Topology, at_density, at_volume, density, pack


@pytest.mark.parametrize("wrapped", [False, True])
def test_molecules_keep_their_shape_at_another_volume(wrapped):
    box = pack({"EC": 3, "LiPF6": 1}, 1.1)
    masses, before = box.get_masses(), box.copy()
    if wrapped:
        box.wrap()
    scaled = at_volume(box, 1.1 * box.cell.volume)
    assert scaled.cell.volume == pytest.approx(1.1 * box.cell.volume)
    assert density(at_density(box, 1.3)) == pytest.approx(1.3)
    topology = Topology.of(before)
    factor = 1.1 ** (1 / 3)
    for label in range(len(topology.formulas)):
        atoms = np.flatnonzero(topology.labels == label)
        for i in atoms:
            for j in atoms:
                distance = scaled.get_distance(i, j, mic=True)
                assert distance == pytest.approx(before.get_distance(i, j, mic=True), abs=1e-9)
    centres = [
        np.average(topology.unwrapped[topology.labels == label], axis=0, weights=masses[topology.labels == label])
        for label in range(len(topology.formulas))
    ]
    after = Topology.of(scaled)
    for label, centre in enumerate(centres):
        atoms = after.labels == label
        moved = np.average(after.unwrapped[atoms], axis=0, weights=masses[atoms]) - factor * centre
        images = moved @ np.linalg.inv(scaled.cell.array)
        np.testing.assert_allclose(images, np.rint(images), atol=1e-9)


def test_a_chain_through_the_cell_is_refused():
    chain = Atoms("C2", [[0.0, 0.0, 0.0], [1.5, 0.0, 0.0]], cell=[3.0, 9.0, 9.0], pbc=True)
    with pytest.raises(InputError, match="bonded to its own image"):
        at_volume(chain, 300.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda box: at_density(box, 0.0), "density must be"),
        (lambda box: at_volume(box, -1.0), "volume must be"),
        (lambda box: at_volume(box, float("nan")), "volume must be"),
        (lambda box: at_density(Atoms(box, pbc=False), 1.0), "periodic in three directions"),
    ],
)
def test_impossible_volumes_are_refused(change, message):
    with pytest.raises(InputError, match=message):
        change(pack({"EC": 1}, 1.0))
