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

# %%

# %% [markdown]
# # Electrolytes by active learning
#
# Sixteen notebooks learn the interatomic potentials of a battery electrolyte (LiPF6 in ethylene carbonate, EC, and ethyl methyl
# carbonate, EMC) from quantum-mechanical labels, and rebuild the figures and claims of the paper. Everything runs on this
# machine, without a network.
#
# Open a notebook by its link and choose *Run*, *Run All Cells*. All start at the **quick scale**: real physics in small
# boxes, in minutes. What is computed there shows how the methods work; its numbers are not those of the paper. Labels and
# results are kept in `results/`, so that a second run is faster. Where a notebook has sliders, run it and move them.
#
# ## Where to begin
#
# **You want to understand the ideas** (a course of five or six sessions). You need some Python and NumPy, and you have heard
# of energies, forces and temperature.
#
# 1. [00 Quickstart](00_quickstart.ipynb): the whole method in one minute.
# 2. [01 Moment tensor potential](01_moment_tensor_potential.ipynb): how a potential describes the surroundings of an atom.
# 3. [02 Fitting](02_fitting.ipynb): how its parameters are found, and how to see that they are wrong elsewhere.
# 4. [03 Active learning](03_active_learning.ipynb): how a potential notices that by itself.
# 5. [12 Ionic conductivity](12_ionic_conductivity.ipynb) up to its section "What the paper's error bars are worth", and
#    [13 Solvation](13_solvation_networks.ipynb): what is read off trajectories, and how well it is known.
# 6. [07 Charge redistribution](07_charge_redistribution.ipynb), for those who want to know what a fit leaves to chance.
#
# **You have an electrolyte of your own.** You know molecular dynamics, and you have labels or a program that computes them.
#
# 1. [00 Quickstart](00_quickstart.ipynb), to see all steps in small.
# 2. [20 Your own electrolyte](20_your_electrolyte.ipynb), with your molecules in place of the example's.
# 3. [02 Fitting](02_fitting.ipynb), for level, cutoff and size of the training set; [03 Active learning](03_active_learning.ipynb),
#    for the thresholds of the grade.
# 4. [10 Training set with ion pairs](10_lipf6_training_set.ipynb), if there is a salt;
#    [11 Validation](11_lipf6_validation.ipynb), before you believe a result.
# 5. [12 Ionic conductivity](12_ionic_conductivity.ipynb) and [13 Solvation](13_solvation_networks.ipynb), for the analysis of your
#    trajectories.
#
# **You have read the paper, and want to check it figure by figure.** Begin with [90 Claims](90_claims.ipynb): each claim with the
# paper's value, ours and a verdict.
#
# | in the paper | notebook |
# | --- | --- |
# | Fig. 1, section 2.1: densities of EC and EMC, energy–density diagram | [04](04_pure_solvents.ipynb) |
# | Fig. S1, section 2.2: the training set of the mixtures | [05](05_mixture_training.ipynb) |
# | Figs. 2 and S2, section 2.2: densities of the mixtures | [06](06_mixture_density.ipynb) |
# | Fig. 3, section 2.2: errors within and between molecules | [08](08_intra_inter_errors.ipynb) |
# | Figs. 4, S3 and S4, section 2.2: force errors on the molecules | [09](09_force_error_maps.ipynb) |
# | Fig. 5, section 2.3.1: ion pairs, ligands and coordination in the training set | [10](10_lipf6_training_set.ipynb), [13](13_solvation_networks.ipynb) |
# | Figs. 5 and S5, section 2.3.2: force errors and g(r) of Li | [11](11_lipf6_validation.ipynb) |
# | Figs. 6, S7 and S8, Table 1, sections 2.3.3 and 4.6: conductivity | [12](12_ionic_conductivity.ipynb) |
# | Figs. 7 and S9, section 2.3.3: solvation and networks | [13](13_solvation_networks.ipynb) |
# | Fig. S6, section 4.2: charge redistribution | [07](07_charge_redistribution.ipynb) |
# | Sections 4.1, 4.3 and 4.4: the potential, its fit, active learning | [01](01_moment_tensor_potential.ipynb), [02](02_fitting.ipynb), [03](03_active_learning.ipynb) |
#
# ## All notebooks
#
# *Minutes* are those of one run in the order of the table, from nothing, at the quick scale on two cores; ★ is for a first
# course, ★★ needs the notebooks before it, ★★★ is for specialists.
#
# | notebook | you learn | know first | | minutes | paper |
# | --- | --- | --- | --- | --- | --- |
# | [00 Quickstart](00_quickstart.ipynb) | to label, train, run and watch the extrapolation grade | Python | ★ | 0.5 | section 4.4 |
# | [01 Moment tensor potential](01_moment_tensor_potential.ipynb) | how moments and contractions describe surroundings; where 383 and 651 parameters come from | linear algebra | ★★ | 0.1 | section 4.1 |
# | [02 Fitting](02_fitting.ipynb) | loss, gradient, linear half and minimisation; errors on unseen data; what level, cutoff and labels buy | 01, least squares | ★★ | 0.3 | section 4.3 |
# | [03 Active learning](03_active_learning.ipynb) | MaxVol by hand; the grade live in dynamics; what thresholds save and select | 00, 02 | ★ | 0.5 | section 4.4 |
# | [04 Pure solvents](04_pure_solvents.ipynb) | what active learning does when it is let run; densities beside experiment | 03 | ★★ | 8.4 | section 2.1, Fig. 1 |
# | [05 Mixture training](05_mixture_training.ipynb) | how a set for every ratio is made from the sets of the pure liquids | 04 | ★★ | 0.8 | section 2.2, Fig. S1 |
# | [06 Mixture density](06_mixture_density.ipynb) | densities from EC to EMC; error of the potential and error of the reference | 05 | ★★ | 1.3 | section 2.2, Figs. 2, S2 |
# | [07 Charge redistribution](07_charge_redistribution.ipynb) | charges that add up, Ewald's sum, what a set fixes and what it leaves to chance | 02, electrostatics | ★★★ | 1.4 | section 4.2, Fig. S6 |
# | [08 Errors within and between molecules](08_intra_inter_errors.ipynb) | why a potential can be right in total and wrong in both parts | 05 | ★★★ | 0.3 | section 2.2, Fig. 3 |
# | [09 Force error maps](09_force_error_maps.ipynb) | which errors belong to a site, and which to a single configuration | 08 | ★★ | 0.3 | section 2.2, Figs. 4, S3, S4 |
# | [10 Training set with ion pairs](10_lipf6_training_set.ipynb) | how ion pairs and aggregates get into a set on purpose | 04 | ★★ | 1.4 | section 2.3.1, Fig. 5 |
# | [11 Validation with LiPF6](11_lipf6_validation.ipynb) | to read force errors site by site; why small errors guarantee no stable run | 10 | ★★★ | 0.3 | section 2.3.2, Figs. 5, S5 |
# | [12 Ionic conductivity](12_ionic_conductivity.ipynb) | Green–Kubo and its rivals; how long a run must be; what error bars are worth | statistics, time correlation | ★★ | 0.4 | sections 2.3.3, 4.6, Figs. 6, S7, S8, Table 1 |
# | [13 Solvation and networks](13_solvation_networks.ipynb) | shells, ion pairs, residence and networks, each with its interval and its cutoff | what g(r) is | ★ | 0.3 | sections 2.3.1, 2.3.3, Figs. 5, 7, S9 |
# | [20 Your own electrolyte](20_your_electrolyte.ipynb) | from names or SMILES to a potential, its audit, a density and a shell | 00, molecular dynamics | ★★ | 1.1 | beyond the paper |
# | [90 Claims](90_claims.ipynb) | which claims of the paper hold here, and on what evidence | the paper | ★ | 0.1 | all |
#
# ## If something does not work
#
# *No kernel*, or `ModuleNotFoundError`: start JupyterLab by `make lab`, which installs what the notebooks need. A view of molecules
# that stays empty, or a slider that does not move: run the notebook; stored outputs show one picture of each. A cell that takes
# long: labels are being computed, which a progress line shows; the next run finds them. A larger scale is chosen before JupyterLab is started,
# `ELECTROLYTE_ML_SCALE=standard make lab`; `electrolyte-ml reproduce --scale standard --plan` says beforehand how long it takes.
