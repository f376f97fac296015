"""GROMACS files whose frames do not all hold positions and velocities."""

import struct

import numpy as np
import pytest
from ase.io import write

from electrolyte_ml.analysis import analyse_solvation, measure_conductivity
from electrolyte_ml.errors import InputError
from electrolyte_ml.trajectories import open_trajectory, read_ions


def frame_bytes(step, time, cell, positions=None, velocities=None):
    """One frame of a .trr, single precision, with or without positions and velocities."""
    blocks = [
        b"" if values is None else np.asarray(values / 10.0, ">f4").tobytes() for values in (positions, velocities)
    ]
    n = len(positions if velocities is None else velocities)
    head = struct.pack(
        ">3i12s13i2f", 1993, 13, 12, b"GMX_trn_file", 0, 0, 36, 0, 0, 0, 0, *map(len, blocks), 0, n, step, 0, time, 0.0
    )
    return head + np.asarray(cell / 10.0, ">f4").tobytes() + b"".join(blocks)


@pytest.fixture
def files(tmp_path, liquid):
    """Return a function that writes 41 frames every 0.01 ps, positions and velocities each in every n-th of them."""
    rng = np.random.default_rng(5)
    at_rest = liquid.positions - liquid.get_center_of_mass()
    velocities = rng.normal(size=(41, len(liquid), 3))

    def build(positions, speeds):
        content = b""
        for k in range(41):
            x = at_rest + 5.0 + 0.01 * np.sin(k) if positions and k % positions == 0 else None
            v = velocities[k] if speeds and k % speeds == 0 else None
            if x is not None or v is not None:
                content += frame_bytes(k, 0.01 * k, liquid.cell.array, x, v)
        path = tmp_path / "run.trr"
        path.write_bytes(content)
        write(tmp_path / "top.extxyz", liquid)
        return path, tmp_path / "top.extxyz"

    return build, velocities


def expected(liquid, velocities):
    ions = read_ions(open_trajectory([liquid, liquid], timestep_ps=1.0))
    trajectory = open_trajectory(liquid)
    weights = trajectory.molecule_weights()[np.flatnonzero(trajectory.charges)]
    share = trajectory.masses / trajectory.masses.sum()
    assert len(ions.charges) == weights.shape[0]
    return np.stack([weights @ v - share @ v for v in velocities])


@pytest.mark.parametrize(("positions", "speeds"), [(1, 10), (10, 1), (2, 4), (1, 1)])
def test_positions_and_velocities_at_different_intervals(files, liquid, positions, speeds):
    build, velocities = files
    path, topology = build(positions, speeds)
    trajectory = open_trajectory(path, topology=topology)
    assert trajectory.n_frames == 40 // positions + 1 and trajectory.timestep_ps == pytest.approx(0.01 * positions)
    result = analyse_solvation(trajectory, cutoffs={"EC": 2.6, "EMC": 2.6, "PF6": 2.6})
    assert result.n_frames == trajectory.n_frames
    ions = read_ions(trajectory)
    assert ions.positions.shape[0] == 40 // positions + 1
    assert (ions.velocity_step_ps or ions.timestep_ps) == pytest.approx(0.01 * speeds)
    np.testing.assert_allclose(ions.velocities, expected(liquid, velocities[::speeds]), atol=1e-5)


def test_frames_with_only_velocities_give_a_current_and_nothing_else(files, liquid):
    build, velocities = files
    path, topology = build(0, 2)
    trajectory = open_trajectory(path, topology=topology)
    ions = read_ions(trajectory)
    assert ions.positions is None and ions.timestep_ps == pytest.approx(0.02)
    np.testing.assert_allclose(ions.velocities, expected(liquid, velocities[::2]), atol=1e-5)
    with pytest.raises(InputError, match="contains only velocities"):
        list(trajectory.chunks())
    result = measure_conductivity([ions], 300.0)
    assert "only velocities" in result.refused["einstein-helfand"]
    with pytest.raises(InputError, match="only velocities: name a file with the positions"):
        open_trajectory(path)


def test_positions_without_velocities_say_so(files):
    build, _ = files
    path, topology = build(2, 0)
    with pytest.raises(InputError, match="has no velocities, which the Green-Kubo current needs$"):
        read_ions(open_trajectory(path, topology=topology)).current()
