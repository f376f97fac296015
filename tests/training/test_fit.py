"""Fits: recovery, reproducibility, checkpoints, and data that lack this or that."""

import numpy as np
import pytest
from ase import Atoms
from threadpoolctl import threadpool_limits

from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials import Basis, ModelSpec, MomentTensorPotential, load
from electrolyte_ml.structures import read_configurations
from electrolyte_ml.training import Loss, TrainingSet, Weights, evaluate_errors, minimise, progress, train


def quiet(configurations, start, **options):
    return train(configurations, start, progress=False, **options)


@pytest.fixture(scope="module")
def noisy(data):
    """Labels that no potential of the level explains."""
    return data(6, noise=0.1)


# What a fit finds


@pytest.mark.parametrize("stress_weight", [0.0, 0.01])
def test_recovers_a_potential(data, start, stress_weight):
    """Labels made by a potential of the same model: the errors vanish, on configurations not seen as well."""
    result = quiet(data(12), start, tolerance=1e-6, stress_weight=stress_weight)
    unseen = evaluate_errors(result.potential, data(4, seed=50))
    assert result.converged
    for errors, limit in ((result.errors, 1e-7), (unseen, 1e-5)):
        assert errors.energy_rmse < limit and errors.force_rmse < limit and errors.stress_rmse < 100 * limit


def test_recovers_with_a_larger_model(data):
    """Of which the labels fix only a part; one random start in four ends in a local minimum, so the best of three."""
    starts = [MomentTensorPotential.random(6, ("O", "H"), seed=seed, cutoff=4.0) for seed in (1, 2, 3)]
    results = [quiet(data(30), start, tolerance=1e-4) for start in starts]
    best = min(results, key=lambda result: result.history[-1][1])
    errors = evaluate_errors(best.potential, data(4, seed=50))
    assert errors.force_rmse < 1e-3 and errors.energy_rmse < 1e-4


def test_paper_method_is_plain_bfgs(noisy, start):
    """Step for step what SciPy does from the given parameters, with no other preparation."""
    from scipy.optimize import minimize

    result = quiet(noisy, start, method="paper", max_iterations=8)
    loss = Loss(start, TrainingSet(noisy, start), Weights())
    expected = minimize(loss, start.parameters, jac=True, method="BFGS", options={"maxiter": 8, "gtol": 1e-10})
    assert result.history[0][1] == pytest.approx(loss(start.parameters)[0], rel=1e-12)
    assert result.history[-1][1] < 0.5 * result.history[0][1]
    # Zero plus a unit step is not to the last bit the step itself.
    assert result.potential.parameters == pytest.approx(expected.x, rel=1e-6)


def test_threads_of_linear_algebra_change_no_bit(noisy):
    """Workers, a notebook in which tblite was loaded first, and a machine with more cores give the same potential."""
    start = MomentTensorPotential.random(10, ("O", "H"), seed=0, cutoff=4.0)
    found = []
    for threads in (1, 2):
        with threadpool_limits(threads, user_api="blas"):
            found.append(quiet(noisy, start, max_iterations=20).potential.parameters)
    assert found[0].tobytes() == found[1].tobytes()


@pytest.mark.parametrize("method", ["default", "paper"])
def test_history_only_falls(method, noisy, start):
    result = quiet(noisy, start, method=method, max_iterations=130)
    iterations, losses, seconds = zip(*result.history, strict=True)
    assert list(iterations) == list(range(len(iterations))) and len(iterations) > 60
    assert (np.diff(losses) <= 0).all() and (np.diff(seconds) >= 0).all()
    final = Loss(start, TrainingSet(noisy, start), Weights())(result.potential.parameters)[0]
    assert losses[-1] == pytest.approx(final, rel=1e-12)
    assert result.evaluations >= len(iterations) - 1


def test_converged_or_not(noisy, start):
    short = quiet(noisy, start, max_iterations=3)
    assert not short.converged and "ran out" in short.message and short.history[-1][0] == 3
    loose = quiet(noisy, start, tolerance=0.5)
    assert loose.converged and "stopped falling" in loose.message and loose.history[-1][0] < 1000
    assert f"{loose.history[-1][1]:.5g}" in loose.message


