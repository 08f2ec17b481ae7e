"""Interpolation between examples: who is mixed with whom, by how much, and both kinds in one input.

The interpolation itself happens inside the network (`Inputs.blend`), at its word embeddings, so that the same
pairs and shares serve networks of different tokenizers and widths.
"""

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float, Int

from lmdistill.core.batch import Blend, Inputs, Mixing


def draw_partners(
    mixing: Mixing, rng: np.random.Generator, examples: Int[np.ndarray, " b"], *, total: int
) -> Int[np.ndarray, " b r"]:
    """Row numbers of the partners of each example of a global batch.

    Args:
        mixing: `ratio` partners an example, from the batch (a permutation each) or from all rows (uniformly).
        rng: Where the draw comes from.
        examples: Row numbers of the batch.
        total: Rows of the training set.

    Returns:
        Row numbers, a column for each of the `ratio` mixed samples.

    References:
        Liang et al., "MixKD", 2021: the partner is "an extra random sample", mixed samples 1 to 3 an
        original.
    """
    if mixing.partner == "train":
        return rng.integers(total, size=(len(examples), mixing.ratio))
    return np.stack([rng.permutation(examples) for _ in range(mixing.ratio)], axis=1)


def draw_shares(mixing: Mixing, rng: np.random.Generator, size: int) -> Float[np.ndarray, " b r"]:
    """The share that each example keeps of itself, the paper's lambda.

    Args:
        mixing: Concentration of the Beta distribution; one draw a sample or a batch; folded to >= 0.5 or not.
        rng: Where the draw comes from.
        size: Examples in the global batch.

    Returns:
        Shares in [0, 1], a column for each of the `ratio` mixed samples.

    References:
        Liang et al., "MixKD", 2021: Beta(0.4, 0.4), not folded. One draw a sample is our reading of an
        equation without an index.
    """
    rows = size if mixing.share == "sample" else 1
    shares = rng.beta(mixing.concentration, mixing.concentration, size=(rows, mixing.ratio))
    if mixing.fold:
        shares = np.maximum(shares, 1 - shares)
    return np.broadcast_to(shares, (size, mixing.ratio)).copy()


def stack(plain: Inputs, mixed: Inputs) -> Inputs:
    """Original and mixed inputs below each other, for one forward pass.

    An original is blended with itself at share 1, which is the identity.

    Args:
        plain: Inputs without a blend.
        mixed: Inputs with a blend, padded to the same length.

    Returns:
        The rows of `plain`, then those of `mixed`.
    """
    assert plain.blend is None
    assert mixed.blend is not None
    whole = torch.ones(len(plain.ids), dtype=mixed.blend.share.dtype, device=mixed.blend.share.device)
    own = None if mixed.blend.segments is None else plain.segments
    itself = Blend(ids=plain.ids, mask=plain.mask, share=whole, segments=own)
    return Inputs(
        ids=torch.cat([plain.ids, mixed.ids]),
        mask=torch.cat([plain.mask, mixed.mask]),
        segments=_joined(plain.segments, mixed.segments),
        blend=replace(
            mixed.blend,
            ids=torch.cat([itself.ids, mixed.blend.ids]),
            mask=torch.cat([itself.mask, mixed.blend.mask]),
            share=torch.cat([itself.share, mixed.blend.share]),
            segments=_joined(itself.segments, mixed.blend.segments),
        ),
    )


def _joined(
    first: Int[torch.Tensor, "b t"] | None, second: Int[torch.Tensor, "m t"] | None
) -> torch.Tensor | None:
    """Both below each other, where the model has segments at all."""
    return None if first is None or second is None else torch.cat([first, second])
