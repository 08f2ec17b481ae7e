import dataclasses

import numpy as np
import pytest
import torch

from lmdistill.core.batch import Inputs, MixupSettings
from lmdistill.core.errors import ConfigError
from lmdistill.methods import MixKD
from tests.tiny import make_batch, tiny


class Counted:
    """A network that counts its passes and the rows in them."""

    def __init__(self, net):
        self.net, self.rows = net, []
        self.num_layers, self.num_classes, self.width, self.labels = (
            net.num_layers,
            net.num_classes,
            net.width,
            net.labels,
        )

    def __call__(self, inputs, *, hidden=False):
        self.rows.append(len(inputs.ids))
        return self.net(inputs, hidden=hidden)


def log_softmax(x):
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


@pytest.mark.parametrize("ratio", [1, 3])
def test_terms_equal_a_rewrite_from_the_paper_in_float64(ratio):
    """L_MLE, L_SM and L_TMKD with one-hot labels, mixed by hand, example by example, without a batch."""
    student, teacher, batch = tiny(seed=2).double(), tiny(layers=4, seed=1).double(), make_batch(ratio=ratio)
    terms = MixKD(alpha_sm=0.7, alpha_tmkd=1.3, ratio=ratio).losses(student, teacher, batch)
    mle = sm = tmkd = 0.0
    for i in range(8):
        logits = student(_one(batch.inputs, i)).logits.detach().numpy()[0]
        mle -= np.eye(3)[batch.labels[i]] @ log_softmax(logits)
    for m in range(8 * ratio):
        share = batch.mixed.share[m].item()
        label = (
            share * np.eye(3)[batch.mixed.labels[m]] + (1 - share) * np.eye(3)[batch.mixed.partner_labels[m]]
        )
        ours, theirs = (_by_hand(net, batch.mixed.inputs, m, share) for net in (student, teacher))
        sm -= label @ log_softmax(ours)
        tmkd += ((ours - theirs) ** 2).mean()
    assert terms["label"].item() == pytest.approx(mle, rel=1e-6)
    assert terms["label_mixed"].item() == pytest.approx(0.7 * sm / ratio, rel=1e-6)
    assert terms["teacher_mixed"].item() == pytest.approx(1.3 * tmkd / ratio, rel=1e-6)


def _one(inputs, i):
    real = int(inputs.mask[i].sum())
    return Inputs(
        ids=inputs.ids[i : i + 1, :real],
        mask=inputs.mask[i : i + 1, :real],
        segments=inputs.segments[i : i + 1, :real],
    )


def _by_hand(net, inputs, m, share):
    """Word vectors of two texts, each cut to its real length and padded with zero vectors, interpolated."""
    tables = net.model.bert.embeddings
    words, segments = tables.word_embeddings.weight.detach(), tables.token_type_embeddings.weight.detach()
    length = int(max(inputs.mask[m].sum(), inputs.partners.mask[m].sum()))
    total = torch.zeros(1, length, net.width, dtype=torch.float64)
    for weight, view in ((share, inputs), (1 - share, inputs.partners)):
        real = int(view.mask[m].sum())
        total[0, :real] += weight * words[view.ids[m, :real]]
        total[0] += weight * segments[view.segments[m, :length]]
    # The stock model adds the vector of segment 0 by itself; take it out first.
    zero = torch.zeros(1, length, dtype=torch.long)
    out = net.model(
        inputs_embeds=total - segments[0], attention_mask=torch.ones_like(zero), token_type_ids=zero
    )
    return out.logits.detach().numpy()[0]


def test_share_one_is_learning_from_the_originals(student, teacher, batch):
    ones = torch.ones(8)
    whole = dataclasses.replace(
        batch.mixed,
        share=ones,
        inputs=dataclasses.replace(
            batch.mixed.inputs, partners=dataclasses.replace(batch.mixed.inputs.partners, share=ones)
        ),
    )
    terms = MixKD().losses(student, teacher, dataclasses.replace(batch, mixed=whole))
    # The union of masks lets the model attend to the partner's places, which are zero vectors there:
    # so compare where both texts have the same length.
    same = (batch.mixed.inputs.mask == batch.mixed.inputs.partners.mask).all(1)
    assert same.any()
    ours = student(whole.inputs).logits[same]
    torch.testing.assert_close(ours, student(batch.inputs).logits[same], rtol=1e-5, atol=1e-5)
    assert terms["label"].isfinite()


