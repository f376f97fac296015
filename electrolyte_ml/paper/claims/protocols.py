"""Protocol claims: numbers that the paper scale passes to the code that runs, compared with those of the paper."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from electrolyte_ml.active_learning.exploration import plan_trajectories
from electrolyte_ml.active_learning.settings import ActiveLearningSettings
from electrolyte_ml.dynamics.monitors import GradeMonitor
from electrolyte_ml.errors import InputError
from electrolyte_ml.paper.claims.evidence import Evidence
from electrolyte_ml.paper.claims.exact import SPECIES
from electrolyte_ml.paper.conductivity import production_settings
from electrolyte_ml.paper.ion_pairs import STAGES, ion_pair_training
from electrolyte_ml.paper.mixtures import mixtures_of
from electrolyte_ml.paper.protocols import pure_solvent
from electrolyte_ml.paper.scales import Scale
from electrolyte_ml.potentials.potential import Potential
from electrolyte_ml.production.settings import ProductionSettings
from electrolyte_ml.structures import MOLECULES, parse_composition
from electrolyte_ml.structures.composition import molecules_of

SOLVENTS = {"EC": 160, "EMC": 120}  # atoms in the paper's cells


def pure_solvents(scale: Scale) -> Iterator[Evidence]:
    """Yield seeding, exploration and models of the pure solvents (section 2.1)."""
    for solvent in SOLVENTS:
        members = _settings(scale, solvent)
        for settings in members:
            yield seeding(settings)
            planned = plan_trajectories(settings, [Atoms("H")], [], Path("iteration_001"))
            yield Evidence(
                "handed to active_learning.exploration.explore", {"trajectories": len(planned)}, {"trajectories": 10}
            )
            potential = start(settings)
            source = f"object: {type(potential).__name__}.cutoff"
            yield Evidence(source, {"cutoff": potential.cutoff}, {"cutoff": 5.0})
        starts = {start(settings).fingerprint for settings in members}
        yield Evidence(
            "object: MomentTensorPotential.fingerprint",
            {"different potentials": len(starts)},
            {"different potentials": 3},
        )


def cells(scale: Scale) -> Iterator[Evidence]:
    """Yield the numbers of atoms in the boxes of the pure solvents."""
    for solvent, atoms in SOLVENTS.items():
        for settings in _settings(scale, solvent):
            for composition in settings.composition:
                counts = parse_composition(composition)
                packed = sum(len(MOLECULES[name].symbols) * count for name, count in counts.items())
                name = f"atoms of {solvent}"
                yield Evidence("handed to structures.pack", {name: packed}, {name: atoms})


def mixtures(scale: Scale) -> Iterator[Evidence]:
    """Yield the choice of the mixtures' first set, and the boxes of their exploration (section S1)."""
    training = scale.mixture_training
    if training is None:
        raise InputError("the scale does not learn mixtures")
    line = mixtures_of(training)
    molecules = [sum(parse_composition(mixture.composition).values()) for mixture in line]
    yield Evidence(
        "handed to active_learning.mixing.mixture_settings",
        {
            "uniform configurations": training.uniform_configurations,
            "trajectories": len(line),
            "molecules": (min(molecules), max(molecules)),
            "ends": (line[0].composition.partition("=")[0], line[-1].composition.partition("=")[0]),
        },
        {"uniform configurations": 20, "trajectories": 11, "molecules": (8, 16), "ends": ("EC", "EMC")},
    )


def mixture_densities(scale: Scale) -> Iterator[Evidence]:
    """Yield boxes and runs of the densities of the mixtures (Fig. 2)."""
    protocol = scale.mixture_density
    if protocol is None:
        raise InputError("the scale has no densities of mixtures")
    run = {"ensemble": "npt", "temperature": 300.0, "pressure_bar": 1.01325, "time_ps": 300.0, "timestep_fs": 1.0}
    yield Evidence("handed to dynamics.run_md", protocol.density.run.options(), run)
    yield Evidence(
        "handed to paper.protocols.density_run",
        {"cells": protocol.density.cells, "average_last_ps": protocol.density.average_last_ps},
        {"cells": ("EC=432", "EC=189 EMC=81", "EC=81 EMC=189", "EMC=288"), "average_last_ps": 100.0},
    )


