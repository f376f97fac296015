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
# # 05  One training set for every ratio
#
# **You will learn** how a potential of two liquids and all their mixtures is made from the training sets of the pure
# liquids: what it inherits, what it still has to learn, and how the extrapolation grade distinguishes the two.
#
# **It rebuilds** section 2.2 of the paper and Fig. S1: the steps, and the contents of the final set.

# %%
from collections import Counter

import numpy as np

from electrolyte_ml import figures
from electrolyte_ml.active_learning import ActiveSet
from electrolyte_ml.active_learning.inheritance import read_sets
from electrolyte_ml.active_learning.records import load_potential
from electrolyte_ml.active_learning.seeding import even_steps
from electrolyte_ml.paper import scales
from electrolyte_ml.paper.claims.mixtures import SHARES
from electrolyte_ml.paper.mixtures import describe_training, learn_mixtures, mixture_training, mixtures_of
from electrolyte_ml.paper.places import checkout
from electrolyte_ml.paper.results import save_result, shipped_result
from electrolyte_ml.structures import read_configurations

scale = scales.scale()
settings = mixture_training(scale)
reference = settings.reference.make()
provenance = {"reference": reference.name, "scale": scale.name}
print(f"{scale.name} scale, labels by {reference.name}, level {settings.model.level}; everything is kept in results/{scale.name}/")

# %% [markdown]
# ## The steps
#
# 1. Put the training sets of EC and EMC together.
# 2. Fit a *preliminary* potential to a few configurations, evenly spaced over all of them.
# 3. With its active set, let MaxVol choose among the others those configurations that the few do not span.
# 4. Fit to both together. This is the first training set. None of its labels has to be computed again.
# 5. Explore boxes of several compositions on the line from pure EC to pure EMC, one trajectory each. Select, label and
#    refit as in notebook 03, until nothing is new.
#
# The paper takes 20 configurations in step 2 and 11 compositions of 8 to 16 molecules in step 5. The numbers here:

# %%
sets = read_sets(settings.inheritance.sets, ("H", "C", "O"), reference)
for name, number in Counter(atoms.info["inherited"] for atoms in sets).items():
    print(f"{name}: {number} labelled configurations")
print(f"{settings.inheritance.uniform_configurations} of them for the preliminary fit\n")
for mixture in mixtures_of(scale.mixture_training):
    print(f"{mixture.composition:14} packed at {mixture.density:.3f} g/cm³")

# %% [markdown]
# The numbers of molecules lie on a straight line from one end to the other, rounded. The volumes are interpolated in
# the same way.
#
# ## Run it
#
# One call runs all steps. If it was stopped it continues. The first row of the table is the inherited set. At the quick
# scale the loop may end after two iterations whether it has converged or not; the message says which.

# %%
result = learn_mixtures(scale, progress=False)
print(result.message)
result.status

# %%
own = describe_training(result, reference.name)
for origin, kinds in own["origins"].items():
    print(f"{origin:10} " + ", ".join(f"{number} {name}" for name, number in kinds.items()))
figures.mixture_set(own["growth"], available=own["available"], paper=SHARES, **provenance)

# %% [markdown]
# Only a part of the inherited configurations is taken: MaxVol leaves out those whose neighbourhoods the others span.
# *Broken or unknown molecules* are configurations that active learning met at high temperature. They were labelled so
# that the potential learns their energies.
#
# ## What is new in a mixture?
#
# The grade answers this question. Take configurations of several ratios that none of the potentials has seen
# (`data/ec_emc_ratios.extxyz`), and grade them by three potentials: the preliminary one, which knows a few
# configurations, the one fitted to all that was inherited, and the last one.

# %%
folder = result.directory / "iteration_000"
few = [sets[k] for k in even_steps(len(sets), settings.inheritance.uniform_configurations)]
preliminary = load_potential(folder / "preliminary")
active_sets = {
    "preliminary": ActiveSet.build(preliminary, few, settings.grades.mode),
    "inherited": ActiveSet.load(folder / "active_set.npz", load_potential(folder)),
    "learnt": result.active_set,
}
unseen = read_configurations(checkout() / "data" / "ec_emc_ratios.extxyz")
by_cell = {}
for atoms in unseen:
    by_cell.setdefault(atoms.info["composition"], []).append(atoms)
