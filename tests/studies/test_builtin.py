"""The studies that come with the package: each resolves at both scales without a network and without data."""

import json
import re
import shlex
import socket
from functools import cache
from pathlib import Path

import pytest

from lmdistill.commands.catalog import catalog, study_notes
from lmdistill.core.errors import ConfigError, UnknownNameError
from lmdistill.methods import ATKD, MixKD
from lmdistill.recipes.language_model import LanguageRecipe
from lmdistill.recipes.serialization import plain
from lmdistill.studies.grid import study_cells
from lmdistill.studies.schema import builtin_studies, read_study

CELLS = {
    # tasks, depths, with and without BT, methods, seeds; DistilBERT for each task and seed
    "mixkd-table1": (3 * 2 * 2 * 5, 6 * 2 * 2 * 5 * 3 + 6 * 3),
    "mixkd-table2": (2, 2),  # depths
    "mixkd-table3": (3 * 2 * 4, 6 * 2 * 5),  # tasks, depths, methods
    "mixkd-table4": (1 * 2 * 3, 2 * 2 * 3 * 3),  # tasks, with and without DA, methods, seeds
    "mixkd-table5": (2 * 2 * 2 * 5, 4 * 2 * 2 * 5),  # tasks, depths, methods, seeds
    "mixkd-figure2": (4, 4 * 3),  # methods, seeds
    "mixkd-figure1": (2 * 2 * 3, 3 * 2 * 3 * 3),  # tasks, shares, methods, seeds
    "mixkd-figure3": (25 + 9 + 9, 25 + 9 + 9),  # pairs of weights at ratio 1, 2 and 3
    "atkd-baselines": (2 * 11, 5 * 11),  # teachers, five baselines twice and SFT
    "atkd-sweeps": (5 + 4 + 1, 5 + 4 + 1),  # shares, weights but the one already among them, KD
    "minidisc-schedules": (1 * 3 * 3, 7 * 3 * 3 * 3),  # tasks, sizes, schedules, seeds
    "minidisc-lambda": (6, 6 * 3),  # lambdas, seeds
    "minidisc-enct5": (2, 2 * 3),  # tasks, sizes
}
SCALES = ("small", "paper")


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """An empty folder and no network."""

    def refuse(*args):
        raise AssertionError(f"asked the network for {args[1:]}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@cache
def cells_of(name, scale):
    """All cells of a study at a scale."""
    return study_cells(read_study(name, [f"scale={scale}"]), Path())


def test_every_study_is_counted():
    assert set(builtin_studies()) == set(CELLS)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("name", CELLS)
def test_a_study_has_its_number_of_cells_without_network_and_data(name, scale, nowhere):
    study = read_study(name, [f"scale={scale}"])
    assert study.study == name
    assert len(study_cells(study, nowhere)) == CELLS[name][SCALES.index(scale)]
    assert not any(nowhere.iterdir())


@pytest.mark.parametrize("name", CELLS)
def test_the_small_scale_comes_first_and_no_other_setting_is_left_open(name, nowhere):
    assert read_study(name) == read_study(name, ["scale=small"])
    with pytest.raises(UnknownNameError, match="Known: paper, small"):
        read_study(name, ["scale=large"])


def sources(recipe):
    """Where a recipe takes models and data from."""
    if isinstance(recipe, LanguageRecipe):
        models = {recipe.teacher.model, recipe.teacher.tokenizer, recipe.student.model}
        return models - {None} | {recipe.texts.source}
    return ({recipe.teacher.model, recipe.student.model} - {None}) | {recipe.data.source}


@pytest.mark.parametrize("name", CELLS)
def test_the_small_scale_needs_no_hub_and_the_published_one_nothing_else(name, nowhere):
    for cell in cells_of(name, "small"):
        assert all(source.startswith(("../shared/", "packaged:")) for source in sources(cell.recipe))
        text = str(plain(cell.recipe))
        assert not [word for word in ("marian", "masked", "cuda") if word in text]
    for cell in cells_of(name, "paper"):
        assert not any(source.startswith((".", "packaged:")) for source in sources(cell.recipe))


@pytest.mark.parametrize("name", [name for name in CELLS if name.startswith("mixkd")])
def test_students_of_mixkd_are_half_a_teacher_deep_or_less(name, nowhere):
    for scale, depth in (("small", 6), ("paper", 12)):
        assert {cell.recipe.student.layers for cell in cells_of(name, scale)} <= {depth // 2, 3, 2}


def test_tables_that_share_runs_train_them_in_the_same_way(nowhere):
    for scale in SCALES:
        first = {
            cell.name.replace("augmentation=none-", ""): cell for cell in cells_of("mixkd-table1", scale)
        }
        for cell in cells_of("mixkd-table3", scale):
            method = cell.labels["method"]
            same = first[
                cell.name.replace(method, f"BT-{method.removesuffix('+BT')}" if "+BT" in method else method)
            ]
            assert plain(same.recipe) | {"methods": 0} == plain(cell.recipe) | {"methods": 0}


def recipes_at_paper(name):
    return [cell.recipe for cell in cells_of(name, "paper")]


@pytest.mark.parametrize("name", CELLS)
def test_the_head_says_what_differs_from_the_publication_at_the_published_scale(name):
    notes = study_notes(name)
    assert notes[0] == catalog("studies")[name]
    for word in ("small: ", "paper: ", "differs: "):
        assert sum(line.startswith(word) for line in notes) == 1


def test_notes_are_those_of_studies_that_come_with_the_package():
    assert study_notes("mine.yaml") == ()


def test_what_the_publications_settle_is_set_at_their_scale(nowhere):
    for name in ("mixkd-figure3", "mixkd-table5"):
        assert all(recipe.data.augmentation is not None for recipe in recipes_at_paper(name))
    for name in ("minidisc-lambda", "minidisc-schedules"):
        for recipe in recipes_at_paper(name):
            teacher = recipe.teacher.training
            assert (teacher.epochs, teacher.batch_size, teacher.optimizer.learning_rate) == (10, 16, 3e-5)
            assert recipe.training.eval_every in (10, 3000)
            assert recipe.student.pruning.data == "dev"
    for recipe in recipes_at_paper("atkd-baselines"):
        (method,) = recipe.methods.values()
        assert recipe.training.batch_size == recipe.training.accumulate  # one example a micro-batch
        assert method.completions.temperature == 0
        assert getattr(method, "scope", "released") == "released"
    families = {recipe.teacher.model.split("/")[0] for recipe in recipes_at_paper("atkd-baselines")}
    assert families == {"facebook", "EleutherAI", "huggyllama"}
    assert {recipe.teacher.model for recipe in recipes_at_paper("minidisc-enct5")} == {"t5-3b"}


SETTINGS = [
    (name, shlex.split(quoted.replace("--set", " ")))
    for name in CELLS
    for quoted in re.findall("`(--set [^`]+)`", " ".join(study_notes(name)))
]
"""What the heads of studies advise to set, with the study."""


def test_heads_of_the_studies_that_have_no_search_of_their_own_name_one():
    rates = [
        name for name, words in SETTINGS if words[0].startswith("axes.training.optimizer.learning_rate=")
    ]
    assert {"mixkd-table1", "mixkd-table3", "mixkd-table5", "mixkd-figure3"} <= {*rates}
    grids = {words[0]: len(words) for name, words in SETTINGS if name == "mixkd-table1" and len(words) > 1}
    assert grids == {"axes.method={KD: {name: kd}}": 3, "axes.method={PKD: {name: pkd}}": 3}


def first_values(name, words):
    """Settings that leave one value of each axis that `words` do not name."""
    axes = {
        axis: values
        for axis, values in read_study(name, ["scale=paper"]).axes.items()
        if not any(word.startswith((f"axes.{axis}=", "skip=")) for word in words)
    }
    one = {
        axis: dict([*values.items()][:1]) if isinstance(values, dict) else values[:1]
        for axis, values in axes.items()
    }
    return ["seeds=[0]", *(f"axes.{axis}={json.dumps(values)}" for axis, values in one.items())]


@pytest.mark.parametrize(("name", "words"), SETTINGS, ids=[f"{name}: {words[0]}" for name, words in SETTINGS])
def test_what_a_head_advises_to_set_gives_other_runs_at_the_published_scale(name, words, nowhere):
    few = ["scale=paper", *first_values(name, words)]
    before, after = (
        [cell.recipe for cell in study_cells(read_study(name, settings), Path())]
        for settings in (few, [*few, *words])
    )
    assert after
    assert after != before


def test_distilbert_stands_once_beside_six_layers_without_back_translation(nowhere):
    cells = [cell for cell in cells_of("mixkd-table1", "paper") if cell.labels["method"] == "DistilBERT"]
    assert {cell.recipe.student.model for cell in cells} == {"distilbert-base-uncased"}
    assert all(cell.recipe.data.augmentation is None for cell in cells)
    assert len(cells) == 6 * 3


def test_a_figure_of_three_ratios_has_the_weights_of_the_paper(nowhere):
    found = {}
    for cell in cells_of("mixkd-figure3", "paper"):
        (method,) = cell.recipe.methods.values()
        assert isinstance(method, MixKD)
        found.setdefault(method.ratio, set()).add((method.alpha_sm, method.alpha_tmkd))
    wide, narrow = (0.1, 0.5, 1, 2, 10), (0.5, 1, 2)
    assert found[1] == {(a, b) for a in wide for b in wide}
    assert found[2] == found[3] == {(a, b) for a in narrow for b in narrow}


def test_each_baseline_of_atkd_stands_beside_itself_with_atkd(nowhere):
    for scale in SCALES:
        methods = {
            c.labels["method"]: next(iter(c.recipe.methods.values()))
            for c in cells_of("atkd-baselines", scale)
        }
        assert methods.pop("SFT")
        assert len(methods) == 10
        for label in [label for label in methods if not label.endswith("+ATKD")]:
            plainly, with_atkd = methods[label], methods[f"{label}+ATKD"]
            assert isinstance(with_atkd, ATKD)
            assert (plainly.divergence, plainly.completions) == (with_atkd.divergence, with_atkd.completions)


def test_a_name_is_found_and_a_wrong_one_is_answered_with_the_nearest(nowhere):
    (nowhere / "mixkd-table1").mkdir()
    assert read_study("mixkd-table1").study == "mixkd-table1"
    with pytest.raises(
        UnknownNameError, match=r"^no study is called 'mixkd-tabel1'\. Did you mean 'mixkd-table1'\?"
    ):
        read_study("mixkd-tabel1")
    with pytest.raises(
        ConfigError, match=r"^there is no study file mixkd-table1\.yaml\. Name .* mixkd-table1"
    ):
        read_study("mixkd-table1.yaml")


def test_the_list_says_what_each_is_in_one_line():
    lines = catalog("studies")
    assert set(lines) == set(CELLS)
    for name, line in lines.items():
        paper = {"mixkd": "MixKD", "atkd": "ATKD", "minidisc": "MiniDisc"}[name.split("-")[0]]
        assert line.startswith(f"{paper}, ")
        assert line.endswith(".")
        assert len(line) < 110
