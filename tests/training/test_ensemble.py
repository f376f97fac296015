"""Ensembles of potentials."""

import numpy as np
import pytest

from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials import ModelSpec, MomentTensorPotential
from electrolyte_ml.training import Ensemble, ensemble, train, train_ensemble

SPEC = ModelSpec(level=4, cutoff=4.0, radial_basis_size=5)


@pytest.fixture(scope="module")
def noisy(data):
    return data(5, noise=0.1)


@pytest.fixture(scope="module")
def fitted(noisy):
    return train_ensemble(noisy, SPEC, ("H", "O"), seeds=(3, 0, 11), max_iterations=10, progress=False)


def test_mean_and_standard_deviation(fitted, liquid):
    """NumPy's of the members' own words, over n - 1."""
    atoms = liquid(9, ("H", "O"), seed=30, skew=0.2)
    said, each = fitted.evaluate(atoms), [p.evaluate(atoms) for p in fitted.potentials]
    for name, shape in (("energy", ()), ("forces", (9, 3)), ("stress", (6,))):
        values = np.array([getattr(one, name) for one in each])
        spread = getattr(said, name)
        assert np.shape(spread.mean) == np.shape(spread.std) == shape
        assert spread.mean == pytest.approx(sum(values) / 3, rel=1e-12)
        assert spread.std == pytest.approx(np.sqrt(((values - spread.mean) ** 2).sum(0) / 2), rel=1e-10)
        assert np.all(spread.std > 0)


def test_no_stress_without_a_volume(fitted, liquid):
    assert fitted.evaluate(liquid(5, ("H", "O"), pbc=False)).stress is None


def test_members_are_single_fits(fitted, noisy):
    """Each is what `train` makes of that seed's start."""
    assert len(fitted.potentials) == len(fitted.results) == 3
    start = MomentTensorPotential.random(4, ("H", "O"), seed=11, cutoff=4.0, radial_basis_size=5)
    alone = train(noisy, start, max_iterations=10, progress=False).potential
    assert np.array_equal(fitted.potentials[2].parameters, alone.parameters)
    assert fitted.results[2].potential is fitted.potentials[2]


def test_equal_members_have_no_spread(fitted, liquid):
    said = Ensemble((fitted.potentials[0],) * 2).evaluate(liquid(5, ("H", "O")))
    assert said.energy.std == 0 and not said.forces.std.any()


@pytest.mark.parametrize("seeds", [(), (1,), (0, 1, 0)])
def test_seeds_that_make_no_ensemble(seeds, noisy, monkeypatch):
    """Said before anything is fitted."""
    monkeypatch.setattr(ensemble, "train", lambda *_, **__: pytest.fail("fitted in vain"))
    with pytest.raises(InputError, match="two or more, all different"):
        train_ensemble(noisy, SPEC, ("H", "O"), seeds=seeds)


def test_one_potential_is_no_ensemble(fitted):
    with pytest.raises(InputError, match="two"):
        Ensemble(fitted.potentials[:1])


def test_each_seed_has_a_checkpoint_of_its_own(noisy, monkeypatch, tmp_path, fitted):
    """An ensemble interrupted in its second member ends as if nothing had happened."""
    original, count = train, []

    def interrupted(*arguments, **options):
        count.append(options["checkpoint"].name)
        if len(count) == 2:
            monkeypatch.setattr("electrolyte_ml.training.loss.Loss.__call__", stop)
        return original(*arguments, **options)

    def stop(*_):
        raise KeyboardInterrupt

    options = {"seeds": (3, 0, 11), "max_iterations": 10, "progress": False}
    with monkeypatch.context() as patch:
        patch.setattr(ensemble, "train", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train_ensemble(noisy, SPEC, ("H", "O"), checkpoint=tmp_path / "fit.npz", **options)
    monkeypatch.undo()
    assert count == ["fit-3.npz", "fit-0.npz"] and {f.name for f in tmp_path.iterdir()} == {"fit-3.npz", "fit-0.npz"}
    again = train_ensemble(noisy, SPEC, ("H", "O"), checkpoint=tmp_path / "fit.npz", **options)
    for one, other in zip(again.potentials, fitted.potentials, strict=True):
        assert np.array_equal(one.parameters, other.parameters)
    for number, result in enumerate(again.results):
        result.save(tmp_path / f"{number}.mtp")
    assert {path.suffix for path in tmp_path.iterdir()} == {".mtp"}
