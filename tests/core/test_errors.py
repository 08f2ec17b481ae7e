"""One tree of errors; a name that no table has is answered with the nearest one."""

import inspect

import pytest

from lmdistill.core import errors
from lmdistill.core.errors import LmdistillError, UnknownNameError

ALL = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if kind.__module__ == errors.__name__]


@pytest.mark.parametrize("kind", ALL)
def test_every_error_is_ours_and_in_the_tree_at_the_top(kind):
    assert issubclass(kind, LmdistillError)
    assert kind.__name__ in (errors.__doc__ or "")


def test_the_nearest_name_is_offered_and_a_far_one_is_not():
    assert str(UnknownNameError("method", "mixdk", ["kd", "mixkd"])) == (
        "no method is called 'mixdk'. Did you mean 'mixkd'? Known: kd, mixkd."
    )
    assert "Did you mean" not in str(UnknownNameError("method", "zzz", ["kd", "mixkd"]))


def test_its_text_is_not_quoted_as_that_of_a_key_error():
    assert not str(UnknownNameError("method", "x", ["y"])).startswith(("'", '"'))
