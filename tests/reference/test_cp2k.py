"""CP2K: the input that is written, the output that is read, and one real label where the program is."""

import shutil

import numpy as np
import pytest
from ase import Atoms
from ase.units import GPa

from electrolyte_ml import reference
from electrolyte_ml.errors import InputError
from electrolyte_ml.reference import LabelError
from electrolyte_ml.reference.cp2k import CP2KReference, parse_output
from electrolyte_ml.reference.labels import label_hash
from electrolyte_ml.structures import molecule, pack

# Written by hand after the program's format: energies, forces and stress that anyone can convert.
OUTPUT = """\
 ENERGY| Total FORCE_EVAL ( QS ) energy [a.u.]:              -17.000000000000

 ATOMIC FORCES in [a.u.]

 # Atom   Kind   Element          X              Y              Z
      1      1      O         0.100000000000     0.000000000000    -0.200000000000
      2      2      H        -0.100000000000     0.000000000000     0.200000000000
 SUM OF ATOMIC FORCES           0.0     0.0    0.0     0.0

 STRESS| Analytical stress tensor [GPa]
 STRESS|                        x                   y                   z
 STRESS|      x        1.00000000000E+00   6.00000000000E+00   5.00000000000E+00
 STRESS|      y        6.00000000000E+00   2.00000000000E+00   4.00000000000E+00
 STRESS|      z        5.00000000000E+00   4.00000000000E+00   3.00000000000E+00
 STRESS| 1/3 Trace      2.00000000000E+00

  **** **** ******  **  PROGRAM ENDED AT                 2024-01-01 00:00:00.000
"""


@pytest.fixture
def fake(tmp_path):
    """Make a `cp2k` that prints what the test says."""

    def make(output, status=0):
        (tmp_path / "text").write_text(output)
        program = tmp_path / "cp2k"
        program.write_text(
            "#!/bin/sh\n"
            'if [ "$1" = --version ]; then echo " CP2K version 2023.1"; exit 0; fi\n'
            f"cp label.inp '{tmp_path}/seen.inp'\n"
            f"grep -q ENERGY_FORCE label.inp || cp label.inp '{tmp_path}/first.inp'\n"
            f"cat '{tmp_path}/text'\nexit {status}\n"
        )
        program.chmod(0o755)
        return CP2KReference(str(program))

    return make


def oh():
    return Atoms("OH", [[0, 0, 0], [0, 0, 1.0]], cell=[6, 7, 8], pbc=True, info={"charge": -1})


def section(text, *path):
    """The keywords of one section of a CP2K input, as a dictionary."""
    stack, found = [], {}
    for line in text.splitlines():
        words = line.split()
        if words[0] == "&END":
            stack.pop()
        elif words[0].startswith("&"):
            stack.append(" ".join(words)[1:])
        elif stack == list(path):
            found[words[0]] = " ".join(words[1:])
    assert found, f"no section {path}"
    return found


def test_units_and_signs_of_the_output():
    label = parse_output(OUTPUT, 2)
    assert label.energy == pytest.approx(-17 * 27.211386, rel=1e-7)
    assert label.forces[0] == pytest.approx(np.array([0.1, 0, -0.2]) * 51.422067, rel=1e-6)
    # CP2K counts compression positive, ASE tension; Voigt xx yy zz yz xz xy
    assert label.stress / GPa == pytest.approx([-1, -2, -3, -4, -5, -6])


