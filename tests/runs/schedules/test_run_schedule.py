"""Schedules from a recipe to the record of the student, on networks of a few thousand weights."""

import json
import shutil

import pytest
import torch
import yaml
from transformers import AutoModelForSequenceClassification

from lmdistill.core.errors import ConfigError, ModelError
from lmdistill.export.hugging_face import save
from lmdistill.models.classification_head import reorder_outputs
from lmdistill.models.loading.classifier import load
from lmdistill.models.pruning.families import widths_of
from lmdistill.recipes.files import read_recipe
from lmdistill.recipes.pruning import Pruning
from lmdistill.records.record import find_records, read_record
from lmdistill.runs.run_recipe import run_recipe
from lmdistill.runs.schedules.pruning import require_prunable
from lmdistill.schedules.assistant_choice import choose_assistant, step_cost
from lmdistill.schedules.trade_off import trade_off
from tests.cli.cli_project import LABELS, texts, trained, write_csv
from tests.models.loading.test_enc_t5 import t5
from tests.models.narrow import wide
from tests.tiny import tiny, tiny_tokenizer

GRID = [0.75, 0.5, 0.25]


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """A table of texts and a teacher that tells them apart."""
    folder = tmp_path_factory.mktemp("given")
    write_csv(folder / "train.csv", texts(48, seed=7))
    write_csv(folder / "dev.csv", texts(30, seed=8))
    network = reorder_outputs(trained(LABELS, layers=2), range(3), LABELS)
    save(network, folder / "teacher")
    save(tiny(layers=2, seed=5, labels=LABELS), folder / "ignorant")
    return folder


def recipe_at(folder, given, *, keep=0.25, teacher="teacher", **changes):
    """A recipe in a file, as a user has it."""
    table = {
        "task": "own",
        "data": {"source": str(given / "train.csv"), "dev": str(given / "dev.csv"), "max_length": 24},
        "teacher": {"model": str(given / teacher)},
        "student": {"layers": "all", "keep": keep, "pruning": {"multiple": 4, "rows": 30}},
        "methods": {"M": {"name": "hidden_kd"}},
        "training": {"epochs": 2, "batch_size": 16, "optimizer": {"learning_rate": 1e-3}},
        **changes,
    }
    folder.mkdir(exist_ok=True)
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(table))
    return read_recipe(path)


def run(recipe, out):
    run_recipe(recipe, out, command="test")
    return read_record(out)


def test_minidisc_chooses_by_its_score_and_ends_in_a_small_student(tmp_path, given, no_pages):
    schedule = {"name": "minidisc", "grid": GRID, "largest": 0.75}
    record = run(recipe_at(tmp_path, given, schedule=schedule), tmp_path / "out")
    facts = record.schedule
    assert [one.kept for one in facts.candidates] == GRID
    metrics = {one.kept: one.metric for one in facts.candidates}
    best = choose_assistant(metrics, target=0.25)
    assert [one.kept for one in facts.candidates if one.chosen] == [best]
    for one in facts.candidates:
        assert one.score == pytest.approx(trade_off(one.metric, one.kept))
        assert one.latency_ms > 0
    assert [one.parameters for one in facts.candidates] == sorted(
        (one.parameters for one in facts.candidates), reverse=True
    )
    work = 6 * step_cost(GRID) + 6 * step_cost([0.25], teacher=best)
    assert facts.work.teacher_steps == pytest.approx(work)
    assert facts.exhaustive.teacher_steps == pytest.approx(
        sum(6 * (step_cost([kept]) + step_cost([0.25], teacher=kept)) for kept in (0.75, 0.5))
    )
    assert record.teacher.layers == 2
    assert record.teacher.source == str(given / "teacher")
    student = load(tmp_path / "out" / "student")
    assert widths_of(student).heads in {(1, 0), (0, 1)}
    assert record.student.parameters.encoder < record.teacher.parameters.encoder / 2


