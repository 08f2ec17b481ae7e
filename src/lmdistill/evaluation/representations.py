"""Hidden states of classifiers: separation of the classes, and projection to two dimensions."""

from collections.abc import Iterable
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from lmdistill.core.batch import Batch, Inputs
from lmdistill.core.protocols import Net
from lmdistill.evaluation.inference import collect_outputs

Pool = Literal["first", "mean"]
"""Pooling of the states of a text: the state of its first token (in a decoder, of the last one, which its
head reads), or the mean over its tokens."""

Projection = Literal["tsne", "pca"]
"""Projection to two dimensions."""

COMPONENTS = 50
"""Maximum number of principal components given to t-SNE; van der Maaten and Hinton use 30."""

PERPLEXITY = 30.0
"""Perplexity of t-SNE, roughly the number of neighbours; lower if there are few examples."""

FEWEST = 10
"""Minimum number of examples for t-SNE; fewer are projected by PCA."""

SPREAD = 1e-4
"""Standard deviation of the first coordinate in the initialisation of t-SNE, as in scikit-learn."""


def evenly_spaced_rows(total: int, count: int) -> Int[np.ndarray, " n"]:
    """Evenly spaced row numbers of a split; they are not random.

    Args:
        total: Number of rows in the split, >= 1.
        count: Maximum number of rows to select, >= 1.

    Returns:
        Distinct row numbers in ascending order; n = min(total, count).

    Examples:
        >>> evenly_spaced_rows(10, 3).tolist(), evenly_spaced_rows(2, 3).tolist()
        ([1, 5, 8], [0, 1])
    """
    selected = min(total, count)
    return (2 * np.arange(selected) + 1) * total // (2 * selected)


def pool_states(
    states: Float[Tensor, "b t d"], mask: Int[Tensor, "b t"], pool: Pool = "first"
) -> Float[Tensor, "b d"]:
    """Pool the hidden states of each text into one vector.

    Args:
        states: Hidden state of every token.
        mask: Attention mask: 1 for a token, 0 for padding, which is on the right.
        pool: "first" selects the first token ([CLS] in BERT), "mean" averages over tokens.
    """
    if pool == "first":
        return states[:, 0]
    weights = mask.unsqueeze(-1).to(states.dtype)
    return (states * weights).sum(1) / weights.sum(1)


def states_of(
    net: Net,
    batches: Iterable[Batch],
    *,
    device: torch.device | str,
    as_teacher: bool = False,
    pool: Pool = "first",
) -> Float[np.ndarray, "b d"]:
    """Pooled hidden states of a network for every example, in the order of the data set.

    They are the states after the last layer, before the classification head (for example a pooler).

    Args:
        net: A network that is already on `device`.
        batches: See `logits_of`.
        device: Device to move each batch to.
        as_teacher: See `logits_of`.
        pool: Pooling of the states of a text.

    Returns:
        float32 states, one row per example.

    Raises:
        DataError: There are no batches, or an example occurs twice.
    """

    def read(inputs: Inputs) -> Float[Tensor, "b d"]:
        found = net(inputs, hidden=True)
        if pool == "first":
            return found.read_state(-1)
        return pool_states(found.hidden[-1], inputs.mask, pool)

    return collect_outputs(read, net, batches, device=device, as_teacher=as_teacher)


def silhouette(states: Float[np.ndarray, "b d"], labels: Int[np.ndarray, " b"]) -> float | None:
    r"""Mean silhouette of the examples: a measure of how well their classes are separated.

    .. math:: \frac{1}{b} \sum_i \frac{o_i - a_i}{\max(a_i, o_i)}

    a is the mean distance to the other examples of the same class, and o is the mean distance to the examples
    of the nearest other class. Distances are Euclidean; rotation, translation and scaling of all states do
    not change the result.

    Args:
        states: One row per example.
        labels: Class numbers.

    Returns:
        A number in [-1, 1]: near 1 for separated classes, near 0 for overlapping ones. None if there are
        fewer than two classes, or no more examples than classes.

    Examples:
        >>> states = np.array([[0.0], [0.0], [9.0], [9.0]])
        >>> silhouette(states, np.array([0, 0, 1, 1])), silhouette(states, np.array([0, 0, 0, 0]))
        (1.0, None)

    References:
        Rousseeuw, "Silhouettes: a graphical aid to the interpretation and validation of cluster analysis",
        1987. Deviation: none.
    """
    from sklearn.metrics import silhouette_score  # loads slowly, and recipes import this module

    classes = len(np.unique(labels))
    if not 2 <= classes < len(labels):
        return None
    return float(silhouette_score(states.astype(np.float64), labels))


