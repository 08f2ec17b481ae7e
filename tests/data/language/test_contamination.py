"""Rows that also stand in an evaluation file, and the counts of the real ones."""

import gzip
import json
from pathlib import Path

import pytest
from datasets import Dataset

from lmdistill.core.errors import DataError
from lmdistill.data.language.contamination import (
    drop_contaminated,
    drop_dev_copies,
    normalize_question,
    questions_in_file,
    questions_in_rows,
)
from lmdistill.data.language.conversations import load_conversations

SHARED = Path(__file__).parents[4] / "shared" / "data" / "instruct"
needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="../shared/data/instruct is not here")


@pytest.mark.parametrize(
    "text", ["what s new", "What's NEW?", "  what\u00a0s\n new ", "WHAT-S-NEW!", "\uff37hat_s new"]
)
def test_case_space_punctuation_and_forms_do_not_matter(text):
    assert normalize_question(text) == "what s new"


def test_other_words_do():
    assert (
        len(
            {
                normalize_question(text)
                for text in ("what is new", "what is it", "new is what", "Wie geht es?")
            }
        )
        == 4
    )


@pytest.mark.parametrize(
    "row",
    [
        {"instruction": "Why?", "prompt": "Instruction: Why?", "output": "So."},
        {"prompt": "Why?"},
        {"text": " why "},
        {"messages": [{"role": "user", "content": "why"}]},
        {"messages": [{"role": "user", "content": "why"}, {"role": "assistant", "content": "So"}]},
    ],
)
def test_questions_are_read_from_any_layout(tmp_path, row):
    path = tmp_path / "eval.jsonl"
    path.write_text(json.dumps(row))
    assert questions_in_file(path) == {"why"}


def test_text_files_hold_a_question_a_line(tmp_path):
    path = tmp_path / "eval.txt"
    path.write_text("Why?\nwho\n")
    assert questions_in_file(path) == {"why", "who"}


def test_files_without_questions_are_refused(tmp_path):
    path = tmp_path / "eval.jsonl"
    path.write_text('{"a": "b"}')
    with pytest.raises(DataError, match="not clear which column holds the questions; the columns are: a"):
        questions_in_file(path)
    path.write_text('{"prompt": "?"}')
    with pytest.raises(DataError, match="contains no questions"):
        questions_in_file(path)


def test_rows_that_overlap_are_dropped_and_counted():
    rows = Dataset.from_dict({"question": ["A b", "c", "", "a, B!", "d"], "index": list(range(5))})
    kept, overlap = drop_contaminated(rows, {"one": {"a b", "z"}, "two": {"d"}})
    assert kept["index"][:] == [1, 2]
    assert (overlap.total, overlap.dropped, overlap.share) == (5, 3, 0.6)
    assert overlap.questions == {"one": (2, 1), "two": (1, 1)}
    assert overlap.notes[0].startswith("1 of the 2 different questions of one")
    assert drop_contaminated(rows, {"one": {"q"}})[0] is rows
    assert drop_contaminated(rows, {})[1].dropped == 0
    with pytest.raises(DataError, match="all 1 training rows"):
        drop_contaminated(rows.select([1]), {"one": {"c"}})


def test_questions_of_rows_are_those_of_their_file():
    rows = Dataset.from_dict({"question": ["Why?", " why", "WHO", "", "?"]})
    assert questions_in_rows(rows) == {"why", "who"}


def test_copies_are_told_word_for_word():
    rows = Dataset.from_dict({"completion": ["a b", "A b", "a b ", "?", "c"]})
    kept, notes = drop_dev_copies(rows, Dataset.from_dict({"completion": ["a b", "?", "d"]}))
    assert kept["completion"][:] == ["A b", "a b ", "c"]
    assert notes == ("dropped 2 of 5 training rows that also occur in the dev rows",)
    same, none = drop_dev_copies(rows, Dataset.from_dict({"completion": ["d"]}))
    assert same is rows
    assert none == ()
    with pytest.raises(DataError, match="all 5 training rows also occur in the 5 dev rows"):
        drop_dev_copies(rows, rows)


def _instructions(name: str) -> list[str]:
    with gzip.open(SHARED / name, "rt") as file:
        text = file.read()
    rows = json.loads(text) if text.startswith("[") else [json.loads(line) for line in text.splitlines()]
    return [row["instruction"] for row in rows]


@needs_shared
@pytest.mark.usefixtures("shared_cache")
@pytest.mark.parametrize(
    ("name", "exact", "found", "rows"),
    [("dolly_first6400_nocontext.jsonl.gz", 474, 498, 513), ("dolly_3k.json.gz", 98, 98, 98)],
)
def test_the_real_evaluation_prompts_are_found(name, exact, found, rows):
    """Exact comparison finds 474 and 98 different instructions; without case and marks a few more are the same."""
    evaluation = SHARED / "eval" / "dolly_valid.jsonl.gz"
    theirs = _instructions("eval/dolly_valid.jsonl.gz")
    assert len(set(theirs) & set(_instructions(name))) == exact
    train = load_conversations(SHARED / name, dev=10).train
    everything = load_conversations(SHARED / name, dev=evaluation)
    kept, overlap = drop_contaminated(everything.train, {"dolly": questions_in_file(evaluation)})
    assert overlap.questions["dolly"] == (499, found)
    assert overlap.dropped == rows == overlap.total - kept.num_rows
    assert not set(theirs) & set(kept["question"])
    assert train.num_rows == everything.train.num_rows - 10
