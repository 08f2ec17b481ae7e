"""A linear model from Python."""

import numpy as np
import pytest

import lmdistill as ld
from lmdistill.core.errors import ConfigError, MismatchError, ModelError
from tests.tiny import tiny
from tests.tiny_recipe import write_table

LABELS = ("bad", "good")


@pytest.fixture
def task(tmp_path):
    write_table(tmp_path / "texts.csv")
    return ld.load_task("own", str(tmp_path / "texts.csv"), labels=LABELS)


@pytest.fixture(autouse=True)
def _no_pages(monkeypatch):
    monkeypatch.setattr("lmdistill.runs.write_report.write_report", lambda folder, runs, order=(): None)


def test_a_network_and_an_ensemble_teach_it(task, tmp_path):
    one, two = tiny(labels=LABELS, seed=1), tiny(labels=LABELS, seed=2)
    method = ld.TFIDF(alpha=1.0, C=3.0)
    run = ld.distill(one, task, method=method, max_length=32, out=tmp_path / "one")
    assert isinstance(run.linear, ld.LinearClassifier)
    with pytest.raises(ModelError, match=r"a linear model .* from Python with load_linear;"):
        _ = run.student
    assert run.linear.labels == LABELS
    assert run.metrics == run.record.metrics["dev"]
    assert run.speedup > 0
    alone = ld.distill(ld.Ensemble([one]), task, method=method, max_length=32, out=tmp_path / "alone")
    np.testing.assert_allclose(
        alone.linear.logits(["good film"]), run.linear.logits(["good film"]), atol=1e-4
    )
    both = ld.distill(ld.Ensemble([one, two]), task, method=method, max_length=32, out=tmp_path / "both")
    assert both.record.teaching.disagreement is not None
    assert not np.allclose(both.linear.logits(["good film"]), run.linear.logits(["good film"]), atol=1e-2)


def test_labels_alone_need_no_teacher(task, tmp_path):
    run = ld.distill(None, task, method=ld.TFIDF(alpha=0.0), max_length=32, out=tmp_path / "gold")
    assert run.speedup is None
    again = ld.load_linear(tmp_path / "gold" / "student")
    shares = again.probabilities(["good", "bad"])
    np.testing.assert_allclose(shares.sum(1), 1)
    np.testing.assert_array_equal(shares, run.linear.probabilities(["good", "bad"]))


def test_what_does_not_fit_is_one_line(task, tmp_path):
    method, out = ld.TFIDF(), tmp_path / "no"
    with pytest.raises(
        ConfigError, match=r"^alpha is 0\.5 and there is no teacher\. Give one, or set alpha=0\.$"
    ):
        ld.distill(None, task, method=method, out=out)
    with pytest.raises(ConfigError, match=r"^method TFIDF makes its own student\. Leave student out\.$"):
        ld.distill(None, task, student=tiny(labels=LABELS), method=method, out=out)
    with pytest.raises(ConfigError, match=r"^student is missing\. Give one, as in student=truncate"):
        ld.distill(tiny(labels=LABELS), task, method=ld.KD(), out=out)
    with pytest.raises(
        MismatchError, match=r"has the classes good, bad, and own has bad, good in this order"
    ):
        ld.distill(tiny(labels=LABELS[::-1]), task, method=method, out=out)
    assert not out.exists()
