"""A search for a student within limits: what it refuses, what it keeps, what it chooses."""

import json
import logging
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from lmdistill.cli.main import main
from lmdistill.commands import measure_shapes, shrink, shrink_source, shrink_students
from lmdistill.commands.answer_speed import Speed
from lmdistill.commands.export_checks import CheckTexts
from lmdistill.commands.measure_shapes import Untrained
from lmdistill.commands.shrink import ShrinkSettings
from lmdistill.commands.shrink_source import chosen_graphs, open_shrink_source
from lmdistill.commands.shrink_students import CLOSE, TRIES, Trained
from lmdistill.core.errors import ConfigError, RunError, UnknownNameError
from lmdistill.export import onnx_graph
from lmdistill.models.students.truncate import truncate
from lmdistill.runs.run_recipe import run_recipe
from lmdistill.studies.shrink.halving import Round
from lmdistill.studies.shrink.limits import Limits
from lmdistill.studies.shrink.measured_shapes import MeasuredShape
from lmdistill.studies.shrink.shapes import Shape, grid
from lmdistill.studies.shrink.training_rounds import RoundScores, shape_recipe
from tests.studies.shrink.test_choice import student
from tests.tiny_recipe import write_recipe

FAST = Limits(latency_ms=5.0, bytes=20e6)


@pytest.fixture
def recipe(tmp_path):
    """A recipe of a tiny teacher of three layers."""
    path = write_recipe(tmp_path / "project", epochs=1)
    table = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump({**table, "method": {"name": "kd"}}))
    return path


def measured(shape, ms=1.0, size=10e6, graph="onnx-int8"):
    """A measurement of an untrained shape."""
    return MeasuredShape(shape=shape, graph=graph, bytes=int(size), parameters=1000, p50_ms=ms, p95_ms=2 * ms)


@pytest.fixture
def quick(monkeypatch):
    """Shapes that take their layers in milliseconds, and no export."""

    def measure(untrained, shapes, folder):
        return tuple(measured(one, ms=one.layers * one.keep) for one in shapes), ()

    monkeypatch.setattr(shrink, "measure_shapes", measure)


def search(recipe, out, limits=FAST, *, overrides=(), **settings):
    """A search whose runs would be started by a program that fails."""
    return shrink.shrink(
        str(recipe),
        out,
        ShrinkSettings(limits=limits, **settings),
        command=[sys.executable, "-c", "raise SystemExit('error: no run is expected')"],
        overrides=overrides,
        train_shapes=False,
    )


def test_shapes_are_measured_and_their_recipes_written(recipe, tmp_path, quick):
    found = search(recipe, tmp_path / "out", Limits(latency_ms=1.5), layers=(1, 2, 3), widths=(1.0, 0.5))
    assert [one.shape.name for one in found.shapes] == [
        "3-layers", "3-layers-keep-0.5", "2-layers", "2-layers-keep-0.5", "1-layer", "1-layer-keep-0.5",
    ]  # fmt: skip
    written = sorted(path.stem for path in (tmp_path / "out" / "recipes").iterdir())
    assert written == ["1-layer", "1-layer-keep-0.5", "2-layers-keep-0.5", "3-layers-keep-0.5"]
    table = yaml.safe_load((tmp_path / "out" / "recipes" / "3-layers-keep-0.5.yaml").read_text())
    assert (table["student"]["layers"], table["student"]["keep"]) == (3, 0.5)
    assert found.chosen is None


def test_where_nothing_fits_the_nearest_is_named_and_nothing_is_trained(recipe, tmp_path, quick):
    with pytest.raises(
        ConfigError, match=r"nearest is 1-layer-keep-0.2 as onnx-int8: 0.2 ms \(at most 0.1 ms\)"
    ):
        search(recipe, tmp_path / "out", Limits(latency_ms=0.1))
    assert not (tmp_path / "out" / "recipes").exists()


