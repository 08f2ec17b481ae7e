"""GLUE from folders: the real files of both layouts, and every quirk of the official ones in small."""

import gzip
from pathlib import Path

import pytest

from lmdistill.core.errors import DataError
from lmdistill.data.load_task import load_task
from lmdistill.data.tasks.task_spec import SIZES, TASKS

SHARED = Path(__file__).parents[4] / "shared" / "data"
PLAIN, RAW = SHARED / "glue", SHARED / "glue_raw"
needs_plain = pytest.mark.skipif(not PLAIN.exists(), reason="../shared/data/glue is not here")
needs_raw = pytest.mark.skipif(not RAW.exists(), reason="../shared/data/glue_raw is not here")

PLAIN_SIZES = {
    "sst2": (67349, 872),
    "mrpc": (3668, 408),
    "rte": (2490, 277),
    "cola": (8551, 1043),
    "stsb": (5749, 1500),
    "wnli": (635, 71),
    "qnli": (9999, 5463),
    "mnli": (9999, 9815, 1000),
    "qqp": (29867, 3000),
}


def _write(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


def _rte(
    folder: Path, *rows: str, header: str = "index\tsentence1\tsentence2\tlabel", split: str = "train"
) -> Path:
    return _write(folder / "RTE", f"{split}.tsv", "\n".join([header, *rows]) + "\n")


@needs_plain
@pytest.mark.parametrize("name", PLAIN_SIZES)
def test_the_plain_layout_has_the_rows_of_its_readme(name: str, shared_cache: Path) -> None:
    task = load_task(name, PLAIN)
    sizes = [task.train.num_rows, *(rows.num_rows for rows in task.dev.values())]
    assert sizes == list(PLAIN_SIZES[name])
    subsets = [split for split, rows in task.splits.items() if rows.num_rows != SIZES[name][split]]
    assert len(task.notes) == len(subsets)
    labels = task.dev[task.spec.splits[0]].unique("label")
    assert task.spec.kind == "regression" or set(labels) == set(range(task.spec.num_classes))
    assert task.spec.kind == "classification" or (min(labels), max(labels)) == (0, 5)


@needs_raw
@pytest.mark.parametrize("name", ["cola", "sst2", "mrpc", "stsb", "qnli", "rte", "wnli", "ax"])
def test_the_official_layout_has_the_official_rows(name: str, shared_cache: Path) -> None:
    task = load_task(name, RAW)
    assert "official layout" in task.source
    lacking = {"mrpc": {"train": 3667}}.get(name, {})
    assert {split: rows.num_rows for split, rows in task.splits.items()} == {
        split: lacking.get(split, SIZES[name][split]) for split in task.splits
    }
    test = task.splits["test"]
    assert set(test["label"]) == {-1}
    assert test["index"][:] == list(range(test.num_rows))


@needs_plain
@needs_raw
@pytest.mark.parametrize("name", ["cola", "sst2", "mrpc", "stsb", "qnli", "rte", "wnli"])
def test_both_layouts_give_the_same_dev_set(name: str, shared_cache: Path) -> None:
    plain, raw = load_task(name, PLAIN).dev["dev"], load_task(name, RAW).dev["dev"]
    assert plain["label"][:] == raw["label"][:]
    for column in ("sentence1", "sentence2"):
        assert [text.split() for text in plain[column]] == [text.split() for text in raw[column]]


@needs_raw
def test_cola_has_no_header_so_its_first_sentence_is_kept(shared_cache: Path) -> None:
    first = load_task("cola", RAW).train[0]
    assert first["sentence1"].startswith("Our friends won't buy this analysis")
    assert first["label"] == 1


@needs_raw
def test_quotes_of_mrpc_stay_in_the_text(shared_cache: Path) -> None:
    first = load_task("mrpc", RAW).dev["dev"][0]
    assert first["sentence2"] == '" The foodservice pie business does not fit our long-term growth strategy .'


@needs_raw
def test_a_task_without_a_train_file_loads_and_says_so(shared_cache: Path) -> None:
    task = load_task("sst2", RAW)
    assert any("no file for train" in note for note in task.notes)
    with pytest.raises(DataError, match=r"sst2 has no 'train' split"):
        _ = task.train


def test_names_and_official_numbers_mean_the_same(tmp_path: Path, cache: Path) -> None:
    _rte(tmp_path, "0\ta\tb\tentailment", "1\tc\td\tnot_entailment", "2\te\tf\t0", "3\tg\th\t1")
    assert load_task("rte", tmp_path).train["label"][:] == [0, 1, 0, 1]


def test_official_mnli_and_qqp_columns_are_read(tmp_path: Path, cache: Path) -> None:
    header = "index\tpromptID\tsentence1\tsentence2\tlabel1\tgold_label"
    for split in ("train", "dev_matched", "dev_mismatched"):
        _write(
            tmp_path / "MNLI",
            f"{split}.tsv",
            f"{header}\n0\t9\tp\th\tneutral\tcontradiction\n1\t9\tp\th\tx\tneutral\n",
        )
    _write(tmp_path / "MNLI", "test_matched.tsv.gz", "index\tpromptID\tsentence1\tsentence2\n7\t9\tp\th\n")
    mnli = load_task("mnli", tmp_path)
    assert mnli.train["label"][:] == [2, 1]
    assert mnli.splits["test_matched"][0] == {"sentence1": "p", "sentence2": "h", "label": -1, "index": 7}
    header = "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate"
    _write(tmp_path / "QQP", "train.tsv", f"{header}\n90\t1\t2\ta\tb\t1\n91\t1\t2\tc\td\t0\n")
    _write(tmp_path / "QQP", "test.tsv", "id\tquestion1\tquestion2\n40\ta\tb\n")
    qqp = load_task("qqp", tmp_path)
    assert (qqp.train["label"][:], qqp.train["index"][:], qqp.splits["test"]["index"][:]) == (
        [1, 0],
        [0, 1],
        [40],
    )


def test_flawed_rows_of_qqp_are_dropped_counted_and_said_even_from_the_cache(
    tmp_path: Path, cache: Path
) -> None:
    header = "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate"
    rows = ["0\t1\t2\ta\tb\t1", "1\t1\t2\tcut", "2\t1\t2\t\tb\t1", "3\t1\t2\tc\td\t0"]
    _write(tmp_path / "QQP", "train.tsv", "\n".join([header, *rows]) + "\n")
    for _ in range(2):
        task = load_task("qqp", tmp_path)
        assert task.train["sentence1"][:] == ["a", "c"]
        assert task.train["index"][:] == [0, 3]
        assert any("dropped 1 of 4 rows with a wrong number of fields" in note for note in task.notes)
        assert any("dropped 1 of 4 rows with an empty text" in note for note in task.notes)


def test_mrpc_is_read_from_the_files_of_microsoft(tmp_path: Path, cache: Path) -> None:
    header = "\ufeffQuality\t#1 ID\t#2 ID\t#1 String\t#2 String"
    rows = ['1\t11\t12\t"a\tb', "0\t21\t22\tc\td", "1\t31\t32\te\tf"]
    _write(tmp_path / "MRPC", "msr_paraphrase_train.txt", "\r\n".join([header, *rows]) + "\r\n")
    _write(tmp_path / "MRPC", "msr_paraphrase_test.txt", f"{header}\n1\t41\t42\tg\th\n")
    with pytest.raises(
        DataError, match=r"contains both train and dev rows of MRPC\. Put dev_ids\.tsv of GLUE beside it"
    ):
        load_task("mrpc", tmp_path)
    _write(tmp_path / "MRPC", "dev_ids.tsv", "31\t32\n")
    task = load_task("mrpc", tmp_path)
    assert task.train["sentence1"][:] == ['"a', "c"]
    assert task.dev["dev"]["sentence1"][:] == ["e"]
    assert task.splits["test"]["label"][:] == [1]


def test_a_changed_file_is_never_served_from_the_cache(tmp_path: Path, cache: Path) -> None:
    _rte(tmp_path, "0\ta\tb\t0", "1\tc\td\t1")
    before = load_task("rte", tmp_path)
    _rte(tmp_path, "0\ta\tb\t0", "1\tX\td\t1")
    after = load_task("rte", tmp_path)
    assert (before.train[1]["sentence1"], after.train[1]["sentence1"]) == ("c", "X")
    assert before.fingerprint != after.fingerprint


def test_the_folder_of_the_task_itself_will_do_but_not_that_of_another(tmp_path: Path, cache: Path) -> None:
    _rte(tmp_path, "0\ta\tb\t0", "1\tc\td\t1")
    assert load_task("rte", tmp_path / "RTE").train.num_rows == 2
    with pytest.raises(
        DataError,
        match=r"has no files of wnli\. Looked for .*RTE/wnli/train\.tsv\[\.gz\] and .*it contains: train\.tsv",
    ):
        load_task("wnli", tmp_path / "RTE")


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"the data folder .*nowhere does not exist \(it should contain rte/ or RTE/\)"
    ):
        load_task("rte", tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"is a file; name the folder"):
        load_task("rte", _rte(tmp_path, "0\ta\tb\t0"))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["0\ta\tb\t0", "1\tc"], r"RTE/train\.tsv, line 3: too few fields, 2 where the header has 4"),
        (["0\ta\tb\t0", "1\tc\td\t1\tx"], r"train\.tsv, line 3: too many fields, 5 where"),
        (["0\ta\tb\t0", "", "1\tc\td\t1"], r"train\.tsv, line 3: the line is empty"),
        (
            ["0\ta\tb\t0", "1\t \td\t1"],
            r"train\.tsv, line 3: the text in 'sentence1' is empty\. Fill it in or remove",
        ),
        (
            ["0\ta\tb\t0", "1\tc\td\tmaybe"],
            r"line 3: the label 'maybe' is unknown; known: entailment, not_entailment",
        ),
        (["0\ta\tb\t0", "1\tc\td\t2"], r"line 3: the label '2' is unknown"),
        (["0\ta\tb\t0", "1\tc\td\t"], r"line 3: there is no label in 'label'\. Fill it in or remove"),
        (
            ["0\ta\tb\t0", "1\tc\td\t0"],
            r"all 2 training examples have the label 'entailment'; a classifier needs two",
        ),
        ([], r"train\.tsv has a header \(index, sentence1, sentence2, label\) and no rows"),
    ],
)
def test_bad_rows_are_refused_with_their_place(
    rows: list[str], message: str, tmp_path: Path, cache: Path
) -> None:
    _rte(tmp_path, *rows)
    with pytest.raises(DataError, match=message) as caught:
        load_task("rte", tmp_path)
    assert "\n" not in str(caught.value)


