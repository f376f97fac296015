import math

import pytest

from electrolyte_ml.checks import count_in, number, whole
from electrolyte_ml.errors import InputError


@pytest.mark.parametrize("value", [10**400, "many", None, True, math.nan, math.inf, 0, -1.0])
def test_a_number_is_positive_and_finite(value):
    with pytest.raises(InputError, match="^the time must be"):
        number("the time", value, "ps")
    assert number("the time", "2.5") == 2.5


@pytest.mark.parametrize("value", [0, 1.0, "2", True, None])
def test_a_whole_number_is_not_another_number(value):
    with pytest.raises(InputError, match="^replicas must be a whole number, 1 or more"):
        whole("replicas", value)
    assert whole("replicas", 10**20) == 10**20


def test_counts_in_files_have_at_most_twelve_digits():
    assert count_in(" 28\n") == 28 and count_in(b"999999999999") == 10**12 - 1
    assert all(count_in(text) is None for text in ("1" * 13, "-1", "1.0", "", "٣"))
