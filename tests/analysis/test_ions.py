"""From a file to ions: centres of mass, the frame of the whole, what is refused; and the command that does it all."""

import json

import numpy as np
import pytest
from ase import Atoms, units
from ase.io import write

from electrolyte_ml.analysis import OrnsteinUhlenbeckIons, measure_conductivity
from electrolyte_ml.cli import main
from electrolyte_ml.errors import InputError
from electrolyte_ml.trajectories import IonTrajectory, open_trajectory, read_ions

PROCESS = OrnsteinUhlenbeckIons(
    counts=(2, 2), diffusion=(0.2, 0.3), side=12.0, names=("Li", "PF6"), masses=(6.94, 144.96)
)  # fmt: skip
OCTAHEDRON = 1.6 * np.vstack([np.zeros(3), np.eye(3), -np.eye(3)])  # P and six F
CORNERS = np.array([[2.0, 2, 2], [8, 8, 2], [8, 2, 8], [2, 8, 8]])


def frames_of(sample, *, velocities=True, wrap=True, scale=None, drift=0.0):
    """Atoms of each frame: ions of the process on a lattice, PF6 as seven atoms that turn."""
    out = []
    for k in range(sample.frames):
        centres = CORNERS + sample.displacements()[k] * 0.05 + drift * k
        positions, speeds = [], []
        for ion, centre in enumerate(centres):
            shape = np.zeros((1, 3)) if ion < 2 else OCTAHEDRON
            angle = 0.1 * k
            turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
            positions.append(centre + shape @ turn.T)
            spin = 0.1 / sample.timestep_ps * np.array([[0, -1, 0], [1, 0, 0], [0, 0, 0]])
            speeds.append(0.05 * sample.velocities[k, ion] + (shape @ turn.T) @ spin.T)
        cell = 12.0 * (1.0 if scale is None else scale[k])
        atoms = Atoms("Li2PF6PF6", np.vstack(positions), cell=[cell] * 3, pbc=True)
        if wrap:
            atoms.wrap()
        if velocities:
            atoms.set_velocities(np.vstack(speeds) / (1000 * units.fs))
        atoms.info["time_ps"] = k * sample.timestep_ps
        out.append(atoms)
    return out


@pytest.fixture(scope="module")
def sample():
    return PROCESS.sample(60.0, 0.2, seed=4)


@pytest.fixture
def file(sample, tmp_path):
    write(tmp_path / "run.extxyz", frames_of(sample))
    return tmp_path / "run.extxyz"


def test_ions_are_centres_of_mass_in_the_frame_of_the_whole(sample, file):
    ions = read_ions(open_trajectory(file))
    assert ions.names == ("Li", "PF6") and ions.charges.tolist() == [1.0, 1.0, -1.0, -1.0]
    assert ions.timestep_ps == pytest.approx(0.2) and ions.volume == pytest.approx(12.0**3)
    assert ions.solvent_mass is None
    masses = ions.masses
    assert masses[2] == pytest.approx(144.96, abs=0.01)
    for found, exact in (
        (ions.displacements(), 0.05 * sample.displacements()),
        (ions.velocities, 0.05 * sample.velocities),
    ):
        mean = np.einsum("fic,i->fc", exact, masses) / masses.sum()
        np.testing.assert_allclose(found, exact - mean[:, None], atol=2e-5)


def test_drift_of_the_whole_is_no_transport(sample):
    still = read_ions(open_trajectory(frames_of(sample)))
    moving = read_ions(open_trajectory(frames_of(sample, drift=0.3)))
    np.testing.assert_allclose(still.displacements(), moving.displacements(), atol=1e-6)


def test_box_that_breathes_is_refused_with_the_reason(sample):
    scale = 1.0 + 0.01 * np.sin(np.arange(sample.frames))
    with pytest.raises(InputError, match="constant volume"):
        read_ions(open_trajectory(frames_of(sample, scale=scale)))