def test_the_folder_of_another_recipe_is_refused(recipe, tmp_path, quick):
    search(recipe, tmp_path / "out")
    search(recipe, tmp_path / "out", Limits(bytes=50e6), layers=(1,))  # other limits and shapes go on in it
    with pytest.raises(RunError, match=r"search of another recipe: training.epochs is 1 there and 2 here"):
        search(recipe, tmp_path / "out", overrides=["training.epochs=2"])


def test_a_folder_with_other_files_is_refused(recipe, tmp_path, quick):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    with pytest.raises(RunError, match=r"holds no search \(thesis.txt\)"):
        search(recipe, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [".shrink.lock", "thesis.txt"]


def test_a_folder_that_another_command_holds_is_refused(recipe, tmp_path, quick):
    with shrink._own(tmp_path / "out"), pytest.raises(RunError, match="another command searches in"):
        search(recipe, tmp_path / "out")


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (
            ["method=null", "methods={KD: {name: kd}, FT: {name: finetune}}"],
            "has the methods KD, FT, and a search needs one",
        ),
        (["method.name=tfidf"], "trains a linear model, which has no layers"),
    ],
)
def test_a_recipe_without_one_network_is_refused(overrides, words, recipe, tmp_path):
    with pytest.raises(ConfigError, match=words):
        open_shrink_source(str(recipe), overrides, tmp_path / "out")


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["method.name=finetune"], "fine-tunes without a teacher"),
        (["teacher.answers=a.csv"], "answers of a file"),
    ],
)
def test_agreement_without_a_teacher_is_refused(overrides, words, recipe, tmp_path, quick):
    (recipe.parent / "a.csv").write_text("text,label\ngood,good\n")
    with pytest.raises(ConfigError, match=rf"--min-agreement is 0.9, and the recipe .*{words}"):
        search(recipe, tmp_path / "out", Limits(agreement=0.9), overrides=overrides)


def test_layers_of_another_student_model_are_not_cut(recipe, tmp_path, quick):
    model = recipe.parent / "model"
    with pytest.raises(ConfigError, match=r"student.model is .*, whose layers are not cut"):
        search(recipe, tmp_path / "out", overrides=[f"student.model={model}"], layers=(1,))


def test_a_recipe_of_a_language_model_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="demo-language is a recipe of a language model"):
        open_shrink_source("demo-language", [], tmp_path / "out")


@pytest.mark.parametrize("name", ["onxx", "torch"])
def test_an_unknown_runtime_names_the_known_ones(name):
    with pytest.raises(UnknownNameError, match=f"no runtime is called '{name}'.* Known: onnx, onnx-int8"):
        chosen_graphs([name])


def test_a_runtime_that_is_not_installed_names_its_extra(monkeypatch):
    monkeypatch.setattr(shrink_source, "find_spec", lambda name: None if name == "nncf" else object())
    assert chosen_graphs(["openvino", "onnx-int8", "openvino"]) == ("openvino", "onnx-int8")
    with pytest.raises(ConfigError, match=r"nncf is not installed.*lmdistill\[openvino\]"):
        chosen_graphs(["openvino-int8"])


def test_a_search_without_a_limit_is_refused():
    with pytest.raises(ConfigError, match="there is no limit to search within"):
        ShrinkSettings(limits=Limits())


@pytest.mark.parametrize(
    ("changes", "steps"),
    [
        ({}, 4 * 6),  # 43 training rows of 48, in batches of 8
        ({"training.min_steps": 100}, 100),
        ({"training.max_steps": 7}, 7),
        ({"data.rows": 16}, 4 * 2),
        ({"data.rows": 16, "data.unlabelled": "[rest]"}, 4 * 6),
        ({"data.rows": 16, "data.unlabelled": "[rest]", "data.labelled_per_batch": 4}, 4 * 7),
        ({"data.augmentation": "{augmenter: {name: eda}, copies: 3}"}, 4 * 22),
    ],
)
def test_the_steps_of_the_full_training(changes, steps, recipe, tmp_path):
    settings = [f"{name}={value}" for name, value in {"training.epochs": 4, **changes}.items()]
    found = open_shrink_source(str(recipe), settings, tmp_path / "out")
    assert found.examples.original.train.num_rows in (43, 16)
    assert found.steps == steps


