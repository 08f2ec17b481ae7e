from pathlib import Path

import pytest
from datasets import Dataset, Features, Value
from hypothesis import given, settings
from hypothesis import strategies as st

from lmdistill.core.errors import ConfigError, DataError, RunError
from lmdistill.data.augment import augment_rows
from lmdistill.data.augment.augment_rows import add_augmented_rows
from lmdistill.data.augment.cache import AugmentationCache
from tests.data.augment.fakes import Table


def rows_of(*rows: tuple[str, str, float, int], label: str = "int64") -> Dataset:
    kinds = dict(zip(augment_rows.COLUMNS, ("string", "string", label, "int64"), strict=True))
    features = Features({name: Value(kind) for name, kind in kinds.items()})
    columns = list(zip(*rows, strict=True))
    return Dataset.from_dict(dict(zip(augment_rows.COLUMNS, columns, strict=True)), features=features)


SINGLES = rows_of(*((f"text {i}", "", i % 2, 100 + i) for i in range(10)))
PAIRS = rows_of(("a", "b", 1, 7), ("c", "d", 0, 8), ("e", "f", 1, 9), ("g", "h", 0, 3))


def test_the_originals_come_first_and_new_rows_keep_label_and_index(tmp_path: Path) -> None:
    with AugmentationCache(tmp_path / "store.sqlite") as store:
        rows, counts = add_augmented_rows(SINGLES, Table(), store)
    assert rows[: counts.originals] == SINGLES[:]
    new = rows[counts.originals :]
    assert new["sentence1"] == [f"text {i} #0" for i in range(10)]
    assert new["sentence2"] == [""] * 10
    assert new["label"] == SINGLES["label"][:]
    assert new["index"] == SINGLES["index"][:]
    assert (counts.originals, counts.added) == (10, 10)
    assert (counts.computed, counts.from_store) == (10, 0)
    assert rows.features == SINGLES.features


def test_both_sentences_of_a_pair_are_augmented_and_drops_are_counted_by_kind(tmp_path: Path) -> None:
    # a|b both unchanged but for blanks: dropped; c|d second empty: dropped; e|f only one changed: kept
    table = Table(known={"a": " a", "b": "b\n", "c": "C", "d": " ", "e": "e", "f": "F"})
    with AugmentationCache(tmp_path / "store.sqlite") as store:
        rows, counts = add_augmented_rows(PAIRS, table, store)
    assert list(zip(rows["sentence1"], rows["sentence2"], rows["label"], rows["index"], strict=True))[4:] == [
        ("e", "F", 1, 9),
        ("g #0", "h #0", 0, 3),
    ]
    assert (counts.added, counts.dropped_unchanged, counts.dropped_empty, counts.dropped_repeated) == (
        2,
        1,
        1,
        0,
    )


def test_a_copy_like_an_earlier_one_is_dropped_and_counted(tmp_path: Path) -> None:
    with AugmentationCache(tmp_path / "store.sqlite") as store:
        rows, counts = add_augmented_rows(
            PAIRS.select([0]), Table(known={"a": "x", "b": "y"}), store, copies=3
        )
    assert rows["sentence1"][:] == ["a", "x"]
    assert (counts.added, counts.dropped_repeated) == (1, 2)


def test_copies_of_one_original_follow_each_other(tmp_path: Path) -> None:
    with AugmentationCache(tmp_path / "store.sqlite") as store:
        rows, counts = add_augmented_rows(SINGLES.select([3, 5]), Table(), store, copies=2)
    assert rows["sentence1"][2:] == ["text 3 #0", "text 3 #1", "text 5 #0", "text 5 #1"]
    assert counts.added == 4


def test_scores_stay_scores(tmp_path: Path) -> None:
    with AugmentationCache(tmp_path / "store.sqlite") as store:
        rows, _ = add_augmented_rows(rows_of(("a", "b", 3.4, 0), label="float64"), Table(), store)
    assert rows["label"][:] == [3.4, 3.4]
    assert rows.features["label"] == Value("float64")


