"""Logits of -inf: entries that a network may not answer with."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lmdistill.core.batch import LMHead
from lmdistill.objectives.chunked.loss import chunked_log_uncertainty, chunked_losses
from lmdistill.objectives.chunked.terms import LossTerms
from lmdistill.objectives.decoupled import decouple
from lmdistill.objectives.divergence import DISTILLATION_LOSSES, DIVERGENCES, distillation_loss

OFF = -math.inf
V = 9
FINITE_WITHOUT = {
    "teacher": {"forward_kl", "soft_cross_entropy"},
    "student": {"reverse_kl"},
}
"""Losses that stay finite where only this network masks an entry, beside the bounded ones."""
BOUNDED = {"jensen_shannon", "skew_forward_kl", "skew_reverse_kl", "total_variation", "mse_probabilities"}


def pair(seed, dtype=torch.float64):
    g = torch.Generator().manual_seed(seed)
    return (3 * torch.randn(2, 4, V, generator=g, dtype=torch.float64)).to(dtype)


def without(logits, entries):
    """The same logits with these entries masked."""
    return logits.index_fill(-1, torch.tensor(entries, dtype=torch.long), OFF)


def removed(tensor, entries):
    """The same tensor in which these entries do not exist."""
    kept = [entry for entry in range(V) if entry not in entries]
    return tensor[..., kept]


def by_loops(name, student, teacher):
    """One position in Python floats, where 0 times anything is 0; nothing is shared with the code."""

    def probabilities(logits):
        top = max(logits)
        e = [math.exp(z - top) for z in logits]
        return [x / sum(e) for x in e]

    def kl(p, q):
        if any(a > 0 and b == 0 for a, b in zip(p, q, strict=True)):
            return math.inf
        return sum(a * math.log(a / b) for a, b in zip(p, q, strict=True) if a > 0)

    p, q = probabilities(teacher), probabilities(student)

    def mixed(weight):
        return [weight * a + (1 - weight) * b for a, b in zip(p, q, strict=True)]

    return {
        "forward_kl": lambda: kl(p, q),
        "reverse_kl": lambda: kl(q, p),
        "jensen_shannon": lambda: (kl(p, mixed(0.5)) + kl(q, mixed(0.5))) / 2,
        "total_variation": lambda: sum(abs(a - b) for a, b in zip(p, q, strict=True)) / 2,
        "skew_forward_kl": lambda: kl(p, mixed(0.1)),
        "skew_reverse_kl": lambda: kl(q, mixed(0.9)),
        "soft_cross_entropy": lambda: math.inf if kl(p, q) == math.inf else kl(p, q) + entropy(p),
        "mse_probabilities": lambda: sum((a - b) ** 2 for a, b in zip(p, q, strict=True)) / len(p),
        "mse": lambda: math.inf,
    }[name]()


def entropy(p):
    return -sum(a * math.log(a) for a in p if a > 0)


masks = st.lists(st.integers(0, V - 1), min_size=1, max_size=V - 2, unique=True)


@pytest.mark.parametrize("name", DISTILLATION_LOSSES)
@given(seed=st.integers(0, 999), entries=masks, temperature=st.sampled_from([1.0, 3.0]))
def test_what_both_mask_is_as_if_it_did_not_exist(name, seed, entries, temperature):
    student, teacher = pair(seed)
    ours = without(student, entries).requires_grad_()
    value = distillation_loss(name, ours, without(teacher, entries), temperature=temperature)
    (gradient,) = torch.autograd.grad(value.sum(), ours)
    fewer = removed(student, entries).requires_grad_()
    expected = distillation_loss(name, fewer, removed(teacher, entries), temperature=temperature)
    (expected_gradient,) = torch.autograd.grad(expected.sum(), fewer)
    torch.testing.assert_close(value, expected, rtol=1e-12, atol=1e-15)
    torch.testing.assert_close(removed(gradient, entries), expected_gradient, rtol=1e-10, atol=1e-14)
    assert (gradient[..., entries] == 0).all()


@pytest.mark.parametrize("masked_by", ["student", "teacher"])
@pytest.mark.parametrize("name", DISTILLATION_LOSSES)
@pytest.mark.parametrize("entries", [[0], [2, 5, 8]])
def test_what_one_masks_is_infinite_only_where_the_formula_is(name, masked_by, entries):
    student, teacher = pair(5)
    if masked_by == "student":
        student = without(student, entries)
    else:
        teacher = without(teacher, entries)
    leaf = student.clone().requires_grad_()
    value = distillation_loss(name, leaf, teacher)
    expected = [by_loops(name, s, t) for s, t in zip(student.tolist(), teacher.tolist(), strict=True)]
    finite = name in BOUNDED | FINITE_WITHOUT[masked_by]
    assert all(math.isfinite(one) == finite for one in expected)
    torch.testing.assert_close(
        value.detach(), torch.tensor(expected, dtype=torch.float64), rtol=1e-9, atol=1e-12
    )
    if finite:
        (gradient,) = torch.autograd.grad(value.sum(), leaf)
        assert gradient.isfinite().all()
        if masked_by == "student":
            assert (gradient[..., entries] == 0).all()


@pytest.mark.parametrize("name", DISTILLATION_LOSSES)
def test_gradients_beside_masked_entries_are_right(name):
    student, teacher = pair(7)
    entries, kept = [1, 4], [entry for entry in range(V) if entry not in (1, 4)]
    masked_teacher = without(teacher, entries)

    def loss(free):
        whole = torch.full((4, V), OFF, dtype=torch.float64).index_copy(-1, torch.tensor(kept), free)
        return distillation_loss(name, whole, masked_teacher, temperature=2.0)

    assert torch.autograd.gradcheck(loss, removed(student, entries).requires_grad_())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", DISTILLATION_LOSSES)
def test_half_precision_is_lifted_before_it_is_divided_by_the_temperature(name, dtype):
    student, teacher = pair(3, dtype)
    for hot in (3.0, 7.0):
        ours = distillation_loss(name, student, teacher, temperature=hot)
        lifted = distillation_loss(name, student.float(), teacher.float(), temperature=hot)
        assert torch.equal(ours, lifted)


@pytest.mark.parametrize("name", DIVERGENCES)
@given(seed=st.integers(0, 999), entries=st.lists(st.integers(0, 5), min_size=1, max_size=5, unique=True))
def test_parts_of_atkd_do_not_see_what_both_mask(name, seed, entries):
    student, teacher = pair(seed)
    labels = torch.tensor([6, 7, 8, 6])
    ours = without(student, entries).requires_grad_()
    parts = decouple(DIVERGENCES[name], ours, without(teacher, entries), labels)
    fewer = removed(student, entries).requires_grad_()
    expected = decouple(DIVERGENCES[name], fewer, removed(teacher, entries), labels - len(entries))
    for part in ("target", "diversity", "log_uncertainty"):
        torch.testing.assert_close(getattr(parts, part), getattr(expected, part), rtol=1e-10, atol=1e-13)
    (gradient,) = torch.autograd.grad((parts.target + parts.diversity).sum(), ours)
    (wanted,) = torch.autograd.grad((expected.target + expected.diversity).sum(), fewer)
    torch.testing.assert_close(removed(gradient, entries), wanted, rtol=1e-9, atol=1e-12)
    assert (gradient[..., entries] == 0).all()


NAMES = ("label", "whole", "target", "diversity")
ENTRIES = [0, 3, 7]
KEPT = [entry for entry in range(V) if entry not in ENTRIES]
FINITE_PARTS = {
    "student": sorted(BOUNDED & set(DIVERGENCES) | {"reverse_kl"}),
    "teacher": sorted(BOUNDED & set(DIVERGENCES) | {"forward_kl"}),
}


def case(student_entries, teacher_entries):
    """States and output layers of a student of width 5 and a teacher of width 7; biases mask entries."""
    g = torch.Generator().manual_seed(11)

    def head(width, entries):
        weight = torch.randn(V, width, generator=g, dtype=torch.float64)
        return LMHead(weight=weight, bias=without(torch.randn(V, generator=g, dtype=torch.float64), entries))

    return {
        "states": torch.randn(6, 5, generator=g, dtype=torch.float64).requires_grad_(),
        "head": head(5, student_entries),
        "labels": torch.tensor([1, 2, 4, 5, 6, 8]),
        "teacher_states": torch.randn(6, 7, generator=g, dtype=torch.float64),
        "teacher_head": head(7, teacher_entries),
    }


def sliced(head):
    return replace(head, weight=head.weight[KEPT].clone(), bias=head.bias[KEPT].clone())


def differentiated(given, terms):
    """Values, and gradients of states, output matrix and bias."""
    head = given["head"]
    head = replace(head, weight=head.weight.clone().requires_grad_(), bias=head.bias.clone().requires_grad_())
    loss = chunked_losses(**{**given, "head": head}, terms=terms, rows=4)
    gradients = torch.autograd.grad(loss.total, [given["states"], head.weight, head.bias])
    return loss.values, gradients


@pytest.mark.parametrize("temperature", [1.0, 2.5])
@pytest.mark.parametrize("name", DIVERGENCES)
def test_chunked_terms_do_not_see_what_both_mask(name, temperature):
    given = case(ENTRIES, ENTRIES)
    weights = {part: torch.rand(6, dtype=torch.float64) for part in NAMES}
    terms = LossTerms(divergence=name, temperature=temperature, beta=0.3, skew=0.2, **weights)
    values, (states, weight, bias) = differentiated(given, terms)
    fewer = given | {"head": sliced(given["head"]), "teacher_head": sliced(given["teacher_head"])}
    fewer["labels"] = torch.tensor([KEPT.index(label) for label in given["labels"]])
    expected, (wanted_states, wanted_weight, wanted_bias) = differentiated(fewer, terms)
    torch.testing.assert_close(values, expected, rtol=1e-10, atol=1e-13)
    torch.testing.assert_close(states, wanted_states, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(weight[KEPT], wanted_weight, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(bias[KEPT], wanted_bias, rtol=1e-9, atol=1e-12)
    assert (weight[ENTRIES] == 0).all()
    assert (bias[ENTRIES] == 0).all()
    ours = chunked_log_uncertainty(given["teacher_states"], given["teacher_head"], given["labels"])
    theirs = chunked_log_uncertainty(fewer["teacher_states"], fewer["teacher_head"], fewer["labels"])
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=0)


@pytest.mark.parametrize(
    ("masked_by", "name"), [(who, name) for who, names in FINITE_PARTS.items() for name in names]
)
def test_chunked_terms_are_plain_where_one_masks_and_the_formula_is_finite(masked_by, name):
    given = case(*((ENTRIES, []) if masked_by == "student" else ([], ENTRIES)))
    weights = {part: torch.rand(6, dtype=torch.float64) for part in NAMES}
    terms = LossTerms(divergence=name, **weights)
    values, (states, *others) = differentiated(given, terms)
    leaf = given["states"]
    student, teacher = given["head"].logits(leaf), given["teacher_head"].logits(given["teacher_states"])
    parts = decouple(DIVERGENCES[name], student, teacher, given["labels"])
    plain = {"whole": DIVERGENCES[name](student, teacher), "target": parts.target}
    plain |= {"diversity": parts.diversity}
    plain["label"] = torch.nn.functional.cross_entropy(student, given["labels"], reduction="none")
    for part in NAMES:
        torch.testing.assert_close(values[part], plain[part].detach(), rtol=1e-9, atol=1e-12)
    (wanted,) = torch.autograd.grad(sum((weights[part] * plain[part]).sum() for part in NAMES), leaf)
    torch.testing.assert_close(states, wanted, rtol=1e-9, atol=1e-12)
    assert all(gradient.isfinite().all() for gradient in others)


def test_chunked_terms_are_infinite_where_the_formula_is():
    for masked_by, name in (("student", "forward_kl"), ("teacher", "reverse_kl")):
        given = case(*((ENTRIES, []) if masked_by == "student" else ([], ENTRIES)))
        terms = LossTerms(divergence=name, whole=torch.ones(6, dtype=torch.float64))
        assert chunked_losses(**given, terms=terms).values["whole"].isposinf().all()