def test_probabilities_may_be_compared_instead_of_logits(student, teacher, batch):
    found = MixKD(alpha_sm=0.0, distance="mse_probabilities").losses(student, teacher, batch)["teacher_mixed"]
    q, p = (net(batch.mixed.inputs).logits.softmax(-1) for net in (student, teacher))
    torch.testing.assert_close(found, (q - p).square().mean(-1).sum())
    logits = MixKD(alpha_sm=0.0).losses(student, teacher, batch)["teacher_mixed"]
    assert (found - logits).abs() > 1e-3


def test_student_and_teacher_run_once(student, teacher, batch):
    ours, theirs = Counted(student), Counted(teacher)
    MixKD().losses(ours, theirs, batch)
    assert (ours.rows, theirs.rows) == ([16], [8])
    MixKD(alpha_kd=0.5).losses(ours, theirs, batch)
    assert (ours.rows[1:], theirs.rows[1:]) == ([16], [16])


@pytest.mark.parametrize(
    ("settings", "terms"),
    [
        ({}, {"label", "label_mixed", "teacher_mixed"}),
        ({"alpha_sm": 0.0}, {"label", "teacher_mixed"}),
        ({"alpha_tmkd": 0.0}, {"label", "label_mixed"}),
        ({"alpha_kd": 1.0}, {"label", "label_mixed", "teacher", "teacher_mixed"}),
    ],
)
def test_variants_of_the_paper_are_settings(settings, terms, student, teacher, batch):
    assert MixKD(**settings).losses(student, teacher, batch).keys() == terms


def test_without_mixed_terms_nothing_is_drawn(student, teacher, batch):
    plain = MixKD(alpha_sm=0.0, alpha_tmkd=0.0, alpha_kd=1.0)
    assert plain.mixing is None
    ours = plain.losses(student, teacher, dataclasses.replace(batch, mixed=None))
    assert ours.keys() == {"label", "teacher"}


def test_plain_mixup_needs_no_teacher(student, batch):
    method = MixKD(alpha_tmkd=0.0)
    method.check(student, None)
    assert method.losses(student, None, batch)["label_mixed"] > 0


def test_weights_scale_their_terms(student, teacher, batch):
    once = MixKD().losses(student, teacher, batch)
    twice = MixKD(alpha_sm=2.0, alpha_tmkd=3.0).losses(student, teacher, batch)
    torch.testing.assert_close(twice["label_mixed"], 2 * once["label_mixed"])
    torch.testing.assert_close(twice["teacher_mixed"], 3 * once["teacher_mixed"])
    torch.testing.assert_close(twice["label"], once["label"])


def test_teacher_of_another_width_and_vocabulary_answers_its_own_view(student, batch):
    """Same pairs and shares, in the teacher's own ids: what it says must not depend on the student's."""
    teacher = tiny(layers=3, seed=5, width=8)
    theirs = make_batch(seed=11)
    blend = dataclasses.replace(theirs.mixed.inputs.partners, share=batch.mixed.share)
    view = dataclasses.replace(theirs.mixed.inputs, partners=blend)
    mixed = dataclasses.replace(batch.mixed, teacher_inputs=view)
    loss = MixKD(alpha_sm=0.0).losses(student, teacher, dataclasses.replace(batch, mixed=mixed))[
        "teacher_mixed"
    ]
    expected = (student(batch.mixed.inputs).logits - teacher(view).logits).square().mean(1).sum()
    torch.testing.assert_close(loss, expected)


def test_the_draw_it_asks_for_is_its_settings():
    method = MixKD(ratio=2, concentration=0.7, share="batch", fold=True, partner="batch", segments="keep")
    assert method.mixing == MixupSettings(
        ratio=2, concentration=0.7, share="batch", fold=True, partner="batch", segments="keep"
    )


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("alpha_sm", -1.0, "alpha_sm must be >= 0, got -1.0"),
        ("alpha_tmkd", float("nan"), "alpha_tmkd must be >= 0, got nan"),
        ("concentration", 0.0, "concentration must be > 0, got 0.0"),
        ("ratio", 0, "ratio must be >= 1, got 0"),
        ("temperature", -2.0, "temperature must be > 0, got -2.0"),
    ],
)
def test_ranges_are_checked(field, value, message):
    with pytest.raises(ConfigError, match=message):
        MixKD(**{field: value})
