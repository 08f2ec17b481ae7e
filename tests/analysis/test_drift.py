"""Drift: each test beside scipy's, the family's level without drift, and drift that is found by its name."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom, fisher_exact

from lmdistill.analysis.answer_slices import BIN_NAMES
from lmdistill.analysis.count_tests import fall_p_values
from lmdistill.analysis.drift import HISTOGRAMS, KINDS, LEAST_TEXTS, PROMISE, find_drift
from lmdistill.analysis.significance import holm
from tests.analysis.simulated_audits import audited, drawn


def counts(**changed):
    """Slices of an audit with 100 texts of two classes, all agreed but for what is changed."""
    slices = {
        "all": {"all": (100, 100)},
        "answered": {"answered": (80, 80)},
        "class": {"no": (50, 50), "yes": (50, 50)},
        "length": {"1 to 8 tokens": (100, 100)},
        "confidence": {"0.999 to 1": (100, 100)},
        "week": {"2026-W48": (50, 50), "2026-W49": (50, 50)},
    }
    return {**slices, **changed}


def same_histograms():
    return {kind: [100, *[0] * (len(BIN_NAMES[kind]) - 1)] for kind in HISTOGRAMS}


def compared(slices, reference=None, promised=0.9, alpha=0.05):
    return find_drift(
        slices,
        same_histograms(),
        reference_slices=reference or counts(),
        reference_bins=same_histograms(),
        promised=promised,
        alpha=alpha,
    )


def test_every_slice_has_its_test_and_holms_correction_counts_them_all():
    found = compared(counts(**{"class": {"no": (50, 40), "yes": (50, 50)}}))
    tests = [*found.slices, *found.inputs]
    kinds = ["all", "answered", "class", "class", "length", "confidence", "week", "week"]
    assert [one.kind for one in found.slices] == [PROMISE, *kinds]
    assert [one.adjusted for one in tests] == holm([one.p_value for one in tests])
    fallen = next(one for one in found.slices if one.name == "no")
    raw = fisher_exact([[40, 10], [50, 0]], alternative="less").pvalue
    assert fallen.p_value == pytest.approx(raw)
    assert found.tests == 10  # two histograms of one bin are not tested
    assert fallen.adjusted == pytest.approx(10 * raw)
    assert found.alarms == (fallen,)
    assert (
        compared(counts(**{"class": {"no": (50, 40), "yes": (50, 50)}}), alpha=fallen.adjusted / 1.01).alarms
        == ()
    )


def test_the_promise_is_tested_on_answered_texts_against_the_promised_agreement():
    found = compared(
        counts(answered={"answered": (80, 66)}), reference=counts(answered={"answered": (80, 66)})
    )
    promise = found.slices[0]
    assert promise.p_value == pytest.approx(sum(binom.pmf(k, 80, 0.9) for k in range(67)))
    assert (promise.texts, promise.agreed, promise.expected, promise.reference) == (80, 66, 0.9, None)
    assert compared(counts(), promised=0.99).slices[0].p_value == 1


def test_weeks_are_compared_with_all_texts_of_the_certificate():
    found = compared(counts(week={"2026-W48": (50, 30)}), reference=counts(all={"all": (400, 380)}))
    week = next(one for one in found.slices if one.kind == "week")
    assert week.reference == (400, 380)
    assert week.p_value == pytest.approx(fisher_exact([[30, 20], [380, 20]], alternative="less").pvalue)


@pytest.mark.parametrize("few", ["audit", "reference"])
def test_a_slice_of_few_texts_is_shown_and_not_tested(few):
    enough, little = (LEAST_TEXTS, 0), (LEAST_TEXTS - 1, 0)
    sides = {"audit": enough, "reference": (500, 500), few: little}
    for texts, is_tested in ((sides, False), ({"audit": enough, "reference": (500, 500)}, True)):
        found = compared(
            counts(**{"class": {"no": texts["audit"]}}),
            reference=counts(**{"class": {"no": texts["reference"]}}),
        )
        (one,) = [one for one in found.slices if one.kind == "class"]
        assert (one.p_value is not None) == is_tested


def test_slices_of_one_side_alone_are_shown():
    found = compared(
        counts(**{"class": {"no": (100, 90)}}), reference=counts(**{"class": {"yes": (100, 90)}})
    )
    classes = {
        one.name: (one.texts, one.reference, one.p_value) for one in found.slices if one.kind == "class"
    }
    assert classes == {"no": (100, (0, 0), None), "yes": (0, (100, 90), None)}


def test_slices_stand_from_low_to_high():
    names = ["0.95 to 0.99", "below 0.5", "0.999 to 1"]
    found = compared(counts(confidence=dict.fromkeys(names, (20, 20))))
    shown = [one.name for one in found.slices if one.kind == "confidence"]
    assert shown == ["below 0.5", "0.95 to 0.99", "0.999 to 1"]


def test_only_a_rise_of_unknown_pieces_is_an_alarm():
    def p_value(now, before):
        histograms, reference = same_histograms(), same_histograms()
        histograms["unknown"], reference["unknown"] = [100 - now, now], [100 - before, before]
        found = find_drift(
            counts(), histograms, reference_slices=counts(), reference_bins=reference, promised=0.9
        )
        return next(one for one in found.inputs if one.kind == "unknown").p_value

    assert p_value(40, 5) < 1e-6
    assert p_value(5, 40) > 0.99


def test_audits_without_drift_rarely_alarm():
    """Expected are 5 % at most, and less since Fisher's test is conservative: 2 to 4 % in longer simulations.

    At 5 %, 400 audits give more than 8 % by chance with probability 0.003.
    """
    generator = np.random.default_rng(7)
    sizes = [(1000, 500), (400, 200), (1000, 2000), (3000, 300)]
    found = [audited(generator, *sizes[number % 4]) for number in range(400)]
    assert np.mean([bool(one.alarms) for one in found]) <= 0.08
    assert binom.sf(0.08 * 400, 400, 0.05) < 0.005
    assert {one.kind for one in found[0].slices} == {PROMISE, *KINDS}
    shown = Counter(one.p_value <= 0.05 for audit in found for one in audit.inputs if one.p_value is not None)
    assert 0.02 < shown[True] / shown.total() < 0.08  # the tests can reject: near their level before Holm


DRIFTS = {
    "class": (("class", "green"), {"wrong": lambda texts: texts.classes == "green"}),
    "week": (("week", "2026-W04"), {"wrong": lambda texts: texts.weeks == 4}),
    "length": (("length", "33 to 64 tokens"), {"wrong": lambda texts: texts.tokens > 32}),
    "confidence": (
        ("confidence", "0.95 to 0.99"),
        {"wrong": lambda texts: abs(texts.confidence - 0.97) < 0.02},
    ),
    "longer texts": (("length", None), {"longer": 0.5}),
    "surer answers": (("confidence", None), {"surer": 0.8}),
    "unknown pieces": (("unknown", None), {"unknown": 0.15}),
}
"""Slice or histogram that has changed, and how: 30 % of the answers of a slice are wrong, or other texts."""


@pytest.mark.parametrize("name", DRIFTS)
def test_a_planted_drift_is_found_by_its_name(name):
    (kind, slice_name), changed = DRIFTS[name]
    generator = np.random.default_rng(11)
    right = 0
    for _ in range(50):
        alarms = audited(generator, 2000, 1500, **changed).alarms
        names = [(one.kind, getattr(one, "name", None)) for one in alarms]
        of_kind = [
            found for found in names if found[0] == kind and (found[1] is None) == (slice_name is None)
        ]
        right += bool(of_kind) and of_kind[0] == (kind, slice_name)
    assert right >= 45


def test_more_texts_with_the_same_shares_make_a_fall_clearer():
    generator = np.random.default_rng(3)
    texts = drawn(generator, 300, wrong=lambda one: one.classes == "green")
    twice = replace(texts, **{name: np.tile(getattr(texts, name), 2) for name in vars(texts)})
    (once, _), (double, _) = texts.counts(), twice.counts()
    before = {"green": (600, 560)}
    p_values = fall_p_values([once["class"]["green"], double["class"]["green"]], [before["green"]] * 2)
    assert p_values[1] < p_values[0]
