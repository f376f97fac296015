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
# # 03  Active learning
#
# **You will learn** how to find out where a potential extrapolates: MaxVol by hand on a small matrix, the extrapolation
# grade that follows from it, the grade during dynamics, and which configurations are worth a label.
#
# **It rebuilds** section 4.4 of the paper, equations 11 and 12. It has no figure of its own.

# %%
import numpy as np
from IPython.display import display

import electrolyte_ml as eml
from electrolyte_ml import figures
from electrolyte_ml.active_learning import ActiveSet, maxvol
from electrolyte_ml.paper import scales
from electrolyte_ml.paper.protocols import label_store, reference_of, tour_seeding
from electrolyte_ml.dynamics import GradeMonitor
from electrolyte_ml.training import evaluate_errors

scale = scales.scale()
tour, reference = scale.tour, reference_of(scale).name
print(f"{scale.name} scale, labels by {reference}; level {tour.model.level}, {tour.cell}")

# %% [markdown]
# ## MaxVol by hand
#
# A model that is linear in $m$ parameters is determined by $m$ independent rows $b = \partial E/\partial\theta$, and
# best where the rows span the largest volume. Take a pool B of 30 rows with two columns. Exchanging row $j$ of a square
# matrix A for a row $b$ of the pool multiplies $|\det A|$ by $|c_j|$, where
#
# $$\mathbf{c}^\top = \mathbf{b}^\top A^{-1}. \tag{12}$$
#
# So exchange rows as long as some $|c_j| > 1$, the largest first. This is MaxVol, in a few lines.

# %%
rng = np.random.default_rng(2)
B = rng.normal(size=(30, 2))
A, rows = B[:2].copy(), [0, 1]
while True:
    c = B @ np.linalg.inv(A)  # (30, 2)
    i, j = np.unravel_index(np.abs(c).argmax(), c.shape)
    print(f"|det A| = {abs(np.linalg.det(A)):.3f}; the best exchange, row {i} for row {rows[j]}, multiplies it by {abs(c[i, j]):.3f}")
    if abs(c[i, j]) <= 1.001:
        break
    A[j], rows[j] = B[i], int(i)
print("chosen by hand:", sorted(rows), "  by the package:", maxvol(B).selected)

# %% [markdown]
# ## The grade
#
# At the end no row of the pool has a coefficient above one. A new row $b^*$ may have one:
#
# $$\gamma(\mathbf{x}^*) = \max_{1 \le j \le m} |c_j|. \tag{11}$$
#
# Below 1 the new configuration is an interpolation between those in A. Above 1 it would enlarge the volume by just this
# factor. The lines of equal grade are parallelograms around the one that A spans.

# %%
figures.maxvol_plane(B, maxvol(B))

# %% [markdown]
# ## Rows of a real potential
#
# The potential is not linear in its radial coefficients. Its rows are therefore derivatives at the fitted parameters.
# In the paper a configuration is one row, $\partial E/\partial\theta$ summed over its atoms. With fewer configurations
# than parameters such rows leave most directions open, and nearly everything extrapolates:

# %%
walkers = tour_seeding(scale)
training_set = [atoms for walker in walkers for atoms in walker.samples]
start = tour.model.random(("H", "C", "O"), seed=tour.seeds[0])
potential = eml.train(training_set, start, max_iterations=tour.fit.iterations, progress=False).potential
packed = eml.pack({"EC": 2}, density=1.2, seed=7)  # nothing the training set has seen
for mode in ("configuration", "neighbourhood"):
    active_set = ActiveSet.build(potential, training_set, mode)
    filled = (active_set.result.index >= 0).sum()
    print(
        f"{mode:13}  {filled:3} of {potential.n_parameters} rows of A filled from {len(active_set.active)} configurations; "
        f"grade of a seen one {active_set.grade(training_set[0]):.2f}, of a freshly packed box {active_set.grade(packed):.3g}"
    )

