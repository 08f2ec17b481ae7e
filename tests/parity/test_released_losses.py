"""Our losses beside the values that the released code of papers and of other libraries gives on one input.

The values in `RELEASED` are facts: what the named function returned for the arrays below. Their code is not
here. `docs/parity.md` shows the same table, and says what to do when it changes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch

from lmdistill.core.batch import Batch, Inputs, LMHead, Outputs
from lmdistill.methods import ATKD, KD, PKD, TokenKD
from lmdistill.objectives.decoupled import decouple
from lmdistill.objectives.divergence import forward_kl, soft_cross_entropy
from lmdistill.objectives.hidden_states import state_distance, token_distance
from tests.docs.pages import REPO, rows

RANDOM = np.random.RandomState(20240)  # its stream is frozen: the same numbers everywhere


def normal(*shape: int) -> torch.Tensor:
    return torch.from_numpy(RANDOM.standard_normal(shape))


STUDENT_STATES, TEACHER_STATES = normal(2, 5, 4), normal(2, 5, 6)
STUDENT_HEAD, TEACHER_HEAD = normal(7, 4), normal(7, 6)
LABELS = torch.from_numpy(RANDOM.randint(0, 7, (2, 5)))
STUDENT_HIDDEN, TEACHER_HIDDEN = normal(4, 2, 5, 4), normal(7, 2, 5, 4)  # three layers, six layers
MASK = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]).bool()
STUDENT, TEACHER = STUDENT_STATES @ STUDENT_HEAD.T, TEACHER_STATES @ TEACHER_HEAD.T
S, T, Y = STUDENT[MASK], TEACHER[MASK], LABELS[MASK]
BOTH, FIRST, SECOND = slice(0, 2), slice(0, 1), slice(1, 2)
ONE_LAYER = (STUDENT_HIDDEN[1], TEACHER_HIDDEN[2])


class Fixed:
    """A network whose final hidden states are given."""

    num_layers, num_classes, width, vocabulary, labels = 1, 7, 4, 7, ()

    def __init__(self, states, weight):
        self.states, self.head = states, LMHead(weight=weight)

    def __call__(self, inputs, *, at, head_fn):
        return head_fn(self.states[at], self.head)


def part(rows_=BOTH, scored=MASK, **fields: Any) -> Batch:
    inputs = Inputs(ids=LABELS[rows_], mask=torch.ones_like(LABELS[rows_]))
    return Batch(inputs=inputs, labels=LABELS[rows_], scored=scored[rows_], **fields)


def summed(method, rows_=BOTH, scored=MASK, **fields: Any) -> dict[str, float]:
    """The terms of a method for language models, summed over the scored positions of some rows."""
    student, teacher = Fixed(STUDENT_STATES[rows_], STUDENT_HEAD), Fixed(TEACHER_STATES[rows_], TEACHER_HEAD)
    return {k: v.item() for k, v in method.losses(student, teacher, part(rows_, scored, **fields)).items()}


def tokens(method, rows_=BOTH, scored=MASK) -> float:
    """The mean over scored positions, as the engine computes it for one micro-batch."""
    return sum(summed(method, rows_, scored).values()) / scored[rows_].sum().item()


def classes(method) -> dict[str, float]:
    """The terms of a method for classifiers; the eight scored positions are the examples."""
    batch = Batch(
        inputs=Inputs(ids=Y[:, None], mask=torch.ones_like(Y)[:, None]), labels=Y, scored=torch.ones(8).bool()
    )
    terms = method.compare(Outputs(logits=S), Outputs(logits=T), batch)
    return {name: value.item() / 8 for name, value in terms.items()}


def patience(*, normalised: bool) -> float:
    """PKD's term of the hidden states, for a weight of 1 and skipped layers."""
    batch = Batch(inputs=part().inputs, labels=LABELS[:, 0], scored=torch.ones(2).bool())
    student, teacher = (
        Outputs(logits=logits[:, 0], hidden=tuple(hidden))
        for logits, hidden in ((STUDENT, STUDENT_HIDDEN), (TEACHER, TEACHER_HIDDEN))
    )
    return PKD(beta=1.0, normalised=normalised).compare(student, teacher, batch)["state"].item() / 2


