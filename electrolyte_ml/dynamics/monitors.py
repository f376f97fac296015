"""Monitors of a running simulation: checks at fixed intervals that may save a configuration or stop the run.

Anything with `reason` (a word for the kind of stop), `every` (steps) and ``check(step, atoms, results)`` is a monitor.
`results` holds the results of the last step: `energy` (eV), `forces` ((N, 3) eV/Å), `stress` ((6,) eV/Å^3 or None),
`temperature` (K), `density` (g/cm³, NaN without a periodic cell), `pressure` (bar), `time_ps` and `saved`, the number
of configurations saved so far, and `gained`, the change (eV) of the conserved energy since the start. If the forces
come from a potential, not from an ASE calculator, it also holds `potential`, its `threads`, and `geometry`, the
configuration with its pairs. `check` changes none of this; it returns None or a `Verdict`. A monitor has no state that
a resumed run would lack: reference values are set when it is made.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np
from ase import Atoms

from electrolyte_ml.checks import whole
from electrolyte_ml.dynamics.results import LARGEST_DRIFT
from electrolyte_ml.errors import InputError
from electrolyte_ml.structures import density
from electrolyte_ml.structures.neighbours import periodic_pairs
from electrolyte_ml.structures.topology import Topology, changes

_SHORTEST_PS = 10.0  # in shorter times the conserved energy fluctuates by more than it drifts


class Verdict(NamedTuple):
    """Result of a monitor's check.

    Attributes
    ----------
    stop : str or None
        Why the run has to stop, in words; None to continue.
    save : bool
        Whether to save the configuration, with its grade.
    grade : float or None
        Extrapolation grade of the configuration.
    pause : int
        Number of steps during which the monitor need not check again.
    note : str
        Text stored with a saved configuration, as its ``info["least_certain"]``.
    """

    stop: str | None = None
    save: bool = False
    grade: float | None = None
    pause: int = 0
    note: str = ""


class Monitor(Protocol):
    """Interface of the monitors of :func:`electrolyte_ml.dynamics.run_md`."""

    reason: str
    every: int

    def check(self, step: int, atoms: Atoms, results: Mapping[str, Any]) -> Verdict | None:
        """Check a step; None if there is nothing to report."""


class TemperatureMonitor:
    """Stop when the instantaneous temperature leaves its range: an unstable model heats up.

    Parameters
    ----------
    maximum, minimum
        Limits, K. In a small box the temperature fluctuates by sqrt(2 / (3 N - 3)), 13 % for 40 atoms.
    every
        Steps between two checks.
    """

    reason = "temperature"

    def __init__(self, maximum: float, minimum: float = 0.0, every: int = 10) -> None:
        if not 0 <= minimum < maximum:
            raise InputError(
                f"the allowed temperatures must be a range of positive values, not {minimum} to {maximum} K"
            )
        self.minimum, self.maximum, self.every = minimum, maximum, _interval(every)

    def check(self, step: int, atoms: Atoms, results: Mapping[str, Any]) -> Verdict | None:
        """Compare the temperature with the range."""
        value = results["temperature"]
        if self.minimum <= value <= self.maximum:
            return None
        return Verdict(f"{value:.0f} K is outside {self.minimum:g} to {self.maximum:g} K")


class DensityMonitor:
    """Stop when the density leaves its range: the liquid boils or collapses.

    Parameters
    ----------
    minimum, maximum
        Limits, g/cm³.
    every
        Steps between two checks.
    """

    reason = "density"

    def __init__(self, minimum: float, maximum: float, every: int = 10) -> None:
        if not 0 <= minimum < maximum:
            raise InputError(
                f"the allowed densities must be a range of positive values, not {minimum} to {maximum} g/cm³"
            )
        self.minimum, self.maximum, self.every = minimum, maximum, _interval(every)

    @classmethod
    def around(cls, atoms: Atoms, fraction: float, every: int = 10) -> DensityMonitor:
        """Allow deviations by `fraction` of the density of `atoms`, the start of the run, in both directions."""
        start = density(atoms)
        return cls(start * (1 - fraction), start * (1 + fraction), every)

    def check(self, step: int, atoms: Atoms, results: Mapping[str, Any]) -> Verdict | None:
        """Compare the density with the range."""
        value = results["density"]
        if self.minimum <= value <= self.maximum:
            return None
        return Verdict(f"{value:.3f} g/cm³ is outside {self.minimum:.3g} to {self.maximum:.3g} g/cm³")


class EnergyMonitor:
    """Stop when the conserved energy has drifted: the time step is too long for the potential, or heats its bonds.

    It is meant for constant volume. In a packed box at constant pressure the volume changes so fast at first that the
    conserved energy changes, too.

    Parameters
    ----------
    maximum
        Largest mean drift since the start in either direction, meV/atom/ps.
    every
        Steps between two checks.
    """

    reason = "energy"

    def __init__(self, maximum: float = LARGEST_DRIFT, every: int = 100) -> None:
        if not maximum > 0:
            raise InputError(f"the largest drift of the energy must be positive, not {maximum} meV/atom/ps")
        self.maximum, self.every = maximum, _interval(every)

    def check(self, step: int, atoms: Atoms, results: Mapping[str, Any]) -> Verdict | None:
        """Compare the change of the conserved energy with the largest drift in the same time, at least 10 ps."""
        gained = 1e3 * results["gained"] / len(atoms)
        if abs(gained) <= self.maximum * max(results["time_ps"], _SHORTEST_PS):
            return None
        return Verdict(
            f"the conserved energy has changed by {gained:+.3g} meV/atom in {results['time_ps']:.4g} ps, more than "
            f"{self.maximum:g} meV/atom per ps: the time step is too long, or the potential is not smooth"
        )


class MoleculeMonitor:
    """Stop when a molecule breaks or two fuse.

    Parameters
    ----------
    atoms
        The start of the run; its molecules must persist.
    every
        Steps between two checks; a check costs about as much as a few force evaluations.
    """

    reason = "broken molecule"

    def __init__(self, atoms: Atoms, every: int = 50) -> None:
        self.topology, self.every = Topology.of(atoms), _interval(every)

    def check(self, step: int, atoms: Atoms, results: Mapping[str, Any]) -> Verdict | None:
        """Compare the bonds with those of the start."""
        change = changes(self.topology, atoms)
        return Verdict(change) if change else None


class ContactMonitor:
    """Stop when two atoms come closer than any bond allows.

    Parameters
    ----------
    distance
        Smallest distance allowed, Å; the shortest bonds of the electrolyte, C-H, are 1.1 Å long.
    every
        Steps between two checks.
    """

    reason = "overlap"

    def __init__(self, distance: float = 0.7, every: int = 50) -> None:
        if not distance > 0:
            raise InputError(f"the distance must be positive, not {distance} Å")
        self.distance, self.every = distance, _interval(every)

    def check(self, step: int, atoms: Atoms, results: Mapping[str, Any]) -> Verdict | None:
        """Compare the smallest distance of two atoms with the limit."""
        cell = atoms.cell.array
        i, j, shift = periodic_pairs(atoms.positions, cell, atoms.pbc, self.distance)
        if not len(i):
            return None
        lengths = np.linalg.norm(atoms.positions[j] + shift @ cell - atoms.positions[i], axis=1)
        k = lengths.argmin()
        pair = " and ".join(f"{atoms.symbols[atom]}{atom + 1}" for atom in (i[k], j[k]))
        return Verdict(f"atoms {pair} are {lengths[k]:.2f} Å apart, closer than {self.distance:g} Å")


class CellMonitor:
    """Stop when the periodic cell becomes too narrow between any pair of opposite faces.

    Parameters
    ----------
    minimum_width
        Smallest width allowed, Å.
    every
        Steps between two checks.
    """

    reason = "cell"

    def __init__(self, minimum_width: float, every: int = 10) -> None:
        if not minimum_width > 0:
            raise InputError(f"the minimum width must be positive, not {minimum_width} Å")
        self.minimum_width, self.every = minimum_width, _interval(every)

    def check(self, step: int, atoms: Atoms, results: Mapping[str, Any]) -> Verdict | None:
        """Compare the smallest of the three widths, such as V / |b x c|, with the limit."""
        width = (1.0 / np.linalg.norm(atoms.cell.reciprocal().array, axis=1))[atoms.pbc].min(initial=np.inf)
        if width >= self.minimum_width:
            return None
        return Verdict(f"the cell is {width:.2f} Å wide, less than {self.minimum_width:g} Å")


class GradeMonitor:
    """Save configurations on which the potential extrapolates; stop when it extrapolates too far (paper 4.4).

    The result of the run holds the saved configurations (`saved`), including the one that stopped it. The log holds
    the highest grade since its previous line.

    Parameters
    ----------
    active_set
        Anything with ``grade(atoms) -> float``, and with ``least_certain(atoms)`` if single atoms are graded
        (:meth:`electrolyte_ml.active_learning.ActiveSet.least_certain`).
    save, break_
        Grade above which a configuration is saved, and grade above which the run stops.
    every
        Steps between two checks. If the run's own potential is graded, a check takes as long as 1 to 3 steps when the
        rows of the active set are configurations, and as 2 to 19 steps when they are neighbourhoods, with or without
        charges; the most for six species. Grading then takes 5 % of a run's time at every 20th to 380th step.
    longest
        Largest number of steps between two checks while the grade is low: this many below 0.4 of `save`, half as many
        below 0.5 and a quarter below 0.6, since a grade rises over tens of femtoseconds. `every` by default.
    most
        Number of saved configurations at which the run stops, too; 0 for no limit. A run that stays between the two
        grades is driven by forces outside the training domain, and drifts away from the liquid.
    """

    reason = "grade"

    def __init__(
        self,
        active_set: Any,
        save: float = 2.0,
        break_: float = 10.0,
        every: int = 1,
        most: int = 0,
        longest: int | None = None,
    ) -> None:
        if not 0 < save <= break_:
            raise InputError(
                f"the grade to save at ({save}) must be positive and not above the one to stop at ({break_})"
            )
        self.active_set, self.save, self.break_, self.every = active_set, save, break_, _interval(every)
        self.most = whole("the largest number of configurations to save", most, least=0)
        self.longest = self.every if longest is None else whole("the longest interval of a monitor (steps)", longest)

    def check(self, step: int, atoms: Atoms, results: Mapping[str, Any]) -> Verdict:
        """Grade the configuration."""
        # If the run's own potential is graded, its pairs are used again: finding pairs is most of a grade's cost in a
        # small box.
        known = "potential" in results and getattr(self.active_set, "potential", None) is results["potential"]
        grade = float(self.active_set.grade(results["geometry"] if known else atoms))
        save = not grade <= self.save  # a NaN is saved and stops, too
        stop = None
        worst = _least_certain(self.active_set, atoms) if save else ""
        if not grade <= self.break_:
            stop = f"extrapolation grade {grade:.3g} is above {self.break_:g}" + (f", at {worst}" if worst else "")
        elif self.most and save and results["saved"] + 1 >= self.most:
            stop = f"saved {self.most} configurations above grade {self.save:g}"
        relative = grade / self.save
        share = next((share for limit, share in _CALM if relative <= limit), 0.0)
        return Verdict(stop, save, grade, pause=int(share * self.longest), note=worst)


# Upper limits of the grade in units of `save`, each with the share of the longest interval until the next check. In
# four trajectories of 6 EMC at 400 K (level 16; the potential after seeding and a later one), no grade below 0.5 rose
# above 1 within 20 fs and none below 0.4 within 40 fs; of the grades below 0.6, 2 % did within 20 fs.
_CALM = ((0.4, 1.0), (0.5, 0.5), (0.6, 0.25))


def _least_certain(active_set: Any, atoms: Atoms) -> str:
    """Return the name of the atom of the highest grade; empty if single atoms are not graded."""
    graded = active_set.least_certain(atoms) if hasattr(active_set, "least_certain") else None
    return "" if graded is None else Topology.of(atoms).place(graded[0])


def _interval(every: int) -> int:
    return whole("the interval of a monitor (steps)", every)
