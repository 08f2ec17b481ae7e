"""Runs that are trials of a search, whose best one is chosen by its score on dev."""

from collections.abc import Iterable
from pathlib import Path

TRIALS = "trials.json"
"""What a search writes beside the runs of its trials."""

NOTE = "Trials of a search: the best one is selected on dev, so its score is optimistic."


def are_trials(folders: Iterable[Path]) -> bool:
    """Whether a run among these is a trial."""
    return any((folder.parent / TRIALS).is_file() for folder in folders)
