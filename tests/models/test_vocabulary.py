import logging
from pathlib import Path

import pytest
from tokenizers import pre_tokenizers
from transformers import AutoTokenizer

from lmdistill.core.errors import MismatchError
from lmdistill.models.vocabulary import align_vocabularies, tokenizer_size
from tests.tiny import WORDS
from tests.tiny_causal import SPECIAL, tiny_language, tiny_language_tokenizer

MODELS = Path(__file__).parents[2].parent / "shared" / "models"


def test_padded_vocabularies_are_cut_to_the_tokenizer_and_that_is_said(caplog):
    student, teacher = tiny_language(rows=32), tiny_language(rows=40)
    with caplog.at_level(logging.INFO, "lmdistill"):
        align_vocabularies(student, teacher)
    assert student.vocabulary == teacher.vocabulary == student.num_classes == 24
    assert len(student.head.weight) == len(teacher.head.weight) == 24
    assert [record.getMessage() for record in caplog.records] == [
        "tiny llama has 32 outputs for 24 tokens; the others are ignored",
        "tiny llama has 40 outputs for 24 tokens; the others are ignored",
    ]
    assert teacher.model.config.vocab_size == 40  # the stock model is as it was


def test_equal_vocabularies_stay_and_nothing_is_said(caplog):
    student, teacher = tiny_language(layers=2), tiny_language()
    with caplog.at_level(logging.INFO, "lmdistill"):
        align_vocabularies(student, teacher)
        align_vocabularies(student, teacher)
    assert student.vocabulary == teacher.vocabulary == 24
    assert caplog.text == ""


def test_another_tokenizer_is_refused_with_the_first_two_ids():
    words = ["good", "evil", "fine", "boring", *WORDS[4:-1]]
    other = tiny_language(tokenizer=tiny_language_tokenizer(words))
    with pytest.raises(
        MismatchError,
        match=r"differ: id 5 is 'bad' and 'evil', id 7 is 'dull' and 'boring'; 3 ids in all\. .* one tokenizer",
    ):
        align_vocabularies(tiny_language(), other)


def test_an_id_that_only_one_has_is_named():
    other = tiny_language(tokenizer=tiny_language_tokenizer(WORDS[:-1]))
    with pytest.raises(MismatchError, match=r"differ: id 23 is 'never' and nothing; 1 ids"):
        align_vocabularies(tiny_language(), other)


def test_special_tokens_count():
    special = ["<pad>", "<unk>", "<s>", "<end>"]
    other = tiny_language(tokenizer=tiny_language_tokenizer(special=special, end="<end>"))
    with pytest.raises(MismatchError, match=r"id 3 is '</s>' and '<end>'"):
        align_vocabularies(tiny_language(), other)
    other = tiny_language(tokenizer=tiny_language_tokenizer(end="<s>"))
    with pytest.raises(MismatchError, match=r"their end tokens are '</s>' and '<s>'\. Use the same one"):
        align_vocabularies(tiny_language(), other)


def test_tokens_added_later_count():
    student, teacher = tiny_language(rows=30), tiny_language(rows=30)
    for network in (student, teacher):
        network.tokenizer.add_tokens(["extra"])
    align_vocabularies(student, teacher)
    assert student.vocabulary == teacher.vocabulary == 25
    teacher.tokenizer.add_special_tokens({"additional_special_tokens": ["<tool>"]})
    with pytest.raises(MismatchError, match=r"id 25 is nothing and '<tool>'"):
        align_vocabularies(student, teacher)


def test_equal_strings_that_are_cut_otherwise_are_refused():
    other = tiny_language()
    other.tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    with pytest.raises(MismatchError, match=r"into different tokens, \d+ and \d+ of them"):
        align_vocabularies(tiny_language(), other)


def test_a_network_that_cannot_write_all_tokens_is_refused():
    student, teacher = tiny_language(rows=23), tiny_language()
    with pytest.raises(MismatchError, match=r"has 24 tokens and the student \(tiny llama\) predicts 23"):
        align_vocabularies(student, teacher)
    assert (student.vocabulary, teacher.vocabulary) == (23, 24)


def test_the_size_of_a_tokenizer_is_its_largest_id_plus_one():
    tokenizer = tiny_language_tokenizer()
    assert tokenizer_size(tokenizer) == len(tokenizer) == len(SPECIAL) + len(WORDS)


@pytest.mark.skipif(not MODELS.exists(), reason="../shared/models is not here")
def test_real_tokenizers_of_two_families_are_told_apart():
    stories = AutoTokenizer.from_pretrained(MODELS / "stories260k")
    gpt2 = AutoTokenizer.from_pretrained(MODELS / "gpt2-tokenizer")
    student, teacher = tiny_language(rows=512, tokenizer=stories), tiny_language(rows=50304, tokenizer=gpt2)
    with pytest.raises(
        MismatchError, match=r"id 0 is '<unk>' and '!', id 1 is '<s>' and '\"'; \d+ ids in all"
    ):
        align_vocabularies(student, teacher)
    other = tiny_language(rows=50260, tokenizer=AutoTokenizer.from_pretrained(MODELS / "gpt2-tokenizer"))
    align_vocabularies(other, teacher)
    assert other.vocabulary == teacher.vocabulary == 50257
