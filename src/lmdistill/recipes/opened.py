"""Runs and model folders, opened for use."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from lmdistill.core.errors import RunError
from lmdistill.models.load import load
from lmdistill.models.network import Network
from lmdistill.recipes.folder import RECIPE
from lmdistill.recipes.read import override, recipe_of
from lmdistill.recipes.schema import Recipe
from lmdistill.report.record import RECORD


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A network that can be used, and the recipe it came from."""

    network: Network
    """The student of a run, or the model of a folder."""

    recipe: Recipe
    """The run's recipe; the default one for a model without a run."""

    teacher: str | None
    """Folder or name of the run's teacher."""


def open_model(target: str | Path, overrides: Sequence[str] = ()) -> Opened:
    """The student of the run in `target`, or the classifier that `target` names.

    Args:
        target: A run folder, a model folder, a hub id.
        overrides: `a.b=value` for the recipe.

    Raises:
        RunError: If `target` is a folder of several runs, or of an unfinished one.
        ModelError: If there is no such model.
    """
    folder = Path(target)
    if (folder / RECIPE).is_file() and not (folder / RECORD).is_file():
        inside = sorted(path.parent.name for path in folder.glob(f"*/{RECORD}"))
        if inside:
            names = ", ".join(inside)
            raise RunError(
                f"{folder} holds several runs: {names}. Name one of them, as in {folder / inside[0]}."
            )
        raise RunError(f"the run in {folder} is not finished. Start it again; it continues.")
    is_run = (folder / RECORD).is_file() and (folder / "student").is_dir()
    table = yaml.safe_load((folder / RECIPE).read_text(encoding="utf-8")) if is_run else {}
    teacher = None
    if is_run:
        teacher = next(
            (str(place) for place in (folder / "teacher", folder.parent / "teacher") if place.is_dir()), None
        )
        table.get("training", {}).pop("seed", None)
    for text in overrides:
        override(table, text)
    network = load(folder / "student") if is_run else load(target)
    recipe = recipe_of(table) if "methods" in table or not is_run else Recipe()
    return Opened(network=network, recipe=recipe, teacher=teacher)
