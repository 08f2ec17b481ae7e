"""How a batch is worked off, padded and ordered does not change what is learned."""

from dataclasses import dataclass, replace

import pytest
import torch

from lmdistill.data.tasks.collator import Collator
from lmdistill.methods import CLASSIFIER_METHODS, MixKD
from tests.engine.corpus import Run, course, feed, rows
from tests.tiny import tiny

pytestmark = pytest.mark.slow

TOLERANCE = 5e-5
"""Eight steps in float32, where batches of another shape round differently: losses differ by up to 6e-6, their
small parts by up to 5e-5. A step that divides wrongly differs by more than 1e-3."""


def every_method():
    """One of each name, and what mixes differently."""
    plain = {name: make() for name, make in CLASSIFIER_METHODS.items()}
    return {
        **plain,
        "mixkd, partners from the batch": MixKD(partner="batch"),
        "mixkd, twice": MixKD(ratio=2, alpha_kd=1.0),
    }


@pytest.fixture(params=every_method().values(), ids=every_method().keys(), scope="module")
def method(request):
    return request.param


@pytest.fixture(scope="module")
def whole(method, tmp_path_factory):
    """The run that every other one must equal."""
    return Run(method, tmp_path_factory.mktemp("whole"))


def close(first, second):
    assert len(first.curve) == len(second.curve) == 8
    assert first.curve == pytest.approx(second.curve, rel=TOLERANCE)
    assert [step.count for step in first.steps] == [step.count for step in second.steps]
    for one, two in zip(first.steps, second.steps, strict=True):
        assert one.parts == pytest.approx(two.parts, rel=10 * TOLERANCE)


def test_four_micro_batches_of_two_give_the_curve_of_one_of_eight(method, whole, tmp_path):
    close(whole, Run(method, tmp_path, course(accumulate=4)))


@pytest.mark.parametrize("accumulate", [3, pytest.param(100, marks=pytest.mark.slow)])
def test_micro_batches_may_be_uneven(accumulate, tmp_path):
    close(Run(MixKD(), tmp_path / "whole"), Run(MixKD(), tmp_path / "parts", course(accumulate=accumulate)))


def test_scores_accumulate_too(tmp_path):
    data, students = rows(classes=1), [tiny(seed=2, classes=1) for _ in range(2)]
    runs = [
        Run(CLASSIFIER_METHODS["finetune"](), tmp_path / str(accumulate), student=student,
            batches=feed(CLASSIFIER_METHODS["finetune"](), course(accumulate=accumulate), data))
        for accumulate, student in zip((1, 4), students, strict=True)
    ]  # fmt: skip
    close(*runs)


@dataclass(frozen=True, kw_only=True)
class Wide(Collator):
    """Pads every batch by five more columns, filled with a real token so that a leak shows."""

    def __getitem__(self, draw):
        batch = super().__getitem__(draw)
        mixed = None if batch.mixed is None else replace(batch.mixed, inputs=widened(batch.mixed.inputs))
        return replace(batch, inputs=widened(batch.inputs), mixed=mixed)


def widened(value):
    """Inputs or their partners with five more columns; masks are zero there."""

    def wider(name, tensor):
        filler = 9 if name == "ids" else 0
        return torch.nn.functional.pad(tensor, (0, 5), value=filler)

    changes = {name: wider(name, getattr(value, name)) for name in ("ids", "mask", "segments")}
    if getattr(value, "partners", None) is not None:
        changes["partners"] = widened(value.partners)
    return replace(value, **changes)


@dataclass(frozen=True, kw_only=True)
class Backwards(Collator):
    """Shows the rows of every batch in the opposite order."""

    def __getitem__(self, draw):
        return super().__getitem__(
            replace(
                draw, examples=draw.examples[::-1], partners=draw.partners[::-1], shares=draw.shares[::-1]
            )
        )


@pytest.mark.parametrize("kind", [Wide, Backwards])
def test_padding_and_order_within_a_batch_do_not_matter(method, whole, kind, tmp_path):
    batches = feed(method, course())
    other = kind(student=batches.collator.student, mixing=batches.collator.mixing)
    close(whole, Run(method, tmp_path, batches=replace(batches, collator=other)))


def test_another_seed_is_another_curve(method, whole, tmp_path):
    other = Run(method, tmp_path, course(seed=1))
    assert other.curve != pytest.approx(whole.curve, rel=1e-2)
