"""Every mistake of a user ends in one line, exit code 2, and nothing half-written."""

import errno
import json
import math
import os
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError
from transformers import MPNetConfig, MPNetForSequenceClassification

import lmdistill as ld
from lmdistill.core import atomic_io
from lmdistill.core.errors import MismatchError
from lmdistill.data.load_task import load_task
from lmdistill.export.hugging_face import save
from lmdistill.models.classifier import Network
from lmdistill.models.quiet_transformers import quiet
from tests.cli.cli_project import LABELS, RECIPE, files_in, texts, trained, write_csv, write_recipe
from tests.tiny import tiny

GOOD = "text,label\nfine film,mid\nbad plot,neg\ngood cast,pos\n"
DISTILL = ("distill", "recipe.yaml", "--out", "runs/x")


@dataclass(frozen=True)
class Case:
    """One mistake."""

    what: str
    """In the words of the issue."""

    match: str
    """Of the message."""

    sets: tuple[str, ...] = ()
    """Changes of the recipe."""

    files: dict[str, str | bytes] = field(default_factory=dict)
    """Written before."""

    command: tuple[str, ...] = DISTILL
    """What is typed."""


STSB = {"task=stsb", "data={source: glue, max_length: 32}", "teacher.model=models/scorer"}
PAIRS = "sentence1\tsentence2\tlabel\na film\ta plot\t{}\na cast\ta meal\t1.5\nit is\tit was\t2\n"


def glue(task, **tables):
    return {f"glue/{task}/{name}.tsv": text for name, text in tables.items()}


DATA = [
    Case("missing file", r"^text\.csv does not exist\. Did you mean 'texts\.csv'\?$", ("data.source=text.csv",)),
    Case("missing folder of the file", r"no/a\.csv does not exist: .* has no folder 'no'", ("data.source=no/a.csv",)),
    Case("missing dev file", r"^devs\.csv does not exist\. Did you mean 'dev\.csv'\?$", ("data.dev=devs.csv",)),
    Case("missing label column", r"^texts\.csv: there is no column 'lable'\. Did you mean 'label'\?", ("data.label=lable",)),
    Case("missing text column", r"^texts\.csv: there is no column 'txt'\. Did you mean 'text'\?", ("data.text=txt",)),
    Case("missing column in dev", r"^dev\.csv: there is no column 'label' as in the training data", files={"dev.csv": "text,class\na,neg\n"}),
    Case("too few fields", r"^texts\.csv, line 3: too few fields, 1 where the header has 2", files={"texts.csv": "text,label\na film,neg\nonly this\nb,pos\n"}),
    Case("too few fields behind a newline", r"^texts\.csv, line 4: too few fields", files={"texts.csv": 'text,label\n"a\nfilm",neg\nonly this\nb,pos\n'}),
    Case("too many fields", r"^texts\.csv, line 2: too many fields, 3", files={"texts.csv": "text,label\na film, good,neg\nb,pos\n"}),
    Case("empty text", r"^texts\.csv, line 3: the text in 'text' is empty", files={"texts.csv": "text,label\na film,neg\n  ,pos\nb,mid\n"}),
    Case("empty text in dev", r"^dev\.csv, line 2: the text in 'text' is empty", files={"dev.csv": 'text,label\n"",pos\n'}),
    Case("unknown label in dev", r"^dev\.csv, line 3: the label 'great' is unknown; known: mid, neg, pos", files={"dev.csv": "text,label\na,neg\nb,great\n"}),
    Case("single class", r"^texts\.csv: 'label' holds a single class \(neg\)", files={"texts.csv": "text,label\na,neg\nb,neg\n"}),
    Case("single class in official data", r"all 2 training examples have the label 'negative'", ("task=sst2", "data={source: glue, max_length: 32}", "teacher.model=models/binary"),
         glue("sst2", train="sentence\tlabel\na\t0\nb\t0\n", dev="sentence\tlabel\na\t0\n")),
    Case("NaN score", r"^texts\.csv, line 3: there is no label in .score. \(.nan. stands for a missing one\)", files={"texts.csv": "text,score\na,1.5\nb,nan\nc,2.5\n", "dev.csv": "text,score\na,1\n"}),
    Case("infinite score", r"^texts\.csv, line 2: the score is 'inf'", files={"texts.csv": "text,score\na,inf\nb,0.5\nc,2.5\n", "dev.csv": "text,score\na,1\n"}),
    Case("score that is no number", r"^dev\.csv, line 2: the score is 'high'", files={"texts.csv": "text,score\na,0.5\nb,1.5\n", "dev.csv": "text,score\na,high\n"}),
    Case("score out of range", r"train\.tsv, line 2: the score is '7', where a number between 0 and 5 is needed", tuple(STSB), glue("stsb", train=PAIRS.format(7), dev=PAIRS.format(1))),
    Case("wrong encoding", r"^texts\.csv, line 2: byte 14 is 0xe9, which is not UTF-8; save the file as UTF-8", files={"texts.csv": "text,label\ncafé,neg\nb,pos\n".encode("latin-1")}),
    Case("empty file", r"^texts\.csv is empty\. It needs a header", files={"texts.csv": ""}),
    Case("header only", r"^texts\.csv has a header \(text, label\) and no rows", files={"texts.csv": "text,label\n"}),
    Case("empty training set after filtering", r"none of the 2 rows can be used \(dropped 2 of 2 rows with an empty text\)", ("task=reviews", "data={max_length: 32}"),
         {"reviews/train.jsonl": '{"text": "", "label": "neg"}\n{"text": " ", "label": "pos"}\n'}),
    Case("no row is left by the fraction", r"^the fraction 0\.001 of 48 rows is 0 rows", ("data.fraction=0.001",)),
    Case("more rows than there are", r"a subset of 900 rows was asked for, and there are 48", ("data.rows=900",)),
    Case("unknown format", r"^texts\.xlsx: '\.xlsx' names no format that can be read", ("data.source=texts.xlsx",), {"texts.xlsx": "x"}),
    Case("data without network", r"nyu-mll/glue:sst2 cannot be loaded .* Without network, set data\.source to a folder", ("task=sst2", "data={source: hub, max_length: 32}")),
]  # fmt: skip

