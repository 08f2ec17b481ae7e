"""Decoders with a classification head: their stock logits, their mixtures, their folders and their methods."""

import dataclasses
import json

import pytest
import torch
import yaml
from torch.nn.functional import pad
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

from lmdistill.core.batch import MixupPartners
from lmdistill.core.errors import ModelError
from lmdistill.export.hugging_face import save
from lmdistill.methods import CLASSIFIER_METHODS, PKD
from lmdistill.models.loading.causal_lm import is_causal
from lmdistill.models.loading.classifier import has_head, load
from lmdistill.models.pruning.families import widths_of
from lmdistill.models.students.truncate import truncate
from lmdistill.recipes.files import read_recipe
from lmdistill.records.record import read_record
from lmdistill.runs.run_recipe import run_recipe
from tests.cli.cli_project import LABELS, texts, trained, write_csv
from tests.models.decoders import DECODERS, decoder
from tests.run_fixtures import no_pages as no_pages
from tests.tiny import make_batch
from tests.tiny_causal import VOCABULARY, tiny_language, tiny_language_tokenizer

PARTNERS = [3, 0, 1, 2, 7, 4, 5, 6]


def real_batch(**changes):
    """A batch of tokens that the tokenizer has, padded with its padding token."""
    batch = make_batch(**changes)

    def known(texts):
        return dataclasses.replace(
            texts, ids=(4 + (texts.ids - 5) % (VOCABULARY - 4)).masked_fill(texts.mask == 0, 0)
        )

    both = batch.mixed.inputs
    both = dataclasses.replace(known(both), partners=known(both.partners))
    mixed = dataclasses.replace(batch.mixed, inputs=both)
    return dataclasses.replace(batch, inputs=known(batch.inputs), mixed=mixed)


def blended(inputs, share):
    rows = torch.tensor(PARTNERS)
    partners = MixupPartners(
        ids=inputs.ids[rows], mask=inputs.mask[rows], share=torch.full((len(rows),), share)
    )
    return dataclasses.replace(inputs, partners=partners)


@pytest.fixture(params=DECODERS)
def network(request):
    return decoder(request.param)


@torch.no_grad()
def stock_logits(folder, inputs):
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    return model(input_ids=inputs.ids, attention_mask=inputs.mask).logits


def test_logits_are_those_of_the_stock_model_and_come_back_from_a_folder(network, tmp_path):
    inputs = real_batch().inputs
    save(network, tmp_path / "model")
    assert has_head(tmp_path / "model")
    assert not is_causal(tmp_path / "model")
    loaded = load(tmp_path / "model")
    assert loaded.labels == ("class0", "class1", "class2")
    for logits in (network(inputs).logits, loaded(inputs).logits):
        torch.testing.assert_close(logits, stock_logits(tmp_path / "model", inputs), rtol=1e-5, atol=1e-6)
    assert network(inputs).logits.std() > 0.05
    assert len(network(inputs, hidden=True).hidden) == 5


def test_a_truncated_student_is_a_stock_model(network, tmp_path):
    inputs, student = real_batch().inputs, truncate(network, layers=2)
    save(student, tmp_path / "student")
    torch.testing.assert_close(
        student(inputs).logits, stock_logits(tmp_path / "student", inputs), rtol=1e-5, atol=1e-6
    )
    assert not torch.allclose(student(inputs).logits, network(inputs).logits, atol=1e-3)
    ours, theirs = student(inputs, hidden=True).hidden, network(inputs, hidden=True).hidden
    torch.testing.assert_close(ours[1], theirs[1])


def test_the_head_reads_the_last_token_and_what_is_padding_says_nothing(network):
    inputs = real_batch().inputs
    found = network(inputs, hidden=True)
    assert torch.equal(found.read_at, inputs.mask.sum(1) - 1)
    noisy = dataclasses.replace(inputs, ids=torch.where(inputs.mask == 1, inputs.ids, 9))
    assert torch.equal(network(noisy).logits, found.logits)
    wide = dataclasses.replace(
        inputs, ids=pad(inputs.ids, (0, 3), value=9), mask=pad(inputs.mask, (0, 3)),
        segments=pad(inputs.segments, (0, 3)),
    )  # fmt: skip
    torch.testing.assert_close(network(wide).logits, found.logits, rtol=1e-4, atol=1e-5)
    last = found.read_state(-1)
    torch.testing.assert_close(network.model.score(last), found.logits, rtol=1e-5, atol=1e-5)


