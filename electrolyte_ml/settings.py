"""The three scales: every number of every protocol, in one place.

``quick`` runs on two cores in minutes with real physics in small boxes, ``standard`` overnight on a laptop, and
``paper`` holds the paper's own sizes and lengths, number by number. A protocol that is not run at a scale is ``None``
there, and the claims that rest on it are then "not run at this scale".

Units: K, bar, fs for time steps, ps for lengths of runs, Å, eV, g/cm³. Cells are compositions as
:func:`electrolyte_ml.structures.boxes.parse_composition` reads them.
"""

import os
from dataclasses import dataclass, replace
from pathlib import Path

from electrolyte_ml.errors import InputError

ATMOSPHERE_BAR = 1.01325


@dataclass(frozen=True)
class Reference:
    """What labels the data, by the name under which it stands on every figure; the cutoff is a plane-wave code's."""

    name: str = "GFN1-xTB"
    plane_wave_cutoff: float | None = None
    scf_tolerance: float | None = None


@dataclass(frozen=True)
class Fit:
    """Loss (10) of section 4.3 and its minimisation, from random parameters and again from the last ones."""

    energy_weight: float = 1.0
    force_weight: float = 0.01
    stress_weight: float = 0.0
    initial_range: tuple[float, float] = (-1.0, 1.0)
    optimiser: str = "BFGS"
    max_iterations: int = 2000
    refit_iterations: int = 1000


@dataclass(frozen=True)
class Run:
    """One molecular dynamics run."""

    ensemble: str
    temperature: float
    time_ps: float
    timestep_fs: float = 1.0
    pressure_bar: float = ATMOSPHERE_BAR


@dataclass(frozen=True)
class Learning:
    """Active learning (section 4.4): parallel runs that save above one grade and stop above the other.

    They stop, too, with `most_saved` configurations saved, unless it is 0. `larger_cells` are explored beside those of
    the seeding, one for each of these. It ends after `quiet_iterations` in which no run has met anything new.
    """

    trajectories: int
    run: Run
    grade_save: float = 2.0
    grade_break: float = 10.0
    grade_interval_fs: float = 1.0
    mode: str = "configuration"
    swap_threshold: float = 1.001
    most_saved: int = 0
    quiet_iterations: int = 1
    max_iterations: int = 100
    larger_cells: tuple[str, ...] = ()


@dataclass(frozen=True)
class DensityRun:
    """Density of a liquid: a run in NPT, averaged over its end.

    `heating` is a run at constant volume before it: molecules packed at random turn and settle within picoseconds when
    hot and dense, and within tens of them in NPT at 300 K, where the box first blows up.
    """

    cells: tuple[str, ...]
    run: Run
    average_last_ps: float
    heating: Run | None = None


@dataclass(frozen=True)
class PureSolvents:
    """Section 2.1: potentials of pure EC and pure EMC from nothing.

    Each cell is packed at its densities (g/cm³), which the seeding trajectories take in turn. Every seed learns a
    training set of its own.
    """

    level: int
    cutoff: float
    radial_basis_size: int
    seeds: tuple[int, ...]
    cells: tuple[str, ...]
    packing_densities: tuple[tuple[float, ...], ...]
    seeding: Run
    seeding_trajectories: int
    seeding_configurations: int
    learning: Learning
    density: DensityRun


@dataclass(frozen=True)
class Tour:
    """Notebooks 00, 02 and 03: one small potential of a small cell, the same at every scale.

    The grades are those of neighbourhoods: with fewer configurations than parameters, the rows of whole configurations
    span too little for any grade to mean much.
    """

    level: int = 8
    cutoff: float = 5.0
    radial_basis_size: int = 8
    seeds: tuple[int, ...] = (0, 1, 2)
    cell: str = "EC=2"
    packing_densities: tuple[float, ...] = (1.1, 1.3)
    seeding: Run = Run("nvt", temperature=400.0, time_ps=0.06)
    seeding_configurations: int = 60
    fit: Fit = Fit(max_iterations=150, refit_iterations=60)
    learning: Learning = Learning(
        trajectories=1,
        run=Run("npt", temperature=300.0, time_ps=1.0),
        grade_interval_fs=2.0,
        mode="neighbourhood",
        swap_threshold=2.0,
    )


@dataclass(frozen=True)
class MixtureTraining:
    """Sections 2.2 and S1: one potential for every EC to EMC ratio."""

    level: int
    uniform_configurations: int
    molecules: tuple[int, int]
    learning: Learning


