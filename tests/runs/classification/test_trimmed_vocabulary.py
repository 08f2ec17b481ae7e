"""Runs whose student loses word pieces at the end: what is recorded is what is saved, whatever stops them."""

import pytest

from lmdistill.export.hugging_face import save
from lmdistill.models.loading.classifier import load
from lmdistill.models.model_stats import fingerprint
from lmdistill.recipes.files import read_recipe
from lmdistill.records.record import read_record
from lmdistill.runs import stage
from lmdistill.runs.classification import prepared_recipe
from lmdistill.runs.run_recipe import run_recipe
from tests.tiny import WORDS, tiny
from tests.tiny_recipe import write_recipe

PIECES = [piece for word in WORDS for piece in (f"{word}s", word)]
"""Half of them are in no text."""
KD = {"name": "kd"}
SCHEDULES = {
    "minidisc": {
        "schedule": {"name": "minidisc", "grid": [0.75, 0.5, 0.25], "largest": 0.75},
        "student": {"layers": "all", "keep": 0.25, "pruning": {"multiple": 4, "rows": 24, "scope": "layer"}},
    },
    "path": {"schedule": {"name": "path", "layers": [2]}, "student": {"layers": 1}},
}  # fmt: skip


def run(folder, vocabulary="texts", **changes):
    """A run with a trimmed student in `folder`, and its record."""
    given = folder.parent / "given"
    student = {"layers": 2, **changes.pop("student", {}), "vocabulary": vocabulary}
    path = write_recipe(given, epochs=1, student=student, method=KD, **changes)
    save(tiny(layers=3, seed=1, dropout=0.1, labels=("bad", "good"), words=PIECES), given / "model")
    run_recipe(read_recipe(path), folder, command="run")
    return read_record(folder)


@pytest.fixture(scope="module")
def trimmed(tmp_path_factory):
    """The folder and the record of a run whose student has a trimmed vocabulary."""
    folder = tmp_path_factory.mktemp("trimmed") / "run"
    return folder, run(folder)


def require_recorded(folder, record):
    """The record is of the student in its folder, whose vocabulary is smaller."""
    student = load(folder / "student")
    assert record.student.fingerprint == fingerprint(student)
    assert record.vocabulary.pieces == len(student.tokenizer) == 25
    assert record.vocabulary.pieces_before == 45
    assert record.teacher.parameters.embeddings > record.student.parameters.embeddings


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param(changes, id=name, marks=[pytest.mark.slow] * (name == "minidisc"))
        for name, changes in SCHEDULES.items()
    ],
)
def test_only_the_last_student_of_a_schedule_is_trimmed(changes, tmp_path, no_pages, monkeypatch):
    monkeypatch.setattr(prepared_recipe, "require_tuned", lambda *_: None)
    require_recorded(tmp_path / "run", run(tmp_path / "run", **changes))
    kept = list((tmp_path / "run" / "stages").rglob("tokenizer.json"))
    assert kept
    assert all(len(load(path.parent).tokenizer) == 45 for path in kept)


@pytest.mark.slow
def test_scores_are_those_of_a_whole_vocabulary_where_no_dev_text_changes(trimmed, tmp_path, no_pages):
    (folder, small), whole = trimmed, run(tmp_path / "run", None)
    require_recorded(folder, small)
    assert whole.vocabulary is None
    assert small.vocabulary.changed["dev"].changed_texts == 0
    assert small.metrics == whole.metrics
    assert small.teacher_metrics == whole.teacher_metrics
    assert small.risk.dev == pytest.approx(whole.risk.dev, abs=1e-5)
    assert small.training.steps == whole.training.steps


def test_a_run_killed_between_training_and_record_ends_the_same(trimmed, tmp_path, no_pages, monkeypatch):
    def kill(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(stage, "write_predictions", kill)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "cut")
    assert len(load(tmp_path / "cut" / "student").tokenizer) == 25
    cut, (_, whole) = run(tmp_path / "cut"), trimmed
    require_recorded(tmp_path / "cut", cut)
    assert cut.vocabulary == whole.vocabulary
    assert cut.metrics == whole.metrics
    assert cut.student.fingerprint == whole.student.fingerprint
    assert cut.training.resumed > 0
