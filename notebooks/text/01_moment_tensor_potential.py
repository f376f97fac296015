# ---
# jupyter:
#   jupytext:
#     cell_metadata_filter: -all
#     formats: ipynb,text//py:percent
#     notebook_metadata_filter: kernelspec,jupytext,-jupytext.text_representation.jupytext_version
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 01  The moment tensor potential
#
# **You will learn** how the energy of a liquid becomes a sum over atoms, and each term a polynomial of *moments* of the
# atom's surroundings; why this sum does not change when atoms are rotated or renumbered; and where the 383 and 651
# parameters come from.
#
# **It rebuilds** section 4.1 of the paper, equations 1 to 6, and its numbers of parameters. It has no figure of its
# own.

# %%
import numpy as np

from electrolyte_ml import figures
from electrolyte_ml.paper import scales
from electrolyte_ml.potentials import basis
from electrolyte_ml.potentials.mtp import twin
from electrolyte_ml.structures import molecule

scale = scales.scale()
tour = scale.tour
print(f"{scale.name} scale; level {tour.model.level}, cutoff {tour.model.cutoff:g} Å, the small potential of these first notebooks")

# %% [markdown]
# ## An atom and its neighbours
#
# A moment tensor potential (MTP) gives each atom an energy that depends on the atoms within the cutoff,
#
# $$E^\mathrm{MTP} = \sum_{i=1}^N V(\mathbf{n}_i), \qquad
#   \mathbf{n}_i = \{\mathbf{r}_{ij}, z_i, z_j\}_{j = 1 \dots N_\mathrm{nbh}}. \tag{1}$$
#
# Take one molecule of ethylene carbonate, EC, and a potential whose parameters are drawn from U(−1, 1), as at the start
# of every fit. Such a potential knows no chemistry yet, but it has all of the mathematics.

# %%
ec = molecule("EC")
potential = tour.model.random(("H", "C", "O"), seed=0)
symbols = np.array(ec.get_chemical_symbols())
z = np.array([potential.species.index(symbol) for symbol in symbols])  # (N,) index into the species
i = int(np.flatnonzero(symbols == "O")[0])
r_ij = np.delete(ec.positions - ec.positions[i], i, axis=0)  # (n, 3) Å
z_j = np.delete(z, i)  # (n,)
r = np.linalg.norm(r_ij, axis=1)  # (n,) Å
near = r < potential.cutoff
r_ij, z_j, r = r_ij[near], z_j[near], r[near]
print(f"{ec.get_chemical_formula()}; atom {i} is {symbols[i]} and has {len(r)} neighbours, {r.min():.2f} to {r.max():.2f} Å away")

# %% [markdown]
# ## Radial functions
#
# How much a neighbour counts depends only on the two elements and on the distance,
#
# $$f_\mu(r, z_i, z_j) = \sum_\beta c^{(\beta)}_{\mu, z_i, z_j}\, T^{(\beta)}(r)\, (R_\mathrm{cut} - r)^2, \tag{5}$$
#
# with Chebyshev polynomials $T^{(\beta)}$. Because of the last factor, value and slope vanish at the cutoff: an atom
# can leave without a jump in energy or force. For every compiled kernel the package has a *twin*, a slow version in
# plain NumPy that can be compared with the equation line by line. `twin.radial_basis` is the twin of
# $T^{(\beta)}(r)(R_\mathrm{cut} - r)^2$. Both multiply it by 0.01, a convention of MLIP's files.

# %%
phi, _ = twin.radial_basis(r, potential)  # (8, n); times `scaling` = 0.01, a unit of MLIP's files
c = potential.radial[z[i], z_j]  # (n, mu, beta)
f = np.einsum("jmb,bj->mj", c, phi)  # (mu, n), equation 5
print("f_0 of the neighbours:", np.round(f[0], 3))
figures.radial_functions(potential, scale=scale.name)

# %% [markdown]
# ## Moments
#
# The directions of the neighbours enter as tensors: $\nu = 0$ counts neighbours, $\nu = 1$ is a dipole of the
# surroundings, $\nu = 2$ distinguishes a chain from a plane,
#
# $$M_{\mu,\nu}(\mathbf{n}_i) = \sum_j f_\mu(r_{ij}, z_i, z_j)\, \hat{\mathbf{r}}_{ij}^{\otimes\nu}. \tag{4}$$
#
# (The paper writes $r_{ij}^{\otimes\nu}$. The programs of the field take unit vectors, and so does this package:
# $f_\mu$ contains the length already.)

