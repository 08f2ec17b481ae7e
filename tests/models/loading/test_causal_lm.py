import json
import logging
from contextlib import suppress

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, BertConfig, GPT2Config, T5Config, ViTConfig

from lmdistill.core.errors import ConfigError, ModelError
from lmdistill.export.hugging_face import save
from lmdistill.models.loading.causal_lm import is_causal, load_causal, load_tokenizer
from lmdistill.models.loading.classifier import load
from tests.tiny import tiny
from tests.tiny_causal import FAMILIES, language_batch, tiny_language, tiny_language_tokenizer


@pytest.fixture
def folder(tmp_path):
    save(tiny_language(), tmp_path / "model")
    return tmp_path / "model"


def edit_config(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize("name", FAMILIES)
def test_what_was_saved_comes_back(name, tmp_path):
    network, inputs = tiny_language(name), language_batch().inputs
    save(network, tmp_path / "model")
    loaded = load_causal(tmp_path / "model")
    assert torch.equal(loaded.states(inputs), network.states(inputs))
    assert torch.equal(loaded.head.weight, network.head.weight)
    assert loaded.source == str(tmp_path / "model")
    assert not loaded.training
    assert {p.dtype for p in loaded.parameters()} == {torch.float32}


def test_tied_matrices_are_written_once(tmp_path):
    save(tiny_language("qwen2"), tmp_path / "model")
    assert "lm_head.weight" not in load_file(tmp_path / "model" / "model.safetensors")
    save(tiny_language("llama"), tmp_path / "other")
    assert "lm_head.weight" in load_file(tmp_path / "other" / "model.safetensors")


def test_weights_are_loaded_in_the_precision_that_was_asked_for(folder):
    assert {p.dtype for p in load_causal(folder, dtype=torch.bfloat16).parameters()} == {torch.bfloat16}
    with pytest.raises(
        ConfigError, match=r"dtype must be torch\.float32, torch\.bfloat16 or 'auto', got torch\.float16"
    ):
        load_causal(folder, dtype=torch.float16)


def bytes_of(network):
    return sum(p.numel() * p.element_size() for p in network.parameters())


def test_half_precision_takes_half_the_memory_and_answers_nearly_the_same(folder):
    whole, half = load_causal(folder), load_causal(folder, dtype=torch.bfloat16)
    assert bytes_of(half) * 2 == bytes_of(whole)
    inputs = language_batch().inputs
    ours, theirs = half.head.logits(half.states(inputs)), whole.head.logits(whole.states(inputs))
    assert ours.dtype == torch.bfloat16
    assert torch.corrcoef(torch.stack([ours.float().flatten(), theirs.flatten()]))[0, 1] > 0.999
    assert not torch.equal(ours.float(), theirs)


@pytest.mark.parametrize(
    ("stored", "held"),
    [
        ("bfloat16", torch.bfloat16),
        ("float32", torch.float32),
        ("float16", torch.float32),
        (None, torch.float32),
    ],
)
def test_auto_is_what_the_configuration_says(folder, stored, held):
    edit_config(folder, dtype=stored)
    assert {p.dtype for p in load_causal(folder, dtype="auto").parameters()} == {held}
    assert {p.dtype for p in load_causal(folder).parameters()} == {torch.float32}


def test_a_saved_model_is_known_for_what_it_is(folder, tmp_path):
    save(tiny(), tmp_path / "encoder")
    assert is_causal(folder)
    assert not is_causal(tmp_path / "encoder")


def test_a_classifier_is_refused_and_says_what_to_use(tmp_path):
    save(tiny(), tmp_path / "encoder")
    with pytest.raises(
        ModelError, match=r"is a classifier \(Bert.*\), and a causal .* Use the model that it"
    ):
        load_causal(tmp_path / "encoder")


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (BertConfig(architectures=["BertForMaskedLM"]), r"bert model with bidirectional attention .* such as gpt2, or a"),
        (BertConfig(), r"bert model with bidirectional attention \(no class named\)"),
        (T5Config(architectures=["T5ForConditionalGeneration"]), r"t5 sequence-to-sequence model .* such as gpt2"),
        (GPT2Config(architectures=["GPT2ForSequenceClassification"]), r"is a classifier \(GPT2ForSeq"),
        (ViTConfig(), r"^transformers has no causal language model for vit models"),
    ],
    ids=["masked", "bare", "translator", "classifier", "picture"],
)  # fmt: skip
def test_what_does_not_write_is_refused(config, said, tmp_path):
    config.save_pretrained(tmp_path)
    with pytest.raises(ModelError, match=said) as caught:
        load_causal(tmp_path)
    assert "\n" not in str(caught.value)
    assert not is_causal(tmp_path)


