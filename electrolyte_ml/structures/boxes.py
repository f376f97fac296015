"""Periodic boxes packed from a composition."""

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
TARGET = 0.93  # what packing aims at, so that the small overlaps that a minimiser leaves stay above CONTACT
MAX_ATTEMPTS = 10  # fresh random starts before the density counts as unreachable
# Å, effective radii of six-coordinate ions (Shannon, Acta Cryst. A 32, 751 (1976)): cations of one atom touch their
# donors at much less than the van der Waals radius of the atom, and dynamics of femtoseconds does not take them there.
CATION_RADII = {"Li": 0.76, "Na": 1.02, "K": 1.38, "Mg": 0.72}
_LONGEST_EDGE = 1e6  # Å
MAX_DENSITY = 3.0  # g/cm³, above the solids of all our molecules


def density(atoms: Atoms) -> float:
    """Mass density of a periodic configuration in g/cm³.

    Raises
    ------
    InputError
        The configuration is not periodic in all three directions or its cell has no volume.
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
    """Pack whole, rigid molecules into a cubic periodic box.

    Molecules start at random places and orientations in a dilute box. The box then shrinks in small steps, and after
    each a soft repulsion pushes overlapping molecules apart as rigid bodies. No two atoms of different molecules,
    nor of a molecule and its own periodic image, end closer than 0.9 of the sum of their van der Waals radii
    (`ase.data.vdw_radii`, Bondi's: H 1.20, C 1.70, O 1.52, F 1.47, P 1.80 Å). Cations of one atom have their ionic
    radii (`CATION_RADII`).

    Parameters
    ----------
    composition
        Name -> number of molecules; names are those of molecules or salts, SMILES, or files
        (:func:`electrolyte_ml.structures.naming.find_molecule`).
    density
        g/cm³.
    seed
        The same seed gives the same box.
    charge
        Total charge in e that the molecules have together.
    own_molecules
        Molecules by name that come before those of the library.

    Returns
    -------
    Atoms
        Molecules one after another in the order of the composition (of a salt: all cations, then all anions), each
        unwrapped; `info["charge"]` is the total charge in e.

    Raises
    ------
    InputError
        Unknown species, a count or density that makes no sense, molecules whose charges do not sum to `charge`, or a
        density at which no packing was found.
    """
    molecules = molecules_of(composition, own_molecules)
    require_charge(composition, charge, own_molecules)
    edge = edge_of(molecules, density)
    closest = 0.0
    for attempt in range(max(2, min(MAX_ATTEMPTS, 100 // len(molecules)))):  # large boxes are all alike
        box, contact = pack_once(molecules, edge, np.random.default_rng([seed, attempt]))
        if contact >= CONTACT:
            box.info["charge"] = charge
            return box
        closest = max(closest, contact)
    raise InputError(
        f"cannot pack {written(composition)} at {density:g} g/cm³ in a cubic box of {edge:.2f} Å: molecules come as "
        f"close as {closest:.2f} of the van der Waals distance, {CONTACT} is the limit; lower the density or take more "
        "molecules"
    )


def edge_of(molecules: Sequence[Molecule], density: float) -> float:
    """Return the edge (Å) of the cube in which molecules have a density (g/cm³).

    Raises
    ------
    InputError
        The density makes no sense.
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
        Of the cubic box, Å.
    rng
    shells
        First shells that are to be made.

    Returns
    -------
    Atoms
        Without a charge in its info.
    float
        The closest contact in units of the van der Waals distance: overlaps may remain.
    """
    sizes = [len(body.symbols) for body in molecules]
    bodies = RigidBodies(
        shape=np.concatenate([body.positions for body in molecules]),
        radii=TARGET * np.concatenate([_radii(body) for body in molecules]),
        first=np.cumsum([0, *sizes[:-1]]),
        shells=shells,
    )
    positions = bodies.pack(edge, rng)
    symbols = [symbol for body in molecules for symbol in body.symbols]
    box = Atoms(symbols, positions, cell=[edge] * 3, pbc=True)
    return box, TARGET * bodies.closest_contact(positions, edge)


def _radii(body: Molecule) -> np.ndarray:
    """(N,) Å, of the atoms of a molecule or ion: van der Waals radii, of a cation of one atom the ionic radius."""
    if body.charge > 0 and body.formula in CATION_RADII:
        return np.array([CATION_RADII[body.formula]])
    return np.asarray(vdw_radii[body.numbers])
