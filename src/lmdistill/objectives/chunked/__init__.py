"""Losses over large vocabularies, computed a chunk of positions at a time."""
