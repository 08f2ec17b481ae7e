import dataclasses
import gzip
from pathlib import Path

import pytest
import torch

from lmdistill.core.errors import ModelError
from lmdistill.core.protocols import LanguageNet, Net
from lmdistill.models.causal_lm import require_known_output
from lmdistill.models.loading.causal_lm import load_causal
from tests.tiny_causal import FAMILIES, OTHERS, language_batch, tiny_language

STORIES = Path(__file__).parents[2].parent / "shared" / "models" / "stories260k"
TEXT = STORIES.parents[1] / "data" / "text" / "tinystories_sample_2MiB.txt.gz"


def read_logits(states, head):
    return {"logits": head.logits(states), "states": states}


@pytest.mark.parametrize("name", [*FAMILIES, *OTHERS])
def test_logits_of_the_head_are_those_of_the_stock_model(name):
    network, batch = tiny_language(name), language_batch()
    ours = network(batch.inputs, at=batch.scored, head_fn=read_logits)["logits"]
    stock = network.model(input_ids=batch.inputs.ids, attention_mask=batch.inputs.mask).logits
    torch.testing.assert_close(ours, stock[batch.scored], rtol=1e-5, atol=1e-5)
    assert ours.std() > 0.1  # loud, or this file proves nothing
    require_known_output(network)


def test_scale_and_bound_are_found_where_they_are():
    heads = {
        name: tiny_language(name).head for name in ("llama", "cohere", "granite", "gemma2", "hyperclovax")
    }
    found = {name: (head.scale, head.softcap) for name, head in heads.items()}
    assert found == {
        "llama": (1.0, None), "cohere": (0.3, None), "granite": (0.25, None), "gemma2": (1.0, 3.0), "hyperclovax": (4.0, None),
    }  # fmt: skip
    assert tiny_language("phi").head.bias is not None


def test_it_is_a_net_of_both_kinds():
    network = tiny_language(layers=3)
    assert isinstance(network, Net)
    assert isinstance(network, LanguageNet)
    assert (network.num_layers, network.width, network.vocabulary, network.num_classes) == (3, 16, 24, 24)
    assert network.labels == ()
    assert tiny_language("opt-350m").width == 12  # of the states, not of the layers


def test_states_are_read_row_by_row_at_the_positions_that_were_asked_for():
    network, batch = tiny_language(), language_batch()
    everything = network.states(batch.inputs)
    at = torch.zeros_like(batch.scored)
    at[2, 1] = at[0, 3] = at[0, 0] = True
    states = network(batch.inputs, at=at, head_fn=read_logits)["states"]
    assert torch.equal(states, torch.stack([everything[0, 0], everything[0, 3], everything[2, 1]]))
    assert network(batch.inputs, at=~(at | ~at), head_fn=read_logits)["states"].shape == (0, 16)


