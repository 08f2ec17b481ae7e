"""Shapes: the grid holds each once, the largest first."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmdistill.core.errors import ConfigError
from lmdistill.studies.shrink.shapes import MOST_DEPTHS, WIDTHS, Shape, grid


@given(depth=st.integers(1, 48))
def test_the_grid_has_every_depth_with_every_width_once(depth):
    shapes = grid(depth, [], [])
    depths = {shape.layers for shape in shapes}
    assert len(set(shapes)) == len(shapes) == len(depths) * len(WIDTHS)
    assert len(depths) == min(depth, MOST_DEPTHS)
    assert max(depths) == depth
    assert min(depths) >= 1


@given(depth=st.integers(1, 12), widths=st.sets(st.sampled_from([1.0, 0.7, 0.5, 0.1]), min_size=1))
def test_a_shape_comes_after_every_shape_that_is_larger_in_both(depth, widths):
    shapes = grid(depth, [], sorted(widths))
    for place, one in enumerate(shapes):
        for later in shapes[place + 1 :]:
            assert not (later.layers >= one.layers and later.keep > one.keep)


def test_names_of_shapes_differ():
    names = [shape.name for shape in grid(6, [], [], ["models/tiny", "bert-small"])]
    assert len(set(names)) == len(names)
    assert names[-2:] == ["tiny", "bert-small"]


def test_a_shape_sets_fields_of_a_recipe():
    assert dict(Shape(layers=2, keep=0.5).settings) == {"student.layers": 2, "student.keep": 0.5}
    assert dict(Shape(layers=None, model="m").settings) == {"student.model": "m", "student.keep": 1.0}
    assert Shape(layers=None, model="m", keep=0.5).settings["student.keep"] == 0.5


@pytest.mark.parametrize("layers", [[0], [7]])
def test_a_depth_that_the_teacher_has_not_is_refused(layers):
    with pytest.raises(ConfigError, match=f"--layers must be between 1 and 6, .* got {layers[0]}"):
        grid(6, layers, [])


@pytest.mark.parametrize("width", [0.0, 1.1, -1.0])
def test_a_width_outside_0_and_1_is_refused(width):
    with pytest.raises(ConfigError, match=r"--widths must be in \(0, 1\], got"):
        grid(6, [], [width])
