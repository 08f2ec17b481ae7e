"""Texts keep their pieces, whatever the vocabulary; what is asked for in vain is said."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from lmdistill.core.errors import ConfigError
from lmdistill.models.vocabulary_trimming.chosen_pieces import choose_pieces
from lmdistill.models.vocabulary_trimming.text_pieces import Texts, used_pieces
from lmdistill.models.vocabulary_trimming.tokenizer_definition import definition_of
from tests.models.piece_tokenizers import ANY, TEXTS, bpe, byte_bpe, unigram, word_piece


def trimmed(tokenizer, texts, size="texts"):
    """What stays, and the smaller tokenizer."""
    definition = definition_of(tokenizer, "tiny")
    chosen = choose_pieces(definition, used_pieces(tokenizer, definition, Texts(texts)), size)
    return chosen, Tokenizer.from_str(json.dumps(definition.with_ids(chosen.new_ids)))


def ids(tokenizer, texts, **settings):
    return [one.ids for one in tokenizer.encode_batch(list(texts), **settings)]


def require_law(tokenizer, texts, chosen, small):
    """The ids of texts are the same but for their numbers, with special tokens and without; and so is their text."""
    tokenizer.backend_tokenizer.no_truncation()
    for special in (True, False):
        before = ids(tokenizer.backend_tokenizer, texts, add_special_tokens=special)
        after = ids(small, texts, add_special_tokens=special)
        assert after == [[chosen.new_ids[number] for number in row] for row in before]
        for one, other in zip(before, after, strict=True):
            assert small.decode(other) == tokenizer.backend_tokenizer.decode(one)


@given(tokenizer=ANY, texts=TEXTS, others=TEXTS)
def test_texts_keep_their_pieces_and_others_have_some(tokenizer, texts, others):
    chosen, small = trimmed(tokenizer, texts)
    require_law(tokenizer, texts, chosen, small)
    assert sorted(small.get_vocab().values()) == list(range(len(chosen.kept)))
    old = {number: piece for piece, number in tokenizer.get_vocab().items()}
    assert small.get_vocab() == {old[number]: new for number, new in chosen.new_ids.items()}
    assert all(0 <= number < len(chosen.kept) for row in ids(small, others) for number in row)


@given(tokenizer=ANY, texts=TEXTS, data=st.data())
def test_any_size_that_is_enough_is_filled_with_frequent_pieces(tokenizer, texts, data):
    least, _ = trimmed(tokenizer, texts)
    size = data.draw(st.integers(len(least.kept), least.before + 2))
    chosen, small = trimmed(tokenizer, texts, size)
    require_law(tokenizer, texts, chosen, small)
    assert set(chosen.kept) >= set(least.kept)
    assert len(chosen.kept) <= size
    if definition_of(tokenizer, "").kind != "BPE":
        assert len(chosen.kept) == min(size, chosen.before)
        added = sorted(set(chosen.kept) - set(least.kept))
        dropped = set(range(chosen.before)) - set(chosen.kept)
        assert all(one < other for one in added for other in dropped)
    assert chosen.is_whole == (len(chosen.kept) == chosen.before)
    assert (chosen.needed, chosen.composing) == (least.needed, least.composing)


@given(tokenizer=ANY, texts=TEXTS, size=st.integers(1, 30))
def test_a_size_that_is_too_small_is_one_line_with_both_numbers(tokenizer, texts, size):
    least, _ = trimmed(tokenizer, texts)
    if size >= len(least.kept):
        return
    with pytest.raises(ConfigError) as error:
        trimmed(tokenizer, texts, size)
    assert str(error.value) == (
        f"student.vocabulary is {size}, and the texts need {least.needed} word pieces and {least.composing} more "
        f"compose other words. Set student.vocabulary to at least {len(least.kept)}, or to texts."
    )


def test_a_word_that_was_unknown_stays_unknown():
    """Without "ab" the word "abc" would be "a" and "##bc"; its beginning is therefore kept."""
    tokenizer = word_piece(["a", "ab", "##bc", "x", "##x"])
    _chosen, small = trimmed(tokenizer, ["abc", "xx", "a", "abc, abc"])
    assert small.encode("abc").tokens == ["[CLS]", "[UNK]", "[SEP]"]
    assert small.token_to_id("ab") is not None


def test_all_merges_that_can_make_a_piece_stay_with_their_parts():
    tokenizer = bpe("abcz", [("b", "c"), ("a", "b"), ("a", "bc"), ("ab", "c"), ("z", "z")])
    _, small = trimmed(tokenizer, ["abc"])
    model = json.loads(small.to_str())["model"]
    assert model["merges"] == [["b", "c"], ["a", "b"], ["a", "bc"], ["ab", "c"]]
    assert small.token_to_id("zz") is None


def test_the_lowest_score_stays_because_unknown_characters_are_scored_by_it():
    """ "xy" and "z" would cost more than an unknown character and "yz" if the lowest score were -15."""
    tokenizer = unigram([("xy", -15.0), ("z", -15.0), ("yz", -3.0), ("qq", -20.0)])
    _chosen, small = trimmed(tokenizer, ["xyz"])
    assert small.encode("xyz").tokens == ["[CLS]", "xy", "z", "[SEP]"]
    assert small.token_to_id("qq") is not None


def test_characters_of_the_scripts_of_the_texts_compose_other_words():
    tokenizer = word_piece(["a", "##b", "é", "б", "##в", "日", "!", "7", "##7", "ab", "αβ", "α", "##β"])
    chosen, small = trimmed(tokenizer, ["ab"])
    assert set(small.get_vocab()) - {"[PAD]", "[UNK]", "[CLS]", "[SEP]"} == {
        "a",
        "##b",
        "é",
        "!",
        "7",
        "##7",
        "ab",
    }
    assert (chosen.needed, chosen.composing, chosen.filled) == (5, 6, 0)
    assert set(trimmed(tokenizer, ["αβ"])[1].get_vocab()) >= {"α", "##β"}


def test_all_bytes_stay():
    tokenizer = byte_bpe(["a good film, a good plot"] * 3)
    chosen, small = trimmed(tokenizer, ["a film"])
    for text in ("a film", "naïve 日本語 🙂", "\x00\n"):
        assert small.decode(small.encode(text).ids) == text
    assert 4 + 256 < len(chosen.kept) < chosen.before
