"""Objects to plain values: names first, and nothing but what was changed."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lmdistill.core.errors import LmdistillError
from lmdistill.core.protocols import Method
from lmdistill.methods import METHODS
from lmdistill.recipes.parsing import parse
from lmdistill.recipes.serialization import changed, plain
from tests.recipes.configuration import tables_of


def test_every_method_has_its_name_first():
    for name, cls in METHODS.items():
        assert next(iter(plain(cls()).items())) == ("name", name)


@pytest.mark.parametrize("name", sorted(METHODS))
@given(data=st.data())
def test_what_was_changed_is_all_that_it_takes_to_make_it_again(name, data):
    try:
        made = parse(Method, {"name": name, **data.draw(tables_of(METHODS[name]))})
    except LmdistillError:
        assume(False)
    assert parse(Method, {"name": name, **changed(made)}) == made
    assert all(plain(made)[field] != plain(METHODS[name]())[field] for field in changed(made))
    assert changed(METHODS[name]()) == {}