MODELS = [
    Case("layers above the depth", r"^layers must be between 1 and 3 \(the depth of models/classifier\), got 9", ("student.layers=9",)),
    Case("layers above the depth of a teacher that is yet to be fine-tuned", r"^layers must be between 1 and 3", ("student.layers=9", "teacher.model=models/encoder")),
    Case("a listed layer that is not there", r"^layers must be ascending numbers between 0 and 2", ("student.layers=[0, 3]",)),
    Case("other labels", r"the task \(mid, neg, pos\) and of the model \(yes, no, perhaps\) differ", ("teacher.model=models/stranger",)),
    Case("another number of labels", r"^the teacher predicts 2 classes and own has 3: mid, neg, pos", ("teacher.model=models/binary",)),
    Case("a teacher of scores", r"^the teacher predicts 1 classes and own has 3", ("teacher.model=models/scorer",)),
    Case("no teacher", r"^teacher must be a table of keys and values, got None", ("teacher=null",)),
    Case("no such folder", r"^\./models/nothing does not exist|there is no model folder \./models/nothing", ("teacher.model=./models/nothing",)),
    Case("folder without config", r"^empty has no config\.json", ("teacher.model=empty",), {"empty/a.txt": ""}),
    Case("hub without network", r"^somebody/something is neither a local folder nor a model that the hub provides .* Offline: download it", ("teacher.model=somebody/something",)),
    Case("student of the hub without network", r"^somebody/small is neither a local folder .* Offline: download it", ("student.model=somebody/small",)),
    Case("unknown packaged model", r"no packaged model is called 'packaged:MiniLM'", ("teacher.model=packaged:MiniLM",)),
    Case("texts longer than the model reads", r"^max_length is 128 and the model reads at most 64 tokens", ("data.max_length=128",)),
    Case("texts longer than a teacher reads that is yet to be fine-tuned", r"^max_length is 128 and", ("data.max_length=128", "teacher.model=models/encoder")),
    Case("pretrained layers of a teacher that came fine-tuned", r"^student\.init is pretrained, and the teacher models/classifier came fine-tuned", ("student.init=pretrained",)),
    Case("a layer map that does not fit", r"^layers pairs student layer 1 with teacher layer 9; .* the teacher 0 to 3", ("method={name: pkd, layers: [[1, 9]]}", "teacher.model=models/encoder")),
]  # fmt: skip

