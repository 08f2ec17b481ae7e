"""TF-IDF weights of the word or character n-grams of texts, as scikit-learn computes them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from jaxtyping import Float
from scipy.sparse import csr_array

Unit = Literal["words", "characters"]
"""What n-grams consist of."""

WORD = r"(?u)\b\w\w+\b"
"""A word: two or more letters or digits, as in scikit-learn."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Ngrams:
    r"""A vocabulary of n-grams with their inverse document frequencies.

    An n-gram that occurs f > 0 times in a text has the weight f times idf there, or (1 + ln f) times idf if
    `sublinear`; the weights of a text are then divided by their Euclidean norm. Texts are lowercased.
    N-grams of characters stay inside words, which are padded by a space (`char_wb`).

    .. math:: idf = 1 + \ln \frac{1 + n}{1 + n_{term}}

    References:
        Salton and Buckley, "Term-weighting approaches in automatic text retrieval", 1988. The variant is that
        of scikit-learn's `TfidfVectorizer`, which does the counting.
    """

    unit: Unit
    """Words or characters."""

    sizes: tuple[int, int]
    """Fewest and most words or characters of an n-gram, both >= 1."""

    sublinear: bool
    """Whether logarithms of counts are taken."""

    terms: tuple[str, ...]
    """The n-grams in the order of the columns; may be empty."""

    idf: Float[np.ndarray, " v"]
    """Inverse document frequency of each n-gram, >= 1."""

    @cached_property
    def _vectorizer(self) -> Any:
        """The vectorizer of scikit-learn with this vocabulary."""
        found = _vectorizer(self.unit, self.sizes, self.sublinear, vocabulary=self.terms)
        found.idf_ = np.asarray(self.idf, dtype=np.float64)
        return found

    def of(self, texts: Sequence[str]) -> csr_array:
        """The weights as a matrix of shape (n, v) in float64; a text without a known n-gram has none."""
        if not self.terms or not len(texts):
            return csr_array((len(texts), len(self.terms)), dtype=np.float64)
        return csr_array(self._vectorizer.transform(texts))


def learn_ngrams(
    texts: Sequence[str], unit: Unit, sizes: tuple[int, int], *, sublinear: bool, most: int
) -> tuple[Ngrams, csr_array]:
    """The n-grams of `texts`, and what `of` gives for these texts; of more than `most` the most frequent."""
    vectorizer = _vectorizer(unit, sizes, sublinear, max_features=most)
    try:
        weights = csr_array(vectorizer.fit_transform(texts))
    except ValueError:  # what it raises for texts without any n-gram
        none = Ngrams(unit=unit, sizes=sizes, sublinear=sublinear, terms=(), idf=np.zeros(0))
        return none, none.of(texts)
    terms = tuple(str(term) for term in vectorizer.get_feature_names_out())
    found = Ngrams(unit=unit, sizes=sizes, sublinear=sublinear, terms=terms, idf=vectorizer.idf_)
    return found, weights


def _vectorizer(unit: Unit, sizes: tuple[int, int], sublinear: bool, **more: Any) -> Any:
    """A vectorizer of scikit-learn."""
    from sklearn.feature_extraction.text import TfidfVectorizer  # loads slowly

    analyzer = "word" if unit == "words" else "char_wb"
    pattern = WORD if unit == "words" else None
    return TfidfVectorizer(
        analyzer=analyzer, ngram_range=sizes, sublinear_tf=sublinear, token_pattern=pattern, **more
    )
