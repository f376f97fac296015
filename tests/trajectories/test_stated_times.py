"""Times that a file states in another unit, and times that are given twice."""

import struct
import warnings

import numpy as np
import pytest

from electrolyte_ml.cli import main
from electrolyte_ml.errors import InputError, TrajectoryWarning
from electrolyte_ml.trajectories import open_trajectory, read_ions


def dcd(upright, title, *, delta, stride):
    """A DCD file of orthorhombic frames with this title."""

    def record(content):
        return struct.pack("<i", len(content)) + content + struct.pack("<i", len(content))

    n, count = len(upright[0]), len(upright)
    control = struct.pack("<4s9if10i", b"CORD", count, 0, stride, count * stride, 0, 0, 0, 0, 0, delta, 1, *[0] * 8, 24)
    content = record(control) + record(struct.pack("<i", 1) + title.ljust(80).encode()) + record(struct.pack("<i", n))
    for frame in upright:
        a, b, c = frame.cell.lengths()
        content += record(struct.pack("<6d", a, 0.0, b, 0.0, 0.0, c))
        content += b"".join(record(frame.positions[:, k].astype("<f4").tobytes()) for k in range(3))
    return content


@pytest.fixture
def upright(liquid):
    some = []
    for k in range(4):
        frame = liquid.copy()
        frame.set_cell(np.diag([14.0, 15.0, 16.0]))
        frame.positions += 0.01 * k
        frame.info = {}
        some.append(frame)
    return some


@pytest.mark.parametrize(("units", "step"), [("real", 0.05), ("metal", 50.0)])
def test_times_of_lammps_are_in_its_units_or_unknown(tmp_path, upright, units, step):
    path = tmp_path / "run.dcd"
    path.write_bytes(dcd(upright, "Written by LAMMPS", delta=1.0, stride=50))
    trajectory = open_trajectory(path, topology=upright[0])
    assert trajectory.timestep_ps is None and len(list(trajectory.chunks())) == 1
    with pytest.raises(InputError, match="LAMMPS writes times in its own unit.*--lammps-units"):
        trajectory.require_times()
    assert open_trajectory(path, topology=upright[0], lammps_units=units).timestep_ps == pytest.approx(step, rel=1e-6)
    assert open_trajectory(path, topology=upright[0], timestep_ps=0.2).timestep_ps == 0.2


def test_times_of_charmm_are_read_and_those_of_cp2k_are_not(tmp_path, upright):
    path = tmp_path / "run.dcd"
    path.write_bytes(dcd(upright, "CREATED BY CHARMM", delta=1.0 / 48.88821, stride=50))
    assert open_trajectory(path, topology=upright[0]).timestep_ps == pytest.approx(0.05, rel=1e-5)
    path.write_bytes(dcd(upright, "REMARK CORD DCD file created by CP2K", delta=0.5, stride=10))
    with pytest.raises(InputError, match="CP2K writes times in its own unit"):
        open_trajectory(path, topology=upright[0]).require_times()


def test_a_given_time_that_contradicts_the_file_is_told(written):
    path, options = written("xtc")
    with pytest.warns(TrajectoryWarning, match="is 0.5 ps in the file; the given 2 ps is used"):
        assert open_trajectory(path, timestep_ps=2.0, **options).timestep_ps == 2.0


def test_one_time_for_files_of_different_strides_is_refused(tmp_path, upright, write_dump, capsys):
    paths = [tmp_path / f"run{stride}.lammpstrj" for stride in (1, 4)]
    for path, stride in zip(paths, (1, 4)):
        write_dump(path, upright, steps=range(0, 100 * stride, stride))
    common = ["--temperature", "300", "--lammps-units", "metal", "--method", "einstein-helfand"]
    for command in (["conductivity", *map(str, paths), *common], ["solvation", *map(str, paths)]):
        assert main([*command, "--timestep", "0.1"]) != 0
        assert "run4.lammpstrj counts 4 times" in capsys.readouterr().err
        assert main([*command, "--timestep", "0.1", "0.2", "0.3"]) != 0
        assert "3 times are given for 2 runs" in capsys.readouterr().err
    assert main(["conductivity", *map(str, paths), *common, "--timestep", "0.1", "0.4"]) != 0
    assert "has a frame every 0.4 ps, " in capsys.readouterr().err
    runs = [read_ions(open_trajectory(path, timestep_ps=0.1)) for path in paths]
    assert [run.count_ps for run in runs] == pytest.approx([0.1, 0.025])


def commented(configurations, comment):
    """An XYZ file of positions whose comment of frame k is `comment(k)`."""
    frames = []
    for k, atoms in enumerate(configurations):
        rows = [f"{symbol} {x:.8f} {y:.8f} {z:.8f}" for symbol, (x, y, z) in zip(atoms.symbols, atoms.positions)]
        frames.append("\n".join([str(len(atoms)), comment(k), *rows]) + "\n")
    return "".join(frames)


def test_comments_of_cp2k_state_femtoseconds(tmp_path, upright):
    path = tmp_path / "run-pos-1.xyz"
    path.write_text(commented(upright, lambda k: f" i = {10 * k:8d}, time = {5.0 * k:12.3f}, E = {-8.3 - k:20.10f}"))
    cell = upright[0].cell.lengths()
    assert open_trajectory(path, cell=cell).timestep_ps == pytest.approx(0.005)
    with pytest.warns(TrajectoryWarning, match="the time between frames is 0.005 ps in the file; the given 0.05 ps"):
        assert open_trajectory(path, cell=cell, timestep_ps=0.05).timestep_ps == pytest.approx(0.05)


@pytest.mark.parametrize("key", ["time", "Time"])
def test_a_time_without_a_unit_is_compared_in_every_usual_one(tmp_path, upright, key):
    path = tmp_path / "run.extxyz"
    cell = " ".join(f"{x:.8f}" for x in upright[0].cell.array.ravel())
    head = f'Lattice="{cell}" Properties=species:S:1:pos:R:3 pbc="T T T" {key}='
    path.write_text(commented(upright, lambda k: f"{head}{3.0 + 20.0 * k}"))
    with pytest.raises(InputError, match="does not contain the times"):
        open_trajectory(path).require_times()
    for agreed in (0.02, 20.0, 2e4):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert open_trajectory(path, timestep_ps=agreed).timestep_ps == agreed
    with pytest.warns(TrajectoryWarning, match="is 20 in an unknown unit.*the given 0.05 ps is used"):
        open_trajectory(path, timestep_ps=0.05)
    path.write_text(commented(upright, lambda k: f"{head}{(k * k + 3) % 7}"))  # the duration of something
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert open_trajectory(path, timestep_ps=0.05).timestep_ps == 0.05
