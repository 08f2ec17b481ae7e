"""Figures that cannot be are refused, with the name of the field and the value."""

import json
import math

import pytest

from lmdistill.core.errors import RunError
from lmdistill.records.record import Record, read_record
from tests.report.factory import make_record, plain_record


def changed(field, value):
    """A record with one field changed, as a file."""
    record = json.loads(json.dumps(plain_record()))
    record["tokens"] = {
        "easy": {"count": 3, "nats": 1.0},
        "hard": {"count": 3, "nats": 1.0},
        "histogram": [1, 5],
    }
    record["written"] = {"rouge_l": 0.5, "length": 12.0}
    *above, last = field.split(".")
    place = record
    for name in above:
        place = place[int(name)] if isinstance(place, list) else place[name]
    place[int(last) if isinstance(place, list) else last] = value
    return record


IMPOSSIBLE = [
    ("schema", True), ("schema", 1.5), ("schema", "1"),
    ("seed", True), ("seed", "0"),
    ("metrics", {}),
    ("metrics.dev.accuracy", 99), ("metrics.dev.accuracy", -0.1), ("metrics.dev.accuracy", "0.9"),
    ("metrics.dev.accuracy", True),
    ("metrics.dev.perplexity", 0.5), ("metrics.dev.nats", -1.0), ("metrics.dev.matthews", 1.5),
    ("metrics.dev.f1", 2), ("teacher_metrics.dev.accuracy", 99), ("majority.dev.accuracy", 1.1),
    ("agreement.top_agreement", 1.2), ("agreement.kl_nats", -0.1), ("written.rouge_l", 3), ("written.length", -1),
    ("task.rows.dev", -1), ("task.rows.dev", True), ("task.truncated.dev", 1.5),
    ("student.layers", -1), ("student.parameters.total", -5), ("student.parameters.total", "9"),
    ("student.disk_bytes", -1), ("student.flops", -1),
    ("student.latency.1.p50_ms", -1), ("student.latency.1.p50_ms", math.nan),
    ("student.latency.1.p50_ms", math.inf), ("student.latency.1.batch_size", 0),
    ("calibration.ece", 6.0), ("calibration.brier", -1), ("calibration.bins.0.accuracy", 12),
    ("calibration.bins.0.count", -3), ("calibration.bins.0.confidence", math.nan),
    ("tokens.easy.count", -1), ("tokens.easy.nats", -1.0), ("tokens.histogram.0", -1),
    ("risk.train", -1), ("risk.dev_error", 2), ("risk.sample_size", -2),
    ("training.steps", -1), ("training.seconds", -1), ("training.seconds", math.nan), ("training.epochs", math.inf),
    ("training.examples_per_second", -4), ("training.resumed", -1),
    ("environment.threads", -1),
]  # fmt: skip


@pytest.mark.parametrize(("field", "value"), IMPOSSIBLE)
def test_a_figure_that_cannot_be_is_refused_with_field_and_value(field, value, tmp_path):
    (tmp_path / "record.json").write_text(json.dumps(changed(field, value)))
    with pytest.raises(RunError) as caught:
        read_record(tmp_path)
    said = str(caught.value)
    assert said.startswith(f"{tmp_path / 'record.json'} is damaged at {field.split('.')[0]}")
    assert field.split(".")[-1] in said or field == "metrics"
    assert field == "metrics" or str(value) in said
    assert said.endswith("Run it again.")
    assert "\n" not in said
    assert "Value error" not in said


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("metrics.dev.accuracy", 0), ("metrics.dev.accuracy", 1), ("metrics.dev.accuracy", None),
        ("metrics.dev.perplexity", 1.0), ("metrics.dev.my_own", -7.0), ("metrics.dev.pearson", -1.0),
        ("agreement.top_agreement", 1.0000000002), ("training.seconds", 0.0), ("training.resumed", True),
        ("training.resumed", 14), ("seed", -3), ("risk.gap", -0.5), ("task.rows.dev", 0),
    ],
)  # fmt: skip
def test_figures_at_the_ends_of_their_range_are_read(field, value, tmp_path):
    (tmp_path / "record.json").write_text(json.dumps(changed(field, value)))
    read_record(tmp_path)


def test_numbers_that_are_none_stay_none():
    record = make_record(metrics={"dev": {"accuracy": math.nan, "perplexity": math.inf}})
    assert record.metrics == {"dev": {"accuracy": None, "perplexity": None}}
    assert isinstance(record, Record)
