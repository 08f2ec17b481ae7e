"""In which order the rows of a table stand: that of the studies and recipes that made their folders."""

from collections.abc import Iterable
from pathlib import Path

from lmdistill.core.errors import LmdistillError
from lmdistill.recipes.files import table_in
from lmdistill.runs.run_folder import RECIPE
from lmdistill.studies.grid import study_cells
from lmdistill.studies.runner import rows
from lmdistill.studies.schema import FILE, read_study


def row_order(folders: Iterable[Path]) -> tuple[str, ...]:
    """Labels of rows as the `study.yaml` or `recipe.yaml` in each folder has them.

    A folder with neither, or whose file this version refuses, names no rows: an order is not worth an error.
    """
    return tuple(dict.fromkeys(label for folder in folders for label in _labels(folder)))


def _labels(folder: Path) -> tuple[str, ...]:
    """Of one folder."""
    try:
        if (folder / FILE).is_file():
            study = read_study(folder / FILE)
            return rows(study_cells(study, folder)) if study.search is None else ()
        methods = table_in(folder / RECIPE).get("methods") if (folder / RECIPE).is_file() else None
    except LmdistillError:
        return ()
    return tuple(map(str, methods)) if isinstance(methods, dict) else ()
