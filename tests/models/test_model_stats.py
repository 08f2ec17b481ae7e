import pytest
import torch
from transformers import (
    AlbertConfig,
    AlbertForSequenceClassification,
    BertConfig,
    BertForSequenceClassification,
)

from lmdistill.export.hugging_face import save
from lmdistill.models.classifier import Network
from lmdistill.models.loading.classifier import load
from lmdistill.models.model_stats import count_parameters, fingerprint, flops
from lmdistill.models.students.truncate import truncate
from tests.models.families import FAMILIES, family
from tests.tiny import tiny, tiny_tokenizer


def bert_base(layers):
    with torch.device("meta"):
        model = BertForSequenceClassification(BertConfig(num_hidden_layers=layers, num_labels=2))
    return Network(model, tiny_tokenizer(), source="bert-base")


def test_parameters_of_bert_base_are_the_known_ones():
    # word, position and segment tables and their norm: (30522 + 512 + 2 + 2) * 768
    assert {k: count_parameters(bert_base(k)).total for k in (12, 6, 3)} == {
        12: 109_483_778,
        6: 66_956_546,
        3: 45_692_930,
    }
    parts = count_parameters(bert_base(12))
    assert parts.embeddings == (30_522 + 512 + 2 + 2) * 768
    assert parts.encoder == 12 * (4 * (768 * 768 + 768) + 2 * 768 * 3072 + 3072 + 768 + 4 * 768)
    assert parts.head == 768 * 768 + 768 + 768 * 2 + 2


def test_parts_add_up_in_every_family():
    for name in FAMILIES:
        network = family(name)
        parts = count_parameters(network)
        assert parts.total == sum(p.numel() for p in network.parameters()), name
        assert min(parts.embeddings, parts.encoder, parts.head) > 0, name
        fewer = count_parameters(truncate(network, layers=2))
        assert (fewer.embeddings, fewer.head) == (parts.embeddings, parts.head), name


def test_operations_of_bert_are_those_of_its_matrix_products():
    d, f, t, layers = 16, 32, 10, 2
    per_layer = 4 * 2 * t * d * d + 2 * 2 * t * d * f + 2 * 2 * t * t * d
    head = 2 * d * d + 2 * d * 3
    assert flops(tiny(layers=layers), t) == layers * per_layer + head


def test_a_fingerprint_names_weights_labels_and_vocabulary_and_nothing_else(tmp_path):
    network = tiny(seed=1)
    same = fingerprint(network)
    assert fingerprint(tiny(seed=1)) == same
    assert fingerprint(tiny(seed=2)) != same
    assert fingerprint(tiny(seed=1, labels=("a", "b", "c"))) != same
    assert fingerprint(tiny(seed=1, words=("other", "words"))) != same
    save(network, tmp_path / "there")
    assert fingerprint(load(tmp_path / "there")) == same
    network.tokenizer(["good film"], truncation=True, max_length=3)  # leaves its settings in the tokenizer
    assert fingerprint(network) == same


def test_families_that_cannot_be_cut_are_described_too():
    config = AlbertConfig(
        vocab_size=50,
        embedding_size=8,
        hidden_size=16,
        num_attention_heads=2,
        intermediate_size=32,
        num_labels=3,
    )
    parts = count_parameters(
        Network(AlbertForSequenceClassification(config), tiny_tokenizer(), source="albert")
    )
    assert parts.embeddings == (50 + 512 + 2 + 2) * 8
    assert parts.head == (16 * 16 + 16) + (16 * 3 + 3)


def test_shared_weights_count_once():
    network = tiny()
    before = count_parameters(network).encoder
    first, second = network.model.bert.encoder.layer
    second.output.dense.weight = first.output.dense.weight
    assert count_parameters(network).encoder == before - 16 * 32


@pytest.mark.parametrize("name", FAMILIES)
def test_counting_operations_leaves_the_mode_alone(name):
    network = family(name)
    more, less = flops(network, 8), flops(truncate(network, layers=2), 8)
    assert more > less > 0
    assert not any(module.training for module in network.modules())
    assert flops(network.train(), 8) == more
    assert network.training


def test_a_tokenizer_written_in_python_has_a_name_too():
    class Slow:
        def get_vocab(self):
            return {"a": 0}

    model = tiny().model
    assert fingerprint(Network(model, Slow(), source="x")) == fingerprint(Network(model, Slow(), source="y"))
    assert fingerprint(Network(model, Slow(), source="x")) != fingerprint(
        Network(model, tiny_tokenizer(), source="x")
    )