# %% [markdown]
# If each *atom* is a row, $\partial E_i/\partial\theta$, one label of twenty atoms gives twenty rows, and the grade of
# a configuration is that of its worst atom. The small scales do this. The paper's own sets, of some thousand
# configurations, are large enough for one row per configuration. Some rows of A stay empty: they belong to directions
# that no data can fill, the scalings of notebook 01 among them. There MaxVol begins with a tiny multiple of the unit
# matrix, $\epsilon I$, and keeps it.
#
# ## The grade during dynamics
#
# Now the potential runs on its own, and the worst neighbourhood is graded every few steps. The run stops where the
# grade exceeds 10.

# %%
grades, run = tour.grades, tour.run
active_set = ActiveSet.build(potential, training_set, grades.mode)


def explore(potential, active_set, time_ps, seed=0):
    watch = GradeMonitor(active_set, grades.save_threshold, grades.break_threshold, every=grades.interval(run.timestep_fs))
    return eml.run_md(
        training_set[0], potential, ensemble=run.ensemble, temperature=run.temperature, time_ps=time_ps,
        monitors=[watch], log_interval_fs=grades.interval_fs, seed=seed, progress=False,
    )  # fmt: skip


before = explore(potential, active_set, run.time_ps)
print(f"{before.steps} steps, {len(before.saved)} configurations above γ = {grades.save_threshold:g} saved; {before.reason}")
figures.grade_trace(
    {"first potential": before}, reference=reference, scale=scale.name,
    grade_save=grades.save_threshold, grade_break=grades.break_threshold,
)  # fmt: skip

# %% [markdown]
# ## Which atoms?
#
# The grade of a configuration is that of its worst atom, so we can ask which atom it is. The cell below records a run with every
# configuration above grade 1, and lets it go on to grade 50, far beyond where it would be stopped. Press *Play*, or drag along the
# curve under the molecules: white atoms have surroundings that the training set spans, dark ones lie far outside of it. Turn the
# molecules with the mouse.
#
# Look for three things: which element darkens first, how the dark atoms move relative to the other molecule, and whether a high
# grade of one atom passes to its neighbours.

# %%
recorded = eml.run_md(
    training_set[0], potential, ensemble=run.ensemble, temperature=run.temperature, time_ps=run.time_ps,
    monitors=[GradeMonitor(active_set, save=1.0, break_=50.0, every=5)], frame_interval_fs=5 * run.timestep_fs,
    log_interval_fs=grades.interval_fs, seed=0, progress=False,
)  # fmt: skip
frames = recorded.frames()
by_atom = np.array([active_set.grades(atoms) for atoms in frames])  # (frames, atoms)
levels = {"grade_save": grades.save_threshold, "grade_break": grades.break_threshold}
display(figures.view_run(frames, by_atom, **levels))
figures.graded_frames(frames, by_atom, reference=reference, scale=scale.name, **levels)

# %% [markdown]
# ## Which of them are worth a label?
#
# Saved configurations follow one another by a few femtoseconds and are nearly the same. MaxVol continues from A with
# all of them as its pool, and takes those that enlarge the volume. A threshold above 1 takes fewer of them. It may be
# as high as the grade above which they were saved.

# %%
candidates = [atoms for _, _, atoms in before.saved]
for threshold in (1.001, 1.1, 1.5, grades.swap_threshold):
    print(f"threshold {threshold:5}: {len(active_set.select(candidates, threshold)):3} of {len(candidates)} selected")

# %% [markdown]
# Three thresholds decide what a run costs. Move them, one at a time, and look at the numbers on the right:
#
# - *save above*: from 2 to 5. Far fewer configurations are saved. Are as many fewer selected?
# - *select above*: from 2 to 1.1. More labels are asked for, out of the same configurations, which the active set knows nearly as well.
# - *stop above*: from 10 to 5. The run ends earlier and never reaches what comes later; from 10 to 50 it saves configurations that no
#   liquid has, and whose labels teach little.
#
# Each move selects anew, which takes a second.

# %%
figures.threshold_sliders(
    active_set, recorded, reference=reference, scale=scale.name, save=grades.save_threshold, break_=grades.break_threshold,
    select=grades.swap_threshold,
)  # fmt: skip

# %% [markdown]
# ## One turn of the loop
#
# Label the selected configurations, continue the fit, build A anew, and run again.

