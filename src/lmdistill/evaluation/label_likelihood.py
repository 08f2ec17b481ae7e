"""How likely a language model finds each of some answers to a question, token by token."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from lmdistill.core.batch import Inputs, LMHead
from lmdistill.core.protocols import LanguageNet
from lmdistill.evaluation.inference import evaluation_mode

BATCH = 16
"""Inputs that are run at once."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """A prompt in tokens, and the answers whose likelihood is asked for."""

    prompt: tuple[int, ...]
    """Token ids that all answers come after, at least one."""

    answers: tuple[tuple[int, ...], ...]
    """Token ids of each answer, at least one each."""

    def inputs(self) -> list[tuple[int, ...]]:
        """What has to be read: the prompt with each answer but its last token; beginnings of others left out.

        Answers of one token are all predicted from the prompt alone.
        """
        whole = sorted({(*self.prompt, *answer[:-1]) for answer in self.answers})
        return [
            ids
            for number, ids in enumerate(whole)
            if number + 1 == len(whole) or whole[number + 1][: len(ids)] != ids
        ]


@dataclass(frozen=True, kw_only=True)
class _Row:
    """One input, and the tokens that it predicts."""

    ids: tuple[int, ...]
    """Ids of its tokens: the prompt, then the longest answer that begins like those it predicts."""

    asked: tuple[tuple[int, int, int], ...]
    """(number of the answer among all, position whose output predicts, token id)."""


def mean_log_likelihoods(
    net: LanguageNet,
    questions: Sequence[Question],
    *,
    device: torch.device | str,
    on_question: Callable[[int], None] = lambda count: None,
) -> Float[np.ndarray, "n v"]:
    r"""Mean log-probability of the tokens of each answer: 1/|a| sum_t log p(a_t | prompt, a_1 ... a_{t-1}).

    Padding is on the right, where causal attention does not look, so batches give what single inputs give.

    Args:
        net: A language model that is already on `device`.
        questions: Each with the same number of answers, v.
        device: Where inputs go.
        on_question: Called with a number of questions that are done, for a progress bar.

    Returns:
        float64 values <= 0, in nats, a row for each question.

    References:
        Brown et al., "Language Models are Few-Shot Learners", 2020, section 2.4: the likelihood of an answer
        normalised by its length. Deviation: none.
    """
    width = len(questions[0].answers)
    sums = np.zeros(len(questions) * width)
    rows = [row for number, question in enumerate(questions) for row in _rows(question, number * width)]
    order = sorted(range(len(rows)), key=lambda number: (-len(rows[number].ids), number))
    with evaluation_mode(net):
        for first in range(0, len(order), BATCH):
            batch = [rows[number] for number in order[first : first + BATCH]]
            for place, value in _run(net, batch, torch.device(device)):
                sums[place] += value
            on_question(min(len(questions), (first + len(batch)) * len(questions) // len(rows)))
    lengths = np.array([[len(answer) for answer in question.answers] for question in questions])
    return np.asarray(sums.reshape(len(questions), width) / lengths)


def _rows(question: Question, first: int) -> list[_Row]:
    """The inputs of a question, each token of an answer predicted by one of them."""
    start = len(question.prompt)
    asked: dict[tuple[int, ...], list[tuple[int, int, int]]] = {ids: [] for ids in question.inputs()}
    for number, answer in enumerate(question.answers):
        read = (*question.prompt, *answer[:-1])
        home = next(ids for ids in asked if ids[: len(read)] == read)
        asked[home] += [(first + number, start - 1 + place, token) for place, token in enumerate(answer)]
    return [_Row(ids=ids, asked=tuple(tokens)) for ids, tokens in asked.items()]


def _run(net: LanguageNet, batch: Sequence[_Row], device: torch.device) -> list[tuple[int, float]]:
    """(number of an answer, log-probability of one of its tokens) for all tokens that a batch predicts."""
    inputs = padded([row.ids for row in batch]).to(device)
    at = torch.zeros_like(inputs.mask, dtype=torch.bool)
    asked = [(row, *one) for row, of_row in enumerate(batch) for one in of_row.asked]
    rows = torch.tensor([one[0] for one in asked], device=device)
    places = torch.tensor([one[2] for one in asked], device=device)
    tokens = torch.tensor([one[3] for one in asked], device=device)
    at[rows, places] = True
    found = net(
        inputs, at=at, head_fn=lambda states, head: _chosen(states, head, _index(at, rows, places), tokens)
    )
    values = found["log_probabilities"].double().cpu().tolist()
    return [(one[1], value) for one, value in zip(asked, values, strict=True)]


def _index(at: Bool[Tensor, "b t"], rows: Int[Tensor, " n"], places: Int[Tensor, " n"]) -> Int[Tensor, " n"]:
    """Numbers of some positions among those where `at` is true, counted row by row."""
    numbers = at.flatten().cumsum(0) - 1
    return numbers[rows * at.shape[1] + places]


def _chosen(
    states: Float[Tensor, "k d"], head: LMHead, numbers: Int[Tensor, " n"], tokens: Int[Tensor, " n"]
) -> Mapping[str, Tensor]:
    """Log-probabilities of some tokens at some of the positions."""
    logs = head.logits(states).float().log_softmax(-1)
    return {"log_probabilities": logs[numbers, tokens]}


def padded(rows: Sequence[Sequence[int]]) -> Inputs:
    """Token ids padded on the right with 0, which the mask excludes."""
    longest = max(map(len, rows))
    ids = torch.tensor([[*row, *[0] * (longest - len(row))] for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
    return Inputs(ids=ids, mask=mask)
