"""Multiple time steps: what a run with an inner potential computes, keeps and refuses."""

import json
from dataclasses import fields

import numpy as np
import pytest
from ase.calculators.lj import LennardJones

from electrolyte_ml import load
from electrolyte_ml.dynamics import distil, run_md, sample
from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials import MomentTensorPotential
from electrolyte_ml.potentials.pairwise import ZBL
from electrolyte_ml.structures import pack

FILES = ("log.csv", "trajectory.trr")
ENSEMBLES = [{"ensemble": "nve"}, {"ensemble": "nvt"}]
BAROSTATS = [{"ensemble": "npt"}, {"ensemble": "npt", "anisotropic": True}]


def run(spheres, **options):
    standard = {"temperature": 300, "time_ps": 0.4, "timestep_fs": 8.0, "frame_interval_fs": 80, "ensemble": "nvt"}
    return run_md(*spheres, **(standard | {"log_interval_fs": 16, "progress": False} | options))


def weaker(potential, factor=0.8):
    """The potential of the spheres with forces multiplied by a factor."""
    return potential.with_parameters(np.array([1.0, 0.0, factor]))


class Counting(MomentTensorPotential):
    """A potential that counts its evaluations."""

    calls = 0

    def evaluate(self, atoms, threads=None):
        Counting.calls += 1
        return super().evaluate(atoms, threads)


class Interrupt:
    """A monitor that ends the program at a step."""

    reason, every = "interrupt", 1

    def __init__(self, at):
        self.at = at

    def check(self, step, atoms, results):
        if step == self.at:
            raise KeyboardInterrupt


@pytest.mark.parametrize("steps", [1, 4])
def test_the_same_potential_inside_is_velocity_verlet(spheres, steps):
    multiple = run(spheres, ensemble="nve", inner=spheres[1], inner_steps=steps)
    single = run(spheres, ensemble="nve", timestep_fs=8.0 / steps)
    assert multiple.steps * steps == single.steps
    np.testing.assert_allclose(multiple.atoms.positions, single.atoms.positions, atol=1e-11)
    np.testing.assert_allclose(multiple.conserved_energies, single.conserved_energies, atol=1e-9)


@pytest.mark.parametrize("options", ENSEMBLES)
def test_one_inner_step_is_a_single_step(spheres, options):
    """With one inner step the inner forces cancel, whatever they are."""
    multiple = run(spheres, inner=weaker(spheres[1]), inner_steps=1, **options)
    single = run(spheres, **options)
    np.testing.assert_allclose(multiple.atoms.positions, single.atoms.positions, atol=1e-11)
    np.testing.assert_allclose(multiple.conserved_energies, single.conserved_energies, atol=1e-9)


def test_the_potential_is_evaluated_once_in_an_outer_step(spheres):
    atoms, potential = spheres
    counting = Counting(**{field.name: getattr(potential, field.name) for field in fields(potential)})
    Counting.calls = 0
    result = run((atoms, counting), inner=weaker(potential), inner_steps=4, restart_interval_fs=1e6)
    assert result.completed and result.steps == 50
    assert Counting.calls == 51


@pytest.mark.parametrize("options", BAROSTATS)
def test_the_cell_changes_in_every_tenth_step(spheres, options):
    """And the potential is evaluated once more there."""
    atoms, potential = spheres
    counting = Counting(**{field.name: getattr(potential, field.name) for field in fields(potential)})
    Counting.calls = 0
    options = options | {"log_interval_fs": 8, "frame_interval_fs": 8, "restart_interval_fs": 1e6}
    result = run((atoms, counting), inner=weaker(potential), inner_steps=4, **options)
    changed = np.flatnonzero(np.diff(result.densities)) + 1
    assert changed.tolist() == [10, 20, 30, 40, 50]
    assert Counting.calls == 56
    lengths = np.array([frame.cell.lengths() for frame in result.frames()])
    assert (np.ptp(lengths[-1]) > 1e-6) == ("anisotropic" in options)


