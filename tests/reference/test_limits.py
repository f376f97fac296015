"""What each preset says before it runs: what it can label, and the time that the labels will take."""

import pytest
from ase import Atoms

from electrolyte_ml import reference
from electrolyte_ml.reference import LabelStore
from electrolyte_ml.reference.base import Cost, duration


def test_the_limits_are_said_in_one_line():
    xtb = reference.get().limits()
    assert xtb.startswith("GFN1-xTB: molecules and 3D-periodic cells; charged molecules, neutral cells; H to Rn; ")
    vasp = reference.get("vasp-pbe-d3").limits()
    assert vasp == "PBE-D3(0), VASP: 3D-periodic cells; neutral only; H Li C O F P; no measured cost"
    assert "molecules and periodic cells; neutral only; any element" in reference.get("lj").limits()


def test_the_cost_grows_as_it_was_measured():
    """Seconds of one core, measured alone on a machine for cells of EC and of EC, EMC and LiPF6."""
    gfn1 = reference.get().cost
    for n_atoms, seconds in ((20, 0.2), (43, 0.8), (80, 1.8), (143, 10), (160, 9)):
        assert gfn1(n_atoms) == pytest.approx(seconds, rel=0.4)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.234, "0.23 s"), (89, "89 s"), (95, "1.6 min"), (6000, "1.7 h"), (2e5, "2.3 days")]
)
def test_durations_have_two_digits(seconds, text):
    assert duration(seconds) == text


def test_the_estimate_counts_what_the_store_does_not_have(spring, pairs, tmp_path):
    springs = spring()
    store = LabelStore(tmp_path / "labels")
    assert store.estimate(pairs, springs).endswith("no measured cost; 10 labels to compute")
    store.label_all(pairs[:4], springs, progress=False)
    springs.cost = Cost(40.0 / 0.05, 1.0)  # 40 s for two atoms
    assert store.estimate([*pairs, pairs[9]], springs, 2).endswith("6 labels to compute, about 2 min on 2 cores")
    assert store.estimate(pairs[:5], springs, 2).endswith("1 label to compute, about 40 s on one core")
    assert store.estimate(pairs[:4], springs).endswith("0 labels to compute")


def test_one_large_label_keeps_one_core_busy(spring, tmp_path):
    springs = spring()
    springs.cost = Cost(100.0, 1.0)
    large = Atoms("H40", [[i, 0, 0] for i in range(40)])
    small = large[:2]
    assert "about 100 s on 2 cores" not in LabelStore(tmp_path).estimate([large, small], springs, 2)
    assert "about 1.7 min on 2 cores" in LabelStore(tmp_path).estimate([large, small], springs, 2)
