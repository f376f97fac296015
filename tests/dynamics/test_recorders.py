"""Records of ions: centres of mass of charged molecules and of the whole, in a file that resumes with the run."""

import json

import numpy as np
import pytest
from ase import Atoms, units
from ase.calculators.lj import LennardJones

from electrolyte_ml.dynamics import IonRecorder, StressRecorder, run_md
from electrolyte_ml.errors import InputError
from electrolyte_ml.structures import pack
from electrolyte_ml.trajectories import open_trajectory, read_ion_record, read_ions, read_stress_record
from electrolyte_ml.trajectories.trr import decode, frame_size


class Springs(LennardJones):
    """Every atom held where it started: molecules vibrate and move a little, and momentum is not conserved."""

    implemented_properties = ("energy", "forces", "stress")

    def __init__(self, start):
        super().__init__()
        self.origin = start.positions.copy()

    def calculate(self, atoms=None, properties=(), system_changes=()):
        d = atoms.positions - self.origin
        self.results = {"energy": 0.5 * (d**2).sum(), "forces": -d, "stress": np.zeros(6)}


@pytest.fixture(scope="module")
def box():
    atoms = pack({"EC": 1, "LiPF6": 2}, 0.8)
    atoms.wrap()  # molecules are cut by the faces of the cell
    return atoms


def run(box, directory, **options):
    options = {"every": 5, "ensemble": "nvt", "time_ps": 0.06, "frame_interval_fs": 10, "progress": False} | options
    recorder = IonRecorder(box, options.pop("every"))
    return run_md(box, Springs(box), directory=directory, recorders=[recorder], **options)


def test_record_holds_what_whole_frames_hold(box, tmp_path):
    run(box, tmp_path)
    record, frames = read_ion_record(tmp_path), read_ions(open_trajectory(tmp_path))
    assert record.frames == 13 and record.timestep_ps == pytest.approx(0.005)
    assert record.species.tolist() == ["Li", "Li", "PF6", "PF6"] and record.charges.tolist() == [1, 1, -1, -1]
    np.testing.assert_allclose(record[::2].current(), frames.current(), atol=2e-5)
    np.testing.assert_allclose(record[::2].displacements(), frames.displacements(), atol=2e-5)
    np.testing.assert_allclose(record.masses, frames.masses, rtol=1e-6)
    assert record.volume == pytest.approx(frames.volume, rel=1e-6)
    assert record.solvent_mass == pytest.approx(88.062, abs=0.01)  # EC


def test_last_particle_is_the_centre_of_mass_of_all_atoms(box, tmp_path):
    result = run(box, tmp_path)
    content = (tmp_path / "ions.trr").read_bytes()
    assert len(content) == 13 * frame_size(5)
    frames, whole = decode(content, 5), result.frames()
    masses = box.get_masses()
    moved = [masses @ (frame.positions - whole[0].positions) / masses.sum() for frame in whole]
    np.testing.assert_allclose(frames.positions[::2, -1] - frames.positions[0, -1], moved, atol=1e-5)
    assert frames.steps.tolist() == list(range(0, 61, 5))


def test_heavy_hydrogen_is_refused_unless_allowed(tmp_path):
    box = pack({"EC": 2, "LiPF6": 1}, 0.8)
    run(box, tmp_path, hydrogen_mass=2.0)
    with pytest.raises(InputError, match="hydrogens have 2 amu"):
        read_ion_record(tmp_path)
    assert read_ion_record(tmp_path, heavy_hydrogen=True).hydrogen_mass == 2.0


def test_record_belongs_to_the_run(box, tmp_path):
    run(box, tmp_path)
    with pytest.raises(InputError, match="records"):
        run(box, tmp_path, every=10)


def test_constant_pressure_is_refused(box, tmp_path):
    with pytest.raises(InputError, match=r"ions.trr can be recorded only at constant volume"):
        run(box, tmp_path / "npt", ensemble="npt")
    assert not (tmp_path / "npt").exists()


def test_liquid_without_ions_is_refused():
    with pytest.raises(InputError, match="none of EC is charged"):
        IonRecorder(pack({"EC": 1}, 0.8), 10)
    with pytest.raises(InputError, match="not one of"):
        IonRecorder(Atoms("LiXe", [[0, 0, 0], [4, 4, 4]], cell=[8] * 3, pbc=True), 10)


@pytest.mark.parametrize("damage", ["no header", "no file", "other header", "no whole frame", "one frame"])
def test_damaged_record_is_refused_in_one_line(box, tmp_path, damage):
    run(box, tmp_path)
    header, file = tmp_path / "ions.json", tmp_path / "ions.trr"
    if damage == "no header":
        header.unlink()
    elif damage == "no file":
        file.unlink()
    elif damage == "no whole frame":
        file.write_bytes(file.read_bytes()[:100])
    elif damage == "one frame":
        file.write_bytes(file.read_bytes()[: frame_size(5)])
    else:
        header.write_text(json.dumps({"charges": [1, -1]}))
    with pytest.raises(InputError, match=r"ions\.") as caught:
        read_ion_record(tmp_path)
    assert "\n" not in str(caught.value)


def test_frame_that_was_cut_short_is_left_out(box, tmp_path):
    run(box, tmp_path)
    file = tmp_path / "ions.trr"
    file.write_bytes(file.read_bytes()[:-7])
    assert read_ion_record(tmp_path).frames == 12


def test_some_of_the_frames(box, tmp_path):
    run(box, tmp_path)
    ions = read_ion_record(tmp_path)
    assert (ions[4:].frames, ions[:4].frames, ions[1::3].timestep_ps) == (9, 4, pytest.approx(0.015))
    for wrong in (slice(None, None, -1), slice(12, None)):
        with pytest.raises(InputError):
            ions[wrong]
    with pytest.raises(TypeError):
        ions[3]


def test_pressure_tensor_is_that_of_stress_and_momenta(tmp_path, spheres):
    atoms, potential = spheres
    result = run_md(
        atoms,
        potential,
        ensemble="nve",
        temperature=100,
        time_ps=0.02,
        timestep_fs=2,
        log_interval_fs=4,
        directory=tmp_path,
        recorders=[StressRecorder(2)],
        progress=False,
    )
    record = read_stress_record(tmp_path)
    assert record.interval_ps == pytest.approx(0.004) and record.volume == pytest.approx(atoms.cell.volume)
    assert record.pressures.shape == (6, 6)
    last = result.atoms
    last.calc = potential.calculator(threads=1)
    exact = -last.get_stress(include_ideal_gas=True) / units.bar  # at the last step, which is recorded
    recorded = record.pressures[-1]
    np.testing.assert_allclose(recorded[3:], exact[3:], rtol=1e-5, atol=1e-3)
    np.testing.assert_allclose(recorded[:3] - recorded[:3].mean(), exact[:3] - exact[:3].mean(), rtol=1e-5, atol=1e-3)
    # The mean of the diagonal is the pressure of the log, with the kinetic energy at half steps.
    np.testing.assert_allclose(record.pressures[:, :3].mean(axis=1), result.pressures, rtol=1e-4, atol=0.1)


def test_calculator_without_a_stress_has_no_pressure(box, tmp_path):
    springs = Springs(box)
    springs.implemented_properties = ("energy", "forces")
    with pytest.raises(InputError, match="needs a stress"):
        run_md(box, springs, ensemble="nve", time_ps=0.01, recorders=[StressRecorder(2)], progress=False)
