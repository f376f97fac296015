"""Solvation of a cation: coordination numbers, ligands, ion pairs, denticity and residence times, with errors.

Every number is a ratio of counts, so that its error comes from drawing blocks of frames and whole trajectories with
replacement (:mod:`electrolyte_ml.analysis.bootstrap`); and since no shell ends sharply, every number comes with what
cutoffs 0.2 Å shorter and longer would give.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from electrolyte_ml.analysis.bootstrap import Blocks, Estimate, as_json, plain
from electrolyte_ml.analysis.contacts import BAND, Contacts, Cutoff, find_contacts, find_cutoffs
from electrolyte_ml.analysis.rdf import RadialDistribution, as_runs
from electrolyte_ml.analysis.residence import Bonds, Residence, residence_times
from electrolyte_ml.analysis.shells import PAIRING, SSIP, Shells
from electrolyte_ml.errors import InputError
from electrolyte_ml.trajectories.trajectory import Trajectory

_SHIFTS = (0.0, -BAND, BAND)
ALL = "all"


Counts = dict[str, dict[tuple, np.ndarray]]  # what -> category -> (n_blocks,) how often


@dataclass(frozen=True, eq=False)
class Solvation:
    """How a cation is solvated. Fractions of ions count cations; every number is an :class:`Estimate`.

    Attributes
    ----------
    cation, n_ions
        Its name and how many there are.
    n_frames, n_trajectories, n_blocks
        Of all trajectories together.
    converged
        Whether the trajectories hold enough independent blocks for the errors to be believed.
    cutoffs
        By species.
    distributions
        The RDFs from which cutoffs were found; empty when all were given.
    coordination
        Donor atoms in a shell, by species and for "all".
    ligands
        Molecules in a shell, by species and for "all".
    ion_pairs
        Fraction of the cations that are "SSIP", "CIP", "AGG".
    anions_in_shell
        Fraction of the cations with "0", "1" and "2+" anions in their shells.
    clusters
        Cations and anions of an ion cluster -> fraction of the cations in such clusters.
    coordination_distribution
        "all", "SSIP", "CIP", "AGG" -> coordination number -> fraction of these cations.
    ligand_distribution
        Number of ligands -> fraction of the cations.
    denticity
        Species -> denticity -> fraction of its ligands.
    donors
        Species -> donors with which a ligand coordinates, such as "carbonyl+ether" -> fraction of its ligands.
    free
        Species -> fraction of its molecules that coordinate no cation.
    shells
        Composition of a shell, such as "3 EC + 1 EMC" -> fraction of the cations; the commonest first.
    residence
        Species -> how long its molecules stay; empty where times are unknown.
    """

    cation: str
    n_ions: int
    n_frames: int
    n_trajectories: int
    n_blocks: int
    converged: bool
    cutoffs: Mapping[str, Cutoff]
    coordination: Mapping[str, Estimate]
    ligands: Mapping[str, Estimate]
    ion_pairs: Mapping[str, Estimate]
    anions_in_shell: Mapping[str, Estimate]
    clusters: Mapping[tuple[int, int], Estimate]
    coordination_distribution: Mapping[str, Mapping[int, Estimate]]
    ligand_distribution: Mapping[int, Estimate]
    denticity: Mapping[str, Mapping[int, Estimate]]
    donors: Mapping[str, Mapping[str, Estimate]]
    free: Mapping[str, Estimate]
    shells: Mapping[str, Estimate]
    residence: Mapping[str, Residence]
    distributions: Mapping[str, RadialDistribution] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the curves as JSON knows it; NaN and infinity become None."""
        return {
            "cation": self.cation,
            "ions": self.n_ions,
            "frames": self.n_frames,
            "trajectories": self.n_trajectories,
            "blocks": self.n_blocks,
            "converged": self.converged,
            "cutoffs": {
                name: {"value": cutoff.value, "error": plain(cutoff.error), "source": cutoff.source}
                for name, cutoff in self.cutoffs.items()
            },
            "coordination": as_json(self.coordination),
            "ligands": as_json(self.ligands),
            "ion_pairs": as_json(self.ion_pairs),
            "anions_in_shell": as_json(self.anions_in_shell),
            "clusters": as_json({f"{c} cations + {a} anions": e for (c, a), e in self.clusters.items()}),
            "coordination_distribution": as_json(self.coordination_distribution),
            "ligand_distribution": as_json(self.ligand_distribution),
            "denticity": as_json(self.denticity),
            "donors": as_json(self.donors),
            "free": as_json(self.free),
            "shells": as_json(self.shells),
            "residence_ps": {name: stay.to_dict() for name, stay in self.residence.items()},
        }

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterable[str]:
        runs = f" of {self.n_trajectories} trajectories" if self.n_trajectories > 1 else ""
        frames, blocks = (
            f"{n} {what}{'s' * (n > 1)}" for n, what in ((self.n_frames, "frame"), (self.n_blocks, "block"))
        )
        yield f"{self.n_ions} {self.cation} in {frames}{runs}, {blocks}"
        if self.n_blocks < 2:
            yield "One frame: no errors can be given"
        elif not self.converged:
            yield "Too short for five independent blocks of frames: the errors are too small"
        yield ""
        for name, cutoff in self.cutoffs.items():
            error = f" ± {cutoff.error:.2f}" if np.isfinite(cutoff.error) else ""
            yield f"  cutoff {name:<8} {cutoff.value:.2f}{error} Å, {cutoff.source}"
        yield ""
        yield f"  {'':<26} {'value':>8}   {'error':>7}   95 % interval      cutoff ± {BAND} Å"
        yield from rows("donors per ion", self.coordination)
        yield from rows("ligands per ion", self.ligands)
        yield from rows("ion pairs", self.ion_pairs)
        yield from rows("anions in the shell", self.anions_in_shell)
        numbers = self.coordination_distribution[ALL]
        lowest = min(number for number, estimate in numbers.items() if estimate.value > 0)
        yield from rows("coordination number", {n: e for n, e in numbers.items() if n >= lowest})
        for name, by in self.denticity.items():
            yield from rows(f"denticity of {name}", by)
        for name, by in self.donors.items():
            yield from rows(f"donors of {name}", by)
        yield from rows("molecules not bound", self.free)
        yield from rows("commonest shells", dict(list(self.shells.items())[:6]))
        for name, stay in self.residence.items():
            later = " (extrapolated)" if stay.extrapolated else ""
            times = {"continuous": stay.continuous, f"intermittent{later}": stay.intermittent}
            yield from rows(f"residence of {name} (ps)", times)


