"""Sections of the paper, and the notebook and the figures behind each of its claims."""

from __future__ import annotations

from typing import NamedTuple


class Place(NamedTuple):
    """Where a claim is rebuilt.

    Attributes
    ----------
    section : str
        Key of `SECTIONS`.
    notebook : str
        Beginning of the notebook's name.
    figures : tuple of str
        Functions of :mod:`electrolyte_ml.figures` that draw what the claim is about, in that notebook.
    """

    section: str
    notebook: str
    figures: tuple[str, ...] = ()


SECTIONS = {
    "2.1": "Pure EC and EMC",
    "2.2": "Mixtures of EC and EMC",
    "2.3.1": "LiPF6 in EC and EMC: the training set",
    "2.3.2": "LiPF6 in EC and EMC: validation",
    "2.3.3": "Ionic conductivity and solvation",
    "4": "Methods",
}

# Label of a claim -> its place.
PLACES = {
    "1a": Place("2.1", "01", ("basis_growth",)),
    "1b": Place("2.2", "07"),
    "2": Place("2.1", "04"),
    "3a": Place("2.1", "04"),
    "3b": Place("2.1", "04", ("learning_progress",)),
    "4": Place("2.1", "04", ("density_comparison", "density_trace")),
    "5": Place("2.1", "04", ("energy_density",)),
    "6": Place("2.2", "05"),
    "7": Place("2.2", "05", ("mixture_set",)),
    "8": Place("2.2", "06"),
    "9": Place("2.2", "06", ("mixture_densities",)),
    "10a": Place("2.2", "06", ("mixture_traces",)),
    "10b": Place("2.2", "07", ("failing_shares",)),
    "11": Place("2.2", "06", ("mixture_traces",)),
    "12": Place("2.2", "08"),
    "13a": Place("2.2", "08", ("part_errors",)),
    "13b": Place("2.2", "08", ("part_errors",)),
    "13c": Place("2.2", "08", ("part_errors",)),
    "14a": Place("2.2", "09", ("site_maps",)),
    "14b": Place("2.2", "09", ("site_maps",)),
    "14c": Place("2.2", "09", ("site_maps",)),
    "15": Place("2.3.1", "10"),
    "16": Place("2.3.1", "10"),
    "17": Place("2.3.1", "10", ("ion_pair_set",)),
    "18": Place("2.3.2", "11", ("coordinated_errors",)),
    "19": Place("2.3.2", "11", ("radial_distribution",)),
    "20a": Place("2.3.2", "11", ("element_charges",)),
    "20b": Place("2.3.2", "07", ("fitted_charges",)),
    "21": Place("2.3.3", "12"),
    "22a": Place("2.3.3", "12", ("conductivity_temperature",)),
    "22b": Place("2.3.3", "12", ("conductivity_temperature",)),
    "23a": Place("2.3.3", "12", ("running_conductivity",)),
    "23b": Place("2.3.3", "12", ("running_conductivity",)),
    "23c": Place("2.3.3", "12"),
    "24a": Place("2.3.3", "12"),
    "24b": Place("2.3.3", "12"),
    "25a": Place("2.3.3", "13", ("models_compared",)),
    "25b": Place("2.3.3", "13", ("models_compared",)),
    "26a": Place("2.3.3", "13", ("models_compared",)),
    "26b": Place("2.3.3", "13", ("models_compared",)),
    "27a": Place("2.3.3", "13", ("models_compared",)),
    "27b": Place("2.3.3", "13", ("models_compared",)),
    "28a": Place("4", "02"),
    "28b": Place("4", "10"),
}