def spread_ratio(states: Float[np.ndarray, "b d"], labels: Int[np.ndarray, " b"]) -> float | None:
    r"""Between-class scatter divided by within-class scatter of the states.

    .. math:: \frac{\sum_i \|m_{y_i} - m\|^2}{\sum_i \|x_i - m_{y_i}\|^2}

    m is the mean of all states and m_y that of class y: Fisher's ratio, summed over dimensions. Rotation,
    translation and scaling of all states do not change the result.

    Args:
        states: One row per example, b >= 1.
        labels: Class numbers.

    Returns:
        A number >= 0. None if there is only one class, or if the states in each class are identical.

    Examples:
        >>> spread_ratio(np.array([[0.0], [2.0], [8.0], [10.0]]), np.array([0, 0, 1, 1]))
        16.0
    """
    centred = states.astype(np.float64) - states.mean(axis=0, dtype=np.float64)
    classes, class_of = np.unique(labels, return_inverse=True)
    centres = np.stack([centred[labels == label].mean(axis=0) for label in classes])[class_of]
    within = float(np.square(centred - centres).sum())
    if len(classes) < 2 or within == 0:
        return None
    return float(np.square(centres).sum()) / within


def projection_for(wanted: Projection, count: int) -> Projection:
    """The projection used for `count` examples: `wanted`, or PCA if there are too few examples for t-SNE.

    Examples:
        >>> projection_for("tsne", 500), projection_for("tsne", 5)
        ('tsne', 'pca')
    """
    return wanted if count >= FEWEST else "pca"


def project_2d(states: Float[np.ndarray, "b d"], projection: Projection = "tsne") -> Float[np.ndarray, "b 2"]:
    """Project states to two dimensions; the result is reproducible on the same machine.

    t-SNE uses no random numbers here, because it is initialised with the principal components. It preserves
    neighbourhoods; distances between clusters, and their sizes, have little meaning.

    Args:
        states: One row per example, b >= 1.
        projection: "pca" uses the first two principal components. "tsne" runs t-SNE on at most 50 principal
            components, or falls back to PCA if there are too few examples: see `projection_for`.

    Returns:
        Coordinates without a unit; zeros if all states are identical.

    References:
        van der Maaten and Hinton, "Visualizing Data using t-SNE", 2008, as in scikit-learn. Liang et al.,
        "MixKD", 2021, figure 2, shows sentence representations in two dimensions. Deviation: the paper does
        not name the projection of this figure; t-SNE is assumed.
    """
    from sklearn.decomposition import PCA  # loads slowly, and recipes import this module
    from sklearn.manifold import TSNE

    centred = states.astype(np.float64) - states.mean(axis=0, dtype=np.float64)
    plane = np.zeros((len(states), 2))
    if not centred.any():
        return plane
    size = min(COMPONENTS, *centred.shape)
    components = PCA(n_components=size, svd_solver="full").fit_transform(centred)
    plane[:, : min(size, 2)] = components[:, :2]
    if projection_for(projection, len(states)) == "pca":
        return plane
    tsne = TSNE(
        perplexity=min(PERPLEXITY, (len(states) - 1) / 3),
        init=(SPREAD * plane / plane[:, 0].std()).astype(np.float32),
    )
    return np.asarray(tsne.fit_transform(components), dtype=np.float64)
