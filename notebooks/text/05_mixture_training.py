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
# **You will learn** how a potential of two liquids and all their mixtures is made from the training sets of the pure ones:
# what it inherits, what it still has to learn, and how the extrapolation grade tells the two apart.
#
# **It rebuilds** section 2.2 of the paper and Fig. S1: the pipeline, and what is in the set at its end.

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
# ## The pipeline
#
# 1. Put the training sets of EC and EMC together.
# 2. Fit a *preliminary* potential to a few configurations, evenly spaced over all of them.
# 3. Let MaxVol choose among the others with it: those that the few do not span already.
# 4. Fit to both together. This is the first training set; none of its labels had to be computed again.
# 5. Explore boxes of several compositions on the line from pure EC to pure EMC, one trajectory each. Select, label and refit as
#    in notebook 03, until nothing is new.
#
# The paper takes 20 configurations in step 2 and 11 compositions of 8 to 16 molecules in step 5. The boxes here:

# %%
sets = read_sets(settings.inheritance.sets, ("H", "C", "O"), reference)
for name, number in Counter(atoms.info["inherited"] for atoms in sets).items():
    print(f"{name}: {number} labelled configurations")
print(f"{settings.inheritance.uniform_configurations} of them for the preliminary fit\n")
for mixture in mixtures_of(scale.mixture_training):
    print(f"{mixture.composition:14} packed at {mixture.density:.3f} g/cm³")

# %% [markdown]
# The numbers of molecules lie on a straight line from one end to the other, rounded, and the volumes of the ends add up.
#
# ## Run it
#
# One call, which goes on where it was stopped. The first row of the table is the inherited set.

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
# Only a part of the inherited configurations is taken: MaxVol leaves out those whose neighbourhoods the others span. *Broken or
# unknown molecules* are configurations that active learning met at high temperature and had labelled, so that the potential
# learns what they cost.
#
# ## What is new in a mixture?
#
# The grade answers. Take configurations of several ratios that none of the potentials has seen (`data/ec_emc_ratios.extxyz`), and
# grade them by three potentials: the preliminary one, which knows a few configurations, the one fitted to all that was
# inherited, and the last one.

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
# Compare the mixtures with the pure liquids in the column *inherited*: what the potential has never seen is a mixture, and yet
# its grades are about those of the pure liquids. Most of what an atom sees within 5 Å is its own molecule and others like it, and
# these it knows.
#
# ## The standard scale
#
# There the sets of EC and EMC were learnt with a better reference, and the loop ran to its end. The paper's set has about 500
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
# 1. Halve `uniform_configurations` (`dataclasses.replace` on `settings.inheritance`, and `active_learn` in a folder of its own).
#    Does MaxVol take more of the others, or fewer?
# 2. Inherit EC alone. How many iterations does EMC cost now, and how many labels?
# 3. On the command line the same is `electrolyte-ml mix RUN RUN`. Make a mixture of two other solvents of the library, from two
#    runs of `active-learn` with a few water and acetonitrile molecules.
