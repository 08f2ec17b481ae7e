"""Tables of fields come from dataclasses, tables of results from records."""

import dataclasses
import re
from pathlib import Path

import pytest

from docs.build import paths
from docs.build.benchmark_table import benchmark
from docs.build.dataclass_tables import fields, values_of
from docs.build.results import results
from docs.make import made
from lmdistill.core.protocols import Method
from lmdistill.engine.training_settings import Training
from lmdistill.methods import METHODS, MixKD
from lmdistill.recipes.classifier import Recipe
from tests.report.factory import make_record, write_run


@pytest.fixture
def records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with three runs of two methods."""
    folder = tmp_path / "results"
    for name, seed, accuracy in (("KD", 0, 0.8), ("KD", 1, 0.82), ("FT", 0, 0.7), ("FT", 1, 0.72)):
        write_run(folder / "small", make_record(name, seed=seed, accuracy=accuracy))
    monkeypatch.setattr(paths, "RESULTS", folder)
    return folder


@pytest.mark.parametrize("cls", [*METHODS.values(), Recipe, Training], ids=lambda cls: cls.__name__)
def test_a_table_has_every_field_in_order(cls: type) -> None:
    table = fields(f"{cls.__module__}.{cls.__name__}")
    names = [field.name for field in dataclasses.fields(cls)]
    assert re.findall(r"^\| `(\w+)` ", table, re.MULTILINE) == names
    assert all(len(re.split(r"(?<!\\)\|", line)) == 6 for line in table.splitlines() if names)


def test_defaults_are_said_as_yaml_and_choices_as_choices() -> None:
    table = fields("lmdistill.methods.mixkd.MixKD")
    assert "| `share` | `sample`, `batch` | `sample` | Draw one lambda for each mixed example" in table
    assert f"| `concentration` | number | `{MixKD().concentration}` |" in table
    teacher = fields("lmdistill.recipes.classifier.Teacher")
    assert "| `training` | settings, see Training | `{epochs: 3, keep: best}` |" in teacher
    assert "| `augmenter` | an augmenter | must be given |" in fields(
        "lmdistill.recipes.classifier.Augmentation"
    )


def test_interfaces_have_words() -> None:
    assert values_of(Method) == "a method"


def test_a_benchmark_shows_its_newest_run_of_each_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [
        "date,commit,device,processor,threads,torch,benchmark,setting,way,measure,value",
        "2026-01-01 10:00,aaaaaaaaaaaa,cpu,P,2,2,speed,small,ours,rate,1",
        "2026-01-02 10:00,bbbbbbbbbbbb,cpu,P,2,2,speed,small,ours,rate,2",
        "2026-01-02 10:00,bbbbbbbbbbbb,cpu,P,2,2,speed,small,loop,rate,3",
        "2026-01-01 11:00,aaaaaaaaaaaa,cpu,P,2,2,speed,large,ours,peak,4",
        "2026-01-03 11:00,aaaaaaaaaaaa,cpu,P,2,2,other,large,ours,peak,5",
    ]
    (tmp_path / "results.csv").write_text("\n".join(lines) + "\n")
    monkeypatch.setattr(paths, "MEASURED", tmp_path / "results.csv")
    small, large = benchmark("speed").split("**large**")
    assert "| ours | 2 |\n| loop | 3 |" in small
    assert "bbbbbbbbbb" in small
    assert "aaaaaaaaaa" not in small
    assert "|  | peak |" in large
    assert "| ours | 4 |" in large


def test_a_part_is_replaced_and_stays() -> None:
    page = "a\n<!-- fields lmdistill.methods.kd.KD -->\nold\n<!-- /fields -->\nb\n"
    new = made(page)
    assert "old" not in new
    assert "| `alpha` |" in new
    assert new.startswith("a\n<!-- fields")
    assert new.endswith("<!-- /fields -->\nb\n")
    assert made(new) == new


def test_results_are_those_of_the_records(records: Path) -> None:
    table = results("small")
    assert re.search(r"\| KD \| 81\.00 ± 1\.41 \| 2 \|", table)
    assert re.search(r"\| FT \| 71\.00 ± 1\.41 \| 2 \|", table)
    assert "## small" not in table


def test_all_results_say_where_they_come_from(records: Path) -> None:
    text = results(None)
    assert text.startswith("## small\n")
    for part in (
        "- Command: `lmdistill distill",
        "- Seeds: 0; 1",
        "- Commit: 0123456789 with changes",
        "- Machine: cpu",
    ):
        assert part in text


def test_without_records_there_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "RESULTS", tmp_path)
    assert results(None) == results("small") == paths.NOTHING