def test_a_share_of_one_is_the_first_text_and_of_zero_the_other(network):
    inputs = real_batch().inputs
    whole = network(inputs).logits
    torch.testing.assert_close(network(blended(inputs, 1.0)).logits, whole, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(network(blended(inputs, 0.0)).logits, whole[PARTNERS], rtol=1e-4, atol=1e-5)
    half = network(blended(inputs, 0.5), hidden=True)
    assert (half.logits - whole).abs().max() > 0.01
    lengths = inputs.mask.sum(1)
    assert torch.equal(half.read_at, torch.maximum(lengths, lengths[PARTNERS]) - 1)


@pytest.mark.parametrize("name", CLASSIFIER_METHODS)
def test_every_method_learns_from_a_decoder(name):
    method, batch = CLASSIFIER_METHODS[name](), real_batch()
    teacher, student = decoder("llama", seed=1), decoder("llama", layers=2, seed=2)
    method.check(student, teacher)
    losses = method.losses(student, teacher, batch)
    sum(losses.values()).backward()
    assert all(value.isfinite() and value > 0 for value in losses.values())
    assert student.model.score.weight.grad.abs().sum() > 0
    assert student.model.get_input_embeddings().weight.grad.abs().sum() > 0
    assert all(p.grad is None for p in teacher.parameters())
    for term, value in method.losses(teacher, teacher, batch).items():
        if not term.startswith("label"):
            torch.testing.assert_close(value, torch.zeros(()), atol=1e-5, rtol=0)


def test_pkd_compares_the_states_of_the_token_that_the_head_reads():
    batch, method = real_batch(), PKD(layers=((1, 2),), normalised=False)
    teacher, student = decoder("gpt2", seed=1), decoder("gpt2", layers=2, seed=2)
    found = method.losses(student, teacher, batch)["state"]
    ours, theirs = (net(batch.inputs, hidden=True).hidden for net in (student, teacher))
    expected = sum(
        (ours[1][row, at] - theirs[2][row, at]).square().mean()
        for row, at in enumerate(batch.inputs.mask.sum(1) - 1)
    )
    torch.testing.assert_close(found, method.beta * expected)


def edit(folder, file, **changes):
    path = folder / file
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_model_and_tokenizer_must_mean_the_same_padding(tmp_path):
    save(decoder(), tmp_path)
    edit(tmp_path, "config.json", pad_token_id=5)
    with pytest.raises(
        ModelError, match=r"pads with token 0 by its tokenizer and with 5 by its config\.json"
    ):
        load(tmp_path)
    edit(tmp_path, "config.json", pad_token_id=None)
    assert load(tmp_path).model.config.pad_token_id == 0
    edit(tmp_path, "tokenizer_config.json", pad_token=None)
    with pytest.raises(ModelError, match=r"neither the tokenizer nor config\.json .* names a padding token"):
        load(tmp_path)
    edit(tmp_path, "config.json", pad_token_id=3)
    assert load(tmp_path).tokenizer.pad_token == "</s>"


def test_another_order_of_the_labels_and_new_labels(tmp_path):
    save(decoder(), tmp_path)
    inputs = real_batch().inputs
    turned = load(tmp_path, labels=("class2", "class0", "class1"))
    torch.testing.assert_close(turned(inputs).logits, decoder()(inputs).logits[:, [2, 0, 1]])
    assert load(tmp_path, labels=("no", "yes"))(inputs).logits.shape == (8, 2)
    assert load(tmp_path, regression=True)(inputs).logits.shape == (8, 1)


def test_a_decoder_without_a_head_is_still_refused(tmp_path):
    model = tiny_language("llama", layers=1)
    save(model, tmp_path)
    with pytest.raises(
        ModelError, match=r"llama model that generates text .* a decoder with a classification"
    ):
        load(tmp_path, labels=("no", "yes"))
    assert isinstance(AutoModelForCausalLM.from_pretrained(tmp_path), type(model.model))


def test_heads_and_neurons_of_a_decoder_with_a_head_are_not_pruned():
    with pytest.raises(ModelError, match=r"a llama model with a classification head, .* Truncate its layers"):
        widths_of(decoder("llama"))


def test_a_recipe_distils_a_decoder_into_its_first_layers(tmp_path, no_pages):
    write_csv(tmp_path / "train.csv", texts(48, seed=7))
    write_csv(tmp_path / "dev.csv", texts(30, seed=8))
    teacher = trained(LABELS, network=decoder("llama", layers=3, labels=LABELS))
    save(teacher, tmp_path / "teacher")
    recipe = {
        "task": "own",
        "data": {"source": "train.csv", "dev": "dev.csv", "max_length": 24},
        "teacher": {"model": "teacher"},
        "student": {"layers": 2},
        "methods": {"M": {"name": "mixkd"}},
        "training": {"epochs": 1, "batch_size": 16},
    }
    recipe["data"] |= {name: str(tmp_path / recipe["data"][name]) for name in ("source", "dev")}
    recipe["teacher"]["model"] = str(tmp_path / "teacher")
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    run_recipe(read_recipe(tmp_path / "recipe.yaml"), tmp_path / "out", command="test")
    record = read_record(tmp_path / "out")
    assert (record.teacher.layers, record.student.layers) == (3, 2)
    student = load(tmp_path / "out" / "student")
    inputs = real_batch().inputs
    torch.testing.assert_close(
        student(inputs).logits, stock_logits(tmp_path / "out" / "student", inputs), rtol=1e-5, atol=1e-6
    )
    assert tiny_language_tokenizer().padding_side == student.tokenizer.padding_side
