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
# **You will learn** the whole of the method in one minute: label a few configurations of liquid ethylene carbonate (EC)
# with a quantum-mechanical code, train a small moment tensor potential on them, run it, and see from its extrapolation grade
# where it leaves its training set.
#
# **It rebuilds** one turn of the loop of section 4.4 of the paper, in the smallest box that makes sense. Notebook 04
# lets the loop run to its end and gets Fig. 1 from it.

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
# Two periodic boxes are packed with whole molecules, at two densities, and run at 400 K with forces from the reference
# itself. Each step is a quantum-mechanical calculation done there and then, one on each core; configurations are taken
# at even intervals and carry their energy, forces and stress. Labels are kept: run the notebook again, and this cell
# takes a moment.

# %%
walkers = tour_seeding(scale)
training_set = [atoms for walker in walkers for atoms in walker.samples]
first = training_set[0]
print(f"{len(training_set)} configurations of {tour.cell}, {len(first)} atoms each")
print(f"the first one: {first.get_potential_energy():.3f} eV, largest force {abs(first.get_forces()).max():.2f} eV/Å")

# %% [markdown]
# ## 2  Train
#
# A potential of level 8 with random parameters is fitted to these labels (notebook 01 opens it up, notebook 02 the fit).
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
# The potential is cheap: a step takes a fraction of a millisecond where the label took tenths of a second. But is it
# right? Errors on the training set do not tell. The *extrapolation grade* γ does: it says how far the surroundings of the
# atoms lie outside of what the training set spans (notebook 03). Up to 1 the potential interpolates, above 2 the
# configuration is worth a label, above 10 the run is stopped.

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
# Of the saved configurations only those are labelled that enlarge what the training set spans; MaxVol picks them. Then
# the fit goes on from where it was, and the same run starts again.

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
# The first run left the range of its training set, and its grade showed it. With a few labels from that run in the set, the
# grades of the same run stay low, or nearly so. That is the loop. `eml.active_learn` repeats it, with many runs at once, until none of them saves
# anything. The density in so small and short a run means nothing yet.
#
# ## 5  Use it anywhere
#
# Three lines put the potential to work in ASE; the file is MLIP's `.mtp`, which LAMMPS reads too.

# %%
with TemporaryDirectory() as folder:
    result.potential.save(Path(folder) / "ec.mtp")

    atoms = eml.pack({"EC": 4}, density=1.2)
    atoms.calc = eml.load(Path(folder) / "ec.mtp").calculator()
    print(f"four molecules: {atoms.get_potential_energy() / 4:.2f} eV each, grade {active_set.grade(atoms):.2f}")

# %% [markdown]
# ## Exercises
#
# 1. Start the second run from `training_set[-1]`, or at 500 K. Say beforehand what the grade will do.
# 2. Stretch one C–H bond of `first` from 1.0 to 1.6 Å and plot its grade and its energy. Where does the potential begin
#    to be wrong, and where does the grade say so? (`reference_of(scale).label(atoms).energy` knows the truth.)
# 3. Repeat sections 3 and 4 until a run saves nothing. How many labels did it take, and do as many chosen at random from
#    `before.saved` do as well?
