"""Claims about the shipped studies find their rows, and pages their pictures, once these have been run."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from docs.build import paths
from docs.build.claim_verdicts import MISSING, Line, lines
from docs.build.claims_schema import read_claims
from docs.build.figures import pictures
from lmdistill.data.tasks.task_spec import task_named
from lmdistill.recipes.classifier import Recipe
from lmdistill.recipes.serialization import plain
from lmdistill.records.record import write_record
from lmdistill.studies.grid import StudyCell, study_cells
from lmdistill.studies.schema import builtin_studies, read_study
from tests.docs.pages import REPO
from tests.report.factory import NUM_DEV, make_record, network, plain_record

FOLDERS = read_claims(paths.CLAIMS).folders
STUDIES = [name for name in FOLDERS if name in builtin_studies()]


def cells(name: str, folder: Path = Path()) -> tuple[StudyCell, ...]:
    return study_cells(read_study(name, ["seeds=[0]"]), folder)


def record_of(cell: StudyCell, place: int) -> Any:
    """What a run of the cell would write, with a score that no other has."""
    recipe = cell.recipe
    assert isinstance(recipe, Recipe)
    metrics, score = task_named(recipe.task).metrics, 0.5 + place / 1000
    rows = round(6735 * recipe.data.fraction)
    return make_record(
        cell.row,
        0,
        task=plain_record()["task"]
        | {"name": recipe.task, "metrics": metrics, "rows": {"train": rows, "dev": NUM_DEV}},
        method=plain(next(iter(recipe.methods.values()))),
        recipe=plain(recipe),
        student=network(recipe.student.layers, cell.name),
        metrics={"dev": dict.fromkeys(metrics, score)},
        teacher_metrics={"dev": dict.fromkeys(metrics, 0.9)},
        majority={},
    )


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Line]]:
    """What is found as if every shipped study that claims name had been run at its small scale."""
    root = tmp_path_factory.mktemp("results")
    for name in STUDIES:
        for place, cell in enumerate(cells(name, root / name)):
            write_record(cell.folder, record_of(cell, place))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "RESULTS", root)
        yield lines("mixkd")


@pytest.mark.parametrize("name", STUDIES)
def test_rows_of_a_folder_are_those_of_its_study(name: str) -> None:
    assert {cell.row.split()[0] for cell in cells(name)} == set(FOLDERS[name].rows)


def test_every_claim_about_a_study_finds_its_rows(found: list[Line]) -> None:
    missing = {line.claim.where.get("task") for line in found if line.verdict == MISSING}
    assert missing == {"mnli"}  # which only the scale of the paper has


def test_limited_data_is_looked_at_for_each_task_and_fraction(found: list[Line]) -> None:
    settings = [line.finding.setting for line in found if line.claim.source == "Figure 1"]
    assert len(set(settings)) == len(settings) == 2 * 2 * 2  # rows, tasks, fractions


def test_weights_and_ratios_are_looked_at_in_all_their_settings(found: list[Line]) -> None:
    settings = [line.finding.setting for line in found if line.claim.source == "Figure 3"]
    assert [setting.split(":")[0] for setting in settings] == ["25 settings", "3 settings"]


@pytest.mark.usefixtures("found")
def test_every_picture_of_the_results_will_be_drawn() -> None:
    text = (REPO / "docs" / "results.md").read_text(encoding="utf-8")
    asked = [line[13:-4] for line in text.splitlines() if line.startswith("<!-- figures ")]
    shown = [one for one in asked if one.split()[0] in STUDIES and "map-of" not in one]
    assert len(shown) >= 2
    assert [one for one in shown if not pictures(one)] == []