RECIPES = [
    Case("unknown recipe", r"^no recipe is called 'mixkd-sst'\. Did you mean 'mixkd-sst2'\?", command=("distill", "mixkd-sst", "--out", "runs/x")),
    Case("missing recipe file", r"^there is no recipe file mine\.yaml\. Built-in recipes: ", command=("distill", "mine.yaml", "--out", "runs/x")),
    Case("broken YAML", r"^recipe\.yaml is not YAML: .*line 1", files={"recipe.yaml": "task: [own\n"}),
    Case("YAML of another shape", r"^recipe\.yaml must be a table of keys and values, got \['own'\]", files={"recipe.yaml": "- own\n"}),
    Case("empty recipe", r"^recipe\.yaml must be a table of keys and values, and is empty", files={"recipe.yaml": ""}),
    Case("recipe in another encoding", r"^recipe\.yaml is not UTF-8 .*Save the recipe as UTF-8", files={"recipe.yaml": "task: café".encode("latin-1")}),
    Case("unknown key", r"^no setting of training is called 'epoch'\. Did you mean 'epochs'\?", ("training.epoch=3",)),
    Case("unknown key at the top", r"^no setting of a recipe is called 'studnet'\. Did you mean 'student'\?", ("studnet.layers=3",)),
    Case("unknown key of a method", r"^no setting of method is called 'alpha'\. Did you mean 'alpha_\w+'\?", ("method.alpha=3",)),
    Case("misspelt value", r"^no choice for student\.init is called 'teachr'\. Did you mean 'teacher'\?", ("student.init=teachr",)),
    Case("misspelt method", r"^no method is called 'mixdk'\. Did you mean 'mixkd'\?", ("method.name=mixdk",)),
    Case("misspelt task", r"^no task is called 'sst3'\. Did you mean 'sst2'\?", ("task=sst3",)),
    Case("misspelt augmenter", r"^no augmenter is called 'edaa'\. Did you mean 'eda'\?", ("data.augmentation.augmenter.name=edaa",)),
    Case("value out of range", r"^training\.epochs must be >= 1, got 0", ("training.epochs=0",)),
    Case("value out of the range of a method", r"^method\.alpha_sm must be >= 0, got -1", ("method.alpha_sm=-1",)),
    Case("value of another type", r"^training\.epochs must be a valid integer.*got 'two'", ("training.epochs=two",)),
    Case("a table where a value belongs", r"^student\.keep must be a valid number, got \{'a': 1\}", ("student.keep={a: 1}",)),
    Case("a value where a table belongs", r"^training must be a table of keys and values, got 3", ("training=3",)),
    Case("a method without a name", r"^method\.name is missing\. Known methods: ", ("method={alpha_sm: 1}",)),
    Case("method and methods", r"^the recipe has method and methods; keep one of them", ("methods.KD.name=kd",)),
    Case("an empty method", r"^method must be a table of keys and values, got None", ("method=null",)),
    Case("methods that are no table", r"^methods must be a table of keys and values, got 3", ("method=null", "methods=3")),
    Case("no seed", r"^seeds is empty", ("seeds=[]",)),
    Case("one seed twice", r"^seeds are \[1, 1\], one of them twice", ("seeds=[1, 1]",)),
    Case("a seed of the training", r"^training\.seed is 3; a recipe has a list of seeds", ("training.seed=3",)),
    Case("a method name that is a path", r"^methods has the name 'a/b'", ("method=null", "methods={a/b: {name: kd}}")),
    Case("--set without a value", r"^--set takes a\.b=value, got 'training\.epochs'", ("training.epochs",)),
    Case("--set that is no YAML", r"^--set seeds=\[1 is not YAML", ("seeds=[1",)),
    Case("--set through a value", r"^--set task\.name=x: task is 'own', which has no keys", ("task.name=x",)),
    Case("a method file that is not there", r"there is no Python file mine\.py", ("method.name=mine.py:Mine",), command=(*DISTILL, "--allow-code")),
    Case("a method file that is broken", r"^mine\.py cannot be run: SyntaxError", ("method.name=mine.py:Mine",), {"mine.py": "class"}, (*DISTILL, "--allow-code")),
    Case("a method file without the class", r"mine\.py has no dataclass 'Mine'", ("method.name=mine.py:Mine",), {"mine.py": "x = 1"}, (*DISTILL, "--allow-code")),
]  # fmt: skip

