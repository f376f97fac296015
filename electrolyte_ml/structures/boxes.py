"""Packing of periodic boxes from a composition."""

from collections.abc import Mapping, Sequence

import numpy as np
from ase import Atoms
from ase.data import vdw_radii

from electrolyte_ml.errors import InputError
from electrolyte_ml.structures.composition import molecules_of, require_charge, written
from electrolyte_ml.structures.molecules import Molecule
from electrolyte_ml.structures.packing import FirstShells, RigidBodies
from electrolyte_ml.units import DENSITY_UNIT

CONTACT = 0.9  # closest allowed contact in units of the van der Waals distance
TARGET = 0.93  # target of the minimiser: the small overlaps that it leaves then stay above CONTACT
MAX_ATTEMPTS = 10  # random starts before the density counts as unreachable
# Å, effective radii of six-coordinate ions (Shannon, Acta Cryst. A 32, 751 (1976)): the distance of a monatomic cation
# from its donors is much shorter than van der Waals radii suggest, and short dynamics does not correct a wrong one.
CATION_RADII = {"Li": 0.76, "Na": 1.02, "K": 1.38, "Mg": 0.72}
_LONGEST_EDGE = 1e6  # Å
MAX_DENSITY = 3.0  # g/cm³, above the densities of the solids of all molecules in the library


def density(atoms: Atoms) -> float:
    """Return the mass density of a periodic configuration in g/cm³.

    Raises
    ------
    InputError
        The configuration is not periodic in all three directions, or its cell has no volume.
    """
    if not atoms.pbc.all() or np.linalg.matrix_rank(atoms.cell.array) < 3:
        raise InputError("a density needs a cell that is periodic in three directions")
    return float(atoms.get_masses().sum() / atoms.get_volume() * DENSITY_UNIT)


def pack(
    composition: Mapping[str, int],
    density: float,
    seed: int = 0,
    *,
    charge: int = 0,
    own_molecules: Mapping[str, Molecule] | None = None,
) -> Atoms:
    """Pack unbroken, rigid molecules into a cubic periodic box.

    Molecules start at random positions and orientations in a dilute box. The box is then shrunk in small steps, and
    after each step a soft repulsion pushes overlapping molecules apart as rigid bodies. Two atoms of different
    molecules, or of a molecule and its periodic image, are finally never closer than 0.9 times the sum of their van der
    Waals radii (`ase.data.vdw_radii`, Bondi's: H 1.20, C 1.70, O 1.52, F 1.47, P 1.80 Å). Monatomic cations have their
    ionic radii (`CATION_RADII`), and two of them are at least 3.4 Å apart.

    Parameters
    ----------
    composition
        Name -> number of molecules; names of molecules, salts or files, or SMILES
        (:func:`electrolyte_ml.structures.naming.find_molecule`).
    density
        g/cm³.
    seed
        The same seed gives the same box.
    charge
        Expected total charge of all molecules, e.
    own_molecules
        Molecules by name; they take precedence over the library.

    Returns
    -------
    Atoms
        Unwrapped molecules in the order of the composition (for a salt: all cations, then all anions); `info["charge"]`
        is the total charge in e.

    Raises
    ------
    InputError
        A name is unknown, a count or the density is not possible, the charges of the molecules do not sum to `charge`,
        or no packing is found at the density.
    """
    molecules = molecules_of(composition, own_molecules)
    require_charge(composition, charge, own_molecules)
    edge = edge_of(molecules, density)
    closest = 0.0
    for attempt in range(max(2, min(MAX_ATTEMPTS, 100 // len(molecules)))):  # another start helps little in large boxes
        box, contact = pack_once(molecules, edge, np.random.default_rng([seed, attempt]))
        if contact >= CONTACT:
            box.info["charge"] = charge
            return box
        closest = max(closest, contact)
    raise InputError(
        f"cannot pack {written(composition)} at {density:g} g/cm³ in a cubic box of {edge:.2f} Å: the closest contact "
        f"is {closest:.2f} of the van der Waals distance, {CONTACT} is the limit; lower the density or take more "
        "molecules"
    )


def edge_of(molecules: Sequence[Molecule], density: float) -> float:
    """Return the edge (Å) of the cube in which molecules have a given density (g/cm³).

    Raises
    ------
    InputError
        The density is not positive, or higher than any possible one.
    """
    if not 0 < density <= MAX_DENSITY:
        raise InputError(f"the density must lie between 0 and {MAX_DENSITY} g/cm³, got {density}")
    edge = float((sum(body.mass for body in molecules) * DENSITY_UNIT / density) ** (1 / 3))
    if edge > _LONGEST_EDGE:
        raise InputError(f"at a density of {density:g} g/cm³ the box is {edge:.3g} Å long, above {_LONGEST_EDGE:g}")
    return edge


def pack_once(
    molecules: Sequence[Molecule], edge: float, rng: np.random.Generator, shells: FirstShells | None = None
) -> tuple[Atoms, float]:
    """Pack molecules from one random start.

    Parameters
    ----------
    molecules
    edge
        Edge of the cubic box, Å.
    rng
    shells
        First shells to be formed.

    Returns
    -------
    Atoms
        Packed box, without a charge in its info.
    float
        Closest contact in units of the van der Waals distance; overlaps may remain.
    """
    sizes = [len(body.symbols) for body in molecules]
    bodies = RigidBodies(
        shape=np.concatenate([body.positions for body in molecules]),
        radii=TARGET * np.concatenate([_radii(body) for body in molecules]),
        first=np.cumsum([0, *sizes[:-1]]),
        cations=np.repeat([is_small_cation(body) for body in molecules], sizes),
        shells=shells,
    )
    positions = bodies.pack(edge, rng)
    symbols = [symbol for body in molecules for symbol in body.symbols]
    box = Atoms(symbols, positions, cell=[edge] * 3, pbc=True)
    return box, TARGET * bodies.closest_contact(positions, box.cell.array)


def is_small_cation(body: Molecule) -> bool:
    """Return whether a molecule is a monatomic cation with a radius in `CATION_RADII`."""
    return body.charge > 0 and body.formula in CATION_RADII


def _radii(body: Molecule) -> np.ndarray:
    """Return the radii (N,) Å of the atoms of a molecule: van der Waals radii, or the radius of a monatomic cation."""
    if is_small_cation(body):
        return np.array([CATION_RADII[body.formula]])
    return np.asarray(vdw_radii[body.numbers])
