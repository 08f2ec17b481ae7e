"""Exported students without torch: what is in their folder, and their answers."""