MINIDISC = "schedule={name: minidisc}"
PRUNED = [
    Case("keep above one", r"^student\.keep must be in \(0, 1\], got 1\.5\. 0\.1 keeps a tenth", ("student.keep=1.5",)),
    Case("keep of nothing", r"^student\.keep must be in \(0, 1\], got 0\.", ("student.keep=0",)),
    Case("keep that is no number", r"^student\.keep must be a valid number.*got 'last'", ("student.keep=last",)),
    Case("a target above the largest assistant", r"^the target keeps 0\.6 and the largest candidate would keep 0\.5\. Raise", ("student.keep=0.6", MINIDISC)),
    Case("a target above the assistant of a path", r"^schedule\.kept is 0\.4 and the student keeps 0\.5; each must be smaller", ("student.keep=0.5", "schedule={name: path, kept: [0.4]}")),
    Case("a grid without the target", r"^the target keeps 0\.12 and the grid .* Add 0\.12 to schedule\.grid", ("student.keep=0.12", MINIDISC)),
    Case("a fraction of the grid out of range", r"^a fraction of the grid must be in \(0, 1\], got 5", ("student.keep=0.1", "schedule={name: minidisc, grid: [5, 0.1]}")),
    Case("lambda below zero", r"^schedule\.lam must be >= 0, got -0\.1", ("student.keep=0.1", "schedule={name: minidisc, lam: -0.1}")),
    Case("a schedule for a student that is not pruned", r"^the (target|student) keeps 1 and", (MINIDISC,)),
    Case("unknown schedule", r"^no schedule is called 'minidisk'\. Did you mean 'minidisc'\?", ("schedule={name: minidisk}",)),
    Case("assistants deeper than the teacher", r"^schedule\.layers begins with 9 and the teacher has 3 layers", ("student.layers=1", "schedule={name: path, layers: [9]}")),
    Case("a student as deep as its assistant", r"^schedule\.layers ends with 2 and student\.layers is 2", ("student.layers=2", "schedule={name: path, layers: [2]}")),
    Case("a slice without a head", r"^no layer of .* would keep a head, so no token could attend to another\. Keep at least 1 of", ("student.layers=all", "student.keep=0.02")),
]  # fmt: skip