@pytest.fixture
def timed(tmp_path, monkeypatch):
    """A trained shape whose graph takes the milliseconds of a list, one time after the other."""
    one = Shape(layers=2)
    trained = Trained(shape=one, fit=(measured(one, ms=2.0),), run=tmp_path / "run", steps=None)
    (tmp_path / "exported").mkdir()
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "lmdistill.json").write_text("{}")
    times = []
    monkeypatch.setattr(shrink_students, "load_predictor", lambda folder, graph: SimpleNamespace(logits=None))
    monkeypatch.setattr(
        shrink_students,
        "time_answers",
        lambda ways, first, second: {
            name: Speed(p50_ms=times.pop(0), p95_ms=9.0, texts_per_second=1.0) for name in ways
        },
    )
    texts = CheckTexts(first=["good"], second=None, source="texts")
    return times, lambda: shrink_students._speeds(trained, texts, tmp_path / "folder", tmp_path)


def test_a_student_as_fast_as_its_shape_is_timed_once_and_remembered(timed, caplog):
    times, speeds = timed
    times += [2.0 * CLOSE, 99.0]
    assert speeds()["onnx-int8"].p50_ms == 2.0 * CLOSE
    assert speeds()["onnx-int8"].p50_ms == 2.0 * CLOSE  # a search that goes on makes the same choice
    assert times == [99.0]
    assert not caplog.records


def test_a_slow_student_is_timed_again_and_the_fastest_time_counts(timed, caplog):
    times, speeds = timed
    times += [9.0, 3.0, 5.0, 1.0]
    with caplog.at_level(logging.WARNING):
        assert speeds()["onnx-int8"].p50_ms == 3.0
    assert times == [1.0]
    assert TRIES == 3
    assert "takes 3.00 ms a text, and untrained it took 2.00" in caplog.text


@pytest.mark.parametrize(
    ("rounds", "is_early"),
    [
        ([1.0], False),
        ([1 / 3], True),
    ],
)
def test_a_search_out_of_time_offers_the_best_so_far_and_says_so(rounds, is_early, tmp_path, monkeypatch):
    one = Shape(layers=1)
    done = tuple(
        RoundScores(
            round=Round(fraction=fraction, survivors=1, deadline=1.0),
            steps=None if fraction == 1 else 10,
            scores={one.name: 0.9},
            folders={one.name: tmp_path / "run"},
        )
        for fraction in rounds
    )
    monkeypatch.setattr(shrink, "exported_students", lambda trained, texts, out, **_: [student()])
    fit = (measured(one),)
    found = shrink.SearchOutcome(limits=FAST, shapes=fit, rounds=done, hours=0.5)
    texts = CheckTexts(first=["good"], second=None, source="texts")
    chosen = shrink._chosen(found, fit, texts, tmp_path)
    assert chosen.chosen == student()
    assert chosen.out_of_time is is_early
    nothing = replace(found, rounds=tuple(replace(one, scores={}, folders={}) for one in done))
    with pytest.raises(RunError, match=r"hours ended before one shape was trained \(0.50 were used\)"):
        shrink._chosen(nothing, fit, texts, tmp_path)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # the exporters' own, which differ between versions