def test_a_writer_is_refused_as_a_classifier_and_says_what_to_use(folder):
    with pytest.raises(
        ModelError, match=r"llama model that generates text .* needs an encoder.* recipe for language models"
    ):
        load(folder, labels=("a", "b"))


def test_a_tokenizer_without_an_end_is_refused(tmp_path):
    save(tiny_language(tokenizer=tiny_language_tokenizer(end=None)), tmp_path / "model")
    with pytest.raises(ModelError, match=r"has no end token, so texts would have no end\. Set one"):
        load_causal(tmp_path / "model")
    save(tiny_language(tokenizer=tiny_language_tokenizer(end=None, pad=None)), tmp_path / "other")
    with pytest.raises(ModelError, match=r"has no end token and no padding token, so"):
        load_causal(tmp_path / "other")


def test_the_end_token_pads_where_nothing_else_does(tmp_path, caplog):
    save(tiny_language(tokenizer=tiny_language_tokenizer(pad=None)), tmp_path / "model")
    with caplog.at_level(logging.INFO, "lmdistill"):
        network = load_causal(tmp_path / "model")
    assert network.tokenizer.pad_token_id == network.tokenizer.eos_token_id == 3
    assert "has no padding token; padding with </s>" in caplog.text


def test_a_tokenizer_with_more_tokens_than_embeddings_is_refused(tmp_path):
    save(tiny_language(rows=20), tmp_path / "model")
    with pytest.raises(ModelError, match=r"has 24 tokens and the model embeddings for 20"):
        load_causal(tmp_path / "model")


def test_a_tokenizer_can_come_alone(tmp_path):
    tiny_language_tokenizer(pad=None).save_pretrained(tmp_path)
    tokenizer = load_tokenizer(tmp_path)
    assert tokenizer.pad_token == tokenizer.eos_token == "</s>"


def test_a_tokenizer_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ModelError, match=r"there is no model folder .*/gone\. Check the path"):
        load_tokenizer(tmp_path / "gone")
    with pytest.raises(ModelError):
        load_tokenizer(tmp_path)


def test_a_missing_tensor_is_not_drawn_at_random(folder):
    weights = load_file(folder / "model.safetensors")
    del weights["model.layers.1.mlp.up_proj.weight"], weights["lm_head.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"2 of them are missing .* such as lm_head\.weight"):
        load_causal(folder)


def test_a_configuration_of_another_depth_is_refused(folder):
    edit_config(folder, num_hidden_layers=5)
    with pytest.raises(ModelError, match=r"are missing .* such as model\.layers\.4"):
        load_causal(folder)


def test_pickles_are_refused(folder):
    model = AutoModelForCausalLM.from_pretrained(folder)
    (folder / "model.safetensors").unlink()
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    with pytest.raises(ModelError, match="pickled weights only"):
        load_causal(folder)
    assert load_causal(folder, allow_pickle=True).num_layers == 4


@pytest.mark.parametrize("content", ["[]", "3", '"x"', "null", "{", "[1, {}]", '{"model": []}', "\udcff"])
@pytest.mark.parametrize("name", ["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"])
def test_tokenizer_files_of_the_wrong_form_are_refused_or_do_not_matter(tmp_path, name, content):
    save(tiny_language(), tmp_path / "model")
    (tmp_path / "model" / name).write_bytes(content.encode("utf-8", "surrogateescape"))
    for load_it in (load_causal, load_tokenizer):
        with suppress(ModelError):  # anything else is a bug
            load_it(tmp_path / "model")


@pytest.mark.parametrize("longest", [-5, 0, "x", True, [], None])
def test_a_tokenizer_without_a_usable_maximum_length_is_refused(tmp_path, longest):
    save(tiny_language(), tmp_path / "model")
    path = tmp_path / "model" / "tokenizer_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "model_max_length": longest}))
    if longest is None:  # transformers takes it for a length that is not known
        load_causal(tmp_path / "model")
        return
    with pytest.raises(
        ModelError, match=r"model_max_length .*a number of tokens, at least 3, is needed\. Correct it"
    ):
        load_causal(tmp_path / "model")
