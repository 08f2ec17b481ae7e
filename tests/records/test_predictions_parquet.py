import math
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmdistill.core.errors import RunError
from lmdistill.records.predictions import PREDICTIONS, Prediction, read_predictions, write_predictions
from lmdistill.records.predictions_parquet import PARQUET, read_parquet, write_parquet
from tests.report.factory import answers

ROUNDED = st.floats(-1e6, 1e6).map(lambda x: round(x, 6)) | st.sampled_from(
    [0.0, -0.0, 2.4e-05, 12345.678901]
)
ANY = st.floats()
LOGITS = st.lists(ROUNDED, max_size=3) | st.lists(ANY, max_size=3)


ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "example": st.integers(0, 2**40),
            "split": st.sampled_from(["dev", "dev_mismatched", "é"]),
            "label": st.integers(0, 3).map(float) | st.floats(-5, 5),
            "student": LOGITS.map(tuple),
            "teacher": st.none() | LOGITS.map(tuple),
            "tokens": st.none() | st.integers(1, 512),
        }
    ),
    max_size=5,
)


@given(drawn=st.dictionaries(st.text("abc-.09", min_size=1), ROWS, max_size=3))
def test_a_run_in_parquet_reads_as_in_json_bit_for_bit(
    drawn: dict[str, list[dict[str, Any]]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("both")
    runs = {name: [Prediction(**row) for row in rows] for name, rows in drawn.items()}
    write_parquet(folder / PARQUET, runs)
    for number, (name, rows) in enumerate(runs.items()):
        write_predictions(folder / str(number) / PREDICTIONS, rows)
        from_json = read_predictions(folder / str(number) / PREDICTIONS) if rows else []
        found = read_parquet(folder / PARQUET, name).get(name, [])
        assert repr(found) == repr(from_json)  # repr tells every float from every other, and -0.0 from 0.0


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (-4.352493, "decimal128(18, 6)"),
        (1e11 + 0.25, "decimal128(18, 6)"),
        (0.1234567, "double"),
        (1e12, "double"),
    ],
)
def test_numbers_are_decimals_where_nothing_is_lost(tmp_path: Path, value: float, kind: str) -> None:
    import pyarrow.parquet as pq

    row = Prediction(example=0, split="dev", label=1, student=(value, math.nan))
    write_parquet(tmp_path / PARQUET, {"a": [row]})
    assert str(pq.read_schema(tmp_path / PARQUET).field("student").type.value_type) == kind
    assert read_parquet(tmp_path / PARQUET)["a"][0].student[0] == value


def test_answers_of_a_teacher_that_all_runs_share_are_stored_almost_once(tmp_path: Path) -> None:
    def rows(seed: int) -> list[Prediction]:
        return [
            Prediction(
                example=i, split="dev", label=0,
                student=(seed + i % 7 * 0.25,), teacher=(round(math.sin(i * i), 6), round(math.cos(i * i), 6)),
            )
            for i in range(500)
        ]  # fmt: skip

    write_parquet(tmp_path / "one", {"0": rows(0)})
    write_parquet(tmp_path / "ten", {str(seed): rows(seed) for seed in range(10)})
    assert (tmp_path / "ten").stat().st_size < 2 * (tmp_path / "one").stat().st_size


def test_a_run_without_json_is_looked_up_in_the_folder_above(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right, wrong = answers([True] * 3), answers([False] * 3)
    write_parquet(tmp_path / PARQUET, {"kd": right, "ft": wrong})
    for name in ("kd", "ft", "new"):
        (tmp_path / name).mkdir()
    assert read_predictions(tmp_path / "ft" / PREDICTIONS) == wrong
    assert read_predictions(tmp_path / "new" / PREDICTIONS) == []
    monkeypatch.chdir(tmp_path / "kd")
    assert read_predictions(Path(PREDICTIONS)) == right
    write_predictions(Path(PREDICTIONS), wrong)  # its own file comes first
    assert read_predictions(Path(PREDICTIONS)) == wrong


@pytest.mark.parametrize("end", [0, 10, 400])
def test_a_damaged_file_is_refused_by_name(tmp_path: Path, end: int) -> None:
    path = tmp_path / PARQUET
    write_parquet(path, {"kd": answers([True] * 50)})
    path.write_bytes(path.read_bytes()[:end])
    with pytest.raises(RunError, match=r"predictions\.parquet is damaged, or no file of predictions"):
        read_predictions(tmp_path / "kd" / PREDICTIONS)


def test_a_parquet_file_of_something_else_is_refused(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"text": ["a"]}), tmp_path / PARQUET)
    with pytest.raises(RunError, match=r"no file of predictions"):
        read_predictions(tmp_path / "kd" / PREDICTIONS)
    with pytest.raises(RunError, match=r"no file of predictions"):
        read_parquet(tmp_path / PARQUET)


def test_a_run_with_json_does_not_load_the_reader_of_parquet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_predictions(tmp_path / PREDICTIONS, answers([True]))
    monkeypatch.setitem(sys.modules, "lmdistill.records.predictions_parquet", None)  # importing it raises
    assert len(read_predictions(tmp_path / PREDICTIONS)) == 1
    with pytest.raises(ImportError):
        read_predictions(tmp_path / "none" / PREDICTIONS)
