import math

import pytest

from lmdistill.core.errors import ConfigError
from lmdistill.schedules.distillation import SCHEDULES, Direct, MaxiDisc, MiniDisc, Path, Schedule


@pytest.mark.parametrize("cls", SCHEDULES.values(), ids=SCHEDULES)
def test_every_schedule_reaches_a_tenth_with_its_defaults_and_no_fraction_outside_its_range(cls):
    assert isinstance(cls(), Schedule)
    cls().require(0.1)
    for keep in (0.0, -1.0, 1.01):
        with pytest.raises(ConfigError, match=r"must be in \(0, 1\], got"):
            cls().require(keep)


def test_the_published_candidates_for_a_tenth():
    assert MiniDisc().candidates(0.1) == (0.5, 0.4, 0.3, 0.2, 0.15, 0.1, 0.05)
    assert MaxiDisc().assistants(0.1) == (0.5, 0.4, 0.3, 0.2, 0.15)


def test_a_second_round_has_the_candidates_below_the_first_assistant():
    assert MiniDisc().candidates(0.1, below=0.3) == (0.2, 0.15, 0.1, 0.05)


def test_a_target_outside_the_grid_is_refused():
    with pytest.raises(ConfigError, match=r"the target keeps 0\.12 and the grid up to 0\.5 has 0\.5, 0\.4"):
        MiniDisc().require(0.12)
    MaxiDisc().require(0.12)
    Direct().require(0.12)


@pytest.mark.parametrize("schedule", [MiniDisc(), MaxiDisc()])
@pytest.mark.parametrize("keep", [0.5, 0.9, 1.0])
def test_a_target_above_the_largest_assistant_is_refused(schedule, keep):
    with pytest.raises(ConfigError, match=rf"the (student|target) keeps {keep:g} and the"):
        schedule.require(keep)


@pytest.mark.parametrize("cls", [MiniDisc, MaxiDisc])
@pytest.mark.parametrize("largest", [0.0, -0.5, 50.0, math.nan])
def test_a_largest_assistant_outside_its_range_is_refused(cls, largest):
    with pytest.raises(ConfigError, match=r"schedule\.largest must be in \(0, 1\], got"):
        cls(largest=largest).require(0.1)


def test_a_target_above_the_largest_candidate_is_told_what_would_help():
    with pytest.raises(
        ConfigError,
        match=r"the target keeps 0\.8 and the largest candidate would keep 0\.5\. Raise schedule\.largest",
    ):
        MiniDisc().require(0.8)


@pytest.mark.parametrize("finish", ["distil", "slice"])
def test_candidates_of_a_student_that_loses_nothing_are_refused(finish):
    with pytest.raises(ConfigError, match=r"the student keeps 1 and .* Set student\.keep below 1"):
        MiniDisc(grid=(1.0, 0.5), largest=1.0, finish=finish).require(1.0)


def test_a_round_may_end_in_assistants_or_in_the_student_that_is_cut():
    kept = (0.5, 0.3, 0.1, 0.05)
    assert MiniDisc().eligible(kept, 0.1) == (0.5, 0.3)
    assert MiniDisc(skip=True).eligible(kept, 0.1) == kept
    assert MiniDisc(finish="slice").eligible(kept, 0.1) == (0.1,)


def test_a_student_cut_from_the_joint_network_may_be_its_largest_candidate():
    MiniDisc(finish="slice").require(0.5)


@pytest.mark.parametrize("kept", [(0.1,), (0.05,), (0.3, 0.4), (0.3, 0.3)])
def test_a_path_must_fall(kept):
    with pytest.raises(
        ConfigError, match=r"schedule\.kept is .* and the student keeps 0\.1; each must be smaller"
    ):
        Path(kept=kept).require(0.1)


def test_a_path_needs_an_assistant_and_fractions_in_their_range():
    with pytest.raises(ConfigError, match=r"schedule\.kept is empty"):
        Path(kept=()).require(0.1)
    with pytest.raises(ConfigError, match=r"a fraction of schedule\.kept must be in \(0, 1\], got 1\.5"):
        Path(kept=(1.5,)).require(0.1)


def test_a_path_of_layers_must_fall_and_leaves_units_alone():
    Path(layers=(6, 4)).require(1.0)
    with pytest.raises(ConfigError, match=r"schedule\.layers is 4, 6; each must be smaller"):
        Path(layers=(4, 6)).require(1.0)
    with pytest.raises(ConfigError, match=r"schedule\.layers is \[6\] and student\.keep is 0\.1"):
        Path(layers=(6,)).require(0.1)


@pytest.mark.parametrize(("field", "value"), [("lam", -0.1), ("assistants", 0), ("middle", -1)])
def test_settings_outside_their_range_are_refused(field, value):
    with pytest.raises(ConfigError, match=f"{field} must be >= "):
        MiniDisc(**{field: value})


def test_a_sandwich_costs_what_it_draws_on_average():
    kept = (1.0, 0.9, 0.8, 0.7, 0.3, 0.2, 0.1)
    assert MiniDisc().mean_kept_per_step(kept) == pytest.approx(sum(kept))
    assert MiniDisc(sampling="sandwich", middle=1).mean_kept_per_step(kept) == pytest.approx(0.6 + 1.0 + 0.8)
    assert MiniDisc(sampling="sandwich", middle=3).mean_kept_per_step(kept) == pytest.approx(sum(kept))


def test_a_student_that_is_cut_has_no_assistants_in_a_row():
    with pytest.raises(ConfigError, match="finish is slice and assistants is 2"):
        MiniDisc(finish="slice", assistants=2)
