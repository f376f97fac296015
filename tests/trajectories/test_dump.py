"""LAMMPS dumps."""

import numpy as np
import pytest

from electrolyte_ml.errors import InputError
from electrolyte_ml.trajectories import open_trajectory, read_ions


def test_unsorted_ids_are_sorted_and_none_are_refused(tmp_path, frames, write_dump):
    path = tmp_path / "no_ids.dump"
    write_dump(path, frames, columns="type element xs ys zs")
    with pytest.raises(InputError, match="have no id"):
        open_trajectory(path, timestep_ps=0.5)
    path = tmp_path / "types.dump"
    write_dump(path, frames, columns="id type xs ys zs")
    with pytest.raises(InputError, match="does not state the elements"):
        open_trajectory(path, timestep_ps=0.5)
    elements = {str(z): s for z, s in zip(frames[0].numbers, frames[0].get_chemical_symbols())}
    assert set(open_trajectory(path, elements=elements).roles) == {"Li", "PF6", "EC", "EMC"}
    with pytest.raises(InputError, match="no element is given for type"):
        open_trajectory(path, elements={"6": "C"})
    uneven = tmp_path / "uneven.dump"
    write_dump(uneven, frames, steps=[0, 100, 200, 350, 400])
    trajectory = open_trajectory(uneven, timestep_ps=0.5)
    assert len(np.concatenate([chunk.positions for chunk in trajectory.chunks()])) == len(frames)
    with pytest.raises(InputError, match="not evenly spaced"):
        trajectory.require_times()


@pytest.mark.parametrize("columns", ["xs ys zs ix iy iz", "xu yu zu", "xs ys zs xu yu zu"])
def test_image_flags_and_unwrapped_positions_are_followed_however_far_they_go(tmp_path, liquid, columns, write_dump):
    far = [liquid.copy() for _ in range(3)]
    for k, frame in enumerate(far):
        frame.positions += k * np.array([1.45, -0.5, 2.2]) @ frame.cell.array
        frame.info["time_ps"] = 100.0 * k
    write_dump(tmp_path / "far.dump", far, columns=f"id type element {columns}")
    trajectory = open_trajectory(tmp_path / "far.dump", timestep_ps=100.0)
    moved = np.concatenate(list(trajectory.unwrapped()))
    np.testing.assert_allclose(moved[2] - moved[0], far[2].positions - far[0].positions, atol=1e-6)
    write_dump(tmp_path / "far.dump", far, columns="id type element xs ys zs")
    with pytest.raises(InputError, match="too far apart"):
        list(open_trajectory(tmp_path / "far.dump", timestep_ps=100.0).unwrapped())


def test_velocities_of_a_dump_need_units(tmp_path, frames, write_dump):
    path = tmp_path / "run.dump"
    write_dump(path, frames)
    with pytest.raises(InputError, match="give their units: lammps_units, --lammps-units"):
        read_ions(open_trajectory(path, timestep_ps=0.5)).current()
    write_dump(path, frames, units="real")
    real = open_trajectory(path)
    assert real.timestep_ps == pytest.approx(0.5)
    got = next(real.chunks()).velocities[0]
    np.testing.assert_allclose(got, 1000.0 * frames[0].get_velocities(), rtol=1e-4, atol=1e-2)
    write_dump(path, frames)
    with pytest.raises(InputError, match="must be one of metal, real"):
        open_trajectory(path, timestep_ps=0.5, lammps_units="lj")


def test_a_byte_order_mark_is_passed_over(tmp_path, frames, write_dump):
    path = tmp_path / "run.dump"
    write_dump(path, frames)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    found = open_trajectory(path, timestep_ps=0.5)
    np.testing.assert_allclose(found.frame(0).positions, frames[0].positions, atol=1e-3)


def test_wrapped_positions_are_not_taken_for_unwrapped_ones(tmp_path, frames, write_dump):
    """Molecules move by a few tenths of the cell, and each atom is wrapped into it."""
    path = tmp_path / "wrapped.dump"
    moved = []
    for k, frame in enumerate(frames):
        copy = frames[0].copy()
        copy.positions += k * np.array([0.3, 0.2, 0.1]) @ copy.cell.array
        copy.wrap()
        copy.info = dict(frame.info)
        moved.append(copy)
    write_dump(path, moved, columns="id type element xs ys zs")
    trajectory = open_trajectory(path, timestep_ps=0.5)
    list(trajectory.unwrapped())
    with pytest.raises(InputError, match="an atom jumps across it; leave out --unwrapped"):
        list(trajectory.unwrapped(already=True))
