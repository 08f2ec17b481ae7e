"""Runs that keep a map: of the same examples, the same twice, and with no effect on what is learned."""

import pytest
import yaml

from lmdistill.core.errors import ConfigError, UnknownNameError
from lmdistill.evaluation.representations import silhouette, states_of
from lmdistill.models.loading.classifier import load
from lmdistill.recipes.files import read_recipe
from lmdistill.records.record import read_record
from lmdistill.records.representation_map import MAP, read_map
from lmdistill.runs import stage
from lmdistill.runs.classification.data import load_examples
from lmdistill.runs.classification.dataset import read_split
from lmdistill.runs.run_recipe import run_recipe
from tests.cli.cli_project import RECIPE, write_recipe

DRAWN = {"examples": 11}


@pytest.fixture
def run(place, no_pages):
    """What a user has run, by the name of its folder."""

    def run(name="out", **changes):
        write_recipe("recipe.yaml", RECIPE | changes)
        return run_recipe(read_recipe("recipe.yaml"), place / name, command="test")

    return run


def weights(folder):
    return (folder / "student" / "model.safetensors").read_bytes()


def test_a_map_changes_nothing_of_what_is_learned(run):
    (plain,) = run("plain")
    (mapped,) = run("mapped", map=DRAWN)
    assert weights(plain) == weights(mapped)
    one, other = read_record(plain), read_record(mapped)
    assert (one.metrics, one.agreement, one.risk) == (other.metrics, other.agreement, other.risk)
    assert (plain / "predictions.jsonl").read_bytes() == (mapped / "predictions.jsonl").read_bytes()
    assert one.map is None
    assert not (plain / MAP).exists()
    assert {path.name for path in mapped.iterdir()} - {path.name for path in plain.iterdir()} == {MAP}


def test_every_run_shows_the_same_examples_and_a_teacher_the_same_places(run):
    folders = run(
        method=None, methods={"FT": {"name": "finetune"}, "KD": {"name": "kd"}}, seeds=[0, 1], map=DRAWN
    )
    found = [read_map(folder / MAP) for folder in folders]
    assert len({tuple((one.example, one.split, one.label) for one in places) for places in found}) == 1
    assert len({tuple(one.teacher for one in places) for places in found}) == 1
    assert len({tuple(one.student for one in places) for places in found}) == 4
    assert len(found[0]) == 11
    assert len({read_record(folder).map.teacher for folder in folders}) == 1


def test_the_record_holds_the_numbers_of_the_students_states(run, place):
    (folder,) = run(map={"examples": 1000, "pool": "mean", "projection": "pca"})
    facts = read_record(folder).map
    assert (facts.split, facts.examples, facts.pool, facts.projection) == ("dev", 12, "mean", "pca")
    recipe, network = read_recipe("recipe.yaml"), load(folder / "student")
    task = load_examples(recipe.task, recipe.data, cache=place / "augmented").original
    split = read_split(task, "dev", network, max_length=32)
    states = states_of(network, split.batches(), device="cpu", pool="mean")
    assert facts.student.silhouette == pytest.approx(silhouette(states, split.labels), abs=1e-5)
    first = states_of(network, split.batches(), device="cpu")
    assert silhouette(first, split.labels) != pytest.approx(facts.student.silhouette, abs=1e-3)
    assert [one.label for one in read_map(folder / MAP)] == split.labels.tolist()


@pytest.mark.slow
def test_a_run_that_ended_between_its_map_and_its_record_draws_the_same_map(run, monkeypatch):
    (whole,) = run("whole", map=DRAWN)

    def killed(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(stage, "write_record", killed)
    with pytest.raises(KeyboardInterrupt):
        run("cut", map=DRAWN)
    cut = whole.parent / "cut"
    assert (cut / MAP).exists()
    assert not (cut / "record.json").exists()
    (cut / MAP).write_text("")
    monkeypatch.undo()
    monkeypatch.chdir(whole.parent)
    run_recipe(read_recipe("recipe.yaml"), cut, command="test")
    assert (cut / MAP).read_bytes() == (whole / MAP).read_bytes()
    assert weights(cut) == weights(whole)
    assert read_record(cut).map == read_record(whole).map


def test_a_folder_from_before_there_were_maps_is_still_that_of_its_recipe(run):
    (folder,) = run()
    recipe = yaml.safe_load((folder / "recipe.yaml").read_text())
    assert recipe.pop("map", "there is none") is None
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    (folder / "record.json").unlink()
    assert run() == [folder]  # goes on


def test_assistants_have_no_map(run, monkeypatch):
    monkeypatch.setattr(
        "lmdistill.runs.classification.prepared_recipe.require_tuned", lambda stage, adapter: None
    )
    schedule = {"name": "path", "layers": [2]}
    (folder,) = run(schedule=schedule, student={"layers": 1}, map=DRAWN)
    assert read_record(folder).map is not None
    (assistant,) = (folder / "stages").iterdir()
    assert read_record(assistant).map is None
    assert not (assistant / MAP).exists()


def test_scores_have_no_map_and_say_so_before_anything_is_trained(run, place):
    rows = "".join(f"film number {i},{i / 7}\n" for i in range(24))
    (place / "texts.csv").write_text("text,label\n" + rows)
    data = {"source": "texts.csv", "max_length": 32, "kind": "regression"}
    with pytest.raises(ConfigError, match=r"map is for tasks with classes and own has scores\. .* map=null"):
        run(data=data, teacher={"model": "models/scorer"}, map={})
    assert not (place / "out").exists()


@pytest.mark.parametrize("examples", [1, 0, 1001])
def test_a_map_has_some_examples_and_not_too_many(place, examples):
    with pytest.raises(ConfigError, match=rf"map\.examples must be in \[2, 1000\], got {examples}\."):
        read_recipe("recipe.yaml", [f"map.examples={examples}"])


def test_a_map_is_asked_for_on_the_command_line(place):
    assert read_recipe("recipe.yaml").map is None
    assert read_recipe("recipe.yaml", ["map={}"]).map.examples == 500
    assert read_recipe("recipe.yaml", ["map.projection=pca"]).map.projection == "pca"
    with pytest.raises(UnknownNameError, match="Known: pca, tsne"):
        read_recipe("recipe.yaml", ["map.projection=umap"])
    with pytest.raises(UnknownNameError, match="example"):
        read_recipe("recipe.yaml", ["map.example=5"])
