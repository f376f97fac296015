"""The shells of all runs, read once: solvation and networks are counted from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from electrolyte_ml.analysis.bootstrap import Blocks
from electrolyte_ml.analysis.contacts import BAND, Contacts, Cutoff, find_contacts, find_cutoffs
from electrolyte_ml.analysis.rdf import RadialDistribution
from electrolyte_ml.analysis.runs import as_runs
from electrolyte_ml.analysis.shells import SSIP, Shells
from electrolyte_ml.errors import InputError
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
    mixed: bool = False,
) -> ShellsOfRuns:
    """Read the trajectories once and return the shells that solvation and networks are counted from.

    Parameters
    ----------
    trajectories, cation, cutoffs, seed, progress, mixed
        As of :func:`electrolyte_ml.analysis.analyse_solvation`.

    Raises
    ------
    InputError
        As :func:`electrolyte_ml.analysis.analyse_solvation`.
    """
    runs = as_runs(trajectories, mixed=mixed)
    if mixed and cutoffs is None:
        raise InputError("runs of several systems have no common distributions: give the cutoffs")
    distributions: dict[str, RadialDistribution] = {}
    if cutoffs is None:
        found, distributions = find_cutoffs(runs, cation=cation)
    else:
        found = {name: Cutoff(float(value), float("nan"), "given") for name, value in cutoffs.items()}
    own = [{name: found[name] for name in found if name in run.roles} if mixed else found for run in runs]
    contacts = [find_contacts(run, limits, cation=cation, progress=progress) for run, limits in zip(runs, own)]
    if mixed:
        contacts = _of_one_naming(contacts)
    species = {name: role for run in runs for name, role in run.roles.items()}
    anions = np.array([species[name].kind == "anion" for name in contacts[0].donors.names])
    same, shorter, longer = ([Shells.of(table, anions, shift) for table in contacts] for shift in (0.0, -BAND, BAND))
    series = []
    for s in same:
        atoms, of_anions = s.coordination.sum(axis=(1, 2)), s.coordination[..., anions].sum(axis=(1, 2))
        series.append(np.stack([atoms, of_anions, (s.pairing == SSIP).sum(axis=1)]))
    blocks = Blocks([run.n_frames for run in runs], series, seed)
    return ShellsOfRuns(found, distributions, contacts, (same, shorter, longer), blocks)


def _of_one_naming(contacts: list[Contacts]) -> list[Contacts]:
    """Return the contacts of several systems with the species and kinds of donors of all of them, numbered alike."""
    names = tuple(dict.fromkeys(name for table in contacts for name in table.donors.names))
    kinds = tuple(sorted({kind for table in contacts for kind in table.donors.kinds}))
    renamed = []
    for table in contacts:
        donors = table.donors
        species = np.array([names.index(name) for name in donors.names])[donors.species]
        kind = np.array([kinds.index(name) for name in donors.kinds])[donors.kind]
        renamed.append(replace(table, donors=replace(donors, species=species, kind=kind, names=names, kinds=kinds)))
    return renamed
