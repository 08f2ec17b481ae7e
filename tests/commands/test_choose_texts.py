"""The choice of texts under a finished student."""

import json

import numpy as np
import pytest
import torch

from lmdistill.commands.choose_texts import choose_texts
from lmdistill.core.errors import ConfigError, DataError
from lmdistill.export.hugging_face import save
from lmdistill.labelling.choose_texts import choose
from tests.tiny import WORDS, tiny


@pytest.fixture(scope="module")
def student(tmp_path_factory):
    folder = tmp_path_factory.mktemp("student")
    save(tiny(layers=2, seed=1, labels=("neg", "mid", "pos")), folder)
    return folder


def write(path, count, **more):
    rows = [
        {"id": n, "text": f"{WORDS[n % 10]} {WORDS[n % 7]} {WORDS[(n * 3) % 20]}", **more}
        for n in range(count)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return [row["text"] for row in rows]


def read(path):
    return [json.loads(line)["text"] for line in path.read_text().splitlines()]


def test_the_chosen_texts_are_those_of_the_rule_in_their_order(tmp_path, student):
    texts = write(tmp_path / "t.jsonl", 60)
    assert choose_texts(tmp_path / "t.jsonl", tmp_path / "a.jsonl", student, 9, seed=3) == 9
    different = list(dict.fromkeys(texts))
    network = tiny(layers=2, seed=1, labels=("neg", "mid", "pos")).eval()
    logits, states = [], []
    with torch.no_grad():
        for text in different:  # one at a time, without padding
            encoded = network.tokenizer(text, return_tensors="pt")
            found = network.model(**encoded, output_hidden_states=True)
            logits.append(found.logits[0].numpy())
            states.append(found.hidden_states[-1][0, 0].numpy())
    rows = choose(np.stack(logits), np.stack(states), 9, seed=3)
    assert read(tmp_path / "a.jsonl") == [different[row] for row in rows]
    choose_texts(tmp_path / "t.jsonl", tmp_path / "b.jsonl", student, 9, seed=3)
    assert (tmp_path / "b.jsonl").read_bytes() == (tmp_path / "a.jsonl").read_bytes()


@pytest.mark.parametrize(
    ("count", "error", "match"),
    [
        (0, ConfigError, r"--choose must be between 1 and \d+, the number of different texts"),
        (61, ConfigError, "got 61"),
    ],
)
def test_as_many_texts_as_there_are_can_be_chosen(count, error, match, tmp_path, student):
    write(tmp_path / "t.jsonl", 60)
    with pytest.raises(error, match=match):
        choose_texts(tmp_path / "t.jsonl", tmp_path / "a.jsonl", student, count)


def test_a_student_of_scores_and_an_output_that_is_there_are_refused(tmp_path):
    write(tmp_path / "t.jsonl", 5)
    save(tiny(layers=1, seed=1, classes=1), tmp_path / "scorer")
    with pytest.raises(ConfigError, match="gives scores, and --choose needs a classifier"):
        choose_texts(tmp_path / "t.jsonl", tmp_path / "a.jsonl", tmp_path / "scorer", 2)
    (tmp_path / "a.jsonl").touch()
    with pytest.raises(DataError, match="exists"):
        choose_texts(tmp_path / "t.jsonl", tmp_path / "a.jsonl", tmp_path / "scorer", 2)
