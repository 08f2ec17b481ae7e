"""Synthetic labelled reviews and stories from small grammars, for demos and tests."""