# %%
u = r_ij / r[:, None]  # unit vectors (n, 3)
M00 = f[0].sum()
M01 = np.einsum("j,ja->a", f[0], u)
M02 = np.einsum("j,ja,jb->ab", f[0], u, u)
print("M_00 =", M00.round(4), "\nM_01 =", M01.round(4), "\nM_02 =\n", M02.round(4))

# %% [markdown]
# ## Contractions do not change when the liquid turns
#
# A tensor turns with the molecule, but an energy must not. The basis functions $B_\alpha$ are products of moments in
# which *every* index is contracted, for instance $M_{0,1}\cdot M_{0,1}$ or $M_{0,2} : M_{0,2}$. Each product is a small
# graph: moments are vertices, contracted indices are edges. The level decides which of them belong to the basis,
#
# $$\mathrm{lev}\,M_{\mu,\nu} = 2 + 4\mu + \nu, \qquad \mathrm{lev} \prod_p M_{\mu_p,\nu_p} = \sum_p \mathrm{lev}\,M_{\mu_p,\nu_p}
#   \le \mathrm{lev}_\mathrm{max}. \tag{3, 6}$$
#
# A product has at most four moments, as in MLIP. These rules alone, without a table, give the basis of this level:

# %%
for alpha, contraction in enumerate(potential.basis.contractions):
    print(f"B_{alpha}  level {contraction.level}  {contraction}")

# %% [markdown]
# Read `M0,1 M0,1 [0-1:1]` as two moments (μ, ν) = (0, 1) with one index contracted between them. The cell below
# computes three of the functions by hand and by the twin's `Site`, which evaluates any graph with one `einsum`:

# %%
site = twin.Site(potential, z, twin.neighbourhoods(potential, ec)[i])
ours = {"M0,0": M00, "M0,1 M0,1 [0-1:1]": M01 @ M01, "M0,2 M0,2 [0-1:2]": (M02 * M02).sum()}
for contraction, value in zip(potential.basis.contractions, site.functions):
    if str(contraction) in ours:
        print(f"{contraction!s:20} by hand {ours[str(contraction)]:+.12f}   twin {value:+.12f}")

# %% [markdown]
# The energy of the atom is linear in the functions, with the coefficients $\xi_\alpha$ and one shift for each element,
#
# $$V(\mathbf{n}_i) = \sum_\alpha \xi_\alpha B_\alpha(\mathbf{n}_i). \tag{2}$$
#
# The compiled kernels of dynamics and training never build these tensors, but they give the same numbers:

# %%
kernel, slow = potential.evaluate(ec), twin.evaluate(potential, ec)
print(f"V of atom {i}:     kernel {kernel.energies[i]:+.12f} eV   twin {site.energy():+.12f} eV")
print(f"E of the molecule: kernel {kernel.energy:+.12f} eV   twin {slow.energy:+.12f} eV")
print(f"largest difference of a force: {np.abs(kernel.forces - slow.forces).max():.1e} eV/Å")

# %% [markdown]
# ## What changes the energy, and what does not
#
# A turned, shifted or renumbered molecule has the same energy, to the last digits. A molecule with a stretched bond
# does not. Forces are derivatives of the energy, as a small step confirms.

# %%
turned = ec.copy()
turned.rotate(40, (1, 2, 3))
turned.translate((1.0, -2.0, 0.5))
renumbered = ec[np.random.default_rng(0).permutation(len(ec))]
stretched = ec.copy()
stretched.positions[i, 0] += 1e-4  # Å
before = ec.copy()
before.positions[i, 0] -= 1e-4
slope = (potential.evaluate(stretched).energy - potential.evaluate(before).energy) / 2e-4
print(f"turned and shifted: {potential.evaluate(turned).energy - kernel.energy:+.1e} eV")
print(f"renumbered:         {potential.evaluate(renumbered).energy - kernel.energy:+.1e} eV")
print(f"force on atom {i}:    {kernel.forces[i, 0]:+.8f} eV/Å, by a step of 1e-4 Å {-slope:+.8f} eV/Å")

