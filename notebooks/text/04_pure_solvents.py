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
# # 04  Pure solvents from nothing
#
# **You will learn** what active learning does when it runs to its end: potentials of liquid ethylene carbonate (EC) and
# ethyl methyl carbonate (EMC) are learnt from random parameters and no data at all, until their runs meet no
# configuration with a high grade. They then give the densities of both liquids.
#
# **It rebuilds** section 2.1 of the paper, Fig. 1a (densities beside experiment) and Fig. 1b (the energy–density
# diagram).

# %%
from IPython.display import display

from electrolyte_ml import figures
from electrolyte_ml.analysis import mean_density
from electrolyte_ml.paper import experiment, scales
from electrolyte_ml.paper.protocols import density_runs, learn_pure_solvent, pure_solvent, reference_of
from electrolyte_ml.paper.results import save_result, shipped_result
from electrolyte_ml.paper.solvents import (
    describe_solvents, errors_in_runs, solvents_beside, stored_densities, stored_diagram,
)  # fmt: skip
from electrolyte_ml.settings import flatten

scale = scales.scale()
protocol, reference = scale.pure_solvents, reference_of(scale).name
grades = protocol.learning.grades
provenance = {"reference": reference, "scale": scale.name}  # what every figure must say
print(f"{scale.name} scale, labels by {reference}, everything kept in results/{scale.name}/")

# %% [markdown]
# ## The protocol, ours and the paper's
#
# 1. *Seed.* Hot dynamics with the reference itself, sampled at even intervals, gives the first labels.
# 2. *Fit* a moment tensor potential from random parameters (notebook 02).
# 3. *Explore.* Ten runs at once, NPT at 1 atm, save configurations of a grade $2 < \gamma < 10$ and stop above 10
#    (notebook 03).
# 4. *Select* by MaxVol, *label*, *refit*. Go back to step 3 until no run saves anything. One such iteration is enough
#    where runs are long, as in the paper; where they are short, two in a row are required.
#
# The table has the numbers of this scale beside the paper's, where they differ:

# %%
here, paper = (flatten(pure_solvent(at, "EC")) for at in (scale, scales.PAPER))
print(f"{'':28}{scale.name:>25}{'paper':>33}")
for name, ours in here.items():
    if ours != paper[name]:
        print(f"{name:28}{ours!s:>25}{paper[name]!s:>33}")

# %% [markdown]
# The reference differs, too. GFN1-xTB (quick scale) is a fast tight-binding method. SevenNet-l3i5 + D3(0) (standard
# scale) is a machine-learned potential that stands for PBE-D3(0). Neither need give the densities of PBE-D3(0). Unlike
# in the paper, stresses are fitted: without them, so few and so small configurations do not determine the pressure of a
# potential. Seeds and exploration are hotter for two reasons. Molecules packed at rest keep only half of the kinetic
# energy that they are given, and a few picoseconds of a few molecules must cover what many molecules meet in a long
# run. In a small box an atom sees its own periodic images. Therefore two of the ten trajectories explore a larger box
# (`larger_boxes`), and their configurations are labelled in it. The quick scale shows that the loop closes. It does not
# show the paper's accuracy.
#
# ## Ethylene carbonate
#
# One call does it. It prints a line for each iteration and can be stopped and started at any moment. The diagram below
# is drawn anew after each iteration. Fig. 1b of the paper is its last state.


# %%
def learn(solvent):
    shown = None

    def draw(result):
        nonlocal shown
        figure = figures.energy_density(
            result.energy_density(), **provenance, liquid=solvent, paper_range=experiment.PAPER_SET_DENSITIES.get(solvent)
        )
        if shown is None:
            shown = display(figure, display_id=True)
        else:
            shown.update(figure)

    result = learn_pure_solvent(scale, solvent, on_iteration=draw)
    if shown is None:  # everything had been learnt before
        draw(result)
    return result


learned = {"EC": learn("EC")}

# %% [markdown]
# Squares are the seeds, circles the configurations for which the potential asked. The colour shows the order in which
# they joined. The paper's seeds lie at low energy and high density, and its runs at constant pressure then go to lower
# densities, from 1.49 down to 1.04 g/cm³. Here the seeds are packed at several densities from the start, so that less
# is left to find.
#
# The next figure shows the loop, iteration by iteration:

# %%
figures.learning_progress(
    learned["EC"].status, **provenance, grade_save=grades.save_threshold, grade_break=grades.break_threshold
)

# %% [markdown]
# In the last iterations the highest grade lies below the lower line, "save": no run met anything new. The errors are
# those on the training set. They may rise while the potential gets better, because the set comes to hold configurations
# that are harder to describe.
#
# ## Ethyl methyl carbonate
#
# The same for EMC, a chain in place of a ring. A chain has more shapes than a ring. That does not mean that it needs
# more labels: compare the two tables.

# %%
learned["EMC"] = learn("EMC")
figures.learning_progress(
    learned["EMC"].status, **provenance, grade_save=grades.save_threshold, grade_break=grades.break_threshold
)

