"""Statistics of a network: number of parameters, floating-point operations, and a fingerprint."""

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from lmdistill.core.fingerprint import LENGTH
from lmdistill.models.causal_lm import LanguageNetwork
from lmdistill.models.classifier import Network
from lmdistill.records.schema import Parameters

INCIDENTAL = frozenset(
    {"_name_or_path", "transformers_version", "torch_dtype", "dtype", "architectures", "auto_map"}
)
"""Fields of a configuration that do not affect the outputs."""

PARTS = ("embeddings", "encoder", "head")
"""Parts that the parameters of a network are divided into."""

TABLES = ("embeddings", "wpe.", "decoder.embed_positions.")
"""Prefixes of the parameter names of position and segment embeddings and of the embedding norm."""


def count_parameters(network: Network | LanguageNetwork) -> Parameters:
    """Count the parameters of a network by part; shared parameters are counted once.

    Returns:
        `embeddings` are the word embeddings and the parameters of the backbone whose names begin with one of
        `TABLES`; `encoder` is the rest of the backbone without a pooler; `head` is everything else. A matrix
        that is shared by input and output embeddings counts as embeddings.
    """
    counts = dict.fromkeys(PARTS, 0)
    for parameter, part in _parts(network).values():
        counts[part] += parameter.numel()
    return Parameters(**counts, total=sum(counts.values()))


def stored_bytes(network: Network | LanguageNetwork, folder: Path) -> dict[str, int]:
    """Bytes of the weights in a folder by part, as `count_parameters` divides them.

    Args:
        network: What was loaded from the folder.
        folder: It holds safetensors; weights in other formats count as nothing.
    """
    found, parts = dict.fromkeys(PARTS, 0), _parts(network)
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, "pt") as stored:
            for name in stored.keys():  # noqa: SIM118
                weights = stored.get_tensor(name)
                found[parts[name][1] if name in parts else "head"] += weights.numel() * weights.element_size()
    return found


def _parts(network: Network | LanguageNetwork) -> dict[str, tuple[nn.Parameter, str]]:
    """Each parameter once by its name, with its part of `PARTS`."""
    backbone = network.model.base_model
    word_embeddings = {id(parameter) for parameter in network.model.get_input_embeddings().parameters()}
    backbone_names = {id(parameter): name for name, parameter in backbone.named_parameters()}
    parts = {}
    for whole_name, parameter in network.model.named_parameters():
        name = backbone_names.get(id(parameter), "pooler.")
        if id(parameter) in word_embeddings or name.startswith(TABLES):
            part = "embeddings"
        else:
            part = "head" if name.startswith("pooler.") else "encoder"
        parts[whole_name] = parameter, part
    return parts


def flops(network: Network | LanguageNetwork, tokens: int) -> int:
    """Number of floating-point operations in a forward pass of one example.

    Torch counts the matrix products that are executed: a product of (m, k) and (k, n) is 2 m n k operations.
    A language model computes the logits of all positions.

    Args:
        network: Network to measure.
        tokens: Length of the example in tokens, >= 1.
    """
    device = next(network.parameters()).device
    ids = torch.zeros((1, tokens), dtype=torch.int64, device=device)
    mode = network.training
    network.eval()
    # The counter does not support fused attention on the CPU, so attention is computed with matrix products.
    # It also registers hooks on gradients, so gradients must be enabled.
    with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        network.model(input_ids=ids, attention_mask=torch.ones_like(ids))
    network.train(mode)
    return int(counter.get_total_flops())


def fingerprint(network: Network | LanguageNetwork) -> str:
    """Hash of the architecture, weights, labels and tokenizer of a network: 16 hexadecimal digits.

    It does not depend on the folder of the network or on the format of its weights.
    """
    config = {key: value for key, value in network.model.config.to_dict().items() if key not in INCIDENTAL}
    tokenizer = _vocabulary(network.tokenizer)
    digest = hashlib.sha256(
        json.dumps([config, network.labels, tokenizer], sort_keys=True, default=str).encode()
    )
    for name, weights in sorted(network.model.state_dict().items()):
        digest.update(name.encode())
        digest.update(weights.detach().float().cpu().contiguous().numpy().data)
    return digest.hexdigest()[:LENGTH]


def _vocabulary(tokenizer: Any) -> Any:
    """Definition of a tokenizer as plain values, without truncation and padding, which calls may change."""
    if not hasattr(tokenizer, "backend_tokenizer"):  # a slow tokenizer, implemented in Python
        return [type(tokenizer).__name__, tokenizer.get_vocab()]
    definition = json.loads(tokenizer.backend_tokenizer.to_str())
    return {key: value for key, value in definition.items() if key not in ("truncation", "padding")}
