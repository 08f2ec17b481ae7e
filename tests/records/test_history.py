import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmdistill.core.errors import RunError
from lmdistill.records.history import HistoryWriter, read_history
from lmdistill.records.jsonl import read_lines


def step(number: int) -> dict[str, object]:
    return {
        "step": number,
        "loss": 1.5,
        "parts": {"label": 1.0, "é🎉": 0.5},
        "count": 8,
        "rate": 0.1,
        "seconds": 1.0,
    }


def written(path: Path, count: int) -> Path:
    with HistoryWriter(path) as history:
        for number in range(1, count + 1):
            history.append(step(number))
    return path


def test_every_line_is_on_disk_at_once(tmp_path: Path) -> None:
    with HistoryWriter(tmp_path / "history.jsonl") as history:
        history.append(step(1))
        assert json.loads((tmp_path / "history.jsonl").read_text(encoding="utf-8")) == step(1)


@given(cut=st.integers(min_value=1, max_value=400))
def test_a_cut_anywhere_costs_at_most_the_last_line(
    cut: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = written(tmp_path_factory.mktemp("cut") / "history.jsonl", 4)
    whole = path.read_bytes()
    kept = whole[: max(0, len(whole) - cut)]
    path.write_bytes(kept)
    complete = kept.count(b"\n")
    assert [line["step"] for line in read_lines(path)][:complete] == list(range(1, complete + 1))
    assert len(read_lines(path)) <= complete + 1
    with HistoryWriter(path) as history:
        history.append(step(99))
    assert [line["step"] for line in read_lines(path)][complete:] in ([99], [complete + 1, 99])


def test_truncation_forgets_later_steps_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    with HistoryWriter(path) as history:
        for number in (1, 2, 3):
            history.append(step(number))
            history.append({"step": number, "dev": {"accuracy": number / 10}})
        history.truncate_after(2)
        history.append(step(3))
    again = read_history(path)
    assert [one.step for one in again.steps] == [1, 2, 3]
    assert [one.step for one in again.evaluations] == [1, 2]
    assert again.evaluations[1].scores == {"accuracy": 0.2}


def test_a_broken_line_in_the_middle_is_named(tmp_path: Path) -> None:
    path = written(tmp_path / "history.jsonl", 3)
    path.write_text(path.read_text(encoding="utf-8").replace('{"step": 2', '"step": 2'), encoding="utf-8")
    with pytest.raises(RunError, match=r"history\.jsonl, line 2, is not a JSON object"):
        read_lines(path)


def test_a_loss_that_is_no_number_is_null_in_the_file_and_nan_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    with HistoryWriter(path) as history:
        history.append({"step": 1, "loss": math.nan, "parts": {"label": math.inf}})
    assert "null" in path.read_text(encoding="utf-8")
    assert math.isnan(read_history(path).steps[0].parts["label"])


def test_no_file_is_an_empty_history(tmp_path: Path) -> None:
    assert read_history(tmp_path / "none").steps == ()
