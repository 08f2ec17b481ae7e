"""Answers in PyTorch: those of predict, in the order of the texts."""

import numpy as np

from lmdistill.commands.predict import network_answers
from lmdistill.commands.torch_answers import torch_answers
from tests.tiny import tiny


def test_they_are_those_of_predict_for_texts_and_pairs_of_all_lengths():
    network = tiny(layers=1).eval()
    first = [" ".join(["good", "bad", "film"][: 1 + number % 3] * (number % 11)) for number in range(40)]
    second = [" ".join(["plot"] * (number % 7)) for number in range(40)]
    for other in (None, second):
        found = torch_answers(network, 12)(first, other)
        np.testing.assert_allclose(found, network_answers(network, 12)(first, other), atol=1e-5)
