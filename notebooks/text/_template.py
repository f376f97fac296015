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
# # NN  Title in the field's words
#
# **You will learn** to do this, to see that, and why it matters; three lines at most.
#
# **It rebuilds** section 2.1 and Fig. 1a of the paper.

# %%
from electrolyte_ml.paper import scales

scale = scales.scale()  # quick, unless ELECTROLYTE_ML_SCALE says otherwise
print(f"{scale.name} scale, labels by {scale.reference.name}, everything kept in {scale.directory.name}/")

# %% [markdown]
# ## One idea
#
# State in a sentence what the equation is for. Then give the equation as the paper has it,
#
# $$\mathcal{L} = \sum_k \Big[ \frac{w_e}{N_k} (E_k - E_k^\mathrm{ref})^2 + w_f \sum_i |F_i - F_i^\mathrm{ref}|^2 \Big],$$
#
# then the slow version in plain NumPy of the kernel that computes it, and the kernel's answer beside that of the slow version.

# %%
energy, reference, atoms = -1.00, -1.02, 20  # eV, eV, number of atoms
print(f"energy term {(energy - reference) ** 2 / atoms:.1e} eV²")

# %% [markdown]
# ## Exercises
#
# Two or three; the tests run the code of the solutions after the notebook's own.
#
# **1.** Change one number, and say beforehand what will happen.
#
# <details><summary>Hint</summary>
#
# One sentence.
#
# </details>
#
# <details><summary>Solution</summary>
#
# ```python
# force_weight, components = 0.01, 3 * atoms
# print(f"rms force error that weighs as much as this energy error: {((energy - reference) ** 2 / force_weight / atoms / components) ** 0.5:.3f} eV/Å")
# ```
#
# What the output shows, and why.
#
# </details>
#
# **2.** *Open.* A question whose answer is not known.
#
# <details><summary>Hint</summary>
#
# How to begin.
#
# </details>
#
# <details><summary>What to look for</summary>
#
# What would count as an answer.
#
# </details>