COMMANDS = [
    Case("no such command", r"^No such command 'distil'.* See lmdistill --help\.$", command=("distil", "recipe.yaml")),
    Case("no recipe", r"^Missing argument 'recipe'\. See lmdistill distill --help\.$", command=("distill",)),
    Case("no out", r"^Missing option '--out'\. See lmdistill distill --help\.$", command=("distill", "recipe.yaml")),
    Case("no such option", r"^No such option: --seeds.* See lmdistill distill --help\.$", command=(*DISTILL, "--seeds", "3")),
    Case("no such list", r"'methodes' is not one of 'recipes', 'studies', 'methods'.* See lmdistill list --help\.$", command=("list", "methodes")),
    Case("a number out of range", r"tokens.*See lmdistill measure --help\.$", command=("measure", "models/classifier", "--tokens", "0")),
    Case("evaluate a model without a task", r"^models/classifier is no run, so its task is not known\. Add --set task=NAME", command=("evaluate", "models/classifier")),
    Case("evaluate with settings that do nothing", r"^training has no effect on a finished network", command=("evaluate", "models/classifier", "--set", "training.epochs=3")),
    Case("evaluate what is not there", r"^there is no model folder runs/a/b/c", command=("evaluate", "runs/a/b/c")),
    Case("predict for a missing file", r"^text\.csv does not exist\. Did you mean 'texts\.csv'\?", command=("predict", "models/classifier", "text.csv")),
    Case("predict for a missing column", r"^texts\.csv: there is no column 'txt'\. Did you mean 'text'\?", command=("predict", "models/classifier", "texts.csv", "--text", "txt")),
    Case("predict where no column is obvious", r"^odd\.csv: it is not clear which column holds the text; the columns are: a, b", files={"odd.csv": "a,b\n1,2\n"}, command=("predict", "models/classifier", "odd.csv")),
    Case("predict for an empty text", r"^gap\.csv, line 3: the text in 'text' is empty", files={"gap.csv": 'id,text\n1,a film\n2,""\n3,b\n'}, command=("predict", "models/classifier", "gap.csv")),
    Case("predict for a cut row", r"^cut\.csv, line 3: too few fields", files={"cut.csv": "id,text\n1,a film\n2\n"}, command=("predict", "models/classifier", "cut.csv")),
    Case("predict into an unknown format", r"^out\.xlsx cannot be written: predictions are saved as \.csv", command=("predict", "models/classifier", "texts.csv", "--out", "out.xlsx")),
    Case("predict into a compressed file", r"^out\.csv\.gz cannot be written", command=("predict", "models/classifier", "texts.csv", "--out", "out.csv.gz")),
    Case("predict over the file to read", r"^texts\.csv is the file to read", command=("predict", "models/classifier", "texts.csv", "--out", "./texts.csv")),
    Case("predict beside such a column", r"^done\.csv already has a column 'predicted'", files={"done.csv": "text,predicted\na,b\n"}, command=("predict", "models/classifier", "done.csv")),
    Case("measure what is not there", r"^there is no model folder \./nothing", command=("measure", "./nothing")),
    Case("submit a model that is no run", r"^models/binary is no run, so its task is not known", command=("submit", "models/binary", "--data", "glue", "--out", "a.zip")),
    Case("report without runs", r"^runs does not exist\. Name a run folder", command=("report", "runs")),
    Case("finetune a teacher that needs none", r"^the teacher models/classifier has a head for own already", command=("finetune", "recipe.yaml", "--out", "teachers")),
]  # fmt: skip


def refused(said, match):
    """The one line, after all that must hold of it."""
    *before, last = said.err.splitlines()
    assert said.code == 2, said.err
    assert last.startswith("error: ")
    assert not [line for line in before if line.startswith("error")]
    assert "Traceback" not in said.err + said.out
    message = last.removeprefix("error: ")
    assert re.search(match, message), message
    return message


@pytest.mark.parametrize("case", [*DATA, *MODELS, *RECIPES, *PRUNED, *COMMANDS], ids=lambda case: case.what)
def test_a_mistake_is_one_line_and_leaves_nothing_behind(case, place, lmdistill):
    for name, text in case.files.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    before = files_in(place)
    said = lmdistill(*case.command, *(word for change in case.sets for word in ("--set", change)))
    refused(said, case.match)
    assert files_in(place) == before


def test_a_family_whose_heads_are_not_known_is_refused(place, lmdistill):
    config = MPNetConfig(
        vocab_size=60, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=70, id2label=dict(enumerate(LABELS)),
        label2id={name: number for number, name in enumerate(LABELS)},
    )  # fmt: skip
    knowing = trained(
        LABELS, network=Network(MPNetForSequenceClassification(config), tiny().tokenizer, source="x")
    )
    with quiet():
        save(knowing, place / "other")
    said = lmdistill(
        *DISTILL, "--set", "teacher.model=other", "--set", "student.layers=all", "--set", "student.keep=0.5"
    )
    refused(
        said,
        r"^the heads and neurons of mpnet models are not known; known families: bert, .* Add an entry to FAMILIES",
    )
    assert not Path("runs").exists()