# %%
for solvent, result in learned.items():
    print(f"{solvent}: {len(result.training_set)} configurations; {result.message}")

# %% [markdown]
# ## More than one potential
#
# The paper repeats the whole loop from three random starts, each with a training set of its own, and takes the spread
# of the densities as their error. The standard scale does so, too. The quick scale has one start, and so no spread. All
# starts share one seeding, whose labels are kept.

# %%
potentials = {
    solvent: [learned[solvent].potential]
    + [learn_pure_solvent(scale, solvent, seed=seed).potential for seed in protocol.seeds[1:]]
    for solvent in learned
}

# %% [markdown]
# ## Is the liquid stable?
#
# Now larger boxes run for longer, without any label. A run ends early if a molecule breaks or the temperature diverges;
# the figure then says so. Boxes of randomly packed molecules are first equilibrated at constant volume and 400 K: from
# a cold start a box expands, and takes tens of picoseconds to shrink again. The paper's first claim is that the density
# then does not drift. The output says so for each run, but with a handful of independent values such a test finds only
# strong drifts: look at the figures, too. The settings of the quick scale were chosen on such runs, of this seed among
# others, so that its success says little about other seeds.

# %%
runs = {solvent: density_runs(scale, solvent, members) for solvent, members in potentials.items()}
window = protocol.density.average_last_ps
means = {
    solvent: {f"seed {seed}": mean_density(run, last_ps=window)
              for seed, run in zip(protocol.seeds, runs[solvent]) if run.completed}
    for solvent in runs
}  # fmt: skip
for solvent in runs:
    for seed, run in zip(protocol.seeds, runs[solvent]):
        print(f"{solvent} seed {seed}: {means[solvent].get(f'seed {seed}', f'{run.reason}: {run.detail}')}")
display(
    *(
        figures.density_trace(
            {f"seed {seed}": run for seed, run in zip(protocol.seeds, runs[solvent])},
            **provenance, liquid=solvent, measured=experiment.density(solvent), means=means[solvent],
        )
        for solvent in runs
    )
)  # fmt: skip

# %% [markdown]
# ## Does the density come from the potential or from the reference?
#
# Three things stand between these numbers and experiment: the reference, the potential, and the run, which may be too
# short and too small for the last per cent. The second can be measured: label configurations from the potential's own
# run, in a box larger than any that it has learnt, and compare. Of these errors the bias of the pressure matters most:
# a potential whose pressure is 0.1 GPa too low contracts the liquid by 4 to 5 %, and one whose pressure is too high
# expands it.

# %%
errors = errors_in_runs(scale, potentials, runs, progress=False)
for solvent, members in errors.items():
    for number, one in enumerate(members, 1):
        print(f"{solvent}, run {number}: {one}")

# %% [markdown]
# Where this bias is small the density is the reference's own. GFN1-xTB binds liquid EC more tightly than nature does: a
# potential that agrees with its pressures settles above the measured density, too. Where the bias is some tenths of a
# GPa, as at the quick scale, the density is that of the potential, and an agreement with experiment is chance (exercise
# 1). To come closer to experiment, change the reference. To come closer to the reference, raise the level, or let the
# loop see more.
#
# The standard scale therefore learns both liquids with a second reference as well. All is stored, for the figure below
# and for the claims of notebook 90.

# %%
ours = describe_solvents(scale, learned, runs, errors)
ours["beside"] = [solvents_beside(scale, other) for other in protocol.beside]
save_result("pure_solvents", ours, scale)

# %% [markdown]
# ## Fig. 1a
#
# The figure shows the mean of each ensemble beside experiment. The band is the paper's own mean deviation. The diamonds
# are the densities of a functional close to the paper's when it is learnt well: a potential can be no better than its
# reference.


# %%
def fig_1a(stored, of_scale):
    found, measured, functional = {}, {}, {}
    by_reference = [stored, *stored["beside"]]
    for solvent in stored["solvents"]:
        for one in by_reference:
            densities = stored_densities(one)
            if solvent not in densities:
                print(f"{solvent} by {one['reference']}: no run reached its end")
                continue
            name = solvent if len(by_reference) == 1 else f"{solvent}\n{one['reference'].partition(',')[0]}"
            ensemble, known = densities[solvent], experiment.DENSITY[solvent]
            found[name], measured[name], functional[name] = ensemble, known, experiment.DENSITY_PBE_D3_BJ[solvent]
            spread = f" ± {ensemble.sigma:.3f}" if len(ensemble.members) > 1 else ""
            print(
                f"{solvent} by {one['reference']}: {ensemble.mean:.3f}{spread} g/cm³ over {len(ensemble.members)} "
                f"potential(s), experiment {known.value:.3f} ({ensemble.mean / known.value - 1:+.1%}); "
                f"{sum(member.drifts for member in ensemble.members)} of {len(ensemble.members)} runs still drift"
                + "".join(f", one ended early ({reason})" for reason in one["solvents"][solvent]["failed"])
            )
    if not found:
        return None
    return figures.density_comparison(
        found, reference="; ".join(one["reference"] for one in by_reference), scale=of_scale,
        measured=measured, functional=functional, paper_deviation=experiment.PAPER_DENSITY_DEVIATION,
    )  # fmt: skip


