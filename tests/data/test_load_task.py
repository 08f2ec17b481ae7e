"""Tasks from the hub and from what `datasets` reads, all offline."""

from pathlib import Path

import datasets
import huggingface_hub
import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value

from lmdistill.core.errors import ConfigError, DataError, UnknownNameError
from lmdistill.data.load_task import load_task
from lmdistill.data.tasks.hub import glue_task, load_glue
from lmdistill.data.tasks.task_spec import TASKS


def _hub_split(labels: list[int], spec_name: str = "mnli") -> Dataset:
    spec = TASKS[spec_name]
    names = {column: Value("string") for column in spec.columns}
    kind = ClassLabel(names=list(spec.labels)) if spec.labels else Value("float32")
    features = Features({**names, "label": kind, "idx": Value("int32")})
    texts = {column: [f"{column} {i}" for i in range(len(labels))] for column in spec.columns}
    return Dataset.from_dict(
        {**texts, "label": labels, "idx": [i + 5 for i in range(len(labels))]}, features=features
    )


def test_hub_splits_of_glue_become_ours(cache: Path) -> None:
    tables = {
        "train": _hub_split([0, 1, 2]),
        "validation_matched": _hub_split([2, 1]),
        "validation_mismatched": _hub_split([0, 0]),
        "test_matched": _hub_split([-1, -1]),
        "test_mismatched": _hub_split([-1]),
    }
    task = glue_task(TASKS["mnli"], tables, "hub")
    assert set(task.splits) == {"train", "dev_matched", "dev_mismatched", "test_matched", "test_mismatched"}
    assert task.train[0] == {"sentence1": "premise 0", "sentence2": "hypothesis 0", "label": 0, "index": 5}
    assert task.dev["dev_matched"]["label"][:] == [2, 1]
    assert task.splits["test_matched"]["label"][:] == [-1, -1]


def test_hub_labels_are_matched_by_name(cache: Path) -> None:
    table = _hub_split([0, 1], "rte").cast_column("label", ClassLabel(names=["not_entailment", "entailment"]))
    assert glue_task(TASKS["rte"], {"train": table}, "hub").train["label"][:] == [1, 0]


def test_hub_scores_are_kept(cache: Path) -> None:
    task = glue_task(TASKS["stsb"], {"train": _hub_split([1, 5], "stsb")}, "hub")
    assert task.train["label"][:] == [1.0, 5.0]


def test_without_network_one_line_says_what_to_do(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    with pytest.raises(
        DataError,
        match=r"nyu-mll/glue:sst2 cannot be loaded .*set data\.source to a folder .* or set HF_HOME",
    ) as caught:
        load_task("sst2")
    assert "\n" not in str(caught.value)
    with pytest.raises(DataError, match=r"nobody/nothing:config cannot be loaded"):
        load_task("nobody/nothing:config")


@pytest.mark.network
def test_the_hub_itself_gives_sst2(cache: Path) -> None:
    assert load_glue(TASKS["sst2"]).dev["dev"].num_rows == 872


def test_a_folder_that_datasets_reads_is_a_task(tmp_path: Path, cache: Path) -> None:
    folder = tmp_path / "reviews"
    folder.mkdir()
    (folder / "train.csv").write_text("premise,hypothesis,label\na,b,x\nc,d,y\ne,f,y\n")
    (folder / "validation.csv").write_text("premise,hypothesis,label\na,b,y\n")
    (folder / "test.csv").write_text("premise,hypothesis,label\na,b,x\n")
    task = load_task(str(folder))
    assert task.spec.labels == ("x", "y")
    assert task.is_pair
    assert {split: rows.num_rows for split, rows in task.splits.items()} == {"train": 3, "dev": 1, "test": 1}
    assert any("the split 'validation' is used as dev" in note for note in task.notes)


def test_a_saved_data_set_keeps_its_class_names_and_drops_rows_without_label_aloud(
    tmp_path: Path, cache: Path
) -> None:
    features = Features({"text": Value("string"), "label": ClassLabel(names=["pos", "neg"])})
    train = Dataset.from_dict(
        {"text": list("abcdefgh"), "label": [0, 1, -1, 0, 1, 0, 1, 0]}, features=features
    )
    DatasetDict({"train": train, "unsupervised": train}).save_to_disk(tmp_path / "saved")
    task = load_task(str(tmp_path / "saved"))
    assert task.spec.labels == ("pos", "neg")
    assert task.train.num_rows + task.dev["dev"].num_rows == 7
    for said in (
        "dropped 1 of 8 rows without a label",
        "1 of the 7 training rows",
        "not used: unsupervised",
    ):
        assert any(said in note for note in task.notes), (said, task.notes)


def test_names_that_are_nothing_are_refused() -> None:
    with pytest.raises(UnknownNameError, match=r"no task is called 'mrcp'\. Did you mean 'mrpc'"):
        load_task("mrcp")
    with pytest.raises(ConfigError, match=r"owner/name names a data set, so data.source 'x' has no effect"):
        load_task("owner/name", "x")
    with pytest.raises(ConfigError, match=r"owner/name has its own splits, so data.dev 'x' has no effect"):
        load_task("owner/name", dev="x")


def test_the_task_that_a_program_makes_needs_no_data_and_takes_none():
    assert load_task("synthetic").spec.name == "synthetic"
    with pytest.raises(
        ConfigError, match=r"'synthetic' generates its texts, so data.source 'x' has no effect\. Leave"
    ):
        load_task("synthetic", "x")
