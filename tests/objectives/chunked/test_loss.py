from dataclasses import replace
from functools import partial

import pytest
import torch
from torch.nn.functional import cross_entropy
from torch.utils._python_dispatch import TorchDispatchMode

from lmdistill.core.batch import LMHead
from lmdistill.core.errors import ConfigError, MismatchError
from lmdistill.objectives.adaptive_weights import adaptive_weights
from lmdistill.objectives.chunked import output_layer
from lmdistill.objectives.chunked.loss import chunked_log_uncertainty, chunked_losses, token_statistics
from lmdistill.objectives.chunked.terms import LossTerms
from lmdistill.objectives.decoupled import decouple
from lmdistill.objectives.divergence import DIVERGENCES, divergence_named, jensen_shannon
from tests.objectives.reference_losses import atkd_by_loops

SETTINGS = {"beta": 0.3, "skew": 0.2}
NAMES = ("label", "whole", "target", "diversity")
N, V = 11, 23
HEADS = {
    "plain": {},
    "bias": {"bias": True},
    "scale": {"scale": 0.4},
    "softcap": {"softcap": 3.0},
    "all": {"bias": True, "scale": 1.7, "softcap": 5.0},
}


def make_head(width, *, dtype=torch.float32, bias=False, grad=True, size=V, **bends):
    weight = torch.randn(size, width).to(dtype).requires_grad_(grad)
    return LMHead(
        weight=weight, bias=torch.randn(size).to(dtype).requires_grad_(grad) if bias else None, **bends
    )


def make_case(dtype=torch.float32, bends=None, n=N, size=V):
    """States, output layers and targets of a student of width 5 and a teacher of width 7."""
    return {
        "states": torch.randn(n, 5).to(dtype).requires_grad_(),
        "head": make_head(5, dtype=dtype, size=size, **(bends or {})),
        "labels": torch.randint(size, (n,)),
        "teacher_states": torch.randn(n, 7).to(dtype),
        "teacher_head": make_head(7, dtype=dtype, grad=False, size=size, **(bends or {})),
    }


def make_weights(names, n=N):
    return {name: torch.rand(n) for name in names}


def plain(states, head, labels, *, terms, teacher_states=None, teacher_head=None):
    """The same with all logits at once, by autograd, in the precision given."""
    student, hot = head.logits(states), terms.temperature
    values = {"label": cross_entropy(student, labels, reduction="none")}
    if teacher_states is not None:
        teacher = teacher_head.logits(teacher_states)
        divergence = terms.divergence
        if isinstance(divergence, str):
            divergence = divergence_named(divergence, beta=terms.beta, skew=terms.skew)
        parts = decouple(divergence, student / hot, teacher / hot, labels)
        values["whole"] = hot**2 * divergence(student / hot, teacher / hot)
        values["target"], values["diversity"] = hot**2 * parts.target, hot**2 * parts.diversity
    return {name: values[name] for name in terms.weights}


def leaves(case):
    head = case["head"]
    return [case["states"], head.weight, *([] if head.bias is None else [head.bias])]


def expected_of(case, terms):
    """Values, total and gradients in float64."""
    doubled = {
        name: replace(
            value,
            weight=value.weight.detach().double().requires_grad_(),
            bias=None if value.bias is None else value.bias.detach().double().requires_grad_(),
        )
        if isinstance(value, LMHead)
        else (value.detach().double() if value.is_floating_point() else value)
        for name, value in case.items()
    }
    doubled["states"].requires_grad_()
    values = plain(**doubled, terms=terms)
    total = sum((terms.weights[name].double() * value).sum() for name, value in values.items())
    return values, total, torch.autograd.grad(total, leaves(doubled))


def agree(ours, expected, tolerance=1e-6):
    """Relative to the largest entry, or to 1 where all are smaller."""
    ours, expected = ours.detach().double(), expected.detach().double()
    assert (ours - expected).abs().max() <= tolerance * expected.abs().max().clamp(min=1)


