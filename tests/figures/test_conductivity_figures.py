import numpy as np
import pytest
from matplotlib.figure import Figure

from electrolyte_ml.analysis import OrnsteinUhlenbeckIons, measure_conductivity
from electrolyte_ml.errors import InputError
from electrolyte_ml.figures import (
    conductivity_methods,
    conductivity_temperature,
    interval_coverage,
    running_conductivity,
)
from electrolyte_ml.paper.experiment import CONDUCTIVITY, DING_BRIEFLY, conductivities

SAID = {"reference": "PBE-D3(0)", "scale": "quick"}
MEASURED = {"measured": CONDUCTIVITY, "source": DING_BRIEFLY}


def words(figure):
    from matplotlib.text import Text

    return " ".join(text.get_text() for text in figure.findobj(Text))


@pytest.fixture(scope="module")
def result():
    process = OrnsteinUhlenbeckIons(counts=(4, 4), distinct=((0.0, 0.002), (0.002, 0.0)))
    return measure_conductivity([process.sample(60, 0.2, seed=s) for s in range(6)], 300.0)


@pytest.fixture(scope="module")
def drawn(result):
    one = result.best
    by_temperature = {t: one.scaled(0.1 * (5 + k) / one.value, "S/m") for k, t in enumerate((280.0, 300.0, 320.0))}
    return {
        "running": running_conductivity({"300 K": one}, exact=one.value, **SAID),
        "temperature": conductivity_temperature(
            {"3:7": by_temperature, "1:1": by_temperature}, **SAID, **MEASURED, paper_deviation=0.11
        ),
        "methods": conductivity_methods(result, exact=one.value, **SAID),
        "coverage": interval_coverage({"Green-Kubo": {10: (93, 98, 2), 30: (95, 100, 0)}}, **SAID),
    }


@pytest.mark.parametrize("name", ["running", "temperature", "methods", "coverage"])
def test_renders_and_says_reference_and_scale(drawn, name, tmp_path):
    figure = drawn[name]
    assert isinstance(figure, Figure)
    figure.savefig(tmp_path / "figure.png")
    pixels = (tmp_path / "figure.png").stat().st_size
    assert pixels > 5000
    said = words(figure)
    assert "PBE-D3(0)" in said and "quick" in said
    if name != "coverage":
        assert "mS/cm" in said


def test_running_integral_shows_curve_plateau_and_value(drawn, result):
    one = result.best
    lines = drawn["running"].axes[0].get_lines()
    assert any(np.allclose(line.get_ydata(), 10 * one.curve.mean) for line in lines if len(line.get_ydata()) > 10)
    spans = [line.get_xdata() for line in lines if len(line.get_xdata()) == 2]
    assert any(np.allclose(span, [one.plateau.start_ps, one.plateau.end_ps]) for span in spans)
    assert f"{10 * one.value:.3g} ± {10 * one.error:.2g} mS/cm" in words(drawn["running"])


def test_temperatures_stand_beside_experiment_and_say_the_deviation(drawn):
    said = words(drawn["temperature"])
    for ratio in ("3:7", "1:1"):
        measured = conductivities(ratio)
        for k, temperature in enumerate((280.0, 300.0, 320.0)):
            assert f"{(5 + k) / measured[temperature].value - 1:+.0%}" in said
    assert "±11%" in said and "Ding 2001" in said


def test_experiment_has_its_unit_and_its_source():
    for by_temperature in CONDUCTIVITY.values():
        values = [by_temperature[t] for t in sorted(by_temperature)]
        assert [one.temperature for one in values] == [280.0, 300.0, 320.0]
        assert all(one.unit == "mS/cm" and "Ding" in one.source for one in values)
        assert values[0].value < values[1].value < values[2].value
    with pytest.raises(InputError, match="no measured conductivity"):
        conductivities("9:1")


def test_experiment_is_that_of_the_digitised_measurements(shared_data):
    """Within the 7 % by which laboratories differ: nearest points of Ding's table at 300 K and 3:7 (26.6 wt% EC)."""
    import csv

    with open(shared_data / "experiment" / "ding2001_conductivity.csv") as stream:
        rows = list(csv.DictReader(stream))
    keys = {key.lower(): key for key in rows[0]}
    kelvin = next(keys[k] for k in keys if k.startswith("t"))
    sigma = next(keys[k] for k in keys if k.startswith("k"))
    near = [float(row[sigma]) for row in rows if abs(float(row[kelvin]) - 300.0) < 5.0]
    assert min(near) < conductivities("3:7")[300.0].value < max(near)


def test_nothing_to_draw_is_refused(result):
    from dataclasses import replace

    bare = replace(result.best, curve=None)
    for draw in (
        lambda: running_conductivity({}, **SAID),
        lambda: running_conductivity({"a": bare}, **SAID),
        lambda: conductivity_temperature({}, **SAID, **MEASURED),
        lambda: conductivity_methods(replace(result, estimates={}), **SAID),
        lambda: interval_coverage({}, **SAID),
    ):
        with pytest.raises(InputError):
            draw()


def test_composition_without_a_measured_value_is_refused(result):
    with pytest.raises(InputError, match="no measured conductivity is given for EC:EMC 9:1"):
        conductivity_temperature({"9:1": {300.0: result.best}}, **SAID, **MEASURED)
