"""What every method for language models must do; a new entry of the table is tested here without a new test."""

import dataclasses

import pytest
import torch
from torch.nn.functional import cross_entropy, kl_div, pad

from lmdistill.core.completions import Completions
from lmdistill.core.errors import ConfigError, MismatchError
from lmdistill.core.protocols import Method, PrepassMethod
from lmdistill.methods import ATKD, LANGUAGE_METHODS, SFT, TokenKD
from tests.tiny import tiny
from tests.tiny_causal import language_batch, tiny_language

DIVERGENCES = (
    "forward_kl",
    "jensen_shannon",
    "reverse_kl",
    "skew_forward_kl",
    "skew_reverse_kl",
    "total_variation",
)


@pytest.fixture(params=LANGUAGE_METHODS.values(), ids=LANGUAGE_METHODS.keys())
def method(request):
    return request.param()


@pytest.fixture
def student():
    return tiny_language(layers=2, seed=1)


@pytest.fixture
def teacher():
    return tiny_language(layers=4, seed=2)


@pytest.fixture
def batch():
    return language_batch(size=8)


def total(method, student, teacher, batch):
    return sum(method.losses(student, teacher, batch).values())


def logits_of(network, batch):
    """All logits at the scored positions, as plain transformers computes them."""
    found = network.model(input_ids=batch.inputs.ids, attention_mask=batch.inputs.mask).logits
    return found[batch.scored].detach().double()


def test_it_is_a_method(method):
    assert isinstance(method, Method)


def test_losses_are_finite_scalars_whose_sum_has_a_gradient(method, student, teacher, batch):
    losses = method.losses(student, teacher, batch)
    assert all(value.shape == () and torch.isfinite(value) for value in losses.values())
    sum(losses.values()).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in student.model.parameters())
    assert student.model.get_output_embeddings().weight.grad.abs().sum() > 0
    assert student.model.get_input_embeddings().weight.grad.abs().sum() > 0
    assert all(p.grad is None for p in teacher.model.parameters())


def test_what_is_not_scored_does_not_matter(method, student, teacher, batch):
    other = dataclasses.replace(batch, labels=torch.where(batch.scored, batch.labels, 7))
    assert total(method, student, teacher, other) == total(method, student, teacher, batch)


def test_padding_does_not_matter(method, student, teacher, batch):
    wide = dataclasses.replace(
        batch,
        inputs=dataclasses.replace(
            batch.inputs, ids=pad(batch.inputs.ids, (0, 3), value=9), mask=pad(batch.inputs.mask, (0, 3))
        ),
        labels=pad(batch.labels, (0, 3), value=5),
        scored=pad(batch.scored, (0, 3)),
    )
    torch.testing.assert_close(
        total(method, student, teacher, wide), total(method, student, teacher, batch), rtol=1e-5, atol=1e-5
    )


def test_it_is_its_own_configuration_and_frozen(method):
    assert type(method)(**{f.name: getattr(method, f.name) for f in dataclasses.fields(method)}) == method
    for field in dataclasses.fields(method):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(method, field.name, None)


def test_a_missing_teacher_is_refused_or_unused(method, student, batch):
    if method.uses_teacher:
        with pytest.raises(MismatchError, match=r"needs a teacher, got none\. Name one, or use method sft"):
            method.check(student, None)
    else:
        method.check(student, None)
        assert total(method, student, None, batch) > 0


def test_a_classifier_is_refused(method, teacher):
    with pytest.raises(MismatchError, match="for causal language models, and the student is a classifier"):
        method.check(tiny(), teacher)