def ion_pairs(scale: Scale) -> Iterator[Evidence]:
    """Yield the cells of ion pairs and aggregates, dynamics from them, and their order (section 2.3.1)."""
    training = scale.ion_pair_training
    if training is None:
        raise InputError("the scale does not learn ion pairs")
    stages = [ion_pair_training(scale, stage) for stage in STAGES]
    sizes = {sum(len(body.symbols) for body in molecules_of(parse_composition(cell))) for cell in training.cells}
    yield Evidence(
        "handed to structures.pack_motif",
        {
            "CIP": training.contact_pairs,
            "SSIP": training.separated_pairs,
            "AGG": training.aggregates,
            "atoms, doubled for AGG": sizes,
        },
        {"CIP": 4, "SSIP": 4, "AGG": 3, "atoms, doubled for AGG": {143}},
    )
    for settings in stages:
        yield Evidence(
            "handed to active_learning.seeding.run_walkers",
            settings.seeding.options(),
            {"ensemble": "nve", "temperature": 300.0, "time_ps": 0.5},
        )
    first, second = stages
    yield Evidence(
        "handed to active_learning.loop.active_learn",
        {"first": STAGES["pairs"], "then": STAGES["aggregates"], "goes on": second.inheritance.run is not None},
        {"first": ("SSIP", "CIP"), "then": ("AGG",), "goes on": first.inheritance.run is None},
    )


def ion_pair_reference(scale: Scale) -> Iterator[Evidence]:
    """Yield the reference of the ion pairs (section 4.5)."""
    yield reference_input(ion_pair_training(scale), "EC", encut=750.0)


def productions(scale: Scale) -> Iterator[Evidence]:
    """Yield equilibration and production of the conductivity, without charges (section 4.6)."""
    productions = _productions(scale, "mtp")
    yield Evidence(
        "handed to production.produce",
        {"cells": tuple(settings.composition for settings in productions)},
        {"cells": ("EC=24 EMC=56 Li=8 PF6=8", "EC=32 EMC=48 Li=8 PF6=8", "EC=40 EMC=40 Li=8 PF6=8")},
    )
    paper = {
        "annealing": ((300.0, 300.0, 1000.0), (300.0, 380.0, 1000.0), (380.0, 380.0, 1000.0), (380.0, 300.0, 1000.0),
                      (300.0, 300.0, 1000.0)),
        "temperatures": (280.0, 300.0, 320.0),
        "equilibration_ps": 500.0,
        "trajectories": 10,
        "time_ps": 2500.0,
    }  # fmt: skip
    for settings in productions:
        handed = {
            "annealing": settings.equilibration.annealing,
            "temperatures": settings.temperatures,
            "equilibration_ps": settings.equilibration.time_ps,
            "trajectories": settings.trajectories.count,
            "time_ps": settings.trajectories.time_ps,
        }
        yield Evidence("handed to production.produce", handed, paper)


def productions_with_charges(scale: Scale) -> Iterator[Evidence]:
    """Yield number and length of the runs with charges (Table 1)."""
    for settings in _productions(scale, "qrd"):
        handed = {"trajectories": settings.trajectories.count, "time_ps": settings.trajectories.time_ps}
        yield Evidence("handed to production.produce", handed, {"trajectories": 50, "time_ps": 200.0})


def plateau_windows(scale: Scale) -> Iterator[Evidence]:
    """Yield correlation times and windows of the Green-Kubo integrals (Figs. S7 and S8)."""
    for model, paper in (("mtp", (500.0, 300.0)), ("qrd", (100.0, 20.0))):
        for settings in _productions(scale, model):
            handed = {"correlation_ps": settings.analysis.correlation_ps, "window_ps": settings.analysis.window_ps}
            yield Evidence("handed to production.produce", handed, {"correlation_ps": paper[0], "window_ps": paper[1]})


def _productions(scale: Scale, model: str) -> list[ProductionSettings]:
    """Return the settings of each cell's production.

    Raises
    ------
    InputError
        The scale has no conductivities.
    """
    if scale.conductivity is None:
        raise InputError("the scale has no conductivities")
    return [production_settings(scale, cell, "potential.mtp", model=model) for cell in scale.conductivity.cells]


def method(scale: Scale) -> Iterator[Evidence]:
    """Yield loss, minimisation, grades, dynamics and reference of the pure solvents (sections 4.3 to 4.5)."""
    for solvent in SOLVENTS:
        for settings in _settings(scale, solvent):
            yield from fits(settings)
            yield model(settings)
            yield grades(settings)
            yield exploration(settings)
        yield reference_input(settings, solvent)


