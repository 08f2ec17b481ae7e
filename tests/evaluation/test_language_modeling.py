import dataclasses
import math
from pathlib import Path

import pytest
import torch

from lmdistill.core.errors import DataError, MismatchError
from lmdistill.evaluation.language_modeling import HISTOGRAM_BINS, language_scores
from lmdistill.models.loading.causal_lm import load_causal
from tests.tiny_causal import language_batch, tiny_language

STORIES = Path(__file__).parents[2].parent / "shared" / "models" / "stories260k"


@pytest.fixture
def student():
    return tiny_language("gpt2", layers=2, seed=1)


@pytest.fixture
def teacher():
    return tiny_language("llama", seed=2)


@pytest.fixture
def batches():
    return [language_batch(size=size, length=12, seed=size) for size in (5, 3, 1)]


def tokens(network, batches):
    """Float64 distributions and targets of all scored tokens, from the stock model's logits."""
    rows, labels = [], []
    for batch in batches:
        with torch.no_grad():
            logits = network.model(input_ids=batch.inputs.ids, attention_mask=batch.inputs.mask).logits
        for row in range(len(logits)):
            length = int(batch.inputs.mask[row].sum())
            for at in range(1, length - 1):  # the first token is the prompt; the last has no successor
                rows.append(logits[row, at].double())
                labels.append(int(batch.inputs.ids[row, at + 1]))
    return torch.stack(rows).softmax(-1), torch.tensor(labels)


def test_scores_are_those_of_the_formulas(student, teacher, batches):
    found = language_scores(student, batches, teacher=teacher, device="cpu")
    q, labels = tokens(student, batches)
    p, _ = tokens(teacher, batches)
    n = len(labels)
    assert found.tokens == n == sum(batch.count for batch in batches)
    nats = -q[range(n), labels].log()
    assert found.nats == pytest.approx(nats.mean().item(), rel=1e-5)
    assert found.perplexity == pytest.approx(math.exp(nats.mean()), rel=1e-5)
    assert found.accuracy == pytest.approx((q.argmax(-1) == labels).double().mean().item())
    assert found.passages.keys() <= {0, 1, 2, 3, 4}  # the row numbers of this fixture are not unique
    assert sum(one.tokens for one in found.passages.values()) == n
    confidence, right = q.max(-1).values, (q.argmax(-1) == labels).double()
    error = 0.0
    for number in range(15):
        inside = (confidence > number / 15) & (confidence <= (number + 1) / 15)
        if inside.any():
            error += inside.sum() / n * (right[inside].mean() - confidence[inside].mean()).abs()
    assert found.calibration_error == pytest.approx(float(error), rel=1e-4)
    beside, same = found.imitation, (q.argmax(-1) == p.argmax(-1)).double()
    assert beside.whole.agreement == pytest.approx(same.mean().item())
    assert beside.whole.teacher_nats == pytest.approx(-p[range(n), labels].log().mean().item(), rel=1e-5)
    uncertainty = 1 - p[range(n), labels]
    order = uncertainty.argsort(descending=True)
    hard, easy = order[: math.ceil(n / 2)], order[math.ceil(n / 2) :]
    for part, chosen in ((beside.hard, hard), (beside.easy, easy)):
        assert part.count == len(chosen)
        assert part.nats == pytest.approx(nats[chosen].mean().item(), rel=1e-5)
        assert part.agreement == pytest.approx(same[chosen].mean().item())
    assert beside.threshold == pytest.approx(uncertainty[hard].min().item(), rel=1e-5)
    counts = [int(((uncertainty >= k / 20) & (uncertainty < (k + 1) / 20)).sum()) for k in range(20)]
    assert list(beside.histogram) == counts
    assert sum(counts) == n


def test_how_tokens_are_put_into_batches_changes_nothing(student, teacher, batches):
    whole = language_scores(student, batches, teacher=teacher, device="cpu")
    rows = [
        dataclasses.replace(
            batch, inputs=dataclasses.replace(batch.inputs, ids=batch.inputs.ids[i : i + 1], mask=batch.inputs.mask[i : i + 1]),
            labels=batch.labels[i : i + 1], examples=None, scored=batch.scored[i : i + 1],
        )
        for batch in batches for i in range(len(batch.labels))
    ]  # fmt: skip
    single = language_scores(student, rows, teacher=teacher, device="cpu")
    for name, value in whole.metrics().items():
        assert single.metrics()[name] == pytest.approx(value, rel=1e-4), name
    assert single.imitation.histogram == whole.imitation.histogram


def test_easy_and_hard_make_up_the_whole(student, teacher, batches):
    beside = language_scores(student, batches, teacher=teacher, device="cpu").imitation
    parts = (beside.easy, beside.hard)
    assert sum(part.count for part in parts) == beside.whole.count
    for name in ("nats", "agreement", "teacher_nats"):
        mean = sum(part.count * getattr(part, name) for part in parts) / beside.whole.count
        assert mean == pytest.approx(getattr(beside.whole, name))
    assert beside.easy.teacher_nats < beside.hard.teacher_nats


