"""From a file to ions: centres of mass, the frame of the whole system, refusals."""

import warnings

import numpy as np
import pytest
from ase import Atoms, units
from ase.io import write

from electrolyte_ml.analysis import OrnsteinUhlenbeckIons
from electrolyte_ml.errors import InputError, TrajectoryWarning
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
        (ions.positions - ions.positions[0], 0.05 * sample.displacements()),
        (ions.velocities, 0.05 * sample.velocities),
    ):
        mean = np.einsum("fic,i->fc", exact, masses) / masses.sum()
        np.testing.assert_allclose(found, exact - mean[:, None], atol=2e-5)


def test_drift_of_the_whole_is_no_transport(sample):
    still = read_ions(open_trajectory(frames_of(sample)))
    moving = read_ions(open_trajectory(frames_of(sample, drift=0.3)))
    first, second = (ions.positions - ions.positions[0] for ions in (still, moving))
    np.testing.assert_allclose(first, second, atol=1e-6)


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
    ("change", "message"),
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
def test_wrong_ions_are_refused(sample, change, message):
    fields = {**vars(sample), **change}
    with pytest.raises(InputError, match=message):
        IonTrajectory(**fields)


@pytest.mark.parametrize("given", [None, {"Li": 0.8, "PF6": -0.8}, {"Li": 0.5, "PF6": -0.5}])
def test_charges_of_the_atoms_are_compared_with_those_of_the_ions(sample, given):
    frames = frames_of(sample)
    for atoms in frames:
        atoms.set_initial_charges([0.8, 0.8, *2 * [1.0, *6 * [-0.3]]])
    trajectory = open_trajectory(frames)
    expected = given or {"Li": 1.0, "PF6": -1.0}
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        ions = read_ions(trajectory, charges=given)
    assert dict(zip(ions.species.tolist(), ions.charges.tolist())) == expected
    messages = [str(warning.message) for warning in found if warning.category is TrajectoryWarning]
    assert len(messages) == (expected["Li"] != 0.8)
    assert all("sum to Li +0.8, PF6 -0.8 e" in text and "--charge Li=0.8 PF6=-0.8" in text for text in messages)


def test_given_charges_must_be_of_ions_and_cancel(sample):
    trajectory = open_trajectory(frames_of(sample))
    with pytest.raises(InputError, match="has no ions 'Na'; there are Li, PF6"):
        read_ions(trajectory, charges={"Na": 1.0})
    with pytest.raises(InputError, match=r"sum to -0.4 e, not to 0 \(2 Li of \+0.8, 2 PF6 of -1\)"):
        read_ions(trajectory, charges={"Li": 0.8})


def test_charges_of_a_dump_are_compared(sample, tmp_path):
    path, frames = tmp_path / "run.lammpstrj", frames_of(sample)[:3]
    text = ""
    for k, atoms in enumerate(frames):
        text += f"ITEM: UNITS\nmetal\nITEM: TIMESTEP\n{k}\nITEM: NUMBER OF ATOMS\n{len(atoms)}\n"
        text += "ITEM: BOX BOUNDS pp pp pp\n" + 3 * "0 12\n" + "ITEM: ATOMS element q id x y z\n"
        charges = [0.7, 0.7, *2 * [0.5, *6 * [-0.2]]]
        rows = [(s, q, n + 1, *r) for n, (s, q, r) in enumerate(zip(atoms.symbols, charges, atoms.positions))]
        text += "".join(" ".join(map(str, row)) + "\n" for row in reversed(rows))
    path.write_text(text)
    with pytest.warns(TrajectoryWarning, match=r"sum to Li \+0.7, PF6 -0.7 e, but the analysis takes \+1, -1 e"):
        read_ions(open_trajectory(path, timestep_ps=0.1))
