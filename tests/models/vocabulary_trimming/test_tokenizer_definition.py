"""Every id in tokenizer.json is a new one; tokenizers of other kinds are named."""

import json

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from lmdistill.core.errors import ModelError
from lmdistill.models.vocabulary_trimming.tokenizer_definition import definition_of
from tests.models.piece_tokenizers import word_piece

PIECES = ("x", "a", "b", "[PAD]", "[UNK]", "y", "[CLS]", "[SEP]")
FIRST, LAST = ("[CLS]", 6), ("[SEP]", 7)
PROCESSORS = {
    "bert": processors.BertProcessing(LAST, FIRST),
    "roberta": processors.RobertaProcessing(LAST, FIRST, trim_offsets=False),
    "template": processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[FIRST, LAST]
    ),
    "sequence": processors.Sequence(
        [processors.ByteLevel(trim_offsets=False), processors.BertProcessing(LAST, FIRST)]
    ),
}


@pytest.mark.parametrize("processor", PROCESSORS.values(), ids=PROCESSORS.keys())
def test_special_tokens_around_a_text_have_new_ids(processor):
    """They are not added tokens here, so nothing else keeps them."""
    inner = Tokenizer(models.WordPiece({piece: n for n, piece in enumerate(PIECES)}, unk_token="[UNK]"))
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    inner.post_processor = processor
    inner.enable_padding(pad_id=3, pad_token="[PAD]")
    definition = definition_of(PreTrainedTokenizerFast(tokenizer_object=inner), "tiny")
    assert definition.processor_ids == {6, 7}
    assert definition.unknown_id == 4
    small = Tokenizer.from_str(json.dumps(definition.with_ids({1: 0, 3: 1, 4: 2, 6: 3, 7: 4})))
    assert small.encode("a a").ids == [3, 0, 0, 4]
    assert small.encode("a", "x").ids == [
        3,
        0,
        4,
        *([4] if "roberta" in str(processor).lower() else []),
        2,
        4,
    ]
    assert next(one.ids for one in small.encode_batch(["a", "a a"])) == [3, 0, 4, 1]


def test_added_tokens_stay_after_the_pieces():
    tokenizer = word_piece(["a", "b", "c"])
    tokenizer.add_tokens(["<new>"])
    tokenizer.add_special_tokens({"extra_special_tokens": ["<special>"]})
    definition = definition_of(tokenizer, "tiny")
    assert definition.ids["<special>"] == 8
    table = definition.with_ids({0: 0, 1: 1, 2: 2, 3: 3, 5: 4, 7: 5, 8: 6})
    assert [token["id"] for token in table["added_tokens"]] == [0, 1, 2, 3, 5, 6]
    small = Tokenizer.from_str(json.dumps(table))
    assert small.encode("b<new>b <special>").ids == [2, 4, 5, 4, 6, 3]


def test_the_definition_itself_is_not_changed():
    definition = definition_of(word_piece(["a", "b"]), "tiny")
    before = json.dumps(definition.table)
    definition.with_ids({0: 0, 1: 1, 2: 2, 3: 3, 5: 4})
    assert json.dumps(definition.table) == before


def test_other_kinds_are_named():
    inner = Tokenizer(models.WordLevel({"[UNK]": 0, "a": 1}, unk_token="[UNK]"))
    with pytest.raises(
        ModelError, match=r"^the tokenizer of tiny is of the kind WordLevel, whose .* Use a model"
    ):
        definition_of(PreTrainedTokenizerFast(tokenizer_object=inner), "tiny")

    class SlowTokenizer:
        is_fast = False

    with pytest.raises(
        ModelError, match=r"^the tokenizer of tiny is a SlowTokenizer without tokenizer\.json"
    ):
        definition_of(SlowTokenizer(), "tiny")
