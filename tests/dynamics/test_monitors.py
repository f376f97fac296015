import numpy as np
import pytest
from ase import Atoms

from electrolyte_ml.dynamics import (
    CellMonitor,
    ContactMonitor,
    DensityMonitor,
    EnergyMonitor,
    GradeMonitor,
    MoleculeMonitor,
    TemperatureMonitor,
    Verdict,
    run_md,
)
from electrolyte_ml.errors import InputError
from electrolyte_ml.structures import density, molecule, pack


class ByVolume:
    """An active set whose grade is a given function of the volume."""

    def __init__(self, function):
        self.function, self.calls = function, 0

    def grade(self, atoms):
        self.calls += 1
        return self.function(atoms.get_volume())


class Rising:
    """Grades 0, 1, 2, ... whatever the configuration."""

    def __init__(self):
        self.seen = []

    def grade(self, atoms):
        self.seen.append(atoms.positions.copy())
        return len(self.seen) - 1.0


def run(system, **options):
    atoms, calculator = system
    standard = {"temperature": 100, "time_ps": 0.2, "progress": False, "log_interval_fs": 20}
    return run_md(atoms, calculator, **(standard | options))


def test_grade_saves_between_thresholds_and_stops_with_the_breaking_one(diatomic, tmp_path):
    grades = Rising()
    monitor = GradeMonitor(grades, save=2, break_=10, every=5)
    result = run(diatomic, monitors=[monitor], directory=tmp_path)
    assert (result.reason, result.detail) == ("grade", "extrapolation grade 11 is above 10")
    assert [(step, grade) for step, grade, _ in result.saved] == [(5 * k, k) for k in range(3, 12)]
    for step, _, atoms in result.saved:
        np.testing.assert_allclose(atoms.positions, grades.seen[step // 5], atol=1e-7)
        assert atoms.calc is None  # a potential's prediction must not pass for a label
    assert result.steps == 55 and len(grades.seen) == 12
    np.testing.assert_array_equal(result.grades, [0, 4, 8, 11])  # rows at 0, 20, 40 and at the stop
    np.testing.assert_array_equal(result.saved[-1][2].cell.array, result.atoms.cell.array)


def test_enough_saved_configurations_end_the_run_killed_or_not(diatomic, tmp_path):
    class KilledAfterThree(Rising):
        def grade(self, atoms):
            if len(self.seen) == 6:
                raise KeyboardInterrupt
            return super().grade(atoms)

    options = {"restart_interval_fs": 1, "directory": tmp_path}
    with pytest.raises(KeyboardInterrupt):
        run(diatomic, monitors=[GradeMonitor(KilledAfterThree(), most=5)], **options)
    result = run(diatomic, monitors=[GradeMonitor(ByVolume(lambda volume: 4.0), most=5)], **options)
    assert (result.reason, result.detail) == ("grade", "saved 5 configurations above grade 2")
    assert [step for step, _, _ in result.saved] == list(range(3, 8))


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("40\nLattice", "999999999999\nLattice", "configuration 1: the file ends"),
        ("species:S:1", "species:S:999999999999", "configuration 1"),
        ("grade=3.0", "grade=nan", "not a finite number"),
        ("step=15", "step=-15", "is not of this run"),
    ],
)
def test_saved_configurations_that_make_no_sense_are_named(diatomic, tmp_path, old, new, reason):
    options = {"directory": tmp_path, "monitors": [GradeMonitor(ByVolume(lambda volume: 3.0), every=5)]}
    assert run(diatomic, **options).completed
    path = tmp_path / "saved.xyz"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(InputError, match=f"saved.xyz.*{reason}"):
        run(diatomic, **options)


def test_saved_configurations_survive_a_kill_once_each(diatomic, tmp_path):
    class Half(Rising):
        def grade(self, atoms):
            if len(self.seen) == 33:
                raise KeyboardInterrupt
            return min(super().grade(atoms), 5)

    options = {"restart_interval_fs": 7, "directory": tmp_path}
    with pytest.raises(KeyboardInterrupt):
        run(diatomic, monitors=[GradeMonitor(Half())], **options)
    monitor = GradeMonitor(ByVolume(lambda volume: 5.0))
    result = run(diatomic, monitors=[monitor], **options)
    assert [step for step, _, _ in result.saved] == list(range(3, 201))
    again = run(diatomic, monitors=[monitor], **options)
    assert [step for step, _, _ in again.saved] == list(range(3, 201))


def test_grade_that_is_not_a_number_stops(diatomic):
    result = run(diatomic, monitors=[GradeMonitor(ByVolume(lambda volume: np.nan))])
    assert result.reason == "grade" and result.steps == 0 and len(result.saved) == 1