@dataclass(frozen=True, eq=False)
class ShellsOfRuns:
    """The shells of all runs with the cutoffs, and with cutoffs 0.2 Å shorter and longer.

    Attributes
    ----------
    cutoffs, distributions
        As of :class:`Solvation`.
    contacts
        One for each run.
    shells
        Three times one for each run: the cutoffs as they are, shorter, longer.
    blocks
        Of the frames.
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
    """Read the trajectories once and keep what solvation and networks are counted from.

    The parameters are those of :func:`analyse_solvation`.
    """
    runs = as_runs(trajectories)
    distributions: dict[str, RadialDistribution] = {}
    if cutoffs is None:
        found, distributions = find_cutoffs(runs, cation=cation)
    else:
        found = {name: Cutoff(float(value), float("nan"), "given") for name, value in cutoffs.items()}
    contacts = [find_contacts(run, found, cation=cation, progress=progress) for run in runs]
    species = runs[0].roles
    anions = np.array([species[name].kind == "anion" for name in contacts[0].donors.names])
    shells = tuple([Shells.of(table, anions, shift) for table in contacts] for shift in _SHIFTS)
    series = []
    for s in shells[0]:
        atoms, of_anions = s.coordination.sum(axis=(1, 2)), s.coordination[..., anions].sum(axis=(1, 2))
        series.append(np.stack([atoms, of_anions, (s.pairing == SSIP).sum(axis=1)]))
    blocks = Blocks([run.n_frames for run in runs], series, seed)
    return ShellsOfRuns(found, distributions, contacts, shells, blocks)


def analyse_solvation(
    trajectories: Trajectory | Sequence[Trajectory],
    *,
    cation: str | None = None,
    cutoffs: Mapping[str, float] | None = None,
    seed: int = 0,
    progress: bool = False,
    shells: ShellsOfRuns | None = None,
) -> Solvation:
    """Measure how a cation is solvated.

    Parameters
    ----------
    trajectories
        One or more runs of one system, of any lengths; each frame counts the same.
    cation
        Its name, where there are several.
    cutoffs
        Å, by species, for all of those with donors; by default the first minima of the RDFs
        (:func:`electrolyte_ml.analysis.find_cutoffs`).
    seed
        Of the bootstrap.
    progress
        Show a bar.
    shells
        What :func:`find_shells` found, so that the trajectories are not read again.

    Returns
    -------
    Solvation

    Raises
    ------
    InputError
        No cation, no donors, cutoffs that cannot be found or are not those of the species, runs of different systems.
    """
    runs = as_runs(trajectories)
    found = shells or find_shells(runs, cation=cation, cutoffs=cutoffs, seed=seed, progress=progress)
    blocks, first = found.blocks, found.shells[0][0]
    n_ions = first.n_ions
    sizes = [len(runs[0].roles[name]) for name in first.names]
    counts = [merge(_tally_run(blocks, run, s, sizes) for run, s in enumerate(of_runs)) for of_runs in found.shells]
    names = {k: name for k, name in enumerate(first.names) if name in found.cutoffs}

    def ratio(what: str, key: tuple, base: str, base_key: tuple = (), *, fraction: bool = True) -> Estimate:
        return ratio_of(blocks, counts, (what, key), (base, base_key), fraction=fraction)

    def by_species(what: str) -> dict[str, Estimate]:
        every = {name: ratio(what, (k,), "ion", fraction=False) for k, name in names.items()}
        return every | {ALL: ratio(f"all {what}", (), "ion", fraction=False)}

    def values(what: str) -> list[tuple]:
        return sorted({key for count in counts for key in count.get(what, {})})

    pairing = {name: ratio("pairing", (k,), "ion") for k, name in enumerate(PAIRING)}
    distribution: dict[str, dict[int, Estimate]] = {ALL: {}} | {name: {} for name in PAIRING}
    highest = max(key[0] for key in values("number"))
    for number in range(highest + 1):
        distribution[ALL][number] = ratio("number", (number,), "ion")
        for k, name in enumerate(PAIRING):
            distribution[name][number] = ratio("number by pairing", (k, number), "pairing", (k,))
    denticity: dict[str, dict[int, Estimate]] = {name: {} for name in names.values()}
    for k, n in values("denticity"):
        denticity[names[k]][n] = ratio("denticity", (k, n), "ligand", (k,))
    donors: dict[str, dict[str, Estimate]] = {name: {} for name in names.values()}
    for k, code in values("donors"):
        donors[names[k]][first.donor_label(code)] = ratio("donors", (k, code), "ligand", (k,))
    stay: dict[str, Residence] = {}
    timestep = common_timestep(runs)
    if timestep is not None:
        for k, name in names.items():
            bonds = [[_bonds(shells, k, sizes[k]) for shells in of_runs] for of_runs in found.shells]
            stay[name] = residence_times(bonds[0], timestep, blocks, band=(bonds[1], bonds[2]))
    return Solvation(
        cation=found.contacts[0].cation.name,
        n_ions=n_ions,
        n_frames=sum(run.n_frames for run in runs),
        n_trajectories=len(runs),
        n_blocks=len(blocks),
        converged=blocks.independent and len(blocks) > 1,
        cutoffs=found.cutoffs,
        distributions=found.distributions,
        coordination=by_species("contact"),
        ligands=by_species("ligand"),
        ion_pairs=pairing,
        anions_in_shell={label: ratio("anions", (k,), "ion") for k, label in enumerate(("0", "1", "2+"))},
        clusters={key: ratio("cluster", key, "ion") for key in values("cluster")},
        coordination_distribution=distribution,
        ligand_distribution={
            number: ratio("ligands", (number,), "ion") for number in range(max(k[0] for k in values("ligands")) + 1)
        },
        denticity=denticity,
        donors=donors,
        free={name: ratio("free", (k,), "molecule", (k,)) for k, name in names.items()},
        shells=dict(
            sorted(
                ((first.shell_label(key[0]), ratio("shell", key, "ion")) for key in values("shell")),
                key=lambda item: -item[1].value,
            )
        ),
        residence=stay,
    )


def common_timestep(runs: Sequence[Trajectory]) -> float | None:
    """Return the time between frames of all runs, ps; None where it is unknown or a run has one frame.

    Raises
    ------
    InputError
        If it differs.
    """
    times = [run.timestep_ps for run in runs]
    if any(time is None for time in times) or any(run.n_frames < 2 for run in runs):
        return None
    if max(times) - min(times) > 1e-3 * max(times):
        raise InputError(
            f"the frames of {runs[int(np.argmax(times))].name} are {max(times):g} ps apart, others' {min(times):g} ps: "
            "take every so many frames, so that they agree"
        )
    return times[0]


def ratio_of(
    blocks: Blocks,
    counts: Sequence[Counts],
    top: tuple[str, tuple],
    bottom: tuple[str, tuple],
    *,
    fraction: bool = True,
) -> Estimate:
    """Return one count over another, with its error and its band.

    Parameters
    ----------
    blocks
        In which they were counted.
    counts
        With the cutoffs as they are, shorter and longer.
    top, bottom
        What is counted, and the category.
    fraction
        Whether the value lies between 0 and 1. The rule of three then takes what is counted in `bottom` in one frame
        of a block for independent, and all frames of a block for one.
    """
    zero = np.zeros(len(blocks))

    def pair(count: Counts) -> np.ndarray:
        return np.stack([count[what].get(key, zero) for what, key in (top, bottom)], axis=1)

    def divide(total: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore", divide="ignore"):
            return total[:, 0] / total[:, 1]

    less, more = (divide(pair(count).sum(axis=0)[None])[0] for count in counts[1:])
    data = pair(counts[0])
    bounds = (0.0, 1.0) if fraction else (0.0, np.inf)
    observations = float(np.ceil(data[:, 1] / blocks.frames).sum()) if fraction else None
    found = blocks.estimate(divide, data, band=(less, more), bounds=bounds, observations=observations)[()]
    if np.count_nonzero(data[:, 1]) > 1:
        return found
    # What was seen in one block only cannot scatter; the rule of three still bounds a fraction of 0 or 1.
    ruled = fraction and found.value in bounds
    return replace(found, error=np.nan, interval=found.interval if ruled else (np.nan, np.nan))


def tally(blocks: Blocks, run: int, frame: np.ndarray, *category: np.ndarray) -> dict[tuple, np.ndarray]:
    """Count rows by their category in every block.

    Parameters
    ----------
    blocks
        Of the frames.
    run, frame
        Which trajectory, and (n,) the frame of every row.
    *category
        (n,) integers each.

    Returns
    -------
    dict of tuple to (n_blocks,) array
        Category -> rows in each block.
    """
    block = blocks.of_frame[run][frame] + blocks.first[run]
    if not category:
        return {(): np.bincount(block, minlength=len(blocks)).astype(float)}
    found, index = np.unique(np.stack(category, axis=1), axis=0, return_inverse=True)
    table = np.bincount(index.ravel() * len(blocks) + block, minlength=len(found) * len(blocks))
    return {tuple(key): row for key, row in zip(found.tolist(), table.reshape(-1, len(blocks)).astype(float))}


def merge(parts: Iterable[Counts]) -> Counts:
    """Add up counts of several runs."""
    total: Counts = {}
    for part in parts:
        for what, by in part.items():
            mine = total.setdefault(what, {})
            for key, row in by.items():
                mine[key] = mine[key] + row if key in mine else row
    return total


def rows(title: str, values: Mapping[Any, Estimate]) -> Iterable[str]:
    """Lines of a table of estimates."""
    yield f"  {title}"
    for key, e in values.items():
        if e.value == e.value:
            low, high = e.interval
            yield (
                f"    {key!s:<24} {e.value:8.3f} ± {e.error:7.3f}   {low:7.3f} to {high:7.3f}   "
                f"{e.band[0]:7.3f} to {e.band[1]:7.3f}"
            )
        else:
            yield f"    {key!s:<24} {'none':>8}"


def _tally_run(blocks: Blocks, run: int, s: Shells, sizes: Sequence[int]) -> Counts:
    ion_frame = np.repeat(np.arange(s.n_frames), s.n_ions)
    number = s.coordination.sum(axis=2).ravel()
    pairing = s.pairing.ravel()
    contact_frame = s.ligand_frame[s.contact_ligand]
    denticity = s.ligand_donors.sum(axis=1)

    def count(frame: np.ndarray, *category: np.ndarray) -> dict[tuple, np.ndarray]:
        return tally(blocks, run, frame, *category)

    counts: Counts = {
        "ion": count(ion_frame),
        "contact": count(contact_frame, s.ligand_species[s.contact_ligand]),
        "all contact": count(contact_frame),
        "ligand": count(s.ligand_frame, s.ligand_species),
        "all ligand": count(s.ligand_frame),
        "pairing": count(ion_frame, pairing),
        "anions": count(ion_frame, np.minimum(s.ligands[..., s.anions].sum(axis=2), 2).ravel()),
        "cluster": count(ion_frame, s.cluster_cations.ravel(), s.cluster_anions.ravel()),
        "number": count(ion_frame, number),
        "number by pairing": count(ion_frame, pairing, number),
        "ligands": count(ion_frame, s.ligands.sum(axis=2).ravel()),
        "denticity": count(s.ligand_frame, s.ligand_species, denticity),
        "donors": count(s.ligand_frame, s.ligand_species, s.code(s.ligand_donors)),
        "shell": count(ion_frame, s.shell_code().ravel()),
        "molecule": {},
        "free": {},
    }
    # A molecule on two ions is bound once.
    of_molecule = np.stack([s.ligand_frame, s.ligand_species, s.ligand_molecule], axis=1)
    frame, species, _ = np.unique(of_molecule, axis=0).T
    bound = count(frame, species)
    frames = count(np.arange(s.n_frames))[()]
    for k, size in enumerate(sizes):
        counts["molecule"][(k,)] = frames * size
        counts["free"][(k,)] = frames * size - bound.get((k,), 0.0)
    return counts


def _bonds(s: Shells, species: int, count: int) -> Bonds:
    own = s.ligand_species == species
    bond = s.ligand_ion[own] * (int(s.ligand_molecule.max(initial=0)) + 1) + s.ligand_molecule[own]
    return Bonds(bond, s.ligand_frame[own], s.n_ions * count, s.n_frames)
