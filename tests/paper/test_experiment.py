import csv

import numpy as np
import pytest
from scipy.interpolate import LinearNDInterpolator

from electrolyte_ml.errors import InputError
from electrolyte_ml.paper import experiment


def test_densities_are_those_interpolated_from_the_measurements(shared_data):
    with open(shared_data / "experiment" / "wang2022_density_viscosity_conductivity.csv") as stream:
        rows = [{k: float(v) for k, v in row.items()} for row in csv.DictReader(stream)]
    pure = [row for row in rows if row["xLiPF6"] == 0]
    ratios = sorted({row["ec"] for row in pure})
    at_300 = []
    for ratio in ratios:
        points = sorted({(row["Temp"] + 273.15, row["d"]) for row in pure if row["ec"] == ratio})
        at_300.append(np.interp(300.0, *zip(*points)))
    for liquid, x in (("EMC", 0.0), ("EC:EMC 3:7", 0.3), ("EC:EMC 7:3", 0.7)):
        weight = x * 88.06 / (x * 88.06 + (1 - x) * 104.10)
        assert experiment.density(liquid).value == pytest.approx(np.interp(weight, ratios, at_300), abs=1e-3)


def test_densities_of_electrolytes_are_those_interpolated_from_the_measurements(shared_data):
    with open(shared_data / "experiment" / "wang2022_density_viscosity_conductivity.csv") as stream:
        rows = np.array([[float(row[k]) for k in ("ec", "xLiPF6", "Temp", "d")] for row in csv.DictReader(stream)])
    rows[:, 2] += 273.15
    measured = LinearNDInterpolator(rows[:, :3], rows[:, 3], rescale=True)
    for ratio, by_temperature in experiment.ELECTROLYTE_DENSITY.items():
        ec, emc = {"3:7": (24, 56), "2:3": (32, 48), "1:1": (40, 40)}[ratio]
        weight = ec * 88.06 / (ec * 88.06 + emc * 104.10)
        point = weight, 8 / 88
        assert by_temperature[300.0].value == pytest.approx(float(measured(*point, 300.0)), abs=0.003)
        # 280 and 320 K are outside of the data: their slope continues
        slope = float(measured(*point, 312.0) - measured(*point, 284.0)) / 28.0
        for temperature in (280.0, 320.0):
            extrapolated = float(measured(*point, 300.0)) + slope * (temperature - 300.0)
            assert by_temperature[temperature].value == pytest.approx(extrapolated, abs=0.004)


def test_every_value_says_where_it_is_from():
    for table in (experiment.DENSITY, experiment.DENSITY_PBE_D3_BJ, *experiment.ELECTROLYTE_DENSITY.values()):
        for measurement in table.values():
            assert measurement.unit == "g/cm³" and measurement.source and 270 < measurement.temperature < 330


def test_more_ec_is_denser_and_the_functional_too_light():
    order = ["EMC", "EC:EMC 3:7", "EC:EMC 7:3", "EC"]
    measured = np.array([experiment.DENSITY[name].value for name in order])
    functional = np.array([experiment.DENSITY_PBE_D3_BJ[name].value for name in order])
    assert (np.diff(measured) > 0).all()
    deviation = functional / measured - 1
    assert (deviation < -0.035).all() and (deviation > -0.075).all()


@pytest.mark.parametrize(("ratio", "temperature"), [("9:1", 300.0), ("3:7", 310.0)])
def test_electrolyte_without_a_measured_density_is_refused(ratio, temperature):
    with pytest.raises(InputError, match=f"no measured density of LiPF6 in EC:EMC {ratio} at {temperature:g} K"):
        experiment.electrolyte_density(ratio, temperature)


def test_unknown_liquid_is_refused():
    with pytest.raises(InputError, match="no measured density of 'DMC'; there are EC"):
        experiment.density("DMC")
