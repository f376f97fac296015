"""Calls spread over threads."""

import threading

import pytest

from electrolyte_ml.threads import run


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_results_come_in_the_order_of_the_calls(threads):
    assert run(divmod, [(k, 3) for k in range(20)], threads) == [divmod(k, 3) for k in range(20)]


def test_nobody_idles_while_there_are_calls():
    """Each call needs another one at the same time."""
    meeting = threading.Barrier(2, timeout=20)
    run(lambda k: meeting.wait(), [(k,) for k in range(8)], 2)


@pytest.mark.parametrize("threads", [1, 2])
def test_an_error_of_any_call_is_the_callers(threads):
    with pytest.raises(ZeroDivisionError):
        run(divmod, [(1, 1)] * 7 + [(1, 0)], threads)
