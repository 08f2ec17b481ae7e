"""A tiny random loud decoder with a classification head of every family that can be cut."""

import torch
from transformers import AutoConfig, AutoModelForSequenceClassification

from lmdistill.models.classifier import Network
from tests.tiny_causal import FAMILIES, VOCABULARY, tiny_language_tokenizer

DECODERS = tuple(FAMILIES)


def decoder(name="llama", layers=4, seed=0, labels=("class0", "class1", "class2"), **changes):
    """A classifier of the family called `name`; no labels mean one score."""
    torch.manual_seed(seed)
    settings = FAMILIES[name] | {"num_hidden_layers": layers, "vocab_size": VOCABULARY, "pad_token_id": 0}
    settings |= changes
    if len(settings.get("layer_types", ())) > layers:
        settings["layer_types"] = settings["layer_types"][:layers]
    if labels:
        settings["id2label"] = dict(enumerate(labels))
        settings["label2id"] = {label: number for number, label in enumerate(labels)}
    else:
        settings |= {"num_labels": 1, "problem_type": "regression"}
    model = AutoModelForSequenceClassification.from_config(AutoConfig.for_model(name, **settings))
    torch.nn.init.normal_(model.score.weight)
    return Network(model.eval(), tiny_language_tokenizer(), source=f"tiny {name} with a head")