def test_a_network_agrees_with_itself(student, batches):
    beside = language_scores(student, batches, teacher=student, device="cpu").imitation
    assert beside.whole.agreement == 1.0
    assert beside.whole.nats == beside.whole.teacher_nats


def test_tokens_that_are_not_scored_do_not_count(student, batches):
    before = language_scores(student, batches, device="cpu")
    changed = [
        dataclasses.replace(batch, labels=torch.where(batch.scored, batch.labels, 7)) for batch in batches
    ]
    assert language_scores(student, changed, device="cpu") == before


def test_without_a_teacher_nothing_is_said_about_one(student, batches):
    found = language_scores(student, batches, device="cpu")
    assert found.imitation is None
    assert found.metrics().keys() == {"nats", "perplexity", "accuracy", "calibration_error"}


def test_the_numbers_by_name(student, teacher, batches):
    found = language_scores(student, batches, teacher=teacher, device="cpu").metrics()
    assert {
        "agreement",
        "teacher_nats",
        "easy_nats",
        "hard_nats",
        "easy_agreement",
        "hard_agreement",
    } < found.keys()
    assert all(math.isfinite(value) for value in found.values())


def test_ties_are_all_hard(student, batches):
    teacher = tiny_language()
    teacher.model.lm_head.weight.data.zero_()
    beside = language_scores(student, batches, teacher=teacher, device="cpu").imitation
    assert beside.easy.count == 0
    assert beside.easy.nats is beside.easy.agreement is None
    assert beside.threshold == pytest.approx(23 / 24)
    assert beside.histogram[HISTOGRAM_BINS - 1] == beside.hard.count
    metrics = language_scores(student, batches, teacher=teacher, device="cpu").metrics()
    assert "easy_nats" not in metrics
    assert "hard_nats" in metrics


def test_each_passage_has_its_own_sum(student, batches):
    numbered = [
        dataclasses.replace(batch, examples=torch.arange(len(batch.labels)) + start)
        for batch, start in zip(batches, (10, 0, 20), strict=True)
    ]
    whole = language_scores(student, numbered, device="cpu")
    assert sorted(whole.passages) == [0, 1, 2, 10, 11, 12, 13, 14, 20]
    assert sum(one.nats for one in whole.passages.values()) / whole.tokens == pytest.approx(whole.nats)
    row = dataclasses.replace(numbered[0], scored=numbered[0].scored & (torch.arange(5) == 2)[:, None])
    single = language_scores(student, [row], device="cpu")
    assert single.passages[12].tokens == single.tokens
    assert single.passages[12].nats == pytest.approx(single.nats * single.tokens)
    assert whole.passages[12].tokens == single.tokens
    assert whole.passages[12].nats == pytest.approx(single.passages[12].nats)
    assert whole.passages[12].teacher_nats is None
    unnumbered = [dataclasses.replace(batch, examples=None) for batch in batches]
    assert language_scores(student, unnumbered, device="cpu").passages == {}


def test_no_dropout_and_no_gradient(batches):
    network = tiny_language("gpt2", resid_pdrop=0.5).train()
    found = language_scores(network, batches, device="cpu")
    assert found == language_scores(network, batches, device="cpu")
    assert network.training


def test_bars_hear_of_every_batch(student, batches):
    heard = []
    language_scores(student, batches, device="cpu", on_batch=heard.append)
    assert heard == [5, 3, 1]


def test_vocabularies_of_another_size_are_refused(student, batches):
    with pytest.raises(
        MismatchError, match=r"the student predicts 24 tokens and the teacher 30; align their"
    ):
        language_scores(student, batches, teacher=tiny_language(rows=30), device="cpu")


def test_nothing_scored_is_refused(student, batches):
    silent = [dataclasses.replace(batch, scored=torch.zeros_like(batch.scored)) for batch in batches]
    for given in ([], silent):
        with pytest.raises(DataError, match=r"^no token is scored; check the split"):
            language_scores(student, given, device="cpu")


def test_weights_that_are_no_numbers_are_noticed(student, batches):
    student.model.transformer.ln_f.weight.data.fill_(math.nan)
    with pytest.raises(DataError, match="likelihood of some tokens is not finite"):
        language_scores(student, batches, device="cpu")


@pytest.mark.skipif(not STORIES.exists(), reason="../shared/models/stories260k is not here")
def test_a_real_model_is_sure_of_its_own_writing():
    network = load_causal(STORIES)
    text = "Once upon a time, there was a little girl named Lily. She loved to play outside in the park."
    ids = torch.tensor([network.tokenizer(text)["input_ids"]])
    scored = torch.ones_like(ids, dtype=torch.bool)
    scored[:, -1] = False
    batch = dataclasses.replace(
        language_batch(size=1), labels=ids.roll(-1, dims=1), scored=scored,
        inputs=dataclasses.replace(language_batch(size=1).inputs, ids=ids, mask=torch.ones_like(ids)),
    )  # fmt: skip
    found = language_scores(network, [batch], teacher=network, device="cpu")
    assert found.nats < 0.7
    assert found.accuracy > 0.75
    assert sum(found.imitation.histogram[:2]) > found.tokens / 2
