"""The paper scale holds the paper's numbers; each is typed here from the paper itself."""

import pytest

from electrolyte_ml.settings import PAPER
from electrolyte_ml.structures import MOLECULES, parse_composition

ATOMS = {"EC": 10, "EMC": 15, "Li": 1, "PF6": 7}  # C3H4O3, C4H8O3


def atoms_in(cell):
    return sum(ATOMS[name] * count for name, count in parse_composition(cell).items())


def test_molecules_have_the_atoms_counted_here():
    assert {name: len(molecule.symbols) for name, molecule in MOLECULES.items()} == ATOMS


def test_pure_solvents():  # 2.1, 4.1
    pure = PAPER.pure_solvents
    assert (pure.level, pure.cutoff, pure.radial_basis_size, len(pure.seeds)) == (16, 5.0, 8, 3)
    assert [atoms_in(cell) for cell in pure.cells] == [160, 120]
    assert (pure.seeding.ensemble, pure.seeding.temperature) == ("nvt", 400.0)
    assert (pure.seeding.time_ps, pure.seeding.timestep_fs, pure.seeding_configurations) == (2.0, 1.0, 200)


def test_active_learning():  # 4.4
    learning = PAPER.pure_solvents.learning
    assert (learning.trajectories, learning.grade_save, learning.grade_break) == (10, 2.0, 10.0)
    assert (learning.run.ensemble, learning.run.temperature, learning.run.pressure_bar) == ("npt", 300.0, 1.01325)
    assert (learning.run.time_ps, learning.run.timestep_fs) == (100.0, 1.0)


def test_loss_and_its_minimisation():  # 4.3
    fit = PAPER.fit
    assert (fit.energy_weight, fit.force_weight, fit.stress_weight) == (1.0, 0.01, 0.0)
    assert (fit.initial_range, fit.optimiser) == ((-1.0, 1.0), "BFGS")


def test_reference_calculations():  # 4.5
    assert (PAPER.reference.name, PAPER.reference.plane_wave_cutoff) == ("PBE-D3(0)", 550.0)
    assert PAPER.ion_pair_training.reference.plane_wave_cutoff == 750.0
    assert PAPER.reference.scf_tolerance == PAPER.ion_pair_training.reference.scf_tolerance == 1e-6


def test_mixture_training():  # S1
    training = PAPER.mixture_training
    assert (training.level, training.uniform_configurations, training.molecules) == (20, 20, (8, 16))
    assert training.learning.trajectories == 11


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
    assert (atoms_in(training.pair_cell), atoms_in(training.aggregate_cell)) == (143, 286)
    assert (training.seeding.ensemble, training.seeding.temperature, training.seeding.time_ps) == ("nve", 300.0, 0.5)
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
