"""Solvation of a cation: coordination numbers, ligands, ion pairs, denticity and residence times, with errors.

Every number is a ratio of counts. Blocks of frames and whole trajectories, drawn with replacement, give its error
(:mod:`electrolyte_ml.analysis.bootstrap`). Since no shell ends sharply, every number is also given for cutoffs 0.2 Å
shorter and longer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from electrolyte_ml.analysis.bootstrap import Blocks, Estimate, as_json, plain
from electrolyte_ml.analysis.contacts import BAND, Cutoff
from electrolyte_ml.analysis.counts import ALL, Counts, merge, ratio_of, tally
from electrolyte_ml.analysis.rdf import RadialDistribution
from electrolyte_ml.analysis.residence import Bonds, Residence, residence_times
from electrolyte_ml.analysis.run_shells import ShellsOfRuns, find_shells
from electrolyte_ml.analysis.runs import as_runs, common_timestep, without_times
from electrolyte_ml.analysis.shells import PAIRING, Shells
from electrolyte_ml.analysis.tables import rows
from electrolyte_ml.trajectories.trajectory import Trajectory


@dataclass(frozen=True, eq=False)
class Solvation:
    """Solvation of a cation. Fractions of ions count cations; every number is an :class:`Estimate`.

    Attributes
    ----------
    cation, n_ions
        Name of the cation, and the number of cations in the first run.
    n_frames, n_trajectories, n_blocks
        Total number of frames, trajectories and blocks.
    converged
        Whether the trajectories hold enough independent blocks for reliable errors.
    cutoffs
        Cutoffs by species.
    distributions
        The RDFs from which cutoffs were found; empty if the cutoffs were given.
    coordination
        Mean number of donor atoms in a shell, by species and for "all".
    ligands
        Mean number of molecules in a shell, by species and for "all".
    ion_pairs
        Fraction of the cations that are "SSIP", "CIP", "AGG".
    anions_in_shell
        Fraction of the cations with "0", "1" and "2+" anions in their shells.
    clusters
        Cations and anions of an ion cluster -> fraction of the cations in such clusters.
    coordination_distribution
        "all", "SSIP", "CIP", "AGG" -> coordination number -> fraction of such cations.
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
        Species -> residence times of its molecules; empty if times are unknown.
    without_residence
        Reason why there are no residence times; empty if there are any.
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
    without_residence: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the curves as values that JSON can hold; NaN and infinity become None."""
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
            "without_residence": self.without_residence,
        }

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterable[str]:
        runs = f" of {self.n_trajectories} trajectories" if self.n_trajectories > 1 else ""
        frames, blocks = (
            f"{n} {noun}{'s' * (n > 1)}" for n, noun in ((self.n_frames, "frame"), (self.n_blocks, "block"))
        )
        yield f"{self.n_ions} {self.cation} in {frames}{runs}, {blocks}"
        if self.n_blocks < 2:
            yield "One frame: no errors can be given"
        elif not self.converged:
            yield "Too short for five independent blocks of frames: the errors are underestimated"
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
        for name, by_number in self.denticity.items():
            yield from rows(f"denticity of {name}", by_number)
        for name, by_donors in self.donors.items():
            yield from rows(f"donors of {name}", by_donors)
        yield from rows("molecules not bound", self.free)
        yield from rows("commonest shells", dict(list(self.shells.items())[:6]))
        for name, stay in self.residence.items():
            times = {
                which + (" (extrapolated)" if stay.is_extrapolated(which) else ""): getattr(stay, which)
                for which in ("continuous", "intermittent")
            }
            yield from rows(f"residence of {name} (ps)", times)
        if self.without_residence:
            yield f"  no residence times: {self.without_residence}"


def analyse_solvation(
    trajectories: Trajectory | Sequence[Trajectory],
    *,
    cation: str | None = None,
    cutoffs: Mapping[str, float] | None = None,
    seed: int = 0,
    progress: bool = False,
    shells: ShellsOfRuns | None = None,
    mixed: bool = False,
) -> Solvation:
    """Analyse the solvation of a cation.

    Parameters
    ----------
    trajectories
        One or more runs of one system, of any lengths; each frame counts the same.
    cation
        Name of the cation; needed if there are several.
    cutoffs
        Å, for every species with donors; by default the first minima of the RDFs
        (:func:`electrolyte_ml.analysis.find_cutoffs`).
    seed
        Seed of the bootstrap.
    progress
        Show a progress bar.
    shells
        Result of :func:`electrolyte_ml.analysis.find_shells`; the trajectories are then not read again.
    mixed
        Whether the runs are of several systems with the same cation; cutoffs for the species of all are then needed.

    Returns
    -------
    Solvation

    Raises
    ------
    InputError
        There is no cation or no donor, cutoffs cannot be found or do not match the species, or the runs are of
        different systems.
    """
    runs = as_runs(trajectories, mixed=mixed)
    shells_of_runs = shells or find_shells(
        runs, cation=cation, cutoffs=cutoffs, seed=seed, progress=progress, mixed=mixed
    )
    blocks, first = shells_of_runs.blocks, shells_of_runs.shells[0][0]
    n_ions = first.n_ions
    sizes = [[len(run.roles.get(name, ())) for name in first.names] for run in runs]
    counts = [
        merge(_tally_run(blocks, k, s, sizes[k]) for k, s in enumerate(of_runs)) for of_runs in shells_of_runs.shells
    ]
    names = {k: name for k, name in enumerate(first.names) if name in shells_of_runs.cutoffs}

    def ratio(what: str, key: tuple, base: str, base_key: tuple = (), *, fraction: bool = True) -> Estimate:
        return ratio_of(blocks, counts, (what, key), (base, base_key), fraction=fraction)

    def by_species(what: str) -> dict[str, Estimate]:
        every = {name: ratio(what, (k,), "ion", fraction=False) for k, name in names.items()}
        return every | {ALL: ratio(f"all {what}", (), "ion", fraction=False)}

    def values(what: str) -> list[tuple]:
        return sorted({key for count in counts for key in count.get(what, {})})

    pairing = {name: ratio("pairing", (k,), "ion") for k, name in enumerate(PAIRING)}
    distribution: dict[str, dict[int, Estimate]] = {name: {} for name in (ALL, *PAIRING)}
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
            bonds = [[_bonds(shells, k, sizes[0][k]) for shells in of_runs] for of_runs in shells_of_runs.shells]
            stay[name] = residence_times(bonds[0], timestep, blocks, band=(bonds[1], bonds[2]))
    return Solvation(
        cation=shells_of_runs.contacts[0].cation.name,
        n_ions=n_ions,
        n_frames=sum(run.n_frames for run in runs),
        n_trajectories=len(runs),
        n_blocks=len(blocks),
        converged=blocks.independent and len(blocks) > 1,
        cutoffs=shells_of_runs.cutoffs,
        distributions=shells_of_runs.distributions,
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
        without_residence="" if stay else without_times(runs),
    )


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
    # A molecule that coordinates two ions is counted as one bound molecule.
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
