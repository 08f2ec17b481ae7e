"""The held-out rows: a share of each class or range of scores, equal texts on one side, and the seed alone."""

from collections import Counter

import numpy as np
import pytest
from datasets import Dataset
from hypothesis import given, settings
from hypothesis import strategies as st

from lmdistill.core.errors import DataError
from lmdistill.data.tasks.dev_split import equal_texts, hold_out_dev
from lmdistill.data.tasks.linked_rows import linked_pairs
from lmdistill.data.tasks.subsample import labels_of
from lmdistill.data.tasks.text_hashes import text_hashes


def table(labels, texts=None):
    count = len(labels)
    texts = texts or [f"t{number}" for number in range(count)]
    columns = {"sentence1": texts, "sentence2": [""] * count, "label": labels, "index": list(range(count))}
    return Dataset.from_dict(columns)


@settings(deadline=None, max_examples=60)
@given(
    labels=st.lists(st.integers(0, 4), min_size=12, max_size=80),
    texts=st.lists(st.integers(0, 30), min_size=80, max_size=80),
    fraction=st.sampled_from([0.1, 0.25, 0.5]),
    seed=st.integers(0, 5),
)
def test_no_text_is_on_both_sides_and_no_row_is_lost(labels, texts, fraction, seed):
    words = [f" Text {texts[number]}"[: 20 + number % 2] for number in range(len(labels))]
    rows = table(labels, words)
    if len(set(words)) < 2:
        return
    kept, held = hold_out_dev(rows, fraction, seed=seed)
    assert sorted([*kept["index"], *held["index"]]) == list(range(len(labels)))
    assert held.num_rows >= 1
    assert kept.num_rows >= 1
    assert not set(kept["sentence1"]) & set(held["sentence1"])
    assert kept["index"][:] == sorted(kept["index"])
    assert held["index"][:] == hold_out_dev(rows, fraction, seed=seed)[1]["index"][:]


@settings(deadline=None, max_examples=60)
@given(labels=st.lists(st.integers(0, 5), min_size=10, max_size=120), seed=st.integers(0, 9))
def test_each_class_gives_its_share(labels, seed):
    kept, held = hold_out_dev(table(labels), 0.2, seed=seed)
    counts, dev = Counter(labels), Counter(held["label"])
    assert all(abs(dev[label] - 0.2 * count) < 1.5 for label, count in counts.items())
    assert set(kept["label"]) == set(labels) or max(counts.values()) == 1
    if min(counts.values()) > 5:
        assert held.num_rows == round(0.2 * len(labels))


def test_a_rare_class_is_in_dev_as_often_as_it_is_in_the_data():
    for seed in range(10):
        held = hold_out_dev(table([int(number < 40) for number in range(400)]), 0.1, seed=seed)[1]
        assert Counter(held["label"]) == {0: 36, 1: 4}


def test_many_classes_of_equal_size_have_the_same_chance():
    drawn = Counter()
    for seed in range(60):
        drawn.update(hold_out_dev(table([number % 30 for number in range(120)]), 0.1, seed=seed)[1]["label"])
    assert len(drawn) == 30
    assert max(drawn.values()) < 3 * min(drawn.values())


def test_dev_scores_are_spread_like_all_scores():
    scores = [float(number) for number in np.random.default_rng(0).permutation(200)]
    for seed in range(10):
        held = np.asarray(hold_out_dev(table(scores), 0.1, seed=seed)[1]["label"])
        assert np.histogram(held, bins=10, range=(0, 200))[0].tolist() == [2] * 10
    few = np.asarray([hold_out_dev(table(scores[:12]), 0.1, seed=seed)[1]["label"][0] for seed in range(30)])
    assert len(set(few)) > 6


def test_texts_are_equal_apart_from_case_and_spaces():
    rows = table([0, 1, 0, 1, 1], ["A  film", "a film", "a film ", "b film", "B\tFILM"])
    found = equal_texts(text_hashes(rows), labels_of(rows))
    assert found.groups.tolist() == [0, 0, 0, 1, 1]
    assert (found.first.tolist(), found.sizes.tolist()) == ([0, 3], [3, 2])
    assert (found.repeats, found.unlike) == (3, 1)


