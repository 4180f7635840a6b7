"""How much learners can be given: known to the plan too, before anything is computed."""

MAX_TRACKS = 25_000
"""Rows of the largest square matrix that a classifier may need: 5 GB of float64."""
