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
# # 00  Quickstart
#
# **You will learn** the whole method in a few minutes: label a few configurations of liquid ethylene carbonate (EC)
# with a quantum-mechanical program, train a small moment tensor potential on them, run it, and see from its
# extrapolation grade where it leaves its training set.
#
# **It rebuilds** one turn of the loop of section 4.4 of the paper, in the smallest box that makes sense. Notebook 04
# runs the loop to its end and obtains Fig. 1 from it.

# %%
from pathlib import Path
from tempfile import TemporaryDirectory

import electrolyte_ml as eml
from electrolyte_ml import figures
from electrolyte_ml.dynamics import GradeMonitor
from electrolyte_ml.paper import scales
from electrolyte_ml.paper.protocols import label_store, reference_of, tour_seeding
from electrolyte_ml.training import predict

scale = scales.scale()  # quick, unless ELECTROLYTE_ML_SCALE says otherwise
tour, reference = scale.tour, reference_of(scale).name
print(f"{scale.name} scale, labels by {reference}, everything kept in results/{scale.name}/")

# %% [markdown]
# ## 1  Label
#
# Two periodic boxes are packed with whole molecules, at two densities. Molecular dynamics at 400 K runs in both with
# forces from the reference itself: each step is a quantum-mechanical calculation. Configurations are taken at even
# intervals, with their energy, forces and stress. These *labels* are kept on disk: when you run the notebook again,
# this cell takes a moment.

# %%
walkers = tour_seeding(scale)
training_set = [atoms for walker in walkers for atoms in walker.samples]
first = training_set[0]
print(f"{len(training_set)} configurations of {tour.cell}, {len(first)} atoms each")
print(f"the first one: {first.get_potential_energy():.3f} eV, largest force {abs(first.get_forces()).max():.2f} eV/Å")

# %% [markdown]
# ## 2  Train
#
# A potential of level 8 with random parameters is fitted to these labels. Notebook 01 explains the potential, notebook
# 02 the fit.
#
# $$E = \sum_i \sum_\alpha \xi_\alpha B_\alpha(\mathbf{n}_i)$$

# %%
start = tour.model.random(("H", "C", "O"), seed=tour.seeds[0])
result = eml.train(training_set, start, max_iterations=tour.fit.iterations)
potential = result.potential
print(f"{potential.n_parameters} parameters; {result.errors}")
figures.parity({"training set": predict(potential, training_set)}, reference=reference, scale=scale.name)

# %% [markdown]
# ## 3  Run, and watch the grade
#
# The potential is cheap: a step takes a fraction of a millisecond, a label took about a tenth of a second. But is the
# potential right? Errors on the training set do not answer this question. The *extrapolation grade* γ does: it measures
# how far the surroundings of the atoms lie outside of the training set (notebook 03). Up to 1 the potential
# interpolates. Above 2 the configuration is worth a label. Above 10 the run stops.

# %%
grades, run = tour.grades, tour.run


def explore(potential, training_set, start, seed=0):
    active_set = eml.ActiveSet.build(potential, training_set, grades.mode)
    watch = GradeMonitor(active_set, grades.save_threshold, grades.break_threshold, every=grades.interval(run.timestep_fs))
    return active_set, eml.run_md(
        start, potential, ensemble=run.ensemble, temperature=run.temperature, time_ps=run.time_ps, monitors=[watch],
        log_interval_fs=grades.interval_fs, seed=seed, progress=False,
    )  # fmt: skip


active_set, before = explore(potential, training_set, first)
print(f"{before.steps} steps, {before.reason}; {len(before.saved)} configurations above γ = {grades.save_threshold:g} saved")

# %% [markdown]
# ## 4  Ask for more labels
#
# Most of the saved configurations are nearly equal. MaxVol picks those that add something to the training set, and only
# these are labelled. Then the fit continues from the present parameters, and the same run starts again.

# %%
candidates = [atoms for _, _, atoms in before.saved]
chosen = [candidates[k] for k in active_set.select(candidates, grades.swap_threshold)]
labelled = label_store(scale).label_all(chosen, reference_of(scale), jobs=None)
training_set += [atoms for atoms in labelled.labelled if atoms is not None]
print(f"{len(candidates)} saved, {len(chosen)} chosen, {labelled.computed} computed, {labelled.reused} from the store")

result = eml.train(training_set, potential, max_iterations=tour.fit.refit_iterations)
print(f"{len(training_set)} configurations; {result.errors}")
active_set, after = explore(result.potential, training_set, first)
print(f"{after.steps} steps, {after.reason}; {len(after.saved)} saved")
figures.grade_trace(
    {"before": before, "after one turn": after}, reference=reference, scale=scale.name,
    grade_save=grades.save_threshold, grade_break=grades.break_threshold,
)  # fmt: skip