@pytest.mark.parametrize("temperature", [1.0, 2.5])
@pytest.mark.parametrize("bends", HEADS.values(), ids=HEADS)
@pytest.mark.parametrize("name", DIVERGENCES)
def test_chunked_is_plain(name, bends, temperature):
    case, tolerance = make_case(bends=bends), 1e-6 * temperature**2  # its square is a factor of every value
    terms = LossTerms(divergence=name, temperature=temperature, **SETTINGS, **make_weights(NAMES))
    values, total, gradients = expected_of(case, terms)
    ours = chunked_losses(**case, terms=terms, rows=4)
    for part in NAMES:
        agree(ours.values[part], values[part], tolerance)
        agree(ours.sums[part], (terms.weights[part].double() * values[part]).sum(), tolerance)
    agree(ours.total, total, tolerance)
    for found, expected in zip(torch.autograd.grad(ours.total, leaves(case)), gradients, strict=True):
        agree(found, expected, tolerance)


@pytest.mark.parametrize(
    "names", [("label",), ("whole",), ("target",), ("diversity",), ("label", "diversity")]
)
@pytest.mark.parametrize("name", ["forward_kl", "reverse_kl"])
def test_every_term_alone_is_plain(name, names):
    case, terms = make_case(), LossTerms(divergence=name, **make_weights(names))
    values, total, gradients = expected_of(case, terms)
    ours = chunked_losses(**case, terms=terms, rows=3)
    assert tuple(ours.values) == tuple(ours.sums) == tuple(values) == names
    agree(ours.total, total)
    for found, expected in zip(torch.autograd.grad(ours.total, leaves(case)), gradients, strict=True):
        agree(found, expected)


@pytest.mark.parametrize("bends", [{}, {"bias": True, "scale": 1.7, "softcap": 5.0}], ids=["plain", "all"])
@pytest.mark.parametrize("name", DIVERGENCES)
def test_gradients_are_right(name, bends):
    case = make_case(torch.float64, bends, n=3, size=6)
    terms = LossTerms(divergence=name, temperature=1.5, **SETTINGS, **make_weights(NAMES, n=3))

    def total(states, weight, *bias):
        head = replace(case["head"], weight=weight, bias=bias[0] if bias else None)
        return chunked_losses(**{**case, "states": states, "head": head}, terms=terms, rows=2).total

    assert torch.autograd.gradcheck(total, leaves(case))


@pytest.mark.parametrize("reverse", [False, True])
def test_atkd_is_the_papers_formula(reverse):
    case = make_case(torch.float64)
    pool = chunked_log_uncertainty(case["teacher_states"], case["teacher_head"], case["labels"], rows=4)
    target, diversity = adaptive_weights(pool, pool)
    terms = LossTerms(
        divergence="reverse_kl" if reverse else "forward_kl", target=target, diversity=diversity
    )
    ours = chunked_losses(**case, terms=terms).total / N
    student = case["head"].logits(case["states"])
    teacher = case["teacher_head"].logits(case["teacher_states"])
    assert ours.item() == pytest.approx(
        atkd_by_loops(student, teacher, case["labels"], reverse=reverse), rel=1e-9
    )


@pytest.mark.parametrize("block", [1, 60, 10**6])
@pytest.mark.parametrize("rows", [1, 4, N, 100, None])
def test_chunks_and_blocks_do_not_matter(rows, block, monkeypatch):
    case, terms = make_case(torch.float64), LossTerms(**make_weights(NAMES))
    expected = chunked_losses(**case, terms=terms, rows=N)
    monkeypatch.setattr(output_layer, "BLOCK_ENTRIES", block)
    ours = chunked_losses(**case, terms=terms, rows=rows)
    torch.testing.assert_close(ours.values, expected.values, rtol=1e-12, atol=0)
    gradients = zip(*(torch.autograd.grad(one.total, leaves(case)) for one in (ours, expected)), strict=True)
    for found, wanted in gradients:
        torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-12)


def test_the_gradient_is_scaled_and_can_be_asked_for_twice():
    case, terms = make_case(torch.float64), LossTerms(**make_weights(NAMES))
    total = chunked_losses(**case, terms=terms, rows=4).total
    once = torch.autograd.grad(total, leaves(case), retain_graph=True)
    kept = [part.clone() for part in once]
    thrice = torch.autograd.grad(3 * total, leaves(case), retain_graph=True)
    (total / 2).backward()
    for first, copy, third, leaf in zip(once, kept, thrice, leaves(case), strict=True):
        assert torch.equal(first, copy)
        torch.testing.assert_close(third, 3 * first)
        torch.testing.assert_close(leaf.grad, first / 2)


