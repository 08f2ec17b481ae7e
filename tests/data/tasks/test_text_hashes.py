"""Equal texts have equal hashes, whatever their case and spaces, and others do not."""

import numpy as np
from datasets import Dataset
from hypothesis import given
from hypothesis import strategies as st

from lmdistill.data.tasks.text_hashes import hashes_of, text_hashes


def rows(first, second):
    return Dataset.from_dict({"sentence1": list(first), "sentence2": list(second)})


@given(st.lists(st.tuples(st.text(max_size=8), st.text(max_size=8)), min_size=1, max_size=20))
def test_rows_and_lists_have_the_same_hashes(pairs):
    first, second = zip(*pairs, strict=True)
    np.testing.assert_array_equal(text_hashes(rows(first, second)), hashes_of(first, second))


@given(st.lists(st.text(alphabet="abÄß c", min_size=1, max_size=6), min_size=1, max_size=9))
def test_equal_hashes_are_equal_texts_apart_from_case_and_spaces(texts):
    normal = [" ".join(text.split()).casefold() for text in texts]
    hashes = hashes_of(texts, [""] * len(texts))
    for one, text in zip(hashes, normal, strict=True):
        assert [other == one for other in hashes] == [other == text for other in normal]


def test_a_pair_is_not_its_texts_joined_nor_reversed():
    found = hashes_of(["a b", "a", "b", "a b "], ["", "b", "a", ""])
    assert found[0] == found[3]
    assert len(set(found.tolist())) == 3


def test_hashes_stay_the_same_between_versions():
    """Runs keep them, so that a change here would let every known text pass."""
    assert hashes_of(["A  good\tfilm"], [""]).tolist() == [4998254259396293710]


def test_no_rows_and_broken_characters():
    assert text_hashes(rows([], [])).shape == (0,)
    assert len(hashes_of(["\ud800"], [""])) == 1
