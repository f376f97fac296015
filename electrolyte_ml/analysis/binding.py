"""Binding of cations to solvents and anions by a reference, from relaxed complexes in vacuum.

A complex is one cation with ligands around it. The binding energy of its last ligand is
E(complex) - E(complex without the ligand) - E(ligand), each at its own minimum: negative if the ligand is bound.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from ase import Atoms
from ase.data import covalent_radii

from electrolyte_ml.reference import LabelError, LabelStore, Reference, StoredCalculator
from electrolyte_ml.structures import Molecule, Topology, changes
from electrolyte_ml.structures.charge import bare_configuration
from electrolyte_ml.structures.graphs import neighbours

FORCE = 0.05  # eV/Å, limit of all forces at a minimum, whose energy is then right to a few meV
STEPS = 300  # largest number of steps of a minimisation
BITE = 2.9  # Å, largest distance between two donors of a ligand that coordinate one cation
SHELL = 1.25  # donors within this multiple of the shortest distance from cation to donor coordinate
SAME_ENERGY, SAME_DISTANCE = 5e-3, 0.02  # eV and Å, within which two minima count as one


@dataclass(frozen=True)
class Complex:
    """A cation and its ligands.

    Attributes
    ----------
    cation : Molecule
        Cation of one atom.
    ligands : tuple of Molecule
        Solvents and anions.
    """

    cation: Molecule
    ligands: tuple[Molecule, ...] = ()

    @property
    def charge(self) -> int:
        """Total charge in e."""
        return self.cation.charge + sum(ligand.charge for ligand in self.ligands)

    @property
    def symbols(self) -> list[str]:
        """Element of every atom."""
        return [symbol for part in (self.cation, *self.ligands) for symbol in part.symbols]

    @property
    def rest(self) -> Complex:
        """The complex without its last ligand."""
        return Complex(self.cation, self.ligands[:-1])

    @property
    def name(self) -> str:
        """Names of the parts and the charge, such as "Li+", "LiPF6", "LiPF6EC"."""
        sign = ("+" if self.charge > 0 else "-") if self.charge else ""
        number = abs(self.charge) if abs(self.charge) > 1 else ""
        return f"{''.join(part.name for part in (self.cation, *self.ligands))}{number}{sign}"

    def __str__(self) -> str:
        return f"{self.ligands[-1].name} to {self.rest.name}" if self.ligands else self.name


@dataclass(frozen=True)
class Binding:
    """Binding of the last ligand of a complex by a reference.

    Attributes
    ----------
    complex : str
        Ligand and the rest of the complex, such as "EC to Li+".
    reference : str
        Name of the level of theory.
    energy : float
        Binding energy, eV; negative if the ligand is bound.
    distance : float
        Distance from the cation to the nearest donor of the last ligand, Å.
    denticity : int
        Number of donors of the last ligand within 1.25 times this distance.
    """

    complex: str
    reference: str
    energy: float
    distance: float
    denticity: int


def complexes(molecules: Iterable[Molecule]) -> list[Complex]:
    """Return the complexes whose binding energies describe the ions of an electrolyte.

    They are each cation with each solvent and with each anion, and each neutral ion pair with each solvent.

    Parameters
    ----------
    molecules
        Species of the electrolyte. Cations of several atoms and solvents without donors are left out.
    """
    species = list(molecules)
    cations = [molecule for molecule in species if molecule.role == "cation" and len(molecule.symbols) == 1]
    anions = [molecule for molecule in species if molecule.role == "anion"]
    solvents = [molecule for molecule in species if molecule.role == "solvent" and molecule.donors]
    pairs = [Complex(cation, (ligand,)) for cation in cations for ligand in (*solvents, *anions)]
    ion_pairs = [pair for pair in pairs if pair.ligands[0].role == "anion" and pair.charge == 0]
    return pairs + [Complex(pair.cation, (*pair.ligands, solvent)) for pair in ion_pairs for solvent in solvents]


def binding_energy(
    complex: Complex,
    reference: Reference,
    store: LabelStore,
    starts: Sequence[Atoms] | None = None,
    on_step: Callable[[Atoms], None] | None = None,
) -> tuple[Binding, list[Atoms]]:
    """Relax a complex and its parts with a reference.

    Parameters
    ----------
    complex
        Complex with at least one ligand.
    reference
    store
        Store of the label of every step of the minimisations: the same call after an interrupt computes none twice.
    starts
        Geometries of the complex, such as the minima of another reference, as for `minima`.
    on_step
        Function called with the atoms after each step of a minimisation.

    Returns
    -------
    Binding
        Binding at the lowest minimum.
    list of Atoms
        All distinct minima, the lowest first.

    Raises
    ------
    InputError
        The reference cannot treat a charge or an element.
    LabelError
        No start leads to a minimum in which all ligands keep their bonds.
    """
    for part in (complex.rest, complex):
        reference.check_charge(_together(part, np.zeros((len(part.symbols), 3))), str(complex))
    geometries = minima(complex, reference, store, starts, on_step)
    rest = minima(complex.rest, reference, store, on_step=on_step)[0]
    last = complex.ligands[-1]
    ligand = _relaxed([last], last.atoms(), reference, store, on_step)
    if ligand is None:
        raise LabelError(f"{last.name} alone has no minimum of {reference.name} in which it keeps its bonds")
    energy = geometries[0].get_potential_energy() - rest.get_potential_energy() - ligand.get_potential_energy()
    distances = np.sort(_donor_distances(complex, geometries[0]))
    denticity = int((distances < SHELL * distances[0]).sum())
    return Binding(str(complex), reference.name, float(energy), float(distances[0]), denticity), geometries


def minima(
    complex: Complex,
    reference: Reference,
    store: LabelStore,
    starts: Sequence[Atoms] | None = None,
    on_step: Callable[[Atoms], None] | None = None,
) -> list[Atoms]:
    """Return the distinct minima of a complex, the lowest first, with their energies.

    Parameters
    ----------
    complex, reference, store, on_step
        As for `binding_energy`.
    starts
        Geometries of the complex: the cation first, then the ligands in their order. By default the last ligand is
        added to the lowest minimum of the rest in several orientations: with each of its donors, and each set of two
        or three neighbouring donors, at the cation.

    Raises
    ------
    InputError, LabelError
        As for `binding_energy`.
    """
    if starts is None:
        rest = minima(complex.rest, reference, store, on_step=on_step)[0] if complex.ligands else None
        starts = [complex.cation.atoms()] if rest is None else list(_starts(complex, rest))
    parts = [complex.cation, *complex.ligands]
    relaxed = [atoms for start in starts if (atoms := _relaxed(parts, start, reference, store, on_step)) is not None]
    if not relaxed:
        raise LabelError(f"{complex}: no start leads to a minimum of {reference.name} in which all bonds are kept")
    relaxed.sort(key=Atoms.get_potential_energy)
    distinct: list[Atoms] = []
    for atoms in relaxed:
        if not any(_same(complex, atoms, other) for other in distinct):
            distinct.append(atoms)
    return distinct


def _same(complex: Complex, first: Atoms, second: Atoms) -> bool:
    """Return whether two minima agree in energy and in the distances from the cation to the last ligand's donors."""
    if abs(first.get_potential_energy() - second.get_potential_energy()) > SAME_ENERGY:
        return False
    distances = [np.sort(_donor_distances(complex, atoms)) for atoms in (first, second)] if complex.ligands else []
    return not distances or bool(np.abs(distances[0] - distances[1]).max() < SAME_DISTANCE)


