"""Networks of solvent-separated cations that share solvent molecules.

Two cations without anions in their shells are linked if one solvent molecule coordinates both. The connected components
of this graph are the networks; their size is the number of cations. A cation that shares no solvent is isolated: a
network of one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from electrolyte_ml.analysis.bootstrap import Estimate, as_json
from electrolyte_ml.analysis.counts import ALL, Counts, merge, ratio_of, tally
from electrolyte_ml.analysis.network_graph import NetworkGraph, links, networks_over_time
from electrolyte_ml.analysis.residence import Residence, residence_times
from electrolyte_ml.analysis.run_shells import ShellsOfRuns, find_shells
from electrolyte_ml.analysis.runs import as_runs, common_timestep
from electrolyte_ml.analysis.tables import rows
from electrolyte_ml.trajectories.trajectory import Trajectory

ISOLATED, NETWORKED = "isolated", "network"


@dataclass(frozen=True)
class Example:
    """A network in one frame.

    Attributes
    ----------
    trajectory, frame
        Indices from 0.
    ions, solvents
        Indices of molecules of the trajectory: the cations of the network, and all molecules in their shells.
    bridges
        Indices of the solvents that link two or more of the cations.
    """

    trajectory: int
    frame: int
    ions: tuple[int, ...]
    solvents: tuple[int, ...]
    bridges: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Networks:
    """Networks of solvent-separated cations; fractions count cations, and every number is an :class:`Estimate`.

    Attributes
    ----------
    cation, n_ions
        Name of the cation, and number of cations in a frame.
    ssip
        Fraction of the cations that are solvent-separated.
    networked
        Fraction of the solvent-separated cations in networks of two or more.
    sizes
        Number of cations in a network -> fraction of the solvent-separated cations in such networks; 1 is isolated.
    bridges
        Species -> fraction of the bridging molecules.
    bridge_donors
        Species -> donor atoms through which a molecule bridges, for all its cations together -> fraction of its
        bridges: "carbonyl+ether" is a bridge through two atoms, "carbonyl" through a single atom.
    links_per_bridge
        Number of solvent-separated cations that a bridging molecule coordinates -> fraction of the bridging molecules.
    coordination, ligands
        "isolated", "network" -> species and "all" -> donor atoms, molecules in the shell of such a cation.
    coordination_distribution
        "isolated", "network" -> coordination number -> fraction of these cations.
    link_lifetime
        Lifetime of a pair of cations that share any solvent molecule; None if times are unknown.
    network_lifetime
        Lifetime of networks of the same cations; None if times are unknown.
    largest
        The largest network of all frames, for drawing; None if there is none.
    """

    cation: str
    n_ions: int
    ssip: Estimate
    networked: Estimate
    sizes: Mapping[int, Estimate]
    bridges: Mapping[str, Estimate]
    bridge_donors: Mapping[str, Mapping[str, Estimate]]
    links_per_bridge: Mapping[int, Estimate]
    coordination: Mapping[str, Mapping[str, Estimate]]
    ligands: Mapping[str, Mapping[str, Estimate]]
    coordination_distribution: Mapping[str, Mapping[int, Estimate]]
    link_lifetime: Residence | None
    network_lifetime: Residence | None
    largest: Example | None

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the curves as values that JSON can hold."""
        lifetimes = {"link": self.link_lifetime, "network": self.network_lifetime}
        return {
            "ions": self.n_ions,
            "ssip": as_json(self.ssip),
            "networked": as_json(self.networked),
            "sizes": as_json(self.sizes),
            "bridges": as_json(self.bridges),
            "bridge_donors": as_json(self.bridge_donors),
            "links_per_bridge": as_json(self.links_per_bridge),
            "coordination": as_json(self.coordination),
            "ligands": as_json(self.ligands),
            "coordination_distribution": as_json(self.coordination_distribution),
            "lifetimes_ps": {name: life.to_dict() for name, life in lifetimes.items() if life is not None},
        }

    def __str__(self) -> str:
        lines = [f"Networks of solvent-separated {self.cation}"]
        lines += rows("fraction", {"solvent-separated": self.ssip, "of these in networks": self.networked})
        lines += rows(f"{self.cation} in networks of size", self.sizes)
        lines += rows("bridging molecules", self.bridges)
        for name, fractions in self.bridge_donors.items():
            lines += rows(f"donors of bridging {name}", fractions)
        for side in (ISOLATED, NETWORKED):
            lines += rows(f"ligands, {side}", self.ligands[side])
        for name, life in (("link", self.link_lifetime), ("network", self.network_lifetime)):
            if life is not None:
                lines += rows(
                    f"lifetime of a {name} (ps)", {"continuous": life.continuous, "intermittent": life.intermittent}
                )
        return "\n".join(lines)


