"""Trajectories as MDAnalysis sees them."""

import numpy as np
import pytest
from ase import units
from ase.calculators.lj import LennardJones

from electrolyte_ml.dynamics import read_trajectory, run_md
from electrolyte_ml.structures import pack

mda = pytest.importorskip("MDAnalysis")


@pytest.fixture
def run(tmp_path):
    def start(atoms, **options):
        calculator = LennardJones(sigma=2.5, epsilon=0.001, rc=5.0, smooth=True)
        return run_md(
            atoms, calculator, directory=tmp_path / "run", time_ps=0.05, frame_interval_fs=10, progress=False, **options
        )

    return start


def opened(directory):
    return mda.Universe(str(directory / "topology.pdb"), str(directory / "trajectory.trr"))


def test_box_times_species_and_velocities_arrive(run, argon):
    result = run(argon, timestep_fs=2.0)
    universe = opened(result.directory)
    assert len(universe.trajectory) == 6
    assert universe.trajectory.dt == pytest.approx(0.01)
    assert list(universe.atoms.elements) == ["Ar"] * 32
    last = universe.trajectory[-1]
    assert last.time == pytest.approx(0.05)
    np.testing.assert_allclose(last.dimensions, result.atoms.cell.cellpar(), rtol=1e-6)
    np.testing.assert_allclose(last.positions, result.atoms.positions, atol=1e-5)
    in_ang_per_ps = result.atoms.get_velocities() * 1000 * units.fs
    np.testing.assert_allclose(last.velocities, in_ang_per_ps, rtol=1e-5, atol=1e-4)


def test_skewed_cell_in_any_orientation_keeps_its_distances(run, argon):
    argon.set_cell([[0, 11, 1], [10, 2, 0], [3, 1, -12]], scale_atoms=True)  # right-handed, far from lower triangular
    assert np.linalg.det(argon.cell.array) > 0
    result = run(argon, timestep_fs=2.0)
    universe = opened(result.directory)
    frame = universe.trajectory[-1]
    np.testing.assert_allclose(frame.dimensions, result.atoms.cell.cellpar(), rtol=1e-5)
    from MDAnalysis.lib.distances import self_distance_array

    theirs = self_distance_array(frame.positions, box=frame.dimensions)
    ours = result.atoms.get_all_distances(mic=True)[np.triu_indices(32, 1)]
    np.testing.assert_allclose(theirs, ours, atol=1e-4)
    speeds = np.linalg.norm(result.atoms.get_velocities(), axis=1) * 1000 * units.fs
    np.testing.assert_allclose(np.linalg.norm(frame.velocities, axis=1), speeds, rtol=1e-4)


def test_molecules_are_residues_with_their_names(run):
    box = pack({"EC": 2, "EMC": 1, "LiPF6": 1}, density=0.9, seed=0)
    box.wrap()
    result = run(box, ensemble="nvt", temperature=10, timestep_fs=0.1)
    universe = opened(result.directory)
    assert list(universe.residues.resnames) == ["EC", "EC", "EMC", "Li", "PF6"]
    assert [len(residue.atoms) for residue in universe.residues] == [10, 10, 15, 1, 7]
    assert list(universe.atoms.elements) == [symbol.upper() if len(symbol) == 1 else symbol for symbol in box.symbols]


def test_cut_last_frame_is_left_out(run, argon):
    result = run(argon, timestep_fs=2.0)
    path = result.directory / "trajectory.trr"
    whole = read_trajectory(path, argon)
    path.write_bytes(path.read_bytes()[:-10])
    cut = read_trajectory(path, argon)
    assert len(cut) == len(whole) - 1 == 5
    assert [frame.info["time_ps"] for frame in cut] == [0.0, 0.01, 0.02, 0.03, 0.04]
    assert [frame.info["step"] for frame in cut] == [0, 5, 10, 15, 20]


def test_frames_that_grow_in_a_resumed_run_are_seen(run, argon, tmp_path):
    """MDAnalysis keeps an index of the frames beside the file, which must not hide those that came later."""
    result = run(argon, timestep_fs=2.0)
    assert len(opened(result.directory).trajectory) == 6
    run_md(
        argon,
        LennardJones(sigma=2.5, epsilon=0.001, rc=5.0, smooth=True),
        directory=result.directory,
        timestep_fs=2.0,
        time_ps=0.1,
        frame_interval_fs=10,
        progress=False,
    )
    assert len(opened(result.directory).trajectory) == 11


def test_other_number_of_atoms_is_refused(run, argon):
    from electrolyte_ml.errors import InputError

    result = run(argon, timestep_fs=2.0)
    with pytest.raises(InputError, match=r"trajectory.trr: a frame has 32 atoms instead of 31"):
        read_trajectory(result.directory / "trajectory.trr", argon[:31])
