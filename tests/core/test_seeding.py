"""Every random stream is a function of names and numbers."""

import random
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lmdistill.core.seeding import derive, generator, seed_everything

names = st.lists(st.integers() | st.text(st.characters(exclude_categories=["Cs"])), max_size=3)


@given(seed=st.integers(), parts=names)
def test_a_seed_is_a_function_of_its_names_and_fits_into_63_bits(seed, parts):
    assert derive(seed, *parts) == derive(seed, *parts)
    assert 0 <= derive(seed, *parts) < 2**63


def test_streams_differ_in_seed_name_number_and_order():
    streams = [
        (0,),
        (1,),
        (0, "epoch"),
        (0, "epoch", 1),
        (0, "epoch", 2),
        (0, 1, "epoch"),
        (0, "step", 1),
        (1, "epoch", 1),
    ]
    assert len({derive(*stream) for stream in streams}) == len(streams)


def test_seeds_do_not_depend_on_the_process():
    """Python salts its own hashes anew in every process."""
    code = "from lmdistill.core.seeding import derive; print(derive(3, 'epoch', 7))"
    found = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONHASHSEED": "123"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(found.stdout) == derive(3, "epoch", 7) == 7377549259382686414


def test_a_generator_draws_the_same_whatever_ran_before():
    first = generator(0, "a").random(5)
    generator(0, "b").random(100)
    assert np.array_equal(generator(0, "a").random(5), first)
    assert not np.array_equal(generator(0, "b").random(5), first)


def draws():
    return random.random(), float(np.random.rand()), float(torch.rand(()))


def test_everything_is_seeded():
    seed_everything(4, "step", 2)
    first = draws()
    assert not any(one == other for one, other in zip(draws(), first, strict=True))
    seed_everything(4, "step", 2)
    assert draws() == first
    seed_everything(4, "step", 3)
    assert not any(one == other for one, other in zip(draws(), first, strict=True))


@pytest.mark.parametrize("layer", [torch.nn.Dropout(0.5)])
def test_dropout_of_a_step_does_not_depend_on_the_steps_before(layer):
    def mask(step):
        seed_everything(0, "step", step)
        return layer(torch.ones(64))

    straight = [mask(step) for step in range(3)]
    assert torch.equal(mask(2), straight[2])
    assert not torch.equal(straight[1], straight[2])
