"""Periodic boxes packed from a composition."""

from collections.abc import Iterable, Mapping

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers, vdw_radii

from electrolyte_ml.errors import InputError
from electrolyte_ml.structures.molecules import MOLECULES
from electrolyte_ml.structures.packing import RigidBodies
from electrolyte_ml.units import DENSITY_UNIT

CONTACT = 0.9  # closest allowed contact in units of the van der Waals distance
TARGET = 0.93  # what packing aims at, so that the small overlaps that a minimiser leaves stay above CONTACT
MAX_ATTEMPTS = 10  # fresh random starts before the density counts as unreachable
MAX_DENSITY = 3.0  # g/cm³, above the solids of all our molecules
SALTS = {"LiPF6": ("Li", "PF6")}


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


def parse_composition(parts: str | Iterable[str]) -> dict[str, int]:
    """Read a composition such as ``["EC=16", "EMC=2", "LiPF6=1"]`` or ``"EC=16 EMC=2"``.

    Returns
    -------
    dict
        Name -> number of molecules, in the order given.

    Raises
    ------
    InputError
        A part is not NAME=COUNT, names an unknown or repeated species, or its count is not an integer.
    """
    composition: dict[str, int] = {}
    for part in parts.split() if isinstance(parts, str) else parts:
        name, _, count = part.partition("=")
        if not count.isdecimal():
            raise InputError(f"cannot read {part!r} as a composition; write NAME=COUNT, such as EC=16")
        if name in composition:
            raise InputError(f"{name} is given twice in the composition")
        composition[name] = int(count)
    _species(composition)
    return composition


def pack(composition: Mapping[str, int], density: float, seed: int = 0) -> Atoms:
    """Pack whole, rigid molecules into a cubic periodic box.

    Molecules start at random places and orientations in a dilute box. The box then shrinks in small steps, and after
    each a soft repulsion pushes overlapping molecules apart as rigid bodies. No two atoms of different molecules,
    nor of a molecule and its own periodic image, end closer than 0.9 of the sum of their van der Waals radii
    (`ase.data.vdw_radii`, Bondi's: H 1.20, Li 1.82, C 1.70, O 1.52, F 1.47, P 1.80 Å).

    Parameters
    ----------
    composition
        Name -> number of molecules; names are those of `MOLECULES` or "LiPF6", a Li with a PF6.
    density
        g/cm³.
    seed
        The same seed gives the same box.

    Returns
    -------
    Atoms
        Molecules one after another in the order of the composition (of a salt: all cations, then all anions), each
        unwrapped; `info["charge"]` is the total charge in e.

    Raises
    ------
    InputError
        Unknown species, a count or density that makes no sense, or a density at which no packing was found.
    """
    species = _species(composition)
    if not 0 < density <= MAX_DENSITY:
        raise InputError(f"the density must lie between 0 and {MAX_DENSITY} g/cm³, got {density}")
    molecules = [MOLECULES[name] for name in species]
    symbols = [symbol for body in molecules for symbol in body.symbols]
    sizes = [len(body.symbols) for body in molecules]
    bodies = RigidBodies(
        shape=np.concatenate([body.positions for body in molecules]),
        radii=TARGET * vdw_radii[[atomic_numbers[symbol] for symbol in symbols]],
        first=np.cumsum([0, *sizes[:-1]]),
    )
    edge = (sum(body.mass for body in molecules) * DENSITY_UNIT / density) ** (1 / 3)
    closest = 0.0
    for attempt in range(max(2, min(MAX_ATTEMPTS, 100 // len(molecules)))):  # large boxes are all alike
        positions = bodies.pack(edge, np.random.default_rng([seed, attempt]))
        contact = TARGET * bodies.closest_contact(positions, edge)
        if contact >= CONTACT:
            charge = sum(body.charge for body in molecules)
            return Atoms(symbols, positions, cell=[edge] * 3, pbc=True, info={"charge": charge})
        closest = max(closest, contact)
    wanted = " ".join(f"{name}={count}" for name, count in composition.items())
    raise InputError(
        f"cannot pack {wanted} at {density:g} g/cm³ in a cubic box of {edge:.2f} Å: molecules come as close as "
        f"{closest:.2f} of the van der Waals distance, {CONTACT} is the limit; lower the density or take more molecules"
    )


def elements_of(composition: Mapping[str, int]) -> set[str]:
    """Chemical symbols in a composition."""
    return {symbol for name in _species(composition) for symbol in MOLECULES[name].symbols}


def _species(composition: Mapping[str, int]) -> list[str]:
    """Names of the molecules of a composition, one by one, salts split into their ions."""
    species: list[str] = []
    for name, count in composition.items():
        parts = SALTS.get(name, (name,))
        if any(part not in MOLECULES for part in parts):
            raise InputError(f"no molecule {name!r}; there are {', '.join([*MOLECULES, *SALTS])}")
        if isinstance(count, bool) or not isinstance(count, (int, np.integer)) or count < 0:
            raise InputError(f"the number of {name} must be an integer of 0 or more, got {count!r}")
        for part in parts:
            species += [part] * int(count)
    if not species:
        raise InputError("the composition is empty")
    return species
