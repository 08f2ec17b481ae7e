"""Mixup: drawing of partners and lambdas, and concatenation of original and mixed inputs.

The interpolation itself happens inside the network (`Inputs.partners`), at its word embeddings. So the same
pairs and lambdas can be used for networks with different tokenizers and hidden sizes.
"""

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float, Int

from lmdistill.core.batch import Inputs, MixupPartners, MixupSettings

PAIRING = "0.2"
"""Version since which pairs are drawn as they are now; a run that an older one started is not continued."""


def partners_in_training_set(
    rng: np.random.Generator, total: int, ratio: int, rows: Int[np.ndarray, " n"] | None = None
) -> Int[np.ndarray, " n r"]:
    """Draw the mixup partners of rows, uniformly among the other rows of the training set.

    Args:
        rng: Random generator.
        total: Number of rows of the training set, >= 2.
        ratio: Partners of each row, >= 1; one row may be drawn twice.
        rows: Numbers of the rows, in which one may occur several times; None is each row once.

    Returns:
        Row numbers of the partners, one column for each of the r = `ratio` mixed samples.

    References:
        Liang et al., "MixKD", 2021, section 3.3: the partner is "an extra random sample" of the training
        data; 1 to 3 mixed samples per original.
    """
    own = np.arange(total) if rows is None else rows
    partners = rng.integers(total - 1, size=(len(own), ratio))
    return partners + (partners >= own[:, None])


def partners_in_batch(
    rng: np.random.Generator, examples: Int[np.ndarray, " b"], ratio: int
) -> Int[np.ndarray, " b r"]:
    """Draw the mixup partners of each example of a global batch among the other examples of that batch.

    In each of the `ratio` columns every example is a partner once: the examples are put into a random circle,
    and each gets the next one.

    Args:
        rng: Random generator.
        examples: Row numbers of the batch, b >= 2.
        ratio: Partners of each example, >= 1.

    Returns:
        Row numbers of the partners, one column for each of the r = `ratio` mixed samples.
    """
    partners = np.empty((len(examples), ratio), dtype=np.int64)
    for column in range(ratio):
        circle = rng.permutation(len(examples))
        partners[circle, column] = examples[np.roll(circle, -1)]
    return partners


def draw_shares(mixing: MixupSettings, rng: np.random.Generator, size: int) -> Float[np.ndarray, " b r"]:
    """Draw lambda, the weight of the original in each mixed sample.

    Args:
        mixing: Settings: concentration of the Beta distribution; one draw per sample or per batch; whether
            lambda is folded to max(lambda, 1 - lambda).
        rng: Random generator.
        size: Number of examples in the global batch.

    Returns:
        Lambdas in [0, 1], one column for each of the r = `ratio` mixed samples.

    References:
        Liang et al., "MixKD", 2021: Beta(0.4, 0.4), not folded. The paper's equation has no index, so one
        draw per sample is an interpretation.
    """
    rows = size if mixing.share == "sample" else 1
    shares = rng.beta(mixing.concentration, mixing.concentration, size=(rows, mixing.ratio))
    if mixing.fold:
        shares = np.maximum(shares, 1 - shares)
    return np.broadcast_to(shares, (size, mixing.ratio)).copy()


def stack_inputs(plain: Inputs, mixed: Inputs) -> Inputs:
    """Concatenate original and mixed inputs into one batch, for a single forward pass.

    Each original gets itself as its partner with lambda = 1, which changes nothing.

    Args:
        plain: Inputs without mixup partners.
        mixed: Inputs with mixup partners, padded to the same length.

    Returns:
        The rows of `plain`, then those of `mixed`.
    """
    assert plain.partners is None
    assert mixed.partners is not None
    ones = torch.ones(len(plain.ids), dtype=mixed.partners.share.dtype, device=mixed.partners.share.device)
    own = None if mixed.partners.segments is None else plain.segments
    self_partners = MixupPartners(ids=plain.ids, mask=plain.mask, share=ones, segments=own)
    return Inputs(
        ids=torch.cat([plain.ids, mixed.ids]),
        mask=torch.cat([plain.mask, mixed.mask]),
        segments=_concatenated_segments(plain.segments, mixed.segments),
        partners=replace(
            mixed.partners,
            ids=torch.cat([self_partners.ids, mixed.partners.ids]),
            mask=torch.cat([self_partners.mask, mixed.partners.mask]),
            share=torch.cat([self_partners.share, mixed.partners.share]),
            segments=_concatenated_segments(self_partners.segments, mixed.partners.segments),
        ),
    )


def _concatenated_segments(
    first: Int[torch.Tensor, "b t"] | None, second: Int[torch.Tensor, "m t"] | None
) -> torch.Tensor | None:
    """The segment ids of both, or None if the model has none."""
    return None if first is None or second is None else torch.cat([first, second])