def test_named_losses_add_up_to_the_total_with_its_gradient():
    case, terms = make_case(), LossTerms(**make_weights(NAMES))
    found = chunked_losses(**case, terms=terms)
    losses = found.losses()
    assert list(losses) == list(NAMES)
    torch.testing.assert_close(sum(losses.values()), found.total)
    for name, loss in losses.items():
        assert torch.equal(loss.detach(), found.sums[name])
    wanted = torch.autograd.grad(found.total, leaves(case), retain_graph=True)
    for ours, expected in zip(torch.autograd.grad(sum(losses.values()), leaves(case)), wanted, strict=True):
        torch.testing.assert_close(ours, expected)


def test_only_the_total_has_a_gradient():
    terms = LossTerms(**make_weights(NAMES))
    found = chunked_losses(**make_case(), terms=terms)
    assert found.total.requires_grad
    assert not any(part.requires_grad for part in (*found.sums.values(), *found.values.values()))


class Products(TorchDispatchMode):
    """Counts matrix products, and notes the largest tensor made."""

    def __init__(self):
        super().__init__()
        self.count, self.largest = 0, 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += func.overloadpacket.__name__ in ("mm", "addmm", "addmm_", "bmm", "matmul")
        out = func(*args, **(kwargs or {}))
        if isinstance(out, torch.Tensor):
            self.largest = max(self.largest, out.numel())
        return out


@pytest.mark.parametrize(("frozen", "products"), [(None, 4), ("head", 3), ("states", 3), ("both", 2)])
def test_what_is_frozen_costs_no_product(frozen, products):
    case, terms = make_case(), LossTerms(**make_weights(NAMES))
    if frozen in ("head", "both"):
        case["head"].weight.requires_grad_(False)
    if frozen in ("states", "both"):
        case["states"].requires_grad_(False)
    with Products() as seen:
        total = chunked_losses(**case, terms=terms, rows=N).total
        if frozen != "both":
            total.backward()
    assert seen.count == products
    assert (case["states"].grad is None) == (frozen in ("states", "both"))
    assert (case["head"].weight.grad is None) == (frozen in ("head", "both"))


def test_without_gradients_only_the_logits_are_computed():
    with torch.no_grad(), Products() as seen:
        found = chunked_losses(**make_case(), terms=LossTerms(**make_weights(NAMES)), rows=N)
    assert seen.count == 2
    assert not found.total.requires_grad


def test_labels_alone_need_no_teacher():
    case = make_case()
    alone = {name: case[name] for name in ("states", "head", "labels")}
    with Products() as seen:
        found = chunked_losses(**alone, terms=LossTerms(label=torch.ones(N)), rows=N)
    assert seen.count == 3
    torch.testing.assert_close(
        found.total, cross_entropy(case["head"].logits(case["states"]), case["labels"], reduction="sum")
    )


def test_no_positions_give_zero_and_gradients_of_zero():
    case, terms = make_case(n=0), LossTerms(**make_weights(NAMES, n=0))
    found = chunked_losses(**case, terms=terms)
    found.total.backward()
    assert found.total == 0
    assert all(value.shape == (0,) for value in found.values.values())
    assert case["states"].grad.shape == (0, 5)
    assert torch.equal(case["head"].weight.grad, torch.zeros(V, 5))
    assert chunked_log_uncertainty(case["teacher_states"], case["teacher_head"], case["labels"]).shape == (0,)
    assert all(
        part.shape == (0,) for part in token_statistics(case["states"], case["head"], case["labels"]).values()
    )


@pytest.mark.parametrize("name", DIVERGENCES)
def test_half_precision_is_near_full(name):
    case = make_case(torch.bfloat16, {"bias": True, "scale": 0.5}, n=40)
    terms = LossTerms(divergence=name, **make_weights(("label", "whole"), n=40))
    _, total, gradients = expected_of(case, terms)
    ours = chunked_losses(**case, terms=terms, rows=16)
    assert ours.total.dtype == torch.float32
    agree(ours.total, total, 0.02)
    ours.total.backward()
    for leaf, expected in zip(leaves(case), gradients, strict=True):
        assert leaf.grad.dtype == torch.bfloat16
        agree(leaf.grad, expected, 0.1 if name == "total_variation" else 0.02)  # signs of small gaps flip


