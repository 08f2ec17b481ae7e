"""What a network is made of: parameters, operations, a name for its weights."""

import hashlib
import json
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from lmdistill.core.fingerprint import LENGTH
from lmdistill.models.causal_lm import LanguageNetwork
from lmdistill.models.classifier import Network
from lmdistill.records.schema import Parameters

INCIDENTAL = frozenset(
    {"_name_or_path", "transformers_version", "torch_dtype", "dtype", "architectures", "auto_map"}
)
"""What a configuration says that changes no output."""

TABLES = ("embeddings", "wpe.", "decoder.embed_positions.")
"""How the names of embeddings other than those of words begin, in backbones that have them."""


def count_parameters(network: Network | LanguageNetwork) -> Parameters:
    """Count the parameters of `network`; shared ones once.

    Returns:
        Embeddings are the word embeddings and everything in the backbone under a name that begins with one of
        `TABLES`, the encoder is everything else in the backbone but its pooler, the head is the rest. Where
        words are read and written with one matrix, it counts as embeddings.
    """
    backbone = network.model.base_model
    words = {id(p) for p in network.model.get_input_embeddings().parameters()}
    inside = {id(p): name for name, p in backbone.named_parameters()}
    embeddings = encoder = head = 0
    for parameter in network.model.parameters():
        name = inside.get(id(parameter), "pooler.")
        if id(parameter) in words or name.startswith(TABLES):
            embeddings += parameter.numel()
        elif name.startswith("pooler."):
            head += parameter.numel()
        else:
            encoder += parameter.numel()
    total = embeddings + encoder + head
    return Parameters(embeddings=embeddings, encoder=encoder, head=head, total=total)


def flops(network: Network | LanguageNetwork, tokens: int) -> int:
    """Floating-point operations of one forward pass of one example of `tokens` tokens.

    A language model writes logits at every one of them.

    Counted by torch on the matrix products that run: a product of (m, k) and (k, n) is 2 m n k operations.
    """
    device = next(network.parameters()).device
    ids = torch.zeros((1, tokens), dtype=torch.int64, device=device)
    mode = network.training
    network.eval()
    # The counter does not know the CPU's fused attention, so attention is done as plain products here; and it
    # hooks into gradients, which must then be possible.
    with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        network.model(input_ids=ids, attention_mask=torch.ones_like(ids))
    network.train(mode)
    return int(counter.get_total_flops())


def fingerprint(network: Network | LanguageNetwork) -> str:
    """Sixteen hexadecimal digits that name the network: its architecture, weights, labels and vocabulary.

    Where it lies and how its weights are stored do not count.
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
    """How a tokenizer reads, without how it was last called."""
    if not hasattr(tokenizer, "backend_tokenizer"):  # the few that are written in Python
        return [type(tokenizer).__name__, tokenizer.get_vocab()]
    inner = json.loads(tokenizer.backend_tokenizer.to_str())
    return {key: value for key, value in inner.items() if key not in ("truncation", "padding")}