def analyse_networks(
    trajectories: Trajectory | Sequence[Trajectory],
    *,
    cation: str | None = None,
    cutoffs: Mapping[str, float] | None = None,
    seed: int = 0,
    progress: bool = False,
    shells: ShellsOfRuns | None = None,
) -> Networks:
    """Find the networks of solvent-separated cations.

    Parameters
    ----------
    trajectories, cation, cutoffs, seed, progress
        As for :func:`electrolyte_ml.analysis.analyse_solvation`.
    shells
        Result of :func:`electrolyte_ml.analysis.find_shells`; the trajectories are then not read again.

    Returns
    -------
    Networks

    Raises
    ------
    InputError
        As for :func:`electrolyte_ml.analysis.analyse_solvation`.
    """
    runs = as_runs(trajectories)
    shells_of_runs = shells or find_shells(runs, cation=cation, cutoffs=cutoffs, seed=seed, progress=progress)
    graphs = [[NetworkGraph.of(s) for s in of_runs] for of_runs in shells_of_runs.shells]
    blocks, first = shells_of_runs.blocks, shells_of_runs.shells[0][0]
    counts = [merge(_tally(shells_of_runs, k, g) for k, g in enumerate(of_runs)) for of_runs in graphs]
    solvents = {k: name for k, name in enumerate(first.names) if name in shells_of_runs.cutoffs and not first.anions[k]}
    sides = {ISOLATED: 0, NETWORKED: 1}

    def ratio(quantity: str, key: tuple, base: str, base_key: tuple = (), *, fraction: bool = True) -> Estimate:
        return ratio_of(blocks, counts, (quantity, key), (base, base_key), fraction=fraction)

    def by_side(quantity: str) -> dict[str, dict[str, Estimate]]:
        return {
            side: {name: ratio(quantity, (s, k), "side", (s,), fraction=False) for k, name in solvents.items()}
            | {ALL: ratio(f"all {quantity}", (s,), "side", (s,), fraction=False)}
            for side, s in sides.items()
        }

    def keys(quantity: str) -> list[tuple]:
        return sorted({key for count in counts for key in count.get(quantity, {})})

    donors: dict[str, dict[str, Estimate]] = {name: {} for name in solvents.values()}
    for k, code in keys("bridge donors"):
        donors[solvents[k]][first.donor_label(code)] = ratio("bridge donors", (k, code), "bridge", (k,))
    largest_number = max((number for _, number in keys("number")), default=0)
    timestep = common_timestep(runs)
    lifetimes: list[Residence | None] = [None, None]
    if timestep is not None:
        for index, bonds in enumerate((links, networks_over_time)):
            same, less, more = ([bonds(g) for g in of_runs] for of_runs in graphs)
            lifetimes[index] = residence_times(same, timestep, blocks, band=(less, more))
    return Networks(
        cation=shells_of_runs.contacts[0].cation.name,
        n_ions=first.n_ions,
        ssip=ratio("ssip", (), "ion"),
        networked=ratio("side", (1,), "ssip"),
        sizes={
            size: ratio("size", (size,), "ssip")
            for size in range(1, max((key[0] for key in keys("size")), default=1) + 1)
        },
        bridges={name: ratio("bridge", (k,), "all bridges") for k, name in solvents.items()},
        bridge_donors=donors,
        links_per_bridge={key[0]: ratio("bridged", key, "all bridges") for key in keys("bridged")},
        coordination=by_side("contact"),
        ligands=by_side("ligand"),
        coordination_distribution={
            side: {n: ratio("number", (s, n), "side", (s,)) for n in range(largest_number + 1)}
            for side, s in sides.items()
        },
        link_lifetime=lifetimes[0],
        network_lifetime=lifetimes[1],
        largest=_largest(shells_of_runs, graphs[0]),
    )


def _tally(shells_of_runs: ShellsOfRuns, run: int, g: NetworkGraph) -> Counts:
    s = g.shells

    def count(frame: np.ndarray, *category: np.ndarray) -> dict[tuple, np.ndarray]:
        return tally(shells_of_runs.blocks, run, frame, *category)

    frame, ion = np.nonzero(g.size)
    size = g.size[frame, ion]
    side = (size > 1).astype(int)
    number = s.coordination[frame, ion].sum(axis=1)
    bound = g.size[s.ligand_frame, s.ligand_ion] > 0
    ligand = np.flatnonzero(bound)
    ligand_side = (g.size[s.ligand_frame, s.ligand_ion] > 1).astype(int)
    contact = s.contact_ligand[bound[s.contact_ligand]]
    first = np.flatnonzero(np.diff(g.bridge, prepend=-1))  # first row of every bridge
    return {
        "ion": count(np.repeat(np.arange(s.n_frames), s.n_ions)),
        "ssip": count(frame),
        "size": count(frame, size),
        "side": count(frame, side),
        "number": count(frame, side, number),
        "ligand": count(s.ligand_frame[ligand], ligand_side[ligand], s.ligand_species[ligand]),
        "all ligand": count(s.ligand_frame[ligand], ligand_side[ligand]),
        "contact": count(s.ligand_frame[contact], ligand_side[contact], s.ligand_species[contact]),
        "all contact": count(s.ligand_frame[contact], ligand_side[contact]),
        "bridge": count(g.frame[first], g.species[first]),
        "all bridges": count(g.frame[first]),
        "bridge donors": count(g.frame[first], g.species[first], g.donors),
        "bridged": count(g.frame[first], np.bincount(g.bridge, minlength=len(first))),
    }


def _largest(shells_of_runs: ShellsOfRuns, graphs: Sequence[NetworkGraph]) -> Example | None:
    sizes = [int(g.size.max(initial=0)) for g in graphs]
    if max(sizes) < 2:
        return None
    run = int(np.argmax(sizes))
    g = graphs[run]
    frame, ion = (int(k) for k in np.argwhere(g.size == sizes[run])[0])
    ions = np.flatnonzero((g.network[frame] == g.network[frame, ion]) & (g.size[frame] > 0))
    s = g.shells
    around = (s.ligand_frame == frame) & np.isin(s.ligand_ion, ions)
    bridging = (g.frame == frame) & np.isin(g.ion, ions)
    return Example(
        trajectory=run,
        frame=frame,
        ions=tuple(shells_of_runs.contacts[run].cation.molecules[ions].tolist()),
        solvents=tuple(np.unique(s.ligand_molecule[around]).tolist()),
        bridges=tuple(np.unique(g.molecule[bridging]).tolist()),
    )
