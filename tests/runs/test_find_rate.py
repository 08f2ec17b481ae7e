"""The search for a learning rate: on training rows alone, kept, and used."""

import json

import pytest
import yaml

from lmdistill.cli.main import main
from lmdistill.core.errors import DataError, DivergedError
from lmdistill.recipes.files import read_recipe
from lmdistill.records.record import read_record
from lmdistill.runs import find_rate
from lmdistill.runs.find_rate import RateSearch, rates_around
from lmdistill.runs.language.stage_adapter import LanguageAdapter
from lmdistill.runs.run_recipe import with_found_rate
from tests.tiny import WORDS

LANGUAGE = {
    "texts": {"source": "stories.txt", "dev_rows": 6, "max_length": 24},
    "teacher": {
        "shape": {"width": 8, "layers": 2, "heads": 2},
        "training": {"epochs": 1, "batch_size": 8, "optimizer": {"learning_rate": 1e-2}},
    },
    "student": {"layers": 1},
    "method": {"name": "token_kd"},
    "writing": {"rows": 0},
    "training": {"batch_size": 8, "epochs": 1, "optimizer": {"learning_rate": 1e-3}},
}


@pytest.fixture
def kinds(place, tmp_path):
    """A recipe of either kind."""
    texts = (" ".join([WORDS[n % 7], WORDS[n % 11], str(n)]) for n in range(60))  # no two alike
    (tmp_path / "stories.txt").write_text("\n".join(texts))
    (tmp_path / "language.yaml").write_text(yaml.safe_dump(LANGUAGE))
    return {"classifier": "recipe.yaml", "language": "language.yaml"}


@pytest.mark.parametrize("kind", ["classifier", "language"])
def test_the_rate_with_the_lowest_loss_is_used_and_the_search_is_kept(kinds, tmp_path, kind, monkeypatch):
    recipe = read_recipe(kinds[kind])
    found, search = with_found_rate(recipe, tmp_path / "out/run", command="test")
    rate = recipe.training.optimizer.learning_rate
    assert tuple(search.losses) == rates_around(rate)
    assert found.training.optimizer.learning_rate == search.best
    assert search.losses[search.best] == min(search.losses.values())
    assert found.training.epochs == recipe.training.epochs
    monkeypatch.setattr(find_rate, "_probe", None)  # nothing is tried again
    assert with_found_rate(recipe, tmp_path / "out/run", command="test")[1] == search


@pytest.mark.slow
def test_an_interrupted_search_goes_on_where_it_was(kinds, tmp_path, monkeypatch):
    recipe, probe, tried = read_recipe(kinds["language"]), find_rate._probe, []

    def killed(stage, train, held):
        if len(tried) == 2:
            raise KeyboardInterrupt
        tried.append(stage.training.optimizer.learning_rate)
        return probe(stage, train, held)

    monkeypatch.setattr(find_rate, "_probe", killed)
    with pytest.raises(KeyboardInterrupt):
        with_found_rate(recipe, tmp_path / "out/run", command="test")
    monkeypatch.setattr(find_rate, "_probe", lambda *given: tried.append(0) or probe(*given))
    with_found_rate(recipe, tmp_path / "out/run", command="test")
    assert len(tried) == len(find_rate.FACTORS)


def test_dev_rows_are_never_read(kinds, tmp_path, monkeypatch):
    recipe = read_recipe(kinds["language"])
    with_found_rate(recipe, tmp_path / "first/run", command="test")  # trains the teacher, which is evaluated
    seen = []
    loss = LanguageAdapter.loss

    def watched(self, network, device):
        seen.append(set(self.encoded.dev.rows["index"]) | set(self.encoded.train.rows["index"]))
        return loss(self, network, device)

    monkeypatch.setattr(LanguageAdapter, "loss", watched)
    monkeypatch.setattr(LanguageAdapter, "dev_scores", None)
    for file in (tmp_path / "first/teachers").glob("rates-*.json"):
        file.unlink()
    whole = with_found_rate(recipe, tmp_path / "first/run", command="test")[1]
    assert whole.held == 5  # a tenth of 54 training rows
    assert len(seen) == len(find_rate.FACTORS)
    train = set(range(60)) - _dev_rows(recipe)
    assert all(rows <= train for rows in seen)


def _dev_rows(recipe) -> set[int]:
    from lmdistill.runs.language.data import load_texts

    return set(load_texts(recipe.texts).dev["index"])


def test_a_rate_at_which_training_diverges_is_not_chosen(kinds, tmp_path, monkeypatch):
    recipe = read_recipe(kinds["language"])
    answers = iter([0.5, None, None, None, None])
    monkeypatch.setattr(find_rate, "_probe", lambda *given: next(answers))
    found, search = with_found_rate(recipe, tmp_path / "out/run", command="test")
    assert found.training.optimizer.learning_rate == search.best == min(search.losses)
    assert search.is_at_edge
    monkeypatch.setattr(find_rate, "_probe", lambda *given: None)
    with pytest.raises(DivergedError, match=r"diverges at every learning rate from 0\.0001 to 0\.01"):
        with_found_rate(read_recipe(kinds["language"], ["seeds=[1]"]), tmp_path / "out/run", command="test")


def test_the_smaller_of_two_equal_rates_is_best():
    assert RateSearch(losses={1e-3: 0.5, 1e-4: 0.5, 1e-5: 0.7}, steps=1, held=1).best == 1e-4


def test_the_command_prints_the_table_and_records_the_rate(kinds, tmp_path, capsys, no_pages):
    words = ["distill", "language.yaml", "--out", "out/run", "--find-rate"]
    for _ in range(2):  # the second time everything is there
        with pytest.raises(SystemExit) as stop:
            main(words)
        out = capsys.readouterr().out
        assert stop.value.code == 0
        assert "loss on held-out training rows" in out
        used = read_record(tmp_path / "out/run").recipe["training"]["optimizer"]["learning_rate"]
        assert f"learning rate {used:g}: the best of 5" in out
    (kept,) = (tmp_path / "out/teachers").glob("rates-*.json")
    losses = json.loads(kept.read_text())
    assert losses[str(used)] == min(loss for loss in losses.values() if loss is not None)


def test_too_few_rows_are_refused(kinds, tmp_path):
    recipe = read_recipe(kinds["language"], ["texts.rows=1"])
    with pytest.raises(DataError, match="1 training rows are too few"):
        with_found_rate(recipe, tmp_path / "out/run", command="test")