@pytest.mark.parametrize(
    "gained, time_ps, stops", [(4.9, 0.1, False), (-5.1, 0.1, True), (9, 20, False), (11, 20, True)]
)
def test_the_energy_may_drift_by_the_limit_of_ten_picoseconds_or_more(gained, time_ps, stops):
    """At most 0.5 meV/atom/ps; `gained` is in meV for each of two atoms."""
    results = {"gained": 2e-3 * gained, "time_ps": time_ps}
    verdict = EnergyMonitor(maximum=0.5).check(100, Atoms("N2"), results)
    assert (verdict is not None) == stops
    if stops:
        assert f"has changed by {gained:+g} meV/atom in {time_ps:g} ps, more than 0.5" in verdict.stop


class Driven:
    """A calculator with an additional force along the momenta, which heats all atoms."""

    implemented_properties = ("energy", "forces")

    def __init__(self, calculator):
        self.calculator, self.results = calculator, {}

    def calculate(self, atoms, properties, system_changes):
        self.calculator.calculate(atoms, properties, system_changes)
        forces = self.calculator.results["forces"] + 0.01 * atoms.get_momenta()
        self.results = {"energy": self.calculator.results["energy"], "forces": forces}


def test_a_run_ends_when_its_energy_drifts_killed_or_not(diatomic, tmp_path):
    """The change counts from step 0, whenever a run resumes."""

    class Killing:
        reason, every = "killed", 50

        def check(self, step, atoms, results):
            if step == 50:
                raise KeyboardInterrupt

    atoms, calculator = diatomic
    limit = EnergyMonitor(maximum=1.0, every=10)
    options = {"ensemble": "nve", "time_ps": 5, "restart_interval_fs": 20, "log_interval_fs": 10}
    whole = run((atoms, Driven(calculator)), monitors=[limit], directory=tmp_path / "whole", **options)
    with pytest.raises(KeyboardInterrupt):
        run((atoms, Driven(calculator)), monitors=[limit, Killing()], directory=tmp_path / "killed", **options)
    resumed = run((atoms, Driven(calculator)), monitors=[limit], directory=tmp_path / "killed", **options)
    assert whole.reason == "energy" and 50 < whole.steps < 5000
    assert (resumed.reason, resumed.detail, resumed.steps) == ("energy", whole.detail, whole.steps)
    gained = 1e3 * (whole.conserved_energies - whole.conserved_energies[0]) / len(atoms)
    assert gained[-2] <= 10 < gained[-1] and f"by {gained[-1]:+.3g} meV/atom" in whole.detail
    assert run(diatomic, monitors=[limit], **options).completed


def test_monitors_look_only_when_they_should(diatomic):
    active_set = ByVolume(lambda volume: 0.0)
    run(diatomic, monitors=[GradeMonitor(active_set, every=40)])
    assert active_set.calls == 6


class Scripted:
    """The grades of a script, one after the other, and the positions at which they were asked for."""

    def __init__(self, grades, interrupt=None):
        self.grades, self.interrupt, self.seen = list(grades), interrupt, []

    def grade(self, atoms):
        if len(self.seen) == self.interrupt:
            raise KeyboardInterrupt
        self.seen.append(atoms.positions.copy())
        return self.grades[len(self.seen) - 1]


