from pathlib import Path

import pytest
import torch
from transformers import GenerationConfig

from lmdistill.core.errors import ConfigError, DataError
from lmdistill.models.generation import end_token_ids, generate_completions
from lmdistill.models.loading.causal_lm import load_causal
from tests.tiny_causal import END, FAMILIES, tiny_language

STORIES = Path(__file__).parents[2].parent / "shared" / "models" / "stories260k"
PROMPTS = [[4, 9, 7], [5], [11, 6, 4, 20, 8], [13, 13]]


def by_hand(network, prompt, max_new):
    """The most likely token again and again, with the whole text read each time."""
    ids = list(prompt)
    while len(ids) < len(prompt) + max_new:
        logits = network.model(input_ids=torch.tensor([ids]), use_cache=False).logits[
            0, -1, : network.vocabulary
        ]
        ids.append(int(logits.argmax()))
        if ids[-1] == END:
            break
    return ids[len(prompt) :]


@pytest.mark.parametrize("name", FAMILIES)
def test_greedy_text_is_the_most_likely_token_again_and_again(name):
    network = tiny_language(name)
    expected = [by_hand(network, prompt, 10) for prompt in PROMPTS]
    assert generate_completions(network, PROMPTS, max_new=10) == expected
    assert generate_completions(network, PROMPTS, max_new=10, batch_size=1) == expected
    assert generate_completions(network, PROMPTS[::-1], max_new=10, batch_size=3) == expected[::-1]
    assert len({tuple(row) for row in expected}) > 1  # or this proves nothing


def ending(at):
    """A network that writes 5 until the position `at` and the end token there."""
    network = tiny_language()

    def forward(states):
        logits = torch.full((*states.shape[:-1], 24), -5.0)
        forward.step += 1
        logits[..., END if forward.step > at else 5] = 5.0
        return logits

    forward.step = 0
    network.model.lm_head.forward = forward
    return network


def test_the_end_token_is_kept_where_it_was_written():
    assert generate_completions(ending(2), [[4], [4, 5]], max_new=9) == [[5, 5, END]] * 2
    assert generate_completions(ending(0), [[4]], max_new=9) == [[END]]
    assert generate_completions(ending(9), [[4]], max_new=3) == [[5, 5, 5]]


def test_an_end_token_in_the_prompt_ends_nothing():
    assert generate_completions(ending(2), [[END, 4, END]], max_new=9) == [[5, 5, END]]


def test_ends_that_the_authors_named_end_too():
    network = ending(9)
    network.model.generation_config.eos_token_id = [7, END, 5]
    assert end_token_ids(network) == (END, 7, 5)
    assert generate_completions(network, [[4]], max_new=9) == [[5]]


def test_ids_that_stand_for_nothing_are_never_written():
    network = tiny_language("phi", rows=40)
    with torch.no_grad():
        network.model.lm_head.bias[24:] = 99.0
    for settings in ({}, {"temperature": 3.0, "seed": 1}):
        for cut in (40, 24, 12):
            network.limit_vocabulary(cut)
            written = generate_completions(network, PROMPTS, max_new=8, **settings)
            assert max(token for row in written for token in row) < min(cut, 24)


def test_samples_are_a_function_of_the_seed():
    network = tiny_language()
    one, same, other = (
        generate_completions(network, PROMPTS, max_new=12, temperature=1.0, seed=seed) for seed in (1, 1, 2)
    )
    assert one == same != other


def test_samples_follow_the_distribution_at_its_temperature():
    network, count = tiny_language("gpt2"), 4000
    written = generate_completions(network, [[4, 9]] * count, max_new=1, temperature=2.0, batch_size=count)
    found = torch.bincount(torch.tensor(written)[:, 0], minlength=24) / count
    logits = network.model(input_ids=torch.tensor([[4, 9]])).logits[0, -1]
    torch.testing.assert_close(found, (logits / 2).softmax(-1), rtol=0, atol=0.03)


