"""Texts and places: the same tokens, cut in two ways, that add up to the same whole."""

import dataclasses

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lmdistill.evaluation.language_modeling import language_scores
from lmdistill.evaluation.likelihood_by_position import Passage, by_passage, by_position
from tests.tiny_causal import language_batch, tiny_language

TOKENS = st.lists(
    st.tuples(st.integers(0, 5), st.integers(1, 5000), st.floats(0, 20), st.floats(0, 20)), min_size=1
)


def joined(tokens):
    rows, places, ours, theirs = zip(*tokens, strict=True)
    return {
        "row": torch.tensor(rows),
        "position": torch.tensor(places),
        "log_prob": -torch.tensor(ours, dtype=torch.float64),
        "teacher_log_prob": -torch.tensor(theirs, dtype=torch.float64),
    }


def sums(part):
    """A stretch as a passage: sums instead of means."""
    beside = part.teacher_nats
    return Passage(
        tokens=part.count,
        nats=part.nats * part.count,
        teacher_nats=None if beside is None else beside * part.count,
    )


@given(TOKENS)
def test_both_add_up_to_the_whole(tokens):
    read = joined(tokens)
    for parts in (by_passage(read).values(), map(sums, by_position(read))):
        counts, ours, theirs = zip(*((one.tokens, one.nats, one.teacher_nats) for one in parts), strict=True)
        assert sum(counts) == len(tokens)
        assert sum(ours) == pytest.approx(sum(one[2] for one in tokens))
        assert sum(theirs) == pytest.approx(sum(one[3] for one in tokens))


@given(TOKENS)
def test_a_token_stands_where_it_says(tokens):
    for part in by_position(joined(tokens)):
        inside = [one for one in tokens if part.first <= one[1] <= part.last]
        assert part.count == len(inside) > 0
        assert part.nats == pytest.approx(sum(one[2] for one in inside) / len(inside))
        assert (part.first & (part.first - 1), part.last) == (0, 2 * part.first - 1)


@given(TOKENS, st.randoms(use_true_random=False))
def test_the_order_of_tokens_changes_nothing(tokens, luck):
    shuffled = luck.sample(tokens, len(tokens))
    for one, other in zip(by_position(joined(tokens)), by_position(joined(shuffled)), strict=True):
        assert one.model_dump() == pytest.approx(other.model_dump())


def test_a_reading_of_both_networks_adds_up_to_its_scores():
    student, teacher = tiny_language("gpt2", layers=2, seed=1), tiny_language("llama", seed=2)
    batches = [
        dataclasses.replace(
            language_batch(size=size, length=12, seed=size), examples=torch.arange(size) + 10 * size
        )
        for size in (5, 3, 1)
    ]
    found = language_scores(student, batches, teacher=teacher, device="cpu")
    for parts in (list(found.passages.values()), list(map(sums, found.positions))):
        assert sum(part.tokens for part in parts) == found.tokens
        assert sum(part.nats for part in parts) / found.tokens == pytest.approx(found.nats)
        beside = found.imitation.whole.teacher_nats
        assert sum(part.teacher_nats for part in parts) / found.tokens == pytest.approx(beside)
    assert sum(one.count for one in found.reliability) == found.tokens
    places = [
        place + 1 for batch in batches for row in batch.scored for place in row.nonzero()[:, 0].tolist()
    ]
    assert {part.first: part.count for part in found.positions} == {
        2**power: count
        for power in range(4)
        if (count := sum(2**power <= place < 2 ** (power + 1) for place in places))
    }
    assert language_scores(student, batches, device="cpu").positions[0].teacher_nats is None
