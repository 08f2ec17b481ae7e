"""Hyperparameter search: trials drawn by Optuna, each with one run for each seed."""