@pytest.mark.parametrize("options", ENSEMBLES + BAROSTATS)
@pytest.mark.parametrize("at", [1, 23, 40])
def test_killed_and_resumed_run_is_the_same_to_the_bit(tmp_path, spheres, options, at):
    options = options | {"inner": weaker(spheres[1]), "inner_steps": 3, "restart_interval_fs": 80}
    with pytest.raises(KeyboardInterrupt):
        run(spheres, directory=tmp_path / "killed", monitors=[Interrupt(at)], **options)
    resumed = run(spheres, directory=tmp_path / "killed", **options)
    whole = run(spheres, directory=tmp_path / "whole", **options)
    for name in FILES:
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    np.testing.assert_array_equal(resumed.atoms.positions, whole.atoms.positions)
    np.testing.assert_array_equal(resumed.atoms.get_momenta(), whole.atoms.get_momenta())


@pytest.fixture(scope="module")
def liquid():
    """Two EC molecules with an inner potential."""
    potential = load("ec-emc")
    atoms = run_md(
        pack({"EC": 2}, 1.1, seed=1), potential, ensemble="nvt", time_ps=0.2, relax=100, progress=False
    ).atoms
    frames = sample(potential, atoms, progress=False)
    return (atoms, potential), distil(potential, frames).inner


@pytest.mark.parametrize("ensemble", ["nvt", "npt"])
def test_friction_on_bonds_resumes_to_the_bit(tmp_path, liquid, ensemble):
    system, inner = liquid
    options = {"ensemble": ensemble, "inner": inner, "timestep_fs": 3.0, "restart_interval_fs": 30, "time_ps": 0.15}
    with pytest.raises(KeyboardInterrupt):
        run(system, directory=tmp_path / "killed", monitors=[Interrupt(33)], **options)
    resumed = run(system, directory=tmp_path / "killed", **options)
    whole = run(system, directory=tmp_path / "whole", **options)
    for name in FILES:
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    np.testing.assert_array_equal(resumed.atoms.get_momenta(), whole.atoms.get_momenta())


def test_friction_acts_only_with_a_thermostat(liquid):
    """Its heat is counted: the conserved energy is as constant as without a thermostat."""
    system, inner = liquid
    spreads = {}
    for ensemble, damping in (("nvt", 300.0), ("nve", None)):
        options = {"ensemble": ensemble, "inner": inner, "timestep_fs": 2.0, "time_ps": 0.6, "log_interval_fs": 2}
        result = run(system, **options, tdamp_fs=1e9)
        assert result.settings["bond_damping_fs"] == damping
        spreads[ensemble] = (
            result.conserved_energies.std(), (result.energies + result.kinetic_energies).std(), result.atoms.positions
        )  # fmt: skip
    assert np.abs(spreads["nvt"][2] - spreads["nve"][2]).max() > 0.01
    assert spreads["nve"][0] == pytest.approx(spreads["nve"][1], rel=1e-3)
    assert spreads["nvt"][0] < 2 * spreads["nve"][0] < 0.2 * spreads["nvt"][1]


def test_the_inner_potential_stays_with_the_run(tmp_path, spheres):
    inner = weaker(spheres[1])
    run(spheres, directory=tmp_path, inner=inner, inner_steps=4)
    kept = load(tmp_path / "inner.mtp")
    assert kept.fingerprint == inner.fingerprint
    assert json.loads((tmp_path / "result.json").read_text())["inner_steps"] == 4
    longer = run(spheres, directory=tmp_path, inner=kept, inner_steps=4, time_ps=0.8)
    assert longer.steps == 100
    for other in ({"inner": weaker(inner, 0.7), "inner_steps": 4}, {}, {"inner": inner, "inner_steps": 2}):
        with pytest.raises(InputError, match="holds a run with inner"):
            run(spheres, directory=tmp_path, **other)


def test_inner_steps_are_at_most_one_femtosecond_long_by_default(spheres):
    for timestep_fs, steps in ((3.0, 3), (3.2, 4), (0.5, 1)):
        result = run(spheres, inner=weaker(spheres[1]), timestep_fs=timestep_fs, time_ps=0.01)
        assert result.settings["inner_steps"] == steps


def test_a_longer_inner_cutoff_is_allowed(spheres):
    """It is only slow: both potentials have neighbour lists of their own."""
    longer = MomentTensorPotential.random(
        2, ("Ar",), radial_basis_size=1, cutoff=6.0, min_distance=0.5, scaling=0.01
    ).with_parameters(np.array([1.0, 0.0, 1.0]))
    result = run(spheres, ensemble="nve", inner=longer, inner_steps=4)
    assert result.completed
    assert result.conserved_energies.std() < 0.01 * result.kinetic_energies.std()


