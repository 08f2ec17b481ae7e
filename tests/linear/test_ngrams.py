"""TF-IDF weights: equal to scikit-learn's, and to the formula in float64."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer

from lmdistill.core.errors import DataError
from lmdistill.linear.features import learn_features
from lmdistill.linear.ngrams import learn_ngrams

ODD = [
    "", " \t\n", "!?", "Ünïcode ß İstanbul 東京タワー", "e\u0301clair éclair", "a I 7", "x" * 3000,
    "good " * 500, "emoji 😀😀 zero\u200bwidth", "good bad good", "\x00 nul\x00l", "fine, not 'fine'",
]  # fmt: skip
TRAIN = ["good film", "bad film", "a good plot, a bad cast", "Fine FINE fine", *ODD]

UNITS = {"words": ("word", (1, 2)), "characters": ("char_wb", (2, 4))}


@pytest.mark.parametrize("sublinear", [False, True])
@pytest.mark.parametrize("unit", UNITS)
def test_weights_are_those_of_scikit_learn(unit, sublinear):
    analyzer, sizes = UNITS[unit]
    theirs = TfidfVectorizer(analyzer=analyzer, ngram_range=sizes, sublinear_tf=sublinear).fit(TRAIN)
    ours, learned = learn_ngrams(TRAIN, unit, sizes, sublinear=sublinear, most=10**6)
    assert ours.terms == tuple(theirs.get_feature_names_out())
    for texts in (TRAIN, ODD, ["never seen"], ["bad"]):
        assert abs(ours.of(texts) - theirs.transform(texts)).max() <= 1e-12
    assert abs(learned - theirs.transform(TRAIN)).max() <= 1e-12


def test_weights_are_those_of_the_formula():
    texts = ["good good film", "bad film", "film film film plot"]
    ours, _ = learn_ngrams(texts, "words", (1, 1), sublinear=True, most=99)
    counts = [Counter(text.split()) for text in texts]
    rows = ours.of(texts).toarray()
    for row, count in zip(rows, counts, strict=True):
        raw = [
            (1 + math.log(count[term])) * (1 + math.log((1 + 3) / (1 + sum(term in c for c in counts))))
            if count[term]
            else 0.0
            for term in ours.terms
        ]
        norm = math.sqrt(sum(value**2 for value in raw))
        np.testing.assert_allclose(row, [value / norm for value in raw], rtol=1e-12)


FEATURES, _ = learn_features(TRAIN, None, words=(1, 2), characters=(2, 3), sublinear=True, most=500)


@settings(max_examples=25)
@given(st.lists(st.text(max_size=30), min_size=1, max_size=6))
def test_any_texts_are_read(texts):
    rows = FEATURES.of(texts)
    assert rows.shape == (len(texts), FEATURES.size)
    assert np.isfinite(rows.data).all()
    norms = np.asarray(rows.multiply(rows).sum(axis=1)).ravel()
    assert (norms <= 2 + 1e-9).all()  # at most 1 for words and 1 for characters


def test_the_most_frequent_ngrams_are_kept():
    ours, _ = learn_ngrams(["aa aa aa bb bb cc", "aa dd"], "words", (1, 1), sublinear=False, most=2)
    assert ours.terms == ("aa", "bb")


def test_texts_without_any_word_leave_the_characters():
    features, rows = learn_features(["!", "?"], None, words=(1, 1), characters=(1, 2), sublinear=True, most=9)
    assert [len(block.terms) > 0 for block in features.blocks] == [False, True]
    assert abs(features.of(["!", "?"]) - rows).max() == 0
    with pytest.raises(DataError, match=r"^the 2 training texts have no n-grams of words\. Look at the text"):
        learn_features(["!", "?"], None, words=(1, 1), characters=None, sublinear=True, most=9)


def test_features_of_pairs_are_both_texts_their_difference_product_and_cosine():
    first, second = ["good film", "bad"], ["good plot", "good"]
    kind = {"words": (1, 1), "characters": None, "sublinear": False, "most": 99}
    features, learned = learn_features(first, second, **kind)
    (block,) = features.blocks
    u, v = block.of(first).toarray(), block.of(second).toarray()
    want = np.hstack([u, v, abs(u - v), u * v, (u * v).sum(1, keepdims=True)])
    np.testing.assert_allclose(features.of(first, second).toarray(), want, atol=1e-15)
    np.testing.assert_allclose(learned.toarray(), want, atol=1e-15)
    swapped = features.of(second, first).toarray()
    terms = len(block.terms)
    np.testing.assert_allclose(swapped[:, 2 * terms :], want[:, 2 * terms :], atol=1e-15)  # symmetric
    assert not np.allclose(swapped, want)
