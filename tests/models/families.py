"""A tiny random loud classifier of every family that can be cut, and of some that cannot."""

import torch
from transformers import AutoConfig, AutoModelForSequenceClassification

from lmdistill.models.classifier import Network
from tests.tiny import VOCABULARY, tiny_tokenizer

SHAPE = {
    "vocab_size": VOCABULARY,
    "hidden_size": 16,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "initializer_range": 0.5,
    "pad_token_id": 0,
}
STILL = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
BERT = SHAPE | STILL
ROBERTA = BERT | {"max_position_embeddings": 66, "type_vocab_size": 1}
DEBERTA = BERT | {"relative_attention": True, "pos_att_type": ["c2p", "p2c"], "type_vocab_size": 2}
DISTILBERT = {
    "vocab_size": VOCABULARY,
    "dim": 16,
    "n_heads": 2,
    "hidden_dim": 32,
    "initializer_range": 0.5,
    "dropout": 0.0,
    "attention_dropout": 0.0,
    "seq_classif_dropout": 0.0,
    "pad_token_id": 0,
}
ENC_T5 = {
    "vocab_size": VOCABULARY,
    "d_model": 16,
    "d_kv": 5,
    "num_heads": 2,
    "d_ff": 32,
    "feed_forward_proj": "gated-gelu",
    "relative_attention_num_buckets": 8,
    "relative_attention_max_distance": 5,
    "initializer_factor": 2.0,
    "dropout_rate": 0.0,
}
MODERNBERT = SHAPE | {
    "global_attn_every_n_layers": 2,
    "local_attention": 4,
    "bos_token_id": 2,
    "cls_token_id": 2,
    "eos_token_id": 3,
    "sep_token_id": 3,
}

FAMILIES = {
    "bert": BERT,
    "camembert": ROBERTA,
    "deberta": DEBERTA,
    "deberta-v2": DEBERTA | {"position_buckets": 8},
    "distilbert": DISTILBERT,
    "electra": BERT | {"embedding_size": 12},
    "enc-t5": ENC_T5,
    "modernbert": MODERNBERT,
    "mpnet": BERT | {"max_position_embeddings": 66},
    "roberta": ROBERTA,
    "xlm-roberta": ROBERTA,
}


def family(name, layers=4, seed=0, classes=3):
    """A network of the family called `name`."""
    torch.manual_seed(seed)
    labels = tuple(f"class{i}" for i in range(classes))
    names = {"id2label": dict(enumerate(labels)), "label2id": {x: i for i, x in enumerate(labels)}}
    config = AutoConfig.for_model(name, num_hidden_layers=layers, **names, **FAMILIES[name])
    return Network(
        AutoModelForSequenceClassification.from_config(config).eval(), tiny_tokenizer(), source=name
    )