def test_a_teacher_in_half_precision_gives_nearly_the_same_loss_and_a_student_float32_gradients(
    method, student, teacher, batch
):
    whole = {name: value.detach() for name, value in method.losses(student, teacher, batch).items()}
    teacher.to(dtype=torch.bfloat16)
    half = method.losses(student, teacher, batch)
    assert {value.dtype for value in half.values()} == {torch.float32}
    for name, value in half.items():
        torch.testing.assert_close(value.detach(), whole[name], rtol=0.03, atol=0.0)
    assert method.uses_teacher != (sum(half.values()).item() == sum(whole.values()).item())
    sum(half.values()).backward()
    assert {p.grad.dtype for p in student.parameters()} == {torch.float32}


def test_vocabularies_must_agree_where_they_are_compared(method, teacher):
    small = tiny_language(layers=1)
    small.limit_vocabulary(small.vocabulary - 2)
    if method.uses_teacher:
        with pytest.raises(
            MismatchError, match=rf"has {small.vocabulary} tokens .* teacher {teacher.vocabulary}"
        ):
            method.check(small, teacher)


def test_a_perfect_student_pays_only_for_labels(method, teacher, batch):
    for name, value in method.losses(teacher, teacher, batch).items():
        if name != "label":
            torch.testing.assert_close(value, torch.zeros(()), atol=1e-4, rtol=0)


def test_bfloat16_networks_give_float32_losses(method, student, teacher, batch):
    losses = method.losses(student.bfloat16(), teacher.bfloat16(), batch)
    assert all(value.dtype == torch.float32 for value in losses.values())


def test_sft_is_the_cross_entropy_of_the_scored_tokens(student, batch):
    wanted = cross_entropy(logits_of(student, batch), batch.labels[batch.scored], reduction="sum")
    assert total(SFT(), student, None, batch).item() == pytest.approx(float(wanted), rel=1e-5)


def test_token_kd_is_the_divergence_and_its_share_of_the_cross_entropy(student, teacher, batch):
    ours, theirs = logits_of(student, batch), logits_of(teacher, batch)
    for hot in (1.0, 2.0):
        kl = hot**2 * kl_div(
            (ours / hot).log_softmax(-1), (theirs / hot).log_softmax(-1), log_target=True, reduction="sum"
        )
        entropy = cross_entropy(ours, batch.labels[batch.scored], reduction="sum")
        found = TokenKD(alpha=0.25, temperature=hot).losses(student, teacher, batch)
        assert set(found) == {"whole", "label"}
        assert sum(found.values()).item() == pytest.approx(float(0.75 * kl + 0.25 * entropy), rel=1e-5)


