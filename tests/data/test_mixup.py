from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lmdistill.core.batch import MixupSettings
from lmdistill.core.seeding import generator
from lmdistill.data.mixup import draw_shares, partners_in_batch, partners_in_training_set, stack_inputs
from tests.tiny import make_batch, tiny


@given(size=st.integers(2, 12), ratio=st.integers(1, 4), seed=st.integers(0, 99))
def test_partners_in_a_batch_are_a_permutation_of_it_without_self_pairs(size, ratio, seed):
    examples = np.arange(100, 100 + size)
    partners = partners_in_batch(generator(seed), examples, ratio)
    assert partners.shape == (size, ratio)
    for column in partners.T:
        assert sorted(column) == examples.tolist()
        assert not (column == examples).any()


@given(total=st.integers(2, 12), ratio=st.integers(1, 4), seed=st.integers(0, 99))
def test_partners_in_the_training_set_are_other_rows_of_it(total, ratio, seed):
    partners = partners_in_training_set(generator(seed), total, ratio)
    assert partners.shape == (total, ratio)
    assert partners.min() >= 0
    assert partners.max() < total
    assert not (partners == np.arange(total)[:, None]).any()


@pytest.mark.parametrize("kind", ["train", "batch"])
def test_partners_are_uniform_over_the_other_rows(kind):
    rng, rows, draws = generator(0), np.arange(6), 4000
    counts = np.zeros((6, 6))
    for _ in range(draws):
        partners = partners_in_training_set(rng, 6, 1) if kind == "train" else partners_in_batch(rng, rows, 1)
        counts[rows, partners[:, 0]] += 1
    others = counts[~np.eye(6, dtype=bool)] / draws
    assert np.diag(counts).tolist() == [0] * 6
    assert others == pytest.approx(np.full(30, 0.2), abs=0.026)  # 4 standard deviations of 4,000 draws


@given(
    size=st.integers(1, 12),
    ratio=st.integers(1, 4),
    fold=st.booleans(),
    kind=st.sampled_from(["sample", "batch"]),
)
def test_shares_are_shares(size, ratio, fold, kind):
    drawn = draw_shares(MixupSettings(ratio=ratio, fold=fold, share=kind), generator(0), size)
    assert drawn.shape == (size, ratio)
    assert (drawn >= (0.5 if fold else 0)).all()
    assert (drawn <= 1).all()
    assert len(np.unique(drawn, axis=0)) == (1 if kind == "batch" else size)


def test_concentration_moves_shares_to_the_middle():
    spread = [
        draw_shares(MixupSettings(concentration=a), generator(0), 4000).var() for a in (0.1, 0.4, 1.0, 8.0)
    ]
    assert spread == pytest.approx([1 / (4 * (2 * a + 1)) for a in (0.1, 0.4, 1.0, 8.0)], abs=0.01)


def test_stacking_puts_originals_first_each_whole():
    batch = make_batch(ratio=2)
    stacked = stack_inputs(batch.inputs, batch.mixed.inputs)
    size = len(batch.labels)
    assert stacked.ids.shape == stacked.partners.ids.shape == (3 * size, 6)
    assert stacked.partners.share[:size].tolist() == [1.0] * size
    assert stacked.partners.share[size:].equal(batch.mixed.share)
    for name in ("ids", "mask", "segments"):
        assert getattr(stacked, name).equal(
            torch.cat([getattr(batch.inputs, name), getattr(batch.mixed.inputs, name)])
        )
        assert getattr(stacked.partners, name)[:size].equal(getattr(batch.inputs, name))
        assert getattr(stacked.partners, name)[size:].equal(getattr(batch.mixed.inputs.partners, name))


@pytest.mark.parametrize("segments", ["mix", "keep", "none"])
def test_one_pass_over_the_stack_is_two_passes(segments):
    batch, net = make_batch(ratio=2), tiny()
    plain, mixed = batch.inputs, batch.mixed.inputs
    if segments != "mix":
        mixed = replace(mixed, partners=replace(mixed.partners, segments=None))
    if segments == "none":
        plain, mixed = replace(plain, segments=None), replace(mixed, segments=None)
    with torch.no_grad():
        both = net(stack_inputs(plain, mixed)).logits
        apart = torch.cat([net(plain).logits, net(mixed).logits])
    torch.testing.assert_close(both, apart, rtol=0, atol=2e-6)


def test_stacking_refuses_what_is_mixed_already():
    mixed = make_batch().mixed.inputs
    with pytest.raises(AssertionError):
        stack_inputs(mixed, mixed)
    with pytest.raises(AssertionError):
        stack_inputs(make_batch().inputs, make_batch().inputs)