@pytest.mark.slow
def test_a_t5_is_fine_tuned_into_a_classifier_that_is_cut_and_pruned(tmp_path, given, no_pages):
    """Its folder has no head, so the teacher is trained first."""
    t5().save_pretrained(tmp_path / "t5")
    tiny_tokenizer().save_pretrained(tmp_path / "t5")
    schedule = {"name": "minidisc", "grid": [0.75, 0.5], "largest": 0.75}
    recipe = recipe_at(
        tmp_path, given, teacher=str(tmp_path / "t5"), schedule=schedule,
        student={"layers": [1, 2], "keep": 0.5, "pruning": {"multiple": 4, "rows": 30, "scope": "layer"}},
        training={"epochs": 1, "batch_size": 16},
    )  # fmt: skip
    record = run(recipe, tmp_path / "out")
    student = load(tmp_path / "out" / "student")
    assert widths_of(student).heads == (2, 2, 2, 2)
    assert widths_of(student).neurons == (16, 16, 0, 16)
    assert student.labels == tuple(sorted(LABELS))
    assert record.student.parameters.encoder < record.teacher.parameters.encoder / 2
    stock = AutoModelForSequenceClassification.from_pretrained(tmp_path / "out" / "student")
    assert type(stock) is type(student.model)


@pytest.mark.parametrize("scope", ["global", "layer"])
def test_a_decoder_is_refused_in_advance_only_if_nothing_can_be_left(scope):
    network = wide("enc-t5")
    require_prunable(network, Pruning(scope=scope), 0.05)
    if scope == "global":  # where every layer keeps its share, each keeps a head
        with pytest.raises(ModelError, match=r"no layer of enc-t5 would keep a head"):
            require_prunable(network, Pruning(scope=scope), 0.02)


def test_candidates_whose_process_was_killed_after_their_results_lose_their_checkpoints(
    tmp_path, given, no_pages
):
    schedule = {"name": "minidisc", "grid": GRID, "largest": 0.75}
    recipe, out = recipe_at(tmp_path, given, schedule=schedule), tmp_path / "out"
    run(recipe, out)
    results = [path.parent for path in out.rglob("*.json") if path.name in ("candidates.json", "record.json")]
    stages = [folder for folder in results if folder != out]
    assert any((folder / "candidates.json").exists() for folder in stages)
    for folder in stages:
        (folder / "checkpoints" / "step-3").mkdir(parents=True)
    (out / "record.json").unlink()  # the kill came before the last stage had ended
    run(recipe, out)
    assert [folder for folder in stages if (folder / "checkpoints").exists()] == []


@pytest.mark.slow
def test_what_is_saved_on_the_way_are_dense_candidates_down_to_the_target(tmp_path, given, no_pages):
    lam = 9.0  # so that the smallest would have the best score of all if it could be chosen
    schedule = {"name": "minidisc", "grid": [*GRID, 0.2], "largest": 0.75, "lam": lam}
    run(recipe_at(tmp_path, given, schedule=schedule), tmp_path / "out")
    stage = tmp_path / "out" / "stages" / "candidates-1"
    assert sorted(path.name for path in (stage / "candidates").iterdir()) == ["0.25", "0.5", "0.75"]
    assert not (stage / "checkpoints").exists()
    best = json.loads((stage / "best.json").read_text())
    dev = [
        json.loads(line)["dev"]
        for line in (stage / "history.jsonl").read_text().splitlines()
        if "dev" in line
    ]
    for kept in (*map(str, GRID), "0.2"):
        assert best[kept] == max(one[kept] for one in dev)
    assert [one["trade_off"] for one in dev] == [
        max(trade_off(one[str(kept)], kept, weight=lam) for kept in (0.75, 0.5)) for one in dev
    ]


def test_a_candidate_is_judged_by_the_network_that_is_saved_of_it(tmp_path, given, no_pages):
    schedule = {"name": "minidisc", "grid": GRID, "largest": 0.75, "finish": "slice"}
    record = run(recipe_at(tmp_path, given, schedule=schedule), tmp_path / "out")
    last = record.schedule.candidates[-1]
    assert (last.kept, last.chosen) == (0.25, True)
    assert record.metrics["dev"]["accuracy"] == pytest.approx(last.metric)
    assert record.schedule.work.teacher_steps == pytest.approx(6 * step_cost(GRID))
    assert record.schedule.exhaustive is None


@pytest.mark.slow
def test_candidates_below_the_target_that_would_have_no_head_are_left_out(tmp_path, given, no_pages):
    schedule = {"name": "minidisc", "grid": [*GRID, 0.05], "largest": 0.75}
    record = run(recipe_at(tmp_path, given, schedule=schedule), tmp_path / "out")
    assert [one.kept for one in record.schedule.candidates] == GRID


