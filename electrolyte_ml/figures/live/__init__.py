"""Figures with sliders, to try a choice and see at once what it changes."""
