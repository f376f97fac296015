"""Results as the figures take them, made up."""

import numpy as np
import pytest

from electrolyte_ml.active_learning.status import IterationStatus, StatusTable
from electrolyte_ml.analysis import ensemble_density, mean_density
from electrolyte_ml.figures.description import describe


@pytest.fixture
def check_figures(tmp_path):
    """Return a check of figures by name: each says reference and scale, is small, and is not kept by pyplot.

    Figures named in `unscaled` depend on no scale and must not name one.
    """
    import matplotlib.pyplot as plt
    from matplotlib.figure import Figure
    from matplotlib.text import Text

    def check(drawn, unscaled=()):
        for name, figure in drawn.items():
            assert isinstance(figure, Figure)
            words = " ".join(text.get_text() for text in figure.findobj(Text)).replace("\n", " ")
            assert "Reference: " in words, name
            assert ("Scale: quick." in words) != (name in unscaled), name
            assert ("Scale: " in words) != (name in unscaled), name
            assert len(describe(figure)) > 60 and "\\" not in describe(figure), name
            figure.savefig(tmp_path / f"{name}.png")
            assert (tmp_path / f"{name}.png").stat().st_size < 150_000
        assert not plt.get_fignums()

    return check


def series(level, seed, n=800, dt=0.05, drift=0.0):
    rng = np.random.default_rng(seed)
    x = np.zeros(n)
    for k in range(1, n):
        x[k] = 0.97 * x[k - 1] + 0.24 * rng.normal()
    times = np.arange(n) * dt
    return times, level + 0.02 * x + 0.15 * np.exp(-times / 1.5) + drift * times


@pytest.fixture
def ensembles():
    return {
        liquid: ensemble_density([mean_density(series(level + shift, k)) for k, shift in enumerate((-0.02, 0, 0.015))])
        for liquid, level in (("EC", 1.40), ("EMC", 1.06))
    }


@pytest.fixture
def diagram():
    rng = np.random.default_rng(0)
    iteration = np.r_[np.zeros(40, int), np.sort(rng.integers(1, 7, 60))]
    density = np.where(iteration == 0, 1.33 + 0.02 * rng.normal(size=100), 1.35 - 0.04 * iteration)
    density += 0.02 * rng.normal(size=100)
    energy = -5.2 + 0.01 * np.abs(rng.normal(size=100)) + 0.003 * iteration
    return {"index": np.arange(100), "iteration": iteration, "density": density, "energy": energy}


@pytest.fixture
def status():
    rows = [IterationStatus(0, 0, 40, 0, 40, None, 1.4, 0.11, 60.0, {})]
    for k, (saved, taken, grade) in enumerate([(212, 31, 940.0), (80, 17, 33.0), (14, 6, 8.0), (0, 0, 1.7)], 1):
        size = rows[-1].size + taken
        rows.append(IterationStatus(k, saved, taken, 0, size, grade, 1.4 + 0.2 * k, 0.11, 50.0, {"completed": 4}))
    return StatusTable(rows)