def test_the_input_holds_the_published_settings(fake):
    text = fake(OUTPUT).input(oh())
    top = "FORCE_EVAL"
    assert section(text, top)["STRESS_TENSOR"] == "ANALYTICAL"
    assert section(text, top, "DFT", "MGRID") == {"CUTOFF": "[Ry] 600", "REL_CUTOFF": "[Ry] 60"}
    assert float(section(text, top, "DFT", "QS")["EPS_DEFAULT"]) == 1e-12
    assert float(section(text, top, "DFT", "SCF")["EPS_SCF"]) == 1e-6
    assert section(text, top, "DFT", "SCF", "MIXING")["METHOD"] == "BROYDEN_MIXING"
    assert float(section(text, top, "DFT", "SCF", "MIXING")["ALPHA"]) == 0.4
    dispersion = section(text, top, "DFT", "XC", "VDW_POTENTIAL", "PAIR_POTENTIAL")
    assert dispersion["TYPE"] == "DFTD3"
    assert dispersion["R_CUTOFF"] == "[angstrom] 12"
    assert section(text, top, "SUBSYS", "KIND O") == {"BASIS_SET": "DZVP-MOLOPT-SR-GTH", "POTENTIAL": "GTH-PBE-q6"}
    assert section(text, top, "DFT")["CHARGE"] == "-1"
    assert section(text, top, "DFT")["UKS"] == ".FALSE."
    assert [float(x) for x in section(text, top, "SUBSYS", "CELL")["B"].split()[1:]] == [0, 7, 0]


def test_the_cutoff_follows_the_elements_unless_one_is_given(fake):
    """At 600 Ry the forces of a LiPF6 cell sum to 1.4 eV/Å."""
    cp2k = fake(OUTPUT)
    hard = Atoms("OF", [[0, 0, 0], [0, 0, 1.4]], cell=[6, 7, 8], pbc=True)
    grid = ("FORCE_EVAL", "DFT", "MGRID")
    assert section(cp2k.input(hard), *grid)["CUTOFF"] == "[Ry] 1200"
    assert section(cp2k.input(oh()), *grid)["CUTOFF"] == "[Ry] 600"
    given = CP2KReference(cp2k._program, cutoff=700)
    assert section(given.input(hard), *grid)["CUTOFF"] == "[Ry] 700"
    assert [cp2k.key_of(atoms)["settings"]["cutoff"] for atoms in (hard, oh())] == [1200, 600]
    assert label_hash(hard, given) != label_hash(hard, cp2k)
    assert label_hash(hard, CP2KReference(cp2k._program, cutoff=1200)) == label_hash(hard, cp2k)


def test_an_odd_number_of_electrons_is_open_shell(fake):
    radical = oh()
    radical.info["charge"] = 0
    keywords = section(fake(OUTPUT).input(radical), "FORCE_EVAL", "DFT")
    assert (keywords["UKS"], keywords["MULTIPLICITY"], keywords["CHARGE"]) == (".TRUE.", "2", "0")


def test_a_label_goes_through_files(fake, tmp_path):
    label = fake(OUTPUT).label(oh())
    assert label.attempts == 1
    assert label.forces.shape == (2, 3)
    assert section((tmp_path / "seen.inp").read_text(), "FORCE_EVAL", "SUBSYS", "KIND H")


def test_the_first_density_has_a_coarse_grid(fake, tmp_path):
    fake(OUTPUT).label(oh())
    first, seen = ((tmp_path / name).read_text() for name in ("first.inp", "seen.inp"))
    dft = ("FORCE_EVAL", "DFT")
    assert section(first, *dft, "MGRID") == {"CUTOFF": "[Ry] 300", "REL_CUTOFF": "[Ry] 40"}
    assert section(first, *dft, "SCF")["SCF_GUESS"] == "ATOMIC"
    assert section(seen, *dft, "MGRID") == {"CUTOFF": "[Ry] 600", "REL_CUTOFF": "[Ry] 60"}
    assert section(seen, *dft, "SCF")["SCF_GUESS"] == "RESTART"
    assert section(fake(OUTPUT).input(oh(), coarse=True, cutoff=200), *dft, "MGRID")["CUTOFF"] == "[Ry] 200"


def test_a_label_needs_no_first_density(fake, tmp_path):
    cp2k = fake(OUTPUT)
    program = tmp_path / "cp2k"
    program.write_text(program.read_text().replace("cat ", "grep -q ENERGY_FORCE label.inp || exit 1\ncat "))
    assert cp2k.label(oh()).energy == pytest.approx(-17 * 27.211386, rel=1e-7)


