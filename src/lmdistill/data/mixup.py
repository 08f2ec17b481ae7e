"""Interpolation between examples: who is mixed with whom, by how much, and both kinds in one input.

The interpolation itself happens inside the network (`Inputs.partners`), at its word embeddings, so that the
same pairs and shares serve networks of different tokenizers and widths.
"""

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float, Int

from lmdistill.core.batch import Inputs, MixupPartners, MixupSettings


def draw_partners(
    mixing: MixupSettings, rng: np.random.Generator, examples: Int[np.ndarray, " b"], *, total: int
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


def draw_shares(mixing: MixupSettings, rng: np.random.Generator, size: int) -> Float[np.ndarray, " b r"]:
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


def stack_inputs(plain: Inputs, mixed: Inputs) -> Inputs:
    """Original and mixed inputs below each other, for one forward pass.

    An original is blended with itself at share 1, which is the identity.

    Args:
        plain: Inputs without partners.
        mixed: Inputs with partners, padded to the same length.

    Returns:
        The rows of `plain`, then those of `mixed`.
    """
    assert plain.partners is None
    assert mixed.partners is not None
    whole = torch.ones(len(plain.ids), dtype=mixed.partners.share.dtype, device=mixed.partners.share.device)
    own = None if mixed.partners.segments is None else plain.segments
    itself = MixupPartners(ids=plain.ids, mask=plain.mask, share=whole, segments=own)
    return Inputs(
        ids=torch.cat([plain.ids, mixed.ids]),
        mask=torch.cat([plain.mask, mixed.mask]),
        segments=_joined(plain.segments, mixed.segments),
        partners=replace(
            mixed.partners,
            ids=torch.cat([itself.ids, mixed.partners.ids]),
            mask=torch.cat([itself.mask, mixed.partners.mask]),
            share=torch.cat([itself.share, mixed.partners.share]),
            segments=_joined(itself.segments, mixed.partners.segments),
        ),
    )


def _joined(
    first: Int[torch.Tensor, "b t"] | None, second: Int[torch.Tensor, "m t"] | None
) -> torch.Tensor | None:
    """Both below each other, where the model has segments at all."""
    return None if first is None or second is None else torch.cat([first, second])
