"""Registry of the kinds of potentials: a new model needs a file and one line here.

A model of another package is registered by a call of `register`, or by an entry point of the group
``electrolyte_ml.potentials`` in the metadata of the package; only the latter works for the command line and in worker
processes.
"""

from __future__ import annotations

import difflib
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING

from electrolyte_ml.errors import InputError

if TYPE_CHECKING:
    from electrolyte_ml.potentials.potential import Potential

KINDS = {
    "mtp": "electrolyte_ml.potentials.mtp.potential:MomentTensorPotential",
    "zbl": "electrolyte_ml.potentials.pairwise.zbl:ZBL",
    "qrd": "electrolyte_ml.potentials.charges.qrd:QRd",
    "fixed": "electrolyte_ml.potentials.fixed:Fixed",
}
GROUP = "electrolyte_ml.potentials"  # group of entry points
_registered: dict[str, type[Potential]] = {}


def register(potential: type[Potential]) -> type[Potential]:
    """Register a class of potentials under its `kind`, for files and settings; usable as a decorator.

    Raises
    ------
    InputError
        Another class is registered under this name.
    """
    name = potential.kind
    taken = name in KINDS or _registered.get(name, potential).__qualname__ != potential.__qualname__
    if taken:
        raise InputError(f"there is another kind of potential named {name!r}")
    _registered[name] = potential
    return potential


def check_registered(potential: type[Potential], source: str) -> None:
    """Check that a class of potentials is registered under its `kind`, so that it can be restored from a file.

    Raises
    ------
    InputError
        The class is not registered; the message names `source`.
    """
    name = potential.__qualname__
    if potential.kind not in kinds() or kind(potential.kind).__qualname__ != name:
        raise InputError(
            f"{source}: {name} cannot be saved: {potential.kind!r} is not its name in the registry; give the class its "
            "own `kind` and register it"
        )


def kinds() -> tuple[str, ...]:
    """Return the names of all kinds."""
    return tuple(dict.fromkeys([*KINDS, *_registered, *_installed()]))


@cache
def _installed() -> dict[str, EntryPoint]:
    """Return the kinds that installed packages declare."""
    return {point.name: point for point in entry_points(group=GROUP)}


def kind(name: str) -> type[Potential]:
    """Return a class of potentials by its name.

    Raises
    ------
    InputError
        The name is unknown.
    """
    if name in _registered:
        return _registered[name]
    if name not in KINDS and name in _installed():
        return register(_installed()[name].load())
    if name not in KINDS:
        near = difflib.get_close_matches(name, kinds(), n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(kinds())}"
        raise InputError(f"unknown kind of potential {name!r}: {hint}")
    module, _, qualified = KINDS[name].partition(":")
    potential: type[Potential] = getattr(import_module(module), qualified)
    return potential
