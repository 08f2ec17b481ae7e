"""Neither the cut of a step nor an interruption changes what a language model learns."""

from dataclasses import replace

import pytest
from datasets import Dataset

from lmdistill.core.completions import Completions
from lmdistill.methods import ATKD, LANGUAGE_METHODS, SFT
from lmdistill.runs.language.on_policy import sampled
from tests.engine.corpus import course, same
from tests.engine.tiny_texts import language_feed, language_run
from tests.tiny_causal import tiny_language

TOLERANCE = 5e-5
"""As in test_accumulation.py: batches of another shape round differently."""


@pytest.fixture(params=LANGUAGE_METHODS.values(), ids=LANGUAGE_METHODS.keys())
def method(request):
    return request.param()


def close(first, second):
    assert len(first.curve) == len(second.curve) == 8
    assert first.curve == pytest.approx(second.curve, rel=TOLERANCE)
    assert [step.count for step in first.steps] == [step.count for step in second.steps]


@pytest.mark.parametrize("accumulate", [3, pytest.param(4, marks=pytest.mark.slow)])
def test_micro_batches_give_the_curve_of_the_whole_step(method, accumulate, tmp_path):
    whole = language_run(method, tmp_path / "whole")
    close(whole, language_run(method, tmp_path / "parts", course(accumulate=accumulate)))


@pytest.mark.slow
def test_as_published_the_split_follows_the_micro_batches(tmp_path):
    method = ATKD(scope="micro_batch")
    whole = language_run(method, tmp_path / "whole")
    parts = language_run(method, tmp_path / "parts", course(accumulate=4))
    assert parts.curve != pytest.approx(whole.curve, rel=1e-3)


def on_policy(method, training, share=0.5):
    completions = Completions(student=share, temperature=1.0, max_new=6)
    return sampled(language_feed(method, training), completions, padding=0, seed=training.seed, begin=2)


def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(method, tmp_path):
    training = course(checkpoint_every=3, accumulate=2)
    parts = {"training": training, "batches": on_policy(method, training)}
    whole = language_run(method, tmp_path / "whole", **parts)
    first = language_run(method, tmp_path / "cut", stop_at=5, **parts)
    second = language_run(method, tmp_path / "cut", student=tiny_language(layers=1, seed=9), **parts)
    assert second.began == 3
    assert first.curve[:3] + second.curve == whole.curve
    assert same(second.weights, whole.weights)


def test_the_students_own_texts_are_learned_in_their_share_of_the_steps(tmp_path):
    training, method, student = course(epochs=12), SFT(), tiny_language(layers=1, seed=2)
    feed = on_policy(method, training)
    renewed = 0
    for step, window in enumerate(feed.loader(start=0, processes=1, process=0)):
        fresh = feed.regenerate(window, student, step)
        renewed += fresh is not window
        for old, new in zip(window, fresh, strict=True):
            for row, theirs in zip(new.inputs.ids.tolist(), old.inputs.ids.tolist(), strict=True):
                assert row[:2] == theirs[:2]  # the same prompts
        assert [batch.examples.tolist() for batch in fresh] == [batch.examples.tolist() for batch in window]
    assert 16 <= renewed <= 32  # of 48


def test_no_padding_and_no_answer_gets_into_a_prompt():
    rows = Dataset.from_dict(
        {"input_ids": [[5, 6, 7, 8, 9], [4] * 12, [9, 8, 7, 6]], "start": [3, 0, 1], "length": [5, 12, 4]}
    )
    feed = language_feed(SFT(), course(batch_size=3, group_by_length=False), rows)
    always = sampled(feed, Completions(student=1.0, max_new=2), padding=0, seed=0, begin=8)
    (window, *_) = always.loader(start=0, processes=1, process=0)
    prompts = dict(zip(window[0].examples.tolist(), always._prompts(window[0]), strict=True))
    assert prompts == {0: [5, 6, 7], 1: [4] * 8, 2: [9, 8, 7]}


def test_no_share_leaves_the_feed_as_it_is():
    feed = language_feed(SFT(), course())
    assert sampled(feed, Completions(), padding=0, seed=0, begin=2) is feed
    always = sampled(feed, replace(Completions(), student=1.0, max_new=3), padding=0, seed=0, begin=2)
    (window, *_) = always.loader(start=0, processes=1, process=0)
    assert always.regenerate(window, tiny_language(layers=1), 0) is not window
