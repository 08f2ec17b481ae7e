"""Runs of a linear model: in a recipe like any method, taught by labels, a network, or a file."""

import csv
import json
import random
import re
from dataclasses import replace

import numpy as np
import pytest
import yaml

from lmdistill.analysis.compare import compare
from lmdistill.commands.evaluate import evaluate
from lmdistill.commands.measure import measure
from lmdistill.commands.open_model import open_model
from lmdistill.commands.predict import predict
from lmdistill.commands.submit import _test_answers
from lmdistill.core.errors import ConfigError, MismatchError, ModelError, RunError
from lmdistill.data.load_task import load_task
from lmdistill.linear.classifier import load_linear, save_linear
from lmdistill.models.loading.classifier import load
from lmdistill.recipes.files import read_recipe
from lmdistill.records.predictions import PREDICTIONS, read_predictions
from lmdistill.records.record import find_records, read_record
from lmdistill.records.text_hashes import read_text_hashes
from lmdistill.report.tables.costs import costs_grid
from lmdistill.runs.classification.dataset import encode_task
from lmdistill.runs.classification.linear_model import linear_logits, matched_linear
from lmdistill.runs.classification.teacher_outputs import NetworkOutputs
from lmdistill.runs.run_recipe import run_recipe, with_found_rate
from tests.tiny import WORDS
from tests.tiny_recipe import write_recipe

GOLD = {"TF-IDF": {"name": "tfidf", "alpha": 0, "C": 3}}
SOFT = {"TF-IDF": {"name": "tfidf", "alpha": 1, "C": 3}}
NOWHERE = {"teacher": {"model": "nowhere/at-all"}}


def run(path, out, *changes):
    folders = run_recipe(read_recipe(str(path), list(changes)), out, command="test")
    return folders[0] if len(folders) == 1 else folders


def given(folder, **changes):
    """A recipe whose texts have their label as a word."""
    path = write_recipe(folder, **{"methods": GOLD, **NOWHERE, **changes})
    g = random.Random(0)
    lines = [
        f"{' '.join(g.choices(WORDS[6:], k=g.randint(2, 8)))} {WORDS[number % 2]} x{number},{('good', 'bad')[number % 2]}"
        for number in range(200)
    ]
    (folder / "texts.csv").write_text("text,label\n" + "\n".join(lines) + "\n")
    return path


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_labels_alone_need_no_teacher_and_learn_the_task(tmp_path, no_pages):
    path = given(tmp_path / "given")
    record = read_record(run(path, tmp_path / "out"))
    assert record.metrics["dev"]["accuracy"] == 1.0  # each text has its label as a word
    assert record.teacher is record.answers is record.teacher_metrics is record.teacher_terms is None
    assert record.student.layers == 0
    assert record.student.flops is None
    assert record.linear.rows == record.task.rows["train"]
    assert record.linear.held_out == {}
    assert (record.linear.C, record.training.steps > 0, record.selected) == (3.0, True, "last")
    assert record.alarms == ()
    seen = {name: len(one) for name, one in read_text_hashes(tmp_path / "out").items()}
    assert seen == {"train": record.task.rows["train"], "dev": record.task.rows["dev"]}
    assert set(record.student.latency) == {"1", "16"}
    assert {name for name in record.files if name.startswith("student/")} == {
        "student/model.safetensors", "student/tfidf.json",
    }  # fmt: skip


def test_class_weights_count_for_it_too_and_are_recorded(tmp_path, no_pages):
    path = given(tmp_path / "given", data={"source": str(tmp_path / "given" / "texts.csv"), "rows": 60})
    records = [
        read_record(run(path, tmp_path / str(number), *changes))
        for number, changes in enumerate(([], ["training.class_weights={bad: 1, good: 5}"]))
    ]
    assert records[0].class_weights == {}
    assert records[1].class_weights == {"bad": 1.0, "good": 5.0}
    assert records[0].student.fingerprint != records[1].student.fingerprint
    assert records[0].teacher_terms is None
    with pytest.raises(ConfigError, match=r"class_weights has 3 weights and own has 2 classes"):
        run(path, tmp_path / "more", "training.class_weights=[1, 2, 3]")