def test_the_start_is_not_changed(noisy, start):
    before = start.parameters
    result = quiet(noisy, start, max_iterations=5)
    assert np.array_equal(start.parameters, before) and not np.array_equal(result.potential.parameters, before)


def test_errors_are_those_of_the_potential(noisy, start):
    result = quiet(noisy, start, max_iterations=5)
    again = evaluate_errors(result.potential, noisy)
    assert vars(result.errors) == pytest.approx(vars(again), rel=1e-12)


# Reproducibility


def test_the_same_to_the_last_bit(noisy, start):
    """Twice, and whatever the number of threads."""
    first, again, threads = (quiet(noisy, start, max_iterations=70, threads=n) for n in (1, 1, 2))
    for other in (again, threads):
        assert np.array_equal(first.potential.parameters, other.potential.parameters)
        assert [h[:2] for h in first.history] == [h[:2] for h in other.history]


def test_order_of_the_data_is_rounding(noisy, start):
    """A few steps: longer, rounding grows along the directions that change nothing."""
    options = {"max_iterations": 5, "method": "paper"}
    one, other = quiet(noisy, start, **options), quiet(noisy[::-1], start, **options)
    assert other.potential.parameters == pytest.approx(one.potential.parameters, rel=1e-8, abs=1e-10)
    full, turned = quiet(noisy, start, tolerance=1e-5), quiet(noisy[::-1], start, tolerance=1e-5)
    assert turned.history[-1][1] == pytest.approx(full.history[-1][1], rel=0.02)


# Isolated atoms


def isolated(labelled, **energies):
    return [labelled(Atoms(s, cell=[20] * 3, pbc=True), energy=e, forces=np.zeros((1, 3))) for s, e in energies.items()]


@pytest.mark.parametrize("method", ["default", "paper"])
def test_isolated_atoms_exactly(method, noisy, labelled, start):
    """Not within a tolerance: to the last bit, as in the file; and one element alone leaves the other free."""
    for energies in ({"H": -13.587222780835477, "O": -432.2}, {"O": 0.1}):
        atoms = isolated(labelled, **energies)
        result = quiet([*noisy[:2], *atoms, *noisy[2:]], start, method=method, max_iterations=60)
        for symbol, energy in energies.items():
            assert result.potential.evaluate(Atoms(symbol)).energy == energy
        assert result.history[-1][1] < result.history[0][1]


def test_contradicting_isolated_atoms(noisy, labelled, start):
    """Refused; the same energy twice, up to the digits of a file, is not."""
    with pytest.raises(InputError, match="configuration 8: its energy of an isolated O atom is not the earlier one"):
        quiet([*noisy, *isolated(labelled, O=-1.0), *isolated(labelled, O=-1.1)], start)
    twice = [*noisy, *isolated(labelled, O=-1.0), *isolated(labelled, O=-1.0 + 1e-9)]
    assert quiet(twice, start, max_iterations=2).potential.shifts[1] == -1.0


def test_one_atom_in_a_small_cell_is_not_isolated(noisy, labelled, start):
    crystal = labelled(Atoms("O", cell=[2.5] * 3, pbc=True), energy=-7.0)
    assert quiet([*noisy, crystal], start, max_iterations=5).potential.shifts[1] != -7.0


def test_isolated_atoms_alone(labelled, start):
    """Nothing else to learn: done at once."""
    result = quiet(isolated(labelled, H=-1.0, O=-2.0), start)
    assert result.converged and result.errors.energy_rmse == 0 and list(result.potential.shifts) == [-1.0, -2.0]


# Data that lack this or that


def test_energies_only(data, labelled, start):
    """The weight of forces stands, there are none to weigh."""
    configurations = [labelled(a, energy=a.get_potential_energy()) for a in data(60, noise=0.02)]
    result = quiet(configurations, start, max_iterations=150)
    null = np.std([a.get_potential_energy() / len(a) for a in configurations])
    assert result.errors.energy_rmse < 0.5 * null and np.isnan(result.errors.force_rmse)


