"""The total charge of the start is that of everything that a run gives back."""

import io
import json
from dataclasses import replace

import numpy as np
import pytest
from ase.calculators.lj import LennardJones

from electrolyte_ml.dynamics import GradeMonitor, read_trajectory, run_md
from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials import MomentTensorPotential
from electrolyte_ml.structures.charge import total_charge


class Ionised(MomentTensorPotential):
    """A moment tensor potential and 5 eV for each elementary charge."""

    def evaluate(self, atoms, threads=None):
        geometry = self.geometry(atoms)
        result = super().evaluate(geometry, threads)
        return replace(result, energy=result.energy + 5.0 * geometry.system.charge)


class Watching(LennardJones):
    """Remembers the charges of what it is asked for."""

    def __init__(self):
        super().__init__(sigma=3.4, epsilon=0.0104, rc=5.0, smooth=True)
        self.charges = set()

    def calculate(self, atoms=None, *arguments):
        self.charges.add(total_charge(atoms))
        super().calculate(atoms, *arguments)


class Everything:
    """An active set of grade 3 whatever it is asked for, which ends the run once with Ctrl-C."""

    def __init__(self, interrupt=0):
        self.calls, self.interrupt = 0, interrupt

    def grade(self, atoms):
        self.calls += 1
        if self.calls == self.interrupt:
            raise KeyboardInterrupt
        return 3.0


def soft():
    return MomentTensorPotential.random(2, ("Ar",), cutoff=5.0, scaling=1e-4)


def run(atoms, calculator, **options):
    standard = {"temperature": 90, "time_ps": 0.04, "timestep_fs": 2.0, "frame_interval_fs": 10, "progress": False}
    return run_md(atoms, calculator, **(standard | options))


def charged(atoms, how):
    if how == "initial charges":
        atoms.set_initial_charges(np.full(len(atoms), 1 / len(atoms)))
    else:
        atoms.info[how] = 1.0 if how == "total_charge" else 1
    return atoms


def all_charged(result, charge=1):
    """Whether the last configuration, all frames and all saved configurations have this charge, as a whole number."""
    frames = [result.atoms, *result.frames(), *(atoms for _, _, atoms in result.saved)]
    assert len(result.saved) > 1 and len(frames) > 4
    assert all(int(frame.info["charge"]) == charge == total_charge(frame) for frame in frames)
    assert not any("total_charge" in frame.info or "initial_charges" in frame.arrays for frame in frames)


@pytest.mark.parametrize("how", ["charge", "total_charge", "initial charges"])
@pytest.mark.parametrize("make", [soft, Watching, lambda: soft().calculator()], ids=["mtp", "ase", "calculator"])
@pytest.mark.parametrize("stored", [False, True])
def test_a_run_keeps_it(argon, tmp_path, how, make, stored):
    start, calculator = charged(argon, how), make()
    result = run(
        start, calculator, monitors=[GradeMonitor(Everything(), every=5)], directory=tmp_path if stored else None
    )
    all_charged(result)
    assert getattr(calculator, "charges", {1}) == {1}
    if stored:
        all_charged(run(start, make(), directory=tmp_path))  # read, not run again
        assert {total_charge(frame) for frame in read_trajectory(tmp_path / "trajectory.trr", start)} == {1}


@pytest.mark.parametrize("make", [soft, Watching], ids=["mtp", "ase"])
def test_a_resumed_run_keeps_it(argon, tmp_path, make):
    start = charged(argon, "charge")
    options = {"directory": tmp_path, "restart_interval_fs": 10}
    with pytest.raises(KeyboardInterrupt):
        run(start, make(), monitors=[GradeMonitor(Everything(interrupt=4), every=4)], **options)
    calculator = make()
    all_charged(run(start, calculator, monitors=[GradeMonitor(Everything(), every=4)], **options))
    assert getattr(calculator, "charges", {1}) == {1}
    all_charged(run(start, make(), **options, time_ps=0.08))


def test_a_relaxed_run_keeps_it(argon):
    all_charged(run(charged(argon, "charge"), soft(), relax=3, monitors=[GradeMonitor(Everything(), every=5)]))


def test_a_potential_meets_it_at_every_step(argon):
    """Its energy follows the charge in the calculator and in dynamics."""
    plain = soft()
    potential = Ionised(**vars(soft()))
    neutral = run(argon, potential, log_interval_fs=2)
    ionised = run(charged(argon.copy(), "charge"), potential, log_interval_fs=2)
    assert len(neutral.energies) == 21
    assert ionised.energies == pytest.approx(neutral.energies + 5.0, rel=1e-12)
    assert neutral.energies == pytest.approx(run(argon, plain, log_interval_fs=2).energies, rel=1e-9)
    calculator = potential.calculator()
    one = calculator.get_potential_energy(argon)
    argon.info["charge"] = -2
    assert calculator.get_potential_energy(argon) == pytest.approx(one - 10.0, rel=1e-12)


@pytest.mark.parametrize("time_ps", [0.04, 0.08])
@pytest.mark.parametrize(("begun", "now"), [(1, 0), (0, 1), (1, -1), (1, 2)])
def test_a_directory_of_another_charge_is_refused(argon, tmp_path, begun, now, time_ps):
    argon.info["charge"] = begun
    run(argon, soft(), directory=tmp_path)
    argon.info["charge"] = now
    with pytest.raises(InputError, match=f"holds a run of total charge {begun}, not {now}"):
        run(argon, soft(), directory=tmp_path, time_ps=time_ps)


def test_no_charge_is_a_charge_of_zero(argon, tmp_path):
    result = run(argon, soft(), directory=tmp_path)
    assert "charge" not in result.atoms.info
    argon.info["charge"] = 0
    assert run(argon, soft(), directory=tmp_path, time_ps=0.08).steps == 40


def test_a_directory_of_an_older_version_is_neutral(argon, tmp_path):
    """Its restart file says nothing of a charge."""
    run(argon, soft(), directory=tmp_path)
    with np.load(tmp_path / "restart.npz") as content:
        arrays = dict(content)
    meta = json.loads(str(arrays.pop("meta")))
    del meta["info"]
    stream = io.BytesIO()
    np.savez(stream, meta=np.array(json.dumps(meta)), **arrays)
    (tmp_path / "restart.npz").write_bytes(stream.getvalue())
    assert run(argon, soft(), directory=tmp_path).completed
    with pytest.raises(InputError, match="holds a run of total charge 0, not 1"):
        run(charged(argon.copy(), "charge"), soft(), directory=tmp_path)
    assert run(argon, soft(), directory=tmp_path, time_ps=0.08).steps == 40


@pytest.mark.parametrize("info", [{"charge": 0.5}, {"charge": 1, "total_charge": 2}, {"net_charge": 1}])
def test_a_charge_that_cannot_be_kept_is_refused_before_anything_is_written(argon, tmp_path, info):
    argon.info |= info
    with pytest.raises(InputError, match=r"^the start: .*charge"):
        run(argon, soft(), directory=tmp_path / "new")
    assert not (tmp_path / "new").exists()
