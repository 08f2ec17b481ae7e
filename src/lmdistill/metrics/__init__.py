"""Predictions and labels to scores, in NumPy: one definition of each metric."""