def test_a_teacher_at_the_majority_class_is_refused(place, lmdistill):
    save(tiny(layers=2, seed=5, labels=LABELS), place / "ignorant")
    said = lmdistill(
        *DISTILL,
        "--set",
        "teacher.model=ignorant",
        "--set",
        "student.layers=all",
        "--set",
        "student.keep=0.5",
    )
    refused(
        said,
        r"^the teacher ignorant is at or below the majority class on the dev set of own, .* Fine-tune it first",
    )
    assert not Path("runs").exists()


def without(folder, name, copy):
    shutil.copytree(folder, copy)
    (copy / name).unlink()
    return copy


def test_a_model_folder_without_weights_is_refused(place, models, lmdistill):
    without(models / "classifier", "model.safetensors", place / "bare")
    said = lmdistill(*DISTILL, "--set", "teacher.model=bare")
    refused(said, r"^bare has no weights \(model\.safetensors\)\. Copy them there")
    assert not Path("runs").exists()


def test_pickled_weights_are_refused(place, models, lmdistill):
    bare = without(models / "classifier", "model.safetensors", place / "bare")
    torch.save({}, bare / "pytorch_model.bin")
    refused(
        lmdistill(*DISTILL, "--set", "teacher.model=bare"),
        r"^bare has pickled weights only, which can run code",
    )
    assert not Path("runs").exists()


def test_a_damaged_model_is_refused(place, models, lmdistill):
    bare = (
        without(models / "classifier", "README.md", place / "bare")
        if (models / "classifier/README.md").exists()
        else Path(shutil.copytree(models / "classifier", place / "bare"))
    )
    (bare / "model.safetensors").write_bytes((bare / "model.safetensors").read_bytes()[:-100])
    refused(
        lmdistill(*DISTILL, "--set", "teacher.model=bare"), r"^the weights of bare are damaged or cut short"
    )


def test_a_method_without_its_teacher_is_refused(place):
    """A recipe always names a teacher; from Python it can be left out."""
    task = load_task("own", "texts.csv")
    student = ld.truncate(ld.load("models/classifier", labels=task.spec.labels), layers=1)
    for method in (ld.KD(), ld.PKD(), ld.MixKD()):
        with pytest.raises(
            MismatchError, match=r"needs a teacher, got none\. Name one, or use method finetune."
        ):
            ld.distill(None, task, student=student, method=method, out="runs/x", max_length=32)
    assert not Path("runs").exists()


def test_teacher_and_student_with_different_labels_are_refused(place):
    task = load_task("own", "texts.csv")
    teacher = ld.load("models/classifier", labels=task.spec.labels)
    for name, message in {
        "classifier": "the teacher's classes are mid, neg, pos and the student's neg, mid, pos",
        "binary": "the teacher predicts 3 classes and the student 2",
    }.items():
        with pytest.raises(MismatchError, match=message):
            ld.distill(teacher, task, student=ld.load(f"models/{name}"), out="runs/x", max_length=32)
    assert not Path("runs").exists()


def test_a_folder_with_other_files_is_left_alone(place, lmdistill):
    Path("runs/x").mkdir(parents=True)
    Path("runs/x/thesis.txt").write_text("years of work")
    refused(lmdistill(*DISTILL), r"^runs/x exists and is no run of lmdistill\. Choose another --out")
    refused(
        lmdistill(*DISTILL, "--set", "seeds=[0, 1]"),
        r"^runs/x exists and holds other files; this recipe asks for 2 runs",
    )
    assert files_in(place / "runs") == {"x", "x/thesis.txt"}


def test_a_file_in_place_of_the_folder_is_left_alone(place, lmdistill):
    Path("taken").write_text("years of work")
    for more in ((), ("--set", "seeds=[0, 1]")):
        refused(lmdistill("distill", "recipe.yaml", "--out", "taken", *more), r"^taken exists and")
        refused(
            lmdistill("distill", "recipe.yaml", "--out", "taken/x", *more),
            r"^taken.* cannot be used: Not a directory",
        )
    assert Path("taken").read_text() == "years of work"