def test_autocast_decides_about_the_products_and_not_about_the_rest():
    case, terms = make_case(), LossTerms(**make_weights(NAMES))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        total = chunked_losses(**case, terms=terms, rows=4).total
    total.backward()
    _, expected, gradients = expected_of(case, terms)
    exact = chunked_losses(**case, terms=terms, rows=4).total
    assert not torch.equal(total, exact)
    agree(total, expected, 0.05)
    for leaf, wanted in zip(leaves(case), gradients, strict=True):
        assert leaf.grad.dtype == torch.float32
        agree(leaf.grad, wanted, 0.05)


def test_a_divergence_of_ones_own_is_taken():
    case, weights = make_case(), make_weights(NAMES)
    own = chunked_losses(
        **case, terms=LossTerms(divergence=partial(jensen_shannon, beta=0.3), **weights)
    ).total
    named = chunked_losses(**case, terms=LossTerms(divergence="jensen_shannon", beta=0.3, **weights)).total
    torch.testing.assert_close(own, named)
    for ours, theirs in zip(
        torch.autograd.grad(own, leaves(case)), torch.autograd.grad(named, leaves(case)), strict=True
    ):
        torch.testing.assert_close(ours, theirs)


def test_no_gradient_goes_to_weights_and_teacher():
    case = make_case()
    case["teacher_states"].requires_grad_()
    case["teacher_head"].weight.requires_grad_()
    weights = torch.rand(N, requires_grad=True)
    chunked_losses(**case, terms=LossTerms(whole=weights)).total.backward()
    assert weights.grad is None
    assert case["teacher_states"].grad is None
    assert case["teacher_head"].weight.grad is None


def test_no_tensor_is_larger_than_a_chunk_or_the_output_matrix(monkeypatch):
    n, size = 400, 300
    states, teacher_states = torch.randn(n, 5, requires_grad=True), torch.randn(n, 7)
    heads = {"head": make_head(5, size=size), "teacher_head": make_head(7, size=size, grad=False)}
    monkeypatch.setattr(output_layer, "BLOCK_ENTRIES", 8 * size)
    with Products() as seen:
        found = chunked_losses(
            states, labels=torch.randint(size, (n,)), teacher_states=teacher_states, **heads,
            terms=LossTerms(**make_weights(NAMES, n=n)),
        )  # fmt: skip
        found.total.backward()
    assert seen.largest == output_layer.chunk_rows(n, size) * size == n * size / 8
    with Products() as seen:
        chunked_log_uncertainty(teacher_states, heads["teacher_head"], torch.randint(size, (n,)))
        token_statistics(states, heads["head"], torch.randint(size, (n,)))
    assert seen.largest == n * size / 8


@pytest.mark.parametrize("bends", HEADS.values(), ids=HEADS)
def test_uncertainties_are_those_of_the_plain_form(bends):
    case = make_case(bends=bends)
    teacher = case["teacher_head"].logits(case["teacher_states"])
    expected = decouple(DIVERGENCES["forward_kl"], teacher, teacher, case["labels"]).log_uncertainty
    ours = chunked_log_uncertainty(case["teacher_states"], case["teacher_head"], case["labels"], rows=4)
    torch.testing.assert_close(ours, expected)


def test_readings_are_those_of_the_logits():
    case = make_case(bends=HEADS["all"])
    found = token_statistics(case["states"], case["head"], case["labels"], rows=4)
    logits = case["head"].logits(case["states"]).detach()
    best, top = logits.softmax(-1).max(-1)
    torch.testing.assert_close(found["log_prob"], -cross_entropy(logits, case["labels"], reduction="none"))
    torch.testing.assert_close(found["top_prob"], best)
    assert torch.equal(found["top"], top)
    assert torch.equal(found["correct"], top == case["labels"])
    assert not found["log_prob"].requires_grad


def test_mistakes_are_named():
    case, terms = make_case(), LossTerms(whole=torch.ones(N))
    with pytest.raises(MismatchError, match=r"teacher_states or teacher_head is missing\. Give both"):
        chunked_losses(case["states"], case["head"], case["labels"], terms=terms)
    wider = {**case, "teacher_head": make_head(7, size=V + 2)}
    with pytest.raises(MismatchError, match=f"has {V} entries and the teacher's {V + 2}\\. Limit both"):
        chunked_losses(**wider, terms=terms)
    with pytest.raises(ConfigError, match=r"temperature must be > 0, got 0"):
        LossTerms(whole=torch.ones(N), temperature=0.0)
    with pytest.raises(ConfigError, match="no loss term has weights"):
        LossTerms()
