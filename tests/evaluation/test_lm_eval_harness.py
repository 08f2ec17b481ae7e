"""The harness on a local task and a tiny model, against accuracies computed here from plain log-likelihoods."""

import importlib.util
import json
import logging
import sys
import warnings

import pytest
import torch

from lmdistill.core.errors import DataError, MissingExtraError
from lmdistill.evaluation.lm_eval_harness import benchmark_scores, load_benchmarks
from tests.tiny import WORDS
from tests.tiny_causal import tiny_language

TASK = """
task: {name}
dataset_path: json
dataset_kwargs: {{data_files: {{validation: {rows}}}}}
output_type: {kind}
validation_split: validation
fewshot_split: validation
doc_to_text: "{{{{question}}}}"
doc_to_choice: "{{{{choices}}}}"
doc_to_target: answer
metric_list: [{{metric: acc, aggregation: mean, higher_is_better: true}}]
"""
ROWS = [
    {
        "question": f"{noun} {verb}",
        "choices": [" ".join((WORDS[(at + turn) % 6], WORDS[(2 * at + turn + 1) % 6])) for turn in (0, 2, 4)],
        "answer": at % 3,
    }
    for at, (noun, verb) in enumerate((noun, verb) for noun in WORDS[6:10] for verb in ("is", "was", "but"))
]
"""Two words a choice, so that the shortest one does not always win."""


def write_task(folder, name="opinions", kind="multiple_choice", rows=ROWS):
    """A task of the harness in a folder: where it lies."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text("".join(json.dumps(row) + "\n" for row in rows))
    path = folder / f"{name}.yaml"
    path.write_text(TASK.format(name=name, rows=folder / f"{name}.json", kind=kind))
    return path


def log_likelihood(network, question, choice):
    """Of a choice after its question, in nats, one token after the other."""
    before = network.tokenizer(question)["input_ids"]
    ids = network.tokenizer(f"{question} {choice}")["input_ids"]
    with torch.no_grad():
        log_probs = network.model(input_ids=torch.tensor([ids])).logits[0].double().log_softmax(-1)
    return float(sum(log_probs[at - 1, ids[at]] for at in range(len(before), len(ids))))


def right(network, row):
    """Whether the likeliest choice is the answer."""
    found = [log_likelihood(network, row["question"], choice) for choice in row["choices"]]
    return max(range(len(found)), key=found.__getitem__) == row["answer"]


@pytest.fixture
def harness():
    return pytest.importorskip("lm_eval", reason="lm-evaluation-harness is not installed")


@pytest.mark.parametrize("name", ["llama", "gpt2"])
def test_an_accuracy_is_the_share_of_likeliest_choices_that_are_right(harness, tmp_path, name):
    loaded = load_benchmarks([str(write_task(tmp_path))])
    network = tiny_language(name, seed=2)
    (score,) = benchmark_scores(network.model, network.tokenizer, loaded)
    marks = torch.tensor([float(right(network, row)) for row in ROWS])
    assert 0 < marks.mean() < 1
    assert score.value == pytest.approx(float(marks.mean()))
    assert score.error == pytest.approx(float(marks.std() / len(marks) ** 0.5))
    assert (score.task, score.metric, score.examples, score.few_shot) == ("opinions", "acc", len(ROWS), 0)


def test_a_limit_asks_the_first_examples(harness, tmp_path):
    network = tiny_language(seed=2)
    loaded = load_benchmarks([str(write_task(tmp_path))])
    (score,) = benchmark_scores(network.model, network.tokenizer, loaded, limit=5)
    assert score.examples == 5
    assert score.value == pytest.approx(sum(right(network, row) for row in ROWS[:5]) / 5)


def test_examples_before_the_question_change_the_answers(harness, tmp_path):
    network = tiny_language(seed=2)
    loaded = load_benchmarks([str(write_task(tmp_path))])
    (plain,) = benchmark_scores(network.model, network.tokenizer, loaded)
    (shots,) = benchmark_scores(network.model, network.tokenizer, loaded, few_shot=2)
    (again,) = benchmark_scores(network.model, network.tokenizer, loaded)
    assert (plain.few_shot, shots.few_shot) == (0, 2)
    assert plain.value != shots.value
    assert again == plain


def test_a_folder_is_all_of_its_tasks_and_a_group_is_summed_up(harness, tmp_path):
    write_task(tmp_path / "two", "first", rows=ROWS[:4])
    write_task(tmp_path / "two", "second", rows=ROWS[4:])
    network = tiny_language(seed=2)

    def found(*names):
        scores = benchmark_scores(network.model, network.tokenizer, load_benchmarks(names))
        return {score.task: score for score in scores}

    assert list(found(str(tmp_path / "two"))) == ["first", "second"]
    (tmp_path / "two" / "all.yaml").write_text(
        "group: both\ntask: [first, second]\n"
        "aggregate_metric_list: [{metric: acc, aggregation: mean, weight_by_size: true}]\n"
    )
    both = found(str(tmp_path / "two"), str(write_task(tmp_path, "alone")))
    assert set(both) == {"both", "first", "second", "alone"}
    assert both["both"].value == pytest.approx(both["alone"].value)
    assert (both["both"].examples, both["both"].few_shot) == (None, 0)


def test_the_terminal_stays_silent_and_everything_is_put_back(harness, tmp_path, capfd):
    chatter, network = logging.getLogger("lm_eval"), tiny_language()
    before = chatter.level, sys.stderr, sys.stdout, warnings.filters[:]
    benchmark_scores(network.model, network.tokenizer, load_benchmarks([str(write_task(tmp_path))]))
    assert (chatter.level, sys.stderr, sys.stdout, warnings.filters[:]) == before
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")
    print("still here", file=sys.stderr)  # noqa: T201
    assert capfd.readouterr().err == "still here\n"


def test_a_task_that_cannot_be_loaded_says_so_in_one_line(harness, tmp_path):
    (tmp_path / "empty").mkdir()
    path = write_task(tmp_path)
    (tmp_path / "opinions.json").unlink()
    cases = {
        str(tmp_path / "empty"): r"^the folder .*empty has no task file",
        str(
            path
        ): r"^the benchmark .*opinions\.yaml cannot be loaded: .*opinions\.json.* Correct its task file\.$",
    }
    for name, match in cases.items():
        with pytest.raises(DataError, match=match) as caught:
            load_benchmarks([name])
        assert "\n" not in str(caught.value)


def test_a_task_whose_data_are_on_the_hub_says_so_where_there_is_no_network(harness, tmp_path, monkeypatch):
    path = write_task(tmp_path)
    path.write_text(path.read_text().replace("dataset_path: json", "dataset_path: nobody/nothing"))
    with pytest.raises(
        DataError, match=r"are on the hub, which cannot be reached \(.*\) Offline: download them"
    ):
        load_benchmarks([str(path)])


@pytest.mark.slow
def test_a_task_of_the_harness_is_found_by_name_and_a_misspelt_one_gets_a_hint(harness):
    with pytest.raises(DataError, match="the data of the benchmark arc_easy are on the hub"):
        load_benchmarks(["arc_easy"])
    with pytest.raises(DataError, match=r"arc_esy is not a task of the harness.* Did you mean arc_easy"):
        load_benchmarks(["arc_esy"])


def test_a_missing_package_is_named_with_the_command_to_install_it(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"not installed\. Run: pip install lmdistill\[eval\]"):
        load_benchmarks(["arc_easy"])
