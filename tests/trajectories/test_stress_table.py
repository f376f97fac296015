"""Pressure tensors in tables of other programs."""

import numpy as np
import pytest

from electrolyte_ml.errors import InputError
from electrolyte_ml.trajectories import read_stress_table

VALUES = np.random.default_rng(0).normal(size=(30, 6)) * 100  # xx, yy, zz, yz, xz, xy
XVG = """# gmx energy
@    title "GROMACS Energies"
@    yaxis  label "(bar)"
@ s0 legend "Pres-XX"
@ s1 legend "Pres-XY"
@ s2 legend "Pres-XZ"
@ s3 legend "Pres-YX"
@ s4 legend "Pres-YY"
@ s5 legend "Pres-YZ"
@ s6 legend "Pres-ZX"
@ s7 legend "Pres-ZY"
@ s8 legend "Pres-ZZ"
"""


def row(numbers):
    return " ".join(f"{number:.8f}" for number in numbers) + "\n"


def test_energies_of_gromacs(tmp_path):
    path = tmp_path / "energy.xvg"
    lines = [row([0.005 * k, v[0], v[5], v[4], v[5], v[1], v[3], v[4], v[3], v[2]]) for k, v in enumerate(VALUES)]
    path.write_text(XVG + "".join(lines))
    found = read_stress_table(path, 5000.0)
    np.testing.assert_allclose(found.pressures, VALUES, atol=1e-7)
    assert (found.interval_ps, found.volume) == (pytest.approx(0.005), 5000.0)


@pytest.mark.parametrize(
    "header",
    ["# Step Pxx Pyy Pzz Pxy Pxz Pyz", "Step c_press_xx xx_wrong", "Step pxx pyy pzz pxy pxz pyz"],
)
def test_thermo_output_of_lammps_in_atm(tmp_path, header):
    path = tmp_path / "thermo.dat"
    path.write_text(header + "\n" + "".join(row([10 * k, *v[:3], v[5], v[4], v[3]]) for k, v in enumerate(VALUES)))
    if "wrong" in header:
        with pytest.raises(InputError, match="names no column P"):
            read_stress_table(path, 1.0, unit="atm", interval_ps=0.01)
        return
    found = read_stress_table(path, 5000.0, unit="atm", interval_ps=0.01)
    np.testing.assert_allclose(found.pressures, 1.01325 * VALUES, atol=1e-7)


def test_what_a_table_does_not_say_is_asked_for(tmp_path):
    path = tmp_path / "table.txt"
    rows = [row([0.1 * k, *v]) for k, v in enumerate(VALUES)]
    path.write_text("time_ps Pxx Pyy Pzz Pyz Pxz Pxy\n" + "".join(rows))
    assert read_stress_table(path, 1.0, unit="MPa").interval_ps == pytest.approx(0.1)
    with pytest.raises(InputError, match=r"unit of its pressures: .*\(unit=, --pressure-unit\)"):
        read_stress_table(path, 1.0)
    with pytest.raises(InputError, match="no unit of pressure 'psi'"):
        read_stress_table(path, 1.0, unit="psi")
    path.write_text("Time Pxx Pyy Pzz Pyz Pxz Pxy\n" + "".join(rows))  # LAMMPS's is in fs or ps
    with pytest.raises(InputError, match="no column time_ps"):
        read_stress_table(path, 1.0, unit="bar")
    path.write_text("time_ps Pxx Pyy Pzz Pyz Pxz Pxy\n" + "".join([*rows[:5], *rows[7:]]))
    with pytest.raises(InputError, match="not evenly spaced"):
        read_stress_table(path, 1.0, unit="bar")
    path.write_text("time_ps Pxx Pyy Pzz Pyz Pxz Pxy\n" + "".join(rows) + "1 2 3\n")
    with pytest.raises(InputError, match="row 31 has 3 numbers, not 7"):
        read_stress_table(path, 1.0, unit="bar")
    path.write_text("nothing\n")
    with pytest.raises(InputError, match="no row of numbers"):
        read_stress_table(path, 1.0, unit="bar")
