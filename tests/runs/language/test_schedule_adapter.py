"""Schedules of language models, from a recipe to a student that plain transformers loads."""

import pytest
import yaml
from transformers import AutoModelForCausalLM

from lmdistill.core.errors import ConfigError
from lmdistill.export.hugging_face import save
from lmdistill.models.loading.causal_lm import load_causal
from lmdistill.models.pruning.families import widths_of
from lmdistill.recipes.files import read_recipe
from lmdistill.records.record import read_record
from lmdistill.runs import stage as stage_module
from lmdistill.runs.run_recipe import run_recipe
from lmdistill.schedules.trade_off import trade_off
from tests.tiny import WORDS
from tests.tiny_causal import tiny_language

pytestmark = pytest.mark.slow

SCHEDULES = [
    {"name": "minidisc", "grid": [0.75, 0.5], "largest": 0.75},
    pytest.param({"name": "path", "kept": [0.75]}, marks=pytest.mark.slow),
    pytest.param({"name": "maxidisc", "grid": [0.75], "largest": 0.75}, marks=pytest.mark.slow),
    {"name": "direct"},
]


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    folder = tmp_path_factory.mktemp("language")
    lines = [f"{a} {b} {c}" for a in WORDS[:6] for b in WORDS[10:16] for c in WORDS[3:5]]
    (folder / "stories.txt").write_text("\n".join(lines) + "\n")
    save(
        tiny_language(layers=2, seed=3, num_attention_heads=4, num_key_value_heads=4, head_dim=4),
        folder / "teacher",
    )
    return folder


def recipe_at(folder, given, schedule, method="token_kd", **student):
    table = {
        "texts": {"source": str(given / "stories.txt"), "dev_rows": 10, "max_length": 12},
        "teacher": {"model": str(given / "teacher")},
        "student": {"layers": "all", "keep": 0.5, "pruning": {"multiple": 4}, **student},
        "schedule": schedule,
        "methods": {"M": {"name": method}},
        "writing": {"rows": 2, "max_new": 3},
        "training": {"epochs": 1, "batch_size": 16, "optimizer": {"learning_rate": 1e-3}},
    }
    folder.mkdir(exist_ok=True)
    (folder / "recipe.yaml").write_text(yaml.safe_dump(table))
    return read_recipe(folder / "recipe.yaml")


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda schedule: schedule["name"])
def test_every_schedule_ends_in_a_stock_model_of_half_the_width(tmp_path, given, no_pages, schedule):
    run_recipe(recipe_at(tmp_path, given, schedule), tmp_path / "out", command="test")
    record = read_record(tmp_path / "out")
    assert record.schedule.name == schedule["name"]
    assert record.schedule.metric == "accuracy_of_tokens"
    assert record.teacher.parameters.encoder > 1.8 * record.student.parameters.encoder
    student = load_causal(tmp_path / "out" / "student")
    assert (widths_of(student).heads, widths_of(student).neurons) == ((2, 2), (16, 16))
    stock = AutoModelForCausalLM.from_pretrained(tmp_path / "out" / "student")
    assert type(stock).__name__ == "LlamaForCausalLM"
    for one in record.schedule.candidates:
        assert one.latency_ms > 0
        assert 0 <= one.metric <= 1


def test_atkd_teaches_candidates_and_their_score_is_the_share_of_right_tokens(tmp_path, given, no_pages):
    run_recipe(recipe_at(tmp_path, given, SCHEDULES[0], method="atkd"), tmp_path / "out", command="test")
    record = read_record(tmp_path / "out")
    assert [(one.kept, one.chosen) for one in record.schedule.candidates] == [(0.75, True), (0.5, False)]
    for one in record.schedule.candidates:
        assert one.score == pytest.approx(trade_off(one.metric, one.kept))


@pytest.mark.slow
def test_gradients_are_checkpointed_in_every_stage_if_in_one(tmp_path, given, no_pages, monkeypatch):
    """A folder does not say so, and the second stage begins with one."""
    seen, real = [], stage_module.train

    def watched(course, place, accelerator):
        seen.append(course.student.checkpoints_gradients)
        return real(course, place, accelerator)

    monkeypatch.setattr(stage_module, "train", watched)
    for checkpointing in (True, False):
        recipe = recipe_at(tmp_path, given, SCHEDULES[0], checkpointing=checkpointing)
        run_recipe(recipe, tmp_path / f"out-{checkpointing}", command="test")
    assert seen == [True, False]


@pytest.mark.slow
def test_passages_cut_otherwise_have_an_importance_of_their_own(tmp_path, given, no_pages):
    for length in (12, 5):
        recipe_at(tmp_path, given, SCHEDULES[3], pruning={"multiple": 4, "score": "activation"})
        table = yaml.safe_load((tmp_path / "recipe.yaml").read_text())
        table["texts"]["max_length"] = length
        (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(table))
        run_recipe(read_recipe(tmp_path / "recipe.yaml"), tmp_path / f"out-{length}", command="test")
    assert len(list((tmp_path / "teachers").glob("importance-*.json"))) == 2


@pytest.mark.parametrize(("schedule", "keep"), [(SCHEDULES[3], 0.5), ({"name": "path", "layers": [2]}, 1.0)])
def test_adapters_are_refused_where_they_would_be_lost(tmp_path, given, schedule, keep):
    with pytest.raises(
        ConfigError, match=r"student\.adapters is set, student\.keep is .* Leave student\.adapters"
    ):
        recipe_at(tmp_path, given, schedule, layers=1, keep=keep, adapters={})


@pytest.mark.slow
def test_candidates_may_learn_from_what_the_whole_writes(tmp_path, given, no_pages):
    recipe = recipe_at(tmp_path, given, SCHEDULES[0])
    table = yaml.safe_load((tmp_path / "recipe.yaml").read_text())
    table["methods"]["M"]["completions"] = {"student": 1.0, "max_new": 3}
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(table))
    recipe = read_recipe(tmp_path / "recipe.yaml")
    run_recipe(recipe, tmp_path / "out", command="test")
    assert read_record(tmp_path / "out").training.steps == 4
