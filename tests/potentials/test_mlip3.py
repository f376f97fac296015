"""Files of MLIP-3: the potential, and behind it the active set over the neighbourhoods of its training set.

The files are put together here byte by byte, from rows that the package computes in another way.
"""

import numpy as np
import pytest

from electrolyte_ml.active_learning.active_set import ActiveSet
from electrolyte_ml.cli import main
from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials import MomentTensorPotential, load
from electrolyte_ml.potentials.mlip3 import has_selection, read_selection

HEAD = "energy_weight {}\nforce_weight 0\nstress_weight 0\nsite_en_weight {}\nweight_scaling 0\n"


def section(matrix, links, energy_weight=0.0, site_weight=1.0):
    both = [site_weight * matrix, np.linalg.inv(site_weight * matrix).T]
    binary = b"".join(one.astype("<f8").tobytes() for one in both)
    table = "".join(f"{configuration} {row}\n" for row, configuration in enumerate(links))
    return (
        b"\n#MVS_v1.1\n"
        + HEAD.format(energy_weight, site_weight).encode()
        + b"#"
        + binary
        + b"\n#\n"
        + (table + "#\nBEGIN_CFG and so on").encode()
    )


@pytest.fixture
def potential():
    return MomentTensorPotential.random(4, ("H", "O"), seed=3, cutoff=4.0)


@pytest.fixture
def known(potential, liquid):
    return ActiveSet.build(potential, [liquid(8, ("H", "O"), seed) for seed in range(12)], "neighbourhood")


@pytest.fixture
def file(tmp_path, potential, known):
    """A function that writes a file; by default one whose rows are those of `known`."""

    def write(behind=None, name="pot.almtp"):
        potential.save(tmp_path / "pot.mtp")
        matrix = np.where(
            (known.result.index >= 0)[:, None], known.result.matrix, 1e-6 * np.eye(len(known.result.index))
        )
        links = np.where(known.result.index >= 0, known.result.index // 8, -1)
        path = tmp_path / name
        path.write_bytes((tmp_path / "pot.mtp").read_bytes() + (behind or section(matrix, links)))
        return path

    return write


def test_potential_and_grades_are_read(file, potential, known, liquid):
    path = file()
    assert has_selection(path) and load(path).fingerprint == potential.fingerprint
    read = ActiveSet.load(path, load(path))
    assert read.mode == "neighbourhood" and read.active.tolist() == known.active.tolist()
    assert read.ranks() == known.ranks()
    spanned = known.result.index >= 0
    atoms = liquid(9, ("H", "O"), 50)
    coordinates = potential.site_energy_gradients(atoms) @ read.result.inverse
    expected = potential.site_energy_gradients(atoms) @ known.result.inverse
    assert coordinates[:, spanned] == pytest.approx(expected[:, spanned], rel=1e-4, abs=1e-4)


def test_rows_have_the_weight_of_site_energies(file, known):
    matrix = known.result.matrix + np.eye(len(known.result.matrix))
    for weight in (1.0, 2.5):
        path = file(section(matrix, [0] * len(matrix), site_weight=weight))
        assert read_selection(path, len(matrix)).matrix == pytest.approx(matrix, rel=1e-12)


def test_what_cannot_be_read_is_refused(file, potential, known, tmp_path):
    size = potential.n_parameters
    matrix = np.eye(size) * 3.0
    whole = section(matrix, [0] * size)
    for behind, message in (
        (section(matrix, [0] * size, energy_weight=1.0), "chosen with energy_weight 1, site_en_weight 1"),
        (whole[: len(whole) // 2], "incomplete"),
        (whole.replace(b"site_en_weight 1.0", b"site_en_weight one"), "site_en_weight .* is not a number: 'one'"),
        (whole.replace(b"force_weight", b"farce_weight"), "the header of its active set is damaged"),
        (whole.replace(np.float64(3.0).tobytes(), np.float64(2.0).tobytes(), 1), "not the inverse of each other"),
        (whole.replace(b"0 1\n", b"zero 1\n", 1), "does not name the configurations"),
    ):
        with pytest.raises(InputError, match=message) as caught:
            ActiveSet.load(file(behind), potential)
        assert "pot.almtp" in str(caught.value)
    other = MomentTensorPotential.random(4, ("H", "O"), seed=4, cutoff=4.0)
    with pytest.raises(InputError, match="belongs to another potential"):
        ActiveSet.load(file(whole), other)
    with pytest.raises(InputError, match="contains no active set"):
        read_selection(tmp_path / "pot.mtp", size)


def test_a_mark_before_the_text_is_no_part_of_it(file, potential, tmp_path):
    plain = tmp_path / "pot.mtp"
    potential.save(plain)
    marked = tmp_path / "marked.mtp"
    marked.write_bytes(b"\xef\xbb\xbf" + plain.read_bytes())
    assert load(marked).fingerprint == potential.fingerprint


def test_a_template_without_parameters_gives_random_ones(potential, tmp_path, untrained):
    potential.save(tmp_path / "pot.mtp")
    template = tmp_path / "untrained.mtp"
    template.write_text(untrained((tmp_path / "pot.mtp").read_text()))
    with pytest.raises(InputError, match="line 12: no radial coefficients: the potential is not trained"):
        load(template)
    drawn = [load(template, seed=seed) for seed in (0, 0, 1)]
    assert drawn[0].fingerprint == drawn[1].fingerprint != drawn[2].fingerprint
    assert drawn[0].basis == potential.basis and drawn[0].cutoff == potential.cutoff
    assert np.ptp(drawn[0].parameters) > 1.5 and abs(drawn[0].parameters).max() <= 1.0


def test_the_active_set_is_among_the_facts(file, known, capsys):
    path = file()
    rows = len(known.result.index)
    assert main(["info", str(path), "--species", "H", "O"]) == 0
    assert f"{known.result.index[known.result.index >= 0].size} neighbourhoods, for a rank of at most {rows}" in (
        capsys.readouterr().out
    )
