import importlib.util

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmdistill.core.errors import DataError, MissingExtraError
from lmdistill.evaluation.generation_quality import Generation, distinct_n, generation_scores, rouge_l

WORDS = st.lists(st.sampled_from(["the", "cat", "sat", "on", "a", "mat"]), max_size=8).map(" ".join)


def generation(completion, reference="the cat sat", tokens=3, ended=True):
    return Generation(prompt="p", reference=reference, completion=completion, tokens=tokens, ended=ended)


def common(ours, theirs):
    """Length of the longest common subsequence, by its recursion."""
    if not ours or not theirs:
        return 0
    if ours[-1] == theirs[-1]:
        return common(ours[:-1], theirs[:-1]) + 1
    return max(common(ours[:-1], theirs), common(ours, theirs[:-1]))


@given(ours=WORDS, theirs=WORDS)
def test_rouge_is_the_harmonic_mean_of_precision_and_recall_of_the_longest_common_subsequence(ours, theirs):
    pytest.importorskip("rouge_score")
    a, b = ours.split(), theirs.split()
    same = common(a, b)
    expected = 2 * same / (len(a) + len(b)) if same else 0.0
    assert rouge_l([generation(ours, theirs)]) == pytest.approx([expected])


def test_rouge_reads_words_whatever_their_case_and_marks():
    pytest.importorskip("rouge_score")
    assert rouge_l([generation("The CAT, sat!"), generation(""), generation("cats sat")]) == pytest.approx(
        [1.0, 0.0, 0.4]
    )


def test_without_the_package_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"ROUGE needs rouge-score, .* pip install lmdistill\[eval\]"):
        generation_scores([generation("x")])
    found = generation_scores([generation("x")], rouge=False)
    assert found.rouge_l is None
    assert found.metrics().keys() == {"distinct_1", "distinct_2", "length", "ended"}


@given(st.lists(WORDS, max_size=5), st.integers(1, 3))
def test_variety_is_counted_over_all_texts_and_never_across_two(texts, n):
    runs = []
    for text in texts:
        words = text.split()
        while len(words) >= n:
            runs.append(" ".join(words[:n]))
            words = words[1:]
    expected = len(set(runs)) / len(runs) if runs else 0.0
    assert distinct_n(texts, n) == pytest.approx(expected)
    assert distinct_n(texts[::-1], n) == distinct_n(texts, n)


def test_variety_reads_every_script():
    assert distinct_n(["Überall, überall naïve"], 1) == pytest.approx(2 / 3)


def test_the_numbers_are_means_over_completions():
    pytest.importorskip("rouge_score")
    found = generation_scores(
        [generation("the cat sat", tokens=4), generation("dogs dogs dogs dogs", tokens=8, ended=False)]
    )
    assert found.metrics() == pytest.approx(
        {"rouge_l": 0.5, "distinct_1": 4 / 7, "distinct_2": 3 / 5, "length": 6.0, "ended": 0.5}
    )
    assert found.count == 2


def test_nothing_written_is_refused():
    with pytest.raises(DataError, match="there are 0 completions to score"):
        generation_scores([])
