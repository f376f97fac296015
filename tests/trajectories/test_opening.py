"""Every format opens as the same trajectory; what is no trajectory is refused."""

import warnings

import numpy as np
import pytest
from ase import Atoms

from electrolyte_ml.dynamics.trajectory import encode_topology
from electrolyte_ml.errors import InputError, TrajectoryWarning
from electrolyte_ml.trajectories import open_trajectory
from electrolyte_ml.trajectories.opening import open_frames

N_FRAMES = 5


@pytest.mark.parametrize("kind", ["xtc", "trr", "dcd", "ncdf", "dump", "extxyz", "folder"])
def test_every_format_tells_the_same(kind, written, frames):
    path, options = written(kind)
    trajectory = open_trajectory(path, **options)
    assert (trajectory.n_frames, trajectory.n_atoms, trajectory.n_molecules) == (N_FRAMES, len(frames[0]), 5)
    assert {name: len(species) for name, species in trajectory.roles.items()} == {"Li": 1, "PF6": 1, "EC": 2, "EMC": 1}
    assert trajectory.timestep_ps == pytest.approx(0.5, rel=1e-6)
    np.testing.assert_allclose(trajectory.times_ps, 0.5 * np.arange(N_FRAMES), atol=1e-5)
    got = list(trajectory.chunks(2))
    assert [len(chunk.positions) for chunk in got] == [2, 2, 1]
    inverse = np.linalg.inv(frames[0].cell.array)
    for k, frame in enumerate(frames):
        chunk, row = got[k // 2], k % 2
        np.testing.assert_allclose(chunk.cells[row], frame.cell.array, atol=2e-3)
        apart = (chunk.positions[row] - frame.positions) @ inverse  # a dump may choose another image
        assert np.abs(apart - np.rint(apart)).max() * frame.cell.lengths().max() < 0.02  # XTC rounds to 0.01 Å
        if kind in ("trr", "ncdf", "dump", "extxyz", "folder"):
            expected = frame.get_velocities() * (1.0 if kind in ("trr", "ncdf", "dump") else 98.22694788)
            np.testing.assert_allclose(chunk.velocities[row], expected, rtol=1e-4, atol=1e-4)
    assert trajectory.has_velocities == (kind in ("trr", "ncdf", "dump", "extxyz", "folder"))


def test_several_frames_in_one_gro_are_refused(tmp_path, frames, write_with_mdanalysis):
    path = tmp_path / "run.gro"
    write_with_mdanalysis(path, frames[:1])
    assert open_frames(path, frames[0]).n_frames == 1
    path.write_text(2 * path.read_text())
    with pytest.raises(InputError, match="only the first of a .gro file"):
        open_frames(path, frames[0])


def test_netcdf_files_in_other_units_are_refused(written):
    path, options = written("ncdf")
    content = path.read_bytes()
    for old, new, unit in (
        (b"\x0apicosecond\0\0", b"\x0bfemtosecond\0", "femtosecond"),
        (b"angstrom", b"nanometr", "nanometr"),
    ):
        path.write_bytes(content.replace(old, new))
        with pytest.raises(InputError, match=unit):
            open_trajectory(path, **options)


def test_netcdf_files_that_lammps_writes_are_refused(tmp_path, frames):
    """Their atoms are mixed, sorted by an id that MDAnalysis does not read."""
    from scipy.io import netcdf_file

    n, rng = len(frames[0]), np.random.default_rng(4)
    with netcdf_file(tmp_path / "run.nc", "w", version=2) as file:
        file.Conventions, file.ConventionVersion = "AMBER", "1.0"
        for name, length in (("frame", None), ("spatial", 3), ("atom", n)):
            file.createDimension(name, length)
        coordinates = file.createVariable("coordinates", "f4", ("frame", "atom", "spatial"))
        ids = file.createVariable("id", "i4", ("frame", "atom"))
        coordinates.units = "Angstrom"
        for k, frame in enumerate(frames):
            order = rng.permutation(n)
            ids[k], coordinates[k] = order + 1, frame.positions[order]
    with pytest.raises(InputError, match="Angstrom"):
        open_frames(tmp_path / "run.nc", frames[0])


def test_a_universe_is_read_as_its_file_is(tmp_path, frames, write_dump):
    import MDAnalysis

    path, topology = tmp_path / "run.lammpstrj", tmp_path / "topology.pdb"
    write_dump(path, frames)
    topology.write_text(encode_topology(frames[0], np.eye(3)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        universe = MDAnalysis.Universe(str(topology), str(path), format="LAMMPSDUMP")
    assert not open_trajectory(universe, timestep_ps=0.5).has_velocities  # in which unit, nobody has said
    for units, factor in (("metal", 1.0), ("real", 1000.0)):
        found = open_trajectory(universe, timestep_ps=0.5, lammps_units=units)
        assert set(found.roles) == {"Li", "PF6", "EC", "EMC"}
        got = next(found.chunks())
        np.testing.assert_allclose(got.velocities[0], factor * frames[0].get_velocities(), rtol=1e-4, atol=1e-2)
        np.testing.assert_allclose(got.positions[2], frames[2].positions, atol=1e-3)


def test_parts_of_a_run_join_without_the_frame_that_both_have(written, tmp_path, frames, write_with_mdanalysis):
    paths = []
    for name, some in (("one", frames[:3]), ("two", frames[2:])):
        path = tmp_path / f"{name}.trr"
        write_with_mdanalysis(path, some)
        paths.append(path)
    topology = tmp_path / "t.pdb"
    topology.write_text(encode_topology(frames[0], np.eye(3)))
    joined = open_trajectory(paths, topology=topology)
    np.testing.assert_allclose(joined.times_ps, 0.5 * np.arange(N_FRAMES))
    with pytest.raises(InputError, match="before the end of the previous part"):
        open_trajectory(paths[::-1], topology=topology)


def test_one_cell_above_the_models_of_a_pdb_is_that_of_all(tmp_path, frames):
    text = encode_topology(frames[0], np.eye(3))
    atoms = [line for line in text.splitlines() if line.startswith(("ATOM", "HETATM"))]
    a, b, c, alpha, beta, gamma = frames[0].cell.cellpar()
    cell = f"CRYST1{a:9.3f}{b:9.3f}{c:9.3f}{alpha:7.2f}{beta:7.2f}{gamma:7.2f} P 1           1\n"
    models = [f"MODEL     {k}\n" + "\n".join(atoms) + "\nENDMDL\n" for k in (1, 2, 3)]
    (tmp_path / "run.pdb").write_text(cell + "".join(models) + "END\n")
    found = open_trajectory(tmp_path / "run.pdb", timestep_ps=1.0)
    assert found.n_frames == 3
    np.testing.assert_allclose(found.require_constant_cell(), frames[0].cell.array, atol=5e-3)


def test_files_that_are_not_there_or_not_trajectories(tmp_path, frames):
    with pytest.raises(InputError, match="no such file"):
        open_trajectory(tmp_path / "none.xtc")
    (tmp_path / "empty.xtc").touch()
    with pytest.raises(InputError, match="is empty"):
        open_trajectory(tmp_path / "empty.xtc")
    (tmp_path / "text.xyz").write_text("no frames here\n")
    with pytest.raises(InputError, match="frame 1 does not begin with a number"):
        open_trajectory(tmp_path / "text.xyz")
    (tmp_path / "text.dcd").write_text("no frames here\n")
    with pytest.raises(InputError):
        open_trajectory(tmp_path / "text.dcd")
    with pytest.raises(InputError, match="no cell"):
        loose = frames[0].copy()
        loose.cell = None
        open_trajectory(loose)
    assert open_trajectory(Atoms("Li", pbc=True), cell=12.0).frame(0).cell.lengths().tolist() == [12.0] * 3
    with pytest.raises(InputError, match="a cell is one length"):
        open_trajectory(Atoms("Li"), cell=[1, 2])
    broken = frames[0].copy()
    broken.positions[4] = np.nan
    with pytest.raises(InputError, match="frame 2: the position of atom 5 is not finite"):
        list(open_trajectory([frames[0], broken], timestep_ps=1.0).chunks())
    flat = frames[0].copy()
    flat.cell[2] = flat.cell[1]
    with pytest.raises(InputError, match="frame 2: the cell has no volume"):
        list(open_trajectory([frames[0], flat], timestep_ps=1.0).chunks())
    with pytest.raises(InputError, match="not those of frame 1"):
        list(open_trajectory([frames[0], frames[0][::-1]], timestep_ps=1.0).chunks())


def test_what_is_given_and_has_no_effect_is_refused(written, tmp_path, frames, write_dump):
    path, options = written("xtc")
    with pytest.raises(InputError, match=r"is not of LAMMPS: lammps_units=, --lammps-units would have no effect"):
        open_trajectory(path, **options, lammps_units="real")
    path, options = written("extxyz")
    for name, value in (("topology", frames[0]), ("elements", {"1": "C"}), ("lammps_units", "metal")):
        with pytest.raises(InputError, match=rf"extxyz: {name}=, --{name.replace('_', '-')} would have no effect"):
            open_trajectory(path, **options, **{name: value})
        with pytest.raises(InputError, match=rf"the configurations: {name}="):
            open_trajectory(frames, **{name: value})
    dump = tmp_path / "run.lammpstrj"
    write_dump(dump, frames, columns="id element xs ys zs")
    with pytest.raises(InputError, match=r"has no types, so that elements=, --elements would have no effect"):
        open_trajectory(dump, elements={"1": "C"})
    write_dump(dump, frames)
    with pytest.raises(
        InputError, match=r"elements=, --elements would have no effect, because the topology names them"
    ):
        open_trajectory(dump, topology=frames[0], elements={"1": "C"})


def test_units_and_cells_that_contradict_the_file(tmp_path, frames, write_dump):
    dump = tmp_path / "run.lammpstrj"
    write_dump(dump, frames, units="real")
    with pytest.raises(InputError, match=r"states units real, not metal: leave out lammps_units"):
        open_trajectory(dump, lammps_units="metal")
    cell = frames[0].cell.array
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        open_trajectory(dump, lammps_units="real", cell=cell)
    with pytest.warns(TrajectoryWarning, match=r"the cell is .* x .* Å in the file; the given one, .* Å, is used"):
        assert open_trajectory(dump, cell=1.01 * cell).frame(0).cell.array == pytest.approx(1.01 * cell)