def test_a_folder_of_another_run_says_which_setting_differs(finished, lmdistill):
    before = files_in(finished)
    for change, match in {
        "training.epochs=2": r"^runs/one holds another run: training\.epochs is 1 there and 2 here\. Choose another --out",
        "seeds=[5]": r"^runs/one holds another run: seeds",
        "method.ratio=2": r"methods\.MixKD\.ratio is 1 there and 2 here",
        "student.layers=1": r"student\.layers is 2 there and 1 here",
        "seeds=[0, 1]": r"^runs/one exists and holds one run; this recipe asks for 2 runs",
    }.items():
        refused(lmdistill("distill", "recipe.yaml", "--out", "runs/one", "--set", change), match)
    assert files_in(finished) == before


def test_a_folder_of_a_run_on_other_data_is_left_alone(finished, lmdistill, tmp_path):
    before = files_in(finished)
    kept = Path("texts.csv").read_bytes()
    write_csv("texts.csv", texts(48, seed=9))
    try:
        said = lmdistill(
            "distill", "recipe.yaml", "--out", "runs/one", "--set", "teacher.model=models/classifier"
        )
        refused(said, r"teacher\.model is 'models/encoder' there and 'models/classifier' here")
    finally:
        Path("texts.csv").write_bytes(kept)
    assert files_in(finished) == before


def test_an_unfinished_run_is_not_used(finished, lmdistill, tmp_path):
    shutil.copytree("runs/one", tmp_path / "cut")
    (tmp_path / "cut/record.json").unlink()
    for command in (("evaluate",), ("measure",), ("predict",)):
        more = ("texts.csv",) if command == ("predict",) else ()
        refused(
            lmdistill(*command, tmp_path / "cut", *more),
            r"cut is not finished\. Start it again; it continues\.$",
        )


def test_a_folder_of_several_runs_is_not_used(finished, lmdistill, tmp_path):
    for name in ("a", "b"):
        shutil.copytree("runs/one", tmp_path / f"many/{name}")
    (tmp_path / "many/recipe.yaml").write_text("task: own\n")
    refused(
        lmdistill("evaluate", tmp_path / "many"),
        r"many holds several runs: a, b\. Name one of them, as in .*many/a",
    )
    (tmp_path / "many/recipe.yaml").rename(tmp_path / "many/study.yaml")
    for command in (("evaluate",), ("measure",), ("predict", "texts.csv"), ("theory",)):
        refused(lmdistill(command[0], tmp_path / "many", *command[1:]), r"many holds several runs: a, b\. ")


def test_a_damaged_record_is_named(finished, lmdistill, tmp_path):
    shutil.copytree("runs/one", tmp_path / "odd")
    record = json.loads((tmp_path / "odd/record.json").read_text())
    (tmp_path / "odd/record.json").write_text(json.dumps({**record, "seed": "three"}))
    refused(
        lmdistill("report", tmp_path / "odd"), r"odd/record\.json is not as its run wrote it: its checksum"
    )
    del record["checksum"]
    (tmp_path / "odd/record.json").write_text(json.dumps({**record, "seed": "three"}))
    refused(lmdistill("report", tmp_path / "odd"), r"odd/record\.json is damaged at seed")


def test_submit_without_all_tasks_is_refused(finished, lmdistill):
    said = lmdistill("submit", "runs/one", "--data", "glue", "--out", "a.zip")
    refused(said, r"^runs/one is a run of own, which the GLUE test server does not know")
    assert not Path("a.zip").exists()


def no_space(*arguments, **settings):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "somewhere/file")


def full_in_safetensors(*arguments, **settings):
    raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")


def beyond_the_limit_in_safetensors(*arguments, **settings):
    raise SafetensorError("Error while serializing: I/O error: File too large (os error 27)")


def full_in_torch(*arguments, **settings):
    raise RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 576 vs 534")