# %% [markdown]
# ## 383 and 651
#
# With $S$ elements, $R$ radial functions of eight polynomials each, and one shift for each element, there are
#
# $$S^2 \cdot R \cdot 8 + n_\mathrm{functions} + S$$
#
# parameters. The level determines the number of radial functions that can occur,
# $R = \lfloor(\mathrm{lev}_\mathrm{max} - 2)/4\rfloor + 1$. The paper states 383 parameters for level 16 and 651 for
# level 20 with H, C and O. Its MTP16-QRd adds two for each element: 389.

# %%
for level in (12, 16, 20):
    one = basis(level)
    print(
        f"level {level}: {one.n_scalars:3} functions, 3² · {one.n_radial} · 8 + {one.n_scalars} + 3 = "
        f"{one.n_parameters(3)} parameters"
    )
assert (basis(16).n_parameters(3), basis(20).n_parameters(3)) == (383, 651)
figures.basis_growth([basis(level) for level in range(2, 22, 2)])

# %% [markdown]
# ## Exercises
#
# **1.** Multiply all radial coefficients of $\mu = 0$ by 2, and change the $\xi_\alpha$ so that the energy stays the
# same. There are $R(R + 1)/2$ such directions, in which no label can ever tell two potentials apart. What does this
# mean for a program that inverts $J^\top J$, the Gauss–Newton approximation to the second derivatives of the loss?
#
# <details><summary>Hint</summary>
#
# A function with $k$ factors $M_{0,\nu}$ grows by $2^k$. `contraction.mus` holds the $\mu$ of the factors.
# `dataclasses.replace(potential, radial=..., moments=...)` makes the new potential; `potential.moments` holds the
# $\xi_\alpha$.
#
# </details>
#
# <details><summary>Solution</summary>
#
# ```python
# from dataclasses import replace
#
# radial = potential.radial.copy()  # (S, S, mu, beta)
# radial[:, :, 0] *= 2
# factors = np.array([contraction.mus.count(0) for contraction in potential.basis.contractions])
# scaled = replace(potential, radial=radial, moments=potential.moments / 2.0**factors)
# print(f"energy {kernel.energy:.12f} eV before, {scaled.evaluate(ec).energy:.12f} eV after")
# print(f"largest change of a force: {np.abs(scaled.evaluate(ec).forces - kernel.forces).max():.1e} eV/Å")
# ```
#
# The derivatives along these directions are zero for every configuration, so that $J^\top J$ has the eigenvalue zero
# and cannot be inverted. A program must leave these directions out, or add a small multiple of the unit matrix.
#
# </details>
#
# **2.** Why is $(R_\mathrm{cut} - r)$ squared in equation 5? Compute $f_0(r)$ and its slope for O–H near the cutoff,
# with the square and without it.
#
# <details><summary>Hint</summary>
#
# `twin.radial_basis(r, potential)` returns the functions with the square. Divide them by $R_\mathrm{cut} - r$ to take
# one factor away, and take the slope by `np.gradient`.
#
# </details>
#
# <details><summary>Solution</summary>
#
# ```python
# distances = np.linspace(4.0, potential.cutoff, 1001)[:-1]  # Å
# squared = potential.radial[2, 0, 0] @ twin.radial_basis(distances, potential)[0]  # O-H, mu = 0
# single = squared / (potential.cutoff - distances)
# for name, function in (("squared", squared), ("not squared", single)):
#     slope = np.gradient(function, distances)
#     print(f"{name:12} at the cutoff: value {function[-1]:+.1e}, slope {slope[-1]:+.1e}; beyond it: 0 and 0")
# ```
#
# Both values vanish at the cutoff, but without the square the slope does not. The force would then jump whenever an
# atom crosses the cutoff, and a run would not conserve its energy.
#
# </details>
#
# **3.** *Open.* A potential may spend its parameters on a higher level or on more polynomials $T^{(\beta)}$
# (`ModelSpec(level=..., radial_basis_size=...)`). Which of the two is worth more for the same number of parameters?
#
# <details><summary>Hint</summary>
#
# Notebook 02 fits such potentials. `ModelSpec(...).random(("H", "C", "O"), 0).n_parameters` counts.
#
# </details>
#
# <details><summary>What to look for</summary>
#
# Choose two or three pairs with nearly the same number of parameters, fit each from several random starts, and compare
# the errors on configurations that were not fitted. Compare the difference with the spread over the starts. The level
# decides which angles and how many neighbours enter a function, the polynomials decide how finely it depends on
# distances.
#
# </details>