def test_a_missing_column_is_named_with_those_that_exist(tmp_path: Path, cache: Path) -> None:
    _rte(tmp_path, "0\ta\t0", header="index\tsentence1\tlabel")
    with pytest.raises(
        DataError, match=r"line 1: there is no column 'sentence2'; the columns are: index, sentence1, label"
    ):
        load_task("rte", tmp_path)


@pytest.mark.parametrize("score", ["nan", "5.5", "-0.1", "inf", "high"])
def test_scores_outside_their_range_are_refused(score: str, tmp_path: Path, cache: Path) -> None:
    rows = f"sentence1\tsentence2\tlabel\na\tb\t5.0\nc\td\t{score}\n"
    _write(tmp_path / "stsb", "train.tsv", rows)
    with pytest.raises(
        DataError, match=rf"line 3: the score is '{score}', where a number between 0 and 5 is needed"
    ):
        load_task("stsb", tmp_path)


def test_bytes_that_are_not_utf8_are_named(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "rte").mkdir()
    body = b"sentence1\tsentence2\tlabel\nok\tok\t0\ncaf\xe9\tb\t1\n"
    for name, data in (("train.tsv", body), ("train.tsv.gz", gzip.compress(body))):
        path = tmp_path / "rte" / name
        path.write_bytes(data)
        with pytest.raises(
            DataError, match=r"line 3: byte 37 is 0xe9, which is not UTF-8; save the file as UTF-8"
        ):
            load_task("rte", tmp_path)
        path.unlink()


def test_a_cut_gz_file_is_refused(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "rte").mkdir()
    whole = gzip.compress(b"sentence1\tsentence2\tlabel\n" + b"a\tb\t0\nc\td\t1\n" * 999)
    (tmp_path / "rte" / "train.tsv.gz").write_bytes(whole[:60])
    with pytest.raises(DataError, match=r"the compressed file is damaged"):
        load_task("rte", tmp_path)


def test_empty_test_texts_are_kept_and_said(tmp_path: Path, cache: Path) -> None:
    _write(tmp_path / "SST-2", "test.tsv", "index\tsentence\n0\tgood\n1\t \n")
    task = load_task("sst2", tmp_path)
    assert task.splits["test"].num_rows == 2
    assert any("kept 1 of 2 rows with an empty text" in note for note in task.notes)


def test_every_task_says_where_its_official_files_are() -> None:
    assert all(spec.official is not None for spec in TASKS.values())
