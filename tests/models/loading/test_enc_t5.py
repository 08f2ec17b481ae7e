"""Classifiers that begin with a T5: against the stock T5, and through everything that a student goes through."""

import copy

import pytest
import torch
from transformers import T5Config, T5EncoderModel, T5ForConditionalGeneration

from lmdistill.core.errors import ModelError
from lmdistill.export.hugging_face import save
from lmdistill.methods import CLASSIFIER_METHODS
from lmdistill.methods.hidden_kd import HiddenKD
from lmdistill.methods.nested import Nested
from lmdistill.models.loading.classifier import has_head, load
from lmdistill.models.model_stats import count_parameters, flops
from lmdistill.models.pruning.families import Widths, unit_layers, widths_of
from lmdistill.models.pruning.importance import gradient_importance, magnitude_importance
from lmdistill.models.pruning.nested_candidates import NestedNetwork
from lmdistill.models.pruning.slicing import densify, sort_units, view
from lmdistill.models.students.truncate import truncate
from tests.models.narrow import FULL, RAGGED, VANISHED, random_importance, wide
from tests.models.pruning.test_slicing import masked
from tests.tiny import VOCABULARY, make_batch, tiny_tokenizer

KINDS = ("relu", "gated-gelu")
near = {"rtol": 1e-4, "atol": 1e-4}


def t5(kind="relu", seed=0, layers=3):
    """A random loud T5, in evaluation mode, with several decoder layers and few buckets."""
    torch.manual_seed(seed)
    config = T5Config(
        vocab_size=VOCABULARY, d_model=16, d_kv=5, num_heads=4, d_ff=32, num_layers=layers, num_decoder_layers=2,
        feed_forward_proj=kind, initializer_factor=2.0, relative_attention_num_buckets=8,
        relative_attention_max_distance=5,
    )  # fmt: skip
    model = T5ForConditionalGeneration(config).eval()
    for parameter in model.parameters():
        if parameter.ndim == 1:
            torch.nn.init.normal_(parameter, mean=1.0, std=0.3)
    return model


@pytest.fixture(params=KINDS)
def pair(request, tmp_path):
    """A T5, and the classifier that its folder becomes."""
    model = t5(request.param)
    model.save_pretrained(tmp_path / "t5")
    tiny_tokenizer().save_pretrained(tmp_path / "t5")
    return model, load(tmp_path / "t5", labels=("a", "b", "c"))


def by_stock(stock, network, inputs):
    """Logits of the stock encoder, the first stock decoder layer fed the prompt, and the head."""
    model = network.model
    states = stock.encoder(input_ids=inputs.ids, attention_mask=inputs.mask).last_hidden_state
    decoder = copy.deepcopy(stock.decoder)
    del decoder.block[1:]
    prompt = model.backbone.prompt.weight.expand(len(states), 1, -1)
    found = decoder(
        inputs_embeds=prompt,
        encoder_hidden_states=states,
        encoder_attention_mask=inputs.mask,
        use_cache=False,
    )
    return model.classifier(found.last_hidden_state[:, 0])


def test_states_are_those_of_the_stock_encoder(pair):
    stock, network = pair
    inputs = make_batch(length=14).inputs  # longer than the farthest distance
    ours = network(inputs, hidden=True).hidden
    theirs = stock.encoder(
        input_ids=inputs.ids, attention_mask=inputs.mask, output_hidden_states=True
    ).hidden_states
    assert len(ours) == network.num_layers + 1 == 4
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine[inputs.mask == 1], other[inputs.mask == 1], **near)


def test_logits_are_those_of_the_first_stock_decoder_layer_on_the_prompt(pair):
    stock, network = pair
    inputs = make_batch().inputs
    logits = network(inputs).logits
    torch.testing.assert_close(logits, by_stock(stock, network, inputs), **near)
    assert logits.std(0).min() > 0.1
    assert network.labels == ("a", "b", "c")
    assert {(p.dtype, p.device.type, p.requires_grad) for p in network.parameters()} == {
        (torch.float32, "cpu", True)
    }


def test_a_student_without_the_first_layer_knows_distances(pair):
    stock, network = pair
    inputs = make_batch(length=14).inputs
    own = stock.encoder.block[0].layer[0].SelfAttention
    first = stock.encoder.block[1].layer[0].SelfAttention
    first.relative_attention_bias, first.has_relative_attention_bias = own.relative_attention_bias, True
    del stock.encoder.block[0]
    student = truncate(network, layers=(1, 2))
    torch.testing.assert_close(student(inputs).logits, by_stock(stock, student, inputs), **near)


