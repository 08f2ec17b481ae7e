"""Tiny loud networks and batches: large initial weights, so that a mistake shows in the logits."""

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

from lmdistill.core.batch import Batch, Inputs, MixedExamples, MixupPartners
from lmdistill.models.classifier import Network

WORDS = [
    *("good", "bad", "fine", "dull", "bright", "slow", "film", "plot", "cast", "meal"),
    *("it", "is", "not", "very", "but", "and", "the", "a", "was", "never"),
]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
VOCABULARY = 50


def tiny_tokenizer(words=WORDS):
    """A tokenizer of whole words, as WordPiece without parts, that writes [CLS] text [SEP] text [SEP]."""
    names = [*SPECIAL, *words]
    inner = Tokenizer(models.WordPiece({name: i for i, name in enumerate(names)}, unk_token="[UNK]"))
    inner.normalizer = normalizers.Lowercase()
    inner.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    inner.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]",
        mask_token="[MASK]", model_max_length=64,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )  # fmt: skip


def tiny(layers=2, seed=0, classes=3, width=16, words=WORDS, dropout=0.0, labels=None):
    """A random BERT classifier whose outputs differ visibly from input to input."""
    torch.manual_seed(seed)
    names = labels or tuple(f"class{i}" for i in range(classes))
    config = BertConfig(
        vocab_size=VOCABULARY, hidden_size=width, num_hidden_layers=layers, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=64, initializer_range=0.5,
        hidden_dropout_prob=dropout, attention_probs_dropout_prob=dropout,
        id2label=dict(enumerate(names)), label2id={name: i for i, name in enumerate(names)},
    )  # fmt: skip
    if classes == 1:
        config.num_labels, config.problem_type = 1, "regression"
    return Network(
        BertForSequenceClassification(config).eval(), tiny_tokenizer(words), source=f"tiny{layers}"
    )


def make_batch(size=8, seed=3, classes=3, length=6, ratio=1, regression=False):
    """A batch of random texts of different lengths, with mixed examples beside them."""
    g = torch.Generator().manual_seed(seed)
    ids = torch.randint(5, VOCABULARY, (size, length), generator=g)
    real = torch.randint(2, length + 1, (size, 1), generator=g)
    mask = (torch.arange(length)[None] < real).long()
    segments = (torch.arange(length)[None] >= real // 2).long() * mask
    labels = (
        torch.rand(size, generator=g) * 5 if regression else torch.randint(0, classes, (size,), generator=g)
    )
    inputs = Inputs(ids=ids, mask=mask, segments=segments)
    partner = torch.cat([torch.randperm(size, generator=g) for _ in range(ratio)])
    share = torch.rand(size * ratio, generator=g)
    blend = MixupPartners(ids=ids[partner], mask=mask[partner], segments=segments[partner], share=share)
    repeated = Inputs(
        ids=ids.repeat(ratio, 1),
        mask=mask.repeat(ratio, 1),
        segments=segments.repeat(ratio, 1),
        partners=blend,
    )
    mixed = MixedExamples(
        inputs=repeated, labels=labels.repeat(ratio), partner_labels=labels[partner], share=share,
        scored=torch.ones(size * ratio, dtype=torch.bool),
    )  # fmt: skip
    return Batch(
        inputs=inputs, labels=labels, scored=torch.ones(size, dtype=torch.bool), examples=torch.arange(size),
        mixed=mixed, count=size,
    )  # fmt: skip
