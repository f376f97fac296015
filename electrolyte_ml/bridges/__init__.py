"""Potentials in the engines that others have written: LAMMPS and OpenMM."""

from electrolyte_ml.lazy import attach

_HOME = {  # name -> module, imported on first use
    "LammpsBridge": "lammps",
    "open_lammps": "lammps",
    "run_script": "lammps",
    "data_content": "lammps_input",
    "write_lammps": "lammps_input",
    "almtp_content": "almtp",
    "write_almtp": "almtp",
    "particle_mesh": "openmm",
    "python_force": "openmm",
    "system_of": "openmm",
}

__all__ = list(_HOME)
__getattr__, __dir__ = attach(__name__, _HOME)
