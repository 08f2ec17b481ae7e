"""Runs that are kept in `results/`: under new names, whole, and with the numbers that they had."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from docs.build import paths
from docs.build.add_results import add_results, folder_name, main
from docs.build.results import results
from lmdistill.core.errors import ConfigError, RunError
from lmdistill.records.history import HISTORY
from lmdistill.records.predictions import PREDICTIONS, read_predictions, write_predictions
from lmdistill.records.predictions_parquet import PARQUET, read_parquet
from lmdistill.records.record import RECORD, TRIALS, find_records
from tests.report.factory import make_record, write_run


def recorded(folder: Path, method: str, seed: int = 0) -> Path:
    """A run folder of that very name."""
    written = write_run(folder.parent, make_record(method, seed=seed, accuracy=0.8), num_steps=2)
    return written.path.rename(folder)


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A study of two methods and two seeds."""
    folder = tmp_path / "runs"
    for name in ("SM+TMKD", "FT"):
        for seed in (0, 1):
            recorded(folder / f"layers=3-{name}-seed{seed}", name, seed)
    (folder / "study.yaml").write_text("study: small\n")
    return folder


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("name", "new"),
    [
        ("mrpc-layers=3-augmentation=none-FT-seed0", "mrpc-layers-3-augmentation-none-ft-seed0"),
        ("SM+TMKD-seed0", "sm-tmkd-seed0"),
        ("alpha_sm=0.1, T = 2", "alpha-sm-0.1-t-2"),
        ("..Ähm..", "hm"),
        ("already-right-1.5", "already-right-1.5"),
    ],
)
def test_a_name_has_lower_case_letters_digits_dots_and_dashes(name: str, new: str) -> None:
    assert folder_name(name) == new == folder_name(new)


def test_a_name_of_nothing_else_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"'\+\+' has no letter and no digit in its name\. Rename it\."):
        folder_name("++")


def test_a_study_is_kept_with_its_numbers(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "RESULTS", tmp_path)
    before = results("runs")
    main([str(runs), "--to", str(tmp_path / "results" / "small")])
    kept = tmp_path / "results" / "small"
    assert names(kept) == [
        "layers-3-ft-seed0/record.json",
        "layers-3-ft-seed1/record.json",
        "layers-3-sm-tmkd-seed0/record.json",
        "layers-3-sm-tmkd-seed1/record.json",
        "predictions.parquet",
        "study.yaml",
    ]
    for run in find_records([runs]):
        new = kept / folder_name(run.path.name)
        assert (new / RECORD).read_bytes() == (run.path / RECORD).read_bytes()
        assert read_predictions(new / PREDICTIONS) == read_predictions(run.path / PREDICTIONS) != []
    monkeypatch.setattr(paths, "RESULTS", tmp_path / "results")
    assert results("small") == before
    assert "SM+TMKD" in before  # labels come from the records, not from the folders


def test_runs_are_added_to_those_that_are_there(runs: Path, tmp_path: Path) -> None:
    one, two = runs / "layers=3-FT-seed0", runs / "layers=3-FT-seed1"
    kept = tmp_path / "kept"
    assert add_results([one], kept) == [kept / "layers-3-ft-seed0"]
    first = read_parquet(kept / PARQUET)
    add_results([two], kept)
    assert read_parquet(kept / PARQUET) == first | {"layers-3-ft-seed1": read_predictions(two / PREDICTIONS)}
    with pytest.raises(ConfigError, match=r"layers-3-ft-seed0 exists\. Remove it first"):
        add_results([one], kept)
    for path in (kept / "layers-3-ft-seed1").iterdir():
        path.unlink()
    (kept / "layers-3-ft-seed1").rmdir()
    add_results([runs / "layers=3-SM+TMKD-seed0"], kept)
    assert list(read_parquet(kept / PARQUET)) == ["layers-3-ft-seed0", "layers-3-sm-tmkd-seed0"]


def test_more_files_are_kept_where_they_are_named(runs: Path, tmp_path: Path) -> None:
    run = runs / "layers=3-FT-seed0"
    (run / "map.jsonl").write_text("{}\n")
    (runs / TRIALS).write_text(json.dumps({}))
    add_results([run], tmp_path / "few")
    assert names(tmp_path / "few") == [
        "layers-3-ft-seed0/map.jsonl", "layers-3-ft-seed0/record.json", PARQUET, "study.yaml", TRIALS,
    ]  # fmt: skip
    main([str(run), "--to", str(tmp_path / "more"), "--also", HISTORY, "--also", "none"])
    assert set(names(tmp_path / "more")) == set(names(tmp_path / "few")) | {f"layers-3-ft-seed0/{HISTORY}"}


def test_runs_deeper_down_are_named_after_their_way(tmp_path: Path) -> None:
    recorded(tmp_path / "runs" / "KD" / "seed=0", "KD")
    assert [path.name for path in add_results([tmp_path / "runs"], tmp_path / "to")] == ["kd-seed-0"]


def test_two_runs_with_one_new_name_are_refused_and_nothing_is_written(tmp_path: Path) -> None:
    for name in ("KD+ATKD", "kd-atkd"):
        recorded(tmp_path / "runs" / name, "KD")
    with pytest.raises(ConfigError, match=r"would both be called kd-atkd\. Rename one\."):
        add_results([tmp_path / "runs"], tmp_path / "to")
    assert not (tmp_path / "to").exists()


def test_runs_of_two_studies_are_refused(runs: Path, tmp_path: Path) -> None:
    recorded(tmp_path / "others" / "KD-seed0", "KD")
    (tmp_path / "others" / "study.yaml").write_text("study: other\n")
    with pytest.raises(ConfigError, match=r"study\.yaml and .*study\.yaml differ\. Add the runs of each"):
        add_results([runs, tmp_path / "others"], tmp_path / "to")
    add_results([runs], tmp_path / "to")
    with pytest.raises(ConfigError, match="differ"):
        add_results([tmp_path / "others"], tmp_path / "to")
    assert not (tmp_path / "to" / "kd-seed0").exists()


def test_a_run_without_predictions_has_none_afterwards(tmp_path: Path) -> None:
    run = recorded(tmp_path / "runs" / "KD-seed0", "KD")
    (run / PREDICTIONS).unlink()
    (new,) = add_results([run], tmp_path / "to")
    assert read_predictions(new / PREDICTIONS) == []


def test_a_folder_without_runs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="does not exist"):
        main([str(tmp_path / "none"), "--to", str(tmp_path / "to")])


def test_rounded_logits_are_kept_where_no_class_changes(runs: Path, tmp_path: Path) -> None:
    add_results([runs], tmp_path / "whole")
    add_results([runs], tmp_path / "short", decimals=2)
    whole, short = (read_parquet(tmp_path / name / PARQUET) for name in ("whole", "short"))
    assert whole.keys() == short.keys()
    for name, rows in whole.items():
        for one, other in zip(rows, short[name], strict=True):
            assert other.student == pytest.approx(one.student, abs=0.005 + 1e-9)
            assert all(round(value, 2) == value for value in other.student)
            assert (one.example, one.label, one.split) == (other.example, other.label, other.split)
    near = read_predictions(next(runs.rglob(PREDICTIONS)))
    near[0] = replace(near[0], student=(0.4, 0.45, *near[0].student[2:]))
    write_predictions(next(runs.rglob(PREDICTIONS)), near)
    with pytest.raises(
        ConfigError, match=r"class of example \d+ is another one with 0 decimals\. Keep more\."
    ):
        add_results([runs], tmp_path / "crude", decimals=0)
    assert not (tmp_path / "crude").exists()