def test_no_convergence_is_tried_once_more_with_smaller_steps(fake, tmp_path):
    with pytest.raises(LabelError, match="did not converge; with safer settings: .*did not converge"):
        fake(" *** WARNING: SCF run NOT converged ***\n" + OUTPUT).label(oh())
    assert float(section((tmp_path / "seen.inp").read_text(), "FORCE_EVAL", "DFT", "SCF", "MIXING")["ALPHA"]) == 0.1


@pytest.mark.parametrize("end", [" ENERGY|", " STRESS| Analytical", "  **** ****"])
def test_an_output_that_ends_early(fake, end):
    with pytest.raises(LabelError, match="incomplete"):
        fake(OUTPUT[: OUTPUT.index(end)]).label(oh())


def test_an_abort_is_told_in_cp2ks_words(fake):
    box = r"""
 *******************************************************************************
 *   ___                                                                       *
 *  /   \                                                                      *
 * [ABORT]                                                                     *
 *  \___/                      the cell is too small                           *
 *    |                                                                        *
 *  O/|                                                                        *
 * /| |                                                                        *
 * / \                                                        cell_types.F:12  *
 *******************************************************************************
"""
    with pytest.raises(LabelError, match=r"failed with exit status 1: the cell is too small cell_types\.F:12"):
        fake(box, status=1).label(oh())


def test_a_missing_program_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="apt install cp2k"):
        reference.get("cp2k-pbe-d3")
    with pytest.raises(InputError, match="no program '/no/cp2k'"):
        reference.get("cp2k-pbe-d3", program="/no/cp2k")


def test_what_it_cannot_label_is_refused(fake):
    cp2k = fake(OUTPUT)
    with pytest.raises(InputError, match="3D-periodic"):
        cp2k.check(molecule("EC"))
    iron = Atoms("OFe", [[0, 0, 0], [0, 0, 2]], cell=[6, 6, 6], pbc=True)
    with pytest.raises(InputError, match="configuration 4: atom 2 is Fe"):
        cp2k.check(iron, "configuration 4")
    with pytest.raises(InputError, match="no setting 'cuttoff'"):
        reference.get("cp2k-pbe-d3", program=cp2k._program, cuttoff=800)


@pytest.mark.slow
def test_a_real_label_agrees_with_finite_differences():
    """Energies of two displaced and two strained cells, against the integral of forces and stress between them.

    Simpson's rule over three labels leaves an error of fifth order, so that steps can be large against CP2K's noise
    of about 2 meV (the density's grid does not move with the atoms).
    """
    if shutil.which("cp2k") is None:
        pytest.skip("CP2K is not installed here (apt install cp2k); the test takes about six minutes with it")
    cp2k = reference.get("cp2k-pbe-d3")
    box = pack({"EC": 2}, 1.2, seed=0)
    rng = np.random.default_rng(0)
    direction = rng.uniform(-1, 1, box.positions.shape)  # (20, 3)
    step, strain = 0.05, 0.01
    displaced = [box.copy() for _ in range(2)]
    strained = [box.copy() for _ in range(2)]
    for sign, moved, stretched in zip((-1, 1), displaced, strained):
        moved.positions += sign * step * direction
        cell = box.cell.array * np.array([1, 1, 1 + sign * strain])
        stretched.set_cell(cell, scale_atoms=True)
    middle, *others = (cp2k.label(atoms) for atoms in (box, *displaced, *strained))
    minus, plus, narrow, wide = others

    slope = [-(label.forces * direction).sum() for label in (minus, middle, plus)]  # dE/dstep, eV/Å
    assert plus.energy - minus.energy == pytest.approx(step / 3 * np.dot(slope, [1, 4, 1]), abs=0.01)
    # dE/dln(1 + strain) is V sigma_zz
    tension = [
        atoms.get_volume() * label.stress[2]
        for atoms, label in zip((strained[0], box, strained[1]), (narrow, middle, wide))
    ]
    assert wide.energy - narrow.energy == pytest.approx(strain / 3 * np.dot(tension, [1, 4, 1]), abs=0.01)
    assert np.abs(middle.forces.sum(axis=0)).max() < 0.2
