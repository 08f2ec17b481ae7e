"""Likelihood of answers: laws, then a float64 rewrite that runs one answer at a time."""

import numpy as np
import pytest
import torch

from lmdistill.evaluation import label_likelihood
from lmdistill.evaluation.label_likelihood import Question, mean_log_likelihoods
from tests.tiny_causal import VOCABULARY, tiny_language

RNG = np.random.default_rng(0)


def ids(count):
    return tuple(int(x) for x in RNG.integers(4, VOCABULARY, size=count))


QUESTIONS = [
    Question(prompt=(2, *ids(length)), answers=((5,), (7,), (6, 8, 9), (6, 8), (6, 5)))
    for length in (3, 20, 1, 11, 7, 30, 2)
]
"""Answers of one token and of several, one that begins another, two that begin alike."""


@pytest.mark.parametrize("name", ["llama", "gpt2", "gemma2", "opt"])
def test_answers_have_the_likelihood_of_a_rewrite_in_float64(name):
    net = tiny_language(name, layers=2)
    found = mean_log_likelihoods(net, QUESTIONS, device="cpu")
    model = tiny_language(name, layers=2).model.double()
    for row, question in enumerate(QUESTIONS):
        for column, answer in enumerate(question.answers):
            whole = torch.tensor([[*question.prompt, *answer]])
            with torch.no_grad():
                logs = model(input_ids=whole).logits[0].log_softmax(-1)
            start = len(question.prompt)
            tokens = [logs[start + place - 1, token].item() for place, token in enumerate(answer)]
            assert found[row, column] == pytest.approx(np.mean(tokens), abs=2e-5)


def test_a_batch_of_different_lengths_gives_what_single_questions_give():
    net = tiny_language("llama", layers=2)
    together = mean_log_likelihoods(net, QUESTIONS, device="cpu")
    alone = np.concatenate([mean_log_likelihoods(net, [one], device="cpu") for one in QUESTIONS])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    backwards = mean_log_likelihoods(net, QUESTIONS[::-1], device="cpu")
    np.testing.assert_allclose(backwards[::-1], together, atol=1e-5)


def test_probabilities_of_all_tokens_add_up_to_one():
    net = tiny_language("llama", layers=1)
    every = Question(prompt=(2, 9), answers=tuple((token,) for token in range(VOCABULARY)))
    assert np.exp(mean_log_likelihoods(net, [every], device="cpu")).sum() == pytest.approx(1, abs=1e-5)


def test_inputs_are_read_once_and_answers_of_one_token_from_the_prompt_alone(monkeypatch):
    short = Question(prompt=(2, 9), answers=((5,), (6,), (7,)))
    assert short.inputs() == [(2, 9)]
    assert QUESTIONS[0].inputs() == [(*QUESTIONS[0].prompt, 6, 8)]
    assert Question(prompt=(2,), answers=((5, 6, 7), (8, 6, 7))).inputs() == [(2, 5, 6), (2, 8, 6)]
    net, rows = tiny_language("llama", layers=1), []
    real = type(net).states
    monkeypatch.setattr(
        type(net), "states", lambda self, inputs: rows.append(len(inputs.ids)) or real(self, inputs)
    )
    monkeypatch.setattr(label_likelihood, "BATCH", 2)
    done = []
    mean_log_likelihoods(net, [short] * 3, device="cpu", on_question=done.append)
    assert (rows, done[-1]) == ([2, 1], 3)


def test_the_network_keeps_its_mode():
    net = tiny_language("llama", layers=1)
    net.train()
    mean_log_likelihoods(net, QUESTIONS[:1], device="cpu")
    assert net.training
