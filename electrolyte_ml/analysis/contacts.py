"""Contacts: the donor atoms in the first shell of each cation in each frame.

Positions are read frame by frame; only contacts, some ten numbers per ion and frame, are kept in memory.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from ase.data import chemical_symbols

from electrolyte_ml.analysis.rdf import RadialDistribution, cation_pairs, radial_distributions
from electrolyte_ml.analysis.runs import as_runs
from electrolyte_ml.errors import InputError, TrajectoryWarning
from electrolyte_ml.progress import progress_bar
from electrolyte_ml.structures.boxes import CATION_RADII
from electrolyte_ml.structures.motifs import shell_radius
from electrolyte_ml.trajectories.species import Species
from electrolyte_ml.trajectories.trajectory import Trajectory

BAND = 0.2  # Å by which cutoffs are shortened and lengthened
_FRAMES_FOR_CUTOFFS = 1000  # at most, evenly spaced
_BEYOND = 0.5  # Å: largest distance of a species' first minimum beyond that of all donors


@dataclass(frozen=True)
class Cutoff:
    """Outer limit of a shell for one species.

    Attributes
    ----------
    value, error
        Å; the error is NaN for a value from the user.
    source
        Origin of the value.
    """

    value: float
    error: float
    source: str


@dataclass(frozen=True, eq=False)
class Donors:
    """Donor atoms of all species.

    Attributes
    ----------
    atoms, molecule
        (n,) indices of the atoms, and of their molecules in the trajectory.
    species, kind
        (n,) indices into `names` and `kinds`.
    cutoff
        (n,) Å.
    names
        Species that could coordinate: all but the cation.
    kinds
        Kinds of donors.
    """

    atoms: np.ndarray
    molecule: np.ndarray
    species: np.ndarray
    kind: np.ndarray
    cutoff: np.ndarray
    names: tuple[str, ...]
    kinds: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Contacts:
    """Pairs of a cation and a donor within the cutoff and the band above it, each once, by its nearest image.

    Attributes
    ----------
    cation
        The species at the centre of the shells.
    donors
        The donor atoms; `donor` holds indices into them.
    n_frames
        Number of frames of the trajectory.
    frame, ion, donor
        (P,) indices, sorted by frame, then by ion.
    distance
        (P,) Å.
    """

    cation: Species
    donors: Donors
    n_frames: int
    frame: np.ndarray
    ion: np.ndarray
    donor: np.ndarray
    distance: np.ndarray


def find_cutoffs(
    trajectories: Trajectory | Sequence[Trajectory], *, cation: str | None = None
) -> tuple[dict[str, Cutoff], dict[str, RadialDistribution]]:
    """Find the first minimum of the cation's RDF with the donors of each species.

    A species that hardly ever coordinates has no first shell: the first peak of its RDF is its second shell. Such a
    species, and any species whose minimum lies far from that of all donors, gets the first minimum of the RDF with all
    donors. If this RDF has no minimum, for example with few frames, the cutoffs follow from the radii of cation and
    donors (:func:`electrolyte_ml.structures.motifs.shell_radius`), with a warning.

    Parameters
    ----------
    trajectories
        One or more runs of one system; about a thousand frames of all runs together are read.
    cation
        Name of the cation; needed if there are several.

    Returns
    -------
    cutoffs : dict of str to Cutoff
        By species.
    distributions : dict of str to RadialDistribution
        By pair: the cation with each species, and with all donors.

    Raises
    ------
    InputError
        The RDF with all donors has no first minimum, and the radius of the cation is not known.
    """
    runs = as_runs(trajectories)
    stride = max(1, sum(run.n_frames for run in runs) // _FRAMES_FOR_CUTOFFS)
    some = [run[::stride] for run in runs]
    pairs = cation_pairs(runs[0], cation)
    ion = runs[0].only("cation", cation).name
    combined = f"{ion}-all donors"
    pairs[combined] = (runs[0].roles[ion].centres, np.unique(np.concatenate([b for _, b in pairs.values()])))
    distributions = radial_distributions(some, pairs)
    shell = distributions[combined].shell
    if shell is None:
        return _cutoffs_by_radii(runs[0], ion), distributions
    cutoffs = {}
    for name, species in runs[0].roles.items():
        if not species.donors or name == ion:
            continue
        own = distributions[f"{ion}-{name}"].shell
        if own is not None and own.peak < shell.minimum and own.minimum < shell.minimum + _BEYOND:
            cutoffs[name] = Cutoff(own.minimum, own.error, f"first minimum of {ion}-{name}")
        else:
            cutoffs[name] = Cutoff(shell.minimum, shell.error, f"first minimum of {combined}")
    return cutoffs, distributions


def _cutoffs_by_radii(run: Trajectory, ion: str) -> dict[str, Cutoff]:
    """Return cutoffs by the radii of a cation and the donors of each species, with a warning."""
    no_minimum = f"{run.name}: the RDF of {ion} with all donors has no first minimum beyond noise"
    advice = "give the cutoffs (cutoffs=, --cutoff NAME=Å of every species) or more frames"
    symbols = {chemical_symbols[number] for number in run.numbers[run.roles[ion].centres]}
    if len(symbols) > 1 or not symbols <= CATION_RADII.keys():
        raise InputError(f"{no_minimum}: {advice}")
    (cation,) = symbols
    cutoffs = {
        name: Cutoff(
            max(
                shell_radius(cation, chemical_symbols[run.numbers[a]]) for kind in species.donors.values() for a in kind
            ),
            float("nan"),
            "radii of cation and donor",
        )
        for name, species in run.roles.items()
        if len(species.donors) and name != ion
    }
    shells = ", ".join(f"{name} {cutoff.value:.2f} Å" for name, cutoff in cutoffs.items())
    text = f"{no_minimum}; cutoffs from the radii of the atoms are used: {shells}. To change this, {advice}"
    warnings.warn(text, TrajectoryWarning, stacklevel=4)
    return cutoffs


def find_contacts(
    trajectory: Trajectory, cutoffs: Mapping[str, Cutoff | float], *, cation: str | None = None, progress: bool = False
) -> Contacts:
    """Find the contacts of a run in one pass over its frames.

    Parameters
    ----------
    trajectory
        The run.
    cutoffs
        Å, by species; one for each species with donors.
    cation
        Name of the cation; needed if there are several.
    progress
        Show a progress bar.

    Returns
    -------
    Contacts

    Raises
    ------
    InputError
        A species has no cutoff, a cutoff has no species, or a cutoff is above half of the cell.
    """
    from electrolyte_ml.kernels.contacts import contacts

    ion = trajectory.only("cation", cation)
    donors = _donors(trajectory, ion, cutoffs)
    half = 0.5 / np.linalg.norm(np.linalg.inv(trajectory.frame(0).cell.array), axis=0).max()
    if donors.cutoff.max() > half:
        wide = donors.names[donors.species[donors.cutoff.argmax()]]
        raise InputError(
            f"{trajectory.name}: the cutoff of {wide}, {donors.cutoff.max():g} Å, is above half of the cell, "
            f"{half:.3g} Å"
        )
    reach = float(donors.cutoff.max()) + BAND
    parts: list[tuple[np.ndarray, ...]] = []
    done = 0
    with progress_bar(total=trajectory.n_frames, unit="frame", desc="shells", shown=progress) as bar:
        for chunk in trajectory.chunks():
            frame, centre, donor, distance = contacts(
                chunk.positions, chunk.cells, np.linalg.inv(chunk.cells), ion.centres, donors.atoms, reach
            )
            order = np.lexsort((distance, donor, centre, frame))
            frame, centre, donor, distance = frame[order], centre[order], donor[order], distance[order]
            repeated = np.zeros(len(order), bool)  # another image of the same atom
            repeated[1:] = (np.diff(frame) == 0) & (np.diff(centre) == 0) & (np.diff(donor) == 0)
            keep = ~repeated & (distance < donors.cutoff[donor] + BAND)
            parts.append((frame[keep] + np.int32(done), centre[keep], donor[keep], distance[keep].astype(np.float32)))
            done += len(chunk.positions)
            bar.update(len(chunk.positions))
    columns = [np.concatenate(column) for column in zip(*parts)]
    return Contacts(ion, donors, trajectory.n_frames, *columns)


def _donors(trajectory: Trajectory, ion: Species, cutoffs: Mapping[str, Cutoff | float]) -> Donors:
    others = {name: species for name, species in trajectory.roles.items() if name != ion.name}
    unknown = sorted(set(cutoffs) - {name for name, species in others.items() if species.donors})
    if unknown:
        raise InputError(f"{trajectory.name}: there are no donors of {unknown[0]!r} to which a cutoff could apply")
    kinds = tuple(sorted({kind for species in others.values() for kind in species.donors}))
    rows = []
    for index, (name, species) in enumerate(others.items()):
        if not species.donors:
            continue
        if name not in cutoffs:
            raise InputError(f"{trajectory.name}: no cutoff is given for {name}")
        cutoff = cutoffs[name]
        value = float(cutoff.value if isinstance(cutoff, Cutoff) else cutoff)
        if not (np.isfinite(value) and value > BAND):
            raise InputError(f"the cutoff of {name} must be a distance in Å, not {value}")
        for kind, atoms in species.donors.items():
            rows.append((atoms, np.full(len(atoms), index), np.full(len(atoms), kinds.index(kind)), value))
    if not rows:
        raise InputError(f"{trajectory.name}: no species has donors that could coordinate {ion.name}")
    atoms = np.concatenate([row[0] for row in rows]).astype(np.int64)
    if len(np.unique(atoms)) < len(atoms):
        twice = int(atoms[np.argmax(np.bincount(atoms)[atoms] > 1)])
        raise InputError(f"{trajectory.name}: atom {twice + 1} is a donor of two kinds")
    return Donors(
        atoms=atoms,
        molecule=trajectory.molecule[atoms],
        species=np.concatenate([row[1] for row in rows]),
        kind=np.concatenate([row[2] for row in rows]),
        cutoff=np.concatenate([np.full(len(row[0]), row[3]) for row in rows]),
        names=tuple(others),
        kinds=kinds,
    )
