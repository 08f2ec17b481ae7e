"""Outputs of teachers on fixed texts, kept on disk and memory-mapped."""
