"""Conformance checks that every potential must pass, whatever its model.

A new model is tested by ``conformance.check(potential)``, or check by check with `CHECKS`::

    @pytest.mark.parametrize("check", conformance.CHECKS)
    def test_my_potential(check):
        check(MyPotential(("H", "C", "O")))

A failed check raises an `AssertionError` that names the difference. Each check makes small configurations of the
potential's own species. Derivatives are compared with central differences of sixth order.
"""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from electrolyte_ml.active_learning.active_set import ActiveSet
from electrolyte_ml.dynamics import run_md
from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials import Geometry, Potential, System, load
from electrolyte_ml.potentials.blocks import linear_mask, slices
from electrolyte_ml.structures.neighbours import neighbour_list
from electrolyte_ml.training import TrainingSet, solve_linear, train
from electrolyte_ml.training.loss import Loss, Weights

_STENCIL = ((1, 45 / 60), (2, -9 / 60), (3, 1 / 60))  # sixth-order central difference of the first derivative
_STEP = 1e-4


def configuration(
    potential: Potential, n_atoms: int = 9, *, seed: int = 0, periodic: bool = True, side: float = 5.5
) -> Atoms:
    """Return atoms at random places in a skewed cell, with distances above 0.9 Å.

    Parameters
    ----------
    potential
        The potential; the atoms are of its species in turn.
    n_atoms
        Number of atoms.
    seed
        Seed of the random places.
    periodic
        Whether the cell is periodic.
    side
        Length of the cell's edges, Å.
    """
    rng = np.random.default_rng(seed)
    cell = side * (np.eye(3) + np.tril(rng.uniform(-0.2, 0.2, (3, 3)), -1))
    symbols = [potential.species[k % len(potential.species)] for k in range(n_atoms)]
    atoms = Atoms(cell=cell, pbc=periodic)
    while len(atoms) < n_atoms:
        trial = atoms + Atoms(symbols[len(atoms)], [rng.uniform(size=3) @ cell], cell=cell, pbc=periodic)
        if len(trial) == 1 or trial.get_distances(-1, range(len(atoms)), mic=periodic).min() > 0.9:
            atoms = trial
    return atoms


def check_parameters(potential: Potential) -> None:
    """Check that the blocks make up the parameters, and that a wrong number of parameters is refused."""
    theta = potential.parameters
    _equal(theta.shape, (potential.n_parameters,), "the shape of the parameters")
    _equal(sum(block.size for block in potential.blocks), len(theta), "the sizes of the blocks together")
    names = [block.name for block in potential.blocks]
    assert len(set(names)) == len(names), f"two blocks have the same name: {names}"
    moved = potential.with_parameters(theta + 0.5)
    _near(moved.parameters, theta + 0.5, "parameters that were set")
    _near(potential.parameters, theta, "the parameters of the first potential after `with_parameters`")
    _refused(lambda: potential.with_parameters(np.zeros(len(theta) + 1)), "a wrong number of parameters")


def check_forces(potential: Potential) -> None:
    """Check that forces and virial are derivatives of the energy, and that site energies add up to it."""
    for periodic in (True, False):
        atoms = configuration(potential, seed=1, periodic=periodic)
        result = potential.evaluate(atoms)
        _near(result.energies.sum(), result.energy, "the sum of the site energies")
        _near(result.forces.sum(0), 0.0, "the sum of the forces", scale=np.abs(result.forces).max())
        rng = np.random.default_rng(2)
        direction = rng.normal(size=(len(atoms), 3))

        def along(t: float, atoms: Atoms = atoms, direction: np.ndarray = direction) -> float:
            moved = atoms.copy()
            moved.positions += t * direction
            return potential.evaluate(moved).energy

        _near((result.forces * direction).sum(), -_slope(along), "forces along a direction", tolerance=1e-7)
        strain = rng.normal(size=(3, 3))
        strain += strain.T

        def stretched(t: float, atoms: Atoms = atoms, strain: np.ndarray = strain) -> float:
            deformation = np.eye(3) + t * strain
            moved = Atoms(atoms.numbers, atoms.positions @ deformation, cell=atoms.cell @ deformation, pbc=atoms.pbc)
            return potential.evaluate(moved).energy

        _near((result.virial * strain).sum(), _slope(stretched), "the virial along a strain", tolerance=1e-7)
        assert (result.stress is None) is not periodic, "a stress must exist exactly if the cell is periodic"


