import pytest
import torch

from lmdistill.models.students.random_init import random_init
from lmdistill.models.students.truncate import truncate
from tests.models.families import FAMILIES, family
from tests.tiny import make_batch, tiny


@pytest.mark.parametrize("name", FAMILIES)
def test_random_weights_have_the_shape_and_nothing_else(name):
    network = family(name)
    fresh = random_init(truncate(network, layers=2), seed=0)
    assert (fresh.num_layers, fresh.labels, fresh.takes_segments) == (
        2,
        network.labels,
        network.takes_segments,
    )
    assert not torch.equal(
        fresh.model.get_input_embeddings().weight, network.model.get_input_embeddings().weight
    )
    assert fresh(make_batch().inputs).logits.std() > 0.05


def test_random_weights_are_a_function_of_the_seed():
    inputs, network = make_batch().inputs, tiny()
    one, same, other = (random_init(network, seed=seed)(inputs).logits for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.allclose(one, other)


def test_the_generators_and_the_first_network_stay_as_they_were():
    network, inputs = tiny(), make_batch().inputs
    before, state = network(inputs).logits, torch.get_rng_state()
    fresh = random_init(network, seed=1)
    fresh.model.config.id2label[0] = "changed"
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(network(inputs).logits, before)
    assert network.model.config.id2label[0] == "class0"
