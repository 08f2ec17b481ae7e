import importlib.util

import pytest
import torch
from transformers import AutoModelForCausalLM

from lmdistill.core.errors import ConfigError, MissingExtraError
from lmdistill.export.hugging_face import save
from lmdistill.models.generation import generate_completions
from lmdistill.models.lora import add_lora, has_lora, merge_lora
from tests.tiny_causal import FAMILIES, language_batch, tiny_language


def test_without_peft_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"LoRA needs peft, .* pip install lmdistill\[lora\]"):
        add_lora(tiny_language())


def test_a_network_without_adapters_is_its_own_merger():
    network = tiny_language()
    assert merge_lora(network) is network
    assert not has_lora(network)


def logits_of(network):
    batch = language_batch()
    return network(
        batch.inputs, at=batch.scored, head_fn=lambda states, head: {"logits": head.logits(states)}
    )["logits"]


def trained(name, **settings):
    pytest.importorskip("peft")
    network = add_lora(tiny_language(name, layers=2), **settings)
    optimizer = torch.optim.SGD([p for p in network.parameters() if p.requires_grad], lr=0.5)
    for _ in range(2):  # B is zero at first, so A moves in the second step
        optimizer.zero_grad()
        logits_of(network).logsumexp(-1).mean().backward()
        optimizer.step()
    return network


@pytest.mark.parametrize("name", FAMILIES)
def test_adapters_begin_as_nothing_learn_alone_and_are_saved_as_a_stock_model(name, tmp_path):
    pytest.importorskip("peft")
    before = logits_of(tiny_language(name, layers=2))
    torch.testing.assert_close(logits_of(add_lora(tiny_language(name, layers=2))), before, rtol=0, atol=0)
    network, original = trained(name), dict(tiny_language(name, layers=2).model.state_dict())
    after = logits_of(network)
    assert (after - before).abs().max() > 1e-3
    moved = [p for p in network.parameters() if p.requires_grad]
    assert 0 < sum(p.numel() for p in moved) < sum(p.numel() for p in network.parameters()) / 1.5
    stock = merge_lora(network)
    assert stock.model.state_dict().keys() == original.keys()
    frozen = {key for key, value in stock.model.state_dict().items() if torch.equal(value, original[key])}
    assert any("emb" in key or "wte" in key for key in frozen)
    assert 0 < len(frozen) < len(original)
    torch.testing.assert_close(logits_of(stock), after, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(logits_of(network), after, rtol=0, atol=0)  # not changed
    save(network, tmp_path / "student")
    plain = AutoModelForCausalLM.from_pretrained(tmp_path / "student").eval()
    batch = language_batch()
    logits = plain(input_ids=batch.inputs.ids, attention_mask=batch.inputs.mask).logits
    torch.testing.assert_close(logits[batch.scored], after, rtol=1e-4, atol=1e-5)
    assert {path.name for path in (tmp_path / "student").iterdir()} >= {"config.json", "model.safetensors"}
    assert not (tmp_path / "student" / "adapter_config.json").exists()


def test_a_merged_network_writes_what_the_adapted_one_wrote():
    network = trained("llama")
    prompts = [[4, 9, 7], [5]]
    assert generate_completions(merge_lora(network), prompts, max_new=8) == generate_completions(
        network, prompts, max_new=8
    )


def test_a_merged_network_can_learn_again():
    assert all(parameter.requires_grad for parameter in merge_lora(trained("llama")).parameters())


def test_adapters_learn_through_recomputed_layers():
    pytest.importorskip("peft")

    def gradients(again):
        network = add_lora(tiny_language(layers=2), seed=3).train()
        if again:
            network.checkpoint_gradients()
        logits_of(network).logsumexp(-1).mean().backward()
        return {name: p.grad for name, p in network.named_parameters() if p.grad is not None}

    plain, again = gradients(False), gradients(True)
    assert plain
    assert plain.keys() == again.keys()
    for name in plain:
        torch.testing.assert_close(plain[name], again[name])


def test_adapters_are_a_function_of_their_seed_and_leave_the_generators_alone():
    pytest.importorskip("peft")
    networks, state = [tiny_language(layers=1) for _ in range(3)], torch.get_rng_state()
    one, same, other = (add_lora(n, seed=seed) for n, seed in zip(networks, (1, 1, 2), strict=True))
    assert torch.equal(torch.get_rng_state(), state)
    assert not one.training
    assert not any(module.training for module in one.modules())

    def drawn(network):
        return torch.cat([p.flatten() for name, p in network.named_parameters() if "lora_A" in name])

    assert torch.equal(drawn(one), drawn(same))
    assert not torch.equal(drawn(one), drawn(other))


def test_adapted_networks_are_not_adapted_again():
    pytest.importorskip("peft")
    network = add_lora(tiny_language(layers=1))
    with pytest.raises(ConfigError, match=r"tiny llama already has LoRA adapters\. Merge them first"):
        add_lora(network)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"rank": 0}, "rank must be >= 1"),
        ({"alpha": 0}, "alpha must be >= 1"),
        ({"dropout": 1.0}, r"dropout must be in \[0, 1\)"),
    ],
)
def test_settings_out_of_range_are_refused(settings, said):
    with pytest.raises(ConfigError, match=said):
        add_lora(tiny_language(layers=1), **settings)
