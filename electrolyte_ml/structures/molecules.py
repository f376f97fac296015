"""Library of molecules: geometry, charge, bonds and the atoms that bind Li."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from ase import Atoms

from electrolyte_ml.errors import InputError


@dataclass(frozen=True, eq=False)
class Molecule:
    """One species of the electrolyte.

    Attributes
    ----------
    name
        Name in this package: "EC", "EMC", "Li", "PF6".
    formula
        Hill formula without the charge.
    charge
        Total charge in e.
    symbols
        Element of every atom.
    positions
        (N, 3) Å, read-only, centre of mass at the origin.
    bonds
        Bonded pairs (i, j), i < j.
    donors
        Kind of donor ("carbonyl", "ether", "fluoride") -> indices of the atoms that coordinate Li.
    """

    name: str
    formula: str
    charge: int
    symbols: tuple[str, ...]
    positions: np.ndarray
    bonds: tuple[tuple[int, int], ...]
    donors: Mapping[str, tuple[int, ...]]

    def atoms(self) -> Atoms:
        """The molecule alone in vacuum; `info` holds its name and charge."""
        return Atoms(self.symbols, self.positions, info={"name": self.name, "charge": self.charge})

    @property
    def mass(self) -> float:
        """Mass in amu."""
        return float(self.atoms().get_masses().sum())


class _Site(NamedTuple):
    symbol: str
    x: float
    y: float
    z: float


# Minimised with GFN1-xTB (tblite, accuracy 0.05) to fmax 1e-4 eV/Å, turned onto the principal axes of inertia.
# The ring is planar: a twisted start relaxes to it.
_EC = (
    _Site("C", 0.7730, 0.0000, 0.0000),  # carbonyl
    _Site("O", 1.9568, 0.0000, 0.0000),  # carbonyl
    _Site("O", -0.0030, -1.1046, 0.0000),
    _Site("O", -0.0030, 1.1046, 0.0000),
    _Site("C", -1.3753, -0.7715, 0.0000),
    _Site("C", -1.3753, 0.7715, 0.0000),
    _Site("H", -1.8501, -1.1902, -0.8946),
    _Site("H", -1.8501, -1.1902, 0.8946),
    _Site("H", -1.8501, 1.1902, -0.8946),
    _Site("H", -1.8501, 1.1902, 0.8946),
)

# Minimised likewise from all 12 combinations of cis/trans about both ester bonds with trans/gauche+/gauche- ethyl.
# The lowest is cis-cis (both alkyls on the side of C=O, so the chain C-O-C-O-C is trans-trans) with a gauche ethyl;
# the all-trans chain lies 0.048 eV higher, trans esters 0.06 to 0.11 eV.
_EMC = (
    _Site("C", 0.3926, -0.0123, -0.1345),  # carbonyl
    _Site("O", 0.3168, 1.1533, -0.4193),  # carbonyl
    _Site("O", 1.5221, -0.6337, 0.2110),  # to methyl
    _Site("O", -0.6245, -0.8712, -0.1229),  # to ethyl
    _Site("C", 2.6850, 0.1900, 0.2261),  # methyl
    _Site("C", -1.9106, -0.3424, -0.4685),  # CH2 of ethyl
    _Site("C", -2.5035, 0.4505, 0.6888),  # CH3 of ethyl
    _Site("H", 2.8683, 0.6052, -0.7691),
    _Site("H", 3.5157, -0.4475, 0.5267),
    _Site("H", 2.5598, 1.0092, 0.9400),
    _Site("H", -1.8136, 0.2897, -1.3602),
    _Site("H", -2.5300, -1.2132, -0.7037),
    _Site("H", -3.5109, 0.7726, 0.4285),
    _Site("H", -2.5462, -0.1681, 1.5846),
    _Site("H", -1.8914, 1.3276, 0.8935),
)

_PF = 1.6561  # Å, PF6- minimised likewise with charge -1: a regular octahedron
_PF6 = (
    _Site("P", 0.0, 0.0, 0.0),
    _Site("F", _PF, 0.0, 0.0),
    _Site("F", -_PF, 0.0, 0.0),
    _Site("F", 0.0, _PF, 0.0),
    _Site("F", 0.0, -_PF, 0.0),
    _Site("F", 0.0, 0.0, _PF),
    _Site("F", 0.0, 0.0, -_PF),
)


def _define(
    name: str, charge: int, sites: tuple[_Site, ...], bonds: tuple[tuple[int, int], ...], **donors: tuple[int, ...]
) -> Molecule:
    symbols = tuple(site.symbol for site in sites)
    atoms = Atoms(symbols, [site[1:] for site in sites])
    positions = atoms.positions - atoms.get_center_of_mass()
    positions.flags.writeable = False
    formula = atoms.get_chemical_formula("hill")
    return Molecule(name, formula, charge, symbols, positions, bonds, MappingProxyType(donors))


MOLECULES: Mapping[str, Molecule] = MappingProxyType(
    {
        species.name: species
        for species in (
            _define(
                "EC",
                0,
                _EC,
                ((0, 1), (0, 2), (0, 3), (2, 4), (3, 5), (4, 5), (4, 6), (4, 7), (5, 8), (5, 9)),
                carbonyl=(1,),
                ether=(2, 3),
            ),
            _define(
                "EMC",
                0,
                _EMC,
                (
                    *((0, 1), (0, 2), (0, 3), (2, 4), (3, 5), (5, 6), (4, 7), (4, 8), (4, 9)),
                    *((5, 10), (5, 11), (6, 12), (6, 13), (6, 14)),
                ),
                carbonyl=(1,),
                ether=(2, 3),
            ),
            _define("Li", 1, (_Site("Li", 0.0, 0.0, 0.0),), ()),
            _define("PF6", -1, _PF6, tuple((0, fluorine) for fluorine in range(1, 7)), fluoride=tuple(range(1, 7))),
        )
    }
)


def molecule(name: str) -> Atoms:
    """One molecule in vacuum at its GFN1-xTB minimum.

    Parameters
    ----------
    name
        "EC", "EMC", "Li" (the cation) or "PF6" (the anion).

    Returns
    -------
    Atoms
        Non-periodic, centre of mass at the origin; `info` holds `name` and `charge` (e).

    Raises
    ------
    InputError
        The name is not one of `MOLECULES`.
    """
    try:
        return MOLECULES[name].atoms()
    except KeyError:
        raise InputError(f"no molecule {name!r}; there are {', '.join(MOLECULES)}") from None
