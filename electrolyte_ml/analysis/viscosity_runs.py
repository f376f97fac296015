"""Shear viscosity from the recorded pressure tensors of runs."""

from __future__ import annotations

from collections.abc import Sequence

from electrolyte_ml.analysis.estimates import TransportEstimate
from electrolyte_ml.analysis.transport import viscosity
from electrolyte_ml.errors import InputError
from electrolyte_ml.trajectories.stress_record import StressRecord


def run_viscosity(
    records: Sequence[StressRecord], temperature: float, *, window_ps: tuple[float, float] | None = None
) -> TransportEstimate:
    """Measure the shear viscosity by Green-Kubo from the pressure tensors of independent runs.

    Parameters
    ----------
    records
        Pressure tensors of runs of the same system at the same constant volume.
    temperature
        K.
    window_ps
        Plateau over which the integral is averaged; by default it is found from the data.

    Returns
    -------
    TransportEstimate
        In mPa s.

    Raises
    ------
    InputError
        There is no record, or records differ in interval or volume, or as for
        :func:`electrolyte_ml.analysis.viscosity`.
    """
    if not records:
        raise InputError("there is no record of the pressure")
    first = records[0]
    for other in records[1:]:
        if abs(other.interval_ps - first.interval_ps) > 1e-9 or abs(other.volume / first.volume - 1) > 1e-3:
            raise InputError(f"{other.name} has another interval or another volume than {first.name}")
    return viscosity(
        [record.pressures for record in records], first.interval_ps, first.volume, temperature, window_ps=window_ps
    )
