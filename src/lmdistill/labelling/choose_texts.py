"""Choice of the texts that are worth asking about: uncertain under a first student, and unlike each other."""

import numpy as np
from jaxtyping import Float, Int

from lmdistill.core.errors import ConfigError
from lmdistill.metrics.probabilities import softmax


def choose(
    logits: Float[np.ndarray, "b v"], states: Float[np.ndarray, "b d"], count: int, *, seed: int = 0
) -> Int[np.ndarray, " n"]:
    """Choose rows for which a student is uncertain and which differ from each other.

    Row i is the vector g(i) = (p(i) - e(i)) x h(i): the outer product of the student's probabilities p less
    the one-hot vector e of its most probable class, with its hidden state h. It is the gradient of the loss
    by the last layer, if the student's own answer were the label. It is short where the student is sure. The
    first row is the one with the longest g. Each further one is drawn with a probability proportional to the
    squared distance of its g to the nearest of the rows that were chosen and of 0. So neither rows like these
    nor rows of which the student is sure are drawn. If all distances are 0, the most uncertain rows follow.

    Args:
        logits: Of the student, one row for each text, v >= 2.
        states: Hidden states under the last layer, one row for each text.
        count: Number of rows to choose, in [1, b].
        seed: Random seed, >= 0; equal seeds choose equal rows.

    Returns:
        Row numbers in ascending order, n = count.

    Raises:
        ConfigError: `count` is not in [1, b].

    References:
        Ash et al., "Deep Batch Active Learning by Diverse, Uncertain Gradient Lower Bounds" (BADGE), 2020,
        algorithm 1, with the sampling of Arthur and Vassilvitskii, "k-means++", 2007. Deviations: the first
        row is the longest, not a random one; 0 counts as chosen, since a set with many sure rows draws those
        otherwise; distances are computed from the two factors, so that memory does not grow with v x d.
    """
    if not 1 <= count <= len(logits):
        raise ConfigError(f"--choose must be between 1 and {len(logits)}, the number of texts, got {count}.")
    rng = np.random.default_rng(seed)
    probabilities = softmax(logits)
    residual = probabilities - np.eye(logits.shape[1])[logits.argmax(axis=1)]
    features = states.astype(np.float64)
    lengths = np.square(residual).sum(axis=1) * np.square(features).sum(axis=1)
    uncertain = 1.0 - probabilities.max(axis=1)
    chosen = [int(lengths.argmax())]
    distances = np.minimum(lengths, _distances(residual, features, lengths, chosen[-1]))
    free = np.ones(len(logits), dtype=bool)
    free[chosen[0]] = False
    while len(chosen) < count:
        weights = np.where(free, distances, 0.0)
        total = weights.sum()
        if total > 0:
            row = int(rng.choice(len(weights), p=weights / total))
        else:
            row = int(np.where(free, uncertain, -1.0).argmax())
        chosen.append(row)
        free[row] = False
        distances = np.minimum(distances, _distances(residual, features, lengths, row))
    return np.sort(np.array(chosen))


def _distances(
    residual: Float[np.ndarray, "b v"],
    features: Float[np.ndarray, "b d"],
    lengths: Float[np.ndarray, " b"],
    row: int,
) -> Float[np.ndarray, " b"]:
    """Squared distances of all outer products to that of one row, without the products themselves."""
    inner = (residual @ residual[row]) * (features @ features[row])
    found = lengths + lengths[row] - 2 * inner
    noise = 1e-12 * (lengths + lengths[row])
    clean: Float[np.ndarray, " b"] = np.where(found > noise, found, 0.0)
    return clean