def test_pairs_are_equal_only_with_both_texts():
    rows = Dataset.from_dict(
        {"sentence1": ["a", "a", "ab"], "sentence2": ["b c", "b", "c"], "label": [0, 1, 0]}
    )
    assert equal_texts(text_hashes(rows), labels_of(rows)).repeats == 0


def test_rows_that_cannot_be_split_are_refused():
    with pytest.raises(DataError, match=r"1 rows cannot be split into training and dev data"):
        hold_out_dev(table([1]), 0.5)
    with pytest.raises(DataError, match=r"all 3 rows have the same text, so none can be held out"):
        hold_out_dev(table([0, 1, 1], ["a"] * 3), 0.5)


def test_a_class_whose_last_row_has_a_text_of_another_class_stays_in_training():
    rows = table([0, 1] + [0] * 8, ["same", "same", *"abcdefgh"])
    for seed in range(20):
        kept, _ = hold_out_dev(rows, 0.4, seed=seed)
        assert set(kept["label"]) == {0, 1}


def test_a_class_whose_texts_repeat_more_often_than_its_share_has_dev_rows_too():
    texts = ["fire"] * 3 + ["flood"] * 3 + [f"usual {number}" for number in range(54)]
    train, dev = hold_out_dev(table([0] * 6 + [1] * 54, texts), 0.1)
    assert Counter(dev["label"][:])[0] == Counter(train["label"][:])[0] == 3
    assert not set(train["sentence1"][:]) & set(dev["sentence1"][:])


def pairs(texts, labels=None):
    first, second = zip(*texts, strict=True)
    labels = labels or [number % 2 for number in range(len(texts))]
    columns = {"sentence1": list(first), "sentence2": list(second), "label": labels}
    return Dataset.from_dict({**columns, "index": list(range(len(texts)))})


@settings(deadline=None, max_examples=60)
@given(
    texts=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=30, max_size=60, unique=True),
    seed=st.integers(0, 5),
)
def test_no_text_of_a_pair_is_on_both_sides(texts, seed):
    rows = pairs([(f"Text  {one}", f"text {other} ") for one, other in texts])
    of = [components(texts)[one] for one, _ in texts]
    is_linked = max(Counter(of).values()) <= len(texts) / 2
    if is_linked:
        groups = linked_pairs(rows, np.arange(len(texts))).tolist()
        assert len(set(zip(groups, of, strict=True))) == len(set(groups)) == len(set(of))
    kept, held = hold_out_dev(rows, 0.2, seed=seed)
    assert sorted([*kept["index"], *held["index"]]) == list(range(len(texts)))
    assert held.num_rows <= round(0.2 * len(texts))
    if is_linked:
        assert not {of[number] for number in kept["index"]} & {of[number] for number in held["index"]}


def components(edges):
    """The smallest number that each number is linked with: edges are walked until nothing changes."""
    least = {number: number for edge in edges for number in edge}
    while True:
        before = dict(least)
        for one, other in edges:
            least[one] = least[other] = min(least[one], least[other])
        if least == before:
            return least


def test_a_text_that_many_pairs_share_links_nothing_and_repeated_pairs_stay_together():
    rows = pairs([(f"text {number // 2}", "is it about sport") for number in range(100)])
    equal = equal_texts(text_hashes(rows), labels_of(rows)).groups
    assert len(set(linked_pairs(rows, equal).tolist())) == 50
    kept, held = hold_out_dev(rows, 0.2)
    assert held.num_rows == 20
    assert not set(kept["sentence1"]) & set(held["sentence1"])


def test_a_chain_through_most_of_the_rows_is_taken_apart():
    rows = pairs([(f"text {number}", f"text {number + 1}") for number in range(40)])
    kept, held = hold_out_dev(rows, 0.25)
    assert (kept.num_rows, held.num_rows) == (30, 10)
