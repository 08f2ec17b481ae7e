"""What every method must do; a new entry of CLASSIFIER_METHODS is tested here without a new test."""

import dataclasses

import pytest
import torch
from torch.nn.functional import pad

from lmdistill.core.errors import MismatchError
from lmdistill.core.protocols import Method
from lmdistill.methods import CLASSIFIER_METHODS
from tests.tiny import make_batch, tiny


@pytest.fixture(params=CLASSIFIER_METHODS.values(), ids=CLASSIFIER_METHODS.keys())
def method(request):
    return request.param()


def total(method, student, teacher, batch):
    torch.manual_seed(7)
    return sum(method.losses(student, teacher, batch).values())


def widened(inputs, extra=3):
    """The same texts with more padding, filled with a real token so that a leak shows."""
    blend = inputs.partners
    if blend is not None:
        blend = dataclasses.replace(
            blend,
            ids=pad(blend.ids, (0, extra), value=9),
            mask=pad(blend.mask, (0, extra)),
            segments=pad(blend.segments, (0, extra), value=1),
        )
    return dataclasses.replace(
        inputs,
        ids=pad(inputs.ids, (0, extra), value=9),
        mask=pad(inputs.mask, (0, extra)),
        segments=pad(inputs.segments, (0, extra), value=1),
        partners=blend,
    )


def test_it_is_a_method(method):
    assert isinstance(method, Method)


def test_losses_are_finite_scalars(method, student, teacher, batch):
    for value in method.losses(student, teacher, batch).values():
        assert value.shape == ()
        assert torch.isfinite(value)


def test_teacher_gets_no_gradient_and_every_part_of_the_student_does(method, student, teacher, batch):
    total(method, student, teacher, batch).backward()
    assert all(p.grad is None for p in teacher.parameters())
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in student.model.classifier.parameters())
    assert student.model.get_input_embeddings().weight.grad.abs().sum() > 0


def test_unscored_examples_do_not_matter(method, student, teacher, batch):
    mixed = dataclasses.replace(batch.mixed, scored=torch.zeros_like(batch.mixed.scored))
    none = dataclasses.replace(batch, scored=torch.zeros_like(batch.scored), mixed=mixed)
    assert total(method, student, teacher, none) == 0


def test_sums_over_halves_add_up_to_the_whole(method, student, teacher, batch):
    def kept(rows):
        mixed = dataclasses.replace(batch.mixed, scored=batch.mixed.scored & rows)
        return dataclasses.replace(batch, scored=batch.scored & rows, mixed=mixed)

    first = torch.arange(8) < 3
    parts = total(method, student, teacher, kept(first)) + total(method, student, teacher, kept(~first))
    torch.testing.assert_close(parts, total(method, student, teacher, batch))


def test_method_is_its_own_config(method):
    assert dataclasses.is_dataclass(method)
    assert type(method)(**{f.name: getattr(method, f.name) for f in dataclasses.fields(method)}) == method


def test_method_is_frozen(method):
    for field in dataclasses.fields(method):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(method, field.name, None)


def test_a_missing_teacher_is_refused_or_unused(method, student, batch):
    if method.uses_teacher:
        with pytest.raises(
            MismatchError, match=r"needs a teacher, got none\. Name one, or use method finetune"
        ):
            method.check(student, None)
    else:
        method.check(student, None)
        method.losses(student, None, batch)


def test_class_counts_must_agree_where_classes_are_compared(method, teacher):
    if not method.uses_teacher:
        method.check(tiny(classes=5), teacher)
        return
    with pytest.raises(MismatchError, match=r"predicts 3 classes and the student 5; .*num_labels=3"):
        method.check(tiny(classes=5), teacher)


def test_class_names_must_agree_where_classes_are_compared(method, teacher):
    other = tiny(labels=("class1", "class0", "class2"))
    if not method.uses_teacher:
        method.check(other, teacher)
        return
    with pytest.raises(
        MismatchError, match="class0, class1, class2 and the student's class1, class0, class2"
    ):
        method.check(other, teacher)


def test_a_perfect_student_pays_only_for_labels(method, teacher, batch):
    losses = method.losses(teacher, teacher, batch)
    for name in [name for name in losses if not name.startswith("label")]:
        torch.testing.assert_close(losses[name], torch.zeros(()), atol=1e-5, rtol=0)


def test_an_imperfect_student_pays_for_every_term(method, student, teacher, batch):
    assert all(value > 1e-3 for value in method.losses(student, teacher, batch).values())


def test_padding_does_not_matter(method, student, teacher, batch):
    wide = dataclasses.replace(
        batch,
        inputs=widened(batch.inputs),
        mixed=dataclasses.replace(batch.mixed, inputs=widened(batch.mixed.inputs)),
    )
    torch.testing.assert_close(
        total(method, student, teacher, wide), total(method, student, teacher, batch), rtol=1e-5, atol=0
    )


def test_scores_can_be_learned_too(method):
    student, teacher = tiny(seed=2, classes=1), tiny(layers=4, seed=1, classes=1)
    method.check(student, teacher)
    losses = method.losses(student, teacher, make_batch(regression=True))
    assert all(torch.isfinite(value) and value > 0 for value in losses.values())


def test_bfloat16_networks_give_float32_losses(method, student, teacher, batch):
    losses = method.losses(student.bfloat16(), teacher.bfloat16(), batch)
    assert all(value.dtype == torch.float32 for value in losses.values())


def test_class_weights_scale_label_terms_and_no_other(method, student, teacher, batch):
    twice = torch.full_like(batch.labels, 2, dtype=torch.float32)
    mixed = batch.mixed and dataclasses.replace(
        batch.mixed, weights=torch.full((len(batch.mixed.labels),), 2.0),
        partner_weights=torch.full((len(batch.mixed.labels),), 2.0),
    )  # fmt: skip
    weighed = dataclasses.replace(batch, label_weights=twice, mixed=mixed)
    plain, found = (method.losses(student, teacher, one) for one in (batch, weighed))
    assert plain.keys() == found.keys()
    for name, value in plain.items():
        torch.testing.assert_close(found[name], (2 if name.startswith("label") else 1) * value)
