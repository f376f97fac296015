"""The paper's learning runs at any scale, as settings of the loop."""

from __future__ import annotations

from typing import Any

from electrolyte_ml.active_learning.settings import ActiveLearningSettings
from electrolyte_ml.errors import InputError
from electrolyte_ml.settings import Scale


def pure_solvent(scale: Scale, solvent: str, **changes: Any) -> ActiveLearningSettings:
    """Return the settings that learn a pure solvent (section 2.1) at a scale.

    Parameters
    ----------
    scale
        One of :data:`electrolyte_ml.settings.SCALES`.
    solvent
        Its molecule, ``"EC"`` or ``"EMC"``.
    **changes
        Settings to take instead, such as ``seed=1`` or ``labels="labels"``.

    Raises
    ------
    InputError
        If the scale has no cell of this solvent, or a changed setting is impossible.
    """
    protocol, fit = scale.pure_solvents, scale.fit
    cells = dict(zip((cell.partition("=")[0] for cell in protocol.cells), protocol.cells))
    if solvent not in cells:
        raise InputError(f"the {scale.name} scale learns {' and '.join(cells)}, not {solvent!r}")
    seeding, learning = protocol.seeding, protocol.learning
    settings = {
        "composition": cells[solvent],
        "density": protocol.packing_densities[protocol.cells.index(cells[solvent])],
        "level": protocol.level,
        "cutoff": protocol.cutoff,
        "radial_basis_size": protocol.radial_basis_size,
        "reference": _PRESETS[scale.reference.name],
        "seeding_trajectories": protocol.seeding_trajectories,
        "seeding_temperature": seeding.temperature,
        "seeding_time_ps": seeding.time_ps,
        "seeding_timestep_fs": seeding.timestep_fs,
        "seeding_configurations": protocol.seeding_configurations,
        "trajectories": learning.trajectories,
        "time_ps": learning.run.time_ps,
        "timestep_fs": learning.run.timestep_fs,
        "temperature": learning.run.temperature,
        "pressure_bar": learning.run.pressure_bar,
        "grade_save": learning.grade_save,
        "grade_break": learning.grade_break,
        "grade_interval_fs": learning.grade_interval_fs,
        "mode": learning.mode,
        "energy_weight": fit.energy_weight,
        "force_weight": fit.force_weight,
        "stress_weight": fit.stress_weight,
        "seeding_fit_iterations": fit.max_iterations,
        "fit_iterations": fit.refit_iterations,
        "max_iterations": learning.max_iterations,
    }
    return ActiveLearningSettings(**{**settings, **changes})


# By which program a scale's reference is computed: the paper's by CP2K, which is free, unless a change says VASP.
_PRESETS = {"GFN1-xTB": "gfn1-xtb", "PBE-D3(0)": "cp2k-pbe-d3"}
