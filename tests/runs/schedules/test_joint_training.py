"""What the rounds of a joint run hand to one another, and what they must not share."""

import pytest
import yaml

from lmdistill.core.errors import ConfigError, ModelError
from lmdistill.engine.callbacks import FitResult
from lmdistill.export.hugging_face import save
from lmdistill.models.loading.classifier import load
from lmdistill.models.pruning.families import widths_of
from lmdistill.recipes.files import read_recipe
from lmdistill.recipes.pruning import Pruning
from lmdistill.runs.schedules import joint_training as joint_module
from lmdistill.runs.schedules.joint_training import Outcome
from lmdistill.runs.schedules.pruning import sliced
from lmdistill.runs.schedules.schedule_steps import TrainingCost, fitted_of
from lmdistill.schedules.assistant_choice import step_cost
from tests.cli.cli_project import LABELS, OTHER_WORDS
from tests.runs.schedules.test_run_schedule import GRID, recipe_at, run
from tests.runs.schedules.test_run_schedule import given as given
from tests.tiny import make_batch, tiny

pytestmark = pytest.mark.slow

TWO = {"name": "minidisc", "grid": GRID, "largest": 0.75, "assistants": 2, "lam": 0.0}


@pytest.fixture
def courses(monkeypatch):
    """What each joint run trains, with the teacher's weights before and after."""
    found, real = [], joint_module.train

    def watched(course, place, accelerator):
        before = [weight.detach().clone() for weight in course.teacher.parameters()]
        done = real(course, place, accelerator)
        found.append((course, before))
        return done

    monkeypatch.setattr(joint_module, "train", watched)
    return found


def test_the_assistant_that_teaches_the_second_round_is_not_what_learns_in_it(
    tmp_path, given, no_pages, courses
):
    run(recipe_at(tmp_path, given, schedule=TWO), tmp_path / "out")
    assert len(courses) == 2
    for course, before in courses:
        teacher = list(course.teacher.parameters())
        assert not {id(weight) for weight in teacher} & {id(weight) for weight in course.student.parameters()}
        assert all((old == new.detach()).all() for old, new in zip(before, teacher, strict=True))
        assert not course.teacher.training


@pytest.mark.slow
def test_what_learns_is_no_wider_than_the_largest_candidate(tmp_path, given, no_pages, courses):
    """Other units would only decay, and take the memory of three copies of them."""
    run(recipe_at(tmp_path, given, schedule={"name": "minidisc", "grid": GRID}), tmp_path / "out")
    ((course, _),) = courses
    largest = load(tmp_path / "out" / "stages" / "candidates-1" / "candidates" / "0.5")
    assert widths_of(course.student.whole) == widths_of(largest)
    assert sum(p.numel() for p in course.student.parameters()) == sum(p.numel() for p in largest.parameters())


def test_an_assistant_reads_what_its_students_read(tmp_path, given, no_pages, courses):
    """The first teacher has a tokenizer of its own; the assistant has its students'."""
    other = tiny(layers=2, seed=4, words=OTHER_WORDS[:40], labels=LABELS)
    save(other, tmp_path / "other")
    student = {"model": str(tmp_path / "other"), "keep": 0.25, "pruning": {"multiple": 4, "rows": 30}}
    run(recipe_at(tmp_path, given, schedule=TWO, student=student), tmp_path / "out")
    views = [course.feed.collator.teacher for course, _ in courses]
    assert views[0] is not None
    assert views[1:] == [None]


@pytest.mark.slow
def test_a_fraction_that_is_no_short_decimal_is_still_the_student(tmp_path, given, no_pages):
    schedule = {"name": "minidisc", "grid": [0.75, 2 / 3], "largest": 0.75}
    record = run(recipe_at(tmp_path, given, keep=2 / 3, schedule=schedule), tmp_path / "out")
    assert [(one.kept, one.chosen) for one in record.schedule.candidates] == [(0.75, True), (2 / 3, False)]


@pytest.mark.slow
def test_importance_of_longer_texts_is_measured_anew(tmp_path, given, no_pages):
    for length in (24, 6):
        recipe_at(tmp_path, given, keep=0.5)
        table = yaml.safe_load((tmp_path / "recipe.yaml").read_text())
        table["data"]["max_length"] = length
        (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(table))
        run(read_recipe(tmp_path / "recipe.yaml"), tmp_path / str(length))
    assert len(list((tmp_path / "teachers").glob("importance-*.json"))) == 2


def test_rows_for_importance_come_from_all_over_a_sorted_file():
    drawn = Pruning(rows=40).drawn(1000)
    assert drawn == sorted(set(drawn)) == Pruning(rows=40).drawn(1000)
    assert len(drawn) == 40
    for half in (range(500), range(500, 1000)):
        assert len(set(drawn) & set(half)) > 10
    assert Pruning(rows=40).drawn(3) == [0, 1, 2]


def test_scores_that_are_no_numbers_are_refused_and_not_kept(tmp_path):
    network = tiny(layers=2, seed=1)
    network.model.classifier.weight.data[0, 0] = float("nan")
    with pytest.raises(
        ModelError, match=r"the gradient of some units of tiny2 is not a finite number, so units cannot"
    ):
        sliced(network, Pruning(), batches=lambda pruning: [make_batch()], data="", cache=tmp_path)
    assert not list(tmp_path.iterdir())


def done(steps, seconds, resumed=0):
    return FitResult(steps=steps, resumed=resumed, seconds=seconds, best_step=0, best_score=None)


def test_time_of_a_stage_that_was_interrupted_is_reckoned_at_the_pace_of_what_was_timed():
    whole, broken = TrainingCost(), TrainingCost()
    for ledger, stage in ((whole, done(10, 50.0)), (broken, done(10, 20.0, resumed=6))):
        ledger.add(stage, learned=1.7, teacher=1.0)
        ledger.add(done(5, 10.0), learned=0.1, teacher=0.5)
    assert whole.seconds == broken.seconds == 60.0
    work = 10 * step_cost((1.7,)) + 5 * step_cost((0.1,), teacher=0.5)
    assert whole.teacher_steps == broken.teacher_steps == pytest.approx(work)


def test_a_stage_of_which_no_step_was_timed_leaves_the_time_open():
    ledger = TrainingCost()
    ledger.add(done(10, 0.1, resumed=10), learned=1.7, teacher=1.0)
    ledger.add(done(5, 10.0), learned=0.1, teacher=0.5)
    assert ledger.seconds is None
    assert ledger.teacher_steps > 10


def test_what_a_joint_run_had_done_before_it_was_killed_is_known_to_the_account():
    numbers = {"metrics": {0.5: 0.9}, "parameters": {0.5: 10}, "latency_ms": {}}
    assert fitted_of(Outcome(**numbers, steps=9, resumed=4, seconds=2.0)) == done(9, 2.0, resumed=4)


@pytest.mark.parametrize(
    ("changes", "name"),
    [({"which": "last"}, "which"), ({"init": "random"}, "init"), ({"model": "x"}, "model")],
)
def test_a_path_of_layers_refuses_a_student_that_begins_otherwise(tmp_path, given, changes, name):
    path = {"name": "path", "layers": [2]}
    with pytest.raises(
        ConfigError, match=rf"schedule\.layers is \[2\] and student\.{name} is set; the student"
    ):
        recipe_at(tmp_path, given, schedule=path, student={"layers": 1, **changes})
