"""Names and folders to networks."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import nn
from transformers import AutoModelForSequenceClassification

from lmdistill.core.errors import ModelError
from lmdistill.models.classification_head import output_layer, reorder_outputs
from lmdistill.models.classifier import Network
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
    """Whether a model was saved as a classifier.

    Raises:
        ModelError: If it cannot be found, or is no encoder.
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
    trust_remote_code: bool = False,
    allow_pickle: bool = False,
) -> Network:
    """The classifier in `source`, in float32, in evaluation mode.

    A T5 that was not saved as a classifier becomes one, `EncT5ForSequenceClassification`: its encoder, its
    first decoder layer, a new prompt and a new head.

    Args:
        source: Folder, hub id, or a key of `PACKAGED`.
        labels: Wanted outputs, in this order. A head that has them by name is kept; any other is replaced by
            a new one, drawn from torch's generator, and that is logged. None keeps the head that is there.
        regression: One output instead of labels; a head with one is kept.
        trust_remote_code: Run code that comes with the model.
        allow_pickle: Load weights that were saved as pickles, which can run code.

    Returns:
        A network with its tokenizer.

    Raises:
        ModelError: If it cannot be found or loaded, and what to do; if it has no head and none is asked for.
        MissingExtraError: For a packaged model whose package is not installed.
    """
    place = resolve(source)
    config = read_encoder_config(place, trust_remote_code=trust_remote_code)
    require_weights(place, allow_pickle=allow_pickle)
    found = classifier_labels(config)
    wanted = () if regression else found if labels is None else tuple(labels)
    if wanted is None:
        raise ModelError(
            f"{source} has no classification head. Fine-tune it first, or give the labels of a new one."
        )
    keeps = found is not None and sorted(found) == sorted(wanted)
    if keeps:
        _require_one_answer(source, config)
    else:
        _set_head(config, wanted)
    model, tokenizer = _read(place, config, trust_remote_code, allow_pickle, keeps)
    network = Network(model.eval(), tokenizer, source=str(source))
    if not keeps:
        _renew(network, found)
    elif found != wanted:
        reorder_outputs(network, [list(found or ()).index(label) for label in wanted], wanted)
        log.info("the outputs of %s are put into the order %s", source, ", ".join(wanted))
    return network


def _read(
    place: str, config: Any, trust_remote_code: bool, allow_pickle: bool, keeps_head: bool
) -> tuple[Any, Any]:
    """Model and tokenizer, complete but for a new head and for a pooler that was never there."""
    allowed: dict[str, Any] = {"trust_remote_code": trust_remote_code, "allow_pickle": allow_pickle}
    if is_t5(config):
        model, tokenizer = read_enc_t5(place, config, **allowed)
    else:
        model, tokenizer, lacking = read_pretrained(
            AutoModelForSequenceClassification, place, config, **allowed
        )
        if not keeps_head:
            backbone = "" if model.base_model is model else f"{model.base_model_prefix}."
            lacking = [
                name for name in lacking if backbone and name.startswith(backbone) and "pooler" not in name
            ]
        require_complete(place, lacking)
    if tokenizer.pad_token_id is None:
        raise ModelError(
            f"the tokenizer of {place} has no padding token. Set one, as in tokenizer.pad_token = '[PAD]'."
        )
    return model, tokenizer


def _require_one_answer(source: str | Path, config: Any) -> None:
    """A head for classes that exclude each other, or for one score."""
    if config.problem_type == "multi_label_classification":
        raise ModelError(
            f"{source} gives several labels to one text (problem_type multi_label_classification); lmdistill "
            "knows single labels and scores. Use another teacher, or fine-tune the encoder."
        )


def _set_head(config: Any, labels: tuple[str, ...]) -> None:
    """Describe a new head in the configuration; no labels mean one score."""
    if not labels:
        config.num_labels, config.problem_type = 1, "regression"
        return
    config.id2label = dict(enumerate(labels))
    config.label2id = {name: number for number, name in enumerate(labels)}
    config.problem_type = "single_label_classification"


def _renew(network: Network, found: tuple[str, ...] | None) -> None:
    """Draw the output layer anew if the weights of another head came with the model, and say so."""
    new = ", ".join(network.labels) or "a score"
    if found is None:
        log.info("%s gets a new head for %s", network.source, new)
        return
    old = ", ".join(found) or "a score"
    log.warning("the head of %s is for %s; it is replaced by a new one for %s", network.source, old, new)
    last, config = output_layer(network), network.model.config
    nn.init.normal_(last.weight, std=getattr(config, "initializer_range", 0.02))
    if last.bias is not None:
        nn.init.zeros_(last.bias)
