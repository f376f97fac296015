"""Validation sets of EC and EMC, and errors of potentials on them within and between molecules (section 2.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms

from electrolyte_ml.errors import ElectrolyteError, InputError
from electrolyte_ml.paper.protocols import density_run, label_store, reference_of
from electrolyte_ml.paper.scales import DensityRun, IntermolecularErrors, Scale
from electrolyte_ml.potentials.spec import ModelSpec
from electrolyte_ml.structures import MOLECULES, parse_composition

if TYPE_CHECKING:
    from electrolyte_ml.analysis import GroupedErrors, SplitErrors
    from electrolyte_ml.dynamics import RunResult
    from electrolyte_ml.potentials import Potential

CHARGED = "-QRd"  # ending of the name of a kind with charges: "MTP16-QRd" is "MTP16" with charges
_SNAPSHOTS = 3  # number of configurations of the mixture with least EC whose errors are stored atom by atom


# -- sets -------------------------------------------------------------------------------------------------------------


def validation_cells(protocol: IntermolecularErrors) -> list[str]:
    """Return the boxes of the validation sets, such as "EC=7 EMC=3", one for each ratio of EC to EMC.

    The number of molecules falls linearly from the largest of the protocol's range in pure EC to the smallest in pure
    EMC, whose molecules are larger; it is rounded to the nearest number in the range with the exact ratio.

    Raises
    ------
    InputError
        No number of molecules in the range has the ratio.
    """
    fewest, most = protocol.molecules
    cells = []
    for ec, emc in protocol.ratios:
        parts = ec + emc
        target = fewest + (most - fewest) * ec / parts
        possible = [n for n in range(fewest, most + 1) if n % parts == 0]
        if not possible:
            raise InputError(f"{ec}:{emc} of EC and EMC needs a multiple of {parts} molecules, not {fewest} to {most}")
        count = min(possible, key=lambda n: abs(n - target)) // parts
        cells.append(" ".join(f"{name}={n * count}" for name, n in (("EC", ec), ("EMC", emc)) if n))
    return cells


def validation_kinds(scale: Scale) -> list[ModelSpec]:
    """Return the compared kinds of potential: every level of the protocol, without and with charges.

    Raises
    ------
    InputError
        The scale has no such protocol.
    """
    model = scale.pure_solvents.learning.model
    return [
        replace(model, level=level, charges=charges) for level in _protocol(scale).levels for charges in (None, "qrd")
    ]


def validation_sets(scale: Scale, potential: Potential, *, progress: bool = True) -> dict[str, list[Atoms]]:
    """Run dynamics of every ratio of EC and EMC, and label configurations that are evenly spaced in time.

    Runs are kept with the scale's results, under the potential's fingerprint, and labels in the scale's store, so that
    an interrupted call can be resumed.

    Parameters
    ----------
    scale
        Scale whose `intermolecular_errors` defines ratios, run and number of configurations.
    potential
        Potential of the dynamics.
    progress
        Whether to show progress lines.

    Returns
    -------
    dict
        Cell, such as "EC=7 EMC=3" -> labelled configurations in the order of time.

    Raises
    ------
    InputError
        The scale has no such protocol.
    ElectrolyteError
        A run ended early, or a label failed: incomplete sets are refused.
    """
    protocol = _protocol(scale)
    reference, store = reference_of(scale), label_store(scale)
    sets = {}
    for cell in validation_cells(protocol):
        run = _sampling_run(scale, protocol, cell, potential)
        if not run.completed:
            raise ElectrolyteError(f"the run of {cell} for its validation set ended early: {run.reason}, {run.detail}")
        chosen = evenly_spaced(run.frames(), protocol.configurations, protocol.sampling.time_ps)
        sets[cell] = store.label_all(chosen, reference, None, progress).complete(f"{cell}, by {reference.name}")
    return sets


def _sampling_run(scale: Scale, protocol: IntermolecularErrors, cell: str, potential: Potential) -> RunResult:
    """Run the potential in a packed box, after the same heating as in the scale's density runs."""
    run = DensityRun((cell,), protocol.sampling, protocol.sampling.time_ps, scale.pure_solvents.density.heating)
    return density_run(potential, scale, run, cell, _packing_density(scale, cell), folder="validation")