def test_a_row_beside_a_network_and_the_same_for_each_seed(tmp_path, no_pages, capsys):
    methods = {"KD": {"name": "kd"}, "TF-IDF": {"name": "tfidf"}}
    path = write_recipe(tmp_path / "given", epochs=1, methods=methods, seeds=[0, 1])
    folders = run(path, tmp_path / "out")
    assert [folder.name for folder in folders] == ["KD-seed0", "KD-seed1", "TF-IDF-seed0", "TF-IDF-seed1"]
    kd, _, first, second = map(read_record, folders)
    assert first.student.fingerprint == second.student.fingerprint
    assert first.metrics == second.metrics
    assert first.teacher.fingerprint == kd.teacher.fingerprint
    assert first.teacher_metrics == kd.teacher_metrics
    assert first.teacher_classes == kd.teacher_classes != {}
    assert first.teacher_terms == kd.teacher_terms is not None
    assert set(first.classes) == set(kd.classes)
    assert first.task.dev_fingerprint == kd.task.dev_fingerprint
    ours, theirs = (read_predictions(folder / PREDICTIONS) for folder in (folders[2], folders[0]))
    assert [(one.example, one.label, one.teacher, one.tokens) for one in ours] == [
        (one.example, one.label, one.teacher, one.tokens) for one in theirs
    ]
    assert set(first.linear.held_out) == {"1", "3", "10"}
    card = (folders[2] / "student" / "README.md").read_text(encoding="utf-8")
    assert 'library_name: "lmdistill"' in card
    assert "Size: linear, " in card
    code = re.search(r"```python\n(.*?)```", card, re.DOTALL)[1].replace(
        "path/to/this/folder", str(folders[2] / "student")
    )
    exec(code, {})
    assert capsys.readouterr().out.startswith("('bad', 'good') [[")
    assert "history.jsonl" not in (folders[2] / "README.md").read_text(encoding="utf-8")
    runs = find_records([tmp_path / "out"])
    costs = {row[0]: dict(zip(costs_grid(runs).header, row, strict=True)) for row in costs_grid(runs).rows}
    (linear,) = [name for name in costs if name.startswith("Student, linear, ")]
    assert costs[linear]["FLOPs per example"] == "–"
    assert costs[linear]["latency p50, batch 1"] != "–"
    (table,) = compare(runs)
    assert [row.label for row in table.rows][1:] == ["KD", "TF-IDF"]
    assert table.rows[2].quality[table.scores[0]].sd == 0.0
    assert table.rows[1].cost.latency_ms != table.rows[2].cost.latency_ms
    assert f"{first.linear.C:g}" == min(first.linear.held_out, key=first.linear.held_out.get)


def test_the_teachers_answers_are_read_from_the_store_and_equal_those_computed_now(
    tmp_path, no_pages, monkeypatch
):
    methods = {"KD": {"name": "kd"}, **SOFT}
    path = write_recipe(tmp_path / "given", epochs=1, methods=methods)
    _, stored = run(path, tmp_path / "out")
    assert len(list((tmp_path / "teachers" / "outputs").iterdir())) == 1  # one store for both methods
    monkeypatch.setattr(NetworkOutputs, "of", None)  # nobody may call it
    only = write_recipe(tmp_path / "only", methods=SOFT)
    live = run(only, tmp_path / "live", "teacher.store_outputs=false")
    np.testing.assert_allclose(
        load_linear(stored / "student").coefficients, load_linear(live / "student").coefficients, atol=1e-5
    )


def test_soft_answers_are_learned_and_not_the_labels(tmp_path, no_pages):
    """The student of an arbitrary teacher agrees with it on the training texts, where the labels do not."""
    path = write_recipe(tmp_path / "given", methods={"TF-IDF": {"name": "tfidf", "alpha": 1, "C": 1000.0}})
    folder = run(path, tmp_path / "out")
    task = load_task("own", str(tmp_path / "given" / "texts.csv"))
    teacher = load(tmp_path / "given" / "model")
    theirs = encode_task(task, teacher, None, max_length=32).train.logits(teacher, "cpu")
    ours = linear_logits(load_linear(folder / "student"), (list(task.train["sentence1"]), None))
    p, q = (np.exp(z) / np.exp(z).sum(1, keepdims=True) for z in (theirs, ours))
    assert abs(p - q).max() < 0.1
    assert (ours.argmax(1) == np.asarray(task.train["label"])).mean() < 0.9


