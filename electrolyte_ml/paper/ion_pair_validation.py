"""Validation of potentials of LiPF6 in EC and EMC: force errors by site, and g(r) of Li and O (section 2.3.2)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms

from electrolyte_ml.errors import ElectrolyteError, InputError
from electrolyte_ml.paper.protocols import RELAX, label_store, watched_run
from electrolyte_ml.paper.scales import IonPairTraining, Scale
from electrolyte_ml.paper.validation import CHARGED, evenly_spaced
from electrolyte_ml.structures import Topology, at_volume, pack, pack_motif, parse_composition
from electrolyte_ml.structures.composition import written
from electrolyte_ml.structures.motifs import Pairing
from electrolyte_ml.units import DENSITY_UNIT

if TYPE_CHECKING:
    from electrolyte_ml.analysis import GroupedErrors, RadialDistribution
    from electrolyte_ml.dynamics import RunResult
    from electrolyte_ml.potentials import Potential

_STARTS: tuple[Pairing, ...] = ("SSIP", "CIP")  # motifs of the starts of validation runs, cell by cell
_SEED = 1_000_000  # seed of the packing, so that the starts differ from those of the training set


# -- runs -------------------------------------------------------------------------------------------------------------


def ion_pair_validation_set(scale: Scale, potential: Potential, *, progress: bool = True) -> list[Atoms]:
    """Run a potential in each cell of the protocol, and label configurations that are evenly spaced in time.

    The first cell starts from a solvent-separated pair, the next one from a contact pair, and so on. Runs are kept with
    the scale's results, under the potential's fingerprint, and labels in the scale's store, so that an interrupted call
    can be resumed.

    Parameters
    ----------
    scale
        Scale whose `ion_pair_training` defines cells, run and total number of configurations.
    potential
        Potential of the dynamics.
    progress
        Whether to show progress lines.

    Returns
    -------
    list of Atoms
        Labelled configurations, cell by cell, in the order of time.

    Raises
    ------
    InputError
        The scale does not learn ion pairs, or the run has too few frames.
    ElectrolyteError
        A run ended early, or a label failed: incomplete sets are refused.
    """
    training = _training(scale)
    share = -(-training.validation_configurations // len(training.cells))
    chosen: list[Atoms] = []
    for number, (cell, density) in enumerate(zip(training.cells, training.densities, strict=True)):
        start = pack_motif(_STARTS[number % len(_STARTS)], parse_composition(cell), density, _SEED + number)
        run = watched_run(
            start, potential, training.validation, start, _folder(scale, cell, potential, "validation"), relax=RELAX
        )
        if not run.completed:
            raise ElectrolyteError(f"the run of {cell} for the validation set ended early: {run.reason}, {run.detail}")
        chosen += evenly_spaced(run.frames(), share, training.validation.time_ps)
    reference = training.learning.reference.make()
    labelled = label_store(scale).label_all(chosen, reference, None, progress)
    return labelled.complete(f"validation set, by {reference.name}")


def li_o_distribution(scale: Scale, potential: Potential) -> RadialDistribution:
    """Measure g(r) of Li and the O of the solvents in the protocol's cell (claim 19).

    The packed cell runs at constant pressure first, and then for the same time at constant volume: the mean volume of
    the second half of the first run. All frames of the second run give g(r). Completed runs are reused.

    Raises
    ------
    InputError
        The scale does not learn ion pairs.
    ElectrolyteError
        A run ended early.
    """
    from electrolyte_ml.analysis import radial_distributions
    from electrolyte_ml.trajectories import open_trajectory

    training = _training(scale)
    cell = training.rdf_cell
    folder = _folder(scale, cell, potential, "li_o")
    packed = pack(parse_composition(cell), training.densities[-1])
    settings = replace(training.rdf, ensemble="npt", pressure_bar=None)
    equilibration = watched_run(packed, potential, settings, packed, folder / "equilibration", relax=RELAX)
    _require_end(equilibration, cell, "at constant pressure")
    last = equilibration.times_ps >= 0.5 * settings.time_ps
    volume = float(np.mean(equilibration.masses.sum() * DENSITY_UNIT / equilibration.densities[last]))
    run = watched_run(at_volume(equilibration.atoms, volume), potential, training.rdf, packed, folder, relax=0)
    _require_end(run, cell, "at constant volume")
    return radial_distributions(open_trajectory(folder), {"Li-O": ("element Li", "element O")})["Li-O"]


def _require_end(run: RunResult, cell: str, condition: str) -> None:
    if not run.completed:
        raise ElectrolyteError(f"the run of {cell} {condition} ended early: {run.reason}, {run.detail}")


def _folder(scale: Scale, cell: str, potential: Potential, parent: str) -> Path:
    name = f"{cell.replace('=', '').replace(' ', '_')}_{potential.fingerprint[:12]}"
    return scale.directory / "ion_pairs" / parent / name


def _training(scale: Scale) -> IonPairTraining:
    if scale.ion_pair_training is None:
        raise InputError(f"the {scale.name} scale does not learn ion pairs")
    return scale.ion_pair_training


# -- errors -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class IonPairErrors:
    """Force errors of several kinds of potential, shown in Figs. 5 and S5 (claims 18 and 20).

    Attributes
    ----------
    reference : str
        Level of theory of the labels.
    kinds : dict of str to GroupedErrors
        Name of a kind ("MTP16", "MTP16-QRd") -> its errors, with donors in the shell of Li as sites of their own.
    parameters : dict of str to int
        Name of a kind -> number of parameters of a potential.
    differences : dict of str to GroupedErrors
        Name of a kind with charges -> difference of its mean forces from those of the kind without charges, by site.
    charges : dict
        Name of a kind with charges -> composition -> element -> charge (e) by each of its potentials.
    """

    reference: str
    kinds: Mapping[str, GroupedErrors]
    parameters: Mapping[str, int]
    differences: Mapping[str, GroupedErrors] = field(default_factory=dict)
    charges: Mapping[str, Mapping[str, Mapping[str, Sequence[float]]]] = field(default_factory=dict)

    @property
    def plain(self) -> list[str]:
        """Kinds without charges, by number of parameters."""
        names = [name for name in self.kinds if CHARGED not in name]
        return sorted(names, key=lambda name: self.parameters[name])

    @property
    def charged(self) -> list[str]:
        """Kinds with charges, by number of parameters."""
        names = [name for name in self.kinds if CHARGED in name]
        return sorted(names, key=lambda name: self.parameters[name])

    def to_dict(self) -> dict[str, Any]:
        """Return the errors as numbers and texts for JSON."""
        return {
            "reference": self.reference,
            "kinds": {name: errors.to_dict() for name, errors in self.kinds.items()},
            "parameters": dict(self.parameters),
            "differences": {name: errors.to_dict() for name, errors in self.differences.items()},
            "charges": self.charges,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> IonPairErrors:
        """Return the errors from the result of `to_dict`."""
        from electrolyte_ml.analysis import GroupedErrors

        tables = {
            table: {name: GroupedErrors.from_dict(errors) for name, errors in values[table].items()}
            for table in ("kinds", "differences")
        }
        return cls(values["reference"], parameters=values["parameters"], charges=values["charges"], **tables)


def ion_pair_errors(
    configurations: Sequence[Atoms], potentials: Mapping[str, Mapping[int, Potential]], reference: str
) -> IonPairErrors:
    """Measure the force errors of every kind of potential by site, and the charges of kinds with charges.

    Parameters
    ----------
    configurations
        Labelled configurations.
    potentials
        Name of a kind -> seed -> potential. The name of a kind with charges begins with that of the kind without
        charges, followed by "-QRd".
    reference
        Level of theory of the labels.

    Raises
    ------
    InputError
        There are no configurations or potentials, or a configuration has no labels.
    """
    from electrolyte_ml.analysis import group_coordinated, group_errors
    from electrolyte_ml.training.predictions import predict

    if not potentials:
        raise InputError("there are no potentials to validate")
    groups = group_coordinated(configurations)
    count = len(configurations)
    predictions = {
        name: [predict(potential, configurations) for potential in members.values()]
        for name, members in potentials.items()
    }
    reference_forces = next(iter(predictions.values()))[0].reference_forces
    forces = {name: np.array([prediction.forces for prediction in members]) for name, members in predictions.items()}
    differences = {
        name: group_errors(groups, forces[plain].mean(axis=0), forces[name].mean(axis=0), count)
        for name in potentials
        if CHARGED in name and (plain := name.partition(CHARGED)[0]) in forces
    }
    return IonPairErrors(
        reference,
        {name: group_errors(groups, reference_forces, predicted, count) for name, predicted in forces.items()},
        {name: next(iter(members.values())).n_parameters for name, members in potentials.items()},
        differences,
        {name: _charges(configurations, members) for name, members in potentials.items() if CHARGED in name},
    )


def _charges(configurations: Sequence[Atoms], potentials: Mapping[int, Potential]) -> dict[str, dict[str, list[float]]]:
    """Return composition -> element -> mean charge by each potential, in a composition's first configuration."""
    by_cell: dict[str, dict[str, list[float]]] = {}
    for atoms in configurations:
        names = Topology.of(atoms).known()
        if None in names or (cell := written(dict(sorted(Counter(map(str, names)).items())))) in by_cell:
            continue
        symbols = np.array(atoms.get_chemical_symbols())
        of_cell: dict[str, list[float]] = {}
        for potential in potentials.values():
            charges = potential.evaluate(atoms).charges
            if charges is None:
                raise InputError("a potential has no charges, although its kind has charges")
            for symbol in dict.fromkeys(symbols.tolist()):
                of_cell.setdefault(symbol, []).append(float(charges[symbols == symbol].mean()))
        by_cell[cell] = of_cell
    return by_cell
