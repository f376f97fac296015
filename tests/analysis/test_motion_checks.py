"""What a file says twice about motion: velocities and displacements, ions and the whole system, volume and shape."""

import json

import numpy as np
import pytest
from ase import Atoms, units
from ase.io import write

from electrolyte_ml.analysis import OrnsteinUhlenbeckIons, measure_conductivity, nernst_einstein
from electrolyte_ml.analysis.finite_size import lattice_constant
from electrolyte_ml.cli import main
from electrolyte_ml.errors import InputError
from electrolyte_ml.trajectories import IonTrajectory, Role, open_trajectory, read_ions

KELVIN = 300.0
KT = 8.31446261815324e-1 * KELVIN  # amu Å²/ps²
TAU = 0.2
MASSES = {"Na": 22.98976928, "Cl": 35.45}


def thermal_ions(seed=1, time_ps=40.0, step=0.02):
    """Langevin ions with the velocities of 300 K: D = k_B T tau / m."""
    process = OrnsteinUhlenbeckIons(
        counts=(8, 8), diffusion=tuple(KT * TAU / m for m in MASSES.values()), weights=(1.0,), relaxation_ps=(TAU,),
        side=25.0, names=tuple(MASSES), masses=tuple(MASSES.values()),
    )  # fmt: skip
    return process.sample(time_ps, step, seed=seed)


def with_velocities(run, factor):
    fields = {name: getattr(run, name) for name in run.__dataclass_fields__}
    return IonTrajectory(**fields | {"velocities": factor * run.velocities})


def test_velocities_of_the_temperature_are_taken():
    result = measure_conductivity([thermal_ions()], KELVIN)
    assert {"green-kubo", "einstein-helfand"} <= set(result.estimates)


@pytest.mark.parametrize(
    ("factor", "named"),
    [(1e-3, "0.001"), (1e3, "1e+03"), (10.0, "10"), (0.1, "0.1"), (1 / (1000 * units.fs), "0.01"), (20.455, "20.5")],
)
def test_velocities_in_other_units_are_refused_with_the_factor(factor, named):
    run = with_velocities(thermal_ions(), factor)
    for methods in (["green-kubo"], ["green-kubo", "einstein-helfand"]):
        result = measure_conductivity([run], KELVIN, methods=methods)
        assert "green-kubo" not in result.estimates
        assert "times too large" in result.refused["green-kubo"]
        found = float(result.refused["green-kubo"].split(" K: ")[1].split(" times")[0])
        assert found == pytest.approx(factor, rel=0.15), named


def test_another_temperature_is_told_without_positions():
    run = thermal_ions()
    fields = {name: getattr(run, name) for name in run.__dataclass_fields__}
    alone = IonTrajectory(**fields | {"positions": None, "velocities": 3.0 * run.velocities})
    assert "are those of" in measure_conductivity([alone], KELVIN).refused["green-kubo"]


def test_frames_too_far_apart_are_told():
    run = thermal_ions(time_ps=2000.0)[::200]  # every 4 ps, the velocities forget in 0.2 ps
    result = measure_conductivity([run], KELVIN, window_ps=(8.0, 40.0))
    assert "too far apart" in result.refused["green-kubo"]


def frames_of(run):
    frames = []
    for k in range(run.frames):
        atoms = Atoms(["Na"] * 8 + ["Cl"] * 8, run.positions[k], cell=[25.0] * 3, pbc=True)
        atoms.wrap()
        atoms.info["time_ps"] = k * run.timestep_ps
        frames.append(atoms)
    return frames


ROLES = {"Na": "element Na", "Cl": Role("element Cl", "anion")}


def test_a_file_of_the_ions_alone_gives_the_conductivity_only(tmp_path, capsys):
    path = tmp_path / "ions.extxyz"
    write(path, frames_of(thermal_ions(time_ps=20.0)))
    arguments = ["conductivity", str(path), "--temperature", "300", "--cation", "Na=element Na", "--anion",
                 "Cl=element Cl", "--json"]  # fmt: skip
    assert main(arguments) == 0
    printed = json.loads(capsys.readouterr().out)
    assert set(printed["conductivity"]) == {"einstein-helfand"}
    for method in ("nernst-einstein", "onsager"):
        assert "only ions" in printed["refused"][method] and "ratios of masses" in printed["refused"][method]
    assert "diffusion" not in printed and "transference" not in printed


