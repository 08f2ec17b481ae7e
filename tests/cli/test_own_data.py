"""Reading, evaluating and predicting the user's own files from the command line."""

import csv
import json
import shutil
from pathlib import Path

import pytest
import yaml

from lmdistill.export.hugging_face import save
from tests.cli.cli_project import LABELS, RECIPE, files_in, read_csv, texts, trained, write_csv, write_recipe
from tests.cli.test_bad_input import refused
from tests.record_files import edited_record
from tests.tiny import tiny


def settings(*changes):
    return [word for change in changes for word in ("--set", change)]


@pytest.fixture
def run_copy(finished, tmp_path):
    """A copy of the finished run that a test may change."""
    shutil.copytree("runs/one", tmp_path / "one")
    return tmp_path / "one"


def test_a_run_records_the_columns_of_its_texts(finished):
    assert json.loads(Path("runs/one/record.json").read_text())["task"]["columns"] == ["text"]


def test_predict_reads_the_column_of_the_run_and_says_when_it_reads_another(run_copy, lmdistill, tmp_path):
    with edited_record(run_copy) as record:
        record["task"]["columns"] = ["review"]
    rows = [["nothing", text.replace("\r", "")] for text, _ in texts(6)]
    write_csv(tmp_path / "both.csv", rows, ("text", "review"))
    write_csv(tmp_path / "one.csv", [[text] for _, text in rows], ("review",))
    said = lmdistill("predict", run_copy, tmp_path / "both.csv")
    assert (said.code, "was trained on" in said.err) == (0, False), said.err
    lmdistill("predict", run_copy, tmp_path / "one.csv")
    answers = [
        [row[2 - number] for row in read_csv(tmp_path / f"{name}.predicted.csv")]
        for number, name in enumerate(("both", "one"))
    ]
    assert answers[0] == answers[1]
    write_csv(tmp_path / "other.csv", [[text] for _, text in rows], ("body",))
    said = lmdistill("predict", run_copy, tmp_path / "other.csv")
    assert said.code == 0
    assert "the text is read from body, and the run was trained on review. Set --text" in said.err


def test_evaluate_says_when_it_reads_another_column(run_copy, lmdistill, tmp_path):
    with edited_record(run_copy) as record:
        record["task"]["columns"] = ["review"]
    said = lmdistill("evaluate", run_copy)
    assert said.code == 0, said.err
    assert "the text is read from text, and the run was trained on review. Set data.text" in said.err


def test_predict_reads_files_whose_unused_keys_differ_and_in_the_encoding_that_is_set(
    finished, lmdistill, tmp_path
):
    rows = [{"text": "good film"}, {"slots": {"n": 1}, "text": "bad plot"}, {"text": "fine", "n": None}]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert lmdistill("predict", "runs/one", tmp_path / "a.jsonl").code == 0
    found = [json.loads(line) for line in (tmp_path / "a.predicted.jsonl").read_text().splitlines()]
    assert [{key: row[key] for key in given} for row, given in zip(found, rows, strict=True)] == rows
    assert lmdistill("predict", "runs/one", tmp_path / "a.jsonl", "--out", tmp_path / "a.csv").code == 0
    assert [len(row) for row in read_csv(tmp_path / "a.csv")] == [7] * 4
    (tmp_path / "b.csv").write_bytes("text;n\ntrès bien;1\n".encode("latin-1"))
    refused(
        lmdistill("predict", "runs/one", tmp_path / "b.csv"), r"b\.csv, line 2: byte 9 .* set data\.encoding"
    )
    said = lmdistill("predict", "runs/one", tmp_path / "b.csv", "--set", "data.encoding=latin-1")
    assert said.code == 0, said.err
    assert read_csv(tmp_path / "b.predicted.csv")[1][0] == "très bien"


