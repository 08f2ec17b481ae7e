import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta
from sklearn.metrics import confusion_matrix, precision_score, recall_score

from lmdistill.core.errors import ConfigError, DataError
from lmdistill.labelling.audit import CALIBRATION_ROWS, audit_of, share_of

LABELS = ("a", "b", "c")


@given(st.integers(0, 300).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total))))
def test_an_interval_is_clopper_pearsons_by_the_beta_distribution(counts):
    hits, total = counts
    found = share_of(hits, total)
    low = beta.ppf(0.025, hits, total - hits + 1) if hits else 0.0
    high = beta.ppf(0.975, hits + 1, total - hits) if hits < total else 1.0
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-7)
    if total:
        assert found.low <= found.value <= found.high
    else:
        assert math.isnan(found.value)


rows = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=60)


def one_hot(number):
    return tuple(0.8 if number == one else 0.1 for one in range(3))


@given(rows)
def test_classes_are_those_of_scikit_learn(pairs):
    human, teacher = zip(*pairs, strict=True)
    found = audit_of(human, [one_hot(number) for number in teacher], LABELS)
    assert found.agreement.hits == sum(a == b for a, b in pairs)
    assert np.array_equal(found.confusion, confusion_matrix(human, teacher, labels=[0, 1, 2]))
    settings = {"labels": [0, 1, 2], "average": None, "zero_division": np.nan}
    precision, recall = (score(human, teacher, **settings) for score in (precision_score, recall_score))
    assert [one.precision.value for one in found.classes] == pytest.approx(list(precision), nan_ok=True)
    assert [one.recall.value for one in found.classes] == pytest.approx(list(recall), nan_ok=True)


@given(rows, st.integers(0, 5))
def test_rows_without_an_answer_are_counted_and_change_nothing_else(pairs, missing):
    human, teacher = zip(*pairs, strict=True)
    given_ = [one_hot(number) for number in teacher]
    whole = audit_of(human, given_, LABELS)
    more = audit_of((*[1] * missing, *human), [*[None] * missing, *given_], LABELS)
    assert more.rejected == missing
    assert (more.agreement, more.classes, more.majority) == (whole.agreement, whole.classes, whole.majority)


def verdict(hits, total, *, share=0.5, enough=0.8):
    """A verdict on two classes with this share of the first one."""
    human = [0 if number < share * total else 1 for number in range(total)]
    guess = [label if number % total < hits else 1 - label for number, label in enumerate(human)]
    return audit_of(
        human, [(0.9, 0.1) if one == 0 else (0.1, 0.9) for one in guess], ("a", "b"), enough=enough
    )


@pytest.mark.parametrize(
    ("found", "good", "words"),
    [
        (verdict(95, 100), True, r"^good enough: the teacher agrees with people on 95.0 % of 100 texts, at least 88.7 %"),
        (verdict(85, 100), False, r"^not good enough: .* at least 76.5 %, and --enough is 80.0 %"),
        (verdict(85, 100, enough=0.7), True, r"^good enough: .*\(--enough 70.0 %\)$"),
        (verdict(9, 10), False, r"^not good enough: .* at least 55.5 %"),
        (verdict(95, 100, share=0.95), False, r"no better than always answering the most common label \(95.0 %\)"),
        (verdict(95, 100, share=0.95, enough=0.0), False, r"no better than always answering"),
    ],
)  # fmt: skip
def test_the_lower_end_of_the_interval_decides(found, good, words):
    assert found.is_good_enough == good
    assert re.search(words, found.verdict), found.verdict


def test_calibration_needs_rows_and_is_the_gap_between_confidence_and_agreement():
    assert verdict(75, CALIBRATION_ROWS - 1).calibration_error is None
    assert verdict(75, CALIBRATION_ROWS).calibration_error == pytest.approx(0.9 - 0.75)


def test_an_audit_without_answers_or_with_an_odd_threshold_is_refused():
    with pytest.raises(DataError, match="none of the 2 audited texts has an answer"):
        audit_of([0, 1], [None, None], LABELS)
    with pytest.raises(ConfigError, match="--enough must be between 0 and 1, got 80"):
        audit_of([0], [(1.0, 0.0, 0.0)], LABELS, enough=80.0)
