"""What charges buy, said from errors whose answer is known."""

import numpy as np
import pytest

from electrolyte_ml.errors import InputError
from electrolyte_ml.paper.charge_gain import at_equal_level, charge_gain, equivalent_parameters


def kinds(charged, plain=(1.0, 1.02, 0.98)):
    return {"MTP12": (200, plain), "MTP16": (400, (0.5, 0.5, 0.5)), "MTP12-QRd": (206, charged)}


def test_clear_gains_and_losses_are_told_from_chance(validation):
    for charged, verdict in (
        ((0.80, 0.81, 0.79), "smaller"),
        ((1.20, 1.21, 1.19), "larger"),
        ((0.95, 0.80, 1.20), "within the spread"),
    ):
        rows = at_equal_level(validation(kinds=kinds(charged)), "MTP12")
        assert len(rows) == 6 and {row.verdict for row in rows} == {verdict}
    change = at_equal_level(validation(kinds=kinds((0.80, 0.81, 0.79))), "MTP12")[0]
    assert change.change == pytest.approx(-0.2)
    assert change.noise == pytest.approx(change.plain * np.hypot(0.02, 0.01) / np.sqrt(3))


def test_one_seed_tells_nothing(validation):
    errors = validation(kinds={"MTP12": (200, (1.0,)), "MTP12-QRd": (206, (0.2,))})
    assert {row.verdict for row in at_equal_level(errors, "MTP12")} == {"within the spread"}


def test_the_equivalent_size_is_interpolated_in_logarithms(validation):
    errors = validation(kinds=kinds((np.sqrt(0.5),) * 3, plain=(1.0,) * 3))
    assert equivalent_parameters(errors, "MTP12-QRd", "total", "forces") == pytest.approx(200 * np.sqrt(2))
    assert equivalent_parameters(validation(kinds=kinds((0.4,) * 3)), "MTP12-QRd", "total", "forces") is None


def test_the_verdict_in_words(validation):
    gained = charge_gain(validation(kinds=kinds((0.80, 0.81, 0.79))))
    assert "MTP12 against MTP12-QRd (200 and 206 parameters):" in gained
    assert "of 6 errors charges make 6 smaller and 0 larger; 0 change by less" in gained
    assert "chance alone passes that in 12%" in gained  # Student's t of four degrees of freedom
    assert "charges add only 6" in gained and "So charges buy accuracy here" in gained
    lost = charge_gain(validation(kinds=kinds((1.20, 1.21, 1.19))))
    assert "So charges cost accuracy here" in lost
    open_ = charge_gain(validation(kinds=kinds((0.95, 0.80, 1.20))))
    assert "So charges buy no accuracy that our seeds could tell from chance in most errors." in open_
    assert "One level was run" in charge_gain(
        validation(kinds={"MTP12": (200, (1.0, 1.1)), "MTP12-QRd": (206, (1.0, 1.1))})
    )


def test_without_pairs_there_is_no_verdict(validation):
    with pytest.raises(InputError, match="no level was run both without and with charges"):
        charge_gain(validation(kinds={"MTP12": (200, (1.0,))}))
