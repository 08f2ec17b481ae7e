"""Labelled reviews and stories that this program writes, for demos and tests."""