def test_a_recipe_reads_a_file_without_header_and_its_run_predicts_such_a_file(place, lmdistill):
    with Path("bare.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([label, "x", text] for text, label in texts(48))
    recipe = {
        **RECIPE,
        "data": {"source": "bare.csv", "header": False, "text": 3, "label": 1, "max_length": 32},
    }
    write_recipe("bare.yaml", recipe)
    said = lmdistill("distill", "bare.yaml", "--out", "runs/bare")
    assert said.code == 0, said.err
    assert json.loads(Path("runs/bare/record.json").read_text())["task"]["rows"] == {"train": 43, "dev": 5}
    said = lmdistill("predict", "runs/bare", "bare.csv")
    assert (said.code, len(read_csv("bare.predicted.csv"))) == (0, 49), said.err
    assert lmdistill("distill", "bare.yaml", "--out", "runs/bare").code == 0  # its settings are the same ones
    said = lmdistill("distill", "bare.yaml", "--out", "runs/bare", "--set", "data.label=2")
    refused(said, r"data\.label is 1 there and 2 here")


def test_a_run_of_a_version_without_these_keys_is_continued(finished, lmdistill, run_copy):
    recipe = yaml.safe_load((run_copy / "recipe.yaml").read_text())
    for name in ("labels", "drop", "encoding", "delimiter", "quote", "header", "join"):
        del recipe["data"][name]
    (run_copy / "recipe.yaml").write_text(yaml.safe_dump(recipe, sort_keys=False))
    before = (run_copy / "record.json").read_bytes()
    more = settings("teacher.model=models/encoder", "teacher.training.batch_size=16")
    said = lmdistill("distill", "recipe.yaml", "--out", run_copy, *more)
    assert said.code == 0, said.err
    assert (run_copy / "record.json").read_bytes() == before


def test_labels_that_look_swapped_ring_in_evaluate_and_in_distill(place, lmdistill):
    network = trained(("pos", "neg", "mid"))
    network.model.config.id2label = {0: "neg", 1: "pos", 2: "mid"}
    network.model.config.label2id = {"neg": 0, "pos": 1, "mid": 2}
    save(network, place / "swapped")
    write_csv("many.csv", texts(30, seed=4))
    data = ("task=own", "data.source=many.csv", "data.dev=many.csv", "data.max_length=32")
    said = lmdistill("evaluate", "swapped", *settings(*data))
    assert said.code == 0, said.err
    assert "alarm: the model on dev fits another order of the labels much better" in said.out
    assert "teacher" not in said.out + said.err
    said = lmdistill(
        "distill",
        "recipe.yaml",
        "--out",
        "runs/x",
        *settings("teacher.model=swapped", "student.layers=1", "data.dev=many.csv"),
    )
    assert said.code == 0, said.err
    alarms = json.loads(Path("runs/x/record.json").read_text())["alarms"]
    assert any(alarm.startswith("the teacher on dev fits another order") for alarm in alarms)


def test_evaluate_of_a_student_never_speaks_of_the_teacher(finished, lmdistill, tmp_path):
    write_csv(tmp_path / "two.csv", [["a", "yes"], ["b", "no"]] * 6)
    said = lmdistill(
        "evaluate", "runs/one", *settings(f"data.source={tmp_path}/two.csv", f"data.dev={tmp_path}/two.csv")
    )
    message = refused(
        said, r"^the student predicts 3 classes and own has 2: no, yes\. Use a model with 2 outputs"
    )
    assert "teacher" not in message


def test_a_regression_that_learned_nothing_rings(place, lmdistill):
    rows = [[f"{['good', 'bad', 'fine'][n % 3]} {n}", str((n * 37 % 101) / 10)] for n in range(60)]
    write_csv("scores.csv", rows, ("text", "score"))
    save(tiny(layers=2, seed=3, classes=1), place / "guess")
    data = ("task=own", "data.source=scores.csv", "data.dev=scores.csv", "data.max_length=32")
    said = lmdistill("evaluate", "guess", *settings(*data))
    assert said.code == 0, said.err
    assert (
        "alarm: the model is at or below a constant score on dev: it has learned nothing of use" in said.out
    )


def test_a_single_run_is_found_by_the_name_that_it_has_among_several(finished, lmdistill, tmp_path):
    for command in (("evaluate",), ("predict", "texts.csv", "--out", tmp_path / "a.csv"), ("report",)):
        said = lmdistill(command[0], "runs/one/MixKD-seed0", *command[1:])
        assert said.code == 0, said.err
    refused(lmdistill("evaluate", "runs/one/MixKD-seed1"), r"there is no model folder runs/one/MixKD-seed1")


@pytest.mark.parametrize("out", ["/dev/null/x", "/dev/null", "/proc/x", "texts.csv/x"])
@pytest.mark.parametrize(
    "command",
    [
        ("distill", "recipe.yaml"), ("finetune", "recipe.yaml"), ("study", "study.yaml"), ("demo",),
        ("prune", "models/classifier", "--keep", "0.5"), ("predict", "models/classifier", "texts.csv"),
        ("generate", "models/classifier", "texts.csv"), ("report", "runs"), ("submit", "runs", "--data", "glue"),
    ],
    ids=lambda command: command[0],
)  # fmt: skip
def test_a_place_that_takes_no_files_is_refused_before_anything_is_done(place, lmdistill, command, out):
    before = files_in(place)
    refused(
        lmdistill(*command, "--out", out), r"(cannot be used: .*|is a device, .*)\. Choose another path\.$"
    )
    assert files_in(place) == before


@pytest.mark.parametrize(
    "change", ["training.epochs=1000000000000000000000000000000", "training.epochs=1.0e+30"]
)
def test_numbers_that_no_computer_counts_to_are_refused(place, lmdistill, change):
    said = lmdistill("distill", "recipe.yaml", "--out", "runs/x", "--set", change)
    refused(said, r"^training\.epochs must be below 2\^63, got 1")


def test_a_text_longer_than_the_positions_of_a_model_is_refused(place, lmdistill):
    network = tiny(layers=2, seed=1, labels=LABELS)
    network.tokenizer.model_max_length = int(1e30)
    save(network, place / "endless")
    said = lmdistill(
        "distill", "recipe.yaml", "--out", "runs/x", *settings("teacher.model=endless", "data.max_length=65")
    )
    refused(said, r"^max_length is 65 and the model reads at most 64 tokens\. Set max_length to 64 or less")
    refused(
        lmdistill("measure", "endless", "--tokens", "65"), r"^--tokens is 65 and endless reads at most 64"
    )
    write_csv("long.csv", [["good " * 100, "pos"]])
    assert lmdistill("predict", "endless", "long.csv").code == 0