def check_invariances(potential: Potential) -> None:
    """Check that energies do not change under rotation, translation, wrapping or another order of the atoms."""
    atoms = configuration(potential, seed=3)
    result = potential.evaluate(atoms)
    rng = np.random.default_rng(4)
    rotation = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    rotation *= np.sign(np.linalg.det(rotation))
    turned = Atoms(atoms.numbers, atoms.positions @ rotation, cell=atoms.cell.array @ rotation, pbc=True)
    turned.positions += [3.0, -20.0, 7.0]
    turned.wrap()
    _near(potential.evaluate(turned).energy, result.energy, "the energy after rotation and translation")
    _near(potential.evaluate(turned).forces, result.forces @ rotation, "forces after rotation and translation")
    order = rng.permutation(len(atoms))
    _near(potential.evaluate(atoms[order]).forces, result.forces[order], "forces after another order of the atoms")


def check_gradients(potential: Potential) -> None:
    """Check the derivatives of energy, forces and virial by the parameters of every block."""
    atoms = configuration(potential, seed=5)
    rng, n = np.random.default_rng(6), len(atoms)
    row, rows = potential.energy_gradient(atoms), potential.site_energy_gradients(atoms)
    _equal(rows.shape, (n, potential.n_parameters), "the shape of the rows of the sites")
    _near(rows.sum(0), row, "the sum of the rows of the sites")
    by_energies, by_forces, by_virial = rng.normal(size=n), rng.normal(size=(n, 3)), rng.normal(size=(3, 3))
    by_virial += by_virial.T
    pulled = potential.pullback(atoms, by_energies, by_forces, by_virial)
    geometry, theta = potential.geometry(atoms), potential.parameters
    for block, place in slices(potential.blocks):
        direction = np.zeros(len(theta))
        direction[place] = rng.normal(size=block.size)

        def values(t: float, direction: np.ndarray = direction) -> np.ndarray:
            result = potential.with_parameters(theta + t * direction).evaluate(geometry)
            mixed = (
                result.energies @ by_energies + (result.forces * by_forces).sum() + (result.virial * by_virial).sum()
            )
            return np.array([result.energy, mixed])

        energy, mixed = _slope(values)
        _near(row @ direction, energy, f"dE/dtheta of the block {block.name}", tolerance=1e-7)
        _near(pulled @ direction, mixed, f"the pullback of the block {block.name}", tolerance=1e-7)


def check_gauge(potential: Potential) -> None:
    """Check that no energy, and no row of a site or a configuration, changes along the gauge directions."""
    directions, theta = potential.gauge_directions, potential.parameters
    _equal(directions.shape[1:], theta.shape, "the shape of each gauge direction")
    for periodic in (True, False):
        atoms = configuration(potential, seed=50, periodic=periodic)
        geometry = potential.geometry(atoms)
        rows = [potential.energy_gradient(geometry), *potential.site_energy_gradients(geometry)]
        for k, direction in enumerate(directions, start=1):
            for row in rows:
                scale = np.abs(row * direction).max()
                _near(row @ direction, 0.0, f"a row along gauge direction {k}", scale=scale)
            moved = [potential.with_parameters(theta + t * direction).evaluate(geometry) for t in (-0.01, 0.01)]
            _near(moved[0].energies, moved[1].energies, f"site energies along gauge direction {k}")


