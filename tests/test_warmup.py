"""What a first call costs: one compilation, told, and none once `electrolyte-ml warmup` has been."""

import os
import subprocess
import sys

COUNT = """
import pkgutil, sys
import electrolyte_ml.kernels as kernels

def compiled():
    modules = [sys.modules.get(f"{kernels.__name__}.{m.name}") for m in pkgutil.iter_modules(kernels.__path__)]
    found = [(f.py_func.__module__, name, len(f.signatures)) for m in modules if m is not None
             for name, f in vars(m).items() if hasattr(f, "signatures") and f.py_func.__module__ == m.__name__]
    return {(module, name): count for module, name, count in found if count}
"""


def run(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", COUNT + code], capture_output=True, text=True, check=True, env=os.environ | environment
    )


def test_nothing_is_compiled_after_a_warm_up():
    """Other levels, species, sizes, threads, ensembles and boundaries find their kernels there, one of each."""
    code = """
from electrolyte_ml.warmup import warm_up
warm_up()
before = compiled()
import numpy as np
import electrolyte_ml as eml
from ase import Atoms
from ase.calculators.emt import EMT
from electrolyte_ml.dynamics import ContactMonitor, GradeMonitor, MoleculeMonitor, fit_force_field
from electrolyte_ml.structures import bonds
box = eml.pack({"EC": 2, "Li": 1, "PF6": 1}, 0.9)
species = ("Li", "H", "C", "O", "F", "P")
potential = eml.MomentTensorPotential.random(8, species, scaling=1e-4)
box.calc = potential.calculator()
box.get_potential_energy()
box.get_stress()
frames = [box.copy() for _ in range(3)]
for frame in frames:
    frame.rattle(0.05, rng=np.random.default_rng())
    frame.calc = potential.calculator(threads=1)
    frame.get_stress()
eml.train(frames, eml.MomentTensorPotential.random(4, species), stress_weight=0.001, max_iterations=2, progress=False)
for mode in ("configuration", "neighbourhood"):
    active = eml.ActiveSet.build(potential, frames, mode=mode)
    watch = [GradeMonitor(active, 1e9, 1e9), MoleculeMonitor(box), ContactMonitor()]
    for ensemble in ("nve", "nvt", "npt"):
        for thermostat in ("bussi", "nose-hoover"):
            eml.run_md(box, potential, ensemble=ensemble, thermostat=thermostat, time_ps=5e-4, timestep_fs=0.1,
                       monitors=watch, relax=2, progress=False)
    for inner in (potential, fit_force_field([box], [potential.evaluate(box).forces])):
        eml.run_md(box, potential, inner=inner, ensemble="nvt", time_ps=5e-4, timestep_fs=0.1, progress=False)
both = eml.potentials.Sum((potential, eml.potentials.kind("zbl")(species)))
charged = eml.potentials.Sum((potential, eml.potentials.kind("qrd").random(species)))
eml.train(frames, charged, stress_weight=0.001, max_iterations=2, progress=False)
eml.ActiveSet.build(charged, frames)
eml.run_md(box, charged, ensemble="npt", time_ps=5e-4, timestep_fs=0.1, progress=False)
eml.run_md(box * (2, 2, 2), charged, ensemble="npt", time_ps=5e-4, timestep_fs=0.1, progress=False)
eml.train(frames, both, stress_weight=0.001, max_iterations=2, progress=False)
eml.ActiveSet.build(both, frames)
for ensemble in ("nve", "npt"):
    eml.run_md(box, both, ensemble=ensemble, time_ps=5e-4, timestep_fs=0.1, monitors=[GradeMonitor(active, 1e9, 1e9)],
               relax=2, progress=False)
cluster = Atoms("LiHO", [[0, 0, 0], [1.6, 0, 0], [0, 1.9, 0]])
potential.evaluate(cluster)
bonds(cluster)
eml.run_md(Atoms("Cu4", [[0, 0, 0], [2.5, 0, 0], [0, 2.5, 0], [0, 0, 2.5]]), EMT(), ensemble="nvt", time_ps=5e-3,
           progress=False)
after = compiled()
print({key: (before.get(key), count) for key, count in after.items() if before.get(key) != count})
"""
    assert run(code).stdout == "{}\n"


def test_a_long_first_call_says_why(tmp_path):
    code = "from electrolyte_ml.kernels import lifetimes; import numpy as np; a = np.arange(2); z = a[:1]\n"
    code += "for _ in range(2): lifetimes.survivals(a, z, 1, z, z)"
    first = run(code, NUMBA_CACHE_DIR=str(tmp_path)).stderr
    assert first.count("Compiling kernels") == 1 and first.count("\n") == 1
    assert run(code, NUMBA_CACHE_DIR=str(tmp_path)).stderr == ""


def test_a_kernel_found_on_disk_gives_the_bits_that_it_gave_when_it_was_compiled(tmp_path):
    """Pieces of their own would be called in the process that compiles them, and their copies in all others."""
    code = """
import numpy as np
import electrolyte_ml as eml
from ase.calculators.singlepoint import SinglePointCalculator
from electrolyte_ml.training import Loss, TrainingSet, Weights
rng = np.random.default_rng(0)
box = eml.pack({"EC": 3}, 1.0)
box.calc = SinglePointCalculator(box, energy=0.0, forces=rng.normal(size=(len(box), 3)), stress=np.zeros(6))
for seed in range(5):
    potential = eml.MomentTensorPotential.random(8, ("H", "C", "O"), scaling=1e-3, seed=seed)
    loss, gradient = Loss(potential, TrainingSet([box], potential), Weights(1, 0.01, 0.001))(potential.parameters)
    run = eml.run_md(box, potential, ensemble="npt", time_ps=0.05, timestep_fs=0.5, progress=False)
    print(loss, gradient.tobytes().hex(), run.atoms.positions.tobytes().hex())
"""
    compiled, found = (run(code, NUMBA_CACHE_DIR=str(tmp_path)) for _ in range(2))
    assert "Compiling" in compiled.stderr and "Compiling" not in found.stderr
    assert compiled.stdout == found.stdout


def test_functions_without_a_module_are_no_business_of_the_notice():
    run("import numba; f = eval('lambda x: x + 1', {}); numba.njit(f)(1)")
