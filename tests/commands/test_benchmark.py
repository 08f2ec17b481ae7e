"""Benchmarks of a run through the command line: a table, a file, a page."""

import json

import pytest

from lmdistill.cli.main import main
from lmdistill.commands.benchmark import run_benchmarks
from lmdistill.core.errors import ConfigError, ModelError, RunError
from lmdistill.evaluation.lm_eval_harness import benchmark_scores, load_benchmarks
from lmdistill.export.hugging_face import save
from lmdistill.models.loading.causal_lm import load_causal
from lmdistill.recipes.files import read_recipe
from lmdistill.records.benchmarks import BENCHMARKS, read_benchmarks
from lmdistill.runs.run_recipe import run_recipe
from tests.evaluation.test_lm_eval_harness import ROWS, write_task
from tests.tiny import WORDS, tiny
from tests.tiny_causal import tiny_language

RECIPE = {
    "texts": {"source": "rows.jsonl", "dev_rows": 2, "max_length": 12},
    "teacher": {"model": "teacher"},
    "student": {"layers": 1},
    "methods": {"KD": {"name": "token_kd"}},
    "writing": {"rows": 0},
    "training": {"epochs": 1, "batch_size": 8},
}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a finished run in `run`, its teacher and a task."""
    folder = tmp_path_factory.mktemp("benchmarks")
    rows = [{"prompt": a, "completion": b} for a in WORDS[5:9] for b in WORDS[5:8]]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "recipe.yaml").write_text(json.dumps(RECIPE))
    save(tiny_language(layers=2, seed=2), folder / "teacher")
    save(tiny(), folder / "classifier")
    write_task(folder / "tasks")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        run_recipe(read_recipe("recipe.yaml"), folder / "run", command="lmdistill test")
        yield folder


def said(capsys, *arguments):
    """Exit code, table and message of `lmdistill evaluate`."""
    with pytest.raises(SystemExit) as left:
        main(["evaluate", *map(str, arguments)])
    return left.value.code or 0, *capsys.readouterr()


def rows_of(table):
    """The cells of each line below the titles."""
    return [[cell.strip() for cell in line.split("│")] for line in table.splitlines()[2:]]


def test_a_run_is_asked_beside_its_teacher_and_keeps_the_answers(place, capsys):
    pytest.importorskip("lm_eval", reason="lm-evaluation-harness is not installed")
    code, out, err = said(capsys, "run", "--benchmark", "tasks/opinions.yaml", "--limit", "9")
    assert code == 0, err
    kept = read_benchmarks(place / "run")
    loaded = load_benchmarks(["tasks/opinions.yaml"])
    for facts, folder in ((kept.student, "run/student"), (kept.teacher, "teacher")):
        network = load_causal(folder)
        (score,) = benchmark_scores(network.model, network.tokenizer, loaded, limit=9)
        (fact,) = facts
        assert (fact.value, fact.error, fact.examples) == (score.value, score.error, 9)
    lines = rows_of(out)
    assert [line[3] for line in lines] == ["student", "teacher"]
    assert [float(line[4]) for line in lines] == [
        round(facts[0].value, 4) for facts in (kept.student, kept.teacher)
    ]
    assert "<h2>Benchmarks</h2>" in (place / "run" / "report.html").read_text()


@pytest.mark.parametrize("examples", [0, 2])
def test_a_model_alone_is_asked_and_nothing_is_written(examples, place, capsys):
    pytest.importorskip("lm_eval", reason="lm-evaluation-harness is not installed")
    before = ("--few-shot", examples) if examples else ()
    code, out, err = said(capsys, "teacher", "--benchmark", "tasks", *before)
    assert code == 0, err
    (line,) = rows_of(out)
    assert line[:4] == ["opinions", "acc", str(examples), "teacher"]
    assert line[-1] == str(len(ROWS))
    assert not (place / "teacher" / BENCHMARKS).exists()


def test_what_makes_no_sense_is_refused_in_one_line(place, capsys):
    cases = {
        ("run", "--limit", "3"): "--limit 3 has no effect without --benchmark. Add it",
        ("run", "--few-shot", "3"): "--few-shot 3 has no effect without --benchmark. Add it",
        ("run", "--benchmark", "tasks", "--set", "texts.rows=2"): "--set texts.rows=2 has no effect",
        ("run", "--benchmark", "tasks", "--limit", "0"): "limit must be >= 1, got 0",
        ("run", "--benchmark", "tasks", "--few-shot", "-1"): "few_shot must be >= 0, got -1",
    }
    for arguments, message in cases.items():
        code, out, err = said(capsys, *arguments)
        assert (code, out) == (2, "")
        assert message in err.strip().splitlines()[-1]


def test_targets_that_write_no_text_are_refused(place):
    pytest.importorskip("lm_eval", reason="lm-evaluation-harness is not installed")
    with pytest.raises(ModelError, match=r"classifier is a classifier \(Bert"):
        run_benchmarks("classifier", ["tasks"])
    (place / "half").mkdir(exist_ok=True)
    (place / "half" / "recipe.yaml").write_text("{}")
    with pytest.raises(RunError, match="half is not finished"):
        run_benchmarks("half", ["tasks"])


def test_settings_out_of_range_are_refused_without_the_harness(place):
    with pytest.raises(ConfigError, match="limit must be >= 1, got 0"):
        run_benchmarks("run", ["tasks"], limit=0)