def test_one_export_measures_every_depth_of_a_width(recipe, tmp_path, monkeypatch):
    exports = []
    whole = onnx_graph.export_graph
    monkeypatch.setattr(onnx_graph, "export_graph", lambda *a, **k: exports.append(1) or whole(*a, **k))
    source = open_shrink_source(str(recipe), [], tmp_path / "out")
    untrained = Untrained(
        base=source.base,
        pruning=source.recipe.student.pruning,
        source=source.export_source(),
        graphs=("onnx", "onnx-int8"),
        timed_texts=1,
    )
    shapes = grid(3, [1, 3], [1.0])
    found, impossible = measure_shapes.measure_shapes(untrained, shapes, tmp_path)
    assert len(exports) == 1
    assert impossible == ()
    assert [(one.shape, one.graph) for one in found] == [(s, g) for s in shapes for g in untrained.graphs]
    for one in found:
        network = truncate(source.base(None), layers=one.shape.layers)
        assert one.parameters == sum(weight.numel() for weight in network.parameters())
        assert 0 < one.p50_ms <= one.p95_ms
    sizes = {(one.shape.layers, one.graph): one.bytes for one in found}
    assert all(sizes[3, graph] > sizes[1, graph] for graph in untrained.graphs)
    again, _ = measure_shapes.measure_shapes(untrained, shapes[:1], tmp_path)
    assert again == found[:2]
    assert len(exports) == 1


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_search_that_is_killed_twice_goes_on_to_the_same_choice(recipe, tmp_path, monkeypatch):
    """On real students, trained here instead of in processes."""
    out, count = tmp_path / "out", [0]

    def train(plan, shapes, folder, hours, *, watch):
        scores, folders = {}, {}
        for shape in shapes:
            count[0] += 1
            if count[0] in (2, 4):
                raise KeyboardInterrupt
            path = folder / shape.name
            run_recipe(shape_recipe(plan, shape), path, command="x")
            record = json.loads((path / "record.json").read_text())
            scores[shape.name], folders[shape.name] = record["metrics"]["dev"]["accuracy"], path
        full = Round(fraction=1.0, survivors=2, deadline=1.0)
        return (RoundScores(round=full, steps=None, scores=scores, folders=folders),)

    monkeypatch.setattr(shrink, "train", train)
    settings = ShrinkSettings(limits=Limits(bytes=1e6), layers=(1, 2), widths=(1.0,), timed_texts=3)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            shrink.shrink(str(recipe), out, settings, command=("x",))
    found = shrink.shrink(str(recipe), out, settings, command=("x",))
    assert found.chosen in found.students
    assert len(found.students) == 2
    assert (out / "student").resolve() == Path(found.chosen.folder).resolve()
    assert (out / "teacher" / "config.json").is_file()
    page = (out / "report.html").read_text()
    assert found.chosen.shape.name in page
    assert "<script" not in page
    again = shrink.shrink(str(recipe), out, settings, command=("x",))
    assert again.students == found.students
    shutil.rmtree(out / "exported" / found.chosen.shape.name)
    once_more = shrink.shrink(str(recipe), out, settings, command=("x",))
    assert [one.quality for one in once_more.students] == [one.quality for one in found.students]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--max-latency", "5"], "--max-latency must be a number with a unit (us, ms, s), got '5'"),
        (["--max-size", "big"], "--max-size must be a number with a unit"),
        (["--max-params", "10 million"], "--max-params must be a number with a unit"),
        (["--min-quality", "88"], "--min-quality must be a fraction in [0, 1], got 88"),
        (["--max-latency", "5ms", "--max-p95", "4ms"], "a median is never above the 95th percentile"),
        (["--max-latency", "5ms", "--layers", "1,two"], "--layers must be whole numbers with commas"),
        (["--max-latency", "5ms", "--layers", "1.5"], "--layers must be whole numbers with commas"),
        (["--max-latency", "5ms", "--hours", "0"], "--hours must be above 0"),
        ([], "there is no limit to search within"),
    ],
)
def test_options_that_cannot_be_meant_are_one_line(arguments, words, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["shrink", "demo", "--out", str(tmp_path / "out"), *arguments])
    assert ended.value.code == 2
    assert words in capsys.readouterr().err.replace("\n", " ")
    assert not (tmp_path / "out").exists()
