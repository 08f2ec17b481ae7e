from dataclasses import fields, replace

import pytest

from lmdistill.core.errors import ConfigError, UnknownNameError
from lmdistill.data.augment import AUGMENTERS, Augmenter, augmenter_named

SPEED_ONLY = {"device", "workers", "allow_pickle"}
OTHER = {int: 3, float: 0.25, str: "other", bool: True, type(None): "other"}


@pytest.mark.parametrize("name", AUGMENTERS)
def test_every_augmenter_is_one_and_knows_its_name(name: str) -> None:
    augmenter = AUGMENTERS[name]()
    assert isinstance(augmenter, Augmenter)
    assert augmenter.name == name
    assert len(augmenter.identity) == 16


@pytest.mark.parametrize("name", AUGMENTERS)
def test_the_identity_follows_every_setting_that_changes_results_and_no_other(name: str) -> None:
    augmenter = AUGMENTERS[name]()
    if name == "marian":
        augmenter = replace(augmenter, temperature=0.5)
    without = SPEED_ONLY | ({"beams"} if name == "marian" else set())  # no beams when sampling
    without |= set() if name == "apertium" else {"batch_size"}
    for field in fields(augmenter):
        changed = replace(augmenter, **{field.name: OTHER[type(getattr(augmenter, field.name))]})
        assert (changed.identity == augmenter.identity) == (field.name in without), field.name


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"no augmenter is called 'mariann'\. Did you mean 'marian'"):
        augmenter_named("mariann")


@pytest.mark.parametrize(
    ("name", "setting", "message"),
    [
        ("marian", {"temperature": -1.0}, "temperature must be >= 0, got -1.0"),
        ("marian", {"beams": 0}, "beams must be >= 1, got 0"),
        ("apertium", {"workers": 0}, "workers must be >= 1, got 0"),
        ("masked", {"replace": 1.5}, r"replace must be in \[0, 1\], got 1.5"),
        ("masked", {"candidates": 0}, "candidates must be >= 1, got 0"),
        ("eda", {"swap": -0.1}, r"swap must be in \[0, 1\], got -0.1"),
        ("eda", dict.fromkeys(("synonym", "insertion", "swap", "deletion"), 0.0), "all 0.*raise one"),
    ],
)
def test_a_setting_out_of_range_is_refused(name: str, setting: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        AUGMENTERS[name](**setting)
