"""Comparison of two references on the configurations of a user.

The comparison covers forces by element and site, the pressure with the density error that follows from it, and the
binding of ions.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import zip_longest
from typing import Any

import numpy as np
from ase import Atoms
from ase.units import GPa

from electrolyte_ml.analysis.binding import FORCE, Binding, binding_energy, complexes
from electrolyte_ml.analysis.errors import GroupedErrors, group_atoms, group_errors
from electrolyte_ml.errors import InputError
from electrolyte_ml.parallel import resolve_jobs
from electrolyte_ml.progress import progress_bar
from electrolyte_ml.reference import Label, LabelError, LabelStore, Reference
from electrolyte_ml.reference.labels import label_hash
from electrolyte_ml.structures import MOLECULES, Molecule, Topology, at_volume

STRAIN = 0.01  # relative change of lengths when molecules are moved apart or together for the bulk modulus
NEAR = 0.2  # eV above the lowest minimum: the better reference starts from the other's minima within this range


@dataclass(frozen=True)
class Mean:
    """A mean over configurations and its standard error, NaN for a single configuration."""

    value: float
    error: float

    def text(self, digits: int = 3) -> str:
        """Return value and error, if it is known, as text with so many decimals."""
        known = f" ± {self.error:.{digits}f}" if np.isfinite(self.error) else ""
        return f"{self.value:+.{digits}f}{known}"

    def __str__(self) -> str:
        return self.text()


@dataclass(frozen=True)
class Audit:
    """Differences of a reference from a better one.

    Attributes
    ----------
    reference, against : str
        Names of the reference and of the better one.
    configurations : int
        Number of configurations that both labelled.
    failed : tuple of str
        Reasons why other configurations were not labelled.
    energy_rmse : float or None
        Root mean square difference of the energies, meV/atom, after the best constant for each element is subtracted;
        None with fewer than twice as many configurations as elements.
    force_rms, force_rmse, force_correlation : float
        Over the components of all forces: root mean square of the better reference's forces and of the differences,
        eV/Å, and Pearson's correlation.
    forces : GroupedErrors
        Differences by element, species and site.
    pressure_bias, molecular_pressure_bias : Mean or None
        GPa, reference minus the better one; None without stresses. The molecular pressure leaves out the forces within
        molecules: if configurations come from another reference, their bonds are longer or shorter than at the
        reference's own minimum, which shifts the atomic pressure but not the density.
    bulk_modulus : Mean or None
        Bulk modulus by the reference, GPa, for molecules that move apart and together without change of their shape
        and orientation. A liquid that has time to rearrange is softer.
    density_bias : Mean or None
        Relative change of the density that the bias of the molecular pressure causes at this bulk modulus, to first
        order: a lower bound, because a liquid is softer.
    bindings : tuple of Binding
        Bindings by both references.
    left_out : tuple of str
        Complexes that a reference cannot treat, with the reason.
    seconds : dict
        Name of a reference -> mean time of a label on one core, if any label was computed: wall-clock time multiplied
        by the number of labels computed at once, per label.
    """

    reference: str
    against: str
    configurations: int
    failed: tuple[str, ...]
    energy_rmse: float | None
    force_rms: float
    force_rmse: float
    force_correlation: float
    forces: GroupedErrors
    pressure_bias: Mean | None
    molecular_pressure_bias: Mean | None
    bulk_modulus: Mean | None
    density_bias: Mean | None
    bindings: tuple[Binding, ...]
    left_out: tuple[str, ...]
    seconds: Mapping[str, float]

    def __str__(self) -> str:
        plural = "s" * (self.configurations != 1)
        lines = [f"{self.reference} against {self.against}, {self.configurations} configuration{plural}"]
        lines += [f"not labelled: {reason}" for reason in self.failed]
        lines += ["", f"forces, eV/Å {'':27}{'rms':>8}{'error':>8}{'ratio':>8}{'atoms':>8}"]
        lines.append(
            _force_row("all", self.force_rms, self.force_rmse) + f"{'':8}  correlation {self.force_correlation:.3f}"
        )
        for row in (*self.forces.elements, *self.forces.sites):
            name = f"{row.species} {row.name}" if row.species else row.name
            lines.append(_force_row(name, row.size, row.rmse) + f"{row.atoms:8d}")
        lines += [self.forces.excluded] if self.forces.excluded else []
        lines.append("")
        if self.energy_rmse is not None:
            lines.append(f"energies, without a constant for each element: {self.energy_rmse:.2f} meV/atom RMSE")
        if self.pressure_bias is not None:
            lines.append(f"pressure, mean difference: {self.pressure_bias} GPa, of atoms")
            lines.append(f"                           {self.molecular_pressure_bias} GPa, of molecules as they are")
        if self.density_bias is not None:
            lines.append(f"bulk modulus of molecules as they are: {self.bulk_modulus} GPa ({self.reference})")
            percent = Mean(100 * self.density_bias.value, 100 * self.density_bias.error).text(1)
            lines.append(f"density error at this bulk modulus: {percent} %, a lower bound: a liquid is softer")
        if self.bindings:
            lines += ["", f"binding in vacuum       {self.reference:>24}{self.against:>24}"]
            lines += [f"  {name:<22}{ours:>24}{theirs:>24}" for name, ours, theirs in self._binding_rows()]
        lines += [f"  left out: {reason}" for reason in self.left_out]
        if self.seconds:
            costs = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in self.seconds.items())
            lines += ["", f"time of a label on one core: {costs}"]
        return "\n".join(lines)

    def _binding_rows(self) -> list[tuple[str, str, str]]:
        """Return each complex with the binding energy and distance by the two references."""
        texts = {(b.complex, b.reference): f"{b.energy:.2f} eV {b.distance:.2f} Å" for b in self.bindings}
        names = dict.fromkeys(binding.complex for binding in self.bindings)
        return [(k, texts.get((k, self.reference), "-"), texts.get((k, self.against), "-")) for k in names]


def audit_reference(
    configurations: Sequence[Atoms],
    reference: Reference,
    against: Reference,
    store: LabelStore,
    *,
    count: int = 20,
    seed: int = 0,
    jobs: int | None = 1,
    bind: bool = True,
    own_molecules: Mapping[str, Molecule] | None = None,
    progress: bool = True,
) -> Audit:
    """Label a sample of configurations with two references and compare them.

    Parameters
    ----------
    configurations
        Configurations of the systems to be simulated. Their labels are used if they come from one of the references
        with its present settings.
    reference, against
        The reference in question, and a better one.
    store
        Store of all labels, including those of minimisations: the same call after an interrupt computes none twice.
    count
        Number of configurations to label with both references, in equal shares of all formulas.
    seed
        Seed of the choice of configurations.
    jobs
        Number of labels computed at once.
    bind
        Relax the ions with the solvents and with each other. Unknown molecules are left out.
    own_molecules
        Molecules by name that are recognised before those of the library.
    progress
        Show progress lines.

    Raises
    ------
    InputError
        A reference cannot treat a configuration, or both references have labelled no configuration.
    """
    chosen = sample(configurations, count, seed)
    if not chosen:
        raise InputError("there are no configurations of two atoms or more to audit")
    labelled: list[list[Atoms | None]] = []
    seconds: dict[str, float] = {}
    failed: list[str] = []
    for level in (reference, against):
        level.require()
        for number, atoms in enumerate(chosen, start=1):
            level.check(atoms, f"configuration {number} of the sample")
    for level in (reference, against):
        _keep_known(chosen, level, store)
        start = time.perf_counter()
        result = store.label_all(chosen, level, jobs, progress)
        if result.computed:
            seconds[level.name] = (
                (time.perf_counter() - start) * min(resolve_jobs(jobs), result.computed) / result.computed
            )
        labelled.append(result.labelled)
        failed += [
            f"{level.name}, configuration {fail.index + 1} of the sample: {fail.reason}" for fail in result.failed
        ]
    both = [(a, b) for a, b in zip(*labelled, strict=True) if a is not None and b is not None]
    if not both:
        raise InputError(f"no configuration could be labelled by both references: {failed[0]}")
    ours, theirs = [a for a, _ in both], [b for _, b in both]
    audit = compare_labels(ours, theirs, reference=reference.name, against=against.name, own_molecules=own_molecules)
    audit = replace(audit, failed=tuple(failed), seconds=seconds)
    if audit.molecular_pressure_bias is not None:
        audit = _with_density(audit, audit.molecular_pressure_bias, ours, reference, store, jobs, progress)
    return _with_bindings(audit, chosen, reference, against, store, own_molecules or {}, progress) if bind else audit


def compare_labels(
    ours: Sequence[Atoms],
    theirs: Sequence[Atoms],
    *,
    reference: str,
    against: str,
    own_molecules: Mapping[str, Molecule] | None = None,
) -> Audit:
    """Compare existing labels of the same configurations by two references.

    The result has neither a bulk modulus nor bindings, which need further labels: `audit_reference` computes them.

    Parameters
    ----------
    ours, theirs
        Configurations with labels of the reference in question, and the same with labels of the better one.
    reference, against
        Names of the two references.
    own_molecules
        Molecules by name that are recognised before those of the library.

    Raises
    ------
    InputError
        There are no configurations, or `ours` and `theirs` differ in number or in a configuration.
    """
    if len(ours) != len(theirs) or not ours:
        raise InputError(f"{len(ours)} and {len(theirs)} configurations cannot be compared")
    for number, (a, b) in enumerate(zip(ours, theirs, strict=True), start=1):
        if not (np.array_equal(a.numbers, b.numbers) and np.allclose(a.positions, b.positions, rtol=0, atol=1e-6)):
            raise InputError(f"configuration {number} is not the same in the two sets")
    forces, better = (np.concatenate([atoms.get_forces() for atoms in group]) for group in (ours, theirs))
    bias = molecular = None
    if all(_has_stress(atoms) for atoms in (*ours, *theirs)):
        pairs = list(zip(ours, theirs, strict=True))
        bias = _mean([_pressure(a) - _pressure(b) for a, b in pairs])
        molecular = _mean([molecular_pressure(a) - molecular_pressure(b) for a, b in pairs])
    return Audit(
        reference=reference,
        against=against,
        configurations=len(ours),
        failed=(),
        energy_rmse=_energy_rmse(ours, theirs),
        force_rms=float(np.sqrt(np.mean(better**2))),
        force_rmse=float(np.sqrt(np.mean((forces - better) ** 2))),
        force_correlation=float(np.corrcoef(forces.ravel(), better.ravel())[0, 1]),
        forces=group_errors(group_atoms(theirs, own_molecules), better, forces, len(theirs)),
        pressure_bias=bias,
        molecular_pressure_bias=molecular,
        bulk_modulus=None,
        density_bias=None,
        bindings=(),
        left_out=(),
        seconds={},
    )


def sample(configurations: Sequence[Atoms], count: int, seed: int) -> list[Atoms]:
    """Choose configurations at random, in turn from each formula; isolated atoms, on which no force acts, are left out.

    Parameters
    ----------
    configurations
    count
        Largest number to choose.
    seed
        Seed of the choice.
    """
    rng = np.random.default_rng(seed)
    groups: dict[str, list[Atoms]] = {}
    for number in rng.permutation(len(configurations)):
        atoms = configurations[number]
        if len(atoms) > 1:
            groups.setdefault(atoms.get_chemical_formula(), []).append(atoms)
    turns = zip_longest(*(groups[formula] for formula in sorted(groups)))
    return [atoms for turn in turns for atoms in turn if atoms is not None][:count]


def molecular_pressure(atoms: Atoms) -> float:
    """Return -dE/dV in GPa for a change of the cell that moves the molecules' centres of mass but not their shapes.

    This is the atomic pressure without the virial of the forces within molecules [1]_. Both pressures have the same
    mean in equilibrium if the kinetic part of the atoms or of the molecules, respectively, is added.

    Parameters
    ----------
    atoms
        Configuration with forces and stress, periodic in three directions.

    Raises
    ------
    InputError
        A molecule is bonded to its own image.

    References
    ----------
    .. [1] R. L. C. Akkermans, G. Ciccotti, J. Phys. Chem. B 108, 6866 (2004).
    """
    whole, centres = _molecules(atoms)
    inside = np.sum(atoms.get_forces() * (whole - centres))  # eV
    pressure = -np.trace(atoms.get_stress(voigt=False)) / 3
    return float((pressure - inside / (3 * atoms.get_volume())) / GPa)


def _with_density(
    audit: Audit,
    bias: Mean,
    ours: Sequence[Atoms],
    reference: Reference,
    store: LabelStore,
    jobs: int | None,
    progress: bool,
) -> Audit:
    """Add the bulk modulus, and the density error that follows from the bias of the molecular pressure."""
    moved = [at_volume(atoms, (1 + strain) ** 3 * atoms.get_volume()) for atoms in ours for strain in (STRAIN, -STRAIN)]
    labelled = store.label_all(moved, reference, jobs, progress).labelled
    moduli = [
        (molecular_pressure(squeezed) - molecular_pressure(stretched))
        / np.log(stretched.get_volume() / squeezed.get_volume())
        for stretched, squeezed in zip(labelled[::2], labelled[1::2], strict=True)
        if stretched is not None and squeezed is not None
    ]
    if not moduli:
        return audit
    modulus = _mean(moduli)
    value = -bias.value / modulus.value
    error = np.hypot(bias.error / modulus.value, value * modulus.error / modulus.value)
    return replace(audit, bulk_modulus=modulus, density_bias=Mean(value, float(error)))


def _with_bindings(
    audit: Audit,
    configurations: Sequence[Atoms],
    reference: Reference,
    against: Reference,
    store: LabelStore,
    own_molecules: Mapping[str, Molecule],
    progress: bool,
) -> Audit:
    """Add the bindings of the species in the configurations."""
    known = {**MOLECULES, **own_molecules}
    groups = group_atoms(configurations, own_molecules)
    left_out = [f"{formula}, which is not a known molecule" for formula in groups.unrecognised]
    bindings = []
    wanted = complexes(known[name] for name in groups.molecules)
    bar = progress_bar(wanted, desc="complexes", unit="", shown=progress)
    for complex in bar:
        starts = None  # the better reference starts from the minima of the other one
        for level in (reference, against):
            show = partial(_show_step, bar, f"{complex}, {level.name}")
            try:
                binding, minima = binding_energy(complex, level, store, starts, show)
            except (InputError, LabelError) as error:
                left_out.append(f"{complex} with {level.name}: {error}")
                continue
            bindings.append(binding)
            starts = [
                atoms for atoms in minima if atoms.get_potential_energy() < minima[0].get_potential_energy() + NEAR
            ]
    return replace(audit, bindings=tuple(bindings), left_out=tuple(left_out))


def _show_step(bar: Any, name: str, atoms: Atoms) -> None:
    """Show the step of a minimisation in a progress bar, since steps of a slow reference take minutes."""
    largest = np.linalg.norm(atoms.get_forces(), axis=1).max()
    bar.set_postfix_str(f"{name}: largest force {largest:.2f}, to be {FORCE:g} eV/Å")


def _keep_known(configurations: Sequence[Atoms], reference: Reference, store: LabelStore) -> None:
    """Store the labels that configurations already have from this reference with its present settings."""
    for atoms in configurations:
        if atoms.calc is not None and atoms.info.get("label_hash") == label_hash(atoms, reference):
            stress = atoms.get_stress() if _has_stress(atoms) else None
            store.put(atoms, reference, Label(atoms.get_potential_energy(), atoms.get_forces(), stress))


def _energy_rmse(ours: Sequence[Atoms], theirs: Sequence[Atoms]) -> float | None:
    """Return the root mean square difference of the energies, meV/atom, without the best constant for each element."""
    symbols = sorted({symbol for atoms in ours for symbol in atoms.symbols})
    if len(ours) < 2 * len(symbols):
        return None
    counts = np.array([[atoms.symbols.count(symbol) for symbol in symbols] for atoms in ours])
    sizes = counts.sum(axis=1)
    difference = np.array(
        [a.get_potential_energy() - b.get_potential_energy() for a, b in zip(ours, theirs, strict=True)]
    )
    scaled = counts / sizes[:, None]
    constants, _, rank, _ = np.linalg.lstsq(scaled, difference / sizes)
    residual = difference / sizes - scaled @ constants
    return float(1e3 * np.sqrt(np.sum(residual**2) / (len(ours) - rank)))


def _mean(values: Sequence[float]) -> Mean:
    """Return mean and standard error; the error of a single value is NaN."""
    error = np.std(values, ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
    return Mean(float(np.mean(values)), float(error))


def _force_row(name: str, rms: float, rmse: float) -> str:
    return f"  {name:<38}{rms:8.3f}{rmse:8.3f}{100 * rmse / rms:7.0f}%"


def _pressure(atoms: Atoms) -> float:
    """Return the pressure in GPa without the kinetic part."""
    return float(-np.trace(atoms.get_stress(voigt=False)) / 3 / GPa)


def _molecules(atoms: Atoms) -> tuple[np.ndarray, np.ndarray]:
    """Return positions with molecules in one piece, and the centre of mass of each atom's molecule, (N, 3) Å each."""
    topology = Topology.of(atoms)
    if topology.endless.any():
        raise InputError("a molecule is bonded to its own image: the configuration has no molecular pressure")
    return topology.unwrapped, topology.centres(atoms.get_masses())[topology.labels]


def _has_stress(atoms: Atoms) -> bool:
    return atoms.calc is not None and "stress" in atoms.calc.results