def test_the_grade_is_looked_at_seldom_while_it_is_low(diatomic):
    """Steps of 1 fs, at least every 5th: 40 after a grade of 0.8, 20 after 1.0, 10 after 1.2, 5 after more."""
    grades = Scripted([0.8, 1.0, 1.2, 1.5, 2.5, 0.1, 0.1, 0.1, 0.1])
    result = run(diatomic, monitors=[GradeMonitor(grades, every=5, longest=40)], log_interval_fs=5)
    looked = [0, 40, 60, 70, 75, 80, 120, 160, 200]
    assert len(grades.seen) == len(looked)
    assert np.flatnonzero(np.isfinite(result.grades)).tolist() == [step // 5 for step in looked]
    assert [step for step, _, _ in result.saved] == [75]


def test_pauses_go_on_after_a_kill(diatomic, tmp_path):
    """The looks of a resumed run are those of an undisturbed one."""
    script = [0.8, 1.0, 1.2, 1.5, 0.9, 0.1, 0.1, 0.1, 0.1]
    whole = Scripted(script)
    run(diatomic, monitors=[GradeMonitor(whole, every=5, longest=40)])
    options = {"directory": tmp_path, "restart_interval_fs": 7}
    for place in range(1, len(whole.seen)):
        folder = tmp_path / str(place)
        first = Scripted(script, interrupt=place)
        with pytest.raises(KeyboardInterrupt):
            run(diatomic, monitors=[GradeMonitor(first, every=5, longest=40)], **(options | {"directory": folder}))
        rest = Scripted(script[place:])
        run(diatomic, monitors=[GradeMonitor(rest, every=5, longest=40)], **(options | {"directory": folder}))
        assert np.allclose([*first.seen, *rest.seen], whole.seen, atol=1e-9)


def test_heating_is_stopped(diatomic):
    result = run(diatomic, temperature=600, monitors=[TemperatureMonitor(maximum=300, every=1)])
    assert result.reason == "temperature" and result.steps == 0
    assert result.detail.endswith("K is outside 0 to 300 K")
    assert result.temperatures[-1] > 300


def test_boiling_is_stopped(diatomic):
    atoms, _ = diatomic
    monitor = DensityMonitor.around(atoms, 0.05, every=1)
    result = run(diatomic, temperature=900, pdamp_fs=50, time_ps=2, monitors=[monitor])
    assert result.reason == "density"
    assert abs(density(result.atoms) / density(atoms) - 1) > 0.05
    assert "g/cm³ is outside" in result.detail


def test_density_of_a_cluster_has_no_range(diatomic):
    with pytest.raises(InputError, match="a density needs a cell"):
        DensityMonitor.around(Atoms("N2", [[0, 0, 0], [0, 0, 1]]), 0.1)


def test_broken_molecule_is_named_in_a_run(diatomic):
    atoms, calculator = diatomic
    velocities = np.zeros((40, 3))
    velocities[:2] = (atoms.positions[:2] - atoms.positions[:2].mean(axis=0)) * 2.0  # tears the first molecule
    atoms.set_velocities(velocities)
    result = run((atoms, calculator), ensemble="nve", monitors=[MoleculeMonitor(atoms, every=1)])
    assert result.reason == "broken molecule"
    assert "broken bond N1-N2" in result.detail


def test_broken_and_fused_carbonates_are_found():
    box = pack({"EC": 2}, density=0.8, seed=1)
    monitor = MoleculeMonitor(box)
    assert monitor.check(0, box, {}) is None
    torn = box.copy()
    torn.positions[1] += 1.5 * (torn.positions[1] - torn.positions[0])
    assert "broken" in monitor.check(0, torn, {}).stop
    fused = box.copy()
    fused.positions[10:] += fused.positions[1] - fused.positions[10] + 1.0 / np.sqrt(3)
    assert "new bond" in monitor.check(0, fused, {}).stop


def test_overlap_is_found_across_the_boundary():
    atoms = Atoms("CO", [[0.2, 1, 1], [9.8, 1, 1]], cell=[10] * 3, pbc=True)
    monitor = ContactMonitor(0.7)
    assert monitor.check(0, atoms, {}) == Verdict("atoms C1 and O2 are 0.40 Å apart, closer than 0.7 Å")
    atoms.pbc = False
    assert monitor.check(0, atoms, {}) is None
    assert monitor.check(0, molecule("EMC"), {}) is None


def test_narrow_cell_is_found_by_the_distance_of_its_faces():
    skewed = Atoms("N2", [[0, 0, 0], [0, 0, 1]], cell=[[10, 0, 0], [8, 6, 0], [0, 0, 10]], pbc=True)
    # Faces stand V / |b x c| apart: 600 / 100 Å along a and b, although those vectors are 10 Å long.
    assert CellMonitor(6.1).check(0, skewed, {}) == Verdict("the cell is 6.00 Å wide, less than 6.1 Å")
    assert CellMonitor(5.9).check(0, skewed, {}) is None
    skewed.pbc = (False, False, True)
    assert CellMonitor(6.1).check(0, skewed, {}) is None


@pytest.mark.parametrize(
    "make",
    [
        lambda: TemperatureMonitor(maximum=-1),
        lambda: TemperatureMonitor(maximum=300, minimum=400),
        lambda: DensityMonitor(2, 1),
        lambda: CellMonitor(0),
        lambda: EnergyMonitor(maximum=0),
        lambda: ContactMonitor(-0.1),
        lambda: GradeMonitor(Rising(), save=10, break_=2),
        lambda: GradeMonitor(Rising(), save=0),
        lambda: GradeMonitor(Rising(), every=0),
        lambda: GradeMonitor(Rising(), most=-1),
        lambda: GradeMonitor(Rising(), longest=0),
        lambda: TemperatureMonitor(maximum=300, every=1.5),
    ],
)
def test_impossible_monitor_is_refused(make):
    with pytest.raises(InputError):
        make()


def test_a_monitor_that_returns_no_verdict_is_named(diatomic):
    class Words:
        reason, every = "words", 1

        def check(self, step, atoms, results):
            return "enough"

    with pytest.raises(InputError, match="Words.check returned 'enough', neither a Verdict nor None"):
        run(diatomic, monitors=[Words()])
