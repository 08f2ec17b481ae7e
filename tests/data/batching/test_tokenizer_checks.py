"""Fingerprints of tokenizers: one for what a tokenizer does, computed once."""

import pytest
import torch

import lmdistill.data.batching.tokenizer_checks as checks
from lmdistill.core.batch import Inputs
from lmdistill.core.errors import ConfigError
from lmdistill.data.batching.tokenizer_checks import check_max_length, tokenizer_fingerprint
from tests.models.families import family
from tests.tiny import tiny


def test_a_tokenizer_is_serialised_once(monkeypatch):
    tokenizer, calls, real = tiny().tokenizer, [], checks._fingerprint

    def counted(given):
        calls.append(given)
        return real(given)

    monkeypatch.setattr(checks, "_fingerprint", counted)
    first = tokenizer_fingerprint(tokenizer)
    tokenizer(["a text"], truncation=True, max_length=3, padding=True)  # leaves its settings behind
    assert tokenizer_fingerprint(tokenizer) == first == real(tokenizer)
    assert len(calls) == 1


def test_new_tokens_and_another_side_of_truncation_have_another_fingerprint():
    tokenizer = tiny().tokenizer
    before = tokenizer_fingerprint(tokenizer)
    tokenizer.truncation_side = "left"
    left = tokenizer_fingerprint(tokenizer)
    tokenizer.add_tokens(["unheard-of"])
    assert len({before, left, tokenizer_fingerprint(tokenizer)}) == 3


def test_a_length_above_the_positions_of_the_model_is_refused_where_the_tokenizer_states_none():
    tokenizer = tiny().tokenizer
    check_max_length(tokenizer, 64, pair=False, positions=64)
    with pytest.raises(
        ConfigError, match=r"max_length is 64 and the model reads at most 62 tokens\. Set max_length to 62"
    ):
        check_max_length(tokenizer, 64, pair=False, positions=62)
    tokenizer.model_max_length = int(1e30)
    with pytest.raises(ConfigError, match=r"max_length is 63 and the model reads at most 62"):
        check_max_length(tokenizer, 63, pair=True, positions=62)
    check_max_length(tokenizer, 5000, pair=False)
    with pytest.raises(ConfigError, match=r"the model reads at most 2147483647 tokens"):
        check_max_length(tokenizer, 10**30, pair=False)


def test_a_roberta_without_a_maximum_reads_two_tokens_less_than_it_has_embeddings():
    network = family("roberta")
    network.tokenizer.model_max_length = int(1e30)
    last = network.model.get_input_embeddings().num_embeddings - 1
    texts = torch.full((1, network.positions + 1), min(7, last))
    network(Inputs(ids=texts[:, 1:], mask=torch.ones_like(texts[:, 1:])))
    with pytest.raises((IndexError, RuntimeError)):
        network(Inputs(ids=texts, mask=torch.ones_like(texts)))
