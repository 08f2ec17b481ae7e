"""A run keeps the hashes of the texts that trained or chose its student, by what they were used for."""

import json
from dataclasses import replace

import pytest

from lmdistill.data.load_task import load_task
from lmdistill.data.tasks.text_hashes import hashes_of, text_hashes
from lmdistill.data.tasks.unlabelled import unlabelled_sources, with_unlabelled
from lmdistill.recipes.classifier import Data
from lmdistill.records.integrity import run_checksums
from lmdistill.records.text_hashes import TEXT_HASHES, read_text_hashes, write_text_hashes
from lmdistill.runs.classification.seen_texts import teacher_sources, write_seen_texts
from tests.tiny import tiny


def write(path, texts, labels=("bad", "good")):
    lines = [{"text": text, "label": labels[n % 2]} for n, text in enumerate(texts)]
    path.write_text("\n".join(map(json.dumps, lines)))
    return str(path)


TRAIN = [f"a film about number {n}" for n in range(12)]
DEV = [f"a plot with {n} turns" for n in range(6)]
TEST = [f"a cast of {n}" for n in range(4)]


@pytest.fixture
def task(tmp_path):
    files = {name: write(tmp_path / f"{name}.jsonl", texts) for name, texts in (("dev", DEV), ("test", TEST))}
    return load_task("own", write(tmp_path / "train.jsonl", TRAIN), **files)


def of(texts):
    return sorted(hashes_of(texts, [""] * len(texts)).tolist())


def groups(folder):
    return {name: one.tolist() for name, one in read_text_hashes(folder).items()}


def test_train_and_dev_are_seen_and_test_is_not(task, tmp_path):
    assert task.spec.splits == ("dev", "test")
    write_seen_texts(tmp_path, task)
    assert groups(tmp_path) == {"train": of(TRAIN), "dev": of(DEV)}


def test_texts_without_labels_are_a_group_of_their_own(task, tmp_path):
    more = tmp_path / "more.jsonl"
    more.write_text("\n".join(json.dumps({"text": f"words of page {n}"}) for n in range(5)))
    form = Data(source="x").form
    sources = unlabelled_sources((str(more),), task, task, text=("text",), join=None, form=form)
    write_seen_texts(tmp_path, with_unlabelled(task, sources))
    found = groups(tmp_path)
    assert found["train"] == of(TRAIN)
    assert found["unlabelled"] == of([f"words of page {n}" for n in range(5)])


def test_rows_that_only_the_teacher_saw_are_its_own(task, tmp_path):
    few = task.with_train(task.train.select(range(3)))
    write_seen_texts(tmp_path, few, taught=task)
    assert groups(tmp_path) == {"train": of(TRAIN[:3]), "teacher": of(TRAIN), "dev": of(DEV)}


def test_what_other_runs_saw_counts(task, tmp_path):
    """A teacher and an origin from other runs bring all texts of theirs; one from elsewhere brings none."""
    for name, number in (("teacher", 7), ("origin", 8), ("third", 9)):
        (tmp_path / name / "student").mkdir(parents=True)
        write_text_hashes(tmp_path / name, {"train": [hashes_of([str(number)], [""])]})
    teachers = [str(tmp_path / "teacher" / "student"), str(tmp_path / "third" / "student"), "hub/name"]
    write_seen_texts(tmp_path, task, teachers=teachers, origin=str(tmp_path / "origin" / "student"))
    found = groups(tmp_path)
    assert found["teacher"] == of(["7", "9"])
    assert found["train"] == of([*TRAIN, "8"])


def test_the_networks_that_teach_are_found():
    assert teacher_sources(None, None) == []
    assert teacher_sources(tiny(layers=1), None) == ["tiny1"]


def test_damaged_hashes_of_another_run_do_not_stop_this_one(task, tmp_path, caplog):
    (tmp_path / "origin" / "student").mkdir(parents=True)
    (tmp_path / "origin" / TEXT_HASHES).write_text("no archive")
    write_seen_texts(tmp_path, task, origin=str(tmp_path / "origin" / "student"))
    assert groups(tmp_path)["train"] == of(TRAIN)
    assert "The texts of that run are not known to this one." in caplog.text


def test_a_record_has_their_checksum(task, tmp_path):
    write_seen_texts(tmp_path, task)
    (tmp_path / "student").mkdir()
    assert TEXT_HASHES in run_checksums(tmp_path)


def test_pairs_are_hashed_as_pairs(task, tmp_path):
    rows = task.train.map(lambda row: {**row, "sentence2": "again"})
    pairs = replace(task, splits={**task.splits, "train": rows})
    write_seen_texts(tmp_path, pairs)
    assert groups(tmp_path)["train"] == sorted(text_hashes(rows).tolist())
    assert groups(tmp_path)["train"] != of(TRAIN)
