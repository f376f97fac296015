"""Numba kernels: pure functions over arrays, one algorithm a file."""
