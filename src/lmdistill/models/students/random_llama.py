"""Llama students with random weights and a given size."""

from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from lmdistill.core.seeding import derive
from lmdistill.models.causal_lm import LanguageNetwork


def random_llama(
    tokenizer: Any, *, width: int, layers: int, heads: int, positions: int = 1024, seed: int
) -> LanguageNetwork:
    """A Llama with random weights and the vocabulary of a tokenizer.

    Args:
        tokenizer: Tokenizer with an end token.
        width: Hidden size, a multiple of 2 * `heads`. Feed-forward layers have 8/3 * `width` neurons, rounded
            up to a multiple of 16.
        layers: Number of layers, >= 1.
        heads: Number of attention heads, >= 1; each has its own keys and values.
        positions: Maximum length of a text in tokens, >= 1.
        seed: Seed of the weights, any integer. The state of torch's random generators does not change.

    Returns:
        A network with tied input and output embeddings, in evaluation mode.
    """
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=-(-8 * width // 48) * 16,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        max_position_embeddings=positions,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng(devices=[]):  # weights are initialised on the CPU
        torch.default_generator.manual_seed(derive(seed, "weights"))
        model: Any = LlamaForCausalLM(config)  # transformers does not type eval()
    source = f"Llama of {layers} layers and width {width} with random weights"
    return LanguageNetwork(model.eval(), tokenizer, source=source)