def test_no_two_layers_share_weights_and_nothing_of_the_t5_is_lost(pair):
    stock, network = pair
    weights = list(network.parameters())
    assert len({weight.untyped_storage().data_ptr() for weight in weights}) == len(weights)
    positions = stock.encoder.block[0].layer[0].SelfAttention.relative_attention_bias.weight
    for layer in network.model.backbone.encoder:
        assert torch.equal(layer.attention.positions.weight, positions.t())
        assert layer.attention.positions.weight.is_contiguous()
    decoder = sum(p.numel() for p in stock.decoder.block[0].parameters()) - positions.numel()
    encoder = sum(p.numel() for p in stock.encoder.block.parameters())
    # twice the table for two more layers, three norms' and the prompt's width: two final norms and the prompt
    assert count_parameters(network).encoder == encoder + decoder + 2 * positions.numel() + 3 * 16
    assert count_parameters(network).embeddings == VOCABULARY * 16
    assert count_parameters(network).head == 16 * 3 + 3


def test_prompt_and_head_are_drawn_and_the_same_seed_draws_the_same(tmp_path):
    t5().save_pretrained(tmp_path)
    tiny_tokenizer().save_pretrained(tmp_path)
    drawn = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        drawn.append(load(tmp_path, labels=("a", "b")).model)
    for name in ("backbone.prompt.weight", "classifier.weight"):
        one, same, other = (model.get_parameter(name) for model in drawn)
        assert torch.equal(one, same)
        assert not torch.equal(one, other)
        assert one.std() > 0.1
    assert not drawn[0].classifier.bias.any()


def test_a_t5_has_no_head_until_it_is_saved_as_a_classifier(tmp_path):
    t5().save_pretrained(tmp_path / "t5")
    tiny_tokenizer().save_pretrained(tmp_path / "t5")
    assert not has_head(tmp_path / "t5")
    with pytest.raises(ModelError, match=r"t5 has no classification head\. Fine-tune it first, or give the"):
        load(tmp_path / "t5")
    score = load(tmp_path / "t5", regression=True)
    save(score, tmp_path / "score")
    again, inputs = load(tmp_path / "score"), make_batch().inputs
    assert has_head(tmp_path / "score")
    assert again.num_classes == 1
    assert torch.equal(again(inputs).logits, score(inputs).logits)
    assert load(tmp_path / "score", labels=("x", "y", "z"))(inputs).logits.shape == (8, 3)


def test_an_encoder_alone_is_refused(tmp_path):
    T5EncoderModel(t5().config).save_pretrained(tmp_path)
    tiny_tokenizer().save_pretrained(tmp_path)
    with pytest.raises(
        ModelError, match=r"no weights of a T5's first decoder layer, .* Use the whole model that"
    ):
        load(tmp_path, labels=("a", "b"))


def test_plain_neurons_are_sorted_and_cut_like_gated_ones():
    network, batch = wide("enc-t5", feed_forward_proj="relu"), make_batch()
    ordered = sort_units(network, random_importance("enc-t5"))
    torch.testing.assert_close(ordered(batch.inputs).logits, network(batch.inputs).logits, **near)
    for widths in (RAGGED["enc-t5"], VANISHED["enc-t5"]):
        expected = masked("enc-t5", network, widths)(batch.inputs).logits
        torch.testing.assert_close(view(network, widths)(batch.inputs).logits, expected, **near)
        small = densify(network, widths)
        torch.testing.assert_close(small(batch.inputs).logits, expected, **near)
        assert widths_of(small) == widths
        assert small.model.config.widths() == list(zip(widths.heads, widths.neurons, strict=True))


def test_heads_take_their_distances_along_layer_by_layer():
    network, scores = wide("enc-t5"), random_importance("enc-t5")
    ordered = sort_units(network, scores)
    tables = [net.model.backbone.encoder for net in (ordered, network)]
    for number, (ours, theirs) in enumerate(zip(*tables, strict=True)):
        order = scores.heads[number].argsort(descending=True)
        expected = theirs.attention.positions.weight[order]
        assert torch.equal(ours.attention.positions.weight, expected)
    table = view(network, RAGGED["enc-t5"]).model.backbone.encoder[0].attention.positions
    assert table(torch.eye(8)).shape == (8, 1)


def test_a_student_that_could_not_read_the_text_is_refused():
    network = wide("enc-t5")
    deaf = Widths(heads=(4, 4, 4, 4, 0), neurons=FULL["enc-t5"].neurons)
    with pytest.raises(ModelError, match=r"of enc-t5 would keep 0 heads of cross-attention, .* at least 1"):
        view(network, deaf)


