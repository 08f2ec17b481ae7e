"""Several classifiers as one teacher: their combined logits, and how much they differ."""

import math
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from lmdistill.metrics.probabilities import log_softmax

Combine = Literal["log_probabilities", "probabilities", "logits"]
"""What is averaged over the members of an ensemble."""


def combined(members: Float[Tensor, "k *p v"], how: Combine, *, temperature: float = 1.0) -> Tensor:
    r"""The logits of an ensemble.

    - `log_probabilities`: the mean of log p_k, whose softmax is the normalised geometric mean of the p_k.
    - `probabilities`: log of the mean of the p_k (a linear opinion pool).
    - `logits`: the mean of the logits z_k.

    The first two have mean 0 over the classes. Since log p_k is z_k minus a constant of each example, the
    softmax of `logits` is that of `log_probabilities`; they differ only for losses that compare logits.
    With one output (a regression) all three are the mean of the scores.

    Args:
        members: Logits of the k members, k >= 1, with the classes in the same order.
        how: What is averaged.
        temperature: Divisor of the result, > 0; 1 for regressions.

    Returns:
        Logits of shape (*p, v), in the dtype of `members` and at least in 32 bits.

    References:
        Hinton, "Training Products of Experts by Minimizing Contrastive Divergence", 2002, for the geometric
        mean; Genest and Zidek, "Combining Probability Distributions", 1986, for both pools. Deviation: the
        means are centred, so that methods that compare logits do not depend on normalisers.

    Examples:
        >>> pair = torch.tensor([[0.9, 0.1], [0.5, 0.5]]).log()
        >>> [round(value, 4) for value in combined(pair, "log_probabilities").softmax(-1).tolist()]
        [0.75, 0.25]
        >>> [round(value, 4) for value in combined(pair, "probabilities").softmax(-1).tolist()]
        [0.7, 0.3]
    """
    wide = members if members.dtype == torch.float64 else members.float()
    if how == "logits" or members.shape[-1] == 1:
        return wide.mean(0) / temperature
    logs = wide.log_softmax(-1)
    mean = logs.mean(0) if how == "log_probabilities" else logs.logsumexp(0) - math.log(len(members))
    return (mean - mean.mean(-1, keepdim=True)) / temperature


def disagreement(members: Float[np.ndarray, "k n v"]) -> dict[str, float]:
    r"""Measures of disagreement between the members of an ensemble.

    Args:
        members: Logits of k >= 2 members on n >= 1 examples, with the classes in the same order.

    Returns:
        For classes: `divided`, the share of examples on which the members do not all predict the same class,
        in [0, 1]; `pairwise`, the mean over pairs of members of the share on which the two predict different
        classes, in [0, `divided`]; `jensen_shannon`, the mean over examples and members of KL(p_k || p) with
        p the mean of the p_k, in nats, in [0, log k].
        For a regression (v = 1): `spread`, the mean over examples of the standard deviation of the scores.

    References:
        Lin, "Divergence Measures Based on the Shannon Entropy", 1991, section 5 (the generalised divergence,
        here with equal weights). Deviation: none.

    Examples:
        >>> logits = np.log([[[0.9, 0.1], [0.8, 0.2]], [[0.9, 0.1], [0.2, 0.8]]])
        >>> {name: round(value, 4) for name, value in disagreement(logits).items()}
        {'divided': 0.5, 'pairwise': 0.5, 'jensen_shannon': 0.0964}
    """
    count = len(members)
    if members.shape[-1] == 1:
        return {"spread": float(members[..., 0].astype(np.float64).std(axis=0).mean())}
    chosen = members.argmax(axis=-1)
    pairs = [float((chosen[one] != chosen[other]).mean()) for one in range(count) for other in range(one)]
    logs = log_softmax(members)
    mean = np.exp(logs).mean(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        gaps = np.where(np.exp(logs) > 0, np.exp(logs) * (logs - np.log(mean)), 0.0)
    return {
        "divided": float((chosen != chosen[0]).any(axis=0).mean()),
        "pairwise": float(np.mean(pairs)),
        "jensen_shannon": max(0.0, float(gaps.sum(axis=-1).mean())),
    }