def naive_atkd(ours, theirs, labels, *, reverse, share=0.5, easy=0.2):
    """The published formula, position by position."""
    target, diversity, uncertainty = [], [], []
    for s, t, y in zip(ours, theirs, labels.tolist(), strict=True):
        q, p = s.softmax(-1), t.softmax(-1)
        uncertainty.append(float(1 - p[y]))
        others = [i for i in range(len(p)) if i != y]
        p_hat, q_hat = p[others] / (1 - p[y]), q[others] / (1 - q[y])
        pairs = [(p[y], q[y]), (1 - p[y], 1 - q[y])]
        if reverse:
            pairs, p_hat, q_hat = [(b, a) for a, b in pairs], q_hat, p_hat
        target.append(float(sum(a * (a / b).log() for a, b in pairs)))
        diversity.append(float((p_hat * (p_hat / q_hat).log()).sum()))
    order = sorted(range(len(labels)), key=lambda i: -uncertainty[i])
    count = -(-int(share * 1000) * len(labels) // 1000)
    hard, rest = order[:count], order[count:]
    mean_easy = sum(diversity[i] for i in rest) / len(rest)
    mean_hard = sum(target[i] + diversity[i] for i in hard) / len(hard)
    return easy * mean_easy + (1 - easy) * mean_hard


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("scope", ["micro_batch", "step"])
def test_atkd_is_the_published_formula(student, teacher, batch, reverse, scope):
    method = ATKD(divergence="reverse_kl" if reverse else "forward_kl", scope=scope)
    wanted = naive_atkd(
        logits_of(student, batch), logits_of(teacher, batch), batch.labels[batch.scored], reverse=reverse
    )
    found = total(method, student, teacher, batch).item() / batch.count
    assert found == pytest.approx(wanted, rel=1e-4)


@pytest.mark.parametrize("divergence", DIVERGENCES)
def test_atkd_sorts_by_the_teacher_whatever_the_divergence(student, teacher, batch, divergence):
    method = ATKD(divergence=divergence, share=0.25, easy_weight=0.0)
    theirs = logits_of(teacher, batch).softmax(-1)
    doubt = 1 - theirs.gather(-1, batch.labels[batch.scored].unsqueeze(-1)).squeeze(-1)
    hard = torch.zeros_like(batch.scored)
    hard[batch.scored] = doubt >= doubt.topk(-(-len(doubt) // 4)).values[-1]
    only = dataclasses.replace(batch, scored=hard, count=int(hard.sum()))
    weighed = method.prepass(teacher, only)
    everything = dataclasses.replace(method, share=0.999)  # all of what is left is hard
    alone = sum(everything.losses(student, teacher, dataclasses.replace(only, prepass=weighed)).values())
    whole = total(method, student, teacher, batch)
    torch.testing.assert_close(whole / batch.count, alone / only.count, rtol=1e-4, atol=1e-5)


def test_over_a_step_the_split_does_not_depend_on_how_the_step_is_cut(student, teacher, batch):
    method = ATKD()
    assert isinstance(method, PrepassMethod)
    assert method.needs_prepass

    def rows(some):
        kept = dataclasses.replace(batch, scored=batch.scored & some.unsqueeze(-1))
        return dataclasses.replace(kept, count=int(kept.scored.sum()))

    halves = [rows(torch.arange(8) < 3), rows(torch.arange(8) >= 3)]
    prepasses = [method.prepass(teacher, half) for half in halves]
    step = torch.cat([one.scores for one in prepasses])
    cut = [
        dataclasses.replace(half, prepass=dataclasses.replace(one, step_scores=step))
        for half, one in zip(halves, prepasses, strict=True)
    ]
    found = sum(total(method, student, teacher, one) for one in cut)
    torch.testing.assert_close(found, total(method, student, teacher, batch), rtol=1e-5, atol=1e-5)
    apart = sum(total(ATKD(scope="micro_batch"), student, teacher, half) for half in halves)
    assert abs((apart - found).item()) > 1e-3  # as published, the cut matters


@pytest.mark.parametrize("scope", ["micro_batch", "step"])
def test_a_single_token_cannot_be_sorted(student, teacher, scope):
    batch = language_batch(size=1)
    one = torch.zeros_like(batch.scored)
    one[0, 1] = True
    lonely = dataclasses.replace(batch, scored=one, count=1)
    with pytest.raises(MismatchError, match="has 1 scored token, and atkd sorts tokens"):
        ATKD(scope=scope).losses(student, teacher, lonely)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: TokenKD(temperature=0.0), "temperature must be > 0, got 0"),
        (lambda: TokenKD(alpha=1.5), r"alpha must be in \[0, 1\], got 1.5"),
        (lambda: TokenKD(beta=1.0), r"beta must be in \(0, 1\), got 1.0"),
        (lambda: ATKD(share=0.0), r"share must be in \(0, 1\), got 0.0"),
        (lambda: ATKD(easy_weight=-0.1), r"easy_weight must be in \[0, 1\], got -0.1"),
        (lambda: ATKD(skew=1.0), r"skew must be in \(0, 1\), got 1.0"),
        (lambda: SFT(completions=Completions(student=1.1)), r"student must be in \[0, 1\], got 1.1"),
        (lambda: Completions(temperature=-1.0), "temperature must be >= 0, got -1"),
        (lambda: Completions(max_new=0), "max_new must be >= 1, got 0"),
    ],
)
def test_settings_out_of_range_are_refused(make, match):
    with pytest.raises(ConfigError, match=match):
        make()