def _packing_density(scale: Scale, cell: str) -> float:
    """Return the density (g/cm³) of a box whose molecules have the same volumes as in the boxes of pure solvents."""
    pure = scale.pure_solvents
    names = [solvent.partition("=")[0] for solvent in pure.cells]
    densities = {name: float(np.mean(values)) for name, values in zip(names, pure.packing_densities, strict=True)}
    masses = {name: count * MOLECULES[name].mass for name, count in parse_composition(cell).items()}
    return sum(masses.values()) / sum(mass / densities[name] for name, mass in masses.items())


def evenly_spaced(frames: Sequence[Atoms], count: int, time_ps: float) -> list[Atoms]:
    """Return the frames at the ends of equal parts of a run, with only elements, positions and cell.

    Parameters
    ----------
    frames
        Frames with `time_ps` in their info.
    count
        Number of parts.
    time_ps
        Length of the run.

    Raises
    ------
    InputError
        The run has too few frames.
    """
    times = np.array([frame.info["time_ps"] for frame in frames])
    ends = time_ps * np.arange(1, count + 1) / count
    chosen = np.abs(times[:, None] - ends).argmin(axis=0)
    if len(set(chosen.tolist())) < count:
        raise InputError(f"a run of {len(frames)} frames is too short for {count} evenly spaced configurations")
    return [
        Atoms(frames[k].numbers, frames[k].positions, cell=frames[k].cell, pbc=frames[k].pbc) for k in chosen.tolist()
    ]


def _protocol(scale: Scale) -> IntermolecularErrors:
    if scale.intermolecular_errors is None:
        raise InputError(f"the {scale.name} scale has no validation sets of EC and EMC")
    return scale.intermolecular_errors


# -- errors -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Snapshot:
    """Force errors of one configuration atom by atom (Fig. S4).

    Attributes
    ----------
    composition, kind : str
        Composition of the configuration, and kind of the potential.
    numbers, positions, cell : list
        Atomic numbers (N,), positions (N, 3) and cell (3, 3), Å.
    lengths : (N,) eV/Å
        Length of the force error of each atom, by the first potential of the kind.
    """

    composition: str
    kind: str
    numbers: list[int]
    positions: list[list[float]]
    cell: list[list[float]]
    lengths: list[float]

    @property
    def atoms(self) -> Atoms:
        """The configuration."""
        return Atoms(self.numbers, self.positions, cell=self.cell, pbc=True)


