"""Weights that the model made no use of, weights that are no numbers, and names that say nothing are refused."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import BertForPreTraining, BertModel

from lmdistill.core.errors import ModelError
from lmdistill.export.hugging_face import save
from lmdistill.models.loading.causal_lm import load_causal
from lmdistill.models.loading.classifier import load
from tests.models.families import FAMILIES, family
from tests.tiny import tiny, tiny_tokenizer
from tests.tiny_causal import FAMILIES as LANGUAGE_FAMILIES
from tests.tiny_causal import tiny_language

LAYERS = ("num_hidden_layers", "n_layer", "n_layers", "num_layers")


def edit_config(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def edit_weights(folder, change):
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def with_fewer_layers(folder):
    """The configuration says one layer less than the weights have."""
    config = json.loads((folder / "config.json").read_text())
    (key,) = [name for name in LAYERS if name in config][:1]
    types = {"layer_types": config["layer_types"][:-1]} if config.get("layer_types") else {}
    edit_config(folder, **{key: config[key] - 1}, **types)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_classifier_whose_config_has_fewer_layers_than_its_weights_is_refused(name, tmp_path):
    save(family(name), tmp_path / "model")
    with_fewer_layers(tmp_path / "model")
    with pytest.raises(
        ModelError, match=r"do not fit its config\.json: \d+ of them .*, such as .*\. Name a folder"
    ):
        load(tmp_path / "model")


@pytest.mark.parametrize("name", LANGUAGE_FAMILIES)
def test_a_language_model_likewise(name, tmp_path):
    save(tiny_language(name), tmp_path / "model")
    with_fewer_layers(tmp_path / "model")
    with pytest.raises(ModelError, match=r"do not fit its config\.json: \d+ of them"):
        load_causal(tmp_path / "model")


def test_a_bias_that_the_configuration_leaves_out_is_refused(tmp_path):
    save(tiny_language("llama", attention_bias=True), tmp_path / "model")
    edit_config(tmp_path / "model", attention_bias=False)
    with pytest.raises(
        ModelError, match=r"have no place in the model, such as model\.layers\.0\.self_attn\.k_proj\.bias"
    ):
        load_causal(tmp_path / "model")


@pytest.mark.parametrize("kind", [BertModel, BertForPreTraining])
def test_an_encoder_with_another_head_or_none_gets_a_new_one(kind, tmp_path):
    kind(tiny().model.config).save_pretrained(tmp_path / "model")
    tiny_tokenizer().save_pretrained(tmp_path / "model")
    assert load(tmp_path / "model", labels=("no", "yes")).labels == ("no", "yes")


@pytest.mark.parametrize(
    "extra",
    ["bert.embeddings.position_ids", "cls.predictions.bias", "bert.pooler.other.weight", "qa_outputs.weight"],
)
def test_tables_that_are_computed_poolers_and_other_heads_may_be_left_out(extra, tmp_path):
    save(tiny(), tmp_path / "model")
    edit_weights(tmp_path / "model", lambda weights: weights.update({extra: torch.zeros(4)}))
    assert load(tmp_path / "model").num_classes == 3


def test_masks_of_old_gpt2_files_and_a_second_copy_of_tied_words_may_be_there(tmp_path):
    save(tiny_language("gpt2"), tmp_path / "model")

    def older(weights):
        weights["transformer.h.0.attn.bias"] = torch.ones(1, 1, 4, 4)
        weights["transformer.h.0.attn.masked_bias"] = torch.tensor(-1e4)
        weights["lm_head.weight"] = weights["transformer.wte.weight"].clone()

    edit_weights(tmp_path / "model", older)
    assert load_causal(tmp_path / "model").num_layers == 4


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_weights_that_are_no_numbers_are_refused_by_name(value, tmp_path):
    name = "bert.encoder.layer.1.output.dense.weight"
    save(tiny(), tmp_path / "model")
    edit_weights(tmp_path / "model", lambda weights: weights[name][0, :2].fill_(value))
    with pytest.raises(ModelError, match=rf"2 weights of {name} in .* are NaN or infinite"):
        load(tmp_path / "model")


def test_large_weights_whose_sum_overflows_are_numbers(tmp_path):
    save(tiny(), tmp_path / "model")
    edit_weights(
        tmp_path / "model", lambda weights: weights["bert.pooler.dense.weight"].fill_(torch.finfo().max)
    )
    load(tmp_path / "model")


def test_a_language_model_of_half_precision_with_a_nan_is_refused(tmp_path):
    save(tiny_language().bfloat16(), tmp_path / "model")
    edit_weights(tmp_path / "model", lambda weights: weights["model.norm.weight"].fill_(float("nan")))
    with pytest.raises(ModelError, match=r"16 weights of model\.norm\.weight"):
        load_causal(tmp_path / "model", dtype=torch.bfloat16)


def test_an_id_of_the_tokenizer_above_the_embedding_is_refused_though_there_are_few_tokens(tmp_path):
    save(tiny(), tmp_path / "model")
    path = tmp_path / "model" / "tokenizer.json"
    tokenizer = json.loads(path.read_text())
    tokenizer["model"]["vocab"]["never"] = 70
    path.write_text(json.dumps(tokenizer))
    with pytest.raises(ModelError, match=r"tokenizer of .* has 71 tokens and the model embeddings for 50"):
        load(tmp_path / "model")


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (
            {"0": "good", "1": "bad", "2": "good"},
            r"calls classes 0 and 2 both 'good'\. Give each class a name",
        ),
        (
            {"0": "good", "1": "bad", "3": "fine"},
            r"3 classes, and their numbers are 0, 1, 3\. Number them from 0",
        ),
    ],
)
def test_two_classes_of_one_name_and_numbers_with_a_gap_are_refused(names, said, tmp_path):
    save(tiny(), tmp_path / "model")
    edit_config(tmp_path / "model", id2label=names, label2id={name: int(key) for key, name in names.items()})
    with pytest.raises(ModelError, match=said):
        load(tmp_path / "model")