@dataclass(frozen=True)
class MixtureDensity:
    """Section 2.2, Fig. 2: densities from EC to EMC by several kinds of potential."""

    levels: tuple[int, ...]
    seeds: tuple[int, ...]
    density: DensityRun


@dataclass(frozen=True)
class IntermolecularErrors:
    """Section 2.2, Fig. 3: errors split into those within and between molecules."""

    levels: tuple[int, ...]
    seeds: tuple[int, ...]
    ratios: tuple[tuple[int, int], ...]
    molecules: tuple[int, int]
    configurations: int
    sampling: Run


@dataclass(frozen=True)
class IonPairTraining:
    """Section 2.3.1: the training set of LiPF6 in EC and EMC, and its validation (2.3.2)."""

    level: int
    reference: Reference
    contact_pairs: int
    separated_pairs: int
    aggregates: int
    pair_cell: str
    aggregate_cell: str
    seeding: Run
    validation_configurations: int
    validation: Run
    rdf_cell: str
    rdf: Run


@dataclass(frozen=True)
class ConductivityRuns:
    """Production runs of one kind of potential, and the window of the Green-Kubo integral."""

    trajectories: int
    time_ps: float
    equilibration_ps: float
    correlation_ps: float
    window_ps: float


@dataclass(frozen=True)
class Conductivity:
    """Section 4.6: ionic conductivity by Green-Kubo."""

    cells: tuple[str, ...]
    temperatures: tuple[float, ...]
    annealing: tuple[tuple[float, float, float], ...]  # (from K, to K, ps), NPT
    mtp: ConductivityRuns
    qrd: ConductivityRuns


@dataclass(frozen=True)
class Scale:
    """One scale: every protocol with its numbers, ``None`` where it is not run."""

    name: str
    reference: Reference
    fit: Fit
    pure_solvents: PureSolvents
    tour: Tour = Tour()
    mixture_training: MixtureTraining | None = None
    mixture_density: MixtureDensity | None = None
    intermolecular_errors: IntermolecularErrors | None = None
    ion_pair_training: IonPairTraining | None = None
    conductivity: Conductivity | None = None

    @property
    def directory(self) -> Path:
        """Where this scale keeps labels, trajectories, potentials and results between runs."""
        return results_root() / self.name


_LIQUID = Run("npt", temperature=300.0, time_ps=100.0)
_HEATING = Run("nvt", temperature=400.0, time_ps=5.0)

PAPER = Scale(
    name="paper",
    reference=Reference("PBE-D3(0)", plane_wave_cutoff=550.0, scf_tolerance=1e-6),
    fit=Fit(),
    pure_solvents=PureSolvents(
        level=16,
        cutoff=5.0,
        radial_basis_size=8,
        seeds=(0, 1, 2),
        cells=("EC=16", "EMC=8"),
        packing_densities=((1.33,), (1.0,)),
        seeding=Run("nvt", temperature=400.0, time_ps=2.0),
        seeding_trajectories=1,
        seeding_configurations=200,
        learning=Learning(trajectories=10, run=_LIQUID),
        density=DensityRun(("EC=432", "EMC=288"), replace(_LIQUID, time_ps=300.0), average_last_ps=100.0),
    ),
    mixture_training=MixtureTraining(
        level=20,
        uniform_configurations=20,
        molecules=(8, 16),
        learning=Learning(trajectories=11, run=_LIQUID),
    ),
    mixture_density=MixtureDensity(
        levels=(16, 20),
        seeds=(0, 1, 2),
        density=DensityRun(
            ("EC=432", "EC=189 EMC=81", "EC=81 EMC=189", "EMC=288"),
            replace(_LIQUID, time_ps=300.0),
            average_last_ps=100.0,
        ),
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
        level=20,
        reference=Reference("PBE-D3(0)", plane_wave_cutoff=750.0, scf_tolerance=1e-6),
        contact_pairs=4,
        separated_pairs=4,
        aggregates=3,
        pair_cell="EC=3 EMC=7 Li=1 PF6=1",
        aggregate_cell="EC=6 EMC=14 Li=2 PF6=2",
        seeding=Run("nve", temperature=300.0, time_ps=0.5),
        validation_configurations=300,
        validation=_LIQUID,
        rdf_cell="EC=80 Li=8 PF6=8",
        rdf=Run("nvt", temperature=300.0, time_ps=100.0),
    ),
    conductivity=Conductivity(
        cells=("EC=24 EMC=56 Li=8 PF6=8", "EC=32 EMC=48 Li=8 PF6=8", "EC=40 EMC=40 Li=8 PF6=8"),
        temperatures=(280.0, 300.0, 320.0),
        annealing=(
            (300.0, 300.0, 1000.0),
            (300.0, 380.0, 1000.0),
            (380.0, 380.0, 1000.0),
            (380.0, 300.0, 1000.0),
            (300.0, 300.0, 1000.0),
        ),
        mtp=ConductivityRuns(10, time_ps=2500.0, equilibration_ps=500.0, correlation_ps=500.0, window_ps=300.0),
        qrd=ConductivityRuns(50, time_ps=200.0, equilibration_ps=100.0, correlation_ps=100.0, window_ps=20.0),
    ),
)

