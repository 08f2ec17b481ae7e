import math

import pytest

from lmdistill.labelling.api_reply import Reply
from lmdistill.labelling.label_probabilities import LabelDistribution
from lmdistill.labelling.label_words import label_words
from lmdistill.labelling.reply_reading import Rejection, read_replies

WORDS = label_words(["pos", "neg"])


def said(text, finish="stop", **more):
    return Reply(text=text, finish=finish, **more)


def scored(*pairs, text="pos"):
    return said(text, top=tuple((token, math.log(share)) for token, share in pairs))


@pytest.mark.parametrize(
    ("replies", "reason", "detail"),
    [
        ([said("", refusal="I will not.")], "refused", "the model refuses"),
        ([said("", "content_filter")], "refused", "the model refuses"),
        ([said("I'm sorry, but I can't help with that.")], "refused", "the model refuses"),
        ([said("It depends.")], "unparsable", "no reply names a label"),
        (
            [said("Well, let me", "length")],
            "unparsable",
            "no reply names a label; the reply was cut, see --max-new",
        ),
        ([said("pos"), said("hm"), said("hm")], "unparsable", "67 % of the samples is on no label"),
        ([said("pos"), said("I cannot say"), said("I cannot say")], "refused", "the model refuses"),
    ],
)
def test_samples_without_a_label_are_rejected_with_a_reason(replies, reason, detail):
    found = read_replies(replies, WORDS, "samples")
    assert isinstance(found, Rejection)
    assert (found.reason, found.detail) == (reason, detail)


@pytest.mark.parametrize(
    ("reply", "reason", "detail"),
    [
        (said("pos"), "unparsable", "the reply has no log-probabilities"),
        (said("", refusal="No."), "refused", "the model refuses"),
        (
            scored(("the", 0.9), ("a", 0.1), text="the"),
            "unparsable",
            "none of the 2 most likely tokens begins a label",
        ),
        (
            scored(("the", 0.6), ("pos", 0.4), text="the"),
            "unparsable",
            "60 % of the probability is on no label",
        ),
        (scored(("I", 0.9), ("pos", 0.1), text="I'm sorry"), "refused", "the model refuses"),
    ],
)
def test_log_probabilities_without_a_label_are_rejected_with_a_reason(reply, reason, detail):
    found = read_replies([reply], WORDS, "logprobs")
    assert isinstance(found, Rejection)
    assert (found.reason, found.detail) == (reason, detail)


def test_a_number_that_the_model_states_is_never_a_probability():
    found = read_replies([said("pos (confidence 0.99)")] * 4, WORDS, "samples")
    assert found.probabilities == pytest.approx((4.5 / 5, 0.5 / 5))


def test_what_is_answered_has_probabilities():
    found = read_replies([scored(("pos", 0.6), ("neg", 0.2))], WORDS, "logprobs")
    assert isinstance(found, LabelDistribution)
    assert found.probabilities == pytest.approx((0.75, 0.25))
    assert read_replies([said("pos"), said("neg"), said("?")], WORDS, "samples").samples == 2


def test_the_reply_of_a_rejection_is_one_that_shows_why():
    found = read_replies([said("pos"), said("no idea"), said("hm")], WORDS, "samples")
    assert found.reply == "no idea"
