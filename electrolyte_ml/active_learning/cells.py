"""Small cells rich in the rare elements of a composition, for the seeding.

A box of EC=2 EMC=2 LiPF6=2 has 66 atoms, two of them Li: its label gives two rows for the parameters of Li. A box of
EC=1 LiPF6=2 gives as many rows with 26 atoms, for a fifth of the time of a label, and its ions are in contact.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from math import gcd

import numpy as np
from ase import Atoms
from ase.data import vdw_radii

from electrolyte_ml.errors import InputError
from electrolyte_ml.structures import Molecule, pack, parse_composition
from electrolyte_ml.structures.composition import molecules_of, written
from electrolyte_ml.structures.naming import find_molecule, salt_ions

_RARE = 0.5  # share of the atoms, relative to an equal share, below which an element is rare
_UNITS = 2  # number of units of each rare component in a rich cell, so that atoms of a rare element are neighbours
_THINNER, _ATTEMPTS = 0.95, 12  # factor of the density after a failed packing, and attempts: down to 0.57


def rich_cells(composition: str, own_molecules: Mapping[str, Molecule] | None = None) -> list[str]:
    """Return compositions of small cells rich in the elements that are rare in a composition; none if none is rare.

    An element is rare if it has less than half of an equal share of the atoms. The components of a composition are its
    neutral molecules, its salts, and the smallest neutral group of its single ions. A cell holds two units of each
    component with a rare element and one unit of one other component. There is a cell for each other component, or one
    cell without any if all components have a rare element.

    Examples
    --------
    >>> rich_cells("EC=2 EMC=2 LiPF6=2")
    ['LiPF6=2 EC=1', 'LiPF6=2 EMC=1']
    >>> rich_cells("EC=4")
    []
    """
    counts = {name: n for name, n in parse_composition(composition, own_molecules).items() if n}
    atoms = Counter(symbol for molecule in molecules_of(counts, own_molecules) for symbol in molecule.symbols)
    share = sum(atoms.values()) / len(atoms)
    rare = {symbol for symbol, n in atoms.items() if n < _RARE * share}
    components = _components(counts, own_molecules)
    if components is None or not rare:
        return []
    elements = [
        {symbol for molecule in molecules_of(part, own_molecules) for symbol in molecule.symbols} for part in components
    ]
    rare_units = Counter[str]()
    for part, symbols in zip(components, elements, strict=True):
        if symbols & rare:
            rare_units.update({name: _UNITS * n for name, n in part.items()})
    others = [part for part, symbols in zip(components, elements, strict=True) if not symbols & rare]
    return [written(rare_units | Counter(part)) for part in others or [{}]]


def pack_rich(
    cell: str,
    like: str,
    density: float,
    seed: int,
    *,
    own_molecules: Mapping[str, Molecule] | None = None,
) -> Atoms:
    """Pack a cell with the same share of free volume as another composition at its density.

    The volume of a cell is taken as proportional to the sum of the van der Waals volumes of its atoms. If a cell cannot
    be packed at the resulting density, the density is lowered in steps of 5 %: small cells are harder to pack than
    large ones.

    Parameters
    ----------
    cell
        The composition to pack.
    like, density
        Another composition and its density, g/cm³.
    seed
        Seed of the packing; the same seed gives the same box.
    own_molecules
        Molecules by name, with precedence over those of the library.

    Raises
    ------
    InputError
        The cell cannot be packed, not even at 57 % of the density.
    """
    molecules, others = (molecules_of(parse_composition(text, own_molecules), own_molecules) for text in (cell, like))
    ratio = sum(body.mass for body in molecules) / _size(molecules) * _size(others) / sum(body.mass for body in others)
    for attempt in range(_ATTEMPTS):
        try:
            return pack(
                parse_composition(cell, own_molecules),
                density * ratio * _THINNER**attempt,
                seed=seed,
                own_molecules=own_molecules,
            )
        except InputError as error:
            failure = error
    raise failure


def _size(molecules: Sequence[Molecule]) -> float:
    """Return the sum of the cubes of the van der Waals radii, Å³."""
    return sum(float(np.sum(vdw_radii[molecule.numbers] ** 3)) for molecule in molecules)


def _components(counts: Mapping[str, int], own_molecules: Mapping[str, Molecule] | None) -> list[dict[str, int]] | None:
    """Return the neutral components of a composition; None if its single ions together have a charge."""
    neutral, ions, charge = [], {}, 0
    for name, count in counts.items():
        molecule = None if salt_ions(name, own_molecules) else find_molecule(name, own_molecules)
        if molecule is None or not molecule.charge:
            neutral.append({name: 1})
        else:
            ions[name] = count
            charge += count * molecule.charge
    if charge:
        return None
    if ions:
        divisor = gcd(*ions.values())
        neutral.append({name: count // divisor for name, count in ions.items()})
    return neutral
