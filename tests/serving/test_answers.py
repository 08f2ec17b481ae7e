import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmdistill.core.errors import ModelError
from lmdistill.serving.answering import content
from lmdistill.serving.answers import Answer, answers_of, read_value
from lmdistill.serving.confidence import confidences
from lmdistill.serving.manifest import Answers

CLASSES = Answers(kind="classification", labels=("red", "green", "blue"))
TAGS = Answers(kind="multilabel", labels=("red", "green", "blue"), thresholds=(0.5, 0.9, 0.5))
SCORE = Answers(kind="regression", labels=())


@settings(max_examples=40)
@given(
    st.lists(st.lists(st.floats(-20, 20), min_size=3, max_size=3), min_size=1, max_size=6), st.floats(0, 1)
)
def test_what_is_below_the_threshold_is_deferred_and_nothing_else(rows, threshold):
    logits = np.array(rows)
    for means in (CLASSES, TAGS):
        found = answers_of(means, logits, threshold)
        assert [one.deferred for one in found] == (confidences(means, logits) < threshold).tolist()
        assert not any(one.deferred for one in answers_of(means, logits))


def test_answers_by_hand():
    (one,) = answers_of(CLASSES, np.log([[1.0, 6.0, 1.0]]))
    assert (one.value, one.confidence) == ("green", 0.75)
    assert one.probabilities == {"red": 0.125, "green": 0.75, "blue": 0.125}
    (tags,) = answers_of(TAGS, np.log([[3.0, 4.0, 0.25]]))  # 0.75, 0.8 below 0.9, 0.2
    assert (tags.value, tags.confidence) == (["red"], 0.2)  # the surest about green is 1 - 0.8
    (score,) = answers_of(SCORE, np.array([[2.5]]))
    assert (score.value, score.confidence, score.probabilities) == (2.5, None, {})


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_logit_that_is_no_number_is_no_answer(bad):
    with pytest.raises(ModelError, match="no number"):
        answers_of(CLASSES, np.array([[0.0, bad, 0.0]]))


@pytest.mark.parametrize(
    ("means", "found", "value"),
    [
        (CLASSES, {"label": "red", "confidence": 1}, "red"),
        (TAGS, {"labels": ["blue", "red"]}, ["red", "blue"]),
        (TAGS, {"labels": []}, []),
        (SCORE, {"score": 3}, 3.0),
    ],
)
def test_the_answer_of_another_server_is_read(means, found, value):
    assert read_value(means, found) == value


@pytest.mark.parametrize(
    ("means", "found", "said"),
    [
        (CLASSES, {"label": "secret"}, "gives a label that the model does not have"),
        (CLASSES, {"label": ["red"]}, "gives a label that"),
        (CLASSES, {"labels": ["red"]}, "gives an answer without label"),
        (CLASSES, "red", "gives an answer without label"),
        (TAGS, {"labels": ["red", "secret"]}, "gives a labels that"),
        (TAGS, {"labels": [{}]}, "gives a labels that"),
        (TAGS, {"labels": "red"}, "gives a labels that"),
        (SCORE, {"score": "3"}, "gives a score that"),
        (SCORE, {"score": True}, "gives a score that"),
        (SCORE, {"score": float("nan")}, "gives a score that"),
    ],
)
def test_an_answer_of_another_model_is_refused(means, found, said):
    with pytest.raises(ValueError, match=f"^{said}") as error:
        read_value(means, found)
    assert "secret" not in str(error.value)


OWN = Answer(value="red", confidence=0.6, probabilities={"red": 0.6, "blue": 0.4}, deferred=True)


def test_the_answer_of_the_teacher_stands_in_place_of_the_students():
    own = {"label": "red", "confidence": 0.6, "probabilities": {"red": 0.6, "blue": 0.4}}
    assert content("label", OWN, "blue", None) == {
        "label": "blue", "by": "teacher", "deferred": True, "student": own,
    }  # fmt: skip
    assert content("label", OWN, None, None) == {**own, "by": "student", "deferred": True}
    failed = content("label", OWN, None, "the teacher cannot be reached.")
    assert failed == {
        **own, "by": "student", "deferred": True, "teacher_error": "the teacher cannot be reached.",
    }  # fmt: skip
    sure = Answer(value=2.5)
    assert content("score", sure, None, "no.") == {"score": 2.5, "by": "student", "deferred": False}