def _donor_distances(complex: Complex, atoms: Atoms) -> np.ndarray:
    """Return the distances from the cation to the donors of the last ligand, (n_donors,) Å."""
    ligand = complex.ligands[-1]
    first = len(atoms) - len(ligand.symbols)
    donors = [first + atom for kind in ligand.donors.values() for atom in kind]
    return np.linalg.norm(atoms.positions[donors] - atoms.positions[0], axis=1)


def _starts(complex: Complex, rest: Atoms) -> Iterator[Atoms]:
    """Yield geometries of the rest with the last ligand on its free side, one for each anchor of the ligand."""
    occupied = rest.positions[1:] - rest.positions[0]
    away = -occupied.sum(axis=0) if len(occupied) else np.array([0.0, 0.0, 1.0])
    for anchor in anchors(complex.ligands[-1]):
        ligand = placed(complex.ligands[-1], anchor, away / np.linalg.norm(away), complex.cation)
        radii = covalent_radii[complex.ligands[-1].numbers] + covalent_radii[complex.cation.numbers[0]]
        if (np.linalg.norm(ligand, axis=1) < 0.8 * radii).any():  # another atom of the ligand is too near the cation
            continue
        yield _together(complex, np.concatenate([rest.positions, rest.positions[0] + ligand]))


