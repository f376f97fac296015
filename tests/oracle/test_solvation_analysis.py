"""Shells beside solvation-analysis on the systems that it ships, and beside numbers counted there by hand."""

import warnings

import numpy as np
import pytest

from electrolyte_ml.analysis import analyse_solvation, to_solute
from electrolyte_ml.errors import InputError

pytest.importorskip("solvation_analysis", reason="solvation-analysis is not installed")


def run(solute, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        solute.run(**options)
    return solute


RADII = {"PF6": 2.6, "BN": 2.65, "FEC": 2.75}


def test_bn_fec_known_numbers(bn_fec):
    ours = analyse_solvation(bn_fec, cutoffs=RADII)
    assert ours.ligands["BN"].value == pytest.approx(4.351, abs=5e-4)
    assert ours.ligands["FEC"].value == pytest.approx(0.335, abs=5e-4)
    assert ours.ligands["PF6"].value == pytest.approx(0.120, abs=5e-4)
    assert [e.value for e in ours.anions_in_shell.values()] == pytest.approx([0.8796, 0.1204, 0.0], abs=5e-5)


def test_ions_are_counted_not_networks(bn_fec):
    """SSIP, CIP and AGG per Li by the components of the graph, beside the status that counts clusters."""
    from solvation_analysis.networking import Networking

    radii = {"PF6": 2.8, "BN": 2.61468, "FEC": 2.43158}
    ours = analyse_solvation(bn_fec, cutoffs=radii)
    assert [ours.ligands[name].value for name in ("BN", "FEC", "PF6")] == pytest.approx([4.329, 0.253, 0.137], abs=5e-4)
    assert [e.value for e in ours.ion_pairs.values()] == pytest.approx([0.8633, 0.1122, 0.0245], abs=5e-5)
    solute = run(to_solute(bn_fec, radii))
    theirs = Networking.from_solute(solute, "PF6").solute_status
    assert theirs["isolated"] == pytest.approx(0.8755, abs=5e-5)
    assert theirs["networked"] == pytest.approx(0.0122, abs=5e-5)
    # One network of two Li is one of theirs and two of ours; what they lose they count as isolated.
    assert ours.ion_pairs["AGG"].value == pytest.approx(2 * theirs["networked"])
    assert ours.ion_pairs["SSIP"].value == pytest.approx(theirs["isolated"] - theirs["networked"])


def test_coordination_and_shells_agree(bn_fec):
    ours = analyse_solvation(bn_fec, cutoffs=RADII)
    theirs = run(to_solute(bn_fec, RADII))
    for name in RADII:
        assert ours.ligands[name].value == pytest.approx(theirs.coordination.coordination_numbers[name])
        assert ours.free[name].value == pytest.approx(theirs.pairing.fraction_free_solvents[name])
    speciation = theirs.speciation.speciation_fraction
    ours_by = {}
    for label, estimate in ours.shells.items():
        parts = dict(reversed(part.split(" ")) for part in label.split(" + "))
        ours_by[tuple(int(parts.get(name, 0)) for name in RADII)] = estimate.value
    for _, row in speciation.iterrows():
        assert ours_by[tuple(int(row.get(name, 0)) for name in RADII)] == pytest.approx(row["fraction"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "fractions"),
    [
        ("ea", (0.898, 0.102, 0.0)),
        ("eaf", (0.629, 0.351, 0.021)),
        ("fea", (0.359, 0.445, 0.195)),
        ("feaf", (0.151, 0.447, 0.403)),
    ],
)
def test_anions_in_the_shells_of_fluorinated_acetates(eax, name, fractions):
    trajectory = eax(name)
    cutoffs = {"PF6": 2.6, "EAx": 2.7, "FEC": 2.7}
    ours = analyse_solvation(trajectory, cutoffs=cutoffs)
    assert [e.value for e in ours.anions_in_shell.values()] == pytest.approx(fractions, abs=6e-4)
    theirs = run(to_solute(trajectory, cutoffs))
    for species in cutoffs:
        assert ours.ligands[species].value == pytest.approx(theirs.coordination.coordination_numbers[species])


@pytest.mark.slow
def test_ethyl_acetate_and_fec_agree(eax):
    trajectory = eax("ea_fec")
    cutoffs = {"PF6": 2.6, "EAx": 2.7, "FEC": 2.7}
    ours, theirs = analyse_solvation(trajectory, cutoffs=cutoffs), run(to_solute(trajectory, cutoffs))
    for species in cutoffs:
        assert ours.ligands[species].value == pytest.approx(theirs.coordination.coordination_numbers[species])


def test_found_cutoffs_lie_between_the_shells(shipped):
    """With the donors that bonds suggest: beyond the first peak near 2 Å, before the second shell near 4.5 Å."""
    from electrolyte_ml.analysis import find_cutoffs
    from electrolyte_ml.trajectories import open_trajectory

    folder = shipped / "bn_fec_data"
    trajectory = open_trajectory(
        folder / "bn_fec_short_wrap.dcd",
        topology=folder / "bn_fec.data",
        roles={"BN": "type 5", "FEC": "type 19"},
    )
    cutoffs, distributions = find_cutoffs(trajectory)
    assert set(cutoffs) == {"PF6", "BN", "FEC"}
    for cutoff in cutoffs.values():
        assert 2.4 < cutoff.value < 4.2
        assert cutoff.error < 0.5
    shell = distributions["Li-all donors"].shell
    assert 1.9 < shell.peak < 2.3
    assert shell.coordination == pytest.approx(4.9, abs=0.3)  # BN, FEC and PF6 of the known radii, together
    far = distributions["Li-BN"]
    assert far.g[-50:].mean() == pytest.approx(1.0, abs=0.3)


def test_wrapped_and_unwrapped_positions_count_the_same(bn_fec, bn_fec_unwrapped):
    wrapped, unwrapped = (analyse_solvation(t, cutoffs=RADII) for t in (bn_fec, bn_fec_unwrapped))
    for name in RADII:
        assert wrapped.ligands[name].value == pytest.approx(unwrapped.ligands[name].value, abs=0.003)
    inside, outside = (np.concatenate(list(t.unwrapped())) for t in (bn_fec, bn_fec_unwrapped))
    moved = (inside - inside[0]) - (outside - outside[0])
    assert np.abs(moved).max() < 0.01  # the file's own unwrapping is ours


def test_a_ligand_that_never_coordinates_counts_zero(bn_fec):
    """No PF6 within 1.6 Å: their coordination has no entry for it, and what needs one raises."""
    radii = RADII | {"PF6": 1.4}
    ours = analyse_solvation(bn_fec, cutoffs=radii)
    assert ours.ligands["PF6"].value == 0.0
    assert ours.ion_pairs["SSIP"].value == 1.0
    assert ours.ion_pairs["SSIP"].interval[0] < 1.0  # 490 ions without an anion do not prove that there never is one
    assert ours.residence["PF6"].continuous.value != ours.residence["PF6"].continuous.value  # none to speak of: NaN
    with pytest.raises(Exception):  # noqa: B017 - whatever it raises is not the 0 that it should return
        from solvation_analysis.networking import Networking

        status = Networking.from_solute(run(to_solute(bn_fec, radii)), "PF6").solute_status
        assert status["isolated"] == 1.0


def test_first_minima_agree_where_noise_allows(shipped):
    """Li's own RDFs have a shell that ends at 2.3 to 4.2 Å; those of other pairs have none that close."""
    from electrolyte_ml.analysis.rdf import first_minimum

    def curves(folder):
        for path in sorted((shipped / folder).glob("*_bins.npz")):
            r, g = (np.load(str(path).replace("bins", what))["arr_0"] for what in ("bins", "data"))
            yield path.stem, r, g

    for name, r, g in curves("rdf_vs_li_easy"):
        if not name.endswith(("N_bins", "O_bins")):
            continue
        found = first_minimum(r, g, 0.02 * np.sqrt(g + 0.01))
        assert found is not None, name
        assert 1.8 < found[0] < 2.3, name
        assert 2.3 < found[1] < 4.2, name
    for name, r, g in curves("rdf_non_solvated"):
        found = first_minimum(r, g, 0.02 * np.sqrt(g + 0.01))
        assert found is None or found[0] > 2.6, name


def test_a_species_without_donors_cannot_be_a_solvent(bn_fec):
    with pytest.raises(InputError, match="no donors of 'water'"):
        to_solute(bn_fec, {"water": 2.0})