STANDARD = Scale(
    name="standard",
    reference=Reference("GFN1-xTB"),
    fit=Fit(stress_weight=0.1),
    pure_solvents=replace(
        PAPER.pure_solvents,
        level=12,
        cells=("EC=8", "EMC=6"),
        packing_densities=((1.2, 1.3, 1.4), (0.9, 1.0, 1.1)),
        seeding=Run("nvt", temperature=400.0, time_ps=0.5),
        seeding_trajectories=3,
        learning=Learning(trajectories=10, run=replace(_LIQUID, time_ps=20.0), grade_interval_fs=5.0),
        density=DensityRun(("EC=48", "EMC=32"), replace(_LIQUID, time_ps=150.0), 100.0, heating=_HEATING),
    ),
)

# Seeds of 15 fs from packed molecules at rest keep half of 1000 K, and some picoseconds of exploration at 400 K show
# what a liquid at 300 K meets in many: potentials learnt colder let molecules fuse in larger boxes. The rest was chosen
# on few runs, of the seeds below among others, one or two of each kind: 10 ps, since a potential learnt in 2 ps broke;
# an end after ten saved configurations, since one that had labelled what came later was fitted worse.
QUICK = Scale(
    name="quick",
    reference=Reference("GFN1-xTB"),
    fit=Fit(stress_weight=0.1, max_iterations=300, refit_iterations=120),
    pure_solvents=replace(
        PAPER.pure_solvents,
        level=12,
        seeds=(0, 1),
        cells=("EC=4", "EMC=4"),
        packing_densities=((1.15, 1.25, 1.35, 1.45), (0.9, 1.0, 1.1, 1.25)),
        seeding=Run("nvt", temperature=1000.0, time_ps=0.015),
        seeding_trajectories=8,
        seeding_configurations=60,
        learning=Learning(
            trajectories=10,
            run=replace(_LIQUID, temperature=400.0, time_ps=10.0),
            grade_interval_fs=5.0,
            mode="neighbourhood",
            swap_threshold=1.05,
            most_saved=10,
            quiet_iterations=2,
            max_iterations=30,
            larger_cells=("EC=10", "EMC=8"),
        ),
        density=DensityRun(("EC=16", "EMC=12"), replace(_LIQUID, time_ps=20.0), 15.0, heating=_HEATING),
    ),
)

SCALES = {scale.name: scale for scale in (QUICK, STANDARD, PAPER)}


def scale(name: str | None = None) -> Scale:
    """Return a scale by name, by default the one named by the environment variable ``ELECTROLYTE_ML_SCALE`` or quick.

    Parameters
    ----------
    name
        ``"quick"``, ``"standard"`` or ``"paper"``.

    Raises
    ------
    InputError
        For any other name.
    """
    chosen = name or os.environ.get("ELECTROLYTE_ML_SCALE") or "quick"
    if chosen not in SCALES:
        raise InputError(f"there is no scale {chosen!r}: choose among {', '.join(SCALES)}")
    return SCALES[chosen]


def checkout() -> Path | None:
    """Return the root of the source tree this package runs from, or None when it was installed from a wheel."""
    root = Path(__file__).resolve().parents[1]
    return root if (root / "pyproject.toml").is_file() and (root / "notebooks").is_dir() else None


def results_root() -> Path:
    """Return the folder of everything that runs leave behind.

    It is ``ELECTROLYTE_ML_RESULTS`` where that is set, ``results/`` of the source tree where there is one, and else
    ``results/`` of the current folder.
    """
    named = os.environ.get("ELECTROLYTE_ML_RESULTS")
    return Path(named).resolve() if named else (checkout() or Path.cwd()) / "results"