def _together(complex: Complex, positions: np.ndarray) -> Atoms:
    """Return the atoms of a complex with its total charge, at positions (N, 3) Å."""
    return Atoms(complex.symbols, positions, info={"charge": complex.charge})


def anchors(ligand: Molecule) -> list[tuple[int, ...]]:
    """Return the donors of a ligand, and the pairs and triples of neighbouring donors, without equivalent sets.

    Two sets are equivalent if their atoms have the same sites in the bond graph and their distances agree within
    0.1 Å.
    """
    donors = sorted(atom for kind in ligand.donors.values() for atom in kind)
    sets: dict[tuple[object, ...], tuple[int, ...]] = {}
    for size in (1, 2, 3):
        for chosen in combinations(donors, size):
            lengths = [np.linalg.norm(ligand.positions[i] - ligand.positions[j]) for i, j in combinations(chosen, 2)]
            if all(length < BITE for length in lengths):
                sites = sorted(int(ligand.graph.sites[atom]) for atom in chosen)
                sets.setdefault((*sites, *np.round(np.sort(lengths), 1).tolist()), chosen)
    return list(sets.values())


def placed(ligand: Molecule, anchor: Sequence[int], direction: np.ndarray, cation: Molecule) -> np.ndarray:
    """Turn and move a ligand so that its anchor atoms face a cation at the origin from a given direction.

    Parameters
    ----------
    ligand
    anchor
        Donors that coordinate the cation.
    direction
        (3,) unit vector from the cation to the ligand.
    cation

    Returns
    -------
    (N, 3) Å
        Positions. The root mean square distance of the anchor atoms from the origin is a sum of covalent radii, 1.9 Å
        for O and Li.
    """
    chosen = list(anchor)
    centre = ligand.positions[chosen].mean(axis=0)
    bonded = neighbours(len(ligand.symbols), np.array(ligand.bonds))
    behind = sorted({j for i in chosen for j in bonded[i]} - {*chosen})
    outward = centre - ligand.positions[behind].mean(axis=0) if behind else centre
    if np.linalg.norm(outward) < 1e-3:  # a single atom, or donors on both sides of the centre
        outward = np.array([1.0, 0.0, 0.0])
    turned = (ligand.positions - centre) @ _rotation(outward / np.linalg.norm(outward), -np.asarray(direction)).T
    radii = covalent_radii[ligand.numbers[chosen]].mean() + covalent_radii[cation.numbers[0]]
    spread = np.sum((ligand.positions[chosen] - centre) ** 2) / len(chosen)  # Å²
    return np.asarray(turned + np.sqrt(max(radii**2 - spread, 0.0)) * np.asarray(direction))


def _rotation(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Return the (3, 3) rotation that turns one unit vector into another."""
    from scipy.spatial.transform import Rotation

    axis = np.cross(start, end)
    if np.linalg.norm(axis) < 1e-9:  # parallel or opposite: any perpendicular axis will do
        axis = np.cross(start, np.eye(3)[np.argmin(np.abs(start))])
    angle = np.arctan2(np.linalg.norm(np.cross(start, end)), start @ end)
    return np.asarray(Rotation.from_rotvec(axis / np.linalg.norm(axis) * angle).as_matrix())


def _relaxed(
    parts: Sequence[Molecule],
    start: Atoms,
    reference: Reference,
    store: LabelStore,
    on_step: Callable[[Atoms], None] | None,
) -> Atoms | None:
    """Return the minimum reached from a start; None if a part changes its bonds, or no minimum is reached."""
    from ase.optimize import BFGS

    atoms = bare_configuration(start)
    atoms.calc = StoredCalculator(reference, store)
    if len(atoms) == 1:
        return atoms
    # Symmetric starts would end on saddle points.
    atoms.positions += np.random.default_rng(0).normal(scale=0.02, size=atoms.positions.shape)
    minimisation = BFGS(atoms, logfile=None, maxstep=0.1)
    if on_step is not None:
        minimisation.attach(on_step, atoms=atoms)
    try:
        if not minimisation.run(fmax=FORCE, steps=STEPS):
            return None
    except LabelError:
        return None
    first = 0
    for part in parts:
        own = atoms[first : first + len(part.symbols)]
        if changes(Topology.of(part.atoms()), own):
            return None
        first += len(part.symbols)
    return atoms