@pytest.mark.slow
def test_two_assistants_in_a_row_are_chosen_below_one_another(tmp_path, given, no_pages):
    schedule = {"name": "minidisc", "grid": GRID, "largest": 0.75, "assistants": 2, "lam": 0.0}
    record = run(recipe_at(tmp_path, given, schedule=schedule), tmp_path / "out")
    chosen = [one.kept for one in record.schedule.candidates if one.chosen]
    assert chosen == sorted(chosen, reverse=True)
    rounds = {one.round for one in record.schedule.candidates}
    assert len(chosen) == len(rounds) == (2 if chosen[0] == 0.75 else 1)


@pytest.mark.slow
def test_maxidisc_keeps_the_best_student_of_all_assistants(tmp_path, given, no_pages):
    schedule = {"name": "maxidisc", "grid": GRID, "largest": 0.75}
    record = run(recipe_at(tmp_path, given, schedule=schedule), tmp_path / "out")
    found = {one.kept: one.student_metric for one in record.schedule.candidates}
    assert list(found) == [0.75, 0.5]
    assert record.metrics["dev"]["accuracy"] == max(found.values())
    (chosen,) = (one.kept for one in record.schedule.candidates if one.chosen)
    stored = (
        tmp_path / "out" / "stages" / f"student-by-{chosen:g}" / "student" / "model.safetensors"
    ).read_bytes()
    assert (tmp_path / "out" / "student" / "model.safetensors").read_bytes() == stored
    assert record.schedule.work.teacher_steps == pytest.approx(
        sum(6 * (step_cost([kept]) + step_cost([0.25], teacher=kept)) for kept in (0.75, 0.5))
    )


@pytest.mark.slow
def test_a_path_goes_through_its_assistants(tmp_path, given, no_pages):
    record = run(recipe_at(tmp_path, given, schedule={"name": "path", "kept": [0.75, 0.5]}), tmp_path / "out")
    assert [(one.kept, one.chosen) for one in record.schedule.candidates] == [(0.75, True), (0.5, True)]
    first, second = (
        load(tmp_path / "out" / "stages" / f"assistant-{kept}" / "student") for kept in (0.75, 0.5)
    )
    assert sum(widths_of(first).heads) == 3
    assert sum(widths_of(second).heads) == 2


@pytest.mark.slow
def test_a_path_of_layers_needs_no_pruning(tmp_path, given, no_pages):
    recipe = recipe_at(
        tmp_path, given, keep=1.0, schedule={"name": "path", "layers": [2]}, student={"layers": 1}
    )
    record = run(recipe, tmp_path / "out")
    assert (record.student.layers, record.teacher.layers) == (1, 2)
    assert [one.kept for one in record.schedule.candidates] == [1.0]


def test_a_student_that_is_only_pruned_has_no_stages(tmp_path, given, no_pages):
    record = run(recipe_at(tmp_path, given, keep=0.5), tmp_path / "out")
    assert (record.schedule.name, record.schedule.candidates) == ("direct", ())
    assert not (tmp_path / "out" / "stages").exists()


def test_stages_are_no_runs_of_their_own_in_a_report(tmp_path, given, no_pages):
    run(recipe_at(tmp_path, given, schedule={"name": "path", "kept": [0.5]}), tmp_path / "out")
    assert [found.path for found in find_records([tmp_path])] == [tmp_path / "out"]


@pytest.mark.slow
def test_importance_is_measured_once_for_all_students(tmp_path, given, no_pages, monkeypatch):
    run(recipe_at(tmp_path, given, keep=0.5), tmp_path / "first")
    monkeypatch.setattr("lmdistill.runs.schedules.pruning.gradient_importance", None)
    run(recipe_at(tmp_path, given, keep=0.25), tmp_path / "second")
    assert len(list((tmp_path / "teachers").glob("importance-*.json"))) == 1


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"heads": 1}', None])
def test_importance_that_is_damaged_is_measured_again(tmp_path, given, no_pages, caplog, text):
    run(recipe_at(tmp_path, given, keep=0.5), tmp_path / "first")
    (file,) = (tmp_path / "teachers").glob("importance-*.json")
    before = file.read_text()
    file.write_text(before.replace("0.", "1.", 1) if text is None else text)
    with caplog.at_level("WARNING", "lmdistill"):
        run(recipe_at(tmp_path, given, keep=0.5), tmp_path / "second")
    assert f"{file} is damaged; the importance is measured again." in caplog.messages
    assert file.read_text() == before
    weights = [
        (tmp_path / name / "student" / "model.safetensors").read_bytes() for name in ("first", "second")
    ]
    assert weights[0] == weights[1]


