"""Features of single texts and of text pairs."""

from collections.abc import Sequence
from dataclasses import dataclass

from scipy.sparse import csr_array, hstack

from lmdistill.core.errors import DataError
from lmdistill.linear.ngrams import Ngrams, Unit, learn_ngrams


@dataclass(frozen=True, kw_only=True)
class Features:
    r"""TF-IDF features of texts, or of text pairs.

    The features of a text are the weights of its word n-grams and of its character n-grams. Those of a pair
    with weights u and v are, for words and characters each, u, v, \|u - v\|, the products u v, and their sum,
    which is the cosine of u and v.

    References:
        Conneau et al., "Supervised Learning of Universal Sentence Representations", 2017, section 3.1, has
        the same features of sentence embeddings. Deviations: weights of n-grams, and the cosine.
    """

    blocks: tuple[Ngrams, ...]
    """The n-grams: words, characters or both."""

    pairs: bool
    """Whether an example consists of two texts."""

    @property
    def size(self) -> int:
        """Number of features."""
        terms = sum(len(block.terms) for block in self.blocks)
        return 4 * terms + len(self.blocks) if self.pairs else terms

    def of(self, first: Sequence[str], second: Sequence[str] | None = None) -> csr_array:
        """The features as a matrix of shape (n, `size`) in float64.

        Args:
            first: The texts, or the first text of each pair.
            second: The second text of each pair; needed if `pairs`, and not used otherwise.
        """
        ours = [block.of(first) for block in self.blocks]
        theirs = [block.of(second or ()) for block in self.blocks] if self.pairs else None
        return _joined(ours, theirs)


def _joined(ours: Sequence[csr_array], theirs: Sequence[csr_array] | None) -> csr_array:
    """The features from the weights of the first and of the second texts, a matrix for each unit."""
    if theirs is None:
        return csr_array(hstack(list(ours), format="csr"))
    parts: list[csr_array] = []
    for one, other in zip(ours, theirs, strict=True):
        products = one.multiply(other)
        cosine = csr_array(products.sum(axis=1).reshape(-1, 1))
        parts += [one, other, abs(one - other), products, cosine]
    return csr_array(hstack(parts, format="csr"))


def learn_features(
    first: Sequence[str],
    second: Sequence[str] | None,
    *,
    words: tuple[int, int] | None,
    characters: tuple[int, int] | None,
    sublinear: bool,
    most: int,
) -> tuple[Features, csr_array]:
    """The features of training texts, and what `of` gives for them; both texts of a pair share a vocabulary.

    Args:
        first: The texts, or the first text of each pair.
        second: The second text of each pair; None for single texts.
        words: Fewest and most words of an n-gram; None for none.
        characters: The same of characters.
        sublinear: Whether logarithms of counts are taken.
        most: Largest number of n-grams of words, and of characters, >= 1.

    Raises:
        DataError: If the texts have no n-gram at all.
    """
    texts = [*first, *(second or ())]
    units: dict[Unit, tuple[int, int] | None] = {"words": words, "characters": characters}
    learned = [
        learn_ngrams(texts, unit, sizes, sublinear=sublinear, most=most)
        for unit, sizes in units.items()
        if sizes is not None
    ]
    blocks = tuple(block for block, _ in learned)
    if not any(block.terms for block in blocks):
        raise DataError(
            f"the {len(first)} training texts have no n-grams of {' or '.join(b.unit for b in blocks)}. Look "
            "at the text column, or set words or characters to smaller ranges."
        )
    ours = [weights[: len(first)] for _, weights in learned]
    theirs = None if second is None else [weights[len(first) :] for _, weights in learned]
    return Features(blocks=blocks, pairs=second is not None), _joined(ours, theirs)