@dataclass(frozen=True)
class ValidationErrors:
    """Errors of several kinds of potential on the validation sets, shown in Figs. 3, 4, S3 and S4.

    Attributes
    ----------
    reference : str
        Level of theory of the labels.
    kinds : dict of str to SplitErrors
        Name of a kind ("MTP16", "MTP16-QRd") -> its errors.
    parameters : dict of str to int
        Name of a kind -> number of parameters of a potential.
    differences : dict of str to dict
        Name of a kind without charges -> part -> difference of its mean forces from those of the kind with charges, by
        site (`length`), on the composition of `snapshots`.
    seed_differences : dict of str to dict
        Name of a kind without charges -> part -> difference of the forces of its first two potentials, by site: the
        effect of the random start alone.
    snapshots : tuple of Snapshot
        Configurations of the mixture with least EC.
    """

    reference: str
    kinds: Mapping[str, SplitErrors]
    parameters: Mapping[str, int]
    differences: Mapping[str, Mapping[str, GroupedErrors]] = field(default_factory=dict)
    seed_differences: Mapping[str, Mapping[str, GroupedErrors]] = field(default_factory=dict)
    snapshots: tuple[Snapshot, ...] = ()

    @property
    def plain(self) -> list[str]:
        """Kinds without charges, by number of parameters."""
        names = [name for name in self.kinds if not name.endswith(CHARGED)]
        return sorted(names, key=lambda name: self.parameters[name])

    @property
    def mixture(self) -> str:
        """Composition of the maps (Fig. 4): the mixture with least EC, or the last composition if all are pure."""
        return _mixture(next(iter(self.kinds.values())).compositions)

    def to_dict(self) -> dict[str, Any]:
        """Return the errors as numbers and texts for JSON."""
        return {
            "reference": self.reference,
            "kinds": {name: errors.to_dict() for name, errors in self.kinds.items()},
            "parameters": dict(self.parameters),
            "differences": _plain(self.differences),
            "seed_differences": _plain(self.seed_differences),
            "snapshots": [asdict(snapshot) for snapshot in self.snapshots],
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ValidationErrors:
        """Return the errors from the result of `to_dict`."""
        from electrolyte_ml.analysis import SplitErrors

        return cls(
            values["reference"],
            {name: SplitErrors.from_dict(errors) for name, errors in values["kinds"].items()},
            values["parameters"],
            _rebuilt(values["differences"]),
            _rebuilt(values["seed_differences"]),
            tuple(Snapshot(**snapshot) for snapshot in values["snapshots"]),
        )


def validation_errors(
    scale: Scale,
    configurations: Sequence[Atoms],
    potentials: Mapping[str, Mapping[int, Potential]],
    *,
    progress: bool = True,
) -> ValidationErrors:
    """Measure the errors of every kind of potential within and between molecules, with labels of single molecules.

    Parameters
    ----------
    scale
        Scale with the reference and the store of the molecules' labels.
    configurations
        Configurations of all validation sets, labelled by that reference.
    potentials
        Name of a kind -> seed -> potential.
    progress
        Whether to show progress lines.

    Raises
    ------
    InputError
        The labels are of another reference, there are no potentials, or no configuration has whole molecules.
    """
    from electrolyte_ml.analysis import Liquid, difference_by_site, split_errors, split_potential, split_reference
    from electrolyte_ml.analysis.intermolecular import PARTS

    if not potentials:
        raise InputError("there are no potentials to validate")
    reference = reference_of(scale)
    liquid = Liquid.of(configurations)
    reference_parts = split_reference(liquid, reference, label_store(scale), None, progress)
    splits = {
        name: [split_potential(liquid, potential) for potential in members.values()]
        for name, members in potentials.items()
    }
    kinds = {name: split_errors(liquid, reference_parts, members) for name, members in splits.items()}
    chosen = _mixture(next(iter(kinds.values())).compositions)
    differences = {
        name: {part: difference_by_site(liquid, members, splits[name + CHARGED], part, chosen) for part in PARTS}
        for name, members in splits.items()
        if name + CHARGED in splits
    }
    of_seeds = {
        name: {part: difference_by_site(liquid, members[:1], members[1:2], part, chosen) for part in PARTS}
        for name, members in splits.items()
        if not name.endswith(CHARGED) and len(members) > 1
    }
    kind = max(
        (name for name in splits if not name.endswith(CHARGED)),
        key=lambda name: next(iter(potentials[name].values())).n_parameters,
        default=next(iter(splits)),
    )
    errors = np.linalg.norm(splits[kind][0].forces["total"] - reference_parts.forces["total"], axis=1)  # (N,) eV/Å
    snapshots = []
    places = [k for k, name in enumerate(liquid.compositions) if name == chosen]
    for k in [places[i] for i in np.linspace(0, len(places) - 1, min(_SNAPSHOTS, len(places))).astype(int)]:
        atoms = liquid.configurations[k]
        lengths = errors[slice(*liquid.starts[k : k + 2])]
        snapshots.append(
            Snapshot(
                chosen,
                kind,
                atoms.numbers.tolist(),
                atoms.positions.round(4).tolist(),
                atoms.cell.array.round(6).tolist(),
                lengths.round(4).tolist(),
            )
        )
    parameters = {name: next(iter(members.values())).n_parameters for name, members in potentials.items()}
    return ValidationErrors(reference.name, kinds, parameters, differences, of_seeds, tuple(snapshots))


def _plain(differences: Mapping[str, Mapping[str, GroupedErrors]]) -> dict[str, Any]:
    return {name: {part: grouped.to_dict() for part, grouped in parts.items()} for name, parts in differences.items()}


def _rebuilt(values: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, GroupedErrors]]:
    from electrolyte_ml.analysis import GroupedErrors

    return {
        name: {part: GroupedErrors.from_dict(grouped) for part, grouped in parts.items()}
        for name, parts in values.items()
    }


def _mixture(compositions: Mapping[str, Any]) -> str:
    """Return the last mixture of compositions ordered from EC to EMC, or the last composition if all are pure."""
    names = list(compositions)
    return next((name for name in reversed(names) if ":" in name), names[-1])