def test_ions_that_fill_the_cell_are_a_melt():
    rng = np.random.default_rng(2)
    grid = np.stack(np.meshgrid(*[np.arange(4)] * 3, indexing="ij"), -1).reshape(-1, 3) * 2.9
    symbols = ["Na" if k.sum() % 2 else "Cl" for k in (grid / 2.9).astype(int)]
    frames = []
    for k in range(5):  # molten NaCl at 1.9 g/cm³
        atoms = Atoms(symbols, grid + 0.02 * rng.normal(size=grid.shape), cell=[11.6] * 3, pbc=True)
        atoms.info["time_ps"] = 0.1 * k
        frames.append(atoms)
    assert read_ions(open_trajectory(frames, roles=ROLES)).displacements().shape == (5, 64, 3)


@pytest.mark.parametrize(("shape", "ratio"), [((12, 12, 24), 0.80), ((12, 12, 36), 0.39), ((12, 12, 48), -0.16)])
def test_the_correction_is_that_of_the_cell(shape, ratio):
    """The ratios to the cube of the same volume."""
    run = thermal_ions(time_ps=20.0)
    cell = np.diag(np.array(shape, float))
    fields = {name: getattr(run, name) for name in run.__dataclass_fields__}
    runs = [IonTrajectory(**fields | {"cell": cell, "volume": float(np.prod(shape))})]
    found = measure_conductivity(runs, KELVIN, methods=["nernst-einstein"], viscosity_mpa_s=1.0).nernst_einstein
    cube = 2.837297 / (np.prod(shape) ** (1 / 3) * 1e-10) * 1.380649e-23 * KELVIN / (6 * np.pi * 1e-3) * 1e4  # cm²/s
    assert found.correction == pytest.approx(ratio * cube, abs=0.006 * cube)
    assert not any("cubic" in note for note in found.conductivity.notes)


def test_a_volume_without_a_shape_is_taken_for_a_cube_and_told():
    run = thermal_ions(time_ps=20.0)
    given = ([run.displacements()], run.species, run.charges, run.timestep_ps, 25.0**3, KELVIN)
    bare = nernst_einstein(*given, viscosity_mpa_s=1.0)
    turned = nernst_einstein(*given, viscosity_mpa_s=1.0, cell=25.0 * np.eye(3)[[1, 2, 0]])
    assert bare.correction == pytest.approx(turned.correction, rel=1e-9)
    assert any("cubic" in note for note in bare.conductivity.notes)
    skewed = np.array([[25.0, 0, 0], [12.5, 25.0, 0], [0, 0, 25.0]])
    expected = bare.correction * lattice_constant(skewed) / lattice_constant(25.0 * np.eye(3))
    assert nernst_einstein(*given, viscosity_mpa_s=1.0, cell=skewed).correction == pytest.approx(expected)


def test_runs_in_cells_of_different_shapes_are_refused():
    run = thermal_ions(time_ps=20.0)
    fields = {name: getattr(run, name) for name in run.__dataclass_fields__}
    long = IonTrajectory(**fields | {"cell": np.diag([12.5, 25.0, 50.0])})
    with pytest.raises(InputError, match="different shapes"):
        measure_conductivity([run, long], KELVIN)


@pytest.mark.parametrize(("tau", "time"), [("300", "20"), ("300", "399"), ("5", "0.1")])
def test_the_formula_of_the_error_ends(tau, time, capsys):
    assert main(["plan-conductivity", "--tau", tau, "--time", time]) != 0
    assert "it exceeds 100 %" in capsys.readouterr().err
    assert main(["plan-conductivity", "--tau", tau, "--time", str(2 * float(tau))]) == 0
