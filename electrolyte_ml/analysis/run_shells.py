"""The shells of all runs, read once: solvation and networks are counted from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from electrolyte_ml.analysis.bootstrap import Blocks
from electrolyte_ml.analysis.contacts import BAND, Contacts, Cutoff, find_contacts, find_cutoffs
from electrolyte_ml.analysis.rdf import RadialDistribution
from electrolyte_ml.analysis.runs import as_runs
from electrolyte_ml.analysis.shells import SSIP, Pairs, Shells
from electrolyte_ml.trajectories.species import Species
from electrolyte_ml.trajectories.trajectory import Trajectory


@dataclass(frozen=True, eq=False)
class ShellsOfRuns:
    """The shells of all runs with the cutoffs, and with cutoffs 0.2 Å shorter and longer.

    Attributes
    ----------
    cutoffs, distributions
        As of :class:`electrolyte_ml.analysis.Solvation`.
    contacts
        Of each run.
    shells
        Of each run: with the cutoffs as they are, shorter, longer.
    blocks
        Blocks of the frames.
    """

    cutoffs: Mapping[str, Cutoff]
    distributions: Mapping[str, RadialDistribution]
    contacts: list[Contacts]
    shells: tuple[list[Shells], list[Shells], list[Shells]]
    blocks: Blocks


def find_shells(
    trajectories: Trajectory | Sequence[Trajectory],
    *,
    cation: str | None = None,
    cutoffs: Mapping[str, float] | None = None,
    seed: int = 0,
    progress: bool = False,
) -> ShellsOfRuns:
    """Read the trajectories once and return the shells that solvation and networks are counted from.

    Parameters
    ----------
    trajectories, cation, cutoffs, seed, progress
        As of :func:`electrolyte_ml.analysis.analyse_solvation`.

    Raises
    ------
    InputError
        As :func:`electrolyte_ml.analysis.analyse_solvation`.
    """
    runs = as_runs(trajectories)
    distributions: dict[str, RadialDistribution] = {}
    if cutoffs is None:
        found, distributions = find_cutoffs(runs, cation=cation)
    else:
        found = {name: Cutoff(float(value), float("nan"), "given") for name, value in cutoffs.items()}
    contacts = [find_contacts(run, found, cation=cation, progress=progress) for run in runs]
    roles = runs[0].roles
    anions = _anions(contacts[0], roles)
    further = [
        [find_contacts(run, limits, cation=name, progress=progress) for run in runs]
        for name, limits in _further_cutoffs(runs, contacts[0].cation.name, cutoffs).items()
    ]

    def shells(shift: float) -> list[Shells]:
        pairs = [[Pairs.of(table, _anions(table, roles), shift) for table in tables] for tables in further]
        return [Shells.of(table, anions, shift, [one[k] for one in pairs]) for k, table in enumerate(contacts)]

    same, shorter, longer = shells(0.0), shells(-BAND), shells(BAND)
    series = []
    for s in same:
        atoms, of_anions = s.coordination.sum(axis=(1, 2)), s.coordination[..., anions].sum(axis=(1, 2))
        series.append(np.stack([atoms, of_anions, (s.pairing == SSIP).sum(axis=1)]))
    blocks = Blocks([run.n_frames for run in runs], series, seed)
    return ShellsOfRuns(found, distributions, contacts, (same, shorter, longer), blocks)


def _anions(contacts: Contacts, species: Mapping[str, Species]) -> np.ndarray:
    """Return (n_species,) which of the donors' species are anions."""
    return np.array([species[name].kind == "anion" for name in contacts.donors.names])


def _further_cutoffs(
    runs: Sequence[Trajectory], cation: str, cutoffs: Mapping[str, float] | None
) -> dict[str, Mapping[str, Cutoff | float]]:
    """Return the cutoffs of each further kind of cation: those given, or those of its own RDFs.

    There are none where no anion could bind it.
    """
    species = runs[0].roles
    if not any(one.kind == "anion" and one.donors for one in species.values()):
        return {}
    names = [name for name, one in species.items() if one.kind == "cation" and name != cation]
    return {name: find_cutoffs(runs, cation=name)[0] if cutoffs is None else cutoffs for name in names}