def check_charges(potential: Potential) -> None:
    """Check that the charges add up to the total charge."""
    for periodic in (True, False):
        for charge in (-1, 0, 2):
            atoms = configuration(potential, seed=51, periodic=periodic)
            atoms.info["charge"] = charge
            charges = potential.evaluate(atoms).charges
            if charges is not None:
                _equal(charges.shape, (len(atoms),), "the shape of the charges")
                _near(charges.sum(), charge, "the sum of the charges", tolerance=1e-12, scale=1.0)


def check_linear_parameters(potential: Potential) -> None:
    """Check that energies and forces are affine in all linear parameters together."""
    atoms, theta = configuration(potential, seed=7), potential.parameters
    direction = np.where(linear_mask(potential.blocks), np.random.default_rng(8).normal(size=len(theta)), 0.0)
    low, middle, high = (potential.with_parameters(theta + t * direction).evaluate(atoms) for t in (-1.0, 0.0, 1.0))
    _near(low.energy + high.energy, 2 * middle.energy, "the energy half way between two sets of linear parameters")
    _near(low.forces + high.forces, 2 * middle.forces, "forces half way between two sets of linear parameters")


def check_training_term(potential: Potential) -> None:
    """Check the predictions of a prepared training term against `evaluate`, for any parameters and any subset."""
    boxes = [configuration(potential, n, seed=n, periodic=n % 2 == 0) for n in (4, 5, 8)]
    geometries = [potential.geometry(box) for box in boxes]
    rng, term = np.random.default_rng(9), potential.prepare(geometries)
    theta = potential.parameters + 0.1 * rng.normal(size=potential.n_parameters)
    other = potential.with_parameters(theta)
    by_energies, by_virials = rng.normal(size=3), rng.normal(size=(3, 3, 3))
    by_virials += by_virials.transpose(0, 2, 1)
    by_forces = [rng.normal(size=(len(box), 3)) for box in boxes]
    for numbers in ([0, 1, 2], [2], [2, 0]):
        part = term if len(numbers) == 3 else term.subset(numbers)
        for threads in (1, 2):
            energies, forces, virials = part.predict(theta, threads)
            results = [other.evaluate(geometries[k]) for k in numbers]
            _near(energies, [result.energy for result in results], "energies in training")
            _near(forces, np.concatenate([result.forces for result in results]), "forces in training")
            expected = [(result.virial + result.virial.T) / 2 for result in results]
            _near(virials, np.array(expected), "virials in training")
            pulled = part.pullback(
                theta,
                by_energies[numbers],
                np.concatenate([by_forces[k] for k in numbers]),
                by_virials[numbers],
                threads,
            )
            single = [
                other.pullback(geometries[k], np.full(len(boxes[k]), by_energies[k]), by_forces[k], by_virials[k])
                for k in numbers
            ]
            _near(pulled, np.sum(single, axis=0), "the pullback in training")


def check_steppers(potential: Potential) -> None:
    """Check that calculator, stepper and `evaluate` agree for atoms that move in a cell that changes."""
    rng = np.random.default_rng(10)
    atoms = configuration(potential, 12, seed=11)
    for threads in (1, 2):
        box = atoms.copy()
        box.calc = potential.calculator(threads=threads)
        system = System.of(box, potential.species)
        stepper = potential.stepper(system, threads)
        pairs = neighbour_list(
            box.positions, box.cell.array, system.pbc, potential.cutoff + 1.0, system.species, len(system.symbols)
        )
        stepper.renew(pairs, box.positions, box.cell.array)
        for _ in range(3):
            result = potential.evaluate(box, 1)
            forces = np.ones((len(box), 3))
            positions, cell = box.positions.copy(), box.cell.array.copy()
            energy, virial = stepper.add(positions, cell, forces)
            _near(energy, result.energy, "the energy of a stepper")
            _near(forces - 1.0, result.forces, "the forces that a stepper adds")
            _near(virial, result.virial, "the virial of a stepper")
            _near(stepper.energies, result.energies, "the site energies of a stepper")
            geometry = stepper.geometry()
            assert isinstance(geometry, Geometry), "a stepper's configuration is a Geometry"
            _near(potential.evaluate(geometry, 1).forces, result.forces, "forces on a stepper's own pairs")
            _near(box.get_potential_energy(), result.energy, "the energy of the calculator")
            _near(box.get_forces(), result.forces, "the forces of the calculator")
            _near(box.get_stress(), result.stress, "the stress of the calculator")
            deformation = np.eye(3) + 0.01 * rng.uniform(-1, 1, (3, 3))
            box.set_cell(box.cell.array @ deformation, scale_atoms=True)
            box.positions += rng.uniform(-0.05, 0.05, box.positions.shape)


