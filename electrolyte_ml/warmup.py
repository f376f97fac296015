"""Compilation of every kernel before its first use, by a call on a tiny case."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ase import Atoms

    from electrolyte_ml.potentials import Potential

SPECIES = ("H", "C", "O")
TIMESTEP = 0.1  # fs; forces of a random potential are large


def warm_up() -> float:
    """Compile every kernel, or load it from the cache on disk.

    Returns
    -------
    float
        Time taken, s.
    """
    from ase.calculators.lj import LennardJones

    from electrolyte_ml.dynamics import fit_force_field, run_md
    from electrolyte_ml.kernels import Notice
    from electrolyte_ml.kernels.contacts import contacts
    from electrolyte_ml.kernels.dynamics import NO_THERMOSTAT, Ensemble, factor_of_cell, growth_of_length
    from electrolyte_ml.kernels.lifetimes import survivals
    from electrolyte_ml.kernels.xtc import is_whole
    from electrolyte_ml.potentials import ModelSpec
    from electrolyte_ml.structures import molecule, pack
    from electrolyte_ml.training import Loss, TrainingSet, Weights

    Notice.shown = True  # a warm-up needs no notice that kernels are compiled
    start = time.perf_counter()
    box = pack({"EC": 2}, 1.0)
    potential = ModelSpec(level=4).random(SPECIES)
    potential.site_energy_gradients(box)
    loss = Loss(potential, TrainingSet([_labelled(box, potential)], potential), Weights(), 1)
    loss(potential.parameters)
    # Kinds of steps: on one thread, on several, with a foreign calculator, of a sum, in mixed precision, and multiple.
    calculators = [potential.calculator(threads=1), potential.calculator(threads=2), LennardJones(rc=3.0)]
    calculators.append(ModelSpec(level=4, repulsion="zbl").random(SPECIES).calculator(threads=1))
    calculators += [potential.with_precision("mixed").calculator(threads=n) for n in (1, 2)]
    calculators[0].calculate(box)
    steps: dict[str, Any] = {"time_ps": 2e-3 * TIMESTEP, "timestep_fs": TIMESTEP, "progress": False}
    for calculator in calculators:
        run_md(box, calculator, **steps)
    for inner in (potential, fit_force_field([box], [potential.evaluate(box).forces])):
        run_md(box, calculators[0], inner=inner, ensemble="nvt", **steps)
    for change in (factor_of_cell, growth_of_length):
        change(Ensemble(NO_THERMOSTAT, 1.0, 1.0, 1.0, 1.0, 0.0, 1.0, False), 0.0, 1.0, 0.0)
    # Coulomb sums have three methods: all pairs of a molecule, Ewald in a small cell, a mesh in a large one.
    charged = ModelSpec(level=4, charges="qrd").random(SPECIES)
    systems = [molecule("EC"), box, pack({"EC": 10}, 1.0)]
    loss = Loss(charged, TrainingSet([_labelled(atoms, charged) for atoms in systems], charged), Weights(), 1)
    loss(charged.parameters)
    for atoms in systems:
        charged.energy_gradient(atoms)
        charged.calculator(threads=1).calculate(atoms)
    positions, cells = box.positions[None].copy(), box.cell.array[None].copy()
    indices, frames = np.arange(len(box)), np.zeros(1, np.int64)
    contacts(positions, cells, np.linalg.inv(cells), indices, indices, 3.0)
    survivals(np.arange(2), frames, 1, frames, frames)
    is_whole(np.frombuffer(bytes(8), np.uint8), 0, 8, 1, 8, 9)
    return time.perf_counter() - start


def _labelled(box: Atoms, potential: Potential) -> Atoms:
    from ase.calculators.singlepoint import SinglePointCalculator

    copy: Atoms = box.copy()
    result = potential.evaluate(box, 1)
    copy.calc = SinglePointCalculator(copy, energy=result.energy, forces=result.forces, stress=result.stress)
    return copy