def test_a_stopped_call_goes_on_where_it_was_and_gives_the_same_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(augment_rows, "TEXTS_A_BATCH", 6)  # three rows a batch
    with AugmentationCache(tmp_path / "whole" / "store.sqlite") as store:
        whole, _ = add_augmented_rows(SINGLES, Table(), store)
    with AugmentationCache(tmp_path / "cut" / "store.sqlite") as store, pytest.raises(KeyboardInterrupt):
        add_augmented_rows(SINGLES, Table(fails_after=2), store)
    table = Table()
    with AugmentationCache(tmp_path / "cut" / "store.sqlite") as store:
        resumed, counts = add_augmented_rows(SINGLES, table, store)
    assert [text for text, _ in table.asked] == ["text 6", "text 7", "text 8", "text 9"]
    assert (counts.from_store, counts.computed) == (6, 4)
    assert resumed[:] == whole[:]
    assert resumed._fingerprint == whole._fingerprint


def test_other_results_have_another_fingerprint(tmp_path: Path) -> None:
    with AugmentationCache(tmp_path / "store.sqlite") as store:
        one, _ = add_augmented_rows(SINGLES, Table(), store)
        two, _ = add_augmented_rows(SINGLES, Table(known={"text 4": "four"}, identity="other"), store)
    assert one._fingerprint != two._fingerprint
    assert two["sentence1"][14] == "four"


def test_progress_runs_from_the_first_batch_to_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(augment_rows, "TEXTS_A_BATCH", 16)  # four rows of two copies
    told: list[tuple[int, int]] = []
    with AugmentationCache(tmp_path / "store.sqlite") as store:
        add_augmented_rows(
            SINGLES, Table(), store, copies=2, on_progress=lambda done, total: told.append((done, total))
        )
    assert told == [(8, 20), (16, 20), (20, 20)]


def test_new_rows_are_memory_mapped(tmp_path: Path) -> None:
    with AugmentationCache(tmp_path / "store.sqlite") as store:
        rows, _ = add_augmented_rows(SINGLES, Table(), store)
    assert any(str(tmp_path) in file["filename"] for file in rows.cache_files)


def test_a_folder_that_cannot_be_written_is_named_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "rows").write_text("in the way")
    with (
        AugmentationCache(tmp_path / "store.sqlite") as store,
        pytest.raises(RunError, match="new rows cannot be written to") as e,
    ):
        add_augmented_rows(SINGLES, Table(), store)
    assert "\n" not in str(e.value)


def test_rows_that_all_stay_the_same_are_given_back(tmp_path: Path) -> None:
    with AugmentationCache(tmp_path / "store.sqlite") as store:
        rows, counts = add_augmented_rows(SINGLES, Table(known={t: t for t in SINGLES["sentence1"]}), store)
    assert rows[:] == SINGLES[:]
    assert (counts.added, counts.dropped_unchanged) == (0, 10)


@settings(max_examples=10, deadline=None)
@given(st.lists(st.sampled_from(["", "same", "new", "gone"]), min_size=1, max_size=8), st.integers(1, 3))
def test_every_row_asked_for_is_added_or_counted_as_dropped(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], copies: int
) -> None:
    rows = rows_of(*(("gone" if i % 3 else "new", text, 0, i) for i, text in enumerate(texts)))
    with AugmentationCache(tmp_path_factory.mktemp("law") / "store.sqlite") as store:
        both, counts = add_augmented_rows(
            rows, Table(known={"same": "same", "gone": ""}), store, copies=copies
        )
    dropped = counts.dropped_empty + counts.dropped_unchanged + counts.dropped_repeated
    assert counts.originals * copies == counts.added + dropped
    assert len(both) == counts.originals + counts.added


def test_more_copies_than_an_augmenter_can_tell_apart_are_refused(tmp_path: Path) -> None:
    with AugmentationCache(tmp_path / "store.sqlite") as store:
        with pytest.raises(ConfigError, match=r"copies is 2, .*same text every time; set copies to 1"):
            add_augmented_rows(SINGLES, Table(varied=False), store, copies=2)
        with pytest.raises(ConfigError, match="copies must be >= 1, got 0"):
            add_augmented_rows(SINGLES, Table(), store, copies=0)


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    with (
        AugmentationCache(tmp_path / "store.sqlite") as store,
        pytest.raises(DataError, match="no column 'index', only sentence1, sentence2, label"),
    ):
        add_augmented_rows(SINGLES.remove_columns("index"), Table(), store)
