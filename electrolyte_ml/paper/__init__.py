"""What belongs to the paper that the notebooks rebuild: scales, their protocols, and where results are kept."""
