"""How far apart classes lie, and their map: laws, then references from the formulas."""

import random
from dataclasses import replace

import numpy as np
import pytest
import torch

from lmdistill.core.batch import Inputs
from lmdistill.evaluation.representations import (
    FEWEST,
    evenly_spaced_rows,
    pool_states,
    project_2d,
    projection_for,
    silhouette,
    spread_ratio,
    states_of,
)
from tests.tiny import make_batch, tiny

MEASURES = (silhouette, spread_ratio)


def cloud(rows=40, width=6, apart=0.0, seed=0):
    """Two classes in turn, `apart` standard deviations from each other in every dimension."""
    labels = np.arange(rows) % 2
    noise = np.random.default_rng(seed).normal(size=(rows, width))
    return (noise + apart * labels[:, None]).astype(np.float32), labels


@pytest.mark.parametrize("measure", MEASURES)
def test_turning_moving_and_scaling_all_states_changes_nothing(measure):
    states, labels = cloud(apart=1.0)
    turn, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(6, 6)))
    for changed in (states @ turn, states + 100.0, 7.0 * states):
        assert measure(changed.astype(np.float64), labels) == pytest.approx(measure(states, labels), abs=1e-4)
    assert abs(measure(states * [9, 1, 1, 1, 1, 1], labels) - measure(states, labels)) > 0.01  # no turn


def test_classes_far_apart_are_near_one_and_shuffled_labels_near_zero():
    states, labels = cloud(rows=200, apart=50.0)
    assert silhouette(states, labels) > 0.95
    assert spread_ratio(states, labels) > 100
    shuffled = np.random.default_rng(0).permutation(labels)
    assert abs(silhouette(states, shuffled)) < 0.05
    assert spread_ratio(states, shuffled) < 0.05


@pytest.mark.parametrize("measure", MEASURES)
def test_names_of_classes_and_order_of_examples_do_not_count(measure):
    states, labels = cloud(apart=1.0)
    order = np.random.default_rng(2).permutation(len(labels))
    assert measure(states[order], labels[order]) == pytest.approx(measure(states, labels))
    assert measure(states, 7 - 5 * labels) == pytest.approx(measure(states, labels))


def test_the_silhouette_is_that_of_the_formula():
    states, labels = cloud(rows=31, apart=0.7)
    labels = np.arange(31) % 3
    total = 0.0
    for i, state in enumerate(states):
        away = np.sqrt(((states - state).astype(np.float64) ** 2).sum(1))
        own = away[(labels == labels[i]) & (np.arange(31) != i)].mean()
        other = min(away[labels == label].mean() for label in range(3) if label != labels[i])
        total += (other - own) / max(own, other)
    assert silhouette(states, labels) == pytest.approx(total / 31, abs=1e-5)


def test_the_ratio_is_that_of_the_formula():
    states, labels = cloud(rows=30, apart=0.7)
    labels = np.repeat([0, 1, 2], [4, 8, 18])  # of different sizes
    middle = states.mean(0)
    centres = np.stack([states[labels == label].mean(0) for label in labels])
    between, within = ((centres - middle) ** 2).sum(), ((states - centres) ** 2).sum()
    assert spread_ratio(states, labels) == pytest.approx(between / within, rel=1e-4)


def test_without_classes_or_without_spread_there_is_no_number():
    states, _ = cloud(rows=4)
    for measure in MEASURES:
        assert measure(states, np.zeros(4, dtype=int)) is None
    assert silhouette(states, np.arange(4)) is None  # every example is a class
    assert spread_ratio(np.array([[0.0], [0.0], [1.0]]), np.array([0, 0, 1])) is None