def test_forces_only(data, labelled, start):
    """Nothing is known of the shifts: they stay where they were, and the forces are fitted as well as ever."""
    configurations = [labelled(a, forces=a.get_forces()) for a in data(10)]
    result = quiet(configurations, start, tolerance=1e-6)
    assert result.errors.force_rmse < 1e-5 and np.isnan(result.errors.energy_rmse)
    assert result.potential.shifts == pytest.approx(start.shifts, abs=1e-12)


def test_one_configuration(data, start):
    result = quiet(data(1, noise=0.1), start, max_iterations=60)
    assert result.errors.force_rmse < 0.2 and np.isfinite(result.potential.parameters).all()


def test_configurations_without_neighbours(noisy, labelled, start):
    """Atoms further apart than the cutoff, among others and alone."""
    far = labelled(Atoms("HOH", [[0, 0, 0], [9, 0, 0], [0, 9, 0]]), energy=-3.0, forces=np.zeros((3, 3)))
    assert quiet([far, *noisy, far], start, max_iterations=20).history[-1][1] < 1
    alone = quiet([far], start)
    assert alone.potential.evaluate(far).energy == pytest.approx(-3.0, abs=1e-3)
    assert np.isfinite(alone.potential.parameters).all()


def test_an_element_that_is_rare(noisy, labelled, monkeypatch):
    """One configuration of many holds it: a sample that misses it must not upset the others' fit."""
    start = MomentTensorPotential.random(4, ("H", "O", "Li"), seed=0, cutoff=4.0)
    rare = noisy[-1].copy()
    rare.symbols[3] = "Li"
    rare = labelled(rare, **noisy[-1].calc.results)
    whole = quiet([*noisy, rare], start, max_iterations=150)
    monkeypatch.setattr(minimise, "CURVATURE_ROWS", 0.5)  # a sample of few configurations
    result = quiet([*noisy, rare], start, max_iterations=150)
    assert result.history[-1][0] > 60 and result.history[-1][1] < 1.5 * whole.history[-1][1]


def test_a_run_that_spoils_what_its_sample_lacks_is_undone(noisy, start, monkeypatch):
    run, starts, ends = minimise._bfgs, [], []

    def spoiled(loss, parameters, *others):
        starts.append(parameters)
        ends.append(run(loss, parameters, *others))
        return ends[-1] + 1e3 * (len(ends) == 2)  # the first run has no sample of the curvature, the second has

    monkeypatch.setattr(minimise, "_bfgs", spoiled)
    monkeypatch.setattr(minimise, "FIRST_ROWS", 1)  # several samples, each twice the one before
    result = quiet(noisy, start, max_iterations=300)
    assert len(starts) > 3
    np.testing.assert_array_equal(starts[2], starts[1])
    assert any((after == before).all() for after, before in zip(starts[3:], ends[2:]))  # good runs are kept
    assert result.history[-1][1] < result.history[0][1]


def test_elements_that_are_absent(data):
    """A potential that knows more elements than the data hold."""
    start = MomentTensorPotential.random(4, ("F", "H", "P", "O"), seed=0, cutoff=4.0)
    result = quiet(data(10), start, tolerance=1e-6)
    assert result.errors.force_rmse < 1e-5
    assert np.array_equal(result.potential.shifts[[0, 2]], start.shifts[[0, 2]])


def test_clusters_with_a_stress_weight(data, labelled, truth, start):
    """Clusters have no volume: they count by energies and forces, beside boxes that count by stress too."""
    clusters = []
    for atoms in data(6):
        atoms.pbc = False
        said = truth.evaluate(atoms)
        clusters.append(labelled(atoms, energy=said.energy, forces=said.forces))
    result = quiet([*clusters, *data(4, seed=20)], start, stress_weight=0.01, tolerance=1e-6)
    assert result.errors.force_rmse < 1e-5 and result.errors.stress_rmse < 1e-3
    assert np.isnan(quiet(clusters, start, stress_weight=0.01, max_iterations=5).errors.stress_rmse)


def test_stress_of_zero(data, labelled, start):
    """A label like any other."""
    still = [labelled(a, **{**a.calc.results, "stress": np.zeros(6)}) for a in data(4)]
    with_it, without = (quiet(still, start, stress_weight=w, max_iterations=60) for w in (10.0, 0.0))
    assert with_it.errors.stress_rmse < 0.5 * without.errors.stress_rmse


