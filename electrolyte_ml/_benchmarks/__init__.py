"""Benchmarks of this package (private), run by ``electrolyte-ml benchmark``; see benchmarks/README.md."""
