"""Lengths and unknown pieces, as each kind of tokenizer counts them."""

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from lmdistill.serving.input_counts import input_counts, unknown_piece
from tests.serving.tiny_export import LONGEST, stub_predictor, text_of


def test_tokens_are_counted_after_truncation_and_unknown_words_are_seen():
    predictor = stub_predictor()
    read = [text_of(1), f"{text_of(1, 2)} unheard", text_of(*range(LONGEST + 9))]
    tokens, unknown = input_counts(predictor, read)
    assert (tokens.tolist(), unknown.tolist()) == ([1, 3, LONGEST], [False, True, False])


def test_special_tokens_and_both_texts_of_a_pair_count():
    predictor = stub_predictor(pairs=True)
    predictor.tokenizer.add_special_tokens(["[CLS]", "[SEP]"])
    predictor.tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B [SEP]",
        special_tokens=[(name, predictor.tokenizer.token_to_id(name)) for name in ("[CLS]", "[SEP]")],
    )
    tokens, unknown = input_counts(predictor, [text_of(1, 2)], ["unheard"])
    assert (tokens.tolist(), unknown.tolist()) == ([6], [True])


MODELS = {
    "word pieces": (models.WordPiece({"a": 0, "[UNK]": 1}, unk_token="[UNK]"), 1),
    "words": (models.WordLevel({"a": 0, "<unk>": 1}, unk_token="<unk>"), 1),
    "unigram": (models.Unigram([("a", -1.0), ("b", -1.0), ("<unk>", -9.0)], unk_id=2), 2),
    "unigram without": (models.Unigram([("a", -1.0)]), None),
    "pairs of bytes": (models.BPE({"a": 0}, []), None),
    "pairs with": (models.BPE({"a": 0, "<unk>": 1}, [], unk_token="<unk>"), 1),
}


@pytest.mark.parametrize("kind", MODELS)
def test_every_kind_of_vocabulary_names_its_unknown_piece(kind):
    model, piece = MODELS[kind]
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    assert unknown_piece(tokenizer) == piece
    if piece is not None:
        assert piece in tokenizer.encode("q").ids
