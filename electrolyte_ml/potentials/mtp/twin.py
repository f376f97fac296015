"""Twin of the kernels: the moment tensor potential in plain NumPy, equation by equation.

This module uses neither the graph of products nor symmetric components: a moment is a full tensor made by outer
products, a basis function is one `einsum` over the edges of its multigraph, and a derivative follows from the product
rule, with each factor in turn replaced by its derivative. Equation numbers are those of Chalykh et al., section 4.1.
"""

from __future__ import annotations

from string import ascii_lowercase
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials.geometry import species_indices
from electrolyte_ml.potentials.interface import Evaluation
from electrolyte_ml.potentials.mtp.basis import Contraction
from electrolyte_ml.potentials.mtp.potential import MomentTensorPotential

if TYPE_CHECKING:
    from ase import Atoms

STEP = 1e-30  # complex step; it can be tiny, because no difference of values is taken

Moments = dict[tuple[int, int], np.ndarray]  # (mu, nu) -> (..., 3, ..., 3); the last nu axes are those of the tensor


class Neighbourhood(NamedTuple):
    """Atom and its neighbours."""

    centre: int
    neighbours: np.ndarray  # (n,) atom numbers
    vectors: np.ndarray  # (n, 3) Å, r_ij


def neighbourhoods(
    potential: MomentTensorPotential, atoms: Atoms, displacement: np.ndarray | float = 0.0
) -> list[Neighbourhood]:
    """Return the neighbourhood of each atom; a complex displacement (N, 3) changes the vectors, not the neighbours."""
    from electrolyte_ml.kernels.neighbours import neighbour_list_reference

    cell, pbc = np.array(atoms.cell), np.array(atoms.pbc)
    pairs = sorted(neighbour_list_reference(atoms.positions, cell * pbc[:, None], pbc, potential.cutoff))
    moved = atoms.positions + displacement
    result = []
    for i in range(len(atoms)):
        j = np.array([b for a, b, _ in pairs if a == i], dtype=int)
        shift = np.array([s for a, _, s in pairs if a == i], dtype=float).reshape(-1, 3)
        result.append(Neighbourhood(i, j, moved[j] + shift @ cell - moved[i]))
    return result


def radial_basis(r: np.ndarray, potential: MomentTensorPotential) -> tuple[np.ndarray, np.ndarray]:
    """Return phi_beta(r) = scaling T_beta(xi) (cutoff - r)^2 and its derivative, (size, n) each (in eq. 5)."""
    low, high, size = potential.min_distance, potential.cutoff, potential.radial_basis_size
    xi = (2 * r - (low + high)) / (high - low)
    t, dt = [np.ones_like(xi), xi], [np.zeros_like(xi), np.ones_like(xi)]
    while len(t) < size:
        t.append(2 * xi * t[-1] - t[-2])
        dt.append(2 * t[-2] + 2 * xi * dt[-1] - dt[-2])
    values, slopes, gap = np.array(t[:size]), np.array(dt[:size]) * 2 / (high - low), high - r
    return potential.scaling * values * gap**2, potential.scaling * (slopes * gap**2 - 2 * values * gap)


def outer_power(u: np.ndarray, nu: int) -> np.ndarray:
    """Return the tensor product u (x) u (x) ... (x) u of each row: (n, 3) -> (n, 3, ..., 3) with nu axes of 3."""
    out = np.ones(len(u), dtype=u.dtype)
    for _ in range(nu):
        out = np.einsum("j...,ja->j...a", out, u)
    return out


def outer_power_gradient(u: np.ndarray, r: np.ndarray, nu: int) -> np.ndarray:
    """Return d/dr_j of `outer_power`, (n, 3, 3, ..., 3): every u in turn is replaced by du/dr = (1 - u u)/r."""
    out = np.zeros((len(u), 3) + (3,) * nu, dtype=u.dtype)
    if nu:
        across = (np.eye(3) - np.einsum("ja,jb->jab", u, u)) / r[:, None, None]  # (n, 3 of d/dr, 3 of u)
        slot = np.einsum("jda,j...->jda...", across, outer_power(u, nu - 1))
        for k in range(nu):
            out += np.moveaxis(slot, 2, 2 + k)
    return out


def legs(c: Contraction) -> list[str]:
    """Return the index letters of each factor for `einsum`: one letter per edge, shared by the factors it joins."""
    letters, indices = iter(ascii_lowercase), [""] * len(c.mus)
    for (i, j), n in zip(c.pairs, c.edges, strict=True):
        for _ in range(n):
            letter = next(letters)
            indices[i] += letter
            indices[j] += letter
    return indices


def contract(c: Contraction, moments: Moments) -> np.ndarray:
    """Return B_alpha, the product of its moments with all indices contracted."""
    return np.einsum(",".join(legs(c)) + "->", *(moments[factor] for factor in zip(c.mus, c.ranks, strict=True)))


def contract_gradient(c: Contraction, moments: Moments, gradients: Moments) -> np.ndarray:
    """Return dB_alpha by the product rule, with the leading axes of `gradients`; missing moments have no gradient."""
    factors, letters, total = list(zip(c.mus, c.ranks, strict=True)), legs(c), np.zeros(())
    for k, changed in enumerate(factors):
        if changed in gradients:
            operands = [moments[factor] for factor in factors]
            operands[k] = gradients[changed]
            names = [name if position != k else "..." + name for position, name in enumerate(letters)]
            total = total + np.einsum(",".join(names) + "->...", *operands)
    return total


