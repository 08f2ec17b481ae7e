"""A tiny random loud language model of every family, a tokenizer for them, and batches."""

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

from lmdistill.core.batch import Batch, Inputs
from lmdistill.models.causal_lm import LanguageNetwork
from tests.tiny import WORDS

SPECIAL = ["<pad>", "<unk>", "<s>", "</s>"]
VOCABULARY = len(SPECIAL) + len(WORDS)
END = 3

SHAPE = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 8,
    "initializer_range": 0.3,
    "max_position_embeddings": 64,
    "bos_token_id": 2,
    "eos_token_id": END,
    "pad_token_id": 0,
}
STILL = {"attention_dropout": 0.0, "resid_pdrop": 0.0, "embd_pdrop": 0.0}
WINDOW = {"layer_types": ["sliding_attention", "full_attention"] * 2, "sliding_window": 4}
GPT2 = {
    "n_embd": 16, "n_head": 2, "n_inner": 32, "n_positions": 64, "initializer_range": 0.3, "bos_token_id": 2,
    "eos_token_id": END, "attn_pdrop": 0.0, "resid_pdrop": 0.0, "embd_pdrop": 0.0,
}  # fmt: skip
OPT = {
    "hidden_size": 16, "ffn_dim": 32, "num_attention_heads": 2, "max_position_embeddings": 64, "init_std": 0.3,
    "dropout": 0.0, "word_embed_proj_dim": 16, "bos_token_id": 2, "eos_token_id": END, "pad_token_id": 0,
}  # fmt: skip

FAMILIES = {
    "gemma": SHAPE,
    "gemma2": SHAPE | WINDOW | {"final_logit_softcapping": 3.0, "query_pre_attn_scalar": 8},
    "gemma3_text": SHAPE | WINDOW | {"query_pre_attn_scalar": 8},
    "gpt2": GPT2,
    "gpt_neox": {key: value for key, value in SHAPE.items() if key not in ("num_key_value_heads", "head_dim")}
    | {"hidden_dropout": 0.0},
    "llama": SHAPE,
    "mistral": SHAPE,
    "opt": OPT,
    "phi": SHAPE | STILL,
    "phi3": SHAPE | STILL,
    "qwen2": SHAPE | {"tie_word_embeddings": True},
    "qwen3": SHAPE,
}
"""What can be cut."""

OTHERS = {
    "cohere": SHAPE | {"logit_scale": 0.3},
    "granite": SHAPE | {"logits_scaling": 4.0},
    "hyperclovax": SHAPE | {"logits_scaling": 4.0},
    "minicpm3": SHAPE | {"dim_model_base": 4, "num_key_value_heads": 2, "kv_lora_rank": 8, "q_lora_rank": 8, "qk_nope_head_dim": 8, "qk_rope_head_dim": 8, "v_head_dim": 8},
    "opt-350m": OPT | {"word_embed_proj_dim": 12},
    "recurrent_gemma": SHAPE | {"logits_soft_cap": 2.0, "lru_width": 16, "attention_window_size": 8},
}  # fmt: skip
"""What has an output layer of its own manner."""


def tiny_language_tokenizer(words=WORDS, *, special=tuple(SPECIAL), pad="<pad>", end="</s>"):
    """A word-level tokenizer that adds nothing of its own."""
    names = [*special, *words]
    inner = Tokenizer(models.WordLevel({name: i for i, name in enumerate(names)}, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, unk_token="<unk>", bos_token="<s>", eos_token=end, pad_token=pad,
        model_max_length=64, model_input_names=["input_ids", "attention_mask"],
    )  # fmt: skip


def tiny_language(name="llama", layers=4, seed=0, tokenizer=None, rows=VOCABULARY, **changes):
    """A random network of the family called `name`, with `rows` embeddings."""
    torch.manual_seed(seed)
    settings = ({**FAMILIES, **OTHERS}[name]) | {"num_hidden_layers": layers, "vocab_size": rows} | changes
    if len(settings.get("layer_types", ())) > layers:
        settings["layer_types"] = settings["layer_types"][:layers]
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(name.removesuffix("-350m"), **settings))
    bias = getattr(model.get_output_embeddings(), "bias", None)
    if bias is not None:
        torch.nn.init.normal_(bias)  # transformers begins with zeros
    return LanguageNetwork(model.eval(), tokenizer or tiny_language_tokenizer(), source=f"tiny {name}")


def language_batch(size=4, length=9, seed=3, vocabulary=VOCABULARY):
    """Random texts of different lengths whose first tokens are a prompt and are not scored."""
    g = torch.Generator().manual_seed(seed)
    ids = torch.randint(4, vocabulary, (size, length), generator=g)
    real = torch.randint(4, length + 1, (size, 1), generator=g)
    place = torch.arange(length)[None]
    mask = (place < real).long()
    ids = torch.where(mask == 1, ids, 0)
    scored = (place >= 1) & (place < real - 1)
    labels = torch.where(scored, ids.roll(-1, dims=1), -100)
    return Batch(
        inputs=Inputs(ids=ids, mask=mask), labels=labels, scored=scored, examples=torch.arange(size),
        count=int(scored.sum()),
    )  # fmt: skip
