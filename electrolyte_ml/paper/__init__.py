"""Reproduction of the paper: scales, protocols, measured values, stored results, claims, and runner of notebooks."""
