"""Timings of this package: private, and run by ``electrolyte-ml benchmark``, see benchmarks/README.md."""