# %%
chosen = [candidates[k] for k in active_set.select(candidates, grades.swap_threshold)]
labelled = label_store(scale).label_all(chosen, reference_of(scale), jobs=None)
grown = training_set + [atoms for atoms in labelled.labelled if atoms is not None]
refitted = eml.train(grown, potential, max_iterations=tour.fit.refit_iterations, progress=False)
wider = ActiveSet.build(refitted.potential, grown, grades.mode)
after = explore(refitted.potential, wider, run.time_ps)
print(f"{len(grown)} configurations, {labelled.computed} labels computed and {labelled.reused} reused; {refitted.errors}")
figures.grade_trace(
    {"first potential": before, "after one turn": after}, reference=reference, scale=scale.name,
    grade_save=grades.save_threshold, grade_break=grades.break_threshold,
)  # fmt: skip

# %% [markdown]
# The second run gets further and has a lower grade, but it still exceeds 2 at times: more turns are needed (notebook
# 04).
#
# ## Does a high grade mean a large error?
#
# The labels answer this question. Here are the errors of the first potential on the configurations that it graded high.

# %%
print(f"first potential, its own set          {evaluate_errors(potential, training_set)}")
print(f"first potential, what it graded high  {evaluate_errors(potential, grown[len(training_set):])}")
print(f"after one turn, the same              {evaluate_errors(refitted.potential, grown[len(training_set):])}")

# %% [markdown]
# ## Exercises
#
# **1.** Give `B` a third column that is the sum of the other two. What do `maxvol(B).index` and the grade of a row
# outside of the plane of these rows say? Try `epsilon=1e-2`, too.
#
# <details><summary>Hint</summary>
#
# Three columns need three rows, but the pool spans two directions. The third row of A is one of the start, $\epsilon$
# times a row of the unit matrix, and `index` marks it by −1.
#
# </details>
#
# <details><summary>Solution</summary>
#
# ```python
# B3 = np.column_stack([B, B.sum(axis=1)])  # (30, 3)
# inside, outside = np.array([[1.0, 1.0, 2.0]]), np.array([[1.0, 1.0, 0.0]])
# for epsilon in (None, 1e-2):
#     found = maxvol(B3) if epsilon is None else maxvol(B3, epsilon=epsilon)
#     print(f"epsilon {epsilon}: index {found.index}, grade in the plane {found.grades(inside)[0]:.2f}, "
#           f"outside of it {found.grades(outside)[0]:.3g}")
# ```
#
# The grade inside of the plane is a small number as before. Outside it is of the order of $1/\epsilon$: not a measured
# distance, only a sign that the training set says nothing about this direction.
#
# </details>
#
# **2.** Which atoms does the first potential know least? Take the grade of every atom of the last configuration of the
# first run, and compare the elements.
#
# <details><summary>Hint</summary>
#
# `active_set.grades(before.atoms)` has one grade for each atom.
#
# </details>
#
# <details><summary>Solution</summary>
#
# ```python
# of_atoms = active_set.grades(before.atoms)  # (N,)
# symbols = np.array(before.atoms.get_chemical_symbols())
# for symbol in ("H", "C", "O"):
#     graded = of_atoms[symbols == symbol]
#     print(f"{symbol}: highest grade {graded.max():6.2f}, median {np.median(graded):.2f} of {len(graded)} atoms")
# worst = of_atoms.argmax()
# print(f"highest of all: atom {worst}, {symbols[worst]}")
# ```
#
# A few atoms have the high grade, and most have a low one. The grade of the configuration is that of the worst of them.
#
# </details>
#
# **3.** *Open.* Label as many of `candidates` at random as MaxVol took. Which of the two sets makes the next run save
# less? Is it always so?
#
# <details><summary>Hint</summary>
#
# Repeat the cell of section "One turn of the loop" with `rng.choice(len(candidates), len(chosen), replace=False)`.
#
# </details>
#
# <details><summary>What to look for</summary>
#
# Repeat both with several seeds of the choice and of the run. Besides the number of saved configurations compare the
# highest grade and the time at which a run stops. The two active sets differ, so that each run is judged by its own
# grade: the errors on a common set of unseen labels are the fairer comparison.
#
# </details>