@pytest.mark.slow
def test_a_temperature_makes_the_targets_softer(tmp_path, no_pages):
    sharp, soft = (
        run(
            write_recipe(tmp_path / str(t), methods={"A": {**SOFT["TF-IDF"], "temperature": t}}),
            tmp_path / f"out{t}",
        )
        for t in (1.0, 10.0)
    )
    spans = [np.ptp(load_linear(folder / "student").logits(WORDS)) for folder in (sharp, soft)]
    assert spans[1] < spans[0] / 2


@pytest.mark.slow
def test_a_file_of_answers_teaches_like_the_network(tmp_path, no_pages):
    path = write_recipe(tmp_path / "given", methods=SOFT)
    live = run(path, tmp_path / "live")
    task, teacher = (
        load_task("own", str(tmp_path / "given" / "texts.csv")),
        load(tmp_path / "given" / "model"),
    )
    data = encode_task(task, teacher, None, max_length=32)
    lines = [
        json.dumps({"text": text, "logits": logits})
        for name, split in {"train": data.train, **data.dev}.items()
        for text, logits in zip(
            task.split(name)["sentence1"], split.logits(teacher, "cpu").tolist(), strict=True
        )
    ]
    random.Random(1).shuffle(lines)
    (tmp_path / "answers.jsonl").write_text("\n".join(lines))
    told = run(
        path, tmp_path / "told", f"teacher.answers={tmp_path / 'answers.jsonl'}", "teacher.model=nowhere/x"
    )
    one, two = (load_linear(folder / "student") for folder in (live, told))
    np.testing.assert_allclose(one.coefficients, two.coefficients, atol=1e-5)
    record = read_record(told)
    assert record.answers.answered == record.task.rows["train"]
    assert record.teacher_metrics == read_record(live).teacher_metrics
    (tmp_path / "answers.jsonl").write_text("\n".join(lines[: len(lines) * 3 // 4]))
    fewer = read_record(run(path, tmp_path / "fewer", f"teacher.answers={tmp_path / 'answers.jsonl'}"))
    assert fewer.linear.rows == fewer.answers.answered < record.linear.rows


@pytest.mark.slow
def test_texts_without_labels_are_seen_by_the_teacher_term_alone(tmp_path, no_pages):
    path = write_recipe(
        tmp_path / "given", methods={"Gold": GOLD["TF-IDF"], "Both": {"name": "tfidf", "C": 3}}
    )
    extra = [f"{word} and unseen{number} film" for number, word in enumerate(WORDS)]
    (tmp_path / "extra.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in extra))
    both, gold = run(path, tmp_path / "out", f"data.unlabelled=[{tmp_path / 'extra.jsonl'}]")
    counts = {name: read_record(folder).linear.rows for name, folder in (("gold", gold), ("both", both))}
    assert counts["both"] == counts["gold"] + len(extra)
    assert read_record(both).task.unlabelled_rows == len(extra)
    known = {
        name: load_linear(folder / "student").features.blocks[0].terms
        for name, folder in (("gold", gold), ("both", both))
    }
    assert "unseen3" in known["both"]
    assert "unseen3" not in known["gold"]
    (table,) = compare(find_records([gold, both]))
    sizes = {row.cost.parameters: row.cost.latency_ms for row in table.rows if row.role != "teacher"}
    assert (
        len(sizes) == len(set(sizes.values())) == 2
    )  # other features take other times, which are not pooled


def test_a_finished_run_is_read_and_another_one_refused(tmp_path, no_pages):
    path = given(tmp_path / "given")
    folder = run(path, tmp_path / "out")
    before = (folder / "record.json").stat().st_mtime_ns
    assert run(path, tmp_path / "out") == folder
    assert (folder / "record.json").stat().st_mtime_ns == before
    with pytest.raises(RunError, match=r"holds another run: methods\.TF-IDF\.C is 3"):
        run(path, tmp_path / "out", "methods.TF-IDF.C=4")
    (folder / "record.json").unlink()  # as if it was killed before it was finished
    again = read_record(run(path, tmp_path / "out"))
    assert again.metrics["dev"]["accuracy"] == 1.0


def test_predict_and_evaluate_take_the_run_and_a_copy_of_its_folder(tmp_path, no_pages):
    path = given(tmp_path / "given")
    folder = run(path, tmp_path / "out")
    record = read_record(folder)
    (scores,) = evaluate(folder)
    assert scores.metrics == record.metrics["dev"]
    texts = tmp_path / "more.csv"
    texts.write_text("text\nit was good\nit was bad\n!\n")
    assert predict(folder, texts, tmp_path / "one.csv", text=["text"]) == 3
    rows = rows_of(tmp_path / "one.csv")
    assert [row["predicted"] for row in rows[:2]] == ["good", "bad"]
    assert all(float(row["p_good"]) + float(row["p_bad"]) == pytest.approx(1) for row in rows)
    save_linear(load_linear(folder / "student"), tmp_path / "copy")
    assert predict(tmp_path / "copy", texts, tmp_path / "two.csv", text=["text"]) == 3
    assert rows_of(tmp_path / "two.csv") == rows


@pytest.mark.slow
def test_measure_and_submit_take_the_run(tmp_path, no_pages, monkeypatch):
    folder = run(given(tmp_path / "given"), tmp_path / "out")
    monkeypatch.setattr("lmdistill.commands.measured.peak_memory_of", lambda work: work() or 1.0)
    (found,) = measure([folder], tokens=8, runs=1)
    record = read_record(folder)
    assert (found.layers, found.flops, found.parameters) == (0, None, record.student.parameters)
    assert found.disk_bytes > record.student.disk_bytes  # the card is there too
    assert set(found.latency) == {1, 16}
    task = load_task("own", str(tmp_path / "given" / "texts.csv"))
    task = replace(
        task,
        spec=replace(task.spec, test_splits=("test",)),
        splits={**task.splits, "test": task.split("dev")},
    )
    answers = _test_answers(open_model(folder), task)
    assert answers["own"].tolist() == task.split("dev")["label"][:]


def test_a_changed_vocabulary_is_refused(tmp_path, no_pages):
    folder = run(given(tmp_path / "given"), tmp_path / "out")
    path = folder / "student" / "tfidf.json"
    path.write_text(path.read_text().replace('"good"', '"goop"'))
    with pytest.raises(RunError, match=r"tfidf\.json has changed"):
        evaluate(folder)


def test_labels_in_another_order_and_other_labels(tmp_path, no_pages):
    folder = run(given(tmp_path / "given"), tmp_path / "out")
    model = load_linear(folder / "student")
    task = load_task("own", str(tmp_path / "given" / "texts.csv"), labels=("good", "bad"))
    turned = matched_linear(model, task)
    np.testing.assert_array_equal(turned.logits(WORDS), model.logits(WORDS)[:, ::-1])
    three = replace(model, labels=("a", "b", "c"))
    with pytest.raises(MismatchError, match="labels of the task"):
        matched_linear(three, task)


def write_pairs(path, *, scores):
    """Pairs of texts with the number of common words as score, or whether there are many."""
    g = random.Random(0)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["first", "second", "label"])
        for number in range(120):
            one, common = g.sample(WORDS, 6), number % 7
            two = one[:common] + g.sample([word for word in WORDS if word not in one], 6 - common)
            writer.writerow(
                [" ".join(one), " ".join(two), common + 0.5 if scores else ("far", "near")[common > 3]]
            )


@pytest.mark.parametrize("scores", [True, False])
def test_pairs_and_scores(tmp_path, no_pages, scores):
    write_pairs(tmp_path / "pairs.csv", scores=scores)
    recipe = {
        "task": "own",
        "data": {"source": str(tmp_path / "pairs.csv"), "text": ["first", "second"], "label": "label"},
        "methods": {"TF-IDF": {"name": "tfidf", "alpha": 0}},
    }
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    folder = run(tmp_path / "recipe.yaml", tmp_path / "out")
    record = read_record(folder)
    assert record.task.kind == ("regression" if scores else "classification")
    headline = record.metrics["dev"][record.task.metrics[0]]
    assert headline > (0.8 if scores else 0.85)
    (again,) = evaluate(folder)
    assert again.metrics == record.metrics["dev"]
    assert predict(folder, tmp_path / "pairs.csv", tmp_path / "out.csv") == 120
    (tmp_path / "single.csv").write_text("first\na b\n")
    with pytest.raises(MismatchError, match=r"reads pairs of texts and own has single texts"):
        evaluate(folder, ["data.text=[first]", "data.label=label"])


def test_commands_for_networks_refuse_it_and_say_what_works(tmp_path, no_pages):
    folder = run(given(tmp_path / "given"), tmp_path / "out")
    said = r"is a linear model on TF-IDF features, and a network is needed here\. It can be used with lmdistill predict"
    with pytest.raises(ModelError, match=said):
        load(folder / "student")
    path = write_recipe(tmp_path / "more", methods={"KD": {"name": "kd"}})
    for change in (f"teacher.model={folder / 'student'}", f"student.model={folder / 'student'}"):
        with pytest.raises(ModelError, match=said):
            run(path, tmp_path / "other", change)
    with pytest.raises(
        ConfigError,
        match=r"^the methods TF-IDF train no network and have no learning rate\. Leave --find-rate out\.$",
    ):
        with_found_rate(
            read_recipe(str(tmp_path / "given" / "recipe.yaml")), tmp_path / "rate", command="test"
        )


def test_several_labels_a_text_are_refused_before_anything_is_trained(tmp_path):
    lines = [
        json.dumps({"text": f"a {word} film", "labels": ["a", "b"][: number % 3]})
        for number, word in enumerate(WORDS)
    ]
    (tmp_path / "texts.jsonl").write_text("\n".join(lines))
    recipe = {
        "task": "own",
        "data": {"source": str(tmp_path / "texts.jsonl"), "label": "labels"},
        "methods": GOLD,
    }
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    with pytest.raises(
        ConfigError, match=r"^method tfidf is for one class or one score a text, and a text of own has any"
    ):
        run(tmp_path / "recipe.yaml", tmp_path / "out")
    assert not (tmp_path / "out").exists()


SETTINGS = {
    "words=[2,1]": r"words must be \[fewest, most\] with 1 <= fewest <= most <= 20, got \[2, 1\]\.",
    "characters=[0,3]": r"characters must be \[fewest, most\]",
    "words=null, characters=null": r"words and characters are both null; set one of them, as in words: \[1, 2\]\.",
    "max_features=0": r"max_features must be >= 1, got 0\.",
    "C=0": r"C must be > 0, got 0",
    "C=[1,-2]": r"C must be > 0, got -2",
    "C=[]": r"C is empty; give one value or several, as in C: \[1, 3, 10\]\.",
    "alpha=1.5": r"alpha must be in \[0, 1\], got 1\.5\.",
    "temperature=0": r"temperature must be > 0, got 0",
}  # fmt: skip


@pytest.mark.parametrize("settings", SETTINGS)
def test_settings_out_of_range_are_one_line(settings):
    changes = [f"method.{one}" for one in re.split(r", (?=\w)", settings)]
    with pytest.raises(ConfigError, match=SETTINGS[settings]) as caught:
        read_recipe("mixkd-sst2", ["method={name: tfidf}", *changes])
    assert "\n" not in str(caught.value)


def test_a_recipe_for_language_models_has_no_such_method():
    with pytest.raises(ConfigError, match=r"methods\.TFIDF is tfidf, which is for classifiers and scorers"):
        read_recipe("demo-language", ["methods=null", "method={name: tfidf}"])