def decoupled(target: float, diversity: float) -> float:
    parts = decouple(forward_kl, S, T, Y)
    return (target * parts.target + diversity * parts.diversity).mean().item()


def mean(distance, student, teacher, **settings: Any) -> float:
    return distance(student, teacher, **settings).mean().item()


def by_tokens(_: float) -> float:
    """The mean over all tokens from those of the examples."""
    lengths = MASK.sum(1)
    per_example = token_distance(*ONE_LAYER, MASK.long())
    return ((per_example * lengths).sum() / lengths.sum()).item()


def micro_batches(*, by_count: bool) -> float:
    """Two micro-batches of one text: means weighted by their tokens, or equally."""
    method = ATKD(scope="micro_batch")
    first, second = (sum(summed(method, one).values()) for one in (FIRST, SECOND))
    return (first + second) / 8 if by_count else (first / 5 + second / 3) / 2


def released_step() -> float:
    """The same micro-batches, with the factors by which the engine gives them equal weights."""
    method, shares = ATKD(scope="released"), [torch.tensor(8 / (2 * count)) for count in (5, 3)]
    pairs = zip((FIRST, SECOND), shares, strict=True)
    return sum(sum(summed(method, one, equal_share=share).values()) for one, share in pairs) / 8


ENTROPY = soft_cross_entropy(T, T).mean().item()
CROSS = "+ the teacher's entropy, which has no gradient"
NO_SQUARE = "/ T²: theirs has no factor T²"
HALF = "theirs is rounded to float16"
REVERSE = TokenKD(divergence="reverse_kl")


@dataclass(frozen=True)
class Row:
    """One value of released code, our call, and what leads from our value to theirs."""

    project: str
    function: str
    settings: str
    theirs: float
    call: str
    ours: Callable[[], float]
    relation: str = "equal"
    expected: Callable[[float], float] = lambda ours: ours
    rtol: float = 1e-6


def jsd(beta: float, **settings: Any) -> Callable[[], float]:
    method = {0: TokenKD(**settings), 1: REVERSE}.get(beta)
    return lambda: tokens(method or TokenKD(divergence="jensen_shannon", beta=beta, **settings))


def mixed(temperature: float, beta: float, squared: float = 1) -> float:
    """Half the cross-entropy and half the Jensen-Shannon divergence, this divided by `squared`."""
    method = TokenKD(divergence="jensen_shannon", beta=beta, alpha=0.5, temperature=temperature)
    terms = summed(method)
    return (terms["label"] + terms["whole"] / squared) / 8


def tkd(name: str, **settings: Any) -> Callable[[], float]:
    return lambda: tokens(TokenKD(divergence=name, **settings))


def kd(name: str, temperature: float) -> Callable[[], float]:
    return lambda: classes(KD(alpha=1.0, temperature=temperature, divergence=name))["teacher"]


def both(forward: float) -> float:
    return forward * tokens(TokenKD()) + (1 - forward) * tokens(REVERSE)


def pkd_loss(alpha: float, temperature: float, outputs: int = 1) -> float:
    terms = classes(KD(alpha=alpha, temperature=temperature))
    return terms["label"] + terms["teacher"] / outputs


