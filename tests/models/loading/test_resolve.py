import importlib.util
from pathlib import Path

import pytest
from transformers import BartConfig, BertConfig, GPT2Config, LlamaConfig, T5Config, ViTConfig

from lmdistill.core.errors import MissingExtraError, ModelError, UnknownNameError
from lmdistill.models.loading.error_messages import loading_error_message
from lmdistill.models.loading.resolve import (
    PACKAGED,
    classifier_labels,
    is_causal_lm_config,
    is_t5,
    read_encoder_config,
    require_weights,
    resolve,
)


def test_a_folder_and_a_hub_id_are_themselves():
    assert resolve("runs/a/student") == "runs/a/student"
    assert resolve(Path("a/b")) == "a/b"
    assert resolve("org/name") == "org/name"
    assert resolve("~/a") == str(Path.home() / "a")


def test_a_packaged_model_is_the_folder_inside_its_package(tmp_path, monkeypatch):
    package, folder, _ = PACKAGED["packaged:all-MiniLM-L6-v2"]
    (tmp_path / package).mkdir()
    (tmp_path / package / "__init__.py").write_text("raise RuntimeError('it must not be run')")
    monkeypatch.syspath_prepend(tmp_path)
    assert resolve("packaged:all-MiniLM-L6-v2") == str(tmp_path / package / folder)


def test_a_packaged_model_that_is_not_installed_says_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"missing\. Run: pip install lmdistill\[demo\]$"):
        resolve("packaged:all-MiniLM-L6-v2")


def test_an_unknown_packaged_model_is_answered_with_the_nearest():
    with pytest.raises(UnknownNameError, match=r"Did you mean 'packaged:all-MiniLM-L6-v2'\?"):
        resolve("packaged:all-MiniLM-L6")


@pytest.mark.parametrize("place", ["./nowhere", "../nowhere", "runs/a/student"])
def test_a_folder_that_is_not_there_is_not_looked_for_on_the_hub(place):
    with pytest.raises(ModelError, match=rf"^there is no model folder {place}\. Check the path\.$"):
        read_encoder_config(place)


def test_an_absolute_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ModelError, match=r"there is no model folder .*/gone\. Check the path"):
        read_encoder_config(str(tmp_path / "gone"))


def test_a_hub_id_without_network_says_what_to_do_offline():
    with pytest.raises(
        ModelError, match=r"^org/name is neither a local folder nor .* Offline: download .* HF_HOME"
    ) as caught:
        read_encoder_config("org/name")
    assert "\n" not in str(caught.value)


def test_a_folder_without_configuration_is_no_model(tmp_path):
    with pytest.raises(
        ModelError, match=r"has no config\.json, so it is not a model folder\. Name the folder"
    ):
        read_encoder_config(str(tmp_path))


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(ModelError, match=r"model\.safetensors is a file\. Name the folder"):
        read_encoder_config(str(tmp_path / "model.safetensors"))


@pytest.mark.parametrize("text", ["{", "{}", '{"model_type": "nothing-known"}'])
def test_a_broken_configuration_is_named(text, tmp_path):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(ModelError, match=r"/config\.json cannot be used: .* Save the model again") as caught:
        read_encoder_config(str(tmp_path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "config",
    [
        GPT2Config(architectures=["GPT2LMHeadModel"]),
        LlamaConfig(architectures=["LlamaForCausalLM"]),
        BartConfig(architectures=["BartForConditionalGeneration"]),
        BertConfig(is_decoder=True, architectures=["BertLMHeadModel"]),
    ],
    ids=lambda config: config.architectures[0],
)
def test_models_that_write_text_are_refused(config, tmp_path):
    config.save_pretrained(tmp_path)
    with pytest.raises(
        ModelError, match=rf"is a {config.model_type} model that generates text .* needs an encoder"
    ):
        read_encoder_config(str(tmp_path))


def test_a_decoder_with_a_classification_head_is_a_classifier(tmp_path):
    LlamaConfig(architectures=["LlamaForSequenceClassification"], num_labels=3).save_pretrained(tmp_path)
    config = read_encoder_config(str(tmp_path))
    assert len(classifier_labels(config)) == 3
    assert not is_causal_lm_config(config)


def test_a_t5_is_an_encoder_without_a_head(tmp_path):
    T5Config(architectures=["T5ForConditionalGeneration"]).save_pretrained(tmp_path)
    config = read_encoder_config(str(tmp_path))
    assert is_t5(config)
    assert classifier_labels(config) is None
    assert not is_causal_lm_config(config)


def test_models_of_something_else_than_text_are_refused(tmp_path):
    ViTConfig().save_pretrained(tmp_path)
    with pytest.raises(ModelError, match=r"^transformers has no text classifier for vit models"):
        read_encoder_config(str(tmp_path))


def test_code_of_strangers_is_refused(tmp_path):
    (tmp_path / "config.json").write_text(
        '{"model_type": "mine", "auto_map": {"AutoConfig": "mine.MineConfig"}}'
    )
    (tmp_path / "mine.py").write_text("raise SystemExit('it was run')")
    with pytest.raises(
        ModelError, match=r"comes with code of its own\. Read it, then set trust_remote_code to true"
    ):
        read_encoder_config(str(tmp_path))


def test_a_head_is_its_labels_in_order():
    names = {1: "good", 0: "bad"}
    kind = "BertForSequenceClassification"
    assert classifier_labels(BertConfig(architectures=[kind], id2label=names)) == ("bad", "good")
    assert classifier_labels(BertConfig(architectures=[kind], num_labels=1)) == ()
    assert classifier_labels(BertConfig(architectures=["BertModel"])) is None
    assert classifier_labels(BertConfig()) is None


def test_a_folder_without_weights_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"has no weights \(model\.safetensors\)\. Copy them there"):
        require_weights(str(tmp_path), allow_pickle=True)


def test_pickles_are_refused_unless_allowed(tmp_path):
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(
        ModelError, match=r"has pickled weights only, .* convert them to safetensors .*allow_pickle=True"
    ):
        require_weights(str(tmp_path), allow_pickle=False)
    require_weights(str(tmp_path), allow_pickle=True)


def test_safe_weights_beside_pickles_are_enough(tmp_path):
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    (tmp_path / "model.safetensors").write_bytes(b"")
    require_weights(str(tmp_path), allow_pickle=False)


def test_pickles_of_the_hub_are_refused_too():
    error = OSError(
        "org/x does not appear to have a file named pytorch_model.bin or model.safetensors. And more."
    )
    assert loading_error_message("org/x", error).startswith(
        "org/x has no weights as safetensors; it may have pickled"
    )