def damage(path):
    """Change the last byte of a file."""
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


@pytest.mark.parametrize(
    ("schedule", "name"),
    [
        ({"name": "path", "kept": [0.5]}, "assistant-0.5/student/model.safetensors"),
        pytest.param(
            {"name": "path", "kept": [0.5]}, "assistant-0.5/predictions.jsonl", marks=pytest.mark.slow
        ),
        pytest.param(
            {"name": "minidisc", "grid": GRID},
            "candidates-1/candidates/0.5/model.safetensors",
            marks=pytest.mark.slow,
        ),
        ({"name": "minidisc", "grid": GRID}, "candidates-1/candidates.json"),
    ],
)
def test_a_stage_that_is_damaged_is_made_again(tmp_path, given, no_pages, caplog, schedule, name):
    run(recipe_at(tmp_path, given, schedule=schedule), tmp_path / "out")
    weights = tmp_path / "out" / "student" / "model.safetensors"
    before = weights.read_bytes()
    damage(tmp_path / "out" / "stages" / name)
    (tmp_path / "out" / "record.json").unlink()
    shutil.rmtree(tmp_path / "out" / "student")
    with caplog.at_level("WARNING", "lmdistill"):
        run(recipe_at(tmp_path, given, schedule=schedule), tmp_path / "out")
    assert " is damaged (" in caplog.text
    assert " again." in caplog.text
    assert weights.read_bytes() == before


def test_the_dev_set_may_be_what_importance_is_measured_on(tmp_path, given, no_pages):
    student = {"layers": "all", "keep": 0.5, "pruning": {"multiple": 4}}
    for data in ("train", "dev"):
        pruning = {**student["pruning"], "data": data}
        run(recipe_at(tmp_path, given, student={**student, "pruning": pruning}), tmp_path / data)
    assert len(list((tmp_path / "teachers").glob("importance-*.json"))) == 2


def test_a_teacher_that_knows_nothing_is_refused_before_anything_is_written(tmp_path, given, no_pages):
    with pytest.raises(ModelError, match=r"ignorant is at or below the majority class on the dev set of own"):
        run(recipe_at(tmp_path, given, teacher="ignorant"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_slice_without_a_head_is_refused_before_anything_is_trained(tmp_path, given, no_pages):
    with pytest.raises(ModelError, match=r"no layer of .* would keep a head"):
        run(recipe_at(tmp_path, given, keep=0.1), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_recipe_says_at_once_what_its_schedule_cannot_reach(tmp_path, given):
    with pytest.raises(ConfigError, match=r"the target keeps 0\.3 and the grid"):
        recipe_at(tmp_path, given, keep=0.3, schedule={"name": "minidisc", "grid": GRID})
    with pytest.raises(ConfigError, match=r"schedule\.layers ends with 2 and student\.layers is 2"):
        recipe_at(tmp_path, given, keep=1.0, schedule={"name": "path", "layers": [2]}, student={"layers": 2})
    with pytest.raises(ConfigError, match=r"lam must be >= 0, got -1"):
        recipe_at(tmp_path, given, schedule={"name": "minidisc", "lam": -1.0})


def test_plain_transformers_gives_the_student_its_logits(tmp_path, given, no_pages):
    run(recipe_at(tmp_path, given, keep=0.5), tmp_path / "out")
    folder = tmp_path / "out" / "student"
    ours = load(folder)
    theirs = AutoModelForSequenceClassification.from_pretrained(folder, trust_remote_code=True).eval()
    encoded = ours.tokenizer(["good film", "bad plot very slow"], return_tensors="pt", padding=True)
    with torch.no_grad():
        logits = theirs(**encoded).logits
    with (tmp_path / "out" / "predictions.jsonl").open() as file:
        assert len(file.readlines()) == 30
    torch.testing.assert_close(ours.model(**encoded).logits, logits)