@pytest.mark.parametrize("name", FAMILIES)
def test_padding_and_neighbours_change_nothing(name):
    network, batch = tiny_language(name), language_batch()
    together = network.states(batch.inputs)
    for row, mask in enumerate(batch.inputs.mask):
        length = int(mask.sum())
        alone = dataclasses.replace(
            batch.inputs, ids=batch.inputs.ids[row : row + 1, :length], mask=mask[None, :length]
        )
        torch.testing.assert_close(network.states(alone)[0], together[row, :length], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", FAMILIES)
def test_no_state_knows_the_tokens_behind_it(name):
    network, batch = tiny_language(name), language_batch()
    changed = batch.inputs.ids.clone()
    changed[:, 3:] = 5
    other = dataclasses.replace(batch.inputs, ids=changed)
    torch.testing.assert_close(network.states(batch.inputs)[:, :3], network.states(other)[:, :3])


def test_a_cut_vocabulary_has_no_logits_and_no_gradient_beyond():
    network, batch = tiny_language("phi", rows=40), language_batch()
    whole = network(batch.inputs, at=batch.scored, head_fn=read_logits)["logits"]
    network.limit_vocabulary(24)
    logits = network(batch.inputs, at=batch.scored, head_fn=read_logits)["logits"]
    torch.testing.assert_close(logits, whole[:, :24])  # a product of another shape may take another kernel
    assert (network.vocabulary, network.num_classes) == (24, 24)
    logits.square().sum().backward()
    layer = network.model.get_output_embeddings()
    assert layer.weight.grad[:24].abs().min() > 0
    assert not layer.weight.grad[24:].any()
    assert not layer.bias.grad[24:].any()


def test_gradients_reach_the_tied_embeddings_from_both_ends():
    network, batch = tiny_language("qwen2"), language_batch()
    table = network.model.get_input_embeddings().weight
    assert table is network.model.get_output_embeddings().weight

    def gradient(reader):
        network.zero_grad()
        network(batch.inputs, at=batch.scored, head_fn=reader)["sum"].backward()
        return table.grad.clone()

    def frozen(head):
        return dataclasses.replace(head, weight=head.weight.detach())

    both = gradient(lambda states, head: {"sum": head.logits(states).logsumexp(-1).sum()})
    below = gradient(lambda states, head: {"sum": frozen(head).logits(states).logsumexp(-1).sum()})
    above = gradient(lambda states, head: {"sum": head.logits(states.detach()).logsumexp(-1).sum()})
    assert min(below.abs().sum(), above.abs().sum()) > 0
    torch.testing.assert_close(both, below + above, rtol=1e-4, atol=1e-5)


def test_an_output_that_is_computed_in_another_way_is_refused():
    network = tiny_language()
    forward = network.model.lm_head.forward
    network.model.lm_head.forward = lambda states: forward(states) * 1.01
    with pytest.raises(
        ModelError, match=r"is a llama model, which computes its logits in an unsupported way"
    ):
        require_known_output(network)


def test_a_factor_that_is_overlooked_is_noticed():
    network = tiny_language("granite")
    network._scale = 1.0
    with pytest.raises(ModelError, match="granite model"):
        require_known_output(network)


def test_trying_the_output_leaves_mode_and_generators_alone():
    network, state = tiny_language(), torch.get_rng_state()
    network.train()
    require_known_output(network)
    assert network.training
    assert torch.equal(torch.get_rng_state(), state)


def test_half_precision_is_known_too():
    require_known_output(tiny_language("gemma2").bfloat16())


def test_recomputed_layers_give_the_same_gradients():
    network, batch = tiny_language(), language_batch()

    def gradients():
        network.zero_grad()
        network(batch.inputs, at=batch.scored, head_fn=read_logits)["logits"].logsumexp(-1).sum().backward()
        return [parameter.grad.clone() for parameter in network.parameters()]

    network.train()
    plain, seen = gradients(), []
    layer = network.model.model.layers[0].mlp
    layer.register_forward_pre_hook(lambda *_: seen.append(1))
    network.checkpoint_gradients()
    for mine, other in zip(gradients(), plain, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-5, atol=1e-6)
    assert len(seen) == 2  # once on the way up and once on the way down


@pytest.mark.skipif(
    not (STORIES.exists() and TEXT.exists()), reason="../shared/models/stories260k is not here"
)
def test_a_real_story_costs_little_more_than_a_nat_a_token():
    text = gzip.decompress(TEXT.read_bytes()).decode()
    stories = [part.strip() for part in text.split("<|endoftext|>")[:57]]
    network = load_causal(STORIES)
    total = count = 0
    for story in stories:
        ids = torch.tensor([[*network.tokenizer(story)["input_ids"], 1]])[:, :512]
        inputs = dataclasses.replace(language_batch().inputs, ids=ids, mask=torch.ones_like(ids))
        at = torch.ones_like(ids, dtype=torch.bool)
        at[:, -1] = False
        with torch.no_grad():
            logits = network(inputs, at=at, head_fn=read_logits)["logits"]
        total += torch.nn.functional.cross_entropy(logits, ids[0, 1:], reduction="sum").item()
        count += ids.shape[1] - 1
    assert total / count == pytest.approx(1.29, abs=0.01)