SINGLE = 1e-5  # theirs computes in float32
F16 = 2**-11
A, D, P, G, R, L, B = "ATKD", "DistiLLM", "PKD", "TRL GKD", "TRL", "Liger", "TextBrewer"
# fmt: off
SOURCES = {  # version or commit, file, address
    A: ("commit 2a9b74fffeb00b727458d5e865a5ed483ea4afcb", "`distill/distill_trainer.py`", "https://github.com/WHU-ZQH/ATKD"),
    D: ("commit 17c0f98bc263b1861a02d5df578c84aea652ee65", "`distillm/losses.py`", "https://github.com/jongwooko/distillm"),
    P: ("commit 9e9e860997ad4815f6ac655d1beb26a85ddd70bb", "`src/KD_loss.py`", "https://github.com/intersun/PKD-for-BERT-Model-Compression"),
    G: ("trl 1.16.0", "`trl/experimental/gkd/gkd_trainer.py`", "https://pypi.org/project/trl/1.16.0/"),
    R: ("trl 1.16.0", "`trl/trainer/distillation_trainer.py`", "https://pypi.org/project/trl/1.16.0/"),
    L: ("liger_kernel 0.8.5", "`liger_kernel/chunked_loss`", "https://pypi.org/project/liger-kernel/0.8.5/"),
    B: ("textbrewer 0.2.1.post1", "`textbrewer/losses.py`", "https://pypi.org/project/textbrewer/0.2.1.post1/"),
}
RELEASED = [
    Row(A, "get_kl", "forward", 2.67246950112, "TokenKD()", tkd("forward_kl")),
    Row(A, "get_kl", "reverse", 2.33006976767, "TokenKD(reverse_kl)", tkd("reverse_kl")),
    Row(A, "training_step", "jsd", 2.63822952778, "0.9 TokenKD() + 0.1 TokenKD(reverse_kl)", lambda: both(0.9), "equal; this is no Jensen-Shannon divergence"),
    Row(A, "get_tvd", "", 0.532712286657, "TokenKD(total_variation)", tkd("total_variation"), "theirs takes the positions that are masked out", lambda _: tokens(TokenKD(divergence="total_variation"), scored=~MASK)),
    Row(A, "dkd_loss", "alpha 0.2, beta 1", 2.65146675577, "0.2 target + 1 diversity of decouple", lambda: decoupled(0.2, 1)),
    Row(A, "atkd", "5 tokens", 2.60357330408, "ATKD()", lambda: tokens(ATKD(), FIRST)),
    Row(A, "atkd", "3 tokens", 3.56060840069, "ATKD()", lambda: tokens(ATKD(), SECOND)),
    Row(A, "atkd", "5 tokens, reverse", 3.44442381499, "ATKD(reverse_kl)", lambda: tokens(ATKD(divergence="reverse_kl"), FIRST)),
    Row(A, "atkd", "5 tokens, T 2", 0.987482132581, "ATKD(temperature 2)", lambda: tokens(ATKD(temperature=2.0), FIRST), NO_SQUARE, lambda ours: ours / 4),
    Row(A, "atkd", "8 tokens", 3.05440055727, "ATKD()", lambda: tokens(ATKD()), "theirs has 5 hard tokens: ATKD(share 5/8)", lambda _: tokens(ATKD(share=5 / 8))),
    Row(A, "atkd", "8 tokens, reverse", 2.97652478312, "ATKD(reverse_kl)", lambda: tokens(ATKD(divergence="reverse_kl")), "theirs has 5 hard tokens: ATKD(share 5/8)", lambda _: tokens(ATKD(divergence="reverse_kl", share=5 / 8))),
    Row(A, "training_step", "atkd, micro-batches of 5 and 3 tokens", 3.08209085238, "ATKD(scope micro_batch)", lambda: micro_batches(by_count=True), "theirs weights micro-batches equally, ours by tokens", lambda _: micro_batches(by_count=False)),
    Row(A, "atkd", "8 tokens", 3.05440055727, "ATKD(scope released)", lambda: tokens(ATKD(scope="released"))),
    Row(A, "atkd", "8 tokens, reverse", 2.97652478312, "ATKD(scope released, reverse_kl)", lambda: tokens(ATKD(scope="released", divergence="reverse_kl"))),
    Row(A, "training_step", "atkd, micro-batches of 5 and 3 tokens", 3.08209085238, "ATKD(scope released)", released_step),
    Row(D, "forward_kl", "", 3.63743925095, "TokenKD()", tkd("forward_kl"), CROSS, lambda ours: ours + ENTROPY, SINGLE),
    Row(D, "reverse_kl", "", 2.33006978035, "TokenKD(reverse_kl)", tkd("reverse_kl"), rtol=SINGLE),
    Row(D, "symmetric_kl", "lam 0.9", 2.46080684662, "0.1 TokenKD() + 0.9 TokenKD(reverse_kl)", lambda: both(0.1), "+ 0.1 of the teacher's entropy, which has no gradient", lambda ours: ours + 0.1 * ENTROPY, SINGLE),
    Row(D, "js_distance", "lam 0.9", 0.158131435513, "TokenKD(jensen_shannon, beta 0.1)", jsd(0.1), "equal: beta is 1 - lam", rtol=SINGLE),
    Row(D, "tv_distance", "", 0.701518893242, "TokenKD(total_variation)", tkd("total_variation"), rtol=SINGLE),
    Row(D, "skewed_forward_kl", "lam 0.1", 2.17900061607, "TokenKD(skew_forward_kl, skew 0.1)", tkd("skew_forward_kl", skew=0.1), CROSS, lambda ours: ours + ENTROPY, SINGLE),
    Row(D, "skewed_reverse_kl", "lam 0.1", 1.17615091801, "TokenKD(skew_reverse_kl, skew 0.1)", tkd("skew_reverse_kl", skew=0.1), rtol=SINGLE),
    Row(P, "distillation_loss", "T 10, alpha 0.5", 1.56664945194, "KD(alpha 0.5, temperature 10)", lambda: pkd_loss(0.5, 10.0), "theirs divides the teacher term by 7 classes", lambda _: pkd_loss(0.5, 10.0, 7)),
    Row(P, "distillation_loss", "T 1, alpha 0.2", 2.08195323736, "KD(alpha 0.2, temperature 1)", lambda: pkd_loss(0.2, 1.0), "theirs divides the teacher term by 7 classes", lambda _: pkd_loss(0.2, 1.0, 7)),
    Row(P, "patience_loss", "normalised, 3 and 6 layers", 0.396728515625, "PKD(beta 1), state term", lambda: patience(normalised=True), HALF, rtol=F16),
    Row(P, "patience_loss", "not normalised", 1.935546875, "PKD(beta 1, normalised false), state term", lambda: patience(normalised=False), HALF, rtol=F16),
    Row(G, "generalized_jsd_loss", "beta 0", 2.67246950112, "TokenKD()", jsd(0)),
    Row(G, "generalized_jsd_loss", "beta 0.1", 0.158131445422, "TokenKD(jensen_shannon, beta 0.1)", jsd(0.1)),
    Row(G, "generalized_jsd_loss", "beta 0.5", 0.356148218289, "TokenKD(jensen_shannon)", jsd(0.5)),
    Row(G, "generalized_jsd_loss", "beta 1", 2.33006976767, "TokenKD(reverse_kl)", jsd(1)),
    Row(G, "generalized_jsd_loss", "beta 0.5, T 2", 0.177010127563, "TokenKD(jensen_shannon, temperature 2)", jsd(0.5, temperature=2.0), NO_SQUARE, lambda ours: ours / 4),
    Row(R, "_chunked_divergence_loss", "beta 0", 2.67246937752, "TokenKD()", jsd(0), rtol=SINGLE),
    Row(R, "_chunked_divergence_loss", "beta 0.1", 0.158131450415, "TokenKD(jensen_shannon, beta 0.1)", jsd(0.1), rtol=SINGLE),
    Row(R, "_chunked_divergence_loss", "beta 0.5", 0.356148213148, "TokenKD(jensen_shannon)", jsd(0.5), rtol=SINGLE),
    Row(R, "_chunked_divergence_loss", "beta 1", 2.33006954193, "TokenKD(reverse_kl)", jsd(1), rtol=SINGLE),
    Row(R, "_chunked_divergence_loss", "beta 0.5, T 2", 0.17701010406, "TokenKD(jensen_shannon, temperature 2)", jsd(0.5, temperature=2.0), NO_SQUARE, lambda ours: ours / 4, SINGLE),
    Row(L, "LigerFusedLinearJSDLoss", "hard 0, soft 1, beta 0", 2.67246961594, "TokenKD()", jsd(0), rtol=SINGLE),
    Row(L, "LigerFusedLinearJSDLoss", "hard 0, soft 1, beta 0.5", 0.356148213148, "TokenKD(jensen_shannon)", jsd(0.5), rtol=SINGLE),
    Row(L, "LigerFusedLinearJSDLoss", "hard 0, soft 1, beta 1", 2.33006978035, "TokenKD(reverse_kl)", jsd(1), rtol=SINGLE),
    Row(L, "LigerFusedLinearJSDLoss", "hard 0.5, soft 0.5, beta 0.1", 1.33256363869, "TokenKD(jensen_shannon, beta 0.1, alpha 0.5)", lambda: mixed(1.0, 0.1), rtol=SINGLE),
    Row(L, "LigerFusedLinearJSDLoss", "hard 0.5, soft 0.5, beta 0.5, T 2", 1.34200298786, "TokenKD(jensen_shannon, alpha 0.5, temperature 2)", lambda: mixed(2.0, 0.5), "soft term " + NO_SQUARE, lambda _: mixed(2.0, 0.5, 4), SINGLE),
    Row(L, "LigerFusedLinearCosineSimilarityLoss", "hard 0, soft 1, beta 1", 1.02199137211, "state_distance of the logits", lambda: mean(state_distance, S, T), "× 7/2: 1 - cos is half a squared distance, summed", lambda ours: ours * 7 / 2, SINGLE),
    Row(B, "kd_ce_loss", "T 1", 3.63743934271, "KD(alpha 1, soft_cross_entropy, temperature 1)", kd("soft_cross_entropy", 1.0)),
    Row(B, "kd_ce_loss", "T 2", 2.44020179242, "KD(alpha 1, soft_cross_entropy, temperature 2)", kd("soft_cross_entropy", 2.0), NO_SQUARE, lambda ours: ours / 4),
    Row(B, "kd_mse_loss", "T 1", 10.9342202731, "KD(alpha 1, mse)", kd("mse", 1.0)),
    Row(B, "kd_mse_loss", "T 2", 2.73355506827, "KD(alpha 1, mse, temperature 2)", kd("mse", 2.0), NO_SQUARE, lambda ours: ours / 4),
    Row(B, "hid_mse_loss", "with mask", 1.27454448843, "token_distance", lambda: mean(token_distance, *ONE_LAYER, mask=MASK.long()), "theirs weights examples by their tokens, ours equally", by_tokens),
    Row(B, "cos_loss", "with mask", 0.700316778679, "state_distance of every token", lambda: mean(state_distance, *(h[MASK] for h in ONE_LAYER)), "× 4/2: 1 - cos is half a squared distance, summed", lambda ours: ours * 4 / 2),
    Row(B, "pkd_loss", "one layer", 0.993483981372, "state_distance of the first tokens", lambda: mean(state_distance, *(h[:, 0] for h in ONE_LAYER)), "× 4: theirs sums over features", lambda ours: ours * 4),
]
# fmt: on
NAMES = [f"{row.project}-{row.function}-{row.settings}" for row in RELEASED]