def check_dynamics(potential: Potential) -> None:
    """Check that dynamics follow the forces of `evaluate`, at constant energy and at constant pressure."""
    atoms = configuration(potential, 12, seed=12, side=6.5)

    class Evaluated(type(potential.calculator())):  # type: ignore[misc]
        """The calculator as another class, which dynamics call at every step instead of using a stepper."""

        def calculate(self, *arguments: object) -> None:
            super().calculate(*arguments)

    for ensemble in ("nve", "npt"):
        positions = [
            run_md(
                atoms, calculator, ensemble=ensemble, temperature=50, time_ps=0.002, timestep_fs=0.1, progress=False
            ).atoms.positions
            for calculator in (potential, Evaluated(potential))
        ]
        _near(positions[0], positions[1], f"positions after twenty steps of {ensemble.upper()}", tolerance=1e-8)


def check_files(potential: Potential) -> None:
    """Check that saving and loading restore a potential to the last bit, and that an incomplete file is refused."""
    atoms = configuration(potential, seed=13)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"potential{potential.suffix}"
        potential.with_reference("PBE-D3(0), in words").save(path)
        back = load(path)
        _equal(back.reference, "PBE-D3(0), in words", "the reference after a file")
        _equal(back.fingerprint, potential.fingerprint, "the fingerprint after a file")
        _equal(back.evaluate(atoms).energy, potential.evaluate(atoms).energy, "the energy after a file")
        lines = path.read_text().splitlines(keepends=True)
        for kept in (1, len(lines) // 2, len(lines) - 1):
            path.write_text("".join(lines[:kept]))
            _refused(lambda: load(path), f"a file cut to {kept} of {len(lines)} lines")
    again = pickle.loads(pickle.dumps(potential))
    _equal(again.evaluate(atoms).energy, potential.evaluate(atoms).energy, "the energy after pickling")
    if potential.n_parameters:
        moved = potential.with_parameters(potential.parameters + 1e-9)
        assert moved.fingerprint != potential.fingerprint, "other parameters have the same fingerprint"


def check_training(potential: Potential) -> None:
    """Check that a fit lowers the loss and changes every block, and that linear parameters are recovered exactly."""
    boxes = [_labelled(potential, configuration(potential, 8, seed=20 + k, side=5.0)) for k in range(12)]
    if not potential.n_parameters:
        result = train(boxes, potential, max_iterations=1, progress=False)
        _near(result.errors.force_rmse, 0.0, "the error of a model without parameters on its own predictions")
        return
    theta = potential.parameters
    rng = np.random.default_rng(21)
    start = potential.with_parameters(theta * (1 + 0.05 * rng.normal(size=len(theta))))
    result = train(boxes, start, stress_weight=0.1, max_iterations=20, progress=False, method="paper")
    first, last = result.history[0][1], result.history[-1][1]
    assert last < 0.9 * first, f"twenty iterations lowered the loss from {first:.6g} only to {last:.6g}"
    for block, place in slices(potential.blocks):
        moved = np.abs(result.potential.parameters[place] - start.parameters[place]).max()
        assert moved > 0, f"the fit did not move the block {block.name}"
    linear = linear_mask(potential.blocks)
    if linear.any():
        loss = Loss(potential, TrainingSet(boxes, potential), Weights(), 1)
        solved = solve_linear(loss, np.where(linear, 0.5 * theta, theta))
        value, scale = loss(solved)[0], loss(np.where(linear, 0.5 * theta, theta))[0]
        assert value <= 1e-10 * scale, f"the linear solution leaves a loss of {value:.3g} of {scale:.3g}"


def check_grades(potential: Potential) -> None:
    """Check that grades of the training set do not exceed 1, in both modes."""
    if not potential.n_parameters:
        return
    boxes = [configuration(potential, 6, seed=30 + k) for k in range(4)]
    for mode in ("configuration", "neighbourhood"):
        active_set = ActiveSet.build(potential, boxes, mode)
        worst = max(active_set.grade(box) for box in boxes)
        assert worst < 1.01, f"grade {worst:.4g} of a configuration of the training set, mode {mode}"


def check_refusals(potential: Potential) -> None:
    """Check that unknown species, overlapping atoms and pairs of another potential are refused."""
    atoms = configuration(potential, seed=40)
    strange = next(symbol for symbol in ("Xe", "Kr") if symbol not in potential.species)
    foreign = atoms.copy()
    foreign.symbols[2] = strange
    _refused(lambda: potential.evaluate(foreign), "an unknown species", "atom 3")
    close = atoms.copy()
    close.positions[1] = close.positions[0] + [0.01, 0.0, 0.0]
    _refused(lambda: potential.evaluate(close), "overlapping atoms", "overlap")
    short = Geometry.of(atoms, potential.species, 0.5 * potential.cutoff)
    _refused(lambda: potential.evaluate(short), "pairs within too short a cutoff", "within")
    others = Geometry.of(atoms, (*potential.species, strange), potential.cutoff)
    _refused(lambda: potential.evaluate(others), "pairs made for other species", strange)


CHECKS: tuple[Callable[[Potential], None], ...] = (
    check_parameters,
    check_forces,
    check_invariances,
    check_gradients,
    check_gauge,
    check_charges,
    check_linear_parameters,
    check_training_term,
    check_steppers,
    check_dynamics,
    check_files,
    check_training,
    check_grades,
    check_refusals,
)


def check(potential: Potential) -> None:
    """Run all checks.

    Raises
    ------
    AssertionError
        Naming the difference in the first check that fails.
    """
    for single_check in CHECKS:
        single_check(potential)


def _labelled(potential: Potential, atoms: Atoms) -> Atoms:
    """Label a configuration with the potential itself."""
    result = potential.evaluate(atoms)
    atoms.calc = SinglePointCalculator(atoms, energy=result.energy, forces=result.forces, stress=result.stress)
    return atoms


def _slope(function: Callable[[float], Any]) -> Any:
    """Return the derivative at 0."""
    return sum(
        weight * (np.asarray(function(k * _STEP)) - np.asarray(function(-k * _STEP))) / _STEP for k, weight in _STENCIL
    )


def _near(actual: object, expected: object, name: str, *, tolerance: float = 1e-10, scale: float | None = None) -> None:
    """Compare numbers, relative to the largest expected one or to `scale`."""
    a, b = np.asarray(actual, float), np.asarray(expected, float)
    size = max(np.abs(b).max(initial=0.0), 1e-3) if scale is None else max(scale, 1e-3)
    difference = np.abs(a - b).max(initial=0.0)
    assert difference <= tolerance * size, f"{name}: differs by {difference:.3g} of {size:.3g}"


def _equal(actual: object, expected: object, name: str) -> None:
    assert actual == expected, f"{name}: {actual!r}, not {expected!r}"


def _refused(action: Callable[[], object], name: str, text: str = "") -> None:
    """Require that an action raises an `InputError` whose message contains a text."""
    try:
        action()
    except InputError as error:
        assert text in str(error), f"{name}: the message does not contain {text!r}: {error}"
        return
    raise AssertionError(f"{name}: not refused")
