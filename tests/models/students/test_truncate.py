import itertools

import pytest
import torch
from transformers import (
    AlbertConfig,
    AlbertForSequenceClassification,
    AutoModelForSequenceClassification,
    SqueezeBertConfig,
    SqueezeBertForSequenceClassification,
)

from lmdistill.core.errors import ModelError, UnknownNameError
from lmdistill.export.hugging_face import save
from lmdistill.models.classifier import Network
from lmdistill.models.students.truncate import ENCODER_LAYERS, _selected_layers, truncate
from tests.models.families import FAMILIES, family
from tests.tiny import make_batch, tiny, tiny_tokenizer


def test_every_family_of_the_table_is_tested():
    assert ENCODER_LAYERS.keys() == FAMILIES.keys()


@pytest.mark.parametrize("name", FAMILIES)
def test_the_first_layers_compute_what_they_did_in_the_teacher(name):
    teacher, inputs = family(name), make_batch().inputs
    student = truncate(teacher, layers=2)
    ours, theirs = student(inputs, hidden=True).hidden, teacher(inputs, hidden=True).hidden
    assert student.num_layers == 2
    assert len(ours) == 3
    # the last state of some families is normalised behind the last layer, so compare those below it
    for mine, other in zip(ours[:2], theirs[:2], strict=True):
        torch.testing.assert_close(mine[inputs.mask == 1], other[inputs.mask == 1])


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("layers", [1, 2, (0, 3)])
def test_a_saved_student_is_a_stock_model_with_the_same_logits(name, layers, tmp_path):
    student, inputs = truncate(family(name), layers=layers), make_batch().inputs
    save(student, tmp_path / "student")
    stock = AutoModelForSequenceClassification.from_pretrained(tmp_path / "student").eval()
    given = {"token_type_ids": inputs.segments} if student.takes_segments else {}
    logits = stock(input_ids=inputs.ids, attention_mask=inputs.mask, **given).logits
    torch.testing.assert_close(logits, student(inputs).logits, rtol=1e-6, atol=1e-6)
    assert stock.config.num_hidden_layers == student.num_layers


@pytest.mark.parametrize("name", FAMILIES)
def test_the_teacher_is_neither_changed_nor_shared(name):
    teacher, inputs = family(name), make_batch().inputs
    before = teacher(inputs).logits
    student = truncate(teacher, layers=2)
    with torch.no_grad():
        for parameter in student.parameters():
            parameter.add_(1.0)
    torch.testing.assert_close(teacher(inputs).logits, before, rtol=0, atol=0)
    assert teacher.model.config.num_hidden_layers == 4


@pytest.mark.parametrize(
    ("layers", "keep", "expected"),
    [
        (2, "first", [0, 1]),
        (2, "last", [2, 3]),
        (2, "alternate", [0, 3]),
        (3, "alternate", [0, 2, 3]),
        ((1, 3), "first", [1, 3]),
    ],
)
def test_kept_layers_are_the_ones_that_were_asked_for(layers, keep, expected):
    teacher = tiny(layers=4)
    student = truncate(teacher, layers=layers, keep=keep)
    ours, theirs = student.model.bert.encoder.layer, teacher.model.bert.encoder.layer
    assert len(ours) == len(expected)
    for mine, number in zip(ours, expected, strict=True):
        for a, b in zip(mine.parameters(), theirs[number].parameters(), strict=True):
            torch.testing.assert_close(a, b, rtol=0, atol=0)


@pytest.mark.parametrize("layers", [0, 5, 9])
def test_a_depth_that_does_not_exist_is_refused(layers):
    with pytest.raises(
        ModelError, match=rf"layers must be between 1 and 4 \(the depth of tiny4\), got {layers}\."
    ):
        truncate(tiny(layers=4), layers=layers)


@pytest.mark.parametrize("layers", [(), (1, 0), (0, 0), (0, 4), (-1, 2)])
def test_listed_layers_must_rise_and_exist(layers):
    with pytest.raises(
        ModelError, match=r"layers must be ascending numbers between 0 and 3 \(the depth of tiny4 is 4\)"
    ):
        truncate(tiny(layers=4), layers=layers)


def test_an_unknown_choice_of_layers_is_answered_with_the_nearest():
    with pytest.raises(
        UnknownNameError, match=r"no choice of layers is called 'fist'\. Did you mean 'first'"
    ):
        _selected_layers(2, 4, "fist", "x")


def test_a_student_of_a_frozen_teacher_can_learn():
    teacher = tiny()
    teacher.requires_grad_(False)
    assert all(parameter.requires_grad for parameter in truncate(teacher, layers=1).parameters())
    assert not any(parameter.requires_grad for parameter in teacher.parameters())


@pytest.mark.parametrize("count", range(1, 13))
def test_evenly_spaced_layers_are_distinct_and_reach_from_end_to_end(count):
    chosen = _selected_layers(count, 12, "alternate", "x")
    gaps = {after - before for before, after in itertools.pairwise(chosen)}
    assert len(chosen) == count
    assert chosen[0] == 0
    assert count == 1 or chosen[-1] == 11
    assert not gaps or 1 <= min(gaps) <= max(gaps) <= min(gaps) + 1


def test_six_evenly_spaced_layers_of_twelve_are_those_of_distilbert():
    assert _selected_layers(6, 12, "alternate", "x") == (0, 2, 4, 7, 9, 11)


def test_only_what_is_kept_is_copied():
    teacher = tiny(layers=4)
    dropped = teacher.model.bert.encoder.layer[3]

    def refuse(memo):
        raise AssertionError("a dropped layer was copied")

    dropped.__deepcopy__ = refuse
    assert truncate(teacher, layers=3).num_layers == 3
    with pytest.raises(AssertionError, match="a dropped layer was copied"):
        truncate(teacher, layers=4)


def test_modernbert_keeps_its_pattern_of_attention():
    student = truncate(family("modernbert"), layers=(0, 1, 3))
    pattern = ["full_attention", "sliding_attention", "sliding_attention"]
    assert student.model.config.layer_types == pattern
    assert [layer.attention_type for layer in student.model.model.layers] == pattern


def test_modernbert_keeps_its_first_layer():
    with pytest.raises(ModelError, match=r"the first layer of modernbert has no norm .* Keep layer 0"):
        truncate(family("modernbert"), layers=2, keep="last")


def test_shared_layers_are_refused_by_name():
    config = AlbertConfig(
        vocab_size=50,
        embedding_size=8,
        hidden_size=16,
        num_attention_heads=2,
        intermediate_size=32,
        num_labels=3,
    )
    albert = Network(AlbertForSequenceClassification(config), tiny_tokenizer(), source="albert")
    with pytest.raises(ModelError, match="albert shares one set of weights between its layers"):
        truncate(albert, layers=2)


def test_unknown_families_are_refused_by_name():
    config = SqueezeBertConfig(
        vocab_size=50, embedding_size=16, hidden_size=16, num_attention_heads=2, num_hidden_layers=2,
        intermediate_size=32, q_groups=1, k_groups=1, v_groups=1, post_attention_groups=1,
        intermediate_groups=1, output_groups=1,
    )  # fmt: skip
    other = Network(SqueezeBertForSequenceClassification(config), tiny_tokenizer(), source="x")
    with pytest.raises(
        ModelError, match=r"the layers of squeezebert models are not known; .* Add a line to ENCODER_LAYERS"
    ):
        truncate(other, layers=2)