def fits(settings: ActiveLearningSettings) -> Iterator[Evidence]:
    """Yield loss and minimisation of the first fit and of later fits; the method "paper" is plain BFGS."""
    paper = {"method": "paper", "energy_weight": 1.0, "force_weight": 0.01, "stress_weight": 0.0}
    for refit in (False, True):
        yield Evidence("handed to training.train", settings.fit.options(refit=refit), paper)


def exploration(settings: ActiveLearningSettings) -> Evidence:
    """Return the dynamics of active learning."""
    paper = {"ensemble": "npt", "temperature": 300.0, "pressure_bar": 1.01325, "time_ps": 100.0, "timestep_fs": 1.0}
    return Evidence("handed to dynamics.run_md", settings.exploration.options(), paper)


def reference_input(settings: ActiveLearningSettings, solvent: str, encut: float = 550.0) -> Evidence:
    """Return the reference's input for a molecule of a solvent: PBE-D3(0) at the Γ point, cutoff in eV.

    Raises
    ------
    InputError
        The reference is missing on this machine, or it cannot label the molecule.
    """
    paper = {"program": "PBE-D3(0), VASP", "GGA": "PE", "IVDW": "11", "ENCUT": encut, "EDIFF": 1e-6, "k-points": _GAMMA}
    reference = settings.reference.make()
    values: dict[str, Any] = {"program": reference.name}
    write_inputs = getattr(reference, "write_inputs", None)
    if write_inputs is None:
        return Evidence("handed to reference.get", values, paper)
    molecule = MOLECULES[solvent]
    atoms = Atoms(molecule.symbols, molecule.positions, cell=[12.0] * 3, pbc=True)
    with tempfile.TemporaryDirectory() as folder:
        write_inputs(atoms, folder)
        lines = (Path(folder) / "INCAR").read_text().splitlines()
        incar = {key.strip(): value.strip() for key, _, value in (line.partition("=") for line in lines)}
        k_points = (Path(folder) / "KPOINTS").read_text().splitlines()
    values |= {name: incar[name] for name in ("GGA", "IVDW") if name in incar}
    values |= {name: float(incar[name]) for name in ("ENCUT", "EDIFF") if name in incar}
    values["k-points"] = " ".join(" ".join(k_points[2:4]).split())
    return Evidence("handed to VASP by reference.vasp.VASPReference.write_inputs", values, paper)


def _settings(scale: Scale, solvent: str) -> list[ActiveLearningSettings]:
    """Return the settings of a solvent's runs, one for each seed of the scale."""
    return [pure_solvent(scale, solvent, seed=seed) for seed in scale.pure_solvents.seeds]


def start(settings: ActiveLearningSettings) -> Potential:
    """Return the potential from which the first fit starts."""
    return settings.model.random(SPECIES, settings.seed)


def seeding(settings: ActiveLearningSettings) -> Evidence:
    """Return the dynamics with the reference, and the number of configurations taken from them."""
    paper = {"ensemble": "nvt", "temperature": 400.0, "time_ps": 2.0, "timestep_fs": 1.0, "configurations": 200}
    values = {**settings.seeding.options(), "configurations": settings.seeding.configurations}
    return Evidence("handed to active_learning.rounds.seed_in_rounds", values, paper)


def grades(settings: ActiveLearningSettings) -> Evidence:
    """Return the extrapolation grades above which configurations are saved and trajectories ended."""
    monitor = GradeMonitor(None, settings.grades.save_threshold, settings.grades.break_threshold)
    values = {"save": monitor.save, "break_": monitor.break_}
    return Evidence("handed to dynamics.monitors.GradeMonitor", values, {"save": 2.0, "break_": 10.0})


def model(settings: ActiveLearningSettings) -> Evidence:
    """Return kind and parameters of the potential of the first fit, which the paper draws from U(-1, 1).

    A uniform distribution is recognised by its range and by its standard deviation, 1 / sqrt(3).
    """
    potential = start(settings)
    parameters = potential.parameters
    low, high, spread = parameters.min(), parameters.max(), parameters.std()
    uniform = -1.0 <= low < -0.9 and 0.9 < high <= 1.0 and abs(spread * np.sqrt(3.0) - 1.0) < 0.1
    drawn = "U(-1, 1)" if uniform else f"{low:.3g} to {high:.3g}, standard deviation {spread:.3g}"
    values = {"kind": potential.kind, "number": len(parameters), "drawn from": drawn}
    paper = {"kind": "mtp", "number": 383, "drawn from": "U(-1, 1)"}
    return Evidence(f"object: {type(potential).__name__}.parameters", values, paper)


_GAMMA = "Gamma 1 1 1"
