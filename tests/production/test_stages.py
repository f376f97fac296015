"""Parts of the equilibration: steps of temperature, and a configuration at another volume."""

import numpy as np
import pytest

from electrolyte_ml.production.ramps import Ramp, ramps
from electrolyte_ml.production.stages import at_volume
from electrolyte_ml.structures import pack
from electrolyte_ml.structures.topology import Topology


def test_cycle_of_the_paper_goes_in_steps_of_ten_kelvin():
    cycle = [(300.0, 300.0, 1000.0), (300.0, 380.0, 1000.0), (380.0, 380.0, 1000.0), (380.0, 300.0, 1000.0)]
    runs = ramps(cycle)
    assert runs[0] == Ramp(300.0, 1000.0)
    assert [run.temperature for run in runs[1:9]] == [305.0, 315.0, 325.0, 335.0, 345.0, 355.0, 365.0, 375.0]
    assert {run.time_ps for run in runs[1:9]} == {125.0}
    assert runs[9] == Ramp(380.0, 1000.0)
    assert [run.temperature for run in runs[10:]] == [375.0, 365.0, 355.0, 345.0, 335.0, 325.0, 315.0, 305.0]
    assert sum(run.time_ps for run in runs) == pytest.approx(4000.0)


@pytest.mark.parametrize("wrapped", [False, True])
def test_molecules_keep_their_shape_at_another_volume(wrapped):
    box = pack({"EC": 3, "LiPF6": 1}, 1.1)
    masses, before = box.get_masses(), box.copy()
    if wrapped:
        box.wrap()
    scaled = at_volume(box, 1.1 * box.cell.volume)
    assert scaled.cell.volume == pytest.approx(1.1 * box.cell.volume)
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