def test_only_the_most_likely_tokens_are_sampled_where_that_is_asked_for():
    network, count = tiny_language("gpt2"), 500
    probs = network.model(input_ids=torch.tensor([[4, 9]])).logits[0, -1].softmax(-1).sort(descending=True)
    top = set(probs.indices[: int((probs.values.cumsum(0) < 0.5).sum()) + 1].tolist())
    written = generate_completions(
        network, [[4, 9]] * count, max_new=1, temperature=1.0, top_p=0.5, batch_size=count
    )
    assert {row[0] for row in written} == top
    assert len(top) < 20


def test_what_the_model_brings_for_its_own_generations_does_not_count():
    network = tiny_language()
    expected = generate_completions(network, PROMPTS, max_new=10)
    own = GenerationConfig(
        repetition_penalty=9.0,
        no_repeat_ngram_size=1,
        do_sample=True,
        top_k=1,
        min_new_tokens=10,
        eos_token_id=END,
    )
    network.model.generation_config = own
    assert generate_completions(network, PROMPTS, max_new=10) == expected
    assert network.model.generation_config is own
    assert generate_completions(network, [[4]] * 50, max_new=1, temperature=9.0) != [[expected[0][0]]] * 50


def test_modes_and_generators_stay_as_they_were():
    network, state = tiny_language("gpt2", attn_pdrop=0.5), torch.get_rng_state()
    network.train()
    network.model.lm_head.eval()
    assert generate_completions(network, PROMPTS, max_new=6) == generate_completions(
        network.eval(), PROMPTS, max_new=6
    )
    network.train()
    network.model.lm_head.eval()
    generate_completions(network, PROMPTS, max_new=6, temperature=1.0)
    assert network.model.transformer.training
    assert not network.model.lm_head.training
    assert torch.equal(torch.get_rng_state(), state)
    assert all(parameter.requires_grad and parameter.grad is None for parameter in network.parameters())


def test_recomputed_layers_write_the_same():
    network = tiny_language()
    expected = generate_completions(network, PROMPTS, max_new=6)
    network.checkpoint_gradients()
    assert generate_completions(network.train(), PROMPTS, max_new=6) == expected


def test_a_completion_ends_with_the_positions_of_the_model():
    network = tiny_language("gpt2")
    network.tokenizer.eos_token = "<unk>"
    network.model.generation_config.eos_token_id = None
    assert [len(row) for row in generate_completions(network, [[5] * 60], max_new=9)] == [4]
    with pytest.raises(
        DataError, match=r"prompt 1 has 64 tokens, and tiny gpt2 reads at most 64\. Shorten it"
    ):
        generate_completions(network, [[5], [5] * 64], max_new=9)


def test_an_empty_prompt_is_refused_by_number():
    with pytest.raises(DataError, match=r"prompt 1 has no tokens\. Leave it out, or begin it"):
        generate_completions(tiny_language(), [[5], []], max_new=2)


def test_no_prompts_give_no_completions():
    assert generate_completions(tiny_language(), [], max_new=2) == []


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"max_new": 0}, "max_new must be >= 1, got 0"),
        ({"batch_size": 0}, "batch_size must be >= 1, got 0"),
        ({"temperature": -1.0}, r"temperature must be >= 0, got -1\.0"),
        ({"top_p": 0.0}, r"top_p must be in \(0, 1\], got 0\.0"),
    ],
)
def test_settings_out_of_range_are_refused(settings, said):
    with pytest.raises(ConfigError, match=said):
        generate_completions(tiny_language(), [[5]], **{"max_new": 2, **settings})


@pytest.mark.skipif(not STORIES.exists(), reason="../shared/models/stories260k is not here")
def test_a_real_model_tells_a_story():
    network = load_causal(STORIES)
    prompt = network.tokenizer("Once upon a time, there was a little girl named")["input_ids"]
    (written,) = generate_completions(network, [prompt], max_new=60)
    text = network.tokenizer.decode(written)
    assert text.startswith("L") and text.count(" ") > 10  # noqa: PT018
