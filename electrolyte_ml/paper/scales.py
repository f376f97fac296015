"""The three scales: all numbers of all protocols.

``quick`` runs on two cores in minutes with real physics in small boxes, ``standard`` overnight on a laptop, and
``paper`` has the sizes and lengths of the paper. A protocol that is not run at a scale is ``None``; claims that depend
on it are then "not run at this scale".

Protocols are made of the sections of :mod:`electrolyte_ml.active_learning.sections`. Units: K, bar, fs for time steps,
ps for lengths of runs, Å, eV, g/cm³. Cells are compositions as
:func:`electrolyte_ml.structures.boxes.parse_composition` reads them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from electrolyte_ml.active_learning.sections import (
    ExplorationSettings,
    FitSettings,
    GradeSettings,
    LearningProtocol,
    MDRun,
    ReferenceSettings,
    SeedingSettings,
    StoppingSettings,
    UniformCount,
)
from electrolyte_ml.errors import InputError
from electrolyte_ml.paper.places import results_root, shipped_results
from electrolyte_ml.potentials.spec import ModelSpec
from electrolyte_ml.structures.motifs import Pairing


@dataclass(frozen=True)
class DensityRun:
    """Density of a liquid: a run in NPT, averaged over its last part.

    `heating` is a run at constant volume before it. Randomly packed molecules reorient within picoseconds when hot and
    dense, but only within tens of picoseconds in NPT at 300 K, where the box first expands.
    """

    cells: tuple[str, ...]
    run: MDRun
    average_last_ps: float
    heating: MDRun | None = None


@dataclass(frozen=True)
class PureSolvents:
    """Potentials of pure EC and pure EMC from random parameters (section 2.1).

    Each cell is packed at its densities (g/cm³), which the seeding trajectories use in turn; `larger_cells`, none or
    one per cell, are explored, too. Every seed learns its own training set. With the first seed, a set and a density
    are also learnt with each reference in `beside`, which shows the effect of the reference on the density.
    """

    seeds: tuple[int, ...]
    cells: tuple[str, ...]
    packing_densities: tuple[tuple[float, ...], ...]
    learning: LearningProtocol
    density: DensityRun
    larger_cells: tuple[str, ...] = ()
    beside: tuple[ReferenceSettings, ...] = ()


@dataclass(frozen=True)
class Tour:
    """One small potential of a small cell for notebooks 00, 02 and 03, the same at every scale.

    The grades are those of neighbourhoods: with fewer configurations than parameters, the rows of whole configurations
    span too little for meaningful grades.
    """

    model: ModelSpec
    seeds: tuple[int, ...]
    cell: str
    packing_densities: tuple[float, ...]
    seeding: SeedingSettings
    fit: FitSettings
    run: MDRun
    grades: GradeSettings


@dataclass(frozen=True)
class ChargeStudy:
    """Study of fitted charges from random starts for notebook 07 (Fig. S6), and of their failures.

    The sets are droplets in vacuum of one Li and its ligands: `trained` is the only composition of the training set,
    `planned` another one. GFN1-xTB labels them at every scale, since it can treat droplets and computes their dipoles.

    Attributes
    ----------
    draws : int
        Number of random starts whose charges are compared without a fit.
    model : ModelSpec
        Model without charges, which are added to it.
    seeds : tuple of int
        Seeds of the fits, from raw and from our starts each.
    trained, planned : tuple of str
        Ligands of Li.
    seeding : SeedingSettings
        Dynamics for the training set; the set of the planned composition is from one trajectory of half the length.
    fit : FitSettings
    reference : ReferenceSettings
    """

    draws: int
    model: ModelSpec
    seeds: tuple[int, ...]
    trained: tuple[str, ...]
    planned: tuple[str, ...]
    seeding: SeedingSettings
    fit: FitSettings
    reference: ReferenceSettings


@dataclass(frozen=True)
class ConductivityRuns:
    """Production runs of one kind of potential, and the window of the Green-Kubo integral.

    Attributes
    ----------
    trajectories : int
        Number of trajectories at each temperature.
    time_ps, equilibration_ps : float
        Length of each trajectory at constant volume, and of its equilibration at constant pressure.
    correlation_ps, window_ps : float
        Upper limit of the integral, and length of the window that ends there, over which it is averaged; if it is None,
        the window is found from the data.
    """

    trajectories: int
    time_ps: float
    equilibration_ps: float
    correlation_ps: float
    window_ps: float | None = None


@dataclass(frozen=True)
class OwnElectrolyte:
    """A liquid that is not in the paper, with a training set and a potential from the source tree (notebook 20).

    Attributes
    ----------
    files : str
        Beginning of the names of the files: settings, training set, potential and labels of the audit.
    reference : ReferenceSettings
        Reference of the training set, at every scale.
    packing_density : float, g/cm³
    watched : MDRun
        Short dynamics with extrapolation grades.
    grades : GradeSettings
        Grades of these dynamics.
    labels : int
        Largest number of configurations that are labelled after these dynamics.
    density : DensityRun
        Density run in the one cell of all runs.
    annealing, production
        Short trajectories of the ions, with numbers as in `Conductivity` (notebooks 12 and 13).
    seed : int
        Seed of these trajectories.
    """

    files: str
    reference: ReferenceSettings
    packing_density: float
    watched: MDRun
    grades: GradeSettings
    labels: int
    density: DensityRun
    annealing: tuple[tuple[float, float, float], ...]
    production: ConductivityRuns
    seed: int = 0

    @property
    def cell(self) -> str:
        """Composition of the cell."""
        return self.density.cells[0]


@dataclass(frozen=True)
class MixtureTraining:
    """One potential for all EC to EMC ratios, from the sets of the pure solvents (sections 2.2 and S1).

    Attributes
    ----------
    sets : tuple of str
        Inherited files of ``data/sets``; if empty, the sets of the pure solvents' first seed at this scale.
    uniform_configurations : int
        Number of configurations of the preliminary fit.
    ends : tuple of str
        Boxes of the pure solvents.
    densities : tuple of float
        Packing densities of these boxes, g/cm³.
    compositions : int
        Number of compositions from end to end, with one trajectory each.
    learning : LearningProtocol
    shipped : str or None
        Name of the shipped potential that a run of this protocol made, see `electrolyte_ml.potentials`.
    """

    uniform_configurations: int
    ends: tuple[str, str]
    densities: tuple[float, float]
    compositions: int
    learning: LearningProtocol
    sets: tuple[str, ...] = ()
    shipped: str | None = None


@dataclass(frozen=True)
class MixtureDensity:
    """Densities from EC to EMC by several kinds of potential (section 2.2, Figs. 2 and S2).

    Attributes
    ----------
    levels : tuple of int
    charges : tuple of (str or None)
        Models of the charges; each pair of a level and a model is a kind of potential.
    seeds : tuple of int
        Seeds of the fits, all to the same training set.
    fit : FitSettings
    density : DensityRun
    packing_densities : tuple of float, g/cm³
        Packing densities of its cells.
    """

    levels: tuple[int, ...]
    charges: tuple[str | None, ...]
    seeds: tuple[int, ...]
    fit: FitSettings
    density: DensityRun
    packing_densities: tuple[float, ...]

    @property
    def kinds(self) -> tuple[ModelSpec, ...]:
        """Kinds of potential, those without charges first."""
        return tuple(ModelSpec(level=level, charges=charges) for charges in self.charges for level in self.levels)


@dataclass(frozen=True)
class IntermolecularErrors:
    """Errors split into those within and between molecules (section 2.2, Fig. 3)."""

    levels: tuple[int, ...]
    seeds: tuple[int, ...]
    ratios: tuple[tuple[int, int], ...]
    molecules: tuple[int, int]
    configurations: int
    sampling: MDRun


@dataclass(frozen=True)
class SmallCells:
    """Reference dynamics in small cells rich in salt, for the training set of ion pairs.

    Attributes
    ----------
    cells : tuple of str
        Compositions, used in turn.
    densities : tuple of float
        Packing density of each cell, g/cm³.
    seeding : SeedingSettings
        The dynamics, with the number of trajectories.
    """

    cells: tuple[str, ...]
    densities: tuple[float, ...]
    seeding: SeedingSettings


@dataclass(frozen=True)
class HotCells:
    """Exploration of hot, partly compressed cells of ion pairs and aggregates, which is not in the paper.

    Attributes
    ----------
    charges : tuple of str
        Models of the charges whose potentials have this stage.
    exploration : ExplorationSettings
        Dynamics, with a trajectory for each cell.
    compressions : tuple of float
        Densities of the cells in units of their own, used in turn.
    sets : tuple of str
        Labelled files of ``data`` of which MaxVol chooses configurations first.
    """

    charges: tuple[str, ...]
    exploration: ExplorationSettings
    compressions: tuple[float, ...] = (1.0,)
    sets: tuple[str, ...] = ()


@dataclass(frozen=True)
class IonPairTraining:
    """Training set of LiPF6 in EC and EMC (section 2.3.1), and its validation (section 2.3.2).

    Attributes
    ----------
    contact_pairs, separated_pairs, aggregates : int
        Numbers of cells that are packed and relaxed with the reference, and from which its dynamics start.
    cells : tuple of str
        Cells of pairs, used in turn; aggregates are in cells of twice as many molecules.
    densities : tuple of float
        Packing densities of these cells, g/cm³.
    relaxation_force, relaxation_steps : float, int
        Largest force (eV/Å) of a minimum, and largest number of steps.
    learning : LearningProtocol
        Protocol whose seeding are the reference dynamics from each cell; exploration has a trajectory for each cell.
    uniform_configurations : int or "all"
        Number of configurations of the preliminary fit.
    small : SmallCells or None
        Dynamics in small cells, which are inherited, too, and from whose ends exploration also starts.
    sets : tuple of str
        Files of ``data`` that are inherited in addition to those dynamics.
    mixtures : bool
        Whether the set of the scale's mixtures is inherited, too.
    earlier : str or None
        File of ``data`` with the set of an earlier run of the pairs that had not converged. It is then inherited
        in place of all other sets, and exploration starts from its configurations.
    earlier_aggregates : str or None
        File of ``data`` with the labelled dynamics of the aggregates, which are then not run again.
    hot : HotCells or None
        A last stage of the learning, if there is one.
    validation_configurations, validation
        Number of configurations and run of the validation set.
    rdf_cell, rdf
        Cell and run for g(r) of Li and O.
    """

    contact_pairs: int
    separated_pairs: int
    aggregates: int
    cells: tuple[str, ...]
    densities: tuple[float, ...]
    relaxation_force: float
    relaxation_steps: int
    learning: LearningProtocol
    uniform_configurations: UniformCount
    validation_configurations: int
    validation: MDRun
    rdf_cell: str
    rdf: MDRun
    small: SmallCells | None = None
    sets: tuple[str, ...] = ()
    mixtures: bool = False
    earlier: str | None = None
    earlier_aggregates: str | None = None
    hot: HotCells | None = None

    @property
    def count(self) -> Mapping[Pairing, int]:
        """Number of cells of each motif."""
        return {"SSIP": self.separated_pairs, "CIP": self.contact_pairs, "AGG": self.aggregates}


@dataclass(frozen=True)
class CorrectionTraining:
    """Correction of the potential of LiPF6 to a better reference, which is not in the paper.

    Attributes
    ----------
    cells : tuple of str
        Cells that are small enough for labels by the better reference.
    densities : tuple of float
        Packing densities of these cells, g/cm³.
    learning : LearningProtocol
        Protocol whose model is the correction and whose reference is the better one.
    sets : tuple of str
        Labelled files of ``data`` that are the first training set; if empty, a seeding gives it.
    """

    cells: tuple[str, ...]
    densities: tuple[float, ...]
    learning: LearningProtocol
    sets: tuple[str, ...] = ()


@dataclass(frozen=True)
class Conductivity:
    """Ionic conductivity by Green-Kubo (section 4.6).

    Attributes
    ----------
    cells : tuple of str
        Cells. Of several cells of one ratio, the first is used for the claims; the others show the effect of the size.
    temperatures : tuple of float, K
        Temperatures of the first cell, and of the others if `other_temperatures` is empty.
    annealing : tuple of (K, K, ps)
        Stages at constant pressure, each from one temperature to another.
    mtp, qrd : ConductivityRuns
        Runs of potentials without and with charges.
    packing_density : float, g/cm³
    measured_density : bool
        Whether all runs have the measured density of the electrolyte at their temperature, in place of constant
        pressure.
    other_temperatures : tuple of float, K
        Temperatures of the other cells.
    boxes : int
        Number of boxes that are packed and annealed independently; trajectories start from them in turn.
    multiple_steps : bool
        Whether runs have multiple time steps (`ProductionSettings.with_multiple_steps`).
    equilibration_timestep_fs, hydrogen_mass : float, amu
        Time step and mass of hydrogens at constant pressure. Hydrogens have their own mass by default, and always at
        constant volume.
    members : int
        Number of potentials of each kind, with and without charges. The first is the learnt one; the others are fits to
        the same set from other random parameters, and run in the first cell at the temperatures of the other cells.
    """

    cells: tuple[str, ...]
    temperatures: tuple[float, ...]
    annealing: tuple[tuple[float, float, float], ...]
    mtp: ConductivityRuns
    qrd: ConductivityRuns
    packing_density: float = 1.1
    measured_density: bool = False
    other_temperatures: tuple[float, ...] = ()
    boxes: int = 1
    multiple_steps: bool = False
    equilibration_timestep_fs: float = 1.0
    hydrogen_mass: float | None = None
    members: int = 1

    def temperatures_of(self, cell: str, member: int = 0) -> tuple[float, ...]:
        """Return the temperatures (K) of the runs of a potential, by its number, in a cell."""
        first = cell == self.cells[0] and not member
        return self.temperatures if first else self.other_temperatures or self.temperatures

    def cells_of(self, member: int) -> tuple[str, ...]:
        """Return the cells of the runs of a potential, by its number."""
        return self.cells[:1] if member else self.cells


TOUR = Tour(
    model=ModelSpec(level=8),
    seeds=(0, 1, 2),
    cell="EC=2",
    packing_densities=(1.1, 1.3),
    seeding=SeedingSettings("nvt", temperature=400.0, time_ps=0.06, trajectories=2, configurations=60),
    fit=FitSettings(stress_weight=0.0, iterations=150, refit_iterations=60),
    run=MDRun("npt", temperature=300.0, time_ps=1.0),
    grades=GradeSettings(mode="neighbourhood", interval_fs=2.0, swap_threshold=2.0),
)


CHARGES = ChargeStudy(
    draws=100_000,
    model=ModelSpec(level=6),
    seeds=(0, 1, 2, 3),
    trained=("PF6", "EC", "EMC", "EMC"),
    planned=("PF6", "EC", "EC", "EMC"),
    seeding=SeedingSettings("nvt", temperature=400.0, time_ps=0.06, trajectories=2, configurations=60),
    fit=FitSettings(stress_weight=0.0, iterations=80),
    reference=ReferenceSettings("gfn1-xtb"),
)


def _cycle(time_ps: float) -> tuple[tuple[float, float, float], ...]:
    """Return the annealing of section 4.6 with stages of `time_ps` ps."""
    kelvin = (300.0, 300.0, 380.0, 380.0, 300.0, 300.0)
    return tuple((first, last, time_ps) for first, last in pairwise(kelvin))


_FEW_PICOSECONDS = ConductivityRuns(4, time_ps=4.0, equilibration_ps=1.0, correlation_ps=1.0)
_HEAVY_NPT = MDRun("npt", temperature=300.0, time_ps=20.0, timestep_fs=2.0, hydrogen_mass=3.0)
PC_NAPF6 = OwnElectrolyte(
    files="pc_napf6",
    reference=ReferenceSettings("gfn1-xtb"),
    packing_density=1.25,
    watched=replace(_HEAVY_NPT, temperature=400.0, time_ps=2.0),
    grades=GradeSettings(mode="neighbourhood", interval_fs=20.0, swap_threshold=1.5),
    labels=2,
    density=DensityRun(("PC=8 NaPF6=1",), _HEAVY_NPT, average_last_ps=15.0),
    annealing=_cycle(0.5),
    production=_FEW_PICOSECONDS,
    # The active learning of this example was stopped early: with the seeds 0 to 7, three of eight boxes lose a molecule
    # while they are annealed, and all trajectories complete with the seeds 3 and 4 only.
    seed=3,
)


@dataclass(frozen=True)
class Scale:
    """One scale: all protocols with their numbers, ``None`` for protocols that are not run.

    `results` is the folder of its results, by default a folder in :func:`electrolyte_ml.paper.places.results_root`.
    """

    name: str
    pure_solvents: PureSolvents
    tour: Tour = TOUR
    charges: ChargeStudy = CHARGES
    electrolyte: OwnElectrolyte = PC_NAPF6
    mixture_training: MixtureTraining | None = None
    mixture_density: MixtureDensity | None = None
    intermolecular_errors: IntermolecularErrors | None = None
    ion_pair_training: IonPairTraining | None = None
    conductivity: Conductivity | None = None
    correction: CorrectionTraining | None = None
    results: Path | None = None

    @property
    def reference(self) -> ReferenceSettings:
        """Reference of the pure solvents, their mixtures and the tour."""
        return self.pure_solvents.learning.reference

    @property
    def directory(self) -> Path:
        """Folder of the labels, trajectories, potentials and results of this scale."""
        return self.results or results_root() / self.name

    def with_reference(self, reference: ReferenceSettings) -> Scale:
        """Return the scale with another reference of pure solvents, mixtures, ion pairs and the tour."""
        pure, mixtures, ion_pairs = self.pure_solvents, self.mixture_training, self.ion_pair_training
        return replace(
            self,
            pure_solvents=replace(pure, learning=replace(pure.learning, reference=reference)),
            mixture_training=mixtures and replace(mixtures, learning=replace(mixtures.learning, reference=reference)),
            ion_pair_training=ion_pairs
            and replace(ion_pairs, learning=replace(ion_pairs.learning, reference=reference)),
        )


_LIQUID = MDRun("npt", temperature=300.0, time_ps=100.0)
_HEATING = MDRun("nvt", temperature=400.0, time_ps=5.0)

# Section 4.5. The paper uses VASP; `encut` is its plane-wave cutoff and `ediff` the SCF tolerance, both in eV.
# CP2K's cutoff is that of a density grid in addition to Gaussian functions, for which the paper has no number.
_PBE_D3 = ReferenceSettings("vasp-pbe-d3", {"encut": 550, "ediff": 1e-6})

_PAPER_LEARNING = LearningProtocol(
    model=ModelSpec(level=16, cutoff=5.0, radial_basis_size=8),
    reference=_PBE_D3,
    seeding=SeedingSettings("nvt", temperature=400.0, time_ps=2.0, trajectories=1, configurations=200),
    exploration=ExplorationSettings("npt", temperature=300.0, time_ps=100.0, trajectories=10, most_saved=0),
    grades=GradeSettings(
        mode="configuration",
        interval_fs=1.0,
        longest_fs=1.0,
        save_threshold=2.0,
        break_threshold=10.0,
        swap_threshold=1.001,
    ),
    fit=FitSettings(
        method="paper",
        energy_weight=1.0,
        force_weight=0.01,
        stress_weight=0.0,
        iterations=2000,
        refit_iterations=1000,
    ),
    stopping=StoppingSettings(quiet_iterations=1),
)

_MANY_FITS = replace(
    CHARGES,
    draws=1_000_000,
    model=ModelSpec(level=10),
    seeds=tuple(range(20)),
    seeding=replace(CHARGES.seeding, time_ps=0.5, trajectories=4, configurations=200),
    fit=replace(CHARGES.fit, iterations=500),
)

PAPER = Scale(
    name="paper",
    pure_solvents=PureSolvents(
        seeds=(0, 1, 2),
        cells=("EC=16", "EMC=8"),
        packing_densities=((1.33,), (1.0,)),
        learning=_PAPER_LEARNING,
        density=DensityRun(("EC=432", "EMC=288"), replace(_LIQUID, time_ps=300.0), average_last_ps=100.0),
    ),
    mixture_training=MixtureTraining(
        uniform_configurations=20,
        ends=("EC=16", "EMC=8"),
        densities=(1.33, 1.0),
        compositions=11,
        learning=replace(_PAPER_LEARNING, model=ModelSpec(level=20, cutoff=5.0, radial_basis_size=8)),
    ),
    mixture_density=MixtureDensity(
        levels=(16, 20),
        charges=(None, "qrd"),
        seeds=(0, 1, 2),
        fit=_PAPER_LEARNING.fit,
        density=DensityRun(
            ("EC=432", "EC=189 EMC=81", "EC=81 EMC=189", "EMC=288"),
            replace(_LIQUID, time_ps=300.0),
            average_last_ps=100.0,
        ),
        packing_densities=(1.33, 1.21, 1.09, 1.0),
    ),
    intermolecular_errors=IntermolecularErrors(
        levels=(12, 16, 20),
        seeds=(0, 1, 2),
        ratios=((1, 0), (7, 3), (3, 7), (0, 1)),
        molecules=(8, 16),
        configurations=300,
        sampling=_LIQUID,
    ),
    ion_pair_training=IonPairTraining(
        contact_pairs=4,
        separated_pairs=4,
        aggregates=3,
        cells=("EC=3 EMC=7 LiPF6=1",),
        densities=(1.15,),
        relaxation_force=0.05,
        relaxation_steps=200,
        learning=replace(
            _PAPER_LEARNING,
            model=ModelSpec(level=20),
            reference=replace(_PBE_D3, settings={**_PBE_D3.settings, "encut": 750}),
            seeding=SeedingSettings("nve", temperature=300.0, time_ps=0.5),
        ),
        uniform_configurations=20,
        validation_configurations=300,
        validation=_LIQUID,
        rdf_cell="EC=80 Li=8 PF6=8",
        rdf=MDRun("nvt", temperature=300.0, time_ps=100.0),
    ),
    conductivity=Conductivity(
        cells=("EC=24 EMC=56 Li=8 PF6=8", "EC=32 EMC=48 Li=8 PF6=8", "EC=40 EMC=40 Li=8 PF6=8"),
        temperatures=(280.0, 300.0, 320.0),
        annealing=_cycle(1000.0),
        mtp=ConductivityRuns(10, time_ps=2500.0, equilibration_ps=500.0, correlation_ps=500.0, window_ps=300.0),
        qrd=ConductivityRuns(50, time_ps=200.0, equilibration_ps=100.0, correlation_ps=100.0, window_ps=20.0),
    ),
    charges=_MANY_FITS,
)

# SevenNet replaces PBE-D3(0), since two cores compute all labels: a label of 80 atoms takes 4 s of one core.
# Seeding, grades and temperature are those for small boxes, with which EC took 221 labels. With those of the paper, in
# boxes of the same size, it took 1817 (GFN1-xTB, level 12), 1500 of them in the seeding.
_HEAVY_LIQUID = MDRun("npt", temperature=300.0, time_ps=200.0, timestep_fs=2.0, hydrogen_mass=3.0)
_STANDARD_LEARNING = LearningProtocol(
    model=ModelSpec(level=16),
    reference=ReferenceSettings("sevennet-l3i5-d3zero"),
    exploration=ExplorationSettings(time_ps=20.0, timestep_fs=2.0, hydrogen_mass=3.0),
    grades=GradeSettings(longest_fs=5.0),
    fit=FitSettings(iterations=600, refit_iterations=250),
)

STANDARD = Scale(
    name="standard",
    pure_solvents=PureSolvents(
        seeds=(0, 1, 2),
        cells=("EC=8", "EMC=6"),
        packing_densities=((1.15, 1.25, 1.35), (0.9, 1.0, 1.1)),
        larger_cells=("EC=16", "EMC=12"),
        learning=_STANDARD_LEARNING,
        density=DensityRun(("EC=48", "EMC=32"), _HEAVY_LIQUID, average_last_ps=150.0, heating=_HEATING),
        beside=(ReferenceSettings("gfn1-xtb"),),
    ),
    mixture_training=MixtureTraining(
        uniform_configurations=20,
        ends=("EC=16", "EMC=8"),
        densities=(1.25, 1.0),
        compositions=11,
        learning=_STANDARD_LEARNING,
        shipped="ec-emc",
    ),
    mixture_density=MixtureDensity(
        levels=(12, 16),
        charges=(None, "qrd"),
        seeds=(0, 1, 2),
        fit=FitSettings(iterations=1000),
        density=DensityRun(
            ("EC=48", "EC=35 EMC=15", "EC=15 EMC=35", "EMC=32"),
            _HEAVY_LIQUID,
            average_last_ps=150.0,
            heating=_HEATING,
        ),
        packing_densities=(1.25, 1.17, 1.07, 1.0),
    ),
    intermolecular_errors=IntermolecularErrors(
        levels=(12, 16),
        seeds=(0, 1, 2),
        ratios=((1, 0), (7, 3), (3, 7), (0, 1)),
        molecules=(8, 16),
        configurations=100,
        sampling=replace(_HEAVY_LIQUID, time_ps=100.0),
    ),
    # A label takes 6 s of a core in a cell of a pair, 11 s in one of an aggregate: relaxations and dynamics take hours.
    ion_pair_training=IonPairTraining(
        contact_pairs=6,
        separated_pairs=6,
        aggregates=3,
        cells=("EC=3 EMC=7 LiPF6=1", "EC=5 EMC=5 LiPF6=1", "EC=10 LiPF6=1"),
        densities=(1.15, 1.2, 1.3),
        relaxation_force=0.1,
        relaxation_steps=40,
        learning=replace(
            _STANDARD_LEARNING,
            seeding=SeedingSettings("nve", temperature=300.0, time_ps=0.1, timestep_fs=2.0, hydrogen_mass=3.0),
            grades=GradeSettings(),
        ),
        uniform_configurations="all",  # of the earlier set
        # With the pairs alone P had 145 independent parameters of 193, and the first trajectories ended after 0.2 ps.
        small=SmallCells(
            cells=(
                "EC=1 EMC=1 LiPF6=1",
                "EC=2 LiPF6=1",
                "EMC=2 LiPF6=1",
                "EC=2 LiPF6=2",
                "EC=1 EMC=1 LiPF6=2",
                "EMC=2 LiPF6=2",
            ),
            densities=(1.3, 1.35, 1.2, 1.45, 1.4, 1.35),
            seeding=SeedingSettings(
                temperature=1000.0, time_ps=0.03, timestep_fs=2.0, hydrogen_mass=3.0, trajectories=24
            ),
        ),
        mixtures=True,
        earlier="potentials/lipf6-ec-emc/training_set.extxyz.xz",
        earlier_aggregates="sets/lipf6_aggregates.extxyz.xz",
        # Before this stage one of eight trajectories of 0.5 ns at 300 K fell into a hole of the potential with charges.
        # None by the potential without charges did.
        hot=HotCells(
            charges=("qrd",),
            exploration=ExplorationSettings("nvt", temperature=600.0, time_ps=20.0, timestep_fs=2.0, hydrogen_mass=3.0),
            compressions=(1.0, 1.1, 1.2),
            sets=("potentials/lipf6-ec-emc-qrd/training_set.extxyz.xz",),
        ),
        validation_configurations=60,
        validation=replace(_HEAVY_LIQUID, time_ps=100.0),
        rdf_cell="EC=80 LiPF6=8",
        rdf=MDRun("nvt", temperature=300.0, time_ps=100.0, timestep_fs=2.0, hydrogen_mass=3.0),
    ),
    # The error of a conductivity does not depend on the number of ions: small cells run longer. A larger one shows the
    # effect of the size, and networks of many Li. The liquid of the reference is 16 % too dense, so that its ions
    # hardly move at 1 atm.
    conductivity=Conductivity(
        cells=(
            "EC=6 EMC=14 Li=2 PF6=2",
            "EC=8 EMC=12 Li=2 PF6=2",
            "EC=10 EMC=10 Li=2 PF6=2",
            "EC=24 EMC=56 Li=8 PF6=8",
        ),
        temperatures=(300.0, 280.0, 320.0),  # the annealing has the measured density of the first
        other_temperatures=(300.0,),
        annealing=_cycle(200.0),
        # Ion pairs and aggregates keep for longer than a trajectory lasts: each trajectory has a box of its own.
        boxes=8,
        multiple_steps=True,
        measured_density=True,
        mtp=ConductivityRuns(8, time_ps=1250.0, equilibration_ps=200.0, correlation_ps=500.0, window_ps=300.0),
        qrd=ConductivityRuns(8, time_ps=500.0, equilibration_ps=200.0, correlation_ps=100.0, window_ps=20.0),
        equilibration_timestep_fs=2.0,
        hydrogen_mass=3.0,
        members=2,
    ),
    # A label of 33 atoms takes three to four minutes of a core: the cells are as small as the cutoff allows. PySCF
    # gives the same labels in three times the time. In cross-validation over 64 cells, level 6 has twice as many
    # parameters as level 4, but no smaller errors of force (0.19 eV/Å; without correction 0.27) and pressure.
    correction=CorrectionTraining(
        cells=("EC=2 EMC=1 LiPF6=1", "EC=1 EMC=2 LiPF6=1", "EC=2 EMC=2", "EC=4", "EMC=3"),
        densities=(1.1, 1.2),
        learning=LearningProtocol(
            model=ModelSpec(level=4),
            reference=ReferenceSettings("cp2k-pbe-d3", {"cutoff": 1200}),  # one for cells with and without fluorine
            exploration=ExplorationSettings(time_ps=5.0, timestep_fs=2.0, hydrogen_mass=3.0),
            stopping=StoppingSettings(max_iterations=10),
        ),
        sets=("potentials/lipf6-ec-emc-pbe/training_set.extxyz.xz",),
    ),
    charges=_MANY_FITS,
)

# The quick scale uses the defaults of the settings, except that it explores with heavy hydrogen. In 24 trajectories of
# 4 EC with the potential of a seeding, heavy hydrogen did not change the number and times of early ends, nor the
# grades. All 8 trajectories with the learnt potential completed at the same highest grade, in two thirds of the time.
QUICK = Scale(
    name="quick",
    pure_solvents=PureSolvents(
        seeds=(0,),
        cells=("EC=4", "EMC=4"),
        packing_densities=((1.15, 1.25, 1.35, 1.45), (0.9, 1.0, 1.1, 1.25)),
        larger_cells=("EC=10", "EMC=8"),
        learning=LearningProtocol(
            exploration=ExplorationSettings(timestep_fs=2.0, hydrogen_mass=3.0),
            stopping=StoppingSettings(max_iterations=30),
        ),
        density=DensityRun(("EC=16", "EMC=12"), replace(_LIQUID, time_ps=20.0), 15.0, heating=_HEATING),
    ),
    mixture_training=MixtureTraining(
        uniform_configurations=10,
        ends=("EC=4", "EMC=4"),
        densities=(1.25, 1.0),
        compositions=5,
        learning=LearningProtocol(
            model=ModelSpec(level=8),
            exploration=ExplorationSettings(time_ps=4.0, timestep_fs=2.0, hydrogen_mass=3.0),
            stopping=StoppingSettings(max_iterations=2),
        ),
        sets=("ec_quick.extxyz.xz", "emc_quick.extxyz.xz"),
    ),
    mixture_density=MixtureDensity(
        levels=(8,),
        charges=(None, "qrd"),
        seeds=(0, 1),
        fit=FitSettings(iterations=250),
        density=DensityRun(
            ("EC=10", "EC=7 EMC=3", "EC=3 EMC=7", "EMC=8"),
            MDRun("npt", temperature=300.0, time_ps=8.0, timestep_fs=2.0, hydrogen_mass=3.0),
            average_last_ps=5.0,
            heating=MDRun("nvt", temperature=400.0, time_ps=1.0, timestep_fs=2.0, hydrogen_mass=3.0),
        ),
        packing_densities=(1.25, 1.17, 1.07, 1.0),
    ),
    # A label of 48 atoms takes 1 s of a core, a label of the aggregate 4 s: most of the set is inherited.
    ion_pair_training=IonPairTraining(
        contact_pairs=1,
        separated_pairs=1,
        aggregates=1,
        cells=("EC=4 LiPF6=1",),
        densities=(1.2,),
        relaxation_force=0.1,
        relaxation_steps=1,
        learning=LearningProtocol(
            model=ModelSpec(level=4, radial_basis_size=6),
            seeding=SeedingSettings("nve", temperature=300.0, time_ps=0.002, timestep_fs=2.0, hydrogen_mass=3.0),
            exploration=ExplorationSettings(
                "nvt", temperature=300.0, time_ps=0.5, timestep_fs=2.0, hydrogen_mass=3.0, most_saved=2
            ),
            fit=FitSettings(iterations=40, refit_iterations=20),
            stopping=StoppingSettings(max_iterations=1),
        ),
        uniform_configurations=10,
        sets=("sets/lipf6_pairs.extxyz.xz",),
        validation_configurations=4,
        validation=MDRun("nvt", temperature=300.0, time_ps=0.5, timestep_fs=2.0, hydrogen_mass=3.0),
        rdf_cell="EC=8 LiPF6=1",
        rdf=MDRun("nvt", temperature=300.0, time_ps=5.0, timestep_fs=2.0, hydrogen_mass=3.0),
    ),
    conductivity=Conductivity(
        cells=("EC=3 EMC=7 Li=1 PF6=1",),
        temperatures=(300.0,),
        annealing=_cycle(0.5),
        mtp=_FEW_PICOSECONDS,
        qrd=_FEW_PICOSECONDS,
        equilibration_timestep_fs=2.0,
        hydrogen_mass=3.0,
    ),
)

SCALES = {scale.name: scale for scale in (QUICK, STANDARD, PAPER)}


def scale(name: str | None = None) -> Scale:
    """Return a scale by name, by default that of the environment variable ``ELECTROLYTE_ML_SCALE`` or quick.

    The environment variable ``ELECTROLYTE_ML_REFERENCE`` can name another reference, which is used with its own
    defaults, for example ``cp2k-pbe-d3`` if there is no VASP.

    Parameters
    ----------
    name
        ``"quick"``, ``"standard"`` or ``"paper"``.

    Raises
    ------
    InputError
        The name is not one of these.
    """
    name = name or os.environ.get("ELECTROLYTE_ML_SCALE") or "quick"
    if name not in SCALES:
        raise InputError(f"there is no scale {name!r}: choose among {', '.join(SCALES)}")
    chosen, reference = SCALES[name], os.environ.get("ELECTROLYTE_ML_REFERENCE")
    return chosen.with_reference(ReferenceSettings(reference)) if reference else chosen


def shipped(name: str) -> Scale | None:
    """Return a scale with the results in the source tree, or None if the source tree has none of this scale.

    Raises
    ------
    InputError
        The scale is unknown.
    """
    chosen, folder = scale(name), shipped_results()
    if folder is None or not (folder / name).is_dir():
        return None
    return replace(chosen, results=folder / name)