print(f"{'median of the highest grades':30}" + "".join(f"{name:>14}" for name in active_sets))
for cell in ("EC=4", "EC=3 EMC=1", "EC=2 EMC=2", "EC=1 EMC=3", "EMC=4"):
    grades = [np.median([known.grade(atoms) for atoms in by_cell[cell]]) for known in active_sets.values()]
    print(f"{cell + f', {len(by_cell[cell])} configurations':30}" + "".join(f"{grade:14.2f}" for grade in grades))

# %% [markdown]
# Compare the mixtures with the pure liquids in the column *inherited*. This potential has never seen a mixture, and yet
# the grades of the mixtures are about those of the pure liquids. Most of what an atom sees within 5 Å is its own
# molecule and others like it, and these it knows.
#
# ## The standard scale
#
# There a better reference labelled the sets of EC and EMC, and the loop ran to its end. The paper's set has about 500
# configurations, 7 % of them mixtures.

# %%
save_result("mixture_training", own, scale)
shipped = shipped_result("mixture_training", "standard")
figure = None
if shipped is None:
    print("No result of the standard scale comes with this version: ELECTROLYTE_ML_SCALE=standard runs it.")
else:
    figure = figures.mixture_set(
        shipped["growth"], available=shipped["available"], paper=SHARES, reference=shipped["reference"], scale="standard",
    )
figure

# %% [markdown]
# ## Exercises
#
# **1.** How many of the configurations in both sets lie outside of what the preliminary potential knows? Grade all of
# them, and compare the number with how many MaxVol took.
#
# <details><summary>Hint</summary>
#
# `active_sets["preliminary"].grade(atoms)` for all `atoms` in `sets`. The first row of the table says how many were
# selected.
#
# </details>
#
# <details><summary>Solution</summary>
#
# ```python
# grades = np.array([active_sets["preliminary"].grade(atoms) for atoms in sets])
# for threshold in (1.0, 2.0, 10.0):
#     print(f"{(grades > threshold).sum():3} of {len(sets)} configurations have a grade above {threshold:g}")
# print(f"MaxVol took {result.status[0].selected}, the {len(few)} of the preliminary fit among them")
# ```
#
# More configurations have a grade above 1 than MaxVol takes. A configuration that has been taken lowers the grades of
# all that are similar to it.
#
# </details>
#
# **2.** Which element has the worst atom in the mixtures that no potential has seen: before the loop explored mixtures,
# and after it?
#
# <details><summary>Hint</summary>
#
# `active_sets["inherited"].grades(atoms)` has a grade for each atom. Take the element of the largest one in each
# configuration.
#
# </details>
#
# <details><summary>Solution</summary>
#
# ```python
# mixed = [atoms for atoms in unseen if len(atoms.info["composition"].split()) > 1]
# for name in ("inherited", "learnt"):
#     worst = Counter(atoms.symbols[active_sets[name].grades(atoms).argmax()] for atoms in mixed)
#     print(f"{name:10}" + ", ".join(f"{symbol} in {count} of {len(mixed)}" for symbol, count in worst.most_common()))
# ```
#
# Compare the shares with the composition: about half of all atoms are hydrogens. An element that is the worst more
# often than its number explains is known less well.
#
# </details>
#
# **3.** *Open.* Inherit EC alone. How many iterations and how many labels does EMC cost now, and what do the mixtures
# cost?
#
# <details><summary>Hint</summary>
#
# `replace(settings, inheritance=replace(settings.inheritance, sets=settings.inheritance.sets[:1]))`
# (`dataclasses.replace`), given to `electrolyte_ml.active_learn` with a folder of its own and a larger
# `stopping.max_iterations`.
#
# </details>
#
# <details><summary>What to look for</summary>
#
# Group the new labels by what their cells contain (`count_origins`). Then compare with the number that EMC took from
# nothing in notebook 04: how many labels does the knowledge of EC save?
#
# </details>
