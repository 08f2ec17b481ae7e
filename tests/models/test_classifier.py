import dataclasses

import pytest
import torch
from transformers import RobertaConfig, RobertaForSequenceClassification

from lmdistill.core.batch import Inputs, MixupPartners
from lmdistill.core.protocols import Net
from lmdistill.models.classifier import Network
from tests.models.families import FAMILIES, family
from tests.tiny import make_batch, tiny


@pytest.fixture(params=FAMILIES)
def network(request):
    return family(request.param)


def blended(inputs, partner, share, segments=True):
    rows = torch.tensor(partner)
    blend = MixupPartners(
        ids=inputs.ids[rows],
        mask=inputs.mask[rows],
        share=torch.tensor(share),
        segments=inputs.segments[rows] if segments else None,
    )
    return dataclasses.replace(inputs, partners=blend)


def test_it_is_a_net(network):
    assert isinstance(network, Net)
    assert (network.num_layers, network.num_classes, network.width) == (4, 3, 16)
    assert network.labels == ("class0", "class1", "class2")


def test_logits_and_states_are_those_of_the_stock_model(network):
    inputs = make_batch().inputs
    ours = network(inputs, hidden=True)
    given = {"token_type_ids": inputs.segments} if network.takes_segments else {}
    stock = network.model(
        input_ids=inputs.ids, attention_mask=inputs.mask, output_hidden_states=True, **given
    )
    torch.testing.assert_close(ours.logits, stock.logits, rtol=0, atol=0)
    assert len(ours.hidden) == 5
    for mine, theirs in zip(ours.hidden, stock.hidden_states, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=0)
    assert ours.logits.std() > 0.05  # loud, or this file proves nothing


PARTNERS = [3, 0, 1, 2, 7, 4, 5, 6]


def padded(network):
    """A batch whose padding is the model's own, with longer and shorter partners."""
    inputs = make_batch().inputs
    lengths = inputs.mask.sum(1)
    assert (lengths < lengths[PARTNERS]).any()
    return dataclasses.replace(
        inputs, ids=inputs.ids.masked_fill(inputs.mask == 0, network.model.config.pad_token_id)
    )


def test_a_share_of_one_is_the_first_text_bit_for_bit(network):
    inputs = padded(network)
    assert torch.equal(network(blended(inputs, PARTNERS, [1.0] * 8)).logits, network(inputs).logits)


def test_a_share_of_zero_is_the_other_text(network):
    inputs = padded(network)
    rows = {name: getattr(inputs, name)[PARTNERS] for name in ("ids", "mask", "segments")}
    logits = network(blended(inputs, PARTNERS, [0.0] * 8)).logits
    torch.testing.assert_close(logits, network(Inputs(**rows)).logits, rtol=1e-4, atol=1e-5)


def test_swapping_both_texts_and_their_shares_changes_nothing(network):
    inputs = make_batch().inputs
    partner = torch.tensor([1, 0, 3, 2, 5, 4, 7, 6])
    share = torch.rand(8)
    ours = network(blended(inputs, partner.tolist(), share.tolist())).logits
    theirs = network(blended(inputs, partner.tolist(), (1 - share)[partner].tolist())).logits
    torch.testing.assert_close(ours, theirs[partner], rtol=1e-4, atol=1e-4)


def test_a_blend_differs_from_both_of_its_texts(network):
    inputs = make_batch().inputs
    mixed = network(blended(inputs, [1, 0, 3, 2, 5, 4, 7, 6], [0.5] * 8)).logits
    assert (mixed - network(inputs).logits).abs().max() > 0.01


def test_padding_of_the_shorter_text_is_zero_and_not_its_pad_token():
    network = tiny()
    inputs = make_batch().inputs
    partner = [1, 0, 3, 2, 5, 4, 7, 6]
    before = network(blended(inputs, partner, [0.5] * 8)).logits
    # other ids under the mask: nothing may change
    noisy = dataclasses.replace(inputs, ids=torch.where(inputs.mask == 1, inputs.ids, 17))
    torch.testing.assert_close(network(blended(noisy, partner, [0.5] * 8)).logits, before)


