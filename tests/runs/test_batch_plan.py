"""The batches of a run: the number of passes that its training settings ask for."""

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


def test_a_negative_number_of_steps_is_refused():
    with pytest.raises(ConfigError, match=r"^min_steps must be >= 0, got -1\.$"):
        Training(min_steps=-1)
