"""The order of rows in tables: that of the studies and recipes that wrote the run folders."""

from collections.abc import Iterable
from pathlib import Path

from lmdistill.core.errors import LmdistillError
from lmdistill.recipes.yaml_tables import table_in
from lmdistill.runs.run_folder import RECIPE
from lmdistill.studies.grid import study_cells
from lmdistill.studies.runner import rows
from lmdistill.studies.schema import FILE, read_study


def row_order(folders: Iterable[Path]) -> tuple[str, ...]:
    """Labels of rows in the order of the `study.yaml` or `recipe.yaml` of each folder.

    A folder with neither file, or with one that this version refuses, gives no labels.
    """
    return tuple(dict.fromkeys(label for folder in folders for label in _labels(folder)))


def _labels(folder: Path) -> tuple[str, ...]:
    """Row labels of one folder."""
    try:
        if (folder / FILE).is_file():
            study = read_study(folder / FILE)
            return rows(study_cells(study, folder)) if study.search is None else ()
        methods = table_in(folder / RECIPE).get("methods") if (folder / RECIPE).is_file() else None
    except LmdistillError:
        return ()
    return tuple(map(str, methods)) if isinstance(methods, dict) else ()
