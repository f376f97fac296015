"""Shells of all runs, read once for the analyses of solvation and networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from electrolyte_ml.analysis.bootstrap import Blocks
from electrolyte_ml.analysis.contacts import BAND, Contacts, Cutoff, find_contacts, find_cutoffs
from electrolyte_ml.analysis.rdf import RadialDistribution
from electrolyte_ml.analysis.runs import as_runs
from electrolyte_ml.analysis.shells import SSIP, Pairs, Shells
from electrolyte_ml.errors import InputError
from electrolyte_ml.trajectories.trajectory import Trajectory


@dataclass(frozen=True, eq=False)
class ShellsOfRuns:
    """The shells of all runs with the cutoffs, and with cutoffs 0.2 Å shorter and longer.

    Attributes
    ----------
    cutoffs, distributions
        As in :class:`electrolyte_ml.analysis.Solvation`.
    contacts
        Contacts of each run.
    shells
        Shells of each run, with the cutoffs unchanged, shorter and longer.
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
    mixed: bool = False,
) -> ShellsOfRuns:
    """Read the trajectories once and return the shells for the analyses of solvation and networks.

    Parameters
    ----------
    trajectories, cation, cutoffs, seed, progress, mixed
        As for :func:`electrolyte_ml.analysis.analyse_solvation`.

    Raises
    ------
    InputError
        As for :func:`electrolyte_ml.analysis.analyse_solvation`.
    """
    runs = as_runs(trajectories, mixed=mixed)
    if mixed and cutoffs is None:
        raise InputError("runs of several systems have no common distributions: give the cutoffs")
    distributions: dict[str, RadialDistribution] = {}
    if cutoffs is None:
        limits_by_species, distributions = find_cutoffs(runs, cation=cation)
    else:
        limits_by_species = {name: Cutoff(float(value), float("nan"), "given") for name, value in cutoffs.items()}

    def of_run(run: Trajectory, limits: Mapping[str, Cutoff]) -> Mapping[str, Cutoff]:
        return {name: limit for name, limit in limits.items() if name in run.roles} if mixed else limits

    contacts = [find_contacts(run, of_run(run, limits_by_species), cation=cation, progress=progress) for run in runs]
    further = _further_cations(runs, contacts[0].cation.name, None if cutoffs is None else limits_by_species)
    tables = [
        [
            find_contacts(run, of_run(run, limits), cation=name, progress=progress)
            for name, limits in further.items()
            if name in run.roles
        ]
        for run in runs
    ]
    if mixed:
        contacts = _with_common_names(contacts)
    kinds = {name: role.kind for run in runs for name, role in run.roles.items()}
    anions = _anions(contacts[0], kinds)

    def shells(shift: float) -> list[Shells]:
        return [
            Shells.of(table, anions, shift, [Pairs.of(other, _anions(other, kinds), shift) for other in others])
            for table, others in zip(contacts, tables)
        ]

    same, shorter, longer = shells(0.0), shells(-BAND), shells(BAND)
    series = []
    for s in same:
        atoms, of_anions = s.coordination.sum(axis=(1, 2)), s.coordination[..., anions].sum(axis=(1, 2))
        series.append(np.stack([atoms, of_anions, (s.pairing == SSIP).sum(axis=1)]))
    blocks = Blocks([run.n_frames for run in runs], series, seed)
    return ShellsOfRuns(limits_by_species, distributions, contacts, (same, shorter, longer), blocks)


def _anions(contacts: Contacts, kinds: Mapping[str, str]) -> np.ndarray:
    """Return a mask of the donors' species that are anions, (n_species,)."""
    return np.array([kinds[name] == "anion" for name in contacts.donors.names])


def _further_cations(
    runs: Sequence[Trajectory], cation: str, given: Mapping[str, Cutoff] | None
) -> dict[str, Mapping[str, Cutoff]]:
    """Return the cutoffs of each further kind of cation: the given ones, or those from its own RDFs.

    The result is empty if no anion could bind a cation.
    """
    species = {name: role for run in runs for name, role in run.roles.items()}
    if not any(role.kind == "anion" and role.donors for role in species.values()):
        return {}
    names = [name for name, role in species.items() if role.kind == "cation" and name != cation]
    return {name: find_cutoffs(runs, cation=name)[0] if given is None else given for name in names}


def _with_common_names(contacts: list[Contacts]) -> list[Contacts]:
    """Return the contacts of several systems with a common list of species and kinds of donors."""
    names = tuple(dict.fromkeys(name for table in contacts for name in table.donors.names))
    kinds = tuple(sorted({kind for table in contacts for kind in table.donors.kinds}))
    renamed = []
    for table in contacts:
        donors = table.donors
        species = np.array([names.index(name) for name in donors.names])[donors.species]
        kind = np.array([kinds.index(name) for name in donors.kinds])[donors.kind]
        renamed.append(replace(table, donors=replace(donors, species=species, kind=kind, names=names, kinds=kinds)))
    return renamed
