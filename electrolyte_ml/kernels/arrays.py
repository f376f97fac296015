"""Named tuples of arrays that the kernels read and fill."""

from typing import NamedTuple

import numpy as np


class Model(NamedTuple):
    """A moment tensor potential.

    Attributes
    ----------
    graph : Graph
        Basis, see :class:`electrolyte_ml.potentials.mtp.graph.Graph`.
    linear : (n_nodes,) float64
        Coefficients of the basis functions that are nodes of the graph.
    quad : float64
        Factor of every term of `graph.quad_other`: quad_factor * w[quad_pair].
    radial : (S, S, R, size) float64 or float32
        c[centre, neighbour, mu, beta]. All quantities of pairs are computed in its precision; the moments of an atom,
        their products, energies and the sums of forces are always float64.
    shifts : (S,) float64, eV
    low, high : float, Å
        Interval [min_distance, cutoff] that xi maps to [-1, 1].
    scaling : float
    """

    graph: NamedTuple
    linear: np.ndarray
    quad: np.ndarray
    radial: np.ndarray
    shifts: np.ndarray
    low: float
    high: float
    scaling: float


class Neighbours(NamedTuple):
    """Pairs within a cutoff; the neighbours of each atom are sorted by species.

    Attributes
    ----------
    species : (N,) int64
        Species of the central atoms.
    segment : (N, S + 1) int64
        The neighbours of species s of atom i are the entries segment[i, s]:segment[i, s + 1] of the arrays below.
    other : (P,) int32
        Atom number of each neighbour.
    vector : (3, P) float64, Å
        r_ij = x_j + shift . cell - x_i.
    """

    species: np.ndarray
    segment: np.ndarray
    other: np.ndarray
    vector: np.ndarray


class Sites(NamedTuple):
    """Results of an evaluation, and the division of atoms among threads.

    Attributes
    ----------
    energies, virials : (N,), (N, 3, 3) float64, eV
    virial : (3, 3) float64, eV
        Sum of `virials`.
    cuts : (threads + 1,) int64
        Thread k computes the atoms cuts[k]:cuts[k + 1].
    pushes : (threads, N, 3) float64, eV/Å
        Forces from the site energies of the atoms of each thread, on all atoms.
    closest : (threads,) float64, Å^2
        Smallest squared distance found by each thread.
    """

    energies: np.ndarray
    virials: np.ndarray
    virial: np.ndarray
    cuts: np.ndarray
    pushes: np.ndarray
    closest: np.ndarray


class VerletArrays(NamedTuple):
    """Neighbour list made with cutoff + skin, and the data for the test whether it is still valid.

    Attributes
    ----------
    listed, neighbour, owner, shift
        From `neighbours.neighbour_list`; the arrays may have unused entries at their ends.
    placed : (M, 3) float64, Å
        From `bins.place`, for the present positions.
    origin : (N, 3) float64, Å
        Positions for which the list was made.
    stretch : (3,) float64
        Growth factors of lengths along x, y and z since then; NaN if there is no list.
    """

    listed: np.ndarray
    neighbour: np.ndarray
    owner: np.ndarray
    shift: np.ndarray
    placed: np.ndarray
    origin: np.ndarray
    stretch: np.ndarray


class Workspace(NamedTuple):
    """Arrays other than the model that every evaluation reads and fills.

    Attributes
    ----------
    sites : Sites
    verlet : VerletArrays
    near : Neighbours
        Pairs within the cutoff at the last evaluation; those of atom i start at index listed[i, 0].
    """

    sites: Sites
    verlet: VerletArrays
    near: Neighbours


class Cotangents(NamedTuple):
    """Derivatives of a loss by energies, forces and virials, given for every atom.

    Attributes
    ----------
    energy : (N,) float64
        dL/dE_i.
    force : (N, 3) float64
        dL/dF_i.
    virial : (N, 3, 3) float64
        dL/dVirial of the configuration that the atom belongs to, symmetric.
    """

    energy: np.ndarray
    force: np.ndarray
    virial: np.ndarray


class ModelGradient(NamedTuple):
    """Derivatives of a loss by the parameters of a `Model`.

    Attributes
    ----------
    radial : (S, S, R, size) float64
    node : (n_linear,) float64
        Derivatives by the coefficients of basis functions that are nodes of the graph.
    pair : (n_pairs,) float64
        Derivatives by the coefficients of the products of the leaves.
    """

    radial: np.ndarray
    node: np.ndarray
    pair: np.ndarray
