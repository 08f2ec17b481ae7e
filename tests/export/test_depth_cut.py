"""Graphs cut to fewer layers give the logits of the truncated network."""

import numpy as np
import onnxruntime
import pytest
import torch

from lmdistill.core.errors import ModelError
from lmdistill.export.depth_cut import cut_depth, layer_scope
from lmdistill.export.onnx_graph import export_graph
from lmdistill.models.pruning.slicing import densify
from lmdistill.models.students.truncate import truncate
from tests.export.test_onnx_graph import LONGEST, NOT_YET, differences
from tests.models.families import FAMILIES, family
from tests.models.narrow import ENCODERS, RAGGED, wide
from tests.tiny import tiny

pytestmark = pytest.mark.filterwarnings("ignore")  # the exporter's own, which differ between versions


def cuts(network, folder, depth):
    """The largest difference of every cut from its truncated network, and the sizes of the graphs."""
    names = export_graph(network, folder / "whole.onnx", max_length=LONGEST)
    found, sizes = [], []
    for layers in range(1, depth + 1):
        path = folder / f"{layers}.onnx"
        cut_depth(folder / "whole.onnx", path, scope=layer_scope(network), layers=layers)
        found.append(max(differences(truncate(network, layers=layers).eval(), path, names)))
        sizes.append(path.stat().st_size)
    return found, sizes


@pytest.mark.slow
def test_every_depth_gives_the_logits_of_the_truncated_network(tmp_path):
    found, sizes = cuts(tiny(layers=3).eval(), tmp_path, 3)
    assert max(found) < 1e-4
    assert sizes == sorted(set(sizes))  # weights of the layers that are gone are gone too
    assert sizes[-1] == pytest.approx((tmp_path / "whole.onnx").stat().st_size, rel=0.05)
    one = onnxruntime.InferenceSession(str(tmp_path / "1.onnx"), providers=["CPUExecutionProvider"])
    three = onnxruntime.InferenceSession(str(tmp_path / "3.onnx"), providers=["CPUExecutionProvider"])
    rows = {name.name: np.ones((1, 4), dtype=np.int64) for name in one.get_inputs()}
    assert not np.allclose(one.run(None, rows)[0], three.run(None, rows)[0], atol=1e-2)
    for layers in (0, 4):
        with pytest.raises(ModelError, match=rf"layers numbered \[0, 1, 2\], and {layers} are to be kept"):
            cut_depth(
                tmp_path / "whole.onnx", tmp_path / "x.onnx", scope=layer_scope(tiny(layers=3)), layers=layers
            )
    with pytest.raises(ModelError, match=r"layers numbered \[\]"):
        cut_depth(tmp_path / "whole.onnx", tmp_path / "x.onnx", scope="model.other", layers=1)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(FAMILIES) - NOT_YET))
def test_every_family_can_be_cut(name, tmp_path):
    assert max(cuts(family(name).eval(), tmp_path, 4)[0]) < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(ENCODERS) - NOT_YET))
def test_pruned_networks_can_be_cut(name, tmp_path):
    with torch.no_grad():
        network = densify(wide(name), RAGGED).eval()
    found, _ = cuts(network, tmp_path, network.num_layers)
    assert max(found) < 1e-4