@pytest.mark.parametrize(("total", "count"), [(1, 1), (7, 3), (10, 10), (872, 500), (3, 1000), (277, 276)])
def test_rows_are_evenly_spaced_and_different(total, count):
    rows = evenly_spaced_rows(total, count)
    assert len(rows) == len(set(rows)) == min(total, count)
    assert rows[0] >= 0
    assert rows[-1] < total
    gaps = np.diff(rows)
    assert not len(gaps) or gaps.max() - gaps.min() <= 1
    assert abs(rows[0] - (total - 1 - rows[-1])) <= 1  # as much is left out at both ends


def test_the_state_of_a_text_is_that_of_its_first_token_or_the_mean_without_padding():
    states = torch.arange(12.0).reshape(2, 3, 2)
    mask = torch.tensor([[1, 1, 0], [1, 1, 1]])
    assert pool_states(states, mask).tolist() == [[0, 1], [6, 7]]
    assert pool_states(states, mask, "mean").tolist() == [[1, 2], [8, 9]]


def test_states_are_those_after_the_last_layer_without_dropout_and_in_the_order_of_the_rows():
    network, batch = tiny(dropout=0.5).train(), make_batch()
    order = torch.tensor([3, 0, 7, 1, 2, 6, 5, 4])
    inputs = Inputs(ids=batch.inputs.ids[order], mask=batch.inputs.mask[order])
    found = states_of(network, [replace(batch, inputs=inputs, examples=order)], device="cpu")
    assert network.training
    with torch.no_grad():
        layers = network.eval()(replace(batch.inputs, segments=None), hidden=True).hidden
    np.testing.assert_allclose(found, layers[-1][:, 0].numpy(), atol=1e-5)
    assert np.abs(found - layers[-2][:, 0].numpy()).max() > 0.1


def test_a_teacher_reads_its_own_view():
    network, batch, other = tiny(), make_batch(), make_batch(seed=4)
    both = replace(batch, teacher_inputs=other.inputs)
    ours, theirs = (states_of(network, [both], device="cpu", as_teacher=side) for side in (False, True))
    assert (ours == states_of(network, [batch], device="cpu")).all()
    assert (theirs == states_of(network, [other], device="cpu")).all()


@pytest.mark.parametrize("projection", ["tsne", "pca"])
def test_the_same_states_have_the_same_map_and_no_generator_moves(projection):
    states, _ = cloud(rows=24, apart=1.0)
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    first = project_2d(states, projection)
    assert before == (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist())
    assert (first == project_2d(states.copy(), projection)).all()
    assert first.shape == (24, 2)
    assert np.isfinite(first).all()


@pytest.mark.parametrize("projection", ["tsne", "pca"])
def test_what_lies_apart_lies_apart_on_the_map(projection):
    states, labels = cloud(rows=40, apart=8.0)
    assert silhouette(project_2d(states, projection), labels) > 0.5
    assert abs(silhouette(project_2d(cloud(rows=40)[0], projection), labels)) < 0.2


def test_principal_components_are_the_directions_of_largest_spread():
    states = np.random.default_rng(0).normal(size=(60, 5)) * [1, 9, 0.1, 4, 0.1]
    found = project_2d(states, "pca")
    values, directions = np.linalg.eigh(np.cov(states.T))
    largest = (states - states.mean(0)) @ directions[:, ::-1][:, :2]
    np.testing.assert_allclose(np.abs(found), np.abs(largest), atol=1e-8)
    assert found.var(axis=0, ddof=1) == pytest.approx(values[::-1][:2])


def test_few_narrow_and_equal_states_have_a_map_too():
    assert projection_for("tsne", FEWEST - 1) == "pca"
    assert (project_2d(cloud(rows=FEWEST - 1)[0]) == project_2d(cloud(rows=FEWEST - 1)[0], "pca")).all()
    assert (project_2d(np.full((12, 3), 0.1, dtype=np.float32)) == 0).all()
    for rows, width in ((1, 4), (2, 4), (12, 1)):
        assert np.isfinite(project_2d(cloud(rows=rows, width=width)[0])).all()
    twins = np.repeat(cloud(rows=2)[0], 8, axis=0)
    assert np.isfinite(project_2d(twins)).all()
