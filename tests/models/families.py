"""A tiny random loud classifier of every family that can be cut, and of some that cannot."""

import torch
from transformers import AutoConfig, AutoModelForSequenceClassification

from lmdistill.models.network import Network
from tests.tiny import VOCABULARY, tiny_tokenizer

SHAPE = {"vocab_size": VOCABULARY, "hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 32, "initializer_range": 0.5,
         "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "pad_token_id": 0}  # fmt: skip
POSITIONS = {"max_position_embeddings": 66}

FAMILIES = {
    "bert": SHAPE,
    "camembert": SHAPE | POSITIONS | {"type_vocab_size": 1},
    "deberta": SHAPE | {"relative_attention": True, "pos_att_type": ["c2p", "p2c"], "type_vocab_size": 2},
    "deberta-v2": SHAPE | {"relative_attention": True, "pos_att_type": ["c2p", "p2c"], "position_buckets": 8, "type_vocab_size": 2},
    "distilbert": {"vocab_size": VOCABULARY, "dim": 16, "n_heads": 2, "hidden_dim": 32, "initializer_range": 0.5, "dropout": 0.0,
                   "attention_dropout": 0.0, "seq_classif_dropout": 0.0, "pad_token_id": 0},
    "electra": SHAPE | {"embedding_size": 12},
    "modernbert": {"vocab_size": VOCABULARY, "hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 32, "pad_token_id": 0,
                   "initializer_range": 0.5, "initializer_cutoff_factor": 2.0, "global_attn_every_n_layers": 2,
                   "local_attention": 4, "bos_token_id": 2, "cls_token_id": 2, "eos_token_id": 3, "sep_token_id": 3},
    "mpnet": SHAPE | POSITIONS,
    "roberta": SHAPE | POSITIONS | {"type_vocab_size": 1},
    "xlm-roberta": SHAPE | POSITIONS | {"type_vocab_size": 1},
}  # fmt: skip


def family(name, layers=4, seed=0, classes=3):
    """A network of the family called `name`."""
    torch.manual_seed(seed)
    labels = tuple(f"class{i}" for i in range(classes))
    config = AutoConfig.for_model(
        name, num_hidden_layers=layers, id2label=dict(enumerate(labels)), label2id={x: i for i, x in enumerate(labels)},
        **FAMILIES[name],
    )  # fmt: skip
    return Network(
        AutoModelForSequenceClassification.from_config(config).eval(), tiny_tokenizer(), source=name
    )
