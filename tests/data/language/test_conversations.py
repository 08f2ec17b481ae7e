"""Rows of conversations from files, folders and what `datasets` saves."""

import json
from pathlib import Path

import pytest
from datasets import Dataset, DatasetDict

from lmdistill.core.errors import ConfigError, DataError, UnknownNameError
from lmdistill.data.language.conversations import hold_out, load_conversations

PAIRS = [{"prompt": f"p{n}", "completion": f"c{n}"} for n in range(12)]
CHATS = [
    {"messages": [{"role": "user", "content": f"q{n}"}, {"role": "assistant", "content": f"a{n}"}]}
    for n in range(12)
]

pytestmark = pytest.mark.usefixtures("cache")


def _lines(folder: Path, rows, name: str = "a.jsonl") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def _both(found, column="completion"):
    return sorted([*found.train[column], *found.dev[column]])


@pytest.mark.parametrize("kind", ["jsonl", "json", "csv", "parquet"])
def test_all_formats_give_the_same_rows(tmp_path, kind):
    path = tmp_path / f"a.{kind}"
    if kind == "jsonl":
        _lines(tmp_path, PAIRS)
    elif kind == "json":
        path.write_text(json.dumps(PAIRS, indent=2))
    elif kind == "csv":
        Dataset.from_list(PAIRS).to_csv(path)
    else:
        Dataset.from_list(PAIRS).to_parquet(path)
    found = load_conversations(path, dev=3)
    assert found.layout == "prompt"
    assert (found.train.num_rows, found.dev.num_rows) == (9, 3)
    assert _both(found) == sorted(row["completion"] for row in PAIRS)
    assert found.fingerprint == load_conversations(_lines(tmp_path, PAIRS, "b.jsonl"), dev=3).fingerprint
    assert all(row["question"] == row["prompt"] == f"p{row['index']}" for row in found.train)


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_chats_keep_their_messages(tmp_path, kind):
    path = _lines(tmp_path, CHATS)
    if kind == "parquet":
        path = tmp_path / "a.parquet"
        Dataset.from_list(CHATS).to_parquet(path)
    found = load_conversations(path, dev=1)
    assert found.layout == "messages"
    for row in found.train:
        assert json.loads(row["messages"]) == CHATS[row["index"]]["messages"]
        assert (row["question"], row["completion"]) == (f"q{row['index']}", f"a{row['index']}")


def test_folders_files_and_saved_data_sets_bring_their_dev_rows(tmp_path):
    _lines(tmp_path / "f", PAIRS[:8], "my_train.jsonl")
    dev = _lines(tmp_path / "f", PAIRS[8:], "my.valid.jsonl")
    tables = {"train": PAIRS[:8], "validation": PAIRS[8:], "test": PAIRS[:1]}
    DatasetDict({k: Dataset.from_list(v) for k, v in tables.items()}).save_to_disk(tmp_path / "d")
    found = [
        load_conversations(tmp_path / "f"),
        load_conversations(tmp_path / "d"),
        load_conversations(tmp_path / "f" / "my_train.jsonl", dev),
        load_conversations(str(tmp_path / "d"), str(dev)),
    ]
    assert len({one.fingerprint for one in found}) == 1
    assert found[0].dev["completion"][:] == ["c8", "c9", "c10", "c11"]
    assert any("unused splits: test" in note for note in found[1].notes)


def test_folders_without_one_training_file_are_refused(tmp_path):
    _lines(tmp_path, PAIRS, "a.jsonl")
    with pytest.raises(DataError, match="'train' in its name is needed, found none"):
        load_conversations(tmp_path)
    _lines(tmp_path, PAIRS, "a.train.jsonl")
    _lines(tmp_path, PAIRS, "b.train.jsonl")
    with pytest.raises(DataError, match=r"found a\.train\.jsonl, b\.train\.jsonl"):
        load_conversations(tmp_path)


def test_empty_completions_are_dropped_and_counted_unless_all_are(tmp_path):
    rows = [*PAIRS, {"prompt": "p", "completion": " \n"}]
    found = load_conversations(_lines(tmp_path, rows), dev=2)
    assert found.train.num_rows == 10
    assert any("dropped 1 of 13 rows with an empty completion" in note for note in found.notes)
    with pytest.raises(DataError, match="is empty in all 1 rows"):
        load_conversations(_lines(tmp_path, rows[-1:]))


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([*PAIRS, {"prompt": "p"}], r"line 13: the row has no 'completion'; it has: prompt"),
        ([*CHATS, {"messages": [{"role": "bot", "content": "a"}]}], "line 13, message 1: the role 'bot'"),
        ([], "holds no rows"),
        ([{"a": 1}], "do not match"),
    ],
)
def test_bad_rows_are_refused_with_their_place(tmp_path, rows, said):
    with pytest.raises(DataError, match=said):
        load_conversations(_lines(tmp_path, rows))


def test_broken_json_is_refused_with_its_line(tmp_path):
    path = _lines(tmp_path, PAIRS)
    path.write_text(path.read_text() + '\n{"prompt": ')
    with pytest.raises(DataError, match="line 13: not JSON"):
        load_conversations(path)


def test_settings_that_do_not_fit_are_refused(tmp_path):
    path = _lines(tmp_path, PAIRS)
    with pytest.raises(ConfigError, match="separator applies only to text files"):
        load_conversations(path, separator="x")
    with pytest.raises(UnknownNameError, match="Did you mean 'prompt'"):
        load_conversations(path, template="{prompts}")
    with pytest.raises(DataError, match="the layout is text and that of the training rows is prompt"):
        load_conversations(path, _lines(tmp_path, [{"text": "a"}], "dev.jsonl"))
    with pytest.raises(DataError, match="does not exist"):
        load_conversations(tmp_path / "b.jsonl")


@pytest.mark.parametrize(("size", "held"), [(None, 1), (4, 4), (0.25, 3)])
def test_rows_are_set_aside_at_random_and_only_once(size, held):
    rows = Dataset.from_list(PAIRS)
    train, dev = hold_out(rows, size, seed=1)
    assert dev.num_rows == held
    assert sorted([*train["prompt"], *dev["prompt"]]) == sorted(rows["prompt"])
    assert hold_out(rows, size, seed=1)[1]["prompt"][:] == dev["prompt"][:]
    assert any(hold_out(rows, size, seed=seed)[1]["prompt"][:] != dev["prompt"][:] for seed in range(2, 9))


@pytest.mark.parametrize("size", [0, -1, 1.0, 0.0, True])
def test_sizes_out_of_range_are_refused(size):
    with pytest.raises(ConfigError, match="the number of dev rows must be"):
        hold_out(Dataset.from_list(PAIRS), size)


def test_as_many_dev_rows_as_there_are_rows_are_refused():
    with pytest.raises(DataError, match="12 rows are to be held out"):
        hold_out(Dataset.from_list(PAIRS), 12)


def test_dev_rows_of_the_source_are_not_replaced_by_training_rows(tmp_path):
    _lines(tmp_path / "f", PAIRS, "train.jsonl")
    _lines(tmp_path / "f", [{"prompt": "d", "completion": "e"}], "dev.jsonl")
    found = load_conversations(tmp_path / "f", dev=3)
    assert found.dev["prompt"] == ["d"]
    assert found.train.num_rows == 12
