"""Small tokenizers of the kinds that encoders have, as transformers writes them."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import BertTokenizer, DebertaV2Tokenizer, RobertaTokenizer, XLMRobertaTokenizer

from tests.tiny import tiny_tokenizer

SENTENCES = [
    "The soup was cold, but the waiter was very kind and the bread unbelievably good.",
    "Der Käse schmeckt nach Füßen; trotzdem: großartig! Naïve café-goers won't agree.",
    "It's not the worst film of 2019... 3.5/10 (at best), with an unforgettable soundtrack.",
    "A slow, dull plot — a bright cast. Nobody believed the unbelievable ending, did they?",
]

TEXTS = [
    *SENTENCES,
    "",
    " ",
    "a",
    "  two  spaces\tand a tab\nand a line ",
    "don't stop, it's John's: you're we'll I've",
    "café cafe\u0301 Ünïcödé İstanbul ﬁne Ⅷ ½",
    "東京の映画 很好 영화",
    "good 😀👍🏽 bad ☕ ™",
    "zero\u200bwidth soft\u00adhyphen no\u00a0break",
    "http://example.org/a_b?c=d#e user@example.org $5.00 100% 1,000",
    "hello!!!???...((((]]]]",
    "x" * 120,
    "word " * 60,
    "[SEP] and [MASK] </s> <mask> inside",
]
"""What tokenizers get wrong most often, and plain sentences."""


def _trained(model: Any, trainer: Any, before: Any, normalizer: Any = None) -> Tokenizer:
    found = Tokenizer(model)
    found.pre_tokenizer = before
    if normalizer is not None:
        found.normalizer = normalizer
    found.train_from_iterator(SENTENCES * 4, trainer)
    return found


def bert() -> Any:
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = trainers.WordPieceTrainer(vocab_size=200, special_tokens=special, show_progress=False)
    word_pieces = models.WordPiece(unk_token="[UNK]")
    found = _trained(word_pieces, trainer, pre_tokenizers.BertPreTokenizer(), normalizers.BertNormalizer())
    return BertTokenizer(vocab=found.get_vocab(), model_max_length=64)


def roberta() -> Any:
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    found = _trained(models.BPE(), trainer, pre_tokenizers.ByteLevel(add_prefix_space=False))
    merges = [tuple(pair) for pair in _model(found)["merges"]]
    return RobertaTokenizer(vocab=found.get_vocab(), merges=merges, model_max_length=64)


def _unigram(special: Sequence[str], unknown: str) -> list[tuple[str, float]]:
    trainer = trainers.UnigramTrainer(
        vocab_size=150, special_tokens=list(special), unk_token=unknown, show_progress=False
    )
    found = _trained(models.Unigram(), trainer, pre_tokenizers.Metaspace(), normalizers.NFKC())
    return [(piece, score) for piece, score in _model(found)["vocab"]]


def xlm_roberta() -> Any:
    return XLMRobertaTokenizer(
        vocab=_unigram(["<s>", "<pad>", "</s>", "<unk>"], "<unk>"), model_max_length=64
    )


def deberta_v2() -> Any:
    return DebertaV2Tokenizer(
        vocab=_unigram(["[PAD]", "[CLS]", "[SEP]", "[UNK]"], "[UNK]"), model_max_length=64
    )


def _model(tokenizer: Tokenizer) -> Any:
    return json.loads(tokenizer.to_str())["model"]


KINDS: dict[str, Callable[[], Any]] = {
    "words": tiny_tokenizer,
    "bert": bert,
    "roberta": roberta,
    "xlm-roberta": xlm_roberta,
    "deberta-v2": deberta_v2,
}
