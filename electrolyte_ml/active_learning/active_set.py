"""The active set: rows that span the training set of a potential, and extrapolation grades relative to them."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Protocol, cast

import numpy as np
from ase import Atoms

from electrolyte_ml.active_learning.maxvol import MaxVolResult, maxvol
from electrolyte_ml.active_learning.ranks import SpeciesBlocks
from electrolyte_ml.errors import InputError, first_line
from electrolyte_ml.files import atomic_write, read_arrays
from electrolyte_ml.potentials.geometry import Geometry
from electrolyte_ml.potentials.mlip3 import has_selection, read_selection
from electrolyte_ml.potentials.potential import Potential
from electrolyte_ml.potentials.store import load
from electrolyte_ml.potentials.sum import named_terms, places, sum_of

Mode = Literal["configuration", "neighbourhood"]
MODES: tuple[Mode, ...] = ("configuration", "neighbourhood")
_FORMAT = "electrolyte_ml active set 2"
_LARGEST = 1e100  # limit of dE/dtheta: squares of larger derivatives are not finite
_FORMER = "electrolyte_ml active set 1"  # an older format without terms: its rows hold all of them


class Differentiable(Protocol):
    """Interface of potentials that can be graded: derivatives of the energy by the parameters, and a fingerprint."""

    @property
    def fingerprint(self) -> str:
        """Hash of everything that the results depend on."""

    def energy_gradient(self, atoms: Atoms | Geometry) -> np.ndarray:
        """Return dE/dtheta (m,)."""

    def site_energy_gradients(self, atoms: Atoms | Geometry) -> np.ndarray:
        """Return dE_i/dtheta of each atom (N, m)."""


def part_graded(potential: Differentiable, terms: Sequence[str]) -> Differentiable:
    """Return the part of a potential whose derivatives make the rows: all of it, or the sum of some of its terms.

    Raises
    ------
    InputError
        A term is unknown, or the terms have no parameters.
    """
    if not terms:
        return potential
    graded = sum_of(cast(Potential, potential), terms)
    if not graded.n_parameters:
        raise InputError(f"{', '.join(terms)} has no parameters: grades need derivatives by parameters")
    return graded


class ActiveSet:
    """MaxVol's square matrix A of a training set, and the extrapolation grades that it defines (paper, section 4.4).

    In mode ``"configuration"`` a configuration is one row b = dE/dtheta (eV per unit of parameter, the sum over its
    atoms, not divided by their number) and its grade is max|b A^-1| (eq. 11). In mode ``"neighbourhood"`` each atom is
    a row, dE_i/dtheta, and the grade of a configuration is the highest grade of its atoms. This mode needs fewer
    labels, since each adds as many rows as it has atoms, and it grades systems of different size alike.

    The rows of a sum hold the derivatives of all its terms, charges included, or of some of them: the rows of
    ``("mtp",)`` alone do not depend on the charges, which change with the composition.

    Attributes
    ----------
    potential
        The graded potential.
    mode : str
    terms : tuple of str
        Names of the terms of the potential whose parameters theta the rows belong to; empty for all terms.
    result : MaxVolResult
        A, its inverse, and the indices of its rows.
    active : ndarray of int
        Indices (ascending) of the training configurations that have a row in A.

    Examples
    --------
    >>> active_set = ActiveSet.build(potential, training_set)  # doctest: +SKIP
    >>> active_set.grade(atoms)  # doctest: +SKIP
    1.37
    """

    def __init__(
        self,
        potential: Differentiable,
        mode: Mode,
        result: MaxVolResult,
        active: np.ndarray,
        *,
        threshold: float = 1.001,
        terms: Sequence[str] = (),
    ) -> None:
        self.potential = potential
        self.terms = tuple(terms)
        self._graded = part_graded(potential, self.terms)
        self.mode = mode
        self.result = result
        self.active = active
        self.threshold = threshold

    @classmethod
    def build(
        cls,
        potential: Differentiable,
        configurations: Sequence[Atoms],
        mode: Mode = "configuration",
        *,
        threshold: float = 1.001,
        epsilon: float = 1e-6,
        terms: Sequence[str] = (),
    ) -> ActiveSet:
        """Return the active set of a training set.

        Parameters
        ----------
        potential
            A trained potential, or another object with the interface `Differentiable`.
        configurations
            The training set; labels are not needed.
        mode
            ``"configuration"`` or ``"neighbourhood"``.
        threshold, epsilon
            As in :func:`~electrolyte_ml.active_learning.maxvol.maxvol`.
        terms
            Names of the terms of a sum whose derivatives make the rows, such as ``("mtp",)``; all by default.

        Raises
        ------
        InputError
            The mode or a term is unknown, the terms have no parameters, there are no configurations, or a row is not
            finite (atoms on top of each other).
        """
        if mode not in MODES:
            raise InputError(f"unknown mode {mode!r} of an active set: choose among {', '.join(MODES)}")
        if len(configurations) == 0:
            raise InputError("an active set needs at least one configuration")
        rows, owner = configuration_rows(part_graded(potential, terms), configurations, mode)
        result = maxvol(rows, threshold=threshold, epsilon=epsilon)
        return cls(potential, mode, result, np.unique(owner[result.selected]), threshold=threshold, terms=terms)

    def grade(self, atoms: Atoms | Geometry) -> float:
        """Return the extrapolation grade of a configuration: up to about 1 within the training domain, larger outside.

        The configuration may be given with its pairs (`potential.geometry`), which saves the search for them.
        """
        if self.mode == "neighbourhood":
            return float(self.grades(atoms).max())
        return float(np.abs(self._graded.energy_gradient(atoms) @ self.result.inverse).max())

    def grades(self, atoms: Atoms | Geometry) -> np.ndarray:
        """Return the extrapolation grade of each atom's neighbourhood (N,).

        Raises
        ------
        InputError
            The set was built in mode "configuration", which has no grades of single atoms.
        """
        if self.mode != "neighbourhood":
            raise InputError('grades of single atoms need an active set built with mode="neighbourhood"')
        return self.result.grades(self._graded.site_energy_gradients(atoms))

    def least_certain(self, atoms: Atoms) -> tuple[int, float] | None:
        """Return the atom of the highest grade, counted from 0, and its grade; None in mode "configuration"."""
        if self.mode != "neighbourhood":
            return None
        grades = self.grades(atoms)
        return int(grades.argmax()), float(grades.max())

    def select(self, candidates: Sequence[Atoms], threshold: float | None = None) -> np.ndarray:
        """Return the candidates (indices, ascending) that MaxVol takes into A and that should be labelled.

        Candidates in the span of the set and of the other selected candidates are left out. After the selection no
        candidate has a grade above `threshold`, by default that of the set; a higher threshold selects fewer.
        """
        if len(candidates) == 0:
            return np.empty(0, dtype=int)
        rows, owner = configuration_rows(self._graded, candidates, self.mode)
        return np.unique(owner[maxvol(rows, threshold=threshold or self.threshold, start=self.result).selected])

    def ranks(self) -> dict[str, tuple[int, int]]:
        """Return the rank of the rows in A for each term: how many of its parameters they determine.

        Returns
        -------
        dict of str to (int, int)
            By term: the rank of its columns, and its number of parameters minus that of its gauge directions. A moment
            tensor potential cannot reach the latter number: energies do not depend on scalings between its radial and
            linear parameters, R (R + 1) / 2 for R radial functions.
        """
        rows = self.result.matrix[self.result.index >= 0]
        terms = named_terms(cast(Potential, self.potential))
        terms = {name: term for name, term in terms.items() if term.n_parameters and name in (self.terms or terms)}
        ranks = {}
        for (name, term), place in zip(terms.items(), places([term.n_parameters for term in terms.values()])):
            rank = len(rows) if len(terms) == 1 else len(maxvol(rows[:, place]).selected)
            ranks[name] = rank, term.n_parameters - len(term.gauge_directions)
        return ranks

    def species_ranks(self) -> dict[str, tuple[int, int]]:
        """Return the rank of the rows in A for the parameters that belong to one species alone.

        Returns
        -------
        dict of str to (int, int)
            By species: the rank of its columns, and the largest possible. Species without parameters of their own are
            left out.
        """
        return SpeciesBlocks.of(cast(Potential, self._graded)).ranks(self.result.matrix[self.result.index >= 0])

    def save(self, path: str | os.PathLike) -> None:
        """Write the set to a ``.npz`` file, atomically, with the fingerprint of its potential."""
        buffer = io.BytesIO()
        np.savez(
            buffer,
            format=_FORMAT,
            fingerprint=self.potential.fingerprint,
            mode=self.mode,
            terms=np.array(self.terms, dtype=str),
            threshold=self.threshold,
            matrix=self.result.matrix,
            index=self.result.index,
            swaps=self.result.swaps,
            active=self.active,
        )
        atomic_write(path, buffer.getvalue())

    @classmethod
    def load(cls, path: str | os.PathLike, potential: Differentiable) -> ActiveSet:
        """Read an active set of the same potential.

        Parameters
        ----------
        path
            A file written by `save`, or a file of MLIP-3 (``.almtp``), which holds both the potential and the set.
        potential
            The potential that the set was built for.

        Raises
        ------
        InputError
            The file is not an active set, or belongs to another potential.
        OSError
            The file is missing or cannot be read.
        """
        if has_selection(Path(path)):
            return cls._of_mlip(Path(path), potential)
        stored = read_arrays(path, ["format", "fingerprint", "matrix", "index", "swaps", "mode", "active", "threshold"])
        form = str(stored["format"])
        if form not in (_FORMAT, _FORMER):
            raise InputError(f"{path}: written in the format {form[:80]!r}, not {_FORMAT!r}")
        if str(stored["fingerprint"]) != potential.fingerprint:
            raise InputError(f"{path}: this active set belongs to another potential (other parameters or species)")
        try:
            matrix, index, active = stored["matrix"], stored["index"], stored["active"]
            size = len(matrix)
            if matrix.shape != (size, size) or not (np.abs(matrix) < _LARGEST).all() or index.shape != (size,):
                raise ValueError("its matrix is not square, finite and with one row for each index")
            if index.dtype.kind not in "iu" or active.dtype.kind not in "iu" or active.min(initial=0) < 0:
                raise ValueError("its rows and configurations must be whole numbers")
            swaps, inverse = int(stored["swaps"]), np.linalg.inv(matrix)
            if index.min(initial=0) < -1 or swaps < 0 or not np.isfinite(inverse).all():
                raise ValueError("a count is negative, or its matrix has no inverse")
            result = MaxVolResult(matrix, inverse, index, swaps)
            mode = next(mode for mode in MODES if mode == str(stored["mode"]))
            terms = () if form == _FORMER else [str(term) for term in stored["terms"]]
            threshold = float(stored["threshold"])
            if not 0 < threshold < np.inf:
                raise ValueError("its threshold must be positive")
            return cls(potential, mode, result, active, threshold=threshold, terms=terms)
        except (ValueError, TypeError, KeyError, IndexError, StopIteration, np.linalg.LinAlgError) as error:
            raise InputError(f"{path} is damaged: not an active set ({first_line(error)})") from error

    @classmethod
    def _of_mlip(cls, path: Path, potential: Differentiable) -> ActiveSet:
        """Read an active set from a file of MLIP-3."""
        own = load(path, potential.species if isinstance(potential, Potential) else None)
        if own.fingerprint != potential.fingerprint:
            raise InputError(f"{path}: this active set belongs to another potential (other parameters or species)")
        selection = read_selection(path, own.n_parameters)
        index = np.where(selection.active, np.arange(own.n_parameters), -1)
        result = MaxVolResult(selection.matrix, selection.inverse, index, int(selection.active.sum()))
        configurations = np.unique(selection.configurations[selection.configurations >= 0])
        return cls(potential, "neighbourhood", result, configurations)


def configuration_rows(
    potential: Differentiable, configurations: Sequence[Atoms], mode: Mode
) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of all configurations (n, m), and the index of the configuration of each row (n,).

    Raises
    ------
    InputError
        A configuration has no finite row; the message gives its number, counted from 1.
    """
    parts = []
    for number, atoms in enumerate(configurations, start=1):
        try:
            whole = mode == "configuration"
            part = potential.energy_gradient(atoms)[None] if whole else potential.site_energy_gradients(atoms)
        except InputError as error:
            raise InputError(f"configuration {number}: {error}") from None
        if not (np.abs(part) < _LARGEST).all():
            raise InputError(
                f"configuration {number} has no finite dE/dtheta: are atoms on top of each other, or are coefficients "
                "of the potential too large?"
            )
        parts.append(part)
    return np.concatenate(parts), np.repeat(np.arange(len(parts)), [len(part) for part in parts])
