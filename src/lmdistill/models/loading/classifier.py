"""Loading of classifiers."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import nn
from transformers import AutoModelForSequenceClassification

from lmdistill.core.errors import ModelError
from lmdistill.models.classification_head import output_layer, reorder_outputs
from lmdistill.models.classifier import THRESHOLDS, Network, is_multi_label, reads_last_token
from lmdistill.models.loading.enc_t5 import read_enc_t5
from lmdistill.models.loading.from_pretrained import read_pretrained, require_complete
from lmdistill.models.loading.resolve import (
    classifier_labels,
    is_t5,
    read_encoder_config,
    require_weights,
    resolve,
)

log = logging.getLogger("lmdistill")


def has_head(source: str | Path, *, trust_remote_code: bool = False) -> bool:
    """Whether `source` was saved with a classification head.

    Args:
        source: Folder, hub id, or a key of `PACKAGED`.
        trust_remote_code: Run code that comes with the model.

    Raises:
        ModelError: If its configuration cannot be loaded, or it is not an encoder.
    """
    return (
        classifier_labels(read_encoder_config(resolve(source), trust_remote_code=trust_remote_code))
        is not None
    )


def load(
    source: str | Path,
    *,
    labels: Sequence[str] | None = None,
    regression: bool = False,
    multi_label: bool = False,
    trust_remote_code: bool = False,
    allow_pickle: bool = False,
) -> Network:
    """Load a classifier or a regression in float32, in evaluation mode.

    A decoder must have a classification head, as LlamaForSequenceClassification has. A T5 without one becomes
    an `EncT5ForSequenceClassification`, which has the encoder and the first decoder layer of the T5, a new
    prompt and a new head.

    Args:
        source: Folder, hub id, or a key of `PACKAGED`.
        labels: Names of the classes, in the order of the outputs. A head with the same names is kept and
            reordered. Any other head is replaced by a new one with random weights from torch's generator,
            which is logged. None keeps the head of the model.
        regression: Use a head with one output, in place of `labels`; a head with one output is kept.
        multi_label: Whether `labels` are independent, each with a sigmoid; a head of the other kind is
            replaced like one with other names.
        trust_remote_code: Run code that comes with the model.
        allow_pickle: Load weights that were saved as pickles, which can run code.

    Returns:
        A network with its tokenizer.

    Raises:
        ModelError: If the model cannot be loaded, is not an encoder, or has no head and no labels are given.
        MissingExtraError: If it is a packaged model and its package is not installed.
    """
    location = resolve(source)
    config = read_encoder_config(location, trust_remote_code=trust_remote_code)
    require_weights(location, allow_pickle=allow_pickle)
    old_labels = classifier_labels(config)
    new_labels = () if regression else old_labels if labels is None else tuple(labels)
    if new_labels is None:
        raise ModelError(
            f"{source} has no classification head. Fine-tune it first, or give the labels of a new one."
        )
    multi_label = is_multi_label(config) if labels is None and not regression else multi_label
    same_labels = old_labels is not None and sorted(old_labels) == sorted(new_labels)
    keeps_head = same_labels and is_multi_label(config) == multi_label
    if keeps_head:
        _require_usable_labels(source, config)
    else:
        _set_head(config, new_labels, multi_label)
    model, tokenizer = _read(location, config, trust_remote_code, allow_pickle, keeps_head)
    network = Network(model.eval(), tokenizer, source=str(source))
    if not keeps_head:
        _initialise_head(network, old_labels)
    elif old_labels != new_labels:
        reorder_outputs(network, [list(old_labels or ()).index(label) for label in new_labels], new_labels)
        log.info("the outputs of %s are put into the order %s", source, ", ".join(new_labels))
    return network


def _read(
    location: str, config: Any, trust_remote_code: bool, allow_pickle: bool, keeps_head: bool
) -> tuple[Any, Any]:
    """Load model and tokenizer; only the weights of a new head and of a pooler may be missing."""
    permissions: dict[str, Any] = {"trust_remote_code": trust_remote_code, "allow_pickle": allow_pickle}
    if is_t5(config):
        model, tokenizer = read_enc_t5(location, config, **permissions)
    else:
        model, tokenizer, missing = read_pretrained(
            AutoModelForSequenceClassification, location, config, **permissions
        )
        if not keeps_head:
            backbone = "" if model.base_model is model else f"{model.base_model_prefix}."
            missing = [
                name for name in missing if backbone and name.startswith(backbone) and "pooler" not in name
            ]
        require_complete(location, missing)
    if reads_last_token(model):
        _require_same_padding(location, model.config, tokenizer)
    if tokenizer.pad_token_id is None:
        raise ModelError(
            f"the tokenizer of {location} has no padding token. Set one, as in tokenizer.pad_token = '[PAD]'."
        )
    return model, tokenizer


def _require_same_padding(location: str, config: Any, tokenizer: Any) -> None:
    """Check that a decoder and its tokenizer have the same padding token, before which its head reads.

    Raises:
        ModelError: If they have different ones, or neither has one.
    """
    known = getattr(config, "pad_token_id", None)
    known = None if known is None or known < 0 else known
    if known is None and tokenizer.pad_token_id is None:
        raise ModelError(
            f"neither the tokenizer nor config.json of {location} names a padding token, and its head reads "
            "the last token before the padding. Set one, as in tokenizer.pad_token = tokenizer.eos_token, "
            "and save it there."
        )
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.convert_ids_to_tokens(known)
    elif known is None:
        config.pad_token_id = tokenizer.pad_token_id
    elif known != tokenizer.pad_token_id:
        raise ModelError(
            f"{location} pads with token {tokenizer.pad_token_id} by its tokenizer and with {known} by its "
            "config.json (pad_token_id), and its head reads the last token before the padding. Save both "
            "with the one it was trained with."
        )


def _require_usable_labels(source: str | Path, config: Any) -> None:
    """Check that a head with a sigmoid for each label has two or more, and a threshold for each or none."""
    if not is_multi_label(config):
        return
    if config.num_labels < 2:
        raise ModelError(
            f"{source} has one output with a sigmoid (problem_type multi_label_classification), and a "
            "multi-label classifier needs two. Use a classifier with two classes for a single label."
        )
    found = getattr(config, THRESHOLDS, None)
    are_fit = isinstance(found, list) and len(found) == config.num_labels
    if found is not None and not (are_fit and all(isinstance(x, float | int) and 0 <= x <= 1 for x in found)):
        raise ModelError(
            f"{THRESHOLDS} in config.json of {source} is {found!r}, where {config.num_labels} numbers in "
            "[0, 1] are needed. Correct it, or remove it for 0.5."
        )


def _set_head(config: Any, labels: tuple[str, ...], multi_label: bool) -> None:
    """Configure a new head: one output per label, or a regression if there are no labels."""
    if hasattr(config, THRESHOLDS):
        delattr(config, THRESHOLDS)
    if not labels:
        config.num_labels, config.problem_type = 1, "regression"
        return
    config.id2label = dict(enumerate(labels))
    config.label2id = {name: number for number, name in enumerate(labels)}
    config.problem_type = "multi_label_classification" if multi_label else "single_label_classification"


def _initialise_head(network: Network, old_labels: tuple[str, ...] | None) -> None:
    """Log that there is a new head; if the model had another one, replace its weights by random ones."""
    new = ", ".join(network.labels) or "a score"
    if old_labels is None:
        log.info("%s gets a new head for %s", network.source, new)
        return
    old = ", ".join(old_labels) or "a score"
    log.warning("the head of %s is for %s; it is replaced by a new one for %s", network.source, old, new)
    layer, config = output_layer(network), network.model.config
    nn.init.normal_(layer.weight, std=getattr(config, "initializer_range", 0.02))
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