def test_a_potential_of_another_program(liquid, labelled):
    basic = np.array([[0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    products = np.array([[1, 1, 1, 4], [2, 2, 1, 4], [3, 3, 1, 4], [0, 0, 1, 5]])
    table = Basis(1, basic, products, np.array([0, 4, 5]), 4)
    rng = np.random.default_rng(0)

    def draw():
        radial = rng.normal(size=(2, 2, 1, 4))
        return MomentTensorPotential(table, ("H", "O"), radial, rng.normal(size=2), rng.normal(size=3), cutoff=4.0)

    truth, start = draw(), draw()
    made = []
    for k in range(8):
        atoms = liquid(8, ("H", "O"), k)
        said = truth.evaluate(atoms)
        made.append(labelled(atoms, energy=said.energy, forces=said.forces))
    assert quiet(made, start, tolerance=1e-6).errors.force_rmse < 1e-6


# Names, progress


@pytest.mark.parametrize(
    "names, expected",
    [(["GFN1-xTB"] * 6, "GFN1-xTB"), ([None] * 6, None), (["GFN1-xTB"] * 5 + [None], None)],
)
def test_name_of_the_reference(names, expected, data, labelled, start):
    """Carried from the labels, isolated atoms aside; none where any has none."""
    start.reference = "another"
    configurations = data(6)
    for atoms, name in zip(configurations, names, strict=True):
        if name is not None:
            atoms.info["reference"] = name
    result = quiet([*configurations, *isolated(labelled, H=1.0)], start, max_iterations=1)
    assert result.potential.reference == expected and start.reference == "another"


def test_progress(capsys, noisy, start):
    train(noisy, start, max_iterations=3, progress=True)
    shown = capsys.readouterr()
    assert "Fit" in shown.err and "loss" in shown.err and shown.out == ""
    train(noisy, start, max_iterations=3, progress=False)
    assert capsys.readouterr() == ("", "")


# Checkpoints


class Interrupt:
    """Stops a fit with Ctrl-C at its n-th evaluation of loss and gradient."""

    def __init__(self, monkeypatch, at):
        self.count, self.at, original = 0, at, Loss.__call__

        def call(loss, parameters):
            self.count += 1
            if self.count == self.at:
                raise KeyboardInterrupt
            return original(loss, parameters)

        monkeypatch.setattr(Loss, "__call__", call)


RESUMED = {
    "default": ({}, (1, 40, 90)),
    "paper": ({"method": "paper"}, (1, 40)),
    "starts": ({"starts": 3}, (40, 100, 190, 230)),
    "charges": ({}, (40, 75, 100)),
}


@pytest.mark.parametrize("case", RESUMED)
def test_interrupted_and_resumed(case, monkeypatch, tmp_path, noisy, start):
    """Wherever it was, as often as it may be: the fit ends with the same bits as without an interruption."""
    options, places = RESUMED[case]
    options = {"max_iterations": 90, **options}
    if case == "charges":
        start = ModelSpec(level=4, cutoff=4.0, charges="qrd").random(("H", "O"))
    whole = quiet(noisy, start, **options)
    file, evaluations = tmp_path / "fits" / "fit.npz", 0
    for place in places:
        with monkeypatch.context() as patch:
            interrupt = Interrupt(patch, place - evaluations)
            with pytest.raises(KeyboardInterrupt):
                quiet(noisy, start, checkpoint=file, **options)
            evaluations += interrupt.count - 1
    resumed = quiet(noisy, start, checkpoint=file, **options)
    assert file.exists()
    assert np.array_equal(resumed.potential.parameters, whole.potential.parameters)
    assert [h[:2] for h in resumed.history] == [h[:2] for h in whole.history]
    assert (np.diff([seconds for _, _, seconds in resumed.history]) >= 0).all()
    assert (resumed.evaluations, resumed.message) == (whole.evaluations, whole.message)


def test_finished_steps_are_not_computed_again(monkeypatch, tmp_path, noisy, start):
    file = tmp_path / "fit.npz"
    with monkeypatch.context() as patch:
        Interrupt(patch, 40)
        with pytest.raises(KeyboardInterrupt):
            quiet(noisy, start, checkpoint=file, max_iterations=50)
    monkeypatch.setattr(minimise, "solve_linear", lambda *_: pytest.fail("the start was solved again"))
    evaluated = Interrupt(monkeypatch, -1)
    result = quiet(noisy, start, checkpoint=file, max_iterations=50)
    assert evaluated.count == result.evaluations - 39


def test_kept_while_it_runs(monkeypatch, tmp_path, noisy, start):
    """Every so many seconds, so that a kill loses no more than those."""
    monkeypatch.setattr(progress, "CHECKPOINT_SECONDS", 0.0)
    file, seen = tmp_path / "fit.npz", []
    original = Loss.__call__

    def call(loss, parameters):
        seen.append(len(np.load(file)["history"]))
        return original(loss, parameters)

    monkeypatch.setattr(Loss, "__call__", call)
    quiet(noisy, start, checkpoint=file, max_iterations=6)
    assert seen[0] == 1 and seen[-1] == 6


def test_a_fit_that_cannot_be_written_is_not_lost(monkeypatch, tmp_path, noisy, start):
    """The checkpoint goes after the potential is on disk, and gives the whole fit again without an evaluation."""
    checkpoint = tmp_path / "fit.npz"
    options = {"checkpoint": checkpoint, "max_iterations": 8}
    result = quiet(noisy, start, **options)
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError):
        result.save(tmp_path / "folder")
    assert checkpoint.exists()
    evaluated = Interrupt(monkeypatch, -1)
    again = quiet(noisy, start, **options)
    assert evaluated.count == 0 and again.potential.fingerprint == result.potential.fingerprint
    again.save(tmp_path / "pot.mtp")
    assert not checkpoint.exists() and load(tmp_path / "pot.mtp").fingerprint == result.potential.fingerprint


@pytest.fixture
def checkpoint(monkeypatch, tmp_path, noisy, start):
    """Of an interrupted fit of `noisy` from `start`."""
    file = tmp_path / "fit.npz"
    with monkeypatch.context() as patch:
        Interrupt(patch, 5)
        with pytest.raises(KeyboardInterrupt):
            quiet(noisy, start, checkpoint=file)
    return file


OTHERS = {
    "fewer": lambda c, s: (c[:-1], s, {}),
    "order": lambda c, s: (c[::-1], s, {}),
    "weights": lambda c, s: (c, s, {"force_weight": 0.1}),
    "method": lambda c, s: (c, s, {"method": "paper"}),
    "start": lambda c, s: (c, MomentTensorPotential.random(4, ("H", "O"), seed=1, cutoff=4.0), {}),
    "level": lambda c, s: (c, MomentTensorPotential.random(6, ("H", "O"), seed=0, cutoff=4.0), {}),
    "cutoff": lambda c, s: (c, MomentTensorPotential.random(4, ("H", "O"), seed=0, cutoff=4.5), {}),
}


@pytest.mark.parametrize("other", OTHERS)
def test_checkpoint_of_another_fit(other, checkpoint, noisy, start):
    """Refused and kept: it may be somebody's work."""
    configurations, potential, options = OTHERS[other](noisy, start)
    content = checkpoint.read_bytes()
    with pytest.raises(InputError, match=rf"{checkpoint.name} belongs to another"):
        quiet(configurations, potential, checkpoint=checkpoint, **options)
    assert checkpoint.read_bytes() == content


def test_checkpoint_of_other_labels(checkpoint, noisy, labelled, start):
    """One stress is another, and nothing else."""
    other = labelled(noisy[0], **{**noisy[0].calc.results, "stress": np.ones(6)})
    with pytest.raises(InputError, match="belongs to another"):
        quiet([other, *noisy[1:]], start, checkpoint=checkpoint)


@pytest.mark.parametrize("damage", ["truncated", "empty", "text", "array", "other keys", "folder"])
def test_damaged_checkpoint(damage, checkpoint, noisy, start, capsys):
    content = checkpoint.read_bytes()
    checkpoint.unlink()
    if damage == "truncated":
        checkpoint.write_bytes(content[: len(content) // 2])
    elif damage in ("empty", "text"):
        checkpoint.write_text("" if damage == "empty" else "parameters: none")
    elif damage == "array":
        with open(checkpoint, "wb") as stream:
            np.save(stream, np.ones(3))
    elif damage == "other keys":
        np.savez(checkpoint, parameters=np.ones(3))
    else:
        checkpoint.mkdir()
    with pytest.raises(InputError, match=r"fit\.npz is not a checkpoint of a fit"):
        train(noisy, start, checkpoint=checkpoint, progress=True)
    assert capsys.readouterr().err == ""  # no half of a progress bar before the error


def test_checkpoint_that_cannot_be_written(tmp_path, noisy, start, monkeypatch):
    """Said before the first step, not after twenty seconds of them."""
    (tmp_path / "file").write_text("")
    interrupt = Interrupt(monkeypatch, 1)
    with pytest.raises(OSError, match="fit.npz"):
        quiet(noisy, start, checkpoint=tmp_path / "file" / "fit.npz")
    assert interrupt.count == 0


# Settings


@pytest.mark.parametrize(
    "options, message",
    [
        ({"method": "newton"}, "method 'newton'.*default, paper"),
        ({"max_iterations": 0}, "max_iterations"),
        ({"tolerance": -1.0}, "tolerance"),
        ({"tolerance": float("nan")}, "tolerance"),
        ({"force_weight": -0.01}, "weights"),
        ({"energy_weight": 0.0, "force_weight": 0.0}, "weights"),
        ({"threads": -1}, "threads"),
    ],
)
def test_settings_that_make_no_sense(options, message, noisy, start):
    with pytest.raises(InputError, match=message):
        quiet(noisy, start, **options)


def test_no_label_that_is_weighed(data, labelled, start):
    forces = [labelled(a, forces=a.get_forces()) for a in data(2)]
    with pytest.raises(InputError, match="nothing to fit"):
        quiet(forces, start, energy_weight=1.0, force_weight=0.0)
    with pytest.raises(InputError, match="nothing to fit"):
        quiet(forces, start, energy_weight=0.0, force_weight=0.0, stress_weight=1.0)


def test_labels_beyond_all_measure(data, labelled, start):
    absurd = [labelled(a, energy=1e200) for a in data(2)]
    with pytest.raises(InputError, match="not finite"):
        quiet(absurd, start)


# Others' data


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, level, number", [("ecemc_dft/train.xyz", 8, 40), ("solvent_xtb/train_200.xyz", 12, 100)]
)
def test_real_liquids_and_clusters(name, level, number, shared_data):
    """A short fit explains > 90 % of the variance of forces on configurations not seen, and most of the energies.

    Bonds dominate the forces: a function of distances and angles must explain most of them. The clusters, of six
    molecules, need a higher level and more of them than the liquids, which are all alike.
    """
    keys = {"energy_key": "energy_xtb", "forces_key": "forces_xtb"} if "xtb" in name else {}
    everything = read_configurations(shared_data / name, **keys)
    atoms, others = ([a for a in everything if (len(a) == 1) == single] for single in (True, False))
    order = np.random.default_rng(0).permutation(len(others))
    seen, unseen = [others[k] for k in order[:number]], [others[k] for k in order[-30:]]
    start = MomentTensorPotential.random(level, ("H", "C", "O"), seed=0)
    result = quiet([*atoms, *seen], start, max_iterations=150)
    errors = evaluate_errors(result.potential, unseen)
    spread = np.concatenate([a.get_forces().ravel() for a in unseen]).std()
    assert errors.force_rmse**2 < 0.1 * spread**2
    for atom in atoms:
        assert result.potential.evaluate(atom).energy == atom.get_potential_energy()
    # Better than the mean energy of each composition: of every element its own, by least squares.
    counts = np.array([[(a.symbols == s).sum() for s in "HCO"] for a in unseen])
    energies = np.array([a.get_potential_energy() for a in unseen])
    left = energies - counts @ np.linalg.lstsq(counts, energies, rcond=None)[0]
    assert errors.energy_rmse < np.sqrt(np.mean((left / counts.sum(1)) ** 2))
