"""The comparison with another checkout: both sides run every case, and a broken checkout is one clear error."""

import pytest

from electrolyte_ml._benchmarks.against import compare, format_comparison
from electrolyte_ml._benchmarks.cases import TASKS
from electrolyte_ml.errors import ElectrolyteError


@pytest.mark.slow
def test_a_checkout_against_itself(root):
    result = compare(root, [4], [40], repeats=2)
    assert {row["task"] for row in result["rows"]} == set(TASKS.values())
    table = format_comparison(result)
    for row in result["rows"]:
        assert 0 < row["low"] <= row["ratio"] <= row["high"]
        assert row["this"] > 0 and row["other"] > 0
        assert f"{row['ratio']:.3f}" in table
        assert row["task"] in table


def test_a_broken_checkout_is_named(tmp_path):
    (tmp_path / "electrolyte_ml").mkdir()
    (tmp_path / "electrolyte_ml" / "__init__.py").write_text("raise RuntimeError('broken')")
    with pytest.raises(ElectrolyteError, match=f"{tmp_path}: .* ended with code 1"):
        compare(tmp_path, [4], [40], repeats=1)
