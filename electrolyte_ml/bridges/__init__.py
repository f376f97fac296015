"""Potentials in the engines that others have written: LAMMPS and OpenMM."""