class Site:
    """Quantities of one atom that are sums over its neighbours."""

    def __init__(self, potential: MomentTensorPotential, z: np.ndarray, near: Neighbourhood) -> None:
        if not potential.basis.contractions:
            raise InputError("the tables of this potential, from another program, do not name their contractions")
        self.potential, self.z, self.near = potential, z, near
        self.r = np.sqrt((near.vectors**2).sum(1))  # (n,) Å
        self.u = near.vectors / self.r[:, None]  # (n, 3)
        self.phi, self.dphi = radial_basis(self.r, potential)  # (size, n)
        self.c = potential.radial[z[near.centre], z[near.neighbours]]  # (n, R, size)
        self.f = np.einsum("jmb,bj->mj", self.c, self.phi)  # (R, n), eq. 5
        self.factors = {f for c in potential.basis.contractions for f in zip(c.mus, c.ranks, strict=True)}
        self.moments = {(mu, nu): np.einsum("j,j...->...", self.f[mu], outer_power(self.u, nu))
                        for mu, nu in self.factors}  # fmt: skip  # eq. 4
        self.functions = np.array([contract(c, self.moments) for c in potential.basis.contractions])  # B_alpha

    def energy(self) -> float:
        """Return V of eq. 2, with the shift of the species of the atom."""
        return self.potential.shifts[self.z[self.near.centre]] + self.potential.moments @ self.functions

    def by_vectors(self) -> np.ndarray:
        """Return dV/dr_ij, (n, 3) eV/Å."""
        df = np.einsum("jmb,bj->mj", self.c, self.dphi)
        gradients = {
            (mu, nu): np.einsum("j,jd,j...->jd...", df[mu], self.u, outer_power(self.u, nu))
            + np.einsum("j,j...->j...", self.f[mu], outer_power_gradient(self.u, self.r, nu))
            for mu, nu in self.factors
        }
        return self._weighted(gradients)

    def by_radial(self) -> np.ndarray:
        """Return dV/dc[z_i, s, mu, beta], (S, R, size): a coefficient changes the moments of its mu."""
        species, n_radial = len(self.potential.species), self.potential.basis.n_radial
        is_species = (np.arange(species)[:, None] == self.z[self.near.neighbours]).astype(float)  # (S, n)
        tensors = {nu: np.einsum("sj,bj,j...->sb...", is_species, self.phi, outer_power(self.u, nu))
                   for nu in {nu for _, nu in self.factors}}  # fmt: skip
        each = [self._weighted({f: tensors[f[1]] for f in self.factors if f[0] == mu}) for mu in range(n_radial)]
        return np.stack(each, axis=1)

    def _weighted(self, gradients: Moments) -> np.ndarray:
        pairs = zip(self.potential.moments, self.potential.basis.contractions, strict=True)
        return sum(xi * contract_gradient(c, self.moments, gradients) for xi, c in pairs)


def evaluate(potential: MomentTensorPotential, atoms: Atoms) -> Evaluation:
    """Return energy (eq. 1), forces and virial, like `MomentTensorPotential.evaluate`."""
    z = species_indices(atoms, potential.species)
    energies, forces, virial = np.zeros(len(atoms)), np.zeros((len(atoms), 3)), np.zeros((3, 3))
    for near in neighbourhoods(potential, atoms):
        site = Site(potential, z, near)
        energies[near.centre] = site.energy()
        gradient = site.by_vectors()
        forces[near.centre] += gradient.sum(0)
        np.subtract.at(forces, near.neighbours, gradient)
        virial += near.vectors.T @ gradient
    return Evaluation(energies.sum(), forces, energies, virial, atoms.get_volume() if atoms.pbc.all() else None)


def site_energy_gradients(
    potential: MomentTensorPotential, atoms: Atoms, displacement: np.ndarray | float = 0.0
) -> np.ndarray:
    """Return the derivative of each site energy by the parameters, (N, n_parameters), for displaced atoms."""
    z = species_indices(atoms, potential.species)
    rows = []
    for near in neighbourhoods(potential, atoms, displacement):
        site = Site(potential, z, near)
        radial = np.zeros(potential.radial.shape, dtype=site.f.dtype)
        radial[z[near.centre]] = site.by_radial()
        rows.append(np.concatenate([radial.ravel(), np.eye(len(potential.species))[z[near.centre]], site.functions]))
    return np.array(rows).reshape(-1, potential.n_parameters)


def energy_gradient_along(potential: MomentTensorPotential, atoms: Atoms, direction: np.ndarray) -> np.ndarray:
    """Return the derivative of dE/dtheta along a displacement field (N, 3), (n_parameters,), by a complex step.

    All functions above are analytic in the positions: for a tiny h, Im dE/dtheta(x + i h d) / h is the derivative up to
    rounding. Along the residuals of the forces, it is their contribution to the gradient of the loss (eq. 10).
    """
    return site_energy_gradients(potential, atoms, 1j * STEP * direction).sum(0).imag / STEP
