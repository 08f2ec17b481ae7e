"""Arguments of commands that are paths: runs and models to read, and places to write to."""

from pathlib import Path


def run_or_model(target: str) -> str:
    """`target`, or the folder of the run that it names in another way, see `find_run`."""
    from lmdistill.records.record import find_run

    path = Path(target)
    folder = find_run(path)
    return target if folder == path else str(folder)


def runs_or_models(targets: list[str]) -> list[str]:
    """Each of `targets`, see `run_or_model`."""
    return [run_or_model(target) for target in targets]


def writable(path: Path | None) -> Path | None:
    """`path`, if files can be written there; checked before a command computes for hours.

    Raises:
        RunError: If no files can be written there.
    """
    from lmdistill.core.atomic_io import require_place

    if path is not None:
        require_place(path)
    return path
