"""What a network is made of: parameters, operations, a name for its weights."""

import hashlib
from dataclasses import dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode

from lmdistill.core.fingerprint import LENGTH
from lmdistill.core.types import Inputs
from lmdistill.models.network import Network
from lmdistill.models.truncate import layers_of


@dataclass(frozen=True, kw_only=True)
class Description:
    """Parameters of a network, by where they are."""

    embeddings: int
    """Tables of words, positions and segments, and their norm."""

    encoder: int
    """The layers, and what they share."""

    head: int
    """Everything after the layers: pooler and classifier."""

    @property
    def total(self) -> int:
        """All of them."""
        return self.embeddings + self.encoder + self.head


def describe(network: Network) -> Description:
    """Count the parameters of `network`; shared ones once.

    Returns:
        Embeddings are everything under a module called `embeddings`, the encoder is everything else in the
        backbone but its pooler, the head is the rest.
    """
    backbone = network.model.base_model
    layers = {id(p) for p in layers_of(network.model).parameters()}
    embeddings = encoder = head = 0
    inside = {id(p): name for name, p in backbone.named_parameters()}
    for parameter in network.model.parameters():
        name = inside.get(id(parameter))
        if name is not None and id(parameter) not in layers and name.startswith("embeddings."):
            embeddings += parameter.numel()
        elif name is not None and not name.startswith("pooler."):
            encoder += parameter.numel()
        else:
            head += parameter.numel()
    return Description(embeddings=embeddings, encoder=encoder, head=head)


def flops(network: Network, tokens: int) -> int:
    """Floating-point operations of one forward pass of one example of `tokens` tokens.

    Counted by torch on the matrix products that run: a product of (m, k) and (k, n) is 2 m n k operations.
    """
    device = next(network.parameters()).device
    ids = torch.zeros((1, tokens), dtype=torch.int64, device=device)
    mode = network.training
    network.eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(Inputs(ids=ids, mask=torch.ones_like(ids)))
    network.train(mode)
    return int(counter.get_total_flops())


def fingerprint(network: Network) -> str:
    """Sixteen hexadecimal digits that name the network: its architecture, weights, labels and vocabulary."""
    digest = hashlib.sha256(str(sorted(network.model.config.to_diff_dict().items(), key=str)).encode())
    digest.update("/".join(network.labels).encode())
    digest.update(network.tokenizer.backend_tokenizer.to_str().encode())
    for name, weights in sorted(network.model.state_dict().items()):
        digest.update(name.encode())
        digest.update(weights.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()[:LENGTH]
