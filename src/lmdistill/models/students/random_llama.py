"""Language models that begin with random weights, in a shape of one's own."""

from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from lmdistill.core.seeding import derive
from lmdistill.models.causal_lm import LanguageNetwork


def random_llama(
    tokenizer: Any, *, width: int, layers: int, heads: int, positions: int = 1024, seed: int
) -> LanguageNetwork:
    """A Llama with random weights that reads and writes the tokens of `tokenizer`.

    Args:
        tokenizer: With an end token.
        width: Of the states, a multiple of twice the heads; the feed-forward layers are 8/3 as wide,
            rounded up to a multiple of 16.
        layers: Depth, >= 1.
        heads: Attention heads, each with keys and values of its own.
        positions: Longest text in tokens.
        seed: Any integer; the same one gives the same weights. Torch's own generators stay where they were.

    Returns:
        A network whose input and output embeddings are one matrix, in evaluation mode.
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
    with torch.random.fork_rng(devices=[]):  # weights are drawn on the CPU
        torch.default_generator.manual_seed(derive(seed, "weights"))
        model: Any = LlamaForCausalLM(config)  # transformers does not type eval()
    source = f"Llama of {layers} layers and width {width} with random weights"
    return LanguageNetwork(model.eval(), tokenizer, source=source)
