"""Potentials that come with the package.

Each potential has a folder, ``data/potentials/<name>/`` in the source tree, with its file, its description
(``about.toml``) and, unless it is too large, its training set.
"""

from __future__ import annotations

import difflib
import os
from dataclasses import dataclass
from pathlib import Path

from electrolyte_ml.errors import InputError
from electrolyte_ml.settings import Count, NotNegative, Text, Texts, flatten, read_toml, section

ABOUT = "about.toml"


@dataclass(frozen=True)
class ShippedPotential:
    """Potential that comes with the package.

    Attributes
    ----------
    name : str
        Name for :func:`electrolyte_ml.potentials.load`.
    path : Path
        File of the potential.
    liquid : str
        Description of the liquids that it is trained for.
    model, reference : str
        Model, such as "MTP16", and level of theory of the labels.
    species : tuple of str
        Chemical symbols.
    configurations : int
        Number of configurations in the training set.
    energy_error : float, meV/atom
    force_error : float, eV/Å
        Root mean square errors on the training set.
    good_for, limits : str
        Tested applications, and systems for which it is not trained.
    made_by : str
        Command that made the potential.
    training_set : Path or None
    """

    name: str
    path: Path
    liquid: str
    model: str
    reference: str
    species: tuple[str, ...]
    configurations: int
    energy_error: float
    force_error: float
    good_for: str
    limits: str
    made_by: str
    training_set: Path | None

    def __str__(self) -> str:
        return (
            f"{self.name}: {self.liquid}; {self.model}, species {' '.join(self.species)}, labels by {self.reference}\n"
            f"  set of {self.configurations} configurations, errors {self.energy_error:.2g} meV/atom and "
            f"{self.force_error:.3f} eV/Å on it\n"
            f"  good for: {self.good_for}\n"
            f"  not for: {self.limits}"
        )


class ShippedPotentials(tuple[ShippedPotential, ...]):
    """Potentials that come with the package; printed as a list, also in a notebook."""

    __slots__ = ()

    def __str__(self) -> str:
        return "\n".join(map(str, self)) or "no potential comes with this copy of the package"

    __repr__ = __str__


def shipped_potentials() -> ShippedPotentials:
    """Return the potentials that come with the package, sorted by name.

    Raises
    ------
    InputError
        The description of a potential is incomplete or damaged.
    """
    return ShippedPotentials(_read(path.parent) for path in sorted(_folder().glob(f"*/{ABOUT}")))


def find_shipped(name: str) -> ShippedPotential:
    """Return the potential with a name.

    Raises
    ------
    InputError
        There is no such potential.
    """
    known = {potential.name: potential for potential in shipped_potentials()}
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {near[0]!r}, which comes with the package?" if near else ""
        raise InputError(f"{name}: no such file{hint}")
    return known[name]


def is_shipped(name: str) -> bool:
    """Return whether a potential with this name comes with the package."""
    return name in {potential.name for potential in shipped_potentials()}


def training_set_file(name: str | os.PathLike[str]) -> Path:
    """Return the file of a training set, which may be given by the name of a potential that comes with the package.

    Raises
    ------
    InputError
        The training set of this potential does not come with the package.
    """
    path = Path(name)
    if path.exists() or not is_shipped(str(name)):
        return path
    training_set = find_shipped(str(name)).training_set
    if training_set is None:
        raise InputError(f"{name}: the training set of this potential does not come with the package")
    return training_set


def _folder() -> Path:
    """Return the folder of all shipped potentials, in the source tree or in the installed package."""
    tree = Path(__file__).resolve().parents[2]
    installed = Path(__file__).resolve().parent / "data"
    return installed if installed.is_dir() else tree / "data" / "potentials"


def _read(folder: Path) -> ShippedPotential:
    about = flatten(read_toml(_About, folder / ABOUT))
    path, training_set = folder / about.pop("file"), about.pop("training_set")
    return ShippedPotential(
        **about, name=folder.name, path=path, training_set=None if training_set is None else folder / training_set
    )


@section
class _About:
    """The content of ``about.toml``, see `ShippedPotential`; files are relative to its folder."""

    liquid: Text
    file: Text
    model: Text
    reference: Text
    species: Texts
    configurations: Count
    energy_error: NotNegative
    force_error: NotNegative
    good_for: Text
    limits: Text
    made_by: Text
    training_set: Text | None = None
