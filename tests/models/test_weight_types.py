"""Rounded weights are those that a folder in half precision gives back."""

import pytest
import torch

from lmdistill.core.errors import ModelError
from lmdistill.export.hugging_face import save
from lmdistill.models.loading.classifier import load
from lmdistill.models.model_stats import fingerprint
from lmdistill.models.weight_types import in_dtype, rounded
from tests.models.families import family
from tests.tiny import make_batch, tiny


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
@pytest.mark.parametrize("kind", ["bert", "modernbert", "enc-t5"])
def test_what_is_loaded_computes_what_was_rounded(kind, name, tmp_path):
    network = family(kind, layers=2)
    before = fingerprint(network)
    small = rounded(network, name)
    save(small, tmp_path / "half", dtype=name)
    assert fingerprint(network) == before != fingerprint(small)
    again = load(tmp_path / "half")
    inputs = make_batch().inputs
    assert again.model.dtype == small.model.dtype == torch.float32
    assert torch.equal(again(inputs).logits, small(inputs).logits)
    for one, other in zip(network.parameters(), small.parameters(), strict=True):
        torch.testing.assert_close(other, one, rtol=2**-8, atol=1e-7)
    save(network, tmp_path / "whole")
    sizes = [(tmp_path / part / "model.safetensors").stat().st_size for part in ("half", "whole")]
    assert sizes[0] < 0.6 * sizes[1]


def test_a_network_of_this_type_is_itself():
    network = tiny()
    assert in_dtype(network, "float32") is network


def test_a_weight_that_is_too_large_is_named():
    network = tiny()
    with torch.no_grad():
        network.model.classifier.weight[0, 0] = 1e6
    with pytest.raises(
        ModelError,
        match=r"^weights of tiny2 are too large for float16, such as one in classifier\.weight; its largest number "
        r"is 65504\. Save it as bfloat16 or float32\.$",
    ):
        rounded(network, "float16")
    assert torch.isfinite(rounded(network, "bfloat16").model.classifier.weight).all()
