"""The folder of a study: whose it is, what its cells are, and which of them are done.

`study.yaml` · a run folder for each cell · `cells/` with a recipe for each · `logs/` · `teachers/` and
`augmented/`, which the cells share · `report.html` and `README.md` when all is done.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from lmdistill.core.atomic_io import write_text
from lmdistill.core.errors import RunError
from lmdistill.core.file_lock import hold
from lmdistill.recipes.files import recipe_text, table_from, table_in
from lmdistill.recipes.parsing import plain
from lmdistill.runs.run_folder import RunFolder, first_difference
from lmdistill.studies.grid import StudyCell
from lmdistill.studies.schema import FILE, Study, study_text


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
        return hold(self._lock(cell.name), wait=False)

    def require(self, study: Study, cells: Sequence[StudyCell]) -> None:
        """Refuse a folder that is neither free nor this study's; nothing is written.

        A study may grow: more seeds, more values. What it has begun must still be among its cells, unchanged.

        Raises:
            RunError: With what is there, or with the first setting that differs.
        """
        if self.path.is_file() or (self.path.is_dir() and any(self.path.iterdir())):
            self._require_same(study, {cell.name for cell in cells})
        for cell in cells:
            RunFolder(path=cell.folder).require(plain(cell.recipe))
            self._require_not_at_work(cell)

    def claim(self, study: Study) -> None:
        """Write down the study."""
        write_text(self.path / FILE, study_text(study))

    def begin(self, cell: StudyCell) -> None:
        """Write down the recipe of a cell that this process holds, so that nobody reads it at this moment.

        Raises:
            RunError: If another command has begun it meanwhile, with other settings.
        """
        RunFolder(path=cell.folder).require(plain(cell.recipe))
        write_text(self.recipe(cell), recipe_text(cell.recipe))

    def _lock(self, name: str) -> Path:
        """The file that is held while the cell called so is run."""
        return self.path / "cells" / f".{name}.lock"

    def _is_at_work(self, name: str) -> bool:
        """Whether a process runs the cell called so; no file is made."""
        if not self._lock(name).exists():
            return False
        file = hold(self._lock(name), wait=False)
        if file is not None:
            file.close()
        return file is None

    def _require_not_at_work(self, cell: StudyCell) -> None:
        """Refuse a cell that runs with other settings and has no folder yet that says so."""
        text, file = recipe_text(cell.recipe), self.recipe(cell)
        if not file.is_file() or file.read_text(encoding="utf-8") == text or not self._is_at_work(cell.name):
            return
        differing = first_difference(table_in(file), table_from(text, cell.name))
        if differing:
            name, old, new = differing
            raise RunError(
                f"{cell.folder} is at work with other settings: {name} is {old!r} there and {new!r} here. "
                "Stop the other command, or choose another --out."
            )

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
        others = [name for name in begun if name not in names]
        gone = [name for name in others if (self.path / name).exists() or self._is_at_work(name)]
        if gone:
            raise RunError(
                f"{self.path} holds another study: {gone[0]} was run there and is no cell of this one. "
                "Choose another --out, or remove the run."
            )


def _is_left_by_a_kill(path: Path) -> bool:
    """Whether nothing is there but recipes and locks of cells, which may be written first."""
    return path.is_dir() and all(
        entry.name == "cells" or entry.name.endswith(".part") for entry in path.iterdir()
    )