def test_operations_are_those_of_the_matrices():
    d, t, heads, size, buckets = 16, 10, 4, 5, 8
    inner = heads * size
    attention = 4 * 2 * t * d * inner + 2 * 2 * t * t * inner + 2 * (2 * t - 1) * buckets * heads
    feed_forward = 3 * 2 * d * 32
    own = 4 * 2 * d * inner + 2 * 2 * inner
    cross = 2 * 2 * d * inner + 2 * 2 * t * d * inner + 2 * 2 * t * inner
    expected = 3 * (attention + t * feed_forward) + own + cross + feed_forward + 2 * d * 3
    assert flops(wide("enc-t5"), t) == expected


@pytest.mark.parametrize("method", [kind() for kind in CLASSIFIER_METHODS.values()], ids=CLASSIFIER_METHODS)
def test_every_method_teaches_it(method, pair):
    _, teacher = pair
    student = truncate(teacher, layers=2)
    batch = make_batch(length=9)
    teacher.requires_grad_(False)
    optimizer = torch.optim.SGD(student.parameters(), lr=1e-5)
    before = sum(method.losses(student, teacher, batch).values())
    before.backward()
    # One position sees only itself: how a prompt's queries meet its keys has no effect.
    silent = {f"model.backbone.decoder.0.attention.{name}.weight" for name in ("q", "k")}
    sizes = {
        name: 0.0 if p.grad is None else p.grad.abs().max().item() for name, p in student.named_parameters()
    }
    # Where the gradient is 0 in exact arithmetic, PyTorch's fused attention on CPU leaves rounding noise: on
    # processors with AVX-512 up to 4e-7 of the largest gradient, elsewhere exactly 0. A real gradient has at
    # least 1e-2 of the largest here.
    still = {name for name, size in sizes.items() if size < 1e-4 * max(sizes.values())}
    assert still == silent
    optimizer.step()
    assert sum(method.losses(student, teacher, batch).values()) < before


def test_candidates_learn_together():
    network, batch = wide("enc-t5"), make_batch()
    ordered = sort_units(network, gradient_importance(network, [batch]).normalised())
    whole = NestedNetwork(ordered, {1.0: FULL["enc-t5"], 0.5: RAGGED["enc-t5"], 0.1: VANISHED["enc-t5"]})
    method = Nested(method=HiddenKD(), kept=(1.0, 0.5, 0.1))
    sum(method.losses(whole, network, batch).values()).backward()
    for layer in ordered.model.backbone.encoder:
        assert layer.attention.positions.weight.grad.abs().sum() > 0
    for kept, widths in ((0.5, RAGGED["enc-t5"]), (0.1, VANISHED["enc-t5"])):
        alone = densify(ordered, widths)
        torch.testing.assert_close(whole(batch.inputs, kept=kept).logits, alone(batch.inputs).logits, **near)


def test_dropout_falls_on_every_part():
    network = wide("enc-t5", dropout_rate=0.5)
    inputs = make_batch().inputs
    assert torch.equal(network(inputs).logits, network(inputs).logits)
    network.train()
    assert not torch.equal(network(inputs).logits, network(inputs).logits)
    for layer in unit_layers(network.model):
        assert layer.attention.dropout == layer.dropout.p == 0.5


def test_a_loss_comes_with_labels_and_states_only_if_asked_for():
    model, batch = wide("enc-t5").model, make_batch()
    found = model(batch.inputs.ids, batch.inputs.mask, labels=batch.labels)
    torch.testing.assert_close(found.loss, torch.nn.functional.cross_entropy(found.logits, batch.labels))
    assert found.hidden_states is None
    whole = torch.ones_like(batch.inputs.mask)
    assert torch.equal(model(batch.inputs.ids).logits, model(batch.inputs.ids, whole).logits)
    with pytest.raises(ValueError, match="give either input_ids or inputs_embeds"):
        model(attention_mask=whole)


def test_magnitudes_count_the_distances_of_a_head():
    network = wide("enc-t5")
    attention = network.model.backbone.encoder[1].attention
    parts = [part.weight[5:10] for part in (attention.q, attention.k, attention.v)]
    parts += [attention.positions.weight[1], attention.o.weight[:, 5:10]]
    expected = torch.cat([part.flatten() for part in parts]).double().norm()
    torch.testing.assert_close(magnitude_importance(network).heads[1][1], expected)
