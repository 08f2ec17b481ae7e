"""Combined logits and their disagreement: laws, then a float64 rewrite by hand."""

import itertools

import numpy as np
import pytest
import torch
from scipy.special import logsumexp, rel_entr, softmax

from lmdistill.evaluation.ensemble import combined, disagreement

WAYS = ("log_probabilities", "probabilities", "logits")
MEMBERS = torch.randn((3, 40, 4), generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 3


def probabilities(logits):
    return logits.softmax(-1)


@pytest.mark.parametrize("way", WAYS)
def test_the_order_of_members_does_not_matter(way):
    whole = combined(MEMBERS, way)
    for order in itertools.permutations(range(3)):
        torch.testing.assert_close(combined(MEMBERS[list(order)], way), whole, rtol=0, atol=1e-12)


@pytest.mark.parametrize("way", WAYS)
def test_copies_of_one_are_that_one(way):
    one = MEMBERS[:1]
    both = (combined(one.repeat(5, 1, 1), way), combined(one, way))
    torch.testing.assert_close(*both, rtol=0, atol=1e-6)
    torch.testing.assert_close(probabilities(both[0]), probabilities(one[0]), rtol=0, atol=1e-6)
    if way == "logits":
        torch.testing.assert_close(both[0], one[0], rtol=0, atol=1e-12)


@pytest.mark.parametrize("way", WAYS)
def test_constants_of_an_example_change_no_probability(way):
    shifted = MEMBERS + torch.randn(
        (3, 40, 1), generator=torch.Generator().manual_seed(1), dtype=torch.float64
    )
    torch.testing.assert_close(
        probabilities(combined(shifted, way)), probabilities(combined(MEMBERS, way)), rtol=0, atol=1e-12
    )
    if way != "logits":
        torch.testing.assert_close(combined(shifted, way), combined(MEMBERS, way), rtol=0, atol=1e-12)


def test_the_combinations_by_hand_in_float64():
    logits = MEMBERS.numpy()
    logs = logits - logsumexp(logits, axis=-1, keepdims=True)
    geometric = np.exp(logs).prod(axis=0) ** (1 / 3)
    geometric /= geometric.sum(axis=-1, keepdims=True)
    expected = {
        "log_probabilities": geometric,
        "logits": geometric,
        "probabilities": np.exp(logs).mean(axis=0),
    }
    for way, wanted in expected.items():
        found = combined(MEMBERS, way).numpy()
        np.testing.assert_allclose(softmax(found, axis=-1), wanted, atol=1e-12)
        if way != "logits":
            np.testing.assert_allclose(
                found, np.log(wanted) - np.log(wanted).mean(-1, keepdims=True), atol=1e-9
            )
    np.testing.assert_allclose(combined(MEMBERS, "logits").numpy(), logits.mean(axis=0), atol=1e-12)


@pytest.mark.parametrize("way", WAYS)
def test_a_temperature_divides_the_result_and_changes_no_prediction(way):
    warm = combined(MEMBERS, way, temperature=2.5)
    torch.testing.assert_close(2.5 * warm, combined(MEMBERS, way), rtol=0, atol=1e-12)
    assert torch.equal(warm.argmax(-1), combined(MEMBERS, way).argmax(-1))


@pytest.mark.parametrize("way", WAYS)
def test_scores_are_averaged(way):
    scores = MEMBERS[..., :1]
    assert torch.equal(combined(scores, way), scores.mean(0))


def test_half_precision_is_combined_in_float32():
    assert combined(MEMBERS.half(), "log_probabilities").dtype == torch.float32


def test_disagreement_by_hand():
    logits = MEMBERS.numpy()
    p = softmax(logits, axis=-1)
    choices = p.argmax(-1)
    found = disagreement(logits)
    divided = np.mean([len(set(choices[:, n])) > 1 for n in range(40)])
    pairs = [np.mean(choices[a] != choices[b]) for a, b in itertools.combinations(range(3), 2)]
    js = np.mean([rel_entr(p[k], p.mean(0)).sum(-1) for k in range(3)])
    assert found == pytest.approx(
        {"divided": divided, "pairwise": np.mean(pairs), "jensen_shannon": js}, abs=1e-12
    )
    assert 0 < found["pairwise"] < found["divided"] < 1


def test_equal_members_do_not_disagree_and_opposite_ones_do_as_much_as_possible():
    same = np.repeat(MEMBERS.numpy()[:1], 4, axis=0)
    assert disagreement(same) == pytest.approx({"divided": 0, "pairwise": 0, "jensen_shannon": 0}, abs=1e-12)
    sure = np.array([[[2000.0, 0.0]], [[0.0, 2000.0]]])
    assert disagreement(sure) == pytest.approx({"divided": 1, "pairwise": 1, "jensen_shannon": np.log(2)})


def test_scores_have_a_spread():
    scores = MEMBERS.numpy()[..., :1]
    assert disagreement(scores) == pytest.approx({"spread": scores[..., 0].std(axis=0).mean()})