@pytest.mark.parametrize(
    ("target", "fails"),
    [
        ("lmdistill.core.atomic_io.os.replace", no_space),  # the first file of the run
        ("lmdistill.records.history.HistoryWriter.append", no_space),  # the curve
        ("accelerate.accelerator.save_accelerator_state", full_in_safetensors),  # a checkpoint's weights
        ("accelerate.accelerator.save_accelerator_state", beyond_the_limit_in_safetensors),
        ("accelerate.accelerator.save_accelerator_state", full_in_torch),  # a checkpoint's optimizer
        ("transformers.PreTrainedModel.save_pretrained", no_space),  # the student
        ("lmdistill.runs.stage.write_record", no_space),  # the end
    ],
)
def test_a_full_disk_is_one_line_and_leaves_nothing_half_written(target, fails, place, lmdistill):
    with pytest.MonkeyPatch.context() as broken:
        broken.setattr(target, fails)
        refused(lmdistill(*DISTILL), r"the disk is full|\(No space left on device\)\. Make room")
    assert not [name for name in files_in(place) if ".part" in name]
    assert not Path("runs/x/record.json").exists()


def test_after_a_full_disk_the_same_command_goes_on(place, lmdistill):
    with pytest.MonkeyPatch.context() as broken:
        broken.setattr("lmdistill.runs.stage.write_record", no_space)
        assert lmdistill(*DISTILL).code == 2
    assert lmdistill(*DISTILL).code == 0
    record = json.loads(Path("runs/x/record.json").read_text())
    assert record["training"]["resumed"] == record["training"]["steps"] == 3


def test_a_full_disk_leaves_no_half_predictions(place, lmdistill, monkeypatch):
    monkeypatch.setattr(atomic_io.os, "replace", no_space)
    refused(
        lmdistill("predict", "models/classifier", "texts.csv"),
        r"^the disk is full while writing somewhere/file",
    )
    assert not [name for name in files_in(place) if "predicted" in name]


def test_a_loss_that_is_no_number_names_the_step_and_the_rows_and_keeps_the_checkpoint(place, lmdistill):
    more = ("training.optimizer={learning_rate: 1e38, warmup: 0, clip: 0}", "training.checkpoint_every=1")
    said = lmdistill(*DISTILL, *(word for change in more for word in ("--set", change)))
    message = refused(
        said,
        r"^step 2: label and .* is not a finite number, on training rows \d+, \d+, .*\. The last checkpoint",
    )
    rows = [int(row) for row in re.search(r"rows ([\d, ]+)", message)[1].rstrip(", ").split(", ")]
    assert all(0 <= row < 48 for row in rows)
    assert Path("runs/x/checkpoints/step-1/state.json").exists()
    history = [json.loads(line) for line in Path("runs/x/history.jsonl").read_text().splitlines()]
    assert [line["step"] for line in history] == [1]
    assert all(math.isfinite(line["loss"]) for line in history)
    assert not [name for name in files_in(place) if name.endswith(".part")]


def test_a_teacher_whose_weights_are_no_numbers_is_refused_when_it_is_loaded(place, models, lmdistill):
    broken = ld.load("models/classifier")
    with torch.no_grad():
        broken.model.classifier.weight.fill_(math.inf)
    ld.save(broken, "broken")
    said = lmdistill(*DISTILL, "--set", "teacher.model=broken")
    refused(said, r"^\d+ weights of classifier\.weight in broken are NaN or infinite\. Copy or download them")


def test_a_model_that_gives_no_number_is_refused_with_the_row(place, lmdistill):
    """Its weights are numbers, and so large that what it computes of them is not."""
    network = tiny(layers=1, seed=1, labels=LABELS)
    with torch.no_grad():
        network.model.classifier.weight.fill_(torch.finfo().max)
    save(network, place / "loud")
    write_csv("asked.csv", [["good film"], ["bad plot"]], header=("text",))
    said = lmdistill("predict", "loud", "asked.csv", "--out", "answers.csv")
    refused(
        said, r"^asked\.csv, line 2: loud gives the logits \[.*(nan|inf).*\], and no prediction can be made"
    )
    assert not Path("answers.csv").exists()


def test_two_methods_of_one_recipe_do_not_share_a_folder_with_a_single_run(finished, lmdistill):
    write_recipe(
        "both.yaml",
        {
            **{k: v for k, v in RECIPE.items() if k != "method"},
            "methods": {"FT": {"name": "finetune"}, "KD": {"name": "kd"}},
        },
    )
    refused(
        lmdistill("distill", "both.yaml", "--out", "runs/one"), r"holds one run; this recipe asks for 2 runs"
    )
