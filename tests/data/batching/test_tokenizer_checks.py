"""Fingerprints of tokenizers: one for what a tokenizer does, computed once."""

import lmdistill.data.batching.tokenizer_checks as checks
from lmdistill.data.batching.tokenizer_checks import tokenizer_fingerprint
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
