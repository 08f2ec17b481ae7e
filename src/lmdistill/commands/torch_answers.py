"""Answers of a network in PyTorch as a service would compute them: tokenizer, network, nothing else."""

import numpy as np
import torch
from jaxtyping import Float

from lmdistill.commands.text_model import LogitsOf
from lmdistill.core.batch import Inputs
from lmdistill.models.classifier import Network
from lmdistill.serving.predictor import BATCH


def torch_answers(network: Network, length: int) -> LogitsOf:
    """A function that gives a network's logits of texts or pairs, in batches of similar length.

    It is what exported graphs are timed against; `predict` checks its inputs and counts on the way.

    Args:
        network: In evaluation mode.
        length: Longest input in tokens.
    """
    device = next(network.parameters()).device

    def read(first: list[str], second: list[str] | None) -> Float[np.ndarray, "n v"]:
        order = sorted(range(len(first)), key=lambda row: len(first[row]))
        logits = np.empty((len(first), network.num_classes), dtype=np.float32)
        for start in range(0, len(order), BATCH):
            rows = order[start : start + BATCH]
            encoded = network.tokenizer(
                [first[row] for row in rows],
                None if second is None else [second[row] for row in rows],
                truncation="longest_first",
                max_length=length,
                padding=True,
                return_token_type_ids=network.takes_segments,
                return_tensors="pt",
            ).to(device)
            inputs = Inputs(
                ids=encoded["input_ids"],
                mask=encoded["attention_mask"],
                segments=encoded.get("token_type_ids"),
            )
            with torch.inference_mode():
                logits[rows] = network(inputs).logits.float().cpu().numpy()
        return logits

    return read
