"""Laws of next-token batches, and the mistakes that they catch."""

from dataclasses import replace
from itertools import chain

import numpy as np
import pytest
import torch
from datasets import Dataset
from hypothesis import given
from hypothesis import strategies as st

from lmdistill.core.batch import Batch
from lmdistill.core.errors import DataError
from lmdistill.data.batching.batch_sampler import BatchSampler, evaluation_batches
from lmdistill.data.batching.dataloader import BatchLoader
from lmdistill.data.language.collator import LanguageCollator, batch_prompts, collate_passages

END = 2


@st.composite
def _rows(draw):
    """Rows of a few ids, the end token among them, each with something to score."""
    rows = []
    for _ in range(draw(st.integers(1, 6))):
        ids = draw(st.lists(st.integers(0, 9), min_size=2, max_size=9))
        rows.append((ids, draw(st.integers(0, len(ids) - 1))))
    return rows


def responses(rows):
    return [ids[max(start, 1) :] for ids, start in rows]


@given(_rows(), st.integers(0, 9))
def test_scored_labels_are_the_responses_in_order(rows, padding):
    batch = collate_passages(rows, padding)
    assert batch.labels[batch.scored].tolist() == list(chain(*responses(rows)))
    assert batch.count == int(batch.scored.sum()) == sum(map(len, responses(rows)))


@given(_rows(), st.integers(0, 9))
def test_each_label_is_the_token_after_its_input(rows, padding):
    batch = collate_passages(rows, padding)
    both = batch.inputs.mask[:, 1:].bool()
    assert torch.equal(batch.inputs.ids[:, 1:][both], batch.labels[:, :-1][both])
    assert (batch.inputs.ids[~batch.inputs.mask.bool()] == padding).all()
    for (ids, _), read, mask in zip(rows, batch.inputs.ids, batch.inputs.mask, strict=True):
        assert mask.tolist() == [1] * (len(ids) - 1) + [0] * (len(mask) - len(ids) + 1)
        assert read[mask.bool()].tolist() == ids[:-1]


@given(_rows(), st.integers(0, 9), st.integers(0, 9))
def test_neither_the_padding_token_nor_the_width_changes_what_counts(rows, one, other):
    alone, long = collate_passages(rows, one), collate_passages([*rows, (list(range(10)) * 2, 1)], other)
    width = alone.labels.shape[1]
    assert torch.equal(long.scored[:-1, :width], alone.scored)
    assert not long.scored[:-1, width:].any()
    assert not long.inputs.mask[:-1, width:].any()
    assert torch.equal(long.inputs.mask[:-1, :width], alone.inputs.mask)
    assert long.labels[:-1][long.scored[:-1]].tolist() == alone.labels[alone.scored].tolist()


@given(_rows(), st.integers(0, 9))
def test_prompts_come_back(rows, padding):
    batch = collate_passages(rows, padding)
    assert batch_prompts(batch) == [ids[: max(start, 1)] for ids, start in rows]
    again = [
        (prompt + end, len(prompt)) for prompt, end in zip(batch_prompts(batch), responses(rows), strict=True)
    ]
    assert all(
        torch.equal(getattr(collate_passages(again, padding), n), getattr(batch, n))
        for n in ("labels", "scored")
    )


def _losing_ends(batch: Batch) -> Batch:
    """The mistake of masking every label that equals the padding token."""
    scored = batch.scored & (batch.labels != END)
    return replace(batch, scored=scored, count=int(scored.sum()))


def test_an_end_token_that_is_also_the_padding_is_scored_and_losing_it_shows():
    rows = [([5, 6, 7, END], 2), ([5, 8, END], 1), ([END, 3, END], 1)]
    right = collate_passages(rows, END)
    kept = [7, END, 8, END, 3, END]
    assert right.labels[right.scored].tolist() == kept
    wrong = _losing_ends(right)
    assert wrong.labels[wrong.scored].tolist() != kept
    assert wrong.count == right.count - 3


def test_a_hand_made_batch():
    batch = collate_passages([([5, 6, 7, END], 2), ([5, 8], 1)], padding=0)
    assert batch.inputs.ids.tolist() == [[5, 6, 7], [5, 0, 0]]
    assert batch.inputs.mask.tolist() == [[1, 1, 1], [1, 0, 0]]
    assert batch.labels.tolist() == [[6, 7, END], [8, 0, 0]]
    assert batch.scored.tolist() == [[False, True, True], [True, False, False]]


def test_a_batch_without_a_scored_token_is_refused():
    with pytest.raises(DataError, match="none of the 2 rows"):
        collate_passages([([5, 6], 2), ([5], 0)], 0)


def test_a_row_without_a_scored_token_has_no_prompt():
    with pytest.raises(DataError, match="row 1"):
        batch_prompts(collate_passages([([5, 6], 1), ([5, 6], 2)], 0))


def _passages(count=23):
    rng = np.random.default_rng(0)
    lengths = rng.integers(2, 12, count)
    return Dataset.from_dict(
        {
            "input_ids": [[i] * (n - 1) + [END] for i, n in enumerate(lengths)],
            "start": [int(rng.integers(0, n)) for n in lengths],
            "length": lengths.tolist(),
            "index": list(range(count)),
        }
    )


def _feed(rows, **options):
    plan = BatchSampler(lengths=np.asarray(rows["length"][:]), batch_size=8, epochs=2, seed=1, **options)
    return BatchLoader(sampler=plan, collator=LanguageCollator(rows=rows, padding=END))


@pytest.mark.parametrize("accumulate", [1, 3])
@pytest.mark.parametrize("processes", [1, 2])
def test_a_feed_shows_every_row_once_an_epoch(accumulate, processes):
    rows = _passages()
    feed = _feed(rows, accumulate=accumulate)
    assert (feed.steps_per_epoch, feed.total_steps) == (3, 6)
    seen: list[int] = []
    for process in range(processes):
        for window in feed.loader(start=3, processes=processes, process=process):
            for batch in window:
                seen += batch.examples.tolist()
                expected = [(rows[i]["input_ids"], rows[i]["start"]) for i in batch.examples.tolist()]
                assert torch.equal(batch.scored, collate_passages(expected, END).scored)
                assert torch.equal(batch.inputs.ids, collate_passages(expected, END).inputs.ids)
    assert sorted(seen) == list(range(23))


def test_evaluation_reads_every_row_once():
    rows = _passages()
    collator = LanguageCollator(rows=rows, padding=END)
    draws = [
        draw for step in evaluation_batches(np.asarray(rows["length"][:]), batch_size=4) for draw in step
    ]
    assert sorted(chain(*(collator[draw].examples.tolist() for draw in draws))) == list(range(23))