def test_an_inner_potential_that_draws_atoms_together_ends_the_run(spheres):
    """Its forces are wrong by more than a kick may correct, in too many steps."""
    options = {"ensemble": "nvt", "timestep_fs": 40, "log_interval_fs": 80, "frame_interval_fs": 80}
    result = run(spheres, inner=weaker(spheres[1], -10.0), inner_steps=8, time_ps=4, **options)
    assert result.reason == "calculator"
    assert "the inner potential was not good enough for 21 of " in result.detail
    assert "its force on atom" in result.detail and "eV/Å" in result.detail
    assert np.isfinite(result.energies).all()


def fast_pair(atoms):
    """Two atoms that fly at each other, all others at rest: within 200 fs they meet."""
    atoms = atoms.copy()
    atoms.set_momenta(np.zeros((len(atoms), 3)))
    separation = atoms.positions[1] - atoms.positions[0]
    towards = separation / np.linalg.norm(separation)
    atoms.arrays["momenta"][:2] = 6.0 * np.stack([towards, -towards])
    return atoms


@pytest.mark.parametrize("factor", [0.0, -3.0])
def test_a_step_in_which_the_inner_potential_fails_is_taken_with_single_steps(spheres, factor):
    """Without any repulsion in the inner potential two atoms meet; the outer potential keeps them apart."""
    start = fast_pair(spheres[0]), spheres[1]
    options = {"ensemble": "nve", "log_interval_fs": 200, "frame_interval_fs": 200, "time_ps": 0.2}
    multiple = run(start, inner=weaker(spheres[1], factor), inner_steps=100, timestep_fs=200, **options)
    single = run(start, timestep_fs=2, **options)
    assert (multiple.repeated_steps, multiple.steps, single.repeated_steps) == (1, 1, 0)
    np.testing.assert_allclose(multiple.atoms.positions, single.atoms.positions, atol=1e-11)
    np.testing.assert_allclose(multiple.atoms.get_momenta(), single.atoms.get_momenta(), atol=1e-11)
    assert multiple.conserved_energies[-1] == pytest.approx(single.conserved_energies[-1], abs=1e-9)


@pytest.mark.parametrize("ensemble, factor", [("nve", -1.0), ("nvt", -0.5), ("npt", -0.5)])
def test_a_run_with_repeated_steps_resumes_to_the_bit(tmp_path, spheres, ensemble, factor):
    options = {"ensemble": ensemble, "inner": weaker(spheres[1], factor), "inner_steps": 16, "timestep_fs": 64.0}
    options |= {"restart_interval_fs": 256, "log_interval_fs": 64, "frame_interval_fs": 256, "time_ps": 2.56}
    with pytest.raises(KeyboardInterrupt):
        run(spheres, directory=tmp_path / "killed", monitors=[Interrupt(21)], **options)
    resumed = run(spheres, directory=tmp_path / "killed", **options)
    whole = run(spheres, directory=tmp_path / "whole", **options)
    assert 0 < whole.repeated_steps < 20
    assert resumed.repeated_steps == whole.repeated_steps
    assert json.loads((tmp_path / "whole" / "result.json").read_text())["repeated_steps"] == whole.repeated_steps
    for name in FILES:
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


@pytest.mark.parametrize(
    "options, message",
    [
        ({"thermostat": "nose-hoover", "ensemble": "nvt"}, "do not work with nose-hoover"),
        ({"inner_steps": 0}, "inner_steps must be"),
        ({"inner_steps": 1.5}, "inner_steps must be"),
        ({"inner": ZBL(("H", "C"))}, "inner potential: atom 1 is Ar"),
        ({"inner": None, "inner_steps": 2}, "inner_steps needs an inner potential"),
    ],
)
def test_bad_input_is_refused_in_one_line(spheres, options, message):
    with pytest.raises(InputError, match=message) as caught:
        run(spheres, **({"inner": weaker(spheres[1])} | options))
    assert "\n" not in str(caught.value)


def test_a_calculator_of_another_program_has_no_inner_potential(spheres):
    with pytest.raises(InputError, match="multiple time steps need a potential, and LennardJones is none"):
        run((spheres[0], LennardJones()), inner=spheres[1])
