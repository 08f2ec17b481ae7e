"""Runs of classifiers and scorers."""
