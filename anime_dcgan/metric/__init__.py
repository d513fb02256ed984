"""Metrics of generated faces: distances to real ones, coverage, diversity and memorisation."""