# %% [markdown]
# The first run left the range of its training set, and was stopped. After one turn the same run gets further, and its
# grade is lower. But the grade still exceeds 2 at times, and more configurations are saved: one turn is not enough.
# (Trajectories are chaotic. On another machine, or with another number of threads, the two curves look different, and
# so do all numbers that follow from them.) `eml.active_learn` repeats the loop, with many runs at once, until none of
# them saves anything. The density in so small and short a run means nothing yet.
#
# ## 5  Use it anywhere
#
# Three lines use the potential in ASE. The file is MLIP's `.mtp`, which LAMMPS reads, too.

# %%
with TemporaryDirectory() as folder:
    result.potential.save(Path(folder) / "ec.mtp")

    atoms = eml.pack({"EC": 4}, density=1.2)
    atoms.calc = eml.load(Path(folder) / "ec.mtp").calculator()
    print(f"four molecules: {atoms.get_potential_energy() / 4:.2f} eV each, grade {active_set.grade(atoms):.2f}")

# %% [markdown]
# ## Exercises
#
# **1.** Run the second potential at 500 K instead of 300 K, from the same configuration. Say beforehand what the grade
# will do.
#
# <details><summary>Hint</summary>
#
# `explore` takes the settings of the run from the variable `run`. `dataclasses.replace` copies them with another
# temperature.
#
# </details>
#
# <details><summary>Solution</summary>
#
# ```python
# from dataclasses import replace
#
# run = replace(run, temperature=500.0)
# _, hotter = explore(result.potential, training_set, first)
# print(f"300 K: highest grade {after.grades[1:].max():.1f}; 500 K: {hotter.grades[1:].max():.1f}, {hotter.reason}")
# figures.grade_trace({"300 K": after, "500 K": hotter}, reference=reference, scale=scale.name)
# ```
#
# Bonds stretch further and molecules come closer at 500 K than in the training set, which was made at 400 K. The grade
# is therefore higher for most of the time, and a run may be stopped that reached its end at 300 K.
#
# </details>
#
# **2.** Stretch one C–H bond of `first` from 1.0 to 1.6 Å. Plot the energy by the potential, the energy by the
# reference, and the grade. At which length does the potential begin to be wrong, and at which length does the grade say
# so?
#
# <details><summary>Hint</summary>
#
# `atoms.set_distance(carbon, hydrogen, length, fix=0, mic=True)` moves the hydrogen alone.
# `reference_of(scale).label(atoms).energy` is the reference's energy.
#
# </details>
#
# <details><summary>Solution</summary>
#
# ```python
# import matplotlib.pyplot as plt
# import numpy as np
#
# hydrogen = first.symbols.indices()["H"][0]
# carbon = min(first.symbols.indices()["C"], key=lambda index: first.get_distance(index, hydrogen, mic=True))
# lengths = np.linspace(1.0, 1.6, 9)  # Å
# ours, true, grade = [], [], []
# for length in lengths:
#     stretched = first.copy()
#     stretched.set_distance(carbon, hydrogen, length, fix=0, mic=True)
#     ours.append(result.potential.evaluate(stretched).energy)
#     true.append(reference_of(scale).label(stretched).energy)
#     grade.append(active_set.grade(stretched))
#     print(f"{length:.3f} Å: error {ours[-1] - true[-1]:+.3f} eV, grade {grade[-1]:.2f}")
# figure, (energies, grades_of) = plt.subplots(2, 1, sharex=True, layout="constrained")
# energies.plot(lengths, np.array(ours) - true[0], label="potential")
# energies.plot(lengths, np.array(true) - true[0], label="reference")
# energies.set_ylabel("energy (eV)")
# energies.legend()
# grades_of.semilogy(lengths, grade)
# grades_of.axhline(2, ls="--")
# grades_of.set_xlabel("length of the C–H bond (Å)")
# grades_of.set_ylabel("grade")
# plt.show()
# ```
#
# Compare the length at which the error passes 0.1 eV with the length at which the grade passes 2. The grade needs no
# label: this is why active learning can use it. It says that a configuration is outside of the training set, not how
# large its error is.
#
# </details>
#
# **3.** *Open.* Repeat sections 3 and 4 until a run saves nothing. How many labels does it take? Do as many
# configurations that are chosen at random from `before.saved` do as well as those that MaxVol chose?
#
# <details><summary>Hint</summary>
#
# Put section 4 into a function of a potential and a training set, and call it in a loop. Compare the two choices by the
# number of configurations that the next run saves, and by the errors on configurations that neither of them trained on.
#
# </details>
#
# <details><summary>What to look for</summary>
#
# One comparison decides nothing: another `seed` of the run changes the numbers. Repeat both choices for several seeds
# and give the spread. Neighbouring steps of a run are nearly equal, so that a random choice often takes the same
# information twice.
#
# </details>
