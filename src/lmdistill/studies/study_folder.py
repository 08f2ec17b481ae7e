"""The folder of a study: its study file, the locks and recipes of its cells.

`study.yaml` · a run folder for each cell · `cells/` with a recipe for each · `logs/` · `teachers/` and
`augmented/`, which the cells share · `report.html` and `README.md` when all cells are done.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from lmdistill.core.atomic_io import write_text
from lmdistill.core.errors import RunError
from lmdistill.core.file_lock import hold
from lmdistill.core.file_names import require_new_name
from lmdistill.recipes.custom_classes import unloaded_classes
from lmdistill.recipes.files import recipe_text
from lmdistill.recipes.serialization import plain
from lmdistill.recipes.yaml_tables import table_from, table_in
from lmdistill.runs.run_folder import RunFolder, first_difference
from lmdistill.studies.grid import StudyCell
from lmdistill.studies.schema import FILE, Study, study_text


@dataclass(frozen=True, kw_only=True)
class StudyFolder:
    """The folder of a study."""

    path: Path
    """Path of the folder."""

    def recipe(self, cell: StudyCell) -> Path:
        """Recipe file of a cell."""
        return self.path / "cells" / f"{cell.name}.yaml"

    def log(self, cell: StudyCell) -> Path:
        """Log file of a cell."""
        return self.path / "logs" / f"{cell.name}.log"

    def hold(self, cell: StudyCell) -> IO[bytes] | None:
        """Lock a cell; None if another process runs it. The child process inherits the lock."""
        return hold(self._lock(cell.name), wait=False)

    def require(self, study: Study, cells: Sequence[StudyCell]) -> None:
        """Check that the folder is free or belongs to this study; nothing is written.

        A study may gain seeds and values. Cells that were started must still be in it, unchanged.

        Raises:
            RunError: If it holds something else, naming that or the first setting that differs.
        """
        require_new_name(self.path)
        if self.path.is_file() or (self.path.is_dir() and any(self.path.iterdir())):
            self._require_same(study, {cell.name for cell in cells})
        for cell in cells:
            if unloaded_classes(cell.recipe):
                continue  # without the class its defaults are not known
            RunFolder(path=cell.folder).require(plain(cell.recipe))
            self._require_not_at_work(cell)

    def claim(self, study: Study) -> None:
        """Write `study.yaml`."""
        write_text(self.path / FILE, study_text(study))

    def begin(self, cell: StudyCell) -> None:
        """Write the recipe of a cell that this process has locked.

        Raises:
            RunError: If another command has started it meanwhile with other settings.
        """
        RunFolder(path=cell.folder).require(plain(cell.recipe))
        write_text(self.recipe(cell), recipe_text(cell.recipe))

    def _lock(self, name: str) -> Path:
        """Lock file of a cell."""
        return self.path / "cells" / f".{name}.lock"

    def _is_at_work(self, name: str) -> bool:
        """Whether a process runs a cell; no file is created."""
        if not self._lock(name).exists():
            return False
        file = hold(self._lock(name), wait=False)
        if file is not None:
            file.close()
        return file is None

    def _require_not_at_work(self, cell: StudyCell) -> None:
        """Refuse a cell that another command runs with other settings and that has no run folder yet."""
        file = self.recipe(cell)
        if not self._is_at_work(cell.name) or not file.is_file():
            return
        differing = first_difference(table_in(file), table_from(recipe_text(cell.recipe), cell.name))
        if differing:
            name, old, new = differing
            raise RunError(
                f"{cell.folder} is running with other settings: {name} is {old!r} there and {new!r} here. "
                "Stop the other command, or choose another --out."
            )

    def _require_same(self, study: Study, names: set[str]) -> None:
        """Refuse the folder of another study or of other files."""
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
    """Whether the folder holds only recipes and locks of cells, as after an interrupted start."""
    return path.is_dir() and all(
        entry.name == "cells" or entry.name.endswith(".part") for entry in path.iterdir()
    )
