"""What a classifier makes of texts before it answers: how far apart its classes lie, and a map of them."""

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
"""What stands for a text: the state of its first token, or the mean over its tokens."""

Projection = Literal["tsne", "pca"]
"""How many dimensions become two."""

COMPONENTS = 50
"""Dimensions that t-SNE begins with, at most; van der Maaten and Hinton's number is 30."""

PERPLEXITY = 30.0
"""About how many neighbours t-SNE keeps together, where there are enough examples."""

FEWEST = 10
"""Fewer examples are projected by PCA: they have no neighbourhoods."""

SPREAD = 1e-4
"""Standard deviation of t-SNE's first guess, as scikit-learn has it."""


def evenly_spaced_rows(total: int, count: int) -> Int[np.ndarray, " n"]:
    """Rows of a split, evenly spaced; the same ones whoever asks.

    Args:
        total: Rows of the split, >= 1.
        count: How many of them, at most, >= 1.

    Returns:
        Ascending row numbers, all of them different; n = min(total, count).

    Examples:
        >>> evenly_spaced_rows(10, 3).tolist(), evenly_spaced_rows(2, 3).tolist()
        ([1, 5, 8], [0, 1])
    """
    chosen = min(total, count)
    return (2 * np.arange(chosen) + 1) * total // (2 * chosen)


def pool_states(
    states: Float[Tensor, "b t d"], mask: Int[Tensor, "b t"], pool: Pool = "first"
) -> Float[Tensor, "b d"]:
    """One state for each text.

    Args:
        states: Of every token.
        mask: 1 for a token, 0 for padding, which is on the right.
        pool: The first token's ([CLS] in BERT), or the mean over tokens.
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
    """The network's final states, one for each example, in the order of the data set.

    They are those after the last layer, before what a family's head adds to them (a pooler, say).

    Args:
        net: A network that is already on `device`.
        batches: See `logits_of`.
        device: Where to move each batch.
        as_teacher: Read the teacher's view of each batch, not the student's.
        pool: Which state stands for a text.

    Returns:
        float32 states, one row an example.

    Raises:
        DataError: There are no batches, or an example occurs twice.
    """

    def read(inputs: Inputs) -> Float[Tensor, "b d"]:
        return pool_states(net(inputs, hidden=True).hidden[-1], inputs.mask, pool)

    return collect_outputs(read, net, batches, device=device, as_teacher=as_teacher)


def silhouette(states: Float[np.ndarray, "b d"], labels: Int[np.ndarray, " b"]) -> float | None:
    r"""How much nearer an example lies to its own class than to the nearest other one, over examples.

    .. math:: \frac{1}{b} \sum_i \frac{o_i - a_i}{\max(a_i, o_i)}

    a is the mean distance to the other examples of the class, o that to the nearest other class; distances
    are Euclidean. Turning, moving and scaling all states change nothing.

    Args:
        states: One row an example.
        labels: Class numbers.

    Returns:
        In [-1, 1]: near 1 for classes far apart, near 0 for classes that lie in one another; None unless
        there are two classes at least, and more examples than classes.

    Examples:
        >>> states = np.array([[0.0], [0.0], [9.0], [9.0]])
        >>> silhouette(states, np.array([0, 0, 1, 1])), silhouette(states, np.array([0, 0, 0, 0]))
        (1.0, None)

    References:
        Rousseeuw, "Silhouettes: a graphical aid to the interpretation and validation of cluster analysis",
        1987. Deviation: none.
    """
    from sklearn.metrics import silhouette_score  # here: a recipe needs only the names of projections

    classes = len(np.unique(labels))
    if not 2 <= classes < len(labels):
        return None
    return float(silhouette_score(states.astype(np.float64), labels))


def spread_ratio(states: Float[np.ndarray, "b d"], labels: Int[np.ndarray, " b"]) -> float | None:
    r"""Spread of the classes' centres divided by the spread inside classes.

    .. math:: \frac{\sum_i \|m_{y_i} - m\|^2}{\sum_i \|x_i - m_{y_i}\|^2}

    m is the mean of all states and m_y that of class y: Fisher's ratio, summed over dimensions. Turning,
    moving and scaling all states change nothing.

    Args:
        states: One row an example, b >= 1.
        labels: Class numbers.

    Returns:
        >= 0; None with one class, or where no class has any spread.

    Examples:
        >>> spread_ratio(np.array([[0.0], [2.0], [8.0], [10.0]]), np.array([0, 0, 1, 1]))
        16.0
    """
    centred = states.astype(np.float64) - states.mean(axis=0, dtype=np.float64)
    names, places = np.unique(labels, return_inverse=True)
    centres = np.stack([centred[labels == name].mean(axis=0) for name in names])[places]
    inside = float(np.square(centred - centres).sum())
    if len(names) < 2 or inside == 0:
        return None
    return float(np.square(centres).sum()) / inside


def projection_for(wanted: Projection, count: int) -> Projection:
    """What so many examples can be projected by.

    Examples:
        >>> projection_for("tsne", 500), projection_for("tsne", 5)
        ('tsne', 'pca')
    """
    return wanted if count >= FEWEST else "pca"


def project_2d(states: Float[np.ndarray, "b d"], projection: Projection = "tsne") -> Float[np.ndarray, "b 2"]:
    """The states in two dimensions, the same on one machine for the same states.

    Nothing is drawn at random: t-SNE begins with the principal components. It keeps neighbours together;
    distances between far groups, and their sizes, mean little.

    Args:
        states: One row an example, b >= 1.
        projection: The first two principal components; or t-SNE, on at most 50 of them and beginning with
            the first two. Too few examples are projected by PCA: see `projection_for`.

    Returns:
        Coordinates without a unit; zeros where all states are the same.

    References:
        van der Maaten and Hinton, "Visualizing Data using t-SNE", 2008, by scikit-learn. Liang et al.,
        "MixKD", 2021, figure 2, shows sentence representations in two dimensions. Deviation: which projection
        the figure uses is not known to us; t-SNE is assumed.
    """
    from sklearn.decomposition import PCA  # here: a recipe needs only the names of projections
    from sklearn.manifold import TSNE

    centred = states.astype(np.float64) - states.mean(axis=0, dtype=np.float64)
    flat = np.zeros((len(states), 2))
    if not centred.any():
        return flat
    size = min(COMPONENTS, *centred.shape)
    parts = PCA(n_components=size, svd_solver="full").fit_transform(centred)
    flat[:, : min(size, 2)] = parts[:, :2]
    if projection_for(projection, len(states)) == "pca":
        return flat
    mapper = TSNE(
        perplexity=min(PERPLEXITY, (len(states) - 1) / 3),
        init=(SPREAD * flat / flat[:, 0].std()).astype(np.float32),
    )
    return np.asarray(mapper.fit_transform(parts), dtype=np.float64)
