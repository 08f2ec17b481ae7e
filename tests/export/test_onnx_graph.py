"""ONNX graphs of every family: torch's logits for any number of rows and tokens; 8 bits where it says so."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from lmdistill.core.batch import Inputs
from lmdistill.core.errors import ConfigError, ModelError
from lmdistill.export import onnx_graph
from lmdistill.export.onnx_graph import export_graph, integer_products, quantize_graph
from lmdistill.models.pruning.slicing import densify
from tests.models.families import FAMILIES, family
from tests.models.narrow import ENCODERS, RAGGED, wide
from tests.tiny import tiny

pytestmark = pytest.mark.filterwarnings("ignore")  # the exporter's own, which differ between versions
LONGEST = 24
SIZES = ((1, 3), (1, LONGEST), (5, 11))
"""Rows and tokens of batches: short, longest and in between, one and several."""

NOT_YET = {"enc-t5"}
"""Families whose graph PyTorch cannot write."""


def batch(network, rows, tokens):
    """Token ids with padding behind all but the last row."""
    draw = torch.Generator().manual_seed(rows * tokens)
    ids = torch.randint(5, 20, (rows, tokens), generator=draw)
    mask = torch.ones_like(ids)
    mask[:-1, max(1, tokens // 2) :] = 0
    return ids.masked_fill(mask == 0, int(network.tokenizer.pad_token_id)), mask


def differences(network, path, names):
    """The largest difference of the graph's logits from the network's, for each size."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    for rows, tokens in SIZES:
        ids, mask = batch(network, rows, tokens)
        segments = (torch.arange(tokens) >= tokens // 2).long().expand_as(ids) * mask
        inputs = Inputs(ids=ids, mask=mask, segments=segments if network.takes_segments else None)
        with torch.no_grad():
            expected = network(inputs).logits.numpy()
        given = {"input_ids": ids, "attention_mask": mask, "token_type_ids": segments}
        found = session.run(["logits"], {name: given[name].numpy() for name in names})[0]
        yield float(np.abs(found - expected).max())


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(FAMILIES) - NOT_YET))
def test_every_family_gives_torchs_logits(name, tmp_path):
    network = family(name).eval()
    names = export_graph(network, tmp_path / "model.onnx", max_length=LONGEST)
    assert max(differences(network, tmp_path / "model.onnx", names)) < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(ENCODERS) - NOT_YET))
def test_pruned_networks_give_torchs_logits(name, tmp_path):
    network = densify(wide(name), RAGGED[name]).eval()
    names = export_graph(network, tmp_path / "model.onnx", max_length=LONGEST)
    assert max(differences(network, tmp_path / "model.onnx", names)) < 1e-4


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A tiny network and its graph."""
    network, path = tiny(layers=2).eval(), tmp_path_factory.mktemp("graph") / "model.onnx"
    return network, path, export_graph(network, path, max_length=LONGEST)


def test_a_graph_gives_torchs_logits_for_any_size_and_the_network_stays(exported):
    network, path, names = exported
    before = {name: value.clone() for name, value in network.state_dict().items()}
    assert names == ("input_ids", "attention_mask", "token_type_ids")
    assert max(differences(network, path, names)) < 1e-5
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_half_precision_is_cast_to_float32(exported, tmp_path):
    network, _, _ = exported
    half = tiny(layers=2).eval()
    half.load_state_dict(network.state_dict())
    names = export_graph(half.to(torch.float16), tmp_path / "model.onnx", max_length=LONGEST)
    kinds = {one.data_type for one in onnx.load(tmp_path / "model.onnx").graph.initializer}
    assert onnx.TensorProto.FLOAT in kinds
    assert onnx.TensorProto.FLOAT16 not in kinds
    assert max(differences(half.float(), tmp_path / "model.onnx", names)) < 1e-5


def test_an_8_bit_graph_has_8_bit_products_and_nearly_the_same_logits(exported, tmp_path):
    network, path, names = exported
    products = quantize_graph(path, tmp_path / "int8.onnx")
    assert products == integer_products(tmp_path / "int8.onnx") >= 2 * 6
    assert integer_products(path) == 0
    assert 0 < max(differences(network, tmp_path / "int8.onnx", names)) < 0.5


def test_a_graph_that_nothing_of_was_quantised_is_refused(exported, tmp_path, monkeypatch):
    _, path, _ = exported
    monkeypatch.setattr(onnx_graph, "PRODUCTS", ("NoSuchProduct",))
    with pytest.raises(
        ModelError, match=r"^nothing of model\.onnx was quantised, so int8 would change nothing"
    ):
        quantize_graph(path, tmp_path / "int8.onnx")


def test_a_family_that_cannot_be_written_is_one_line(tmp_path):
    with pytest.raises(
        ModelError, match=r"^the graph of EncT5ForSequenceClassification cannot be written \(.*\)\. Exp"
    ):
        export_graph(family("enc-t5").eval(), tmp_path / "model.onnx", max_length=LONGEST)


def test_a_missing_package_names_the_extra(exported, tmp_path, monkeypatch):
    network, _, _ = exported
    monkeypatch.setattr(onnx_graph, "find_spec", lambda name: None if name == "onnxscript" else True)
    with pytest.raises(
        ConfigError, match=r"^onnxscript is not installed\. The extra onnx is needed: pip install"
    ):
        export_graph(network, tmp_path / "model.onnx", max_length=LONGEST)
