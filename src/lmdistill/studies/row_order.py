"""The order of rows in tables: that of the studies and recipes that wrote the run folders."""

import logging
from collections.abc import Iterable
from pathlib import Path

from lmdistill.core.errors import LmdistillError
from lmdistill.recipes.yaml_tables import table_in
from lmdistill.records.record import RECIPE
from lmdistill.studies.combinations import combinations
from lmdistill.studies.schema import FILE, Study, read_study

log = logging.getLogger("lmdistill")


def row_order(folders: Iterable[Path]) -> tuple[str, ...]:
    """Labels of rows in the order of the `study.yaml` or `recipe.yaml` of each folder.

    A folder with neither file gives no labels; neither does one with a file that this version refuses, which
    is said in one line.
    """
    return tuple(dict.fromkeys(label for folder in folders for label in _labels(folder)))


def _labels(folder: Path) -> tuple[str, ...]:
    """Row labels of one folder."""
    try:
        if (folder / FILE).is_file():
            study = read_study(folder / FILE)
            return _rows(study) if study.search is None else ()
        methods = table_in(folder / RECIPE).get("methods") if (folder / RECIPE).is_file() else None
    except LmdistillError as error:
        log.warning("the rows of %s are in the order of its runs: %s", folder, error)
        return ()
    return tuple(map(str, methods)) if isinstance(methods, dict) else ()


def _rows(study: Study) -> tuple[str, ...]:
    """Of the cells of a study."""
    labels = [combination.row for combination in combinations(study)]
    if None in labels:  # then the class of a method names the row, and classes of methods import torch
        from lmdistill.studies.grid import study_cells

        labels = [cell.row for cell in study_cells(study, Path(), code="name")]
    return tuple(dict.fromkeys(label for label in labels if label is not None))
