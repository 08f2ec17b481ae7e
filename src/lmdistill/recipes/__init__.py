"""Compositions of everything below: a recipe in, a run folder out."""
