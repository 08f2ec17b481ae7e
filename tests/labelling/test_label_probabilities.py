import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmdistill.core.errors import ConfigError, DataError
from lmdistill.labelling.label_probabilities import from_samples, from_top_logprobs, is_unanimous
from lmdistill.labelling.label_words import label_words

NAMES = ("alpha", "bravo", "charlie", "delta")
TOKENS = ("al", "alpha", " br", "Char", "d", "the", "\n", "echo")


@st.composite
def tops(draw):
    """Tokens and log-probabilities whose sum is below 1, with at least one that begins a label."""
    tokens = draw(st.permutations(TOKENS).map(lambda order: [*order[:5], "alpha"]))
    weights = draw(st.lists(st.floats(1e-6, 1), min_size=len(tokens), max_size=len(tokens)))
    rest = draw(st.floats(0.0, 2.0))
    whole = sum(weights) + rest
    return [(token, math.log(weight / whole)) for token, weight in zip(tokens, weights, strict=True)]


@given(tops())
def test_probabilities_sum_to_one_and_so_does_the_mass_with_what_is_on_no_label(top):
    words = label_words(NAMES)
    found = from_top_logprobs(top, words)
    assert math.isclose(sum(found.probabilities), 1)
    mass = sum(math.exp(value) for token, value in top if words.started_by(token))
    assert math.isclose(found.unassigned, 1 - mass, abs_tol=1e-9)


@given(tops(), st.permutations(range(len(NAMES))))
def test_permuting_labels_permutes_probabilities(top, order):
    found = from_top_logprobs(top, label_words(NAMES)).probabilities
    again = from_top_logprobs(top, label_words([NAMES[number] for number in order])).probabilities
    assert again == pytest.approx([found[number] for number in order])


@given(tops())
def test_the_order_of_the_tokens_does_not_matter(top):
    found, again = (from_top_logprobs(one, label_words(NAMES)) for one in (top, top[::-1]))
    assert found.probabilities == pytest.approx(again.probabilities)


def test_tokens_of_one_word_are_added_up():
    top = [
        ("Pos", math.log(0.3)),
        (" pos", math.log(0.2)),
        ("positive", math.log(0.1)),
        ("neg", math.log(0.2)),
    ]
    found = from_top_logprobs(top, label_words(["positive", "negative"]))  # 0.6 : 0.2
    assert found.probabilities == pytest.approx([0.75, 0.25])
    assert found.unassigned == pytest.approx(0.2)


def test_a_label_without_a_token_has_the_probability_zero():
    assert from_top_logprobs([("neg", -0.1)], label_words(["pos", "neg"])).probabilities == (0.0, 1.0)


def test_a_likely_token_that_begins_two_words_is_an_error_and_an_unlikely_one_counts_for_none():
    words = label_words(["positive", "possible"])
    with pytest.raises(ConfigError, match="'positive' and 'possible' begin with the same token"):
        from_top_logprobs([("pos", math.log(0.9))], words)
    found = from_top_logprobs([("positive", math.log(0.9)), ("pos", math.log(0.01))], words)
    assert found.probabilities == (1.0, 0.0)
    assert found.unassigned == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("top", "match"),
    [
        ([], "not those of one token"),
        ([("pos", math.nan)], "not those of one token"),
        ([("pos", 3.0)], "not those of one token"),
        ([("pos", 0.0), ("neg", 0.0)], "not those of one token"),
        ([("the", -0.1), ("a", -3.0)], "none of the 2 most likely tokens"),
        ([("pos", -math.inf)], "none of the 1 most likely tokens"),
    ],
)
def test_values_that_are_no_log_probabilities_are_refused(top, match):
    with pytest.raises(DataError, match=match):
        from_top_logprobs(top, label_words(["pos", "neg"]))


@given(st.lists(st.integers(0, 3), min_size=1, max_size=12), st.integers(0, 5))
def test_samples_sum_to_one_and_none_is_impossible(counts, invalid):
    found = from_samples([*counts, *[None] * invalid], 4)
    assert math.isclose(sum(found.probabilities), 1)
    assert min(found.probabilities) > 0
    assert found.samples == len(counts)
    assert found.unassigned == pytest.approx(invalid / (invalid + len(counts)))


@given(st.lists(st.integers(0, 3), min_size=1, max_size=12), st.permutations(range(4)))
def test_permuting_the_labels_of_samples_permutes_probabilities(counts, order):
    found = from_samples(counts, 4).probabilities
    again = from_samples([order.index(one) for one in counts], 4).probabilities
    assert again == pytest.approx([found[number] for number in order])


def test_samples_against_hand_numbers():
    # 3 of 4 valid samples for label 0 of 3: (3 + 1/3) / 5, (1 + 1/3) / 5, (0 + 1/3) / 5
    found = from_samples([0, 0, None, 1, 0], 3)
    assert found.probabilities == pytest.approx([float(Fraction(n, 15)) for n in (10, 4, 1)])
    assert found.unassigned == pytest.approx(0.2)


def test_samples_without_a_label_are_no_probabilities():
    with pytest.raises(DataError, match="no reply names a label"):
        from_samples([None, None], 2)


def test_samples_are_unanimous_if_several_agree_and_all_name_a_label():
    cases = [([0, 0, 0], True), ([0], False), ([0, 0, 1], False), ([0, 0, None], False), ([2, 2], True)]
    assert [is_unanimous(from_samples(one, 3)) for one, _ in cases] == [said for _, said in cases]
