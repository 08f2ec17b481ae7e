"""Which units are kept, from importance that is measured to widths."""

from dataclasses import replace

import pytest
import torch

from lmdistill.models.pruning.importance import (
    activation_importance,
    gradient_importance,
    magnitude_importance,
)
from lmdistill.recipes.pruning import Pruning
from lmdistill.runs.schedules.pruning import sliced
from tests.models.narrow import wide
from tests.tiny import make_batch

MEASURES = {
    "gradient": lambda network: gradient_importance(network, [make_batch()]),
    "activation": lambda network: activation_importance(network, [make_batch()]),
    "magnitude": magnitude_importance,
}


def louder(network):
    """The same network, whose first layer has larger numbers of each kind than the others."""
    layer = network.model.bert.encoder.layer[0]
    with torch.no_grad():
        for projection in (layer.attention.output.dense, layer.output.dense):
            projection.weight.mul_(40.0)
    return network


@pytest.mark.parametrize("cached", [False, True])
@pytest.mark.parametrize("score", MEASURES)
def test_layers_are_ranked_against_each_other_by_importance_of_norm_one(score, cached, tmp_path):
    network, pruning = louder(wide("bert")), Pruning(score=score, multiple=1)
    given = {"batches": lambda pruning: [make_batch()], "data": "d", "cache": tmp_path if cached else None}
    found = sliced(network, pruning, **given)
    if cached:
        found = sliced(network, pruning, **given)  # as it comes back from the file
    raw = MEASURES[score](network)
    for kind in ("heads", "neurons"):
        for ours, measured in zip(getattr(found.importance, kind), getattr(raw, kind), strict=True):
            expected = measured.sort(descending=True).values / measured.norm()
            torch.testing.assert_close(ours, expected, rtol=1e-12, atol=0)
    assert len(set(found.widths(0.5).heads)) >= 1
    unscaled = replace(
        found,
        importance=type(raw)(
            heads=tuple(part.sort(descending=True).values for part in raw.heads),
            neurons=tuple(part.sort(descending=True).values for part in raw.neurons),
        ),
    )
    assert found.widths(0.4) != unscaled.widths(0.4)  # without the norm a loud layer keeps too much
