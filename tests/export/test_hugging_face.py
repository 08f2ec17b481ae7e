import json
import os
import resource
import subprocess
import sys

import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from lmdistill.core.errors import ModelError
from lmdistill.export.hugging_face import save
from lmdistill.models.students.truncate import truncate
from tests.models.families import FAMILIES, family
from tests.tiny import make_batch, tiny


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("name", FAMILIES)
def test_plain_transformers_gives_the_same_logits(name, tmp_path):
    network, inputs = family(name), make_batch().inputs
    save(network, tmp_path / "model")
    stock = AutoModelForSequenceClassification.from_pretrained(tmp_path / "model").eval()
    given = {"token_type_ids": inputs.segments} if network.takes_segments else {}
    with torch.no_grad():
        logits = stock(input_ids=inputs.ids, attention_mask=inputs.mask, **given).logits
        assert torch.equal(logits, network(inputs).logits)
    assert type(stock) is type(network.model)


FOREIGN = """
import json, sys
from transformers import AutoModelForSequenceClassification, AutoTokenizer
model = AutoModelForSequenceClassification.from_pretrained(sys.argv[1])
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
batch = tokenizer(["good film", "the plot was dull"], ["bad", "it is not"], padding=True, return_tensors="pt")
print(json.dumps({"logits": model(**batch).logits.tolist(), "labels": model.config.id2label}))
assert not any(name.startswith("lmdistill") for name in sys.modules)
"""


def test_a_process_that_knows_only_transformers_gives_the_same_logits(tmp_path):
    network = truncate(tiny(layers=3), layers=2)
    save(network, tmp_path / "student")
    call = [sys.executable, "-c", FOREIGN, str(tmp_path / "student")]
    done = subprocess.run(call, capture_output=True, text=True, cwd=tmp_path, env=os.environ)
    assert done.returncode == 0, done.stderr
    theirs = json.loads(done.stdout)
    batch = network.tokenizer(
        ["good film", "the plot was dull"], ["bad", "it is not"], padding=True, return_tensors="pt"
    )
    torch.testing.assert_close(
        torch.tensor(theirs["logits"]), network.model(**batch).logits, rtol=1e-5, atol=1e-6
    )
    assert theirs["labels"] == {"0": "class0", "1": "class1", "2": "class2"}


def test_a_folder_holds_safe_weights_labels_and_a_tokenizer(tmp_path):
    save(tiny(labels=("bad", "good")), tmp_path / "model", card="# A card\n")
    assert names(tmp_path / "model") == [
        "README.md",
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    assert config["id2label"] == {"0": "bad", "1": "good"}
    assert config["label2id"] == {"bad": 0, "good": 1}
    assert config["architectures"] == ["BertForSequenceClassification"]
    assert (tmp_path / "model" / "README.md").read_text() == "# A card\n"


def test_the_tokenizer_comes_back(tmp_path):
    network = tiny()
    save(network, tmp_path / "model")
    texts = (["good film"], ["not bad"])
    assert AutoTokenizer.from_pretrained(tmp_path / "model")(*texts) == network.tokenizer(*texts)


def test_a_score_stays_a_score(tmp_path):
    save(tiny(classes=1), tmp_path / "model")
    stock = AutoModelForSequenceClassification.from_pretrained(tmp_path / "model")
    assert (stock.config.num_labels, stock.config.problem_type) == (1, "regression")


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_weights_keep_their_dtype(dtype, tmp_path):
    network = tiny().to(dtype)
    save(network, tmp_path / "model")
    stock = AutoModelForSequenceClassification.from_pretrained(tmp_path / "model")
    assert stock.dtype == dtype
    for ours, theirs in zip(network.model.parameters(), stock.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_weights_that_are_views_or_shared_are_saved_whole(tmp_path):
    network, inputs = tiny(), make_batch().inputs
    layers = network.model.bert.encoder.layer
    layers[1].output.dense.weight = layers[0].output.dense.weight
    query = layers[0].attention.self.query
    query.weight = torch.nn.Parameter(query.weight.detach().t())  # not contiguous
    save(network, tmp_path / "model")
    stock = AutoModelForSequenceClassification.from_pretrained(tmp_path / "model").eval()
    logits = stock(input_ids=inputs.ids, attention_mask=inputs.mask, token_type_ids=inputs.segments).logits
    assert torch.equal(logits, network(inputs).logits)


def test_a_model_takes_the_place_of_an_older_one(tmp_path):
    save(tiny(seed=1), tmp_path / "model", card="old")
    save(tiny(seed=2), tmp_path / "model")
    stock = AutoModelForSequenceClassification.from_pretrained(tmp_path / "model")
    assert torch.equal(stock.classifier.weight, tiny(seed=2).model.classifier.weight)
    assert "README.md" not in names(tmp_path / "model")


def test_an_empty_folder_is_filled(tmp_path):
    save(tiny(), str(tmp_path))
    assert "model.safetensors" in names(tmp_path)


@pytest.mark.parametrize("files", [["notes.txt"], ["config.json", "src/main.py"]])
def test_what_is_no_model_is_never_removed(files, tmp_path):
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("mine")
    with pytest.raises(
        ModelError, match=r"holds more than a saved model, such as .* Choose an empty or new folder"
    ):
        save(tiny(), tmp_path)
    assert [(tmp_path / name).read_text() for name in files] == ["mine"] * len(files)


def test_a_file_is_never_removed(tmp_path):
    (tmp_path / "model").write_text("mine")
    with pytest.raises(ModelError, match=r"model is a file\. Choose another name"):
        save(tiny(), tmp_path / "model")


def test_a_full_disk_leaves_what_was_there_and_nothing_else(tmp_path):
    save(tiny(seed=1), tmp_path / "model")
    before = (tmp_path / "model" / "model.safetensors").read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, hard))  # no file may be larger: the weights are
    try:
        with pytest.raises(ModelError, match=r"could not be written to .*model \(.*\)\. Make room") as caught:
            save(tiny(seed=2), tmp_path / "model")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "\n" not in str(caught.value)
    assert (tmp_path / "model" / "model.safetensors").read_bytes() == before
    assert names(tmp_path) == ["model"]
