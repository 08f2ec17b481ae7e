"""The folder of a study: whose it is, what its cells are, and which of them are done.

`study.yaml` · a run folder for each cell · `cells/` with a recipe for each · `logs/` · `teachers/` and
`augmented/`, which the cells share · `report.html` and `README.md` when all is done.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from lmdistill.core.errors import RunError
from lmdistill.core.lock import hold
from lmdistill.core.storage import write_text
from lmdistill.recipes.construct import plain
from lmdistill.recipes.folder import Workplace
from lmdistill.recipes.read import recipe_text, table_in
from lmdistill.recipes.study.cells import StudyCell
from lmdistill.recipes.study.schema import FILE, Study, study_text


@dataclass(frozen=True, kw_only=True)
class StudyFolder:
    """Where a study is written."""

    path: Path
    """The folder."""

    def recipe(self, cell: StudyCell) -> Path:
        """The recipe that a cell is repeated with."""
        return self.path / "cells" / f"{cell.name}.yaml"

    def log(self, cell: StudyCell) -> Path:
        """What the process of a cell says."""
        return self.path / "logs" / f"{cell.name}.log"

    def hold(self, cell: StudyCell) -> IO[bytes] | None:
        """Hold a cell, unless another process runs it; the process that is to run it inherits the file."""
        return hold(self.path / "cells" / f".{cell.name}.lock", wait=False)

    def require(self, study: Study, cells: Sequence[StudyCell]) -> None:
        """Refuse a folder that is neither free nor this study's; nothing is written.

        A study may grow: more seeds, more values. What it has begun must still be among its cells, unchanged.

        Raises:
            RunError: With what is there, or with the first setting that differs.
        """
        if self.path.is_file() or (self.path.is_dir() and any(self.path.iterdir())):
            self._require_same(study, {cell.name for cell in cells})
        for cell in cells:
            Workplace(path=cell.folder).require(plain(cell.recipe))

    def claim(self, study: Study, cells: Sequence[StudyCell]) -> None:
        """Write down the study and the recipe of each cell."""
        for cell in cells:
            write_text(self.recipe(cell), recipe_text(cell.recipe))
        write_text(self.path / FILE, study_text(study))

    def _require_same(self, study: Study, names: set[str]) -> None:
        """Refuse the folder of anything else."""
        if not (self.path / FILE).is_file():
            if _is_left_by_a_kill(self.path):
                return
            raise RunError(f"{self.path} exists and is no study. Choose another --out, or remove it.")
        there = table_in(self.path / FILE).get("study")
        if there != study.study:
            raise RunError(
                f"{self.path} holds another study: study is {there!r} there and {study.study!r} here. "
                "Choose another --out, or remove the folder."
            )
        begun = [file.stem for file in sorted((self.path / "cells").glob("*.yaml"))]
        gone = [name for name in begun if name not in names and (self.path / name).exists()]
        if gone:
            raise RunError(
                f"{self.path} holds another study: {gone[0]} was run there and is no cell of this one. "
                "Choose another --out, or remove the run."
            )


def _is_left_by_a_kill(path: Path) -> bool:
    """Whether nothing is there but recipes of cells, which are written first."""
    return path.is_dir() and all(
        entry.name == "cells" or entry.name.endswith(".part") for entry in path.iterdir()
    )
