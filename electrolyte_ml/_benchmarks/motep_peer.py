"""Timed calls of motep's C engine, with potentials read from files of this package."""

from __future__ import annotations

import tempfile
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from electrolyte_ml._benchmarks.cases import Call, labelled, moving, random_potential

if TYPE_CHECKING:
    from ase import Atoms


def installed() -> bool:
    """Return whether motep is installed (the extra `crosscheck`)."""
    return find_spec("motep") is not None


def name() -> str:
    """Return motep's name and version for the table."""
    return f"motep {version('motep')} (C)"


def forces_call(level: int, box: Atoms) -> Call:
    """Return the call for motep's energy, forces and stress of atoms that have moved a little."""
    from motep.calculator import make_mtp_engine

    return moving(box, make_mtp_engine("cext")(_data(level), mode="run").calculate)


def gradient_call(level: int, atoms: Atoms) -> Call:
    """Return the call for motep's loss and its derivative by all parameters."""
    from motep.loss import LossFunction, LossSetting

    data = _data(level)
    loss = LossFunction([labelled(atoms)], data, LossSetting(stress_weight=0.0), engine="cext")
    parameters = data.parameters

    def call() -> None:
        loss(parameters)
        loss.jac(parameters)

    return call


def _data(level: int) -> Any:
    from ase.data import atomic_numbers
    from motep.io.mlip.mtp import read_mtp

    potential = random_potential(level)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "potential.mtp"
        potential.save(path)
        data = read_mtp(path)
    data.species = [atomic_numbers[symbol] for symbol in potential.species]
    return data
