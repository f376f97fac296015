"""The paper scale holds the paper's numbers; each is typed here from the paper itself."""

import pytest

from electrolyte_ml.paper.protocols import pure_solvent, reference_of
from electrolyte_ml.paper.scales import PAPER
from electrolyte_ml.structures import MOLECULES, parse_composition

ATOMS = {"EC": 10, "EMC": 15, "Li": 1, "PF6": 7}  # C3H4O3, C4H8O3


def atoms_in(cell):
    return sum(ATOMS[name] * count for name, count in parse_composition(cell).items())


def test_molecules_have_the_atoms_counted_here():
    assert {name: len(MOLECULES[name].symbols) for name in ATOMS} == ATOMS


def test_pure_solvents():  # 2.1, 4.1
    pure, model, seeding = PAPER.pure_solvents, PAPER.pure_solvents.learning.model, PAPER.pure_solvents.learning.seeding
    assert (model.level, model.cutoff, model.radial_basis_size, len(pure.seeds)) == (16, 5.0, 8, 3)
    assert [atoms_in(cell) for cell in pure.cells] == [160, 120]
    assert (seeding.ensemble, seeding.temperature) == ("nvt", 400.0)
    assert (seeding.time_ps, seeding.timestep_fs, seeding.configurations) == (2.0, 1.0, 200)


def test_active_learning():  # 4.4
    run, grades = PAPER.pure_solvents.learning.exploration, PAPER.pure_solvents.learning.grades
    assert (run.trajectories, grades.save_threshold, grades.break_threshold) == (10, 2.0, 10.0)
    assert (run.ensemble, run.temperature, run.pressure_bar) == ("npt", 300.0, 1.01325)
    assert (run.time_ps, run.timestep_fs) == (100.0, 1.0)


def test_loss_and_its_minimisation():  # 4.3
    for refit in (False, True):
        handed = PAPER.pure_solvents.learning.fit.options(refit=refit)
        assert (handed["energy_weight"], handed["force_weight"], handed["stress_weight"]) == (1.0, 0.01, 0.0)
        assert handed["method"] == "paper"  # plain BFGS
    settings = pure_solvent(PAPER, "EC", seed=1)
    start = settings.model.random(("H", "C", "O"), settings.seed).parameters
    assert len(start) == 383
    assert -1 <= start.min() < -0.98 and 0.98 < start.max() <= 1  # U(-1, 1): 383 draws leave no gap of 2 % at an end
    assert start.std() == pytest.approx(1 / 3**0.5, rel=0.1)


def test_reference_calculations():  # 4.5
    solvents, ion_pairs = reference_of(PAPER), PAPER.ion_pair_training.learning.reference.make()
    assert solvents.name == ion_pairs.name == "PBE-D3(0), VASP"
    assert (solvents.settings["encut"], ion_pairs.settings["encut"]) == (550.0, 750.0)
    assert solvents.settings["ediff"] == ion_pairs.settings["ediff"] == 1e-6
    assert pure_solvent(PAPER, "EMC").reference.make().key == solvents.key


def test_mixture_training():  # S1
    training = PAPER.mixture_training
    level = training.learning.model.level
    assert (level, training.uniform_configurations, training.compositions) == (20, 20, 11)
    assert training.ends == ("EC=16", "EMC=8")


def test_mixture_densities():  # 2.2, Fig. 2
    density = PAPER.mixture_density.density
    assert [atoms_in(cell) for cell in density.cells] == [4320, 3105, 3645, 4320]
    ratios = [parse_composition(cell) for cell in density.cells[1:3]]
    assert [r["EC"] / r["EMC"] for r in ratios] == pytest.approx([7 / 3, 3 / 7])
    assert (density.run.ensemble, density.run.temperature, density.run.timestep_fs) == ("npt", 300.0, 1.0)
    assert (density.run.time_ps, density.average_last_ps) == (300.0, 100.0)


def test_intermolecular_errors():  # Fig. 3
    errors = PAPER.intermolecular_errors
    assert (errors.levels, len(errors.seeds), errors.configurations) == ((12, 16, 20), 3, 300)
    assert errors.ratios == ((1, 0), (7, 3), (3, 7), (0, 1))
    assert (errors.molecules, errors.sampling.time_ps) == ((8, 16), 100.0)


def test_ion_pairs():  # 2.3.1, 2.3.2
    training = PAPER.ion_pair_training
    assert (training.contact_pairs, training.separated_pairs, training.aggregates) == (4, 4, 3)
    assert training.cells == ("EC=3 EMC=7 LiPF6=1",)
    assert atoms_in("EC=3 EMC=7 Li=1 PF6=1") == 143
    assert training.learning.model.level == 20
    seeding = training.learning.seeding
    assert (seeding.ensemble, seeding.temperature, seeding.time_ps) == ("nve", 300.0, 0.5)
    assert (training.validation_configurations, training.validation.time_ps) == (300, 100.0)
    assert parse_composition(training.rdf_cell) == {"EC": 80, "Li": 8, "PF6": 8}
    assert (training.rdf.ensemble, training.rdf.time_ps) == ("nvt", 100.0)


def test_conductivity():  # 4.6, Table 1
    runs = PAPER.conductivity
    assert [atoms_in(cell) for cell in runs.cells] == [1144, 1104, 1064]
    assert runs.temperatures == (280.0, 300.0, 320.0)
    assert [(start, end) for start, end, _ in runs.annealing] == [
        (300.0, 300.0),
        (300.0, 380.0),
        (380.0, 380.0),
        (380.0, 300.0),
        (300.0, 300.0),
    ]
    assert {ps for _, _, ps in runs.annealing} == {1000.0}
    assert (runs.mtp.trajectories, runs.mtp.time_ps, runs.mtp.equilibration_ps) == (10, 2500.0, 500.0)
    assert (runs.mtp.correlation_ps, runs.mtp.window_ps) == (500.0, 300.0)
    assert (runs.qrd.trajectories, runs.qrd.time_ps, runs.qrd.equilibration_ps) == (50, 200.0, 100.0)
    assert (runs.qrd.correlation_ps, runs.qrd.window_ps) == (100.0, 20.0)
