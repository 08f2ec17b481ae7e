"""Measurements are kept under their conditions; where nothing fits, the nearest shape is named."""

import json
import re

import pytest

from lmdistill.core.errors import RunError
from lmdistill.studies.shrink.limits import Limits
from lmdistill.studies.shrink.measured_shapes import (
    FILE,
    Conditions,
    MeasuredShape,
    fitting,
    nothing_fits,
    read_measurements,
    write_measurements,
)
from lmdistill.studies.shrink.shapes import Shape

HERE = Conditions(processor="a processor", threads=1, texts="0123")


def measured(layers, ms, megabytes, graph="onnx-int8"):
    """A measurement."""
    return MeasuredShape(
        shape=Shape(layers=layers),
        graph=graph,
        bytes=round(1e6 * megabytes),
        parameters=1000,
        p50_ms=ms,
        p95_ms=2 * ms,
    )


FOUND = (measured(3, 6.0, 18), measured(2, 5.5, 16), measured(1, 2.0, 30))


def test_what_is_written_is_read(tmp_path):
    write_measurements(tmp_path, HERE, FOUND)
    assert read_measurements(tmp_path, HERE) == FOUND


@pytest.mark.parametrize(
    "other",
    [
        Conditions(processor="another", threads=1, texts="0123"),
        Conditions(processor="a processor", threads=2, texts="0123"),
        Conditions(processor="a processor", threads=1, texts="4567"),
    ],
)
def test_other_conditions_mean_other_measurements(other, tmp_path):
    write_measurements(tmp_path, HERE, FOUND)
    assert read_measurements(tmp_path, other) == ()


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"conditions": 3, "shapes": []}'])
def test_a_damaged_file_is_one_line(text, tmp_path):
    (tmp_path / FILE).write_text(text)
    with pytest.raises(RunError, match=r"cannot be read .* Remove it"):
        read_measurements(tmp_path, HERE)


def test_a_changed_type_is_one_line(tmp_path):
    write_measurements(tmp_path, HERE, FOUND)
    table = json.loads((tmp_path / FILE).read_text())
    table["shapes"][0]["p50_ms"] = "fast"
    (tmp_path / FILE).write_text(json.dumps(table))
    with pytest.raises(RunError, match="cannot be read"):
        read_measurements(tmp_path, HERE)


def test_shapes_that_keep_every_limit_fit():
    assert fitting(FOUND, Limits(latency_ms=5.6, bytes=17e6)) == (FOUND[1],)
    assert fitting(FOUND, Limits(quality=0.99)) == FOUND  # not known before the training


def test_the_nearest_shape_is_the_one_whose_worst_miss_is_smallest():
    message = nothing_fits(FOUND, Limits(latency_ms=5.0, bytes=20e6))
    assert "The nearest is 2-layers as onnx-int8: 5.5 ms (at most 5 ms)." in message
    assert "Allow --max-latency 5.5ms" in message


def test_limits_that_are_kept_alone_but_not_together_are_told_apart():
    message = nothing_fits(FOUND, Limits(latency_ms=5.0, bytes=20e6))
    counts = re.search(r"of 3 shapes the limits are kept: --max-latency by 1, --max-size by 2", message)
    assert counts


def test_with_a_single_limit_nothing_is_said_of_others():
    assert "Alone" not in nothing_fits(FOUND, Limits(latency_ms=1.0))