fig_1a(ours, scale.name)

# %% [markdown]
# ## The standard scale
#
# The same protocol with more molecules, longer runs and a better reference takes hours. Its results come with the
# package: three potentials of each liquid by SevenNet, and beside them one by GFN1-xTB.

# %%
standard = shipped_result("pure_solvents", "standard")
if standard is None:
    print("No result of the standard scale comes with this version: ELECTROLYTE_ML_SCALE=standard runs it.")
else:
    display(fig_1a(standard, "standard"))
    for one in (standard, *standard["beside"]):
        for solvent, entry in one["solvents"].items():
            biases = ", ".join(f"{bias:+.2f}" for bias in entry["pressure_biases"])
            print(f"{solvent} by {one['reference']}: bias of the pressure in each run {biases} GPa")
    for solvent, entry in standard["solvents"].items():
        diagram = figures.energy_density(
            stored_diagram(entry), reference=standard["reference"], scale="standard", liquid=solvent,
            paper_range=experiment.PAPER_SET_DENSITIES.get(solvent),
        )  # fmt: skip
        display(diagram)

# %% [markdown]
# All these pressures are too low, by 0.02 to 0.16 GPa (two configurations each). Compressed by 0.1 GPa, a liquid of
# compressibility 0.5 per GPa is 5 % denser: part of the deviation from experiment is the potentials', and different
# biases are one reason why the densities of EC differ. One potential of EC failed in the hot box at the start of its
# run: two atoms fell onto each other, at distances for which its set has no configuration.
#
# The larger part is the references'. By SevenNet, EMC is 12 % denser than by GFN1-xTB, while the three potentials by
# SevenNet agree within 1 %, and the biases of the pressure explain 1 to 2 %. EC is too dense by both references, and
# the potential by GFN1-xTB with the smallest bias of all shows that this is GFN1-xTB's own density.
#
# ## Exercises
#
# **1.** Section "Does the density come from the potential or from the reference?" prints the bias of the pressure of
# each potential in its own run. What would the densities be without this bias, if the compressibility of the liquids is
# 0.5 per GPa?
#
# <details><summary>Hint</summary>
#
# The bias is the pressure by the potential less the pressure by the reference. With a positive bias the liquid expands
# until its pressure is that of the barostat: the reference itself would compress it again.
#
# </details>
#
# <details><summary>Solution</summary>
#
# ```python
# for solvent, members in errors.items():
#     for one, mean in zip(members, means[solvent].values()):
#         corrected = mean.mean * (1 + 0.5 * one.pressure_bias)
#         known = experiment.DENSITY[solvent].value
#         print(f"{solvent}: bias {one.pressure_bias:+.2f} GPa, density {mean.mean:.3f} g/cm³, "
#               f"without the bias {corrected:.3f} g/cm³; experiment {known:.3f} g/cm³")
# ```
#
# With a bias of some tenths of a GPa the correction is 10 % or more, larger than the deviation from experiment. At the
# quick scale an agreement with experiment is therefore chance. The bias is measured on two configurations, so that the
# correction is rough, too.
#
# </details>
#
# **2.** When would the loop of EC have ended if configurations were saved above a grade of 3 instead of 2? Read it off
# the table.
#
# <details><summary>Hint</summary>
#
# The loop ends after `protocol.learning.stopping.quiet_iterations` iterations in a row in which no trajectory saved
# anything. `learned["EC"].status` is a list of the rows, each with `max_grade`.
#
# </details>
#
# <details><summary>Solution</summary>
#
# ```python
# quiet, needed = 0, protocol.learning.stopping.quiet_iterations
# for row in learned["EC"].status:
#     quiet = quiet + 1 if row.max_grade is not None and row.max_grade < 3 else 0
#     if quiet == needed:
#         print(f"after iteration {row.iteration} of {learned['EC'].status[-1].iteration}, with {row.size} configurations")
#         break
# else:
#     print("not before its end")
# ```
#
# This is an estimate only: with another threshold the earlier iterations would have saved fewer configurations, and
# later ones met others. The last iterations of a loop add few labels, and each costs as much dynamics as the first.
#
# </details>
#
# **3.** *Open.* Learn EC as the paper does in one respect: without stresses, or with seeds of one density, 1.33 g/cm³.
# How many iterations does the loop take now, does it end at the same density, and how far do several random starts
# agree?
#
# <details><summary>Hint</summary>
#
# From `settings = pure_solvent(scale, "EC")` make `replace(settings, fit=replace(settings.fit, stress_weight=0.0))` or
# `replace(settings, density=(1.33,))` (`dataclasses.replace`), and give it to `electrolyte_ml.active_learn` with a
# folder of its own.
#
# </details>
#
# <details><summary>What to look for</summary>
#
# Compare the bias of the pressure and its scatter between seeds, not only the density. With one density of the seeds
# the loop has to find the others by itself: look at the energy–density diagram, and at the iteration in which each
# density was met first.
#
# </details>
