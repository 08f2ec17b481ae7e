"""The batches of a run: the number of passes that its training settings ask for."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmdistill.core.errors import ConfigError
from lmdistill.engine.training_settings import Training
from lmdistill.methods import FineTune
from lmdistill.runs.batch_plan import plan


def sampler(rows, **settings):
    return plan(np.full(rows, 5), FineTune(), Training(**settings))


@given(
    rows=st.integers(1, 100), epochs=st.integers(1, 4), fewest=st.integers(0, 60), batch=st.integers(1, 16)
)
def test_whole_passes_are_added_until_there_are_enough_steps(rows, epochs, fewest, batch):
    found = sampler(rows, epochs=epochs, min_steps=fewest, batch_size=batch)
    usual = sampler(rows, epochs=epochs, batch_size=batch)
    assert found.steps_per_epoch == usual.steps_per_epoch
    assert found.total_steps >= max(fewest, usual.total_steps)
    assert found.total_steps == usual.total_steps or found.total_steps < fewest + found.steps_per_epoch


def test_added_passes_begin_with_the_usual_ones():
    found, usual = sampler(20, epochs=1, min_steps=7, batch_size=8), sampler(20, epochs=1, batch_size=8)
    first = [draw.examples.tolist() for (draw,) in found][: usual.total_steps]
    assert first == [draw.examples.tolist() for (draw,) in usual]
    assert found.total_steps == 9


@given(
    rows=st.integers(1, 100),
    epochs=st.integers(1, 4),
    most=st.integers(1, 40),
    batch=st.integers(1, 16),
    start=st.integers(0, 40),
)
def test_the_last_pass_is_cut_short_and_what_comes_before_stays(rows, epochs, most, batch, start):
    usual = sampler(rows, epochs=epochs, batch_size=batch)
    found = sampler(rows, epochs=epochs, max_steps=most, batch_size=batch)
    assert found.total_steps == min(most, usual.total_steps)
    drawn = [draw.examples.tolist() for (draw,) in found]
    assert drawn == [draw.examples.tolist() for (draw,) in usual][:most]
    late = replace(found, start=min(start, found.total_steps))
    assert [draw.examples.tolist() for (draw,) in late] == drawn[late.start :]
    assert len(late) == len(drawn) - late.start


def test_an_exact_number_of_steps_is_one_for_any_data():
    for rows in (3, 40, 1000):
        assert sampler(rows, epochs=1, min_steps=17, max_steps=17, batch_size=8).total_steps == 17


def test_fewer_steps_at_most_than_at_least_are_refused():
    with pytest.raises(ConfigError, match=r"^max_steps must be >= 1 and not below min_steps \(5\), got 4\.$"):
        Training(min_steps=5, max_steps=4)
    with pytest.raises(ConfigError, match=r"^max_steps must be >= 1 and not below min_steps \(0\), got 0\.$"):
        Training(max_steps=0)


def test_a_negative_number_of_steps_is_refused():
    with pytest.raises(ConfigError, match=r"^min_steps must be >= 0, got -1\.$"):
        Training(min_steps=-1)
