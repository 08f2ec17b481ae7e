import numpy as np
import pytest
import torch

from lmdistill.core.batch import Outputs
from lmdistill.core.errors import ConfigError
from lmdistill.methods import KD
from tests.tiny import make_batch


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def test_terms_equal_a_rewrite_from_the_paper_in_numpy():
    student, teacher = torch.randn(2, 8, 3, dtype=torch.float64)
    batch, alpha, tau = make_batch(), 0.3, 4.0
    terms = KD(alpha=alpha, temperature=tau).compare(Outputs(logits=student), Outputs(logits=teacher), batch)
    p, q = softmax(teacher.numpy() / tau), softmax(student.numpy() / tau)
    soft = (p * np.log(p / q)).sum(-1)
    hard = -np.log(softmax(student.numpy()))[np.arange(8), batch.labels.numpy()]
    assert terms["teacher"].item() == pytest.approx(alpha * tau**2 * soft.sum(), rel=1e-12)
    assert terms["label"].item() == pytest.approx((1 - alpha) * hard.sum(), rel=1e-12)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("alpha", 1.5, r"alpha must be in \[0, 1\], got 1.5"),
        ("alpha", -0.1, r"alpha must be in \[0, 1\], got -0.1"),
        ("alpha", float("nan"), r"alpha must be in \[0, 1\], got nan"),
        ("temperature", 0.0, r"temperature must be > 0, got 0.0"),
    ],
)
def test_ranges_are_checked_where_the_field_lives(field, value, message):
    with pytest.raises(ConfigError, match=message):
        KD(**{field: value})