@pytest.mark.parametrize("row", RELEASED, ids=NAMES)
def test_our_loss_gives_the_released_value_or_differs_by_the_stated_formula(row: Row) -> None:
    ours = row.ours()
    np.testing.assert_allclose(row.expected(ours), row.theirs, rtol=row.rtol)
    differs = abs(ours - row.theirs) > 1e-3 * row.theirs
    assert differs != row.relation.startswith(("equal", HALF)), "the relation says otherwise"


def test_the_page_has_every_row_and_number() -> None:
    page = (REPO / "docs" / "parity.md").read_text(encoding="utf-8")
    shown = [cells for cells in rows(page) if len(cells) == 7][1:]
    assert shown == [
        [
            *(row.project, f"`{row.function}`", row.settings or "none"),
            *(f"{row.theirs:.6f}", f"{row.ours():.6f}", f"`{row.call}`", row.relation),
        ]
        for row in RELEASED
    ]


def test_the_page_has_the_source_of_every_row() -> None:
    page = (REPO / "docs" / "parity.md").read_text(encoding="utf-8")
    shown = {cells[0]: cells[1:] for cells in rows(page) if len(cells) == 4 and cells[0] != "project"}
    assert shown == {project: list(source) for project, source in SOURCES.items()}
    assert {row.project for row in RELEASED} == set(SOURCES)
