"""Teachers of several models from Python: what a recipe does with the same models."""

import pytest
import torch

import lmdistill as ld
from lmdistill.core.errors import ConfigError, MismatchError
from lmdistill.export.hugging_face import save
from lmdistill.recipes.files import read_recipe
from lmdistill.runs.classification import evaluation
from lmdistill.runs.run_recipe import run_recipe
from tests.tiny import WORDS, tiny
from tests.tiny_recipe import write_table

TRAINING = ld.Training(epochs=1, batch_size=8, optimizer=ld.Optimizer(learning_rate=1e-3))


@pytest.fixture
def place(tmp_path, monkeypatch, no_pages):
    """Two classifiers with tokenizers of their own, a student and a table, in the working directory."""
    monkeypatch.setattr(evaluation, "LATENCY_RUNS", 1)
    monkeypatch.chdir(tmp_path)
    save(tiny(layers=2, seed=1, labels=("bad", "good")), tmp_path / "one")
    save(tiny(layers=1, seed=2, labels=("bad", "good"), words=WORDS[::-1]), tmp_path / "two")
    save(tiny(layers=1, seed=3, labels=("bad", "good")), tmp_path / "small")
    write_table(tmp_path / "texts.csv")
    return tmp_path


def test_an_ensemble_from_python_is_that_of_a_recipe(place):
    task = ld.load_task("own", "texts.csv")
    teacher = ld.Ensemble([ld.load("one"), ld.load("two")], fit_temperature=True)
    run = ld.distill(
        teacher,
        task,
        student=ld.load("small"),
        method=ld.KD(),
        training=TRAINING,
        max_length=32,
        out="runs/a",
    )
    (place / "recipe.yaml").write_text(
        "task: own\ndata: {source: texts.csv, max_length: 32}\n"
        "teacher: {models: [one, two], fit_temperature: true}\nstudent: {model: small}\n"
        "methods: {KD: {name: kd}}\ntraining: {epochs: 1, batch_size: 8, optimizer: {learning_rate: 1.0e-3}}\n"
    )
    (folder,) = run_recipe(read_recipe("recipe.yaml"), place / "runs" / "b", command="test")
    other = ld.Run(folder)
    assert run.record.student.fingerprint == other.record.student.fingerprint
    assert run.record.teaching == other.record.teaching
    assert run.record.teacher.fingerprint == other.record.teacher.fingerprint
    assert run.speedup > 0
    again = ld.distill(
        teacher,
        task,
        student=ld.load("small"),
        method=ld.KD(),
        training=TRAINING,
        max_length=32,
        out="runs/a",
    )
    assert again.metrics == run.metrics


@pytest.mark.parametrize(
    ("method", "said"),
    [
        (ld.MixKD(), r"MixKD has to run its teacher.*different tokens"),
        (ld.PKD(), r"PKD reads the hidden states"),
    ],
)
def test_methods_that_ask_for_more_are_refused(place, method, said):
    teacher = ld.Ensemble([ld.load("one"), ld.load("two")])
    with pytest.raises(MismatchError, match=said):
        ld.distill(
            teacher, ld.load_task("own", "texts.csv"), student=ld.load("small"), method=method, out="runs/a"
        )
    assert not (place / "runs").exists()


def test_other_classes_are_refused_and_the_advice_works(place):
    save(tiny(layers=1, seed=2, labels=("good", "bad")), place / "turned")
    task = ld.load_task("own", "texts.csv")
    options = {"student": ld.load("small"), "method": ld.KD(), "training": TRAINING, "out": "runs/a"}
    options["max_length"] = 32
    with pytest.raises(MismatchError, match=r"turned has the classes good, bad.*labels=task\.spec\.labels"):
        ld.distill(ld.Ensemble([ld.load("turned")]), task, **options)
    right = ld.load("turned", labels=task.spec.labels)
    assert ld.distill(ld.Ensemble([right]), task, **options).record.teaching.models[0].source == "turned"


def test_an_empty_ensemble_and_one_for_texts_are_refused(place):
    with pytest.raises(ConfigError, match=r"has no models"):
        ld.Ensemble([])
    texts = object.__new__(ld.Corpus)
    with pytest.raises(
        MismatchError, match=r"the data are texts and the teacher is an ensemble of classifiers"
    ):
        ld.distill(ld.Ensemble([ld.load("one")]), texts, student=ld.load("small"), out="runs/a")


def test_one_model_as_an_ensemble_teaches_as_it_does_alone(place):
    task, method = ld.load_task("own", "texts.csv"), ld.KD(divergence="mse", alpha=1.0)
    runs = [
        ld.distill(
            teacher,
            task,
            student=ld.load("small"),
            method=method,
            training=TRAINING,
            max_length=32,
            out=f"runs/{number}",
        )
        for number, teacher in enumerate([ld.load("two"), ld.Ensemble([ld.load("two")], combine="logits")])
    ]
    first, second = (run.student.model.state_dict() for run in runs)
    for name, weights in first.items():
        if "key.bias" not in name:
            torch.testing.assert_close(weights, second[name], rtol=0, atol=1e-5)