def test_masks_are_united():
    network = tiny()
    ids = torch.tensor([[7, 8, 9, 0], [10, 0, 0, 0]])
    mask = (ids > 0).long()
    inputs = Inputs(ids=ids, mask=mask, segments=torch.zeros_like(ids))
    mixed = network(blended(inputs, [1, 0], [0.5, 0.5]), hidden=True)
    words = network.model.get_input_embeddings()
    by_hand = 0.5 * (words(ids[:1]) * mask[:1, :, None] + words(ids[1:]) * mask[1:, :, None])
    stock = network.model(inputs_embeds=by_hand, attention_mask=mask[:1])
    torch.testing.assert_close(mixed.logits[:1], stock.logits)


def test_segments_are_mixed_like_words_or_kept():
    network = tiny()
    full = make_batch().inputs
    full = dataclasses.replace(full, mask=torch.ones_like(full.mask))
    partner = [1, 0, 3, 2, 5, 4, 7, 6]
    rows = torch.tensor(partner)
    tables = network.model.bert.embeddings
    words, segments = tables.word_embeddings, tables.token_type_embeddings
    mix = 0.3 * words(full.ids) + 0.7 * words(full.ids[rows])
    both = 0.3 * segments(full.segments) + 0.7 * segments(full.segments[rows])
    zero = torch.zeros_like(full.ids)
    share = [0.3] * 8

    def stock(embeds):
        return network.model(
            inputs_embeds=embeds - segments(zero), attention_mask=full.mask, token_type_ids=zero
        ).logits

    torch.testing.assert_close(
        network(blended(full, partner, share)).logits, stock(mix + both), rtol=1e-4, atol=1e-5
    )
    kept = network(blended(full, partner, share, segments=False)).logits
    torch.testing.assert_close(kept, stock(mix + segments(full.segments)), rtol=1e-4, atol=1e-5)
    assert (kept - stock(mix + both)).abs().max() > 0.01


def test_gradients_reach_the_embeddings_of_both_texts():
    network = tiny()
    ids = torch.tensor([[7, 8], [9, 10]])
    inputs = Inputs(ids=ids, mask=torch.ones_like(ids), segments=torch.zeros_like(ids))
    network(blended(inputs, [1, 0], [0.5, 0.5])).logits[0].sum().backward()
    touched = network.model.get_input_embeddings().weight.grad.abs().sum(1) > 0
    assert touched.nonzero().flatten().tolist() == [7, 8, 9, 10]


def test_it_is_in_the_mode_of_its_model():
    model = tiny().model
    assert not Network(model.eval(), None, source="x").training
    assert Network(model.train(), None, source="x").training


def test_positions_of_a_blend_are_those_of_its_tokens():
    """RoBERTa counts positions from the id of its padding, and cannot see it in embeddings."""
    torch.manual_seed(0)
    shape = {**FAMILIES["roberta"], "pad_token_id": 1, "num_labels": 3}
    network = Network(RobertaForSequenceClassification(RobertaConfig(**shape)).eval(), None, source="roberta")
    inputs = make_batch().inputs
    inputs = dataclasses.replace(inputs, ids=inputs.ids.masked_fill(inputs.mask == 0, 1))
    assert torch.equal(network(blended(inputs, range(8), [1.0] * 8)).logits, network(inputs).logits)


def test_segments_are_not_given_to_a_model_that_has_one():
    network, inputs = family("xlm-roberta"), make_batch().inputs
    assert not network.takes_segments
    assert inputs.segments.max() == 1
    network(inputs)


def test_a_regression_has_one_output_and_no_labels():
    network = tiny(classes=1)
    assert (network.num_classes, network.labels) == (1, ())
    assert isinstance(network, Network)
