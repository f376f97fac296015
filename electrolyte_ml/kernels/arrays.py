"""The named tuples that kernels read and fill."""

from typing import NamedTuple

import numpy as np


class Model(NamedTuple):
    """A moment tensor potential.

    Attributes
    ----------
    graph : Graph
        The basis, see :class:`electrolyte_ml.potentials.mtp.graph.Graph`.
    linear : (n_nodes,) float64
        Coefficients of the basis functions that are nodes of the graph.
    quad : float64
        Factor of every term of `graph.quad_other`: quad_factor * w[quad_pair].
    radial : (S, S, R, size) float64 or float32
        c[centre, neighbour, mu, beta]. Its precision is that of everything computed for pairs; the moments of an atom,
        their products, energies and the sums of forces are float64 in either case.
    shifts : (S,) float64, eV
    low, high : float, Å
        The interval [min_distance, cutoff] that xi maps to [-1, 1].
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
    """The pairs within a cutoff, each atom's sorted by the neighbour's species.

    Attributes
    ----------
    species : (N,) int64
        Of the central atoms.
    segment : (N, S + 1) int64
        The neighbours of species s of atom i stand at segment[i, s]:segment[i, s + 1].
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
    """The results of an evaluation, and how threads share it.

    Attributes
    ----------
    energies, virials : (N,), (N, 3, 3) float64, eV
    virial : (3, 3) float64, eV
        The sum of `virials`.
    cuts : (threads + 1,) int64
        Thread k computes the atoms cuts[k]:cuts[k + 1].
    pushes : (threads, N, 3) float64, eV/Å
        The forces that each thread's atoms exert.
    closest : (threads,) float64, Å^2
        The smallest squared distance that each thread has met.
    """

    energies: np.ndarray
    virials: np.ndarray
    virial: np.ndarray
    cuts: np.ndarray
    pushes: np.ndarray
    closest: np.ndarray


class VerletArrays(NamedTuple):
    """A neighbour list made with cutoff + skin, and what tells how long it holds.

    Attributes
    ----------
    listed, neighbour, owner, shift
        From `neighbours.neighbour_list`; there may be unused room behind them.
    placed : (M, 3) float64, Å
        From `neighbours.place`, for the present positions.
    origin : (N, 3) float64, Å
        The positions for which the list was made.
    stretch : (3,) float64
        Factors by which lengths along x, y and z have grown since then; NaN where there is no list.
    """

    listed: np.ndarray
    neighbour: np.ndarray
    owner: np.ndarray
    shift: np.ndarray
    placed: np.ndarray
    origin: np.ndarray
    stretch: np.ndarray


class Workspace(NamedTuple):
    """Everything but the model that one evaluation after the other reads and fills.

    Attributes
    ----------
    sites : Sites
    verlet : VerletArrays
    near : Neighbours
        The pairs within the cutoff at the last evaluation; those of atom i stand from place listed[i, 0] on.
    """

    sites: Sites
    verlet: VerletArrays
    near: Neighbours


class Cotangents(NamedTuple):
    """Derivatives of a loss by energies, forces and virials, spread over the atoms.

    Attributes
    ----------
    energy : (N,) float64
        dL/dE_i.
    force : (N, 3) float64
        dL/dF_i.
    virial : (N, 3, 3) float64
        dL/dVirial of the atom's configuration, symmetric.
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
        By the basis functions that are nodes of the graph.
    pair : (n_pairs,) float64
        By the products of the leaves.
    """

    radial: np.ndarray
    node: np.ndarray
    pair: np.ndarray