def test_frames_too_far_apart_to_unwrap_are_refused(sample):
    apart = frames_of(sample)
    for k, atoms in enumerate(apart):
        atoms.positions[0] = [(5.0 * k) % 12.0, 2.0, 2.0]
    with pytest.raises(InputError, match="too far apart"):
        read_ions(open_trajectory(apart))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"charges": np.array([1.0, 1.0, -1.0, -2.0])}, "sum to -1, not 0"),
        ({"positions": None, "velocities": None}, "neither positions nor velocities"),
        ({"timestep_ps": 0.0}, "must be positive"),
        ({"volume": -1.0}, "must be positive"),
        ({"positions": np.zeros((5, 3, 3))}, r"\(frames, 4, 3\)"),
        ({"positions": np.zeros((1, 4, 3))}, "one frame"),
        ({"velocities": np.full((5, 4, 3), np.inf)}, "frame 1: velocities are not finite"),
        ({"masses": np.ones(3)}, "3 masses"),
    ],
)
def test_wrong_ions_are_refused(sample, change, said):
    fields = {**vars(sample), **change}
    with pytest.raises(InputError, match=said):
        IonTrajectory(**fields)


# -- the commands -----------------------------------------------------------------------------------------------------


def test_command_says_what_the_library_says(file, sample, tmp_path, capsys):
    figure = tmp_path / "sigma.png"
    arguments = ["conductivity", str(file), "--temperature", "300", "--method", "einstein-helfand", "green-kubo"]
    assert main([*arguments, "--json", "--figure", str(figure)]) == 0
    said = json.loads(capsys.readouterr().out)
    expected = measure_conductivity([read_ions(open_trajectory(file))], 300.0)
    for method in ("green-kubo", "einstein-helfand"):
        assert said["conductivity"][method]["value"] == pytest.approx(expected.estimates[method].value)
    assert figure.stat().st_size > 5000
    assert main(arguments) == 0
    table = capsys.readouterr().out
    assert "2 Li, 2 PF6" in table and "mS/cm" in table and "plateau of" in table and "ns in all" in table


def test_command_without_velocities_still_measures(sample, tmp_path, capsys):
    path = tmp_path / "still.extxyz"
    write(path, frames_of(sample, velocities=False))
    assert main(["conductivity", str(path), "--temperature", "300"]) == 0
    table = capsys.readouterr().out
    assert "has no velocities" in table and "einstein-helfand" in table


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--method", "magic"], "no method 'magic'"),
        (["--window", "1", "500"], "cannot be read off"),
        (["--figure", "sigma.doc"], ".png"),
        (["--begin", "1000"], "no frames are left"),
        (["--li", "name Xx"], "finds no atom"),
    ],
)
def test_command_refuses_in_one_line(file, options, said, capsys):
    assert main(["conductivity", str(file), "--temperature", "300", *options]) == 1
    captured = capsys.readouterr()
    assert said in captured.err + captured.out
    assert captured.err.count("\n") == 1


def test_runs_of_different_lengths_are_refused(sample, file, tmp_path, capsys):
    other = tmp_path / "short.extxyz"
    write(other, frames_of(sample)[:-7])
    assert main(["conductivity", str(file), str(other), "--temperature", "300"]) == 1
    assert "different lengths" in capsys.readouterr().err
    frames = str(sample.frames - 7)
    assert main(["conductivity", str(file), str(other), "--temperature", "300", "--end", frames]) == 0
    assert "2 x 58.6 ps" in capsys.readouterr().out


def test_plan(capsys):
    assert main(["plan-conductivity", "--tau", "300", "--error", "0.1"]) == 0
    assert capsys.readouterr().out.startswith("40 ns in all give an error of 10.0%")
    assert main(["plan-conductivity", "--tau", "300", "--time", "25000", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["relative_error"] == pytest.approx(0.1265, abs=1e-4)
    assert main(["plan-conductivity", "--tau", "300"]) == 2
    assert main(["plan-conductivity", "--tau", "-1", "--error", "0.1"]) == 2
